//! A question becomes facts: candidates from the index, price and stock re-read from the catalog by id.
//! In: words, slots, the conversation's focus. Out: facts and a typed outcome; "nothing found", "filtered out",
//! "sold out" and "source down" are different answers. It never decides what to say.

mod facts;
mod policy;
mod select;

use jiff::Timestamp;

use crate::domain::plan::Absence;
use crate::domain::{Currency, Fact, FactId, Language, Product, ProductId, Slots};
use crate::engine::{Catalog, ProductHit, ProductQuery, Search, SearchMode};
use crate::shop::Shop;

pub use policy::{Passages, passages};

/// What retrieval reads from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The index.
    pub search: &'a dyn Search,
    /// Prices and stock.
    pub catalog: &'a dyn Catalog,
    /// Names of colours and towns, delivery terms.
    pub shop: &'a Shop,
}

/// A question about products.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The message, masked.
    pub text: &'a str,
    /// Its embedding as a query.
    pub vector: Option<&'a [f32]>,
    /// What understanding found in it.
    pub slots: &'a Slots,
    /// Products the conversation is about.
    pub focus: &'a [ProductId],
    /// The language of the message.
    pub language: Language,
    /// The currency of the shopper's market.
    pub currency: Currency,
    /// Now: facts carry it.
    pub now: Timestamp,
}

/// How to choose among candidates.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Candidates fetched.
    pub candidates: usize,
    /// Share of a name that must stand in the message.
    pub sure_name: f32,
}

/// A product with its facts.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The product.
    pub product: Product,
    /// Facts of the variants that meet the conditions, cheapest first.
    pub matching: Vec<FactId>,
    /// Facts of all its variants.
    pub all: Vec<FactId>,
    /// Pieces of the matching variants; none when the merchant gives no stock.
    pub in_stock: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Candidates that meet the conditions, best first.
    pub candidates: Vec<Candidate>,
    /// How many of the first candidates are named by the message beyond doubt; 0 when none is.
    pub sure: usize,
    /// Why there is nothing, when there is nothing.
    pub absence: Option<Absence>,
    /// Near misses: what meets the words but not the conditions.
    pub near: Vec<Candidate>,
    /// All facts of candidates and near misses.
    pub facts: Vec<Fact>,
    /// The hits, for `--explain`.
    pub hits: Vec<ProductHit>,
}

/// Finds products for a question.
pub async fn products(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> Found {
    match search(sources, question, limits).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "products could not be read");
            Found { absence: Some(Absence::SourceDown), ..Found::default() }
        }
    }
}

async fn search(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<Found> {
    let named = select::by_code(sources.catalog, question.slots).await?;
    let (ids, sure, hits) = match named {
        Some(id) => (vec![id], 1, Vec::new()),
        None if question.slots.product.is_none() && !question.focus.is_empty() => {
            (question.focus.to_vec(), question.focus.len(), Vec::new())
        }
        None => {
            let hits = sources.search.products(&query(question, limits)).await?;
            let chosen = select::sure(&hits, limits.sure_name);
            (chosen.order, chosen.sure, hits)
        }
    };
    let mut found = facts::gather(sources, question, &ids).await?;
    found.sure = sure.min(found.candidates.len());
    found.hits = hits;
    if found.candidates.is_empty() {
        let filtered = !found.near.is_empty();
        found.absence = Some(if filtered { Absence::FilteredOut } else { Absence::NothingFound });
    }
    Ok(found)
}

fn query(question: &Question<'_>, limits: Limits) -> ProductQuery {
    let words = question.slots.product.as_deref().unwrap_or(question.text);
    ProductQuery {
        text: words.to_string(),
        vector: question.vector.map(<[f32]>::to_vec),
        language: question.language,
        mode: SearchMode::Hybrid,
        limit: limits.candidates,
    }
}
