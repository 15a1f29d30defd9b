//! Texts to vectors without queue or thread: prefixes, tokens, passes of the encoder side by side.
//! Texts of like length share a pass; equal texts are encoded once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};

use super::super::weights::Weights;
use super::EmbedderSettings;
use super::encoder::{Encoder, Layer, Scratch};
use super::marks::{Marker, Scores, marks};
use super::tuned::Head;
use super::unigram::Unigram;
use super::wishes::Wishes;
use crate::engine::{EmbedInput, Reading};
use crate::pull::VerifiedModel;

/// A pass smaller than this costs more than it saves by running beside another.
const SMALLEST_PASS: usize = 64;

/// What the passes make of a text before its words are looked up.
#[derive(Clone, Default)]
struct Read {
    reading: Reading,
    /// What kind of word each token belongs to, with the two marks around them.
    words: Vec<Scores>,
    /// What each of them says of wishes.
    wishes: Vec<Vec<f32>>,
}

/// What is made of one text.
trait Made: Clone + Default + Send {}
impl<T: Clone + Default + Send> Made for T {}
/// Makes it of the texts of one pass.
type Encode<'a, T> = dyn Fn(&[&[u32]], &mut Scratch) -> anyhow::Result<Vec<T>> + Sync + 'a;

/// The model, its tokenizer, and what was tuned.
pub struct Core {
    encoder: Encoder,
    unigram: Unigram,
    pub(super) begin: u32,
    pub(super) end: u32,
    settings: EmbedderSettings,
    pub(super) head: Option<Head>,
    pub(super) marker: Option<Marker>,
    wishes: Option<Wishes>,
    /// Buffers of the threads, kept from call to call.
    scratches: Mutex<Vec<Scratch>>,
}

impl Core {
    /// Reads both out of a model file and runs them once, so that the first question is as quick as any.
    pub fn load(model: &VerifiedModel, settings: EmbedderSettings) -> anyhow::Result<Core> {
        let mut weights = Weights::open(&model.path)?;
        let kind = weights.text("tokenizer.ggml.model")?;
        ensure!(kind == "unigram", "a tokenizer of kind `{kind}`; only unigram is supported here");
        let pieces = weights.take_texts("tokenizer.ggml.tokens")?;
        let scores = weights.value("tokenizer.ggml.scores")?.to_vec()?;
        let scores = scores.iter().map(|s| s.to_f32()).collect::<candle_core::Result<_>>()?;
        let id = |name: &str| -> anyhow::Result<u32> {
            Ok(u32::try_from(weights.number(&format!("tokenizer.ggml.{name}_token_id"))?)?)
        };
        let (begin, end, pad, unknown) = (id("bos")?, id("eos")?, id("padding")?, id("unknown")?);
        let unigram = Unigram::new(&pieces, scores, [begin, end, pad, unknown])?;
        let encoder = Encoder::load(&mut weights)?;
        let head = settings.tuned.as_ref().map(|path| {
            Head::load(path, &encoder, &model.id).with_context(|| format!("{} cannot be used", path.display()))
        });
        let head = head.transpose()?;
        let marker = settings.marks.as_ref().map(|path| {
            Marker::load(path, &encoder, &model.id).with_context(|| format!("{} cannot be used", path.display()))
        });
        let marker = marker.transpose()?;
        let wishes = settings.wishes.as_ref().map(|path| {
            Wishes::load(path, &encoder, &model.id).with_context(|| format!("{} cannot be used", path.display()))
        });
        let wishes = wishes.transpose()?;
        let core = Core { encoder, unigram, begin, end, settings, head, marker, wishes, scratches: Mutex::default() };
        core.read(&["?".to_string()])?;
        Ok(core)
    }

    /// The length of the vectors.
    pub fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    /// The tokens that one text may have; what comes after is not read.
    pub fn max_tokens(&self) -> usize {
        self.encoder.max_tokens()
    }

    /// How many tokens a text has, also past the limit.
    pub fn count(&self, input: EmbedInput, text: &str) -> usize {
        self.unigram.encode(&prefixed(input, text, usize::MAX), usize::MAX).len() + 2
    }

    /// One vector per text, in order.
    pub fn embed(&self, input: EmbedInput, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
        self.each(input, texts, &|sequences, scratch| self.encoder.encode(sequences, scratch))
    }

    /// One vector and opinion per message, what its words are and what its stretches want, in order.
    pub fn read(&self, texts: &[String]) -> anyhow::Result<Vec<Reading>> {
        let read = self.each(EmbedInput::Query, texts, &|sequences, scratch| self.read_pass(sequences, scratch))?;
        Ok(read.into_iter().zip(texts).map(|(read, text)| self.of_text(read, text)).collect())
    }

    fn read_pass(&self, sequences: &[&[u32]], scratch: &mut Scratch) -> anyhow::Result<Vec<Read>> {
        let mut scores: Vec<Scores> = Vec::new();
        let mut watch = |layers: usize, held: &[f32]| {
            self.marker.iter().for_each(|marker| marker.weigh(layers, held, &mut scores));
        };
        let heads = self.head.iter().map(|head| head.layers.as_slice());
        let towers: Vec<&[Layer]> = heads.chain(self.wishes.iter().map(|wishes| wishes.layers.as_slice())).collect();
        let (vectors, held) = self.encoder.encode_with(sequences, &towers, &mut watch, scratch)?;
        let mut held = held.iter();
        let opinions = self.head.as_ref().and_then(|head| {
            let vectors = self.encoder.vectors(sequences, held.next()?);
            Some(vectors.iter().map(|vector| head.opinion(vector)).collect::<Vec<_>>())
        });
        let wishes = self.wishes.as_ref().and_then(|wishes| Some(wishes.scores(held.next()?)));
        let mut opinions = opinions.unwrap_or_default().into_iter();
        let (mut words, mut wishes) = (scores.into_iter(), wishes.unwrap_or_default().into_iter());
        let one = |(vector, sequence): (Vec<f32>, &&[u32])| Read {
            reading: Reading { vector, opinion: opinions.next().unwrap_or_default(), ..Reading::default() },
            words: words.by_ref().take(sequence.len()).collect(),
            wishes: wishes.by_ref().take(sequence.len()).collect(),
        };
        Ok(vectors.into_iter().zip(sequences).map(one).collect())
    }

    /// A reading with what its tokens say of the words they stand for; without that where they cannot be followed back.
    fn of_text(&self, read: Read, text: &str) -> Reading {
        if self.marker.is_none() && self.wishes.is_none() {
            return read.reading;
        }
        let limit = self.encoder.max_tokens() - 2;
        let whole = prefixed(EmbedInput::Query, text, self.settings.max_characters);
        let prefix = prefixed(EmbedInput::Query, "", 0).len();
        let Some(places) = self.unigram.places(&whole, limit) else { return read.reading };
        let own = |place: Range<usize>| place.start.saturating_sub(prefix)..place.end.saturating_sub(prefix);
        let places: Vec<Range<usize>> = places.into_iter().map(own).collect();
        // Between the marks for beginning and end.
        let within = 1..1 + places.len();
        let marked = read.words.get(within.clone()).map(|scores| marks(scores, places.clone()));
        let parted = self.wishes.as_ref().zip(read.wishes.get(within));
        Reading {
            marks: marked.unwrap_or_default(),
            wishes: parted.map(|(wishes, scores)| wishes.stretches(scores, &places, text)).unwrap_or_default(),
            ..read.reading
        }
    }

    /// What is made of each text, in order.
    fn each<T: Made>(&self, input: EmbedInput, texts: &[String], encode: &Encode<'_, T>) -> anyhow::Result<Vec<T>> {
        let mut first = HashMap::with_capacity(texts.len());
        let mut distinct = Vec::new();
        let places: Vec<usize> = texts
            .iter()
            .map(|text| {
                *first.entry(text.as_str()).or_insert_with(|| {
                    distinct.push(self.tokens(input, text));
                    distinct.len() - 1
                })
            })
            .collect();
        let made = self.encode_all(&distinct, encode)?;
        Ok(places.into_iter().map(|place| made[place].clone()).collect())
    }

    fn encode_all<T: Made>(&self, ids: &[Vec<u32>], encode: &Encode<'_, T>) -> anyhow::Result<Vec<T>> {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        // Texts of one length share a pass; the longest first, so that no thread is left with one at the end.
        order.sort_by_key(|at| std::cmp::Reverse(ids[*at].len()));
        let passes = self.passes(ids, &order);
        let mut all = vec![T::default(); ids.len()];
        for (pass, made) in passes.iter().zip(self.run(ids, &passes, encode)) {
            for (at, made) in pass.iter().zip(made?) {
                all[*at] = made;
            }
        }
        Ok(all)
    }

    /// Splits the texts into passes of about as many tokens each as settings and threads ask for.
    fn passes<'a>(&self, ids: &[Vec<u32>], order: &'a [usize]) -> Vec<&'a [usize]> {
        let total: usize = ids.iter().map(Vec::len).sum();
        let share = total.div_ceil(self.settings.threads.max(1)).max(SMALLEST_PASS);
        let budget = self.settings.batch_tokens.min(share);
        let mut passes = Vec::new();
        let mut rest = order;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = rest.iter().take_while(|at| {
                tokens += ids[**at].len();
                tokens <= budget
            });
            let (pass, others) = rest.split_at(fits.count().max(1));
            passes.push(pass);
            rest = others;
        }
        passes
    }

    fn run<T: Made>(
        &self,
        ids: &[Vec<u32>],
        passes: &[&[usize]],
        encode: &Encode<'_, T>,
    ) -> Vec<anyhow::Result<Vec<T>>> {
        let next = AtomicUsize::new(0);
        let made: Vec<Mutex<anyhow::Result<Vec<T>>>> = passes.iter().map(|_| Mutex::new(Ok(Vec::new()))).collect();
        let work = || {
            let mut scratch = self.scratches().pop().unwrap_or_default();
            while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < passes.len()) {
                let sequences: Vec<&[u32]> = passes[at].iter().map(|text| ids[*text].as_slice()).collect();
                *made[at].lock().unwrap_or_else(PoisonError::into_inner) = encode(&sequences, &mut scratch);
            }
            self.scratches().push(scratch);
        };
        std::thread::scope(|scope| {
            for _ in 1..self.settings.threads.min(passes.len()) {
                scope.spawn(work);
            }
            work();
        });
        made.into_iter().map(|made| made.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    fn scratches(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of a text between the two marks, cut to what the model takes.
    pub(super) fn tokens(&self, input: EmbedInput, text: &str) -> Vec<u32> {
        let text = prefixed(input, text, self.settings.max_characters);
        let mut ids = vec![self.begin];
        ids.extend(self.unigram.encode(&text, self.encoder.max_tokens() - 2));
        ids.push(self.end);
        ids
    }
}

fn prefixed(input: EmbedInput, text: &str, characters: usize) -> String {
    let prefix = match input {
        EmbedInput::Query => "query: ",
        EmbedInput::Passage => "passage: ",
    };
    prefix.chars().chain(text.chars().take(characters)).collect()
}
