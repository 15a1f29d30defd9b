//! Builds the searchable half of a generation: lexical index, vectors, names and passages, one product at a time.
//! In: products and passages already checked, and an embedder. Out: files in the folder of a `Building`. It switches nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::domain::fact::Passage;
use crate::domain::{Language, Product};
use crate::engine::{Embed, EmbedInput};

use super::analysis::Analyzer;
use super::asked;
use super::lexical::{Entry, Lexical, LexicalWriter};
use super::names::{NameEntry, label};
use super::vectors::{Key, Reuse, VectorWriter, key_of};
use crate::generation::Manifest;

/// Texts embedded in one call: enough for the embedder to put texts of one length together.
const BATCH: usize = 256;
/// Characters embedded of a product: the start of its name and description says what it is, and time grows with length.
const EMBEDDED: usize = 128;

/// Folder and file names inside a generation.
pub mod layout {
    /// The products' lexical index.
    pub const PRODUCTS: &str = "lexical/products";
    /// The passages' lexical index.
    pub const PASSAGES: &str = "lexical/passages";
    /// The products' vectors.
    pub const VECTORS: &str = "vectors";
    /// The passages' vectors.
    pub const PASSAGE_VECTORS: &str = "vectors-passages";
    /// Names and codes of the products.
    pub const NAMES: &str = "names.jsonl";
    /// The vectors of the questions that stand with the passages, then of messages that ask for something else.
    pub const ASKED_VECTORS: &str = "vectors-asked";
    /// What was learnt from them; absent where no language has questions with every passage.
    pub const ASKED: &str = "asked.bin";
    /// The passages themselves.
    pub const TEXTS: &str = "passages.jsonl";
}

/// A passage as the passages file of a generation keeps it.
#[derive(Serialize, Deserialize)]
pub struct PassageEntry {
    /// `returns.sk#2`.
    pub id: String,
    /// The passage.
    pub passage: Passage,
    /// Questions it answers, as shoppers put them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
}

impl PassageEntry {
    /// The text that is embedded for it.
    pub(super) fn embedded(&self) -> String {
        format!("{}. {}", self.passage.section, self.passage.text)
    }
}

/// Category words by id: its name and synonyms in every language.
pub type Kinds = BTreeMap<String, Vec<(Language, String)>>;

/// Told how far the work is: products read, vectors made.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

struct VectorSink {
    writer: VectorWriter,
    reuse: Option<Reuse>,
    pending: Vec<(Key, String, Option<Vec<f32>>)>,
    input: EmbedInput,
}

impl VectorSink {
    fn create(
        folder: &Path,
        (name, input): (&str, EmbedInput),
        embed: &dyn Embed,
        before: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let writer = VectorWriter::create(folder, name, embed.dimensions())?;
        let reuse = before.and_then(|before| Reuse::open(before, name, embed.dimensions()).ok());
        Ok(VectorSink { writer, reuse, pending: Vec::new(), input })
    }

    fn push(&mut self, text: String) {
        let key = key_of(&text);
        let known = self.reuse.as_ref().and_then(|reuse| reuse.get(&key));
        self.pending.push((key, text, known));
    }

    fn unknown(&self) -> usize {
        self.pending.iter().filter(|(_, _, vector)| vector.is_none()).count()
    }

    /// Embeds what is pending; how many were embedded and how many were known.
    async fn flush(&mut self, embed: &dyn Embed) -> anyhow::Result<(u64, u64)> {
        let pending = std::mem::take(&mut self.pending);
        let texts: Vec<String> =
            pending.iter().filter(|(_, _, known)| known.is_none()).map(|(_, text, _)| text.clone()).collect();
        let counts = (texts.len() as u64, (pending.len() - texts.len()) as u64);
        let mut made = Vec::new();
        if !texts.is_empty() {
            made = embed.embed(self.input, texts).await.context("embedding the catalog")?;
        }
        anyhow::ensure!(
            made.len() as u64 == counts.0,
            "the embedder gave {} vectors for {} texts",
            made.len(),
            counts.0
        );
        let mut made = made.into_iter();
        for (key, _, known) in pending {
            let vector = known.or_else(|| made.next()).context("the embedder gave too few vectors")?;
            self.writer.add(&key, &vector)?;
        }
        Ok(counts)
    }
}

/// What was built.
#[derive(Clone, Copy, Debug, Default)]
pub struct Built {
    /// Products added.
    pub products: usize,
    /// Passages added.
    pub passages: usize,
    /// Vectors computed.
    pub embedded: u64,
    /// Vectors kept from the generation before.
    pub reused: u64,
}

/// Builds one generation.
pub struct Builder<'a> {
    folder: PathBuf,
    analyzer: &'a Analyzer,
    embed: &'a dyn Embed,
    kinds: Kinds,
    others: Vec<String>,
    products: LexicalWriter<'a>,
    names: BufWriter<File>,
    vectors: VectorSink,
    before: Option<PathBuf>,
    built: Built,
    progress: Progress<'a>,
}

/// What a builder works with.
pub struct Tools<'a> {
    /// Stemmers.
    pub analyzer: &'a Analyzer,
    /// The embedder.
    pub embed: &'a dyn Embed,
    /// Category words.
    pub kinds: Kinds,
    /// Messages that ask for something else than a rule of the shop.
    pub others: Vec<String>,
    /// Told how far it is.
    pub progress: Progress<'a>,
}

impl<'a> Builder<'a> {
    /// Begins in an empty folder; `before` is the generation whose vectors may be kept.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn create(folder: &Path, before: Option<PathBuf>, tools: Tools<'a>) -> anyhow::Result<Self> {
        let Tools { analyzer, embed, kinds, others, progress } = tools;
        let same_embedder = |before: &PathBuf| {
            Manifest::read(before).is_ok_and(|manifest| {
                manifest.embedder == embed.model()
                    && manifest.dimensions == embed.dimensions()
                    && manifest.check(before).is_ok()
            })
        };
        let before = before.filter(same_embedder);
        Ok(Builder {
            products: LexicalWriter::create(&folder.join(layout::PRODUCTS), analyzer)?,
            names: BufWriter::new(File::create(folder.join(layout::NAMES)).context("writing names.jsonl")?),
            vectors: VectorSink::create(folder, (layout::VECTORS, EmbedInput::Passage), embed, before.as_deref())?,
            folder: folder.to_path_buf(),
            analyzer,
            embed,
            kinds,
            others,
            before,
            built: Built::default(),
            progress,
        })
    }

    /// Adds a product.
    ///
    /// # Errors
    /// When it cannot be written or embedded.
    pub async fn add_product(&mut self, product: &Product) -> anyhow::Result<()> {
        let kinds = self.kinds_of(product);
        let texts = embedded_texts(product, &kinds);
        let entry = NameEntry::new(product, self.analyzer, texts.len());
        serde_json::to_writer(&mut self.names, &entry)?;
        self.names.write_all(b"\n")?;
        self.products.add(&lexical_entry(product, kinds))?;
        texts.into_iter().for_each(|text| self.vectors.push(text));
        self.built.products += 1;
        if self.vectors.unknown() >= BATCH || self.vectors.pending.len() >= BATCH * 8 {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        let (embedded, reused) = self.vectors.flush(self.embed).await?;
        self.built.embedded += embedded;
        self.built.reused += reused;
        (self.progress)(self.built.products as u64, self.built.embedded + self.built.reused);
        Ok(())
    }

    fn kinds_of(&self, product: &Product) -> Vec<(Language, String)> {
        if product.category.is_empty() {
            return Vec::new();
        }
        self.kinds.get(&product.category).cloned().unwrap_or_else(|| {
            // Words from the feed, in the language of the feed.
            product.name.all().map(|(language, _)| (language, product.category.clone())).collect()
        })
    }

    /// Adds the policies and closes every file.
    ///
    /// # Errors
    /// When something cannot be written or embedded.
    pub async fn finish(mut self, passages: Vec<PassageEntry>) -> anyhow::Result<Built> {
        self.flush().await?;
        self.names.flush()?;
        self.products.finish()?;
        self.vectors.writer.finish()?;
        let mut lexical = LexicalWriter::create(&self.folder.join(layout::PASSAGES), self.analyzer)?;
        let sink = |name, input| VectorSink::create(&self.folder, (name, input), self.embed, self.before.as_deref());
        let mut vectors = sink(layout::PASSAGE_VECTORS, EmbedInput::Passage)?;
        let mut asked = sink(layout::ASKED_VECTORS, EmbedInput::Query)?;
        let mut texts = BufWriter::new(File::create(self.folder.join(layout::TEXTS))?);
        for entry in &passages {
            serde_json::to_writer(&mut texts, entry)?;
            texts.write_all(b"\n")?;
            let Passage { section, text, language, .. } = &entry.passage;
            let (names, texts) = (vec![(*language, section.clone())], vec![(*language, text.clone())]);
            lexical.add(&Entry { names, texts, ..Entry::default() })?;
            vectors.push(entry.embedded());
            entry.asked.iter().for_each(|question| asked.push(question.clone()));
        }
        // What else is asked is of use beside questions about the rules alone.
        let others = if asked.pending.is_empty() { Vec::new() } else { self.others };
        others.iter().for_each(|other| asked.push(other.clone()));
        texts.flush()?;
        lexical.finish()?;
        for sink in [&mut vectors, &mut asked] {
            let (embedded, reused) = sink.flush(self.embed).await?;
            self.built.embedded += embedded;
            self.built.reused += reused;
        }
        vectors.writer.finish()?;
        asked.writer.finish()?;
        asked::learn(&self.folder, &passages, &others, self.embed.dimensions())?;
        Lexical::validate(&self.folder.join(layout::PRODUCTS))?;
        Lexical::validate(&self.folder.join(layout::PASSAGES))?;
        let passages = passages.len();
        Ok(Built { passages, ..self.built })
    }
}

/// One text per language of the name: the name, its category, and how its description begins.
fn embedded_texts(product: &Product, kinds: &[(Language, String)]) -> Vec<String> {
    let one = |(language, name): (Language, &str)| {
        let kind = kinds.iter().find(|(of, _)| *of == language).map_or("", |(_, words)| words.as_str());
        let kind = kind.split(" ; ").next().unwrap_or_default();
        let description = product.description.0.get(&language).map_or("", String::as_str);
        let parts = [name, kind, description].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(". ").chars().take(EMBEDDED).collect()
    };
    product.name.all().map(one).collect()
}

fn lexical_entry(product: &Product, kinds: Vec<(Language, String)>) -> Entry {
    let owned = |(language, text): (Language, &str)| (language, text.to_string());
    let mut texts: Vec<(Language, String)> = product.description.all().map(owned).collect();
    texts.extend(product.attributes.values().flat_map(|text| text.all().map(owned)));
    let colours: Vec<&str> = product.variants.iter().filter_map(|variant| variant.colour.as_deref()).collect();
    if let (false, Some((language, _))) = (colours.is_empty(), product.name.all().next()) {
        texts.push((language, colours.join(" ")));
    }
    Entry { names: product.name.all().map(owned).collect(), kinds, texts, label: label(product) }
}
