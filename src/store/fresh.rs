//! Prices and stock told after the feed was written: kept beside the generations, so that they are quoted at once and
//! outlive the next one. Of two words about the same thing the newer counts. In: patches. Out: what became of each.

use std::collections::HashMap;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::domain::Sku;
use crate::domain::place::PlaceId;
use crate::domain::product::{Price, StockLine};

use super::catalog_writer::{PriceTerms, Word};
use super::database::Found;
use super::state::StateStore;

/// A clock may run ahead by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// New prices or stock of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Which variant.
    pub sku: Sku,
    /// All its prices from now on; an empty list: it has none. Left out: they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Vec<Price>>,
    /// Pieces by place; places that are not named stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<Pieces>,
    /// When this was true; left out: the batch's moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// Pieces in a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// An id of `data/rules/places.toml`; left out: no place in particular.
    #[serde(default = "anywhere")]
    pub place: PlaceId,
    /// How many.
    pub count: u32,
}

fn anywhere() -> PlaceId {
    PlaceId::from("")
}

/// Whose patches these are.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// The source's name, as the audit tells it.
    pub source: &'a str,
    /// When they were true, unless a patch says otherwise; and how long they may be told.
    pub word: Word,
    /// Now: nothing is true later.
    pub now: Timestamp,
}

/// What became of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patched {
    /// It counts from now on.
    Applied,
    /// Something newer was known: nothing was changed.
    Older,
    /// It cannot be used: field, reason, fix.
    Refused(&'static str, String, &'static str),
}

/// A patch whose amounts were read.
struct Checked {
    sku: String,
    prices: Option<Vec<PriceTerms>>,
    stock: Vec<Pieces>,
    as_of: Timestamp,
}

impl Patch {
    fn check(&self, batch: &Batch<'_>) -> Result<Checked, Patched> {
        let refused = |field, reason: String, fix| Err(Patched::Refused(field, reason, fix));
        if self.prices.is_none() && self.stock.is_empty() {
            return refused("prices", "neither prices nor stock".into(), "send `prices`, `stock` or both");
        }
        let mut prices: Vec<PriceTerms> = Vec::new();
        for price in self.prices.iter().flatten() {
            let terms = match PriceTerms::read(price) {
                Ok(terms) => terms,
                Err(error) => return refused("prices", error.to_string(), "write amounts as \"24.90\""),
            };
            let again = prices.iter().any(|other| other.now.currency == terms.now.currency);
            let above = terms.old.is_none_or(|old| old.minor > terms.now.minor);
            if terms.now.minor == 0 || again || !above {
                let reason = format!("{} is zero, the second in its currency, or not below the old price", terms.now);
                return refused("prices", reason, "send one price per currency, above zero and below `old`");
            }
            prices.push(terms);
        }
        let mut places: Vec<&PlaceId> = self.stock.iter().map(|pieces| &pieces.place).collect();
        places.sort();
        if places.windows(2).any(|pair| pair[0] == pair[1]) {
            return refused("stock", "a place stands twice".into(), "send one count per place");
        }
        if places.iter().any(|place| place.0.chars().any(char::is_control)) {
            let fix = "name places as data/rules/places.toml does";
            return refused("stock", "a place has control characters".into(), fix);
        }
        let as_of = self.as_of.unwrap_or(batch.word.as_of);
        if as_of > batch.now + SKEW {
            return refused("as_of", format!("{as_of} is in the future"), "set the clock of the sender");
        }
        let prices = self.prices.as_ref().map(|_| prices);
        Ok(Checked { sku: self.sku.0.clone(), prices, stock: self.stock.clone(), as_of: as_of.min(batch.now) })
    }
}

/// What is known freshly about some variants.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// Prices by SKU.
    pub prices: HashMap<String, (Word, Vec<PriceTerms>)>,
    /// Stock by SKU.
    pub stock: HashMap<String, Vec<(Word, StockLine)>>,
}

impl StateStore {
    /// Takes patches of SKUs that are in the catalog, all in one transaction; in the order given, what became of each.
    ///
    /// # Errors
    /// The database cannot be written: then none of them was taken.
    pub async fn patch(&self, patches: &[Patch], batch: &Batch<'_>) -> anyhow::Result<Vec<Patched>> {
        let mut transaction = self.write().await?;
        // Two batches that write the same variants in another order would wait for each other for ever.
        self.db.alone(&mut transaction, "patches").await?;
        let max_age = batch.word.max_age_s.and_then(|seconds| i64::try_from(seconds).ok());
        let mut outcomes = Vec::with_capacity(patches.len());
        for patch in patches {
            let checked = match patch.check(batch) {
                Ok(checked) => checked,
                Err(refused) => {
                    outcomes.push(refused);
                    continue;
                }
            };
            let mut written = 0;
            if let Some(prices) = &checked.prices {
                let done = sqlx::query(
                    "INSERT INTO fresh_prices (sku, as_of, source, max_age_s, document) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (sku) DO UPDATE SET as_of = excluded.as_of, source = excluded.source,
                     max_age_s = excluded.max_age_s, document = excluded.document
                     WHERE excluded.as_of >= fresh_prices.as_of",
                );
                let document = serde_json::to_string(prices)?;
                let done = done.bind(&checked.sku).bind(checked.as_of.as_microsecond()).bind(batch.source);
                written += done.bind(max_age).bind(document).execute(&mut *transaction).await?.rows_affected();
            }
            for pieces in &checked.stock {
                let done = sqlx::query(
                    "INSERT INTO fresh_stock (sku, place, as_of, source, max_age_s, count) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (sku, place) DO UPDATE SET as_of = excluded.as_of, source = excluded.source,
                     max_age_s = excluded.max_age_s, count = excluded.count
                     WHERE excluded.as_of >= fresh_stock.as_of",
                );
                let done = done.bind(&checked.sku).bind(&pieces.place.0).bind(checked.as_of.as_microsecond());
                let done = done.bind(batch.source).bind(max_age).bind(i64::from(pieces.count));
                written += done.execute(&mut *transaction).await?.rows_affected();
            }
            outcomes.push(if written > 0 { Patched::Applied } else { Patched::Older });
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// What is known freshly about variants.
    pub(super) async fn fresh(&self, skus: &[&str]) -> anyhow::Result<Fresh> {
        let asked = serde_json::to_string(skus)?;
        let mut fresh = Fresh::default();
        // One way to the database for both: each message with a product goes it.
        let rows = sqlx::query(self.db.says(
            "WITH asked AS (SELECT value AS sku FROM json_each($1)) SELECT p.sku AS sku, p.as_of AS as_of,
             p.max_age_s AS max_age_s, p.document AS told, CAST(0 AS BIGINT) AS count, CAST(1 AS BIGINT) AS prices
             FROM asked JOIN fresh_prices p ON p.sku = asked.sku UNION ALL SELECT s.sku, s.as_of, s.max_age_s, s.place,
             s.count, CAST(0 AS BIGINT) FROM asked JOIN fresh_stock s ON s.sku = asked.sku",
            "WITH asked AS (SELECT jsonb_array_elements_text(CAST($1 AS jsonb)) AS sku) SELECT p.sku AS sku, p.as_of AS as_of,
             p.max_age_s AS max_age_s, p.document AS told, CAST(0 AS BIGINT) AS count, CAST(1 AS BIGINT) AS prices
             FROM asked JOIN fresh_prices p ON p.sku = asked.sku UNION ALL SELECT s.sku, s.as_of, s.max_age_s, s.place,
             s.count, CAST(0 AS BIGINT) FROM asked JOIN fresh_stock s ON s.sku = asked.sku",
        ));
        for row in rows.bind(&asked).fetch_all(&self.pool).await? {
            let (sku, told, word): (String, String, Word) = (row.try_get("sku")?, row.try_get("told")?, word(&row)?);
            if row.try_get::<i64, _>("prices")? == 1 {
                let prices = serde_json::from_str(&told).context("a price told since the index is unreadable")?;
                fresh.prices.insert(sku, (word, prices));
                continue;
            }
            let count = u32::try_from(row.try_get::<i64, _>("count")?).context("a count told since is unreadable")?;
            let line = StockLine { sku: Sku(sku.clone()), place: PlaceId(told), count };
            fresh.stock.entry(sku).or_default().push((word, line));
        }
        Ok(fresh)
    }
}

fn word(row: &Found) -> anyhow::Result<Word> {
    let max_age: Option<i64> = row.try_get("max_age_s")?;
    let as_of = Timestamp::from_microsecond(row.try_get("as_of")?)?;
    Ok(Word { as_of, max_age_s: max_age.and_then(|seconds| u64::try_from(seconds).ok()) })
}
