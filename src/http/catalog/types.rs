//! What the catalog's routes read and answer.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::product::Quote;
use crate::domain::{Currency, Language, Offer};
use crate::engine::{Only, ProductHit, ProductQuery, SearchMode};
use crate::http::error::{Code, Problem};
use crate::store::{Patch, Word};

/// The most hits of one search.
const MOST_HITS: usize = 100;

/// Who says so, and when it was true.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchWord {
    source: Option<String>,
    as_of: Option<String>,
    max_age_s: Option<u64>,
}

/// A word that was checked.
pub struct Known {
    /// The source's name.
    pub source: String,
    /// When it was true, and how long it may be told.
    pub word: Word,
}

impl PatchWord {
    /// Reads the moment; without one it is now.
    ///
    /// # Errors
    /// A moment that is none.
    pub fn checked(self, now: Timestamp) -> Result<Known, Problem> {
        let wrong = |text: &str| {
            let detail = format!("`{text}` is not a moment such as 2026-12-31T18:00:00+01:00.");
            Problem::of_field(Code::InvalidField, "as_of", detail)
        };
        let as_of = self.as_of.map_or(Ok(now), |text| text.parse().map_err(|_| wrong(&text)))?;
        let source = self.source.unwrap_or_else(|| "api".to_string());
        if source.is_empty() || source.chars().count() > 100 || source.chars().any(char::is_control) {
            return Err(Problem::of_field(Code::InvalidField, "source", "Name it in 1 to 100 letters."));
        }
        Ok(Known { source, word: Word { as_of, max_age_s: self.max_age_s } })
    }
}

/// Patches with the word of their source.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchRequest {
    /// Who says so; default: `api`.
    source: Option<String>,
    /// When it was true, RFC 3339; default: now. A patch may have its own.
    as_of: Option<String>,
    /// How long it may be told, in seconds; default: `shop.max_price_age_s` of a live source.
    max_age_s: Option<u64>,
    /// Each `{sku, prices?: [{currency, amount, old?, until?, starts?, ends?}], stock?: [{place?, count}], as_of?}`.
    /// `prices` are all prices of the variant from now on; `stock` changes the places it names.
    #[schema(value_type = Vec<Object>)]
    pub patches: Vec<Patch>,
}

impl PatchRequest {
    /// Who says so.
    pub fn word(&self) -> PatchWord {
        PatchWord { source: self.source.clone(), as_of: self.as_of.clone(), max_age_s: self.max_age_s }
    }
}

/// What became of the patches.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PatchReply {
    /// Patches that count from now on.
    pub applied: u64,
    /// Patches that say less than what was known already.
    pub older: u64,
    /// Patches that cannot be used, each with its line.
    pub refused: Vec<Refused>,
}

impl PatchReply {
    /// All, some or none of it could be used.
    pub fn status(&self) -> StatusCode {
        match (self.refused.is_empty(), self.applied + self.older) {
            (true, _) => StatusCode::OK,
            (false, 0) => StatusCode::UNPROCESSABLE_ENTITY,
            (false, _) => StatusCode::MULTI_STATUS,
        }
    }
}

/// A patch that cannot be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refused {
    /// Which, from 1.
    pub line: usize,
    /// Its SKU.
    pub sku: String,
    /// The field at fault.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// How to mend it.
    pub fix: &'static str,
}

impl Refused {
    /// A patch with its fault.
    pub fn new(line: usize, sku: &str, (field, reason, fix): (&str, String, &'static str)) -> Self {
        Refused { line, sku: sku.to_string(), field: field.to_string(), reason, fix }
    }
}

/// A search for products.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// The words.
    query: String,
    /// `en`, `ru`, `sk` or `zh`; default: `en`.
    language: Option<String>,
    /// At most so many products, 1 to 100; default: 10.
    limit: Option<usize>,
    /// `lexical`, `vector` or `hybrid`; default: `hybrid`.
    #[schema(value_type = Option<String>)]
    mode: Option<SearchMode>,
    /// The currency of the prices; default: that of the language's market.
    currency: Option<String>,
}

impl SearchRequest {
    /// Reads the request.
    ///
    /// # Errors
    /// An empty or over-long query, an unknown language or currency, a limit out of bounds.
    pub fn checked(self, app: &App) -> Result<(ProductQuery, Currency), Problem> {
        let wrong = |field: &str, detail: String| Problem::of_field(Code::InvalidField, field, detail);
        let most = app.config.server.message_chars;
        if self.query.trim().is_empty() || self.query.chars().count() > most {
            return Err(wrong("query", format!("Send 1 to {most} letters.")));
        }
        let language: Language = match &self.language {
            Some(code) => code.parse().map_err(|error| wrong("language", format!("{error}.")))?,
            None => Language::En,
        };
        let limit = self.limit.unwrap_or(10);
        if !(1..=MOST_HITS).contains(&limit) {
            return Err(wrong("limit", format!("Send 1 to {MOST_HITS}.")));
        }
        let currency = match &self.currency {
            Some(code) => code.parse().map_err(|error| wrong("currency", format!("{error}.")))?,
            None => app.config.shop.currency_of(language),
        };
        let mode = self.mode.unwrap_or(SearchMode::Hybrid);
        Ok((ProductQuery { text: self.query, vector: None, language, mode, only: Only::default(), limit }, currency))
    }
}

/// Products found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SearchReply {
    /// The index generation that answered.
    pub generation: String,
    /// Best first.
    pub hits: Vec<SearchHit>,
}

/// A product found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SearchHit {
    /// Its id.
    id: String,
    /// The variant, when its code stands in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    /// Its name in the language of the search.
    name: String,
    /// Comparable within one search only.
    score: f32,
    /// Its variants.
    offers: Vec<SearchOffer>,
}

/// A variant with its price now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SearchOffer {
    /// Its SKU.
    sku: String,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    /// Its colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
    /// `state` is `known` (with `now`, `old`, `until`; amounts in minor units), `stale` or `missing`.
    #[schema(value_type = Object)]
    price: Quote,
    /// Pieces in all places; left out where the merchant tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_stock: Option<u32>,
    /// When price and stock were last confirmed.
    as_of: String,
}

impl SearchHit {
    /// A hit with its offers.
    pub fn new<'a>(hit: &ProductHit, name: &str, offers: impl Iterator<Item = &'a Offer>) -> Self {
        let offer = |offer: &Offer| SearchOffer {
            sku: offer.sku.0.clone(),
            size: offer.size.clone(),
            colour: offer.colour.clone(),
            price: offer.price.clone(),
            in_stock: offer.in_stock(),
            as_of: offer.as_of.to_string(),
        };
        SearchHit {
            id: hit.id.0.clone(),
            sku: hit.sku.as_ref().map(|sku| sku.0.clone()),
            name: name.to_string(),
            score: hit.score,
            offers: offers.map(offer).collect(),
        }
    }
}
