//! Search: a generation on disk, its lexical and vector halves, and their fusion. Reads and writes `index/`.
//! The only module that names tantivy, simsimd and Qdrant. It finds ids; what they cost is the catalog's to say.

mod analysis;
mod asked;
pub mod batch;
mod builder;
mod concepts;
mod familiar;
mod find;
mod fusion;
mod heads;
mod lexical;
pub mod multiplied;
mod names;
mod neighbours;
pub mod qdrant;
mod sketch;
mod slovak;
mod terms;
mod translit;
mod vectors;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::domain::fact::Passage;
use crate::domain::{Language, ProductId};
use crate::engine::{Familiar, GenerationInfo, ModelId, PassageHit, PassageQuery, ProductHit, ProductQuery, Search};

pub use crate::generation::{Building, CATALOG, IndexError, MANIFEST, Manifest, SCHEMA, current};
pub use analysis::Analyzer;
pub use builder::{Builder, Built, Kinds, PassageEntry, Progress, Tools};
pub use lexical::Boosts;

use asked::Asked;
use builder::layout;
use lexical::Lexical;
use names::{NameEntry, Names};
use neighbours::Neighbours;
use terms::Vocabulary;
use vectors::{Stored, Vectors};

/// How the two halves are weighed.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// What a match in each field is worth.
    pub boosts: Boosts,
    /// The weight of the lexical list.
    pub lexical: f32,
    /// The weight of the vector list.
    pub vector: f32,
    /// What it adds when question and name cover one another wholly.
    pub named: f32,
    /// What an accessory is worth beside the thing itself, when no accessory was asked for.
    pub part: f32,
    /// Rows taken from each half.
    pub depth: usize,
    /// The best rows of the first pass that the question is moved towards.
    pub echoes: usize,
    /// How far.
    pub echo: f32,
    /// The weight of the words of a rule beside its meaning: questions about rules are seldom put in their words.
    pub rule_words: f32,
}

impl Default for Tuning {
    fn default() -> Self {
        // Chosen on the `odd` half of the rated queries (scripts/ndcg.py); the `even` half was never looked at for it.
        let boosts = Boosts { name: 3.0, kind: 4.0, text: 2.0, label: 1.0, tie: 0.1, typo: 0.5, same: 0.8 };
        Tuning {
            boosts,
            lexical: 1.0,
            vector: 0.6,
            named: 2.0,
            part: 0.7,
            depth: 400,
            echoes: 20,
            echo: 1.0,
            rule_words: 0.07,
        }
    }
}

impl Tuning {
    fn fuse(&self, lexical: &fusion::Hits, vector: &fusion::Hits) -> Vec<(usize, f32)> {
        weighed((lexical, self.lexical), (vector, self.vector))
    }
}

fn weighed(lexical: (&fusion::Hits, f32), vector: (&fusion::Hits, f32)) -> Vec<(usize, f32)> {
    let floor = vector.0.last().map_or(0.0, |last| last.1);
    let (words, meaning) = (fusion::share_of_best(lexical.0), fusion::above(vector.0, floor));
    fusion::fuse(&[(&words, lexical.1), (&meaning, vector.1)])
}

/// The index of one generation, open for search.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    manifest: Manifest,
    vocabulary: Vocabulary,
    products: Lexical,
    names: Names,
    /// The vectors' file, and who finds the nearest of them.
    vectors: Stored,
    neighbours: Box<dyn Neighbours>,
    /// The product of each vector row.
    rows: Vec<u32>,
    passages: Lexical,
    texts: Vec<PassageEntry>,
    passage_vectors: Vectors,
    asked: Option<Asked>,
    tuning: Tuning,
}

impl Index {
    /// Opens the generation that serves, for questions embedded by `embedder`.
    ///
    /// # Errors
    /// When there is none, a file is not the one that was built, or another embedder made its vectors.
    pub fn open(index: &Path, embedder: &ModelId) -> Result<Self, IndexError> {
        Self::open_tuned(index, embedder, Tuning::default())
    }

    /// The same with other weights; for measuring.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_tuned(index: &Path, embedder: &ModelId, tuning: Tuning) -> Result<Self, IndexError> {
        let (folder, manifest) = checked(&current(index)?, embedder)?;
        let near = |folder: &Path, manifest: &Manifest| {
            let vectors = Vectors::open(folder, layout::VECTORS, manifest.dimensions)?;
            Ok(Box::new(vectors) as Box<dyn Neighbours>)
        };
        Self::load((folder, manifest), tuning, near)
    }

    /// The generation that serves, with its vectors in a Qdrant server instead of this program's memory.
    ///
    /// # Errors
    /// As [`Index::open`], and when the server answers but does not have these vectors. One that does not answer is asked
    /// again later: questions are answered by their words until then.
    pub async fn open_beside(index: &Path, embedder: &ModelId, server: &qdrant::Server) -> anyhow::Result<Self> {
        let (folder, embedder) = (current(index)?, embedder.clone());
        let (folder, manifest) = tokio::task::spawn_blocking(move || checked(&folder, &embedder)).await??;
        let rows = Stored::open(&folder, layout::VECTORS, manifest.dimensions)?.count();
        let asked = server.vectors_of(&manifest.generation, (rows, manifest.dimensions)).await?;
        let near = move |_: &Path, _: &Manifest| Ok(Box::new(asked) as Box<dyn Neighbours>);
        Ok(tokio::task::spawn_blocking(move || Self::load((folder, manifest), Tuning::default(), near)).await??)
    }

    fn load(
        (folder, manifest): (PathBuf, Manifest),
        tuning: Tuning,
        near: impl FnOnce(&Path, &Manifest) -> anyhow::Result<Box<dyn Neighbours>>,
    ) -> Result<Self, IndexError> {
        let inner = near(&folder, &manifest).and_then(|near| load(folder.clone(), manifest, (tuning, near)));
        let inner = inner.map_err(|error| IndexError::failed(format!("opening {}", folder.display()), error))?;
        Ok(Index { inner: Arc::new(inner) })
    }

    /// How many vectors its products have.
    pub fn vectors(&self) -> usize {
        self.inner.vectors.count()
    }

    /// The products nearest to a question by the floats of every row, for measuring what a quicker search misses.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn compared_with_every_row(&self, question: &[f32], limit: usize) -> anyhow::Result<Vec<ProductId>> {
        let inner = &self.inner;
        let rows = inner.vectors.compared(question, inner.deep(limit))?;
        Ok(inner.by_product(rows, limit).into_iter().map(|(row, _)| inner.names.id(row).clone()).collect())
    }

    /// The generation's folder, in which its `catalog.db` lies.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }
}

/// A generation whose files are those that were built, by the embedder at hand.
fn checked(folder: &Path, embedder: &ModelId) -> Result<(PathBuf, Manifest), IndexError> {
    let folder = folder.to_path_buf();
    let manifest = Manifest::read(&folder)?;
    if manifest.embedder != *embedder {
        let told = |model: &ModelId| format!("{}@{}", model.name, model.sha256.get(..8).unwrap_or(&model.sha256));
        let (built, configured) = (told(&manifest.embedder), told(embedder));
        return Err(IndexError::Embedder { folder, built, configured });
    }
    manifest.check(&folder)?;
    Ok((folder, manifest))
}

fn load(
    folder: PathBuf,
    manifest: Manifest,
    (tuning, neighbours): (Tuning, Box<dyn Neighbours>),
) -> anyhow::Result<Inner> {
    let entries: Vec<NameEntry> = json_lines(&folder.join(layout::NAMES))?;
    let counts = entries.iter().enumerate();
    let rows = counts.flat_map(|(row, entry)| std::iter::repeat_n(row as u32, entry.vectors)).collect();
    let vocabulary = Vocabulary::default();
    let texts: Vec<PassageEntry> = json_lines(&folder.join(layout::TEXTS))?;
    Ok(Inner {
        products: Lexical::open(&folder.join(layout::PRODUCTS))?,
        names: Names::new(entries, &vocabulary.concepts),
        vectors: Stored::open(&folder, layout::VECTORS, manifest.dimensions)?,
        neighbours,
        rows,
        passages: Lexical::open(&folder.join(layout::PASSAGES))?,
        asked: Asked::open(&folder, &texts, manifest.dimensions)?,
        texts,
        passage_vectors: Vectors::open(&folder, layout::PASSAGE_VECTORS, manifest.dimensions)?,
        vocabulary,
        folder,
        manifest,
        tuning,
    })
}

fn json_lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading {}", path.display()))).collect()
}

#[async_trait]
impl Search for Index {
    async fn products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let (inner, query) = (self.inner.clone(), query.clone());
        // A few milliseconds of computing: not on the threads that serve connections.
        tokio::task::spawn_blocking(move || inner.find_products(&query)).await?
    }

    async fn familiar(&self, query: &ProductQuery) -> anyhow::Result<Familiar> {
        let (inner, query) = (self.inner.clone(), query.clone());
        tokio::task::spawn_blocking(move || inner.familiar(&query)).await?
    }

    async fn passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let (inner, query) = (self.inner.clone(), query.clone());
        tokio::task::spawn_blocking(move || inner.find_passages(&query)).await?
    }

    fn least_standing(&self, language: Language) -> Option<f32> {
        self.inner.asked.as_ref()?.least(language)
    }

    fn degraded(&self) -> Option<String> {
        self.inner.neighbours.trouble()
    }

    fn clause(&self, clause: &str, language: Language) -> Option<(String, Passage)> {
        let (document, section) = clause.split_once('#')?;
        let id = format!("{document}.{language}#{section}");
        self.inner.texts.iter().find(|entry| entry.id == id).map(|entry| (id, entry.passage.clone()))
    }

    fn generation(&self) -> GenerationInfo {
        let manifest = &self.inner.manifest;
        GenerationInfo {
            id: manifest.generation.clone(),
            products: manifest.products,
            passages: manifest.passages,
            built: manifest.built,
            embedder: manifest.embedder.clone(),
        }
    }
}
