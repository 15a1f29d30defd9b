//! The seam behind which products and passages are found. It finds ids; what they cost is the catalog's to say.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::fact::Passage;
use crate::domain::{Language, ProductId, Sku};

use super::ModelId;

/// Finds products and passages.
#[async_trait]
pub trait Search: Send + Sync {
    /// Products for a query, best first.
    async fn products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>>;
    /// How well the shop's own words know what a query names.
    async fn familiar(&self, query: &ProductQuery) -> anyhow::Result<Familiar>;
    /// Policy passages for a query, best first.
    async fn passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>>;
    /// How little a rule may stand out for a question that it answers, where questions stand with the rules in this language; none where
    /// it is not known what is asked of them.
    fn least_standing(&self, _language: Language) -> Option<f32> {
        None
    }
    /// The generation that answers: its id and what it holds.
    fn generation(&self) -> GenerationInfo;
    /// What is wrong with the search while it goes on answering, less well.
    fn degraded(&self) -> Option<String> {
        None
    }
    /// The passage a rule cites, `returns#3`, in a language; its id and text.
    fn clause(&self, _clause: &str, _language: Language) -> Option<(String, Passage)> {
        None
    }
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// tantivy alone.
    Lexical,
    /// Vectors alone.
    Vector,
    /// Both, fused by reciprocal rank.
    Hybrid,
}

/// A search for products.
#[derive(Clone, Debug)]
pub struct ProductQuery {
    /// The words.
    pub text: String,
    /// Their embedding as a query; without it the search is lexical.
    pub vector: Option<Vec<f32>>,
    /// The language they are written in.
    pub language: Language,
    /// Lexical, vector or both.
    pub mode: SearchMode,
    /// What every product found must be to be had in.
    pub only: Only,
    /// At most so many.
    pub limit: usize,
}

/// What a product must be to be had in, as far as it tells of such a thing at all: a lamp without sizes is not ruled out by one.
/// Price and stock are no such conditions: an index does not know what they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// A colour's id, or the feed's own word.
    pub colour: Option<String>,
    /// A size, as [`crate::domain::product::size_key`] writes it.
    pub size: Option<String>,
}

impl Only {
    /// True when anything will do.
    pub fn is_empty(&self) -> bool {
        self.colour.is_none() && self.size.is_none()
    }
}

/// A product found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductHit {
    /// Which.
    pub id: ProductId,
    /// The variant, when its code stands in the query.
    pub sku: Option<Sku>,
    /// The fused score; comparable within one search only.
    pub score: f32,
    /// BM25, when the lexical side found it.
    pub lexical: Option<f32>,
    /// Cosine, when the vector side found it.
    pub vector: Option<f32>,
    /// Share of the words of its best-matching name that stand in the query, 0 to 1.
    pub name_in_query: f32,
    /// Share of the query's words that stand in its name, brand or codes, 0 to 1.
    pub query_in_name: f32,
}

/// How well the shop's own words know what a query names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Familiar {
    /// Words of the query that count.
    pub words: usize,
    /// Those of them that stand in a name, a kind, a brand or a code of the shop, as they are or as another word for it.
    pub known: usize,
    /// The last of the words is known: what a thing is, after how it is.
    pub last: bool,
    /// Further words that may be a misspelling of such a one, but are too short to say.
    pub guessed: usize,
    /// The cosine of the nearest product; none without vectors, and where all words are known.
    pub nearest: Option<f32>,
}

/// A search for policy passages.
#[derive(Clone, Debug)]
pub struct PassageQuery {
    /// The words.
    pub text: String,
    /// Their embedding as a query.
    pub vector: Option<Vec<f32>>,
    /// Only passages in this language.
    pub language: Language,
    /// Only this document, when the topic is known.
    pub document: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A passage found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassageHit {
    /// `returns.sk#2`.
    pub id: String,
    /// The passage.
    pub passage: Passage,
    /// The fused score; comparable within one search only.
    pub score: f32,
    /// Cosine, when the vector side found it.
    pub vector: Option<f32>,
    /// How far it stands out from the other passages and from all else that is asked, where questions stand with the rules; 0 where a
    /// question may as well be about something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<f32>,
}

/// What an index generation holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationInfo {
    /// Its id, the folder's name.
    pub id: String,
    /// Products in it.
    pub products: usize,
    /// Passages in it.
    pub passages: usize,
    /// When it was built.
    pub built: Timestamp,
    /// The embedder its vectors came from.
    pub embedder: ModelId,
}
