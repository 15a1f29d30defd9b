//! Search: a generation on disk, its lexical and vector halves, and their fusion. Reads and writes `index/`.
//! The only module that names tantivy and simsimd. It finds ids; what they cost is the catalog's to say.

mod analysis;
pub mod batch;
mod builder;
mod concepts;
mod fusion;
mod lexical;
mod names;
mod slovak;
mod terms;
mod translit;
mod vectors;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::domain::Language;
use crate::domain::fact::Passage;
use crate::engine::{GenerationInfo, ModelId, PassageHit, PassageQuery, ProductHit, ProductQuery, Search, SearchMode};

pub use crate::generation::{Building, CATALOG, IndexError, MANIFEST, Manifest, SCHEMA, current};
pub use analysis::Analyzer;
pub use builder::{Builder, Built, Kinds, PassageEntry, Progress, Tools};
pub use lexical::Boosts;

use builder::layout;
use lexical::Lexical;
use names::{Coverage, NameEntry, Names};
use terms::{Terms, Vocabulary};
use vectors::Vectors;

/// More than any words are worth together.
const CODE: f32 = 100.0;
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
    let vocabulary = Vocabulary::default();
    Ok(Inner {
        products: Lexical::open(&folder.join(layout::PRODUCTS))?,
        names: Names::new(entries, &vocabulary.concepts),
        vectors: Vectors::open(&folder, layout::VECTORS, manifest.dimensions)?,
        rows,
        passages: Lexical::open(&folder.join(layout::PASSAGES))?,
        texts: json_lines(&folder.join(layout::TEXTS))?,
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

impl Inner {
    fn find_products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let tuning = &self.tuning;
        let depth = tuning.depth.max(query.limit);
        let terms = self.products.terms(&query.text, &self.vocabulary, &Language::ALL, &tuning.boosts);
        let lexical = match query.mode {
            SearchMode::Vector => Vec::new(),
            SearchMode::Lexical | SearchMode::Hybrid => self.products.search(&terms, &tuning.boosts, depth)?,
        };
        let asked = self.parts_asked(&terms);
        let vector = match (query.mode, &query.vector) {
            (SearchMode::Hybrid, Some(question)) if !lexical.is_empty() => {
                let first = self.by_product(self.vectors.roughly_nearest(question, self.deep(depth))?, depth);
                self.nearest_products(&self.echo(question, tuning.fuse(&lexical, &first), &asked)?, depth)?
            }
            (SearchMode::Vector | SearchMode::Hybrid, Some(question)) => self.nearest_products(question, depth)?,
            _ => Vec::new(),
        };
        let mut fused = tuning.fuse(&lexical, &vector);
        let tokens = self.names.query(&terms);
        let covered: Vec<Coverage> = fused.iter().map(|(row, _)| self.names.coverage(*row, &tokens)).collect();
        let codes = if query.mode == SearchMode::Vector {
            Vec::new()
        } else {
            self.names.codes_in(&query.text, &self.vocabulary.analyzer)
        };
        let mut order: Vec<(usize, f32)> = Vec::with_capacity(fused.len() + codes.len());
        for ((row, score), coverage) in fused.iter_mut().zip(&covered) {
            if query.mode != SearchMode::Vector {
                *score *= 1.0 + tuning.named * together(*coverage);
                if self.names.is_unasked_part(*row, &asked) {
                    *score *= tuning.part;
                }
            }
            order.push((*row, *score));
        }
        // A code that stands in the question is the surest sign of all.
        for (at, (row, _)) in codes.iter().enumerate() {
            let first = CODE - at as f32 * 0.01;
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

    fn parts_asked(&self, terms: &Terms) -> HashSet<usize> {
        let tokens = terms.words.iter().flat_map(|group| &group.tokens);
        tokens
            .flat_map(|(language, token, _)| self.vocabulary.concepts.parts(*language, std::iter::once(token)))
            .collect()
    }

    /// The question's vector moved towards the best rows of a first pass: words that both halves know lead to those
    /// that only vectors can find.
    fn echo(&self, question: &[f32], mut first: Vec<(usize, f32)>, asked: &HashSet<usize>) -> anyhow::Result<Vec<f32>> {
        for (row, score) in &mut first {
            if self.names.is_unasked_part(*row, asked) {
                *score *= self.tuning.part;
            }
        }
        fusion::sort(&mut first);
        first.truncate(self.tuning.echoes);
        let mut moved = question.to_vec();
        let share = self.tuning.echo / first.len().max(1) as f32;
        for (row, _) in first {
            let at = self.rows.partition_point(|product| (*product as usize) < row);
            for (sum, value) in moved.iter_mut().zip(self.vectors.row(at)?) {
                *sum += share * value;
            }
        }
        let length = moved.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        moved.iter_mut().for_each(|value| *value /= length);
        Ok(moved)
    }

    fn nearest_products(&self, vector: &[f32], limit: usize) -> anyhow::Result<Vec<(usize, f32)>> {
        Ok(self.by_product(self.vectors.nearest(vector, self.deep(limit))?, limit))
    }

    /// Rows to read for so many products: each has a vector per language.
    fn deep(&self, products: usize) -> usize {
        if self.names.is_empty() { products } else { products * self.vectors.count().div_ceil(self.names.len()) }
    }

    /// The best vector of each product counts.
    fn by_product(&self, rows: Vec<(usize, f32)>, limit: usize) -> Vec<(usize, f32)> {
        let mut seen = HashSet::new();
        let products = rows.into_iter().map(|(row, score)| (self.rows[row] as usize, score));
        products.filter(|(product, _)| seen.insert(*product)).take(limit).collect()
    }

    fn find_passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let tuning = &self.tuning;
        let wanted = |row: &usize| {
            let passage = &self.texts[*row].passage;
            passage.language == query.language && query.document.as_ref().is_none_or(|name| *name == passage.document)
        };
        let terms = self.passages.terms(&query.text, &self.vocabulary, &[query.language], &tuning.boosts);
        let mut lexical = self.passages.search(&terms, &tuning.boosts, self.texts.len())?;
        lexical.retain(|(row, _)| wanted(row));
        let mut vector = match &query.vector {
            Some(vector) => self.passage_vectors.nearest(vector, self.texts.len())?,
            None => Vec::new(),
        };
        vector.retain(|(row, _)| wanted(row));
        let fused = weighed((&lexical, tuning.rule_words), (&vector, 1.0));
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
