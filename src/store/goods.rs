//! What one generation's catalog says of products, read once and kept: a generation is sealed, so nothing of it is ever out of
//! date. In: ids. Out: products with their variants, prices and stock as the feeds told them. Bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::domain::place::PlaceId;
use crate::domain::product::StockLine;
use crate::domain::{Currency, Money, Product, ProductId, Sku};

use super::catalog_writer::{PriceTerms, Word};

/// Products kept in each half of the memory, some kilobytes each.
const HALF: usize = 2000;

/// A product and all its variants.
#[derive(Debug)]
pub(super) struct Goods {
    /// Without prices: those are told with their age.
    pub product: Product,
    /// In the feed's order.
    pub variants: Vec<Variant>,
}

/// A variant with what the feeds say of it.
#[derive(Debug)]
pub(super) struct Variant {
    pub sku: String,
    pub size: Option<String>,
    pub colour: Option<String>,
    pub as_of: Timestamp,
    pub prices: Vec<PriceRow>,
    pub stock: Vec<(Word, StockLine)>,
}

/// A price as it was told, and by whom.
#[derive(Clone, Debug)]
pub(super) struct PriceRow {
    pub terms: PriceTerms,
    pub word: Word,
}

/// The goods seen lately. Two halves: what is used moves to the young one, and a full young one becomes the old one.
#[derive(Default)]
pub(super) struct Seen(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<ProductId, Arc<Goods>>,
    old: HashMap<ProductId, Arc<Goods>>,
}

impl Seen {
    /// Those of these products that are in memory.
    pub fn among(&self, ids: &[ProductId]) -> HashMap<ProductId, Arc<Goods>> {
        let mut halves = self.halves();
        let find = |id: &ProductId| {
            let young = halves.young.get(id).cloned();
            young.or_else(|| halves.old.remove(id).inspect(|goods| halves.insert(goods)))
        };
        let found: Vec<Arc<Goods>> = ids.iter().filter_map(find).collect();
        found.into_iter().map(|goods| (goods.product.id.clone(), goods)).collect()
    }

    /// Remembers goods.
    pub fn keep(&self, read: &[Arc<Goods>]) {
        let mut halves = self.halves();
        read.iter().for_each(|goods| halves.insert(goods));
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        // Each change is one insert or one exchange: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn insert(&mut self, goods: &Arc<Goods>) {
        self.young.insert(goods.product.id.clone(), Arc::clone(goods));
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

/// Reads the goods of these products at one moment, those that are there.
///
/// # Errors
/// The file cannot be read or holds something else.
pub(super) async fn read(pool: &SqlitePool, ids: &[ProductId]) -> anyhow::Result<Vec<Arc<Goods>>> {
    let asked = as_list(ids);
    let mut snapshot = pool.begin().await?;
    let products = sqlx::query(
        "SELECT p.document FROM json_each(?1) asked JOIN products p ON p.id = asked.value ORDER BY asked.key",
    );
    let products = products.bind(&asked).fetch_all(&mut *snapshot).await?;
    let mut prices: HashMap<String, Vec<PriceRow>> = HashMap::new();
    let rows = sqlx::query(
        "SELECT p.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
         JOIN prices p ON p.sku = v.sku ORDER BY p.sku, p.position",
    );
    for row in rows.bind(&asked).fetch_all(&mut *snapshot).await? {
        prices.entry(row.try_get("sku")?).or_default().push(price_row(&row)?);
    }
    let mut stock: HashMap<String, Vec<(Word, StockLine)>> = HashMap::new();
    let rows = sqlx::query(
        "SELECT s.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
         JOIN stock s ON s.sku = v.sku ORDER BY s.sku, s.place",
    );
    for row in rows.bind(&asked).fetch_all(&mut *snapshot).await? {
        stock.entry(row.try_get("sku")?).or_default().push(stock_row(&row)?);
    }
    let mut variants: HashMap<String, Vec<Variant>> = HashMap::new();
    let rows = sqlx::query(
        "SELECT v.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
         ORDER BY asked.key, v.position",
    );
    for row in rows.bind(&asked).fetch_all(&mut *snapshot).await? {
        let sku: String = row.try_get("sku")?;
        let (prices, stock) = (prices.remove(&sku).unwrap_or_default(), stock.remove(&sku).unwrap_or_default());
        let (size, colour, as_of) = (row.try_get("size")?, row.try_get("colour")?, moment(&row, "as_of")?);
        let variant = Variant { sku, size, colour, as_of, prices, stock };
        variants.entry(row.try_get("product")?).or_default().push(variant);
    }
    snapshot.commit().await?;
    let goods = |row: &SqliteRow| {
        let product: Product =
            serde_json::from_str(row.try_get("document")?).context("catalog.db: a product is unreadable")?;
        let variants = variants.remove(product.id.as_str()).unwrap_or_default();
        Ok(Arc::new(Goods { product, variants }))
    };
    products.iter().map(goods).collect()
}

/// A column that generations of before do not have.
fn later<'r, T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(
    row: &'r SqliteRow,
    column: &str,
) -> Option<T> {
    row.try_get::<Option<T>, _>(column).ok().flatten()
}

fn later_moment(row: &SqliteRow, column: &str) -> anyhow::Result<Option<Timestamp>> {
    let text: Option<String> = later(row, column);
    text.map(|text| text.parse().with_context(|| format!("catalog.db: `{text}` in {column} is not a moment")))
        .transpose()
}

fn word(row: &SqliteRow) -> anyhow::Result<Word> {
    let max_age_s = later::<i64>(row, "max_age_s").and_then(|seconds| u64::try_from(seconds).ok());
    Ok(Word { as_of: moment(row, "as_of")?, max_age_s })
}

fn moment(row: &SqliteRow, column: &str) -> anyhow::Result<Timestamp> {
    let text: String = row.try_get(column)?;
    text.parse().with_context(|| format!("catalog.db: `{text}` in {column} is not a moment"))
}

fn price_row(row: &SqliteRow) -> anyhow::Result<PriceRow> {
    let until: Option<String> = row.try_get("until")?;
    let currency: Currency = row.try_get::<String, _>("currency")?.parse()?;
    let money = |minor| Money::new(minor, currency);
    let terms = PriceTerms {
        now: money(row.try_get("minor")?),
        old: row.try_get::<Option<i64>, _>("old_minor")?.map(money),
        until: until.map(|day| day.parse()).transpose().context("catalog.db: until is not a day")?,
        starts: later_moment(row, "starts")?,
        ends: later_moment(row, "ends")?,
    };
    Ok(PriceRow { terms, word: word(row)? })
}

fn stock_row(row: &SqliteRow) -> anyhow::Result<(Word, StockLine)> {
    let line = StockLine {
        sku: Sku(row.try_get("sku")?),
        place: PlaceId(row.try_get("place")?),
        count: row.try_get("count")?,
    };
    Ok((word(row)?, line))
}

fn as_list(ids: &[ProductId]) -> String {
    serde_json::to_string(ids).expect("invariant: a list of strings is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goods(id: &str) -> Arc<Goods> {
        let product = serde_json::json!({"id": id, "name": {}, "description": {}, "brand": "", "category": "",
            "variants": [], "attributes": {}});
        Arc::new(Goods { product: serde_json::from_value(product).unwrap(), variants: Vec::new() })
    }

    #[test]
    fn what_is_used_stays_and_the_memory_is_bounded() {
        let seen = Seen::default();
        seen.keep(&[goods("used")]);
        for n in 0..10 * HALF {
            seen.keep(&[goods(&format!("p{n}"))]);
            assert_eq!(seen.among(&["used".into()]).len(), 1);
        }
        let halves = seen.halves();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
        assert!(!halves.young.contains_key(&ProductId::from("p0")) && !halves.old.contains_key(&ProductId::from("p0")));
    }
}
