//! The language model with the memory of several sequences: what a new prompt shares with a remembered one is not read
//! again. In: token ids. Out: the scores of next tokens. Knows nothing of text.

use anyhow::{Context, ensure};
use candle_core::Device;

use super::super::weights::Weights;
use super::layers::{Layers, Load, Scratch, Span};
use super::matrix::Matrix;
use super::memory::{Arena, PAGE, Sequence};
use super::stock::Stock;

/// Prompt openings remembered at most.
const REMEMBERED: usize = 8;
/// Tokens read in one pass where nobody else waits.
const CHUNK: usize = 256;

/// A loaded language model.
pub struct Decoder {
    engine: Engine,
    context: usize,
}

enum Engine {
    /// Our own layers on the processor.
    Own(Box<Own>),
    /// candle's model on a GPU, which has one sequence and remembers nothing.
    Stock(Box<Stock>),
}

struct Own {
    layers: Layers,
    arena: Arena,
    scratch: Scratch,
    remembered: Vec<Remembered>,
    clock: u64,
}

/// The opening of a prompt.
struct Remembered {
    sequence: Sequence,
    used: u64,
}

/// Room for sequences.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The most tokens of one.
    pub context: usize,
    /// The most bytes of keys and values of all.
    pub bytes: usize,
}

/// One sequence's part of a step.
pub struct Run<'a> {
    /// The sequence.
    pub sequence: &'a mut Sequence,
    /// The tokens that it reads, at least one.
    pub tokens: &'a [u32],
    /// The scores that are asked for.
    pub wanted: Wanted<'a>,
}

/// Which scores are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// None.
    Nothing,
    /// Of these tokens after the last one read, in their order.
    Few(&'a [u32]),
    /// Of all tokens after the last one read.
    All,
    /// Of all tokens after each of so many that are read, the last ones.
    Last(usize),
}

impl Wanted<'_> {
    /// After how many of `count` tokens.
    fn rows(&self, count: usize) -> usize {
        match self {
            Wanted::Nothing => 0,
            Wanted::Few(_) | Wanted::All => 1,
            Wanted::Last(last) => (*last).min(count),
        }
    }
}

impl Decoder {
    /// Reads the model onto a device.
    pub fn load(weights: Weights, device: &Device, room: Room) -> anyhow::Result<Decoder> {
        if !device.is_cpu() {
            return Self::load_stock(weights, device);
        }
        Self::load_own(weights, room, Matrix::load)
    }

    fn load_own(mut weights: Weights, room: Room, load: Load) -> anyhow::Result<Decoder> {
        let layers = Layers::load(&mut weights, load, room.context)?;
        let arena = Arena::new(&layers.shape, room.bytes)?;
        let context = room.context.min(layers.shape.context).min(arena.positions());
        let own = Own { layers, arena, scratch: Scratch::default(), remembered: Vec::new(), clock: 0 };
        Ok(Decoder { engine: Engine::Own(Box::new(own)), context })
    }

    /// Reads candle's own model of the same file.
    pub fn load_stock(weights: Weights, device: &Device) -> anyhow::Result<Decoder> {
        let stock = Stock::load(weights, device)?;
        let context = stock.context();
        Ok(Decoder { engine: Engine::Stock(Box::new(stock)), context })
    }

    /// The same sums on floats: what the kernels' rounding is measured against.
    pub fn load_exact(weights: Weights, room: Room) -> anyhow::Result<Decoder> {
        Self::load_own(weights, room, Matrix::exact)
    }

    /// Bytes of weights that a step reads, where it is known.
    pub fn bytes(&self) -> Option<usize> {
        match &self.engine {
            Engine::Own(own) => Some(own.layers.bytes()),
            Engine::Stock(_) => None,
        }
    }

    /// Bytes of keys and values that are held, and the most that can be.
    pub fn memory(&self) -> (usize, usize) {
        match &self.engine {
            Engine::Own(own) => own.arena.bytes(),
            Engine::Stock(_) => (0, 0),
        }
    }

    /// The tokens a sequence can hold, prompt and answer together.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Whether several sequences can be read in one step, each in parts.
    pub fn batches(&self) -> bool {
        matches!(self.engine, Engine::Own(_))
    }

    /// Forgets what it remembers.
    pub fn forget(&mut self) {
        match &mut self.engine {
            Engine::Own(own) => own.remembered.drain(..).for_each(|r| own.arena.give_back(&r.sequence.pages)),
            Engine::Stock(stock) => stock.reset(),
        }
    }

    /// Forgets everything; no sequence from before may be used again.
    pub fn clear(&mut self) {
        self.forget();
        if let Engine::Own(own) = &mut self.engine {
            own.arena.clear();
        }
    }

    /// A sequence with room for a prompt and `more` tokens; it begins with what is remembered of the prompt, but for one
    /// token at least. None when there is no room now.
    pub fn open(&mut self, prompt: &[u32], more: usize) -> Option<Sequence> {
        match &mut self.engine {
            Engine::Own(own) => own.open(prompt, more),
            Engine::Stock(stock) => {
                stock.reset();
                Some(Sequence::default())
            }
        }
    }

    /// Remembers the first tokens of a sequence for prompts that begin like it.
    pub fn remember(&mut self, sequence: &Sequence, tokens: usize) {
        if let Engine::Own(own) = &mut self.engine {
            own.remember(sequence, tokens.min(sequence.tokens.len()));
        }
    }

    /// Ends a sequence: nothing stays of it but what was remembered.
    pub fn close(&mut self, sequence: Sequence) {
        match &mut self.engine {
            Engine::Own(own) => own.arena.give_back(&sequence.pages),
            Engine::Stock(stock) => stock.reset(),
        }
    }

    /// Reads the tokens of all runs in one pass and gives the scores that each asked for.
    pub fn step(&mut self, runs: &mut [Run<'_>]) -> anyhow::Result<Vec<Vec<Vec<f32>>>> {
        ensure!(runs.iter().all(|run| !run.tokens.is_empty()), "nothing to read");
        let scores = match &mut self.engine {
            Engine::Own(own) => own.step(runs)?,
            Engine::Stock(stock) => match runs {
                [run] => vec![stock_scores(stock, run)?],
                _ => anyhow::bail!("candle's model reads one sequence at a time"),
            },
        };
        runs.iter_mut().for_each(|run| run.sequence.tokens.extend(run.tokens));
        Ok(scores)
    }

    /// Reads tokens of one sequence and gives the scores of all that may follow.
    pub fn read(&mut self, sequence: &mut Sequence, tokens: &[u32]) -> anyhow::Result<Vec<f32>> {
        let chunk = if self.batches() { CHUNK } else { tokens.len().max(1) };
        let mut rest = tokens;
        loop {
            let (tokens, others) = rest.split_at(chunk.min(rest.len()));
            rest = others;
            let wanted = if rest.is_empty() { Wanted::All } else { Wanted::Nothing };
            let mut scores = self.step(&mut [Run { sequence, tokens, wanted }])?;
            if rest.is_empty() {
                return scores.pop().and_then(|mut s| s.pop()).context("no scores");
            }
        }
    }
}

fn stock_scores(stock: &mut Stock, run: &Run<'_>) -> anyhow::Result<Vec<Vec<f32>>> {
    let all = stock.read(run.tokens)?;
    Ok(match run.wanted {
        Wanted::Nothing => Vec::new(),
        Wanted::All => vec![all],
        Wanted::Few(ids) => {
            let score = |id: &u32| all.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
            vec![ids.iter().map(score).collect()]
        }
        Wanted::Last(_) => anyhow::bail!("candle's model scores the last token only"),
    })
}

impl Own {
    fn open(&mut self, prompt: &[u32], more: usize) -> Option<Sequence> {
        self.clock += 1;
        let pages = (prompt.len() + more).div_ceil(PAGE);
        loop {
            let shared = |r: &Remembered| r.sequence.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
            let best = self.remembered.iter_mut().max_by_key(|r| shared(r));
            let best = best.map(|r| (shared(r).min(prompt.len().saturating_sub(1)), r));
            let kept = best.as_ref().map_or(0, |(kept, _)| *kept);
            if let Some(private) = self.arena.take(pages - kept / PAGE) {
                let mut sequence = Sequence { tokens: prompt[..kept].to_vec(), pages: Vec::new() };
                if let Some((kept, remembered)) = best.filter(|(kept, _)| *kept > 0) {
                    remembered.used = self.clock;
                    let (whole, rest) = remembered.sequence.pages.split_at(kept / PAGE);
                    self.arena.share(whole);
                    sequence.pages.extend(whole);
                    if kept % PAGE > 0 {
                        self.arena.copy(rest[0], private[0], kept % PAGE);
                    }
                }
                sequence.pages.extend(private);
                return Some(sequence);
            }
            self.forget_oldest()?;
        }
    }

    fn remember(&mut self, sequence: &Sequence, tokens: usize) {
        self.clock += 1;
        let opening = &sequence.tokens[..tokens];
        if let Some(known) = self.remembered.iter_mut().find(|r| r.sequence.tokens.starts_with(opening)) {
            known.used = self.clock;
            return;
        }
        if self.remembered.len() >= REMEMBERED {
            let _ = self.forget_oldest();
        }
        let (whole, rest) = sequence.pages.split_at(tokens / PAGE);
        let mut kept = Sequence { tokens: opening.to_vec(), pages: whole.to_vec() };
        // The last page goes on with somebody's words: only what stands before them is copied.
        match (!tokens.is_multiple_of(PAGE)).then(|| self.arena.take(1)).flatten() {
            Some(own) => {
                self.arena.copy(rest[0], own[0], tokens % PAGE);
                kept.pages.extend(own);
            }
            None => kept.tokens.truncate(tokens / PAGE * PAGE),
        }
        self.arena.share(whole);
        self.remembered.push(Remembered { sequence: kept, used: self.clock });
    }

    /// None when nothing is remembered.
    fn forget_oldest(&mut self) -> Option<()> {
        let oldest = (0..self.remembered.len()).min_by_key(|n| self.remembered[*n].used)?;
        let forgotten = self.remembered.swap_remove(oldest);
        self.arena.give_back(&forgotten.sequence.pages);
        Some(())
    }

    fn step(&mut self, runs: &[Run<'_>]) -> anyhow::Result<Vec<Vec<Vec<f32>>>> {
        let mut spans = Vec::new();
        for Run { sequence, tokens, wanted } in runs {
            let (first, count) = (sequence.tokens.len(), tokens.len());
            spans.push(Span { pages: &sequence.pages, first, count, wanted: wanted.rows(count) });
        }
        let tokens: Vec<u32> = runs.iter().flat_map(|run| run.tokens).copied().collect();
        let rows = self.layers.read((&tokens, &spans), &mut self.arena, &mut self.scratch)?;
        let mut named = Vec::new();
        for (run, span) in runs.iter().zip(&spans) {
            let ids = if let Wanted::Few(ids) = run.wanted { Some(ids) } else { None };
            named.extend(std::iter::repeat_n(ids, span.wanted));
        }
        let mut scores = self.layers.scores(&rows, &named)?.into_iter();
        Ok(spans.iter().map(|span| scores.by_ref().take(span.wanted).collect()).collect())
    }
}
