//! Search: a generation on disk, its lexical and vector halves, and their fusion. Reads and writes `index/`.
//! The only module that names tantivy and simsimd. It finds ids; what they cost is the catalog's to say.

mod analysis;
pub mod batch;
mod builder;
mod fusion;
mod generation;
mod lexical;
mod manifest;
mod names;
mod slovak;
mod vectors;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::domain::Language;
use crate::engine::{GenerationInfo, ModelId, PassageHit, PassageQuery, ProductHit, ProductQuery, Search, SearchMode};

pub use analysis::Analyzer;
pub use builder::{Builder, Built, Kinds, PassageEntry, Progress, Tools};
pub use generation::{Building, current};
pub use lexical::Boosts;
pub use manifest::{CATALOG, IndexError, MANIFEST, Manifest, SCHEMA};

use builder::layout;
use lexical::Lexical;
use names::{Coverage, NameEntry, Names};
use vectors::Vectors;

/// The power that leaves little of a name covered in part.
const NEARLY_ALL: i32 = 8;

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
    /// Rows taken from each half.
    pub depth: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        // Chosen on the `odd` half of the rated queries (scripts/ndcg.py); the `even` half was never looked at for it.
        let boosts = Boosts { name: 3.0, kind: 4.0, text: 2.0, label: 1.0, tie: 0.0, typo: 0.5 };
        Tuning { boosts, lexical: 1.0, vector: 0.7, named: 2.0, depth: 200 }
    }
}

/// The index of one generation, open for search.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    manifest: Manifest,
    analyzer: Analyzer,
    products: Lexical,
    names: Names,
    vectors: Vectors,
    /// The product of each vector row.
    rows: Vec<u32>,
    passages: Lexical,
    texts: Vec<PassageEntry>,
    passage_vectors: Vectors,
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
        let folder = current(index)?;
        let manifest = Manifest::read(&folder)?;
        if manifest.embedder != *embedder {
            let told = |model: &ModelId| format!("{}@{}", model.name, model.sha256.get(..8).unwrap_or(&model.sha256));
            let (built, configured) = (told(&manifest.embedder), told(embedder));
            return Err(IndexError::Embedder { folder, built, configured });
        }
        manifest.check(&folder)?;
        let inner = load(folder.clone(), manifest, tuning);
        let inner = inner.map_err(|error| IndexError::failed(format!("opening {}", folder.display()), error))?;
        Ok(Index { inner: Arc::new(inner) })
    }

    /// The generation's folder, in which its `catalog.db` lies.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }
}

fn load(folder: PathBuf, manifest: Manifest, tuning: Tuning) -> anyhow::Result<Inner> {
    let entries: Vec<NameEntry> = json_lines(&folder.join(layout::NAMES))?;
    let counts = entries.iter().enumerate();
    let rows = counts.flat_map(|(row, entry)| std::iter::repeat_n(row as u32, entry.vectors)).collect();
    Ok(Inner {
        analyzer: Analyzer::new(),
        products: Lexical::open(&folder.join(layout::PRODUCTS))?,
        names: Names::new(entries),
        vectors: Vectors::open(&folder, layout::VECTORS, manifest.dimensions)?,
        rows,
        passages: Lexical::open(&folder.join(layout::PASSAGES))?,
        texts: json_lines(&folder.join(layout::TEXTS))?,
        passage_vectors: Vectors::open(&folder, layout::PASSAGE_VECTORS, manifest.dimensions)?,
        folder,
        manifest,
        tuning,
    })
}

fn json_lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading {}", path.display()))).collect()
}

impl Inner {
    fn find_products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let tuning = &self.tuning;
        let depth = tuning.depth.max(query.limit);
        let terms = self.products.terms(&query.text, &self.analyzer, &Language::ALL, &tuning.boosts);
        let lexical = match query.mode {
            SearchMode::Vector => Vec::new(),
            SearchMode::Lexical | SearchMode::Hybrid => self.products.search(&terms, &tuning.boosts, depth)?,
        };
        let vector = match (query.mode, &query.vector) {
            (SearchMode::Vector | SearchMode::Hybrid, Some(vector)) => self.nearest_products(vector, depth)?,
            _ => Vec::new(),
        };
        let mut fused = fusion::fuse(&[(&lexical, tuning.lexical), (&vector, tuning.vector)]);
        let tokens = self.names.query(&terms);
        let covered: Vec<Coverage> = fused.iter().map(|(row, _)| self.names.coverage(*row, &tokens)).collect();
        let codes = if query.mode == SearchMode::Vector {
            Vec::new()
        } else {
            self.names.codes_in(&query.text, &self.analyzer)
        };
        let mut order: Vec<(usize, f32)> = Vec::with_capacity(fused.len() + codes.len());
        for ((row, score), coverage) in fused.iter_mut().zip(&covered) {
            if query.mode != SearchMode::Vector {
                *score *= 1.0 + tuning.named * together(*coverage);
            }
            order.push((*row, *score));
        }
        // A code that stands in the question is the surest sign of all.
        for (at, (row, _)) in codes.iter().enumerate() {
            let first = 1.0 - at as f32 * 0.01;
            match order.iter_mut().find(|(other, _)| other == row) {
                Some((_, score)) => *score += first,
                None => order.push((*row, first)),
            }
        }
        fusion::sort(&mut order);
        order.truncate(query.limit);
        let score_in = |list: &[(usize, f32)], row: usize| list.iter().find(|hit| hit.0 == row).map(|hit| hit.1);
        let hit = |(row, score): (usize, f32)| {
            let coverage = self.names.coverage(row, &tokens);
            ProductHit {
                id: self.names.id(row).clone(),
                sku: codes.iter().find(|code| code.0 == row).and_then(|code| code.1.clone()),
                score,
                lexical: score_in(&lexical, row),
                vector: score_in(&vector, row),
                name_in_query: coverage.name_in_query,
                query_in_name: coverage.query_in_name,
            }
        };
        Ok(order.into_iter().map(hit).collect())
    }

    /// The best vector of each product counts.
    fn nearest_products(&self, vector: &[f32], limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        let most = if self.names.is_empty() { 1 } else { self.vectors.count().div_ceil(self.names.len()) };
        let mut seen = std::collections::HashSet::new();
        let rows = self.vectors.nearest(vector, limit * most)?;
        let products = rows.into_iter().map(|(row, score)| (self.rows[row] as usize, score));
        Ok(products.filter(|(product, _)| seen.insert(*product)).take(limit).collect())
    }

    fn find_passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let tuning = &self.tuning;
        let wanted = |row: &usize| {
            let passage = &self.texts[*row].passage;
            passage.language == query.language && query.document.as_ref().is_none_or(|name| *name == passage.document)
        };
        let terms = self.passages.terms(&query.text, &self.analyzer, &[query.language], &tuning.boosts);
        let mut lexical = self.passages.search(&terms, &tuning.boosts, self.texts.len())?;
        lexical.retain(|(row, _)| wanted(row));
        let mut vector = match &query.vector {
            Some(vector) => self.passage_vectors.nearest(vector, self.texts.len())?,
            None => Vec::new(),
        };
        vector.retain(|(row, _)| wanted(row));
        let fused = fusion::fuse(&[(&lexical, tuning.lexical), (&vector, tuning.vector)]);
        let hit = |(row, score): (usize, f32)| PassageHit {
            id: self.texts[row].id.clone(),
            passage: self.texts[row].passage.clone(),
            score,
            vector: vector.iter().find(|hit| hit.0 == row).map(|hit| hit.1),
        };
        Ok(fused.into_iter().take(query.limit).map(hit).collect())
    }
}

/// 1 when the question says the name and nothing else, near 0 when it says a part of a long name.
fn together(coverage: Coverage) -> f32 {
    let (name, query) = (coverage.name_in_query, coverage.query_in_name);
    let sum = name + query;
    if sum == 0.0 { 0.0 } else { (2.0 * name * query / sum * (0.9 + 0.1 * coverage.in_order)).powi(NEARLY_ALL) }
}

#[async_trait]
impl Search for Index {
    async fn products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let (inner, query) = (self.inner.clone(), query.clone());
        // A few milliseconds of computing: not on the threads that serve connections.
        tokio::task::spawn_blocking(move || inner.find_products(&query)).await?
    }

    async fn passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let (inner, query) = (self.inner.clone(), query.clone());
        tokio::task::spawn_blocking(move || inner.find_passages(&query)).await?
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
