//! The catalog store of one index generation, read at answer time under what was told since (`fresh`).
//! In: product ids and codes. Out: products, and offers whose price carries its age. It never converts a
//! currency and never hands out a price older than the configured age.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::domain::product::{Quote, StockLine, code_key};
use crate::domain::{Currency, Offer, Product, ProductId, Sku};
use crate::engine::{Catalog, PriceRange};

use super::catalog_writer::Word;
use super::goods::{self, Goods, PriceRow, Seen, Variant};
use super::state::StateStore;

/// Tells the time; tests pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How prices are read.
#[derive(Clone)]
pub struct CatalogSettings {
    /// With a live source: a price confirmed longer ago may not be told. `None` for file feeds.
    pub max_age: Option<SignedDuration>,
    /// The shop's time zone: a reduction ends with its last day there.
    pub time_zone: TimeZone,
    /// The clock.
    pub clock: Clock,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        CatalogSettings { max_age: None, time_zone: TimeZone::UTC, clock: Arc::new(Timestamp::now) }
    }
}

/// The products, prices and stock of one index generation.
#[derive(Clone)]
pub struct CatalogStore {
    pool: SqlitePool,
    settings: CatalogSettings,
    fresh: Option<StateStore>,
    seen: Arc<Seen>,
    kinds: Arc<tokio::sync::OnceCell<Vec<String>>>,
}

impl CatalogStore {
    /// Opens `catalog.db` of a generation and checks that it belongs to it.
    ///
    /// # Errors
    /// When the file is missing, is no catalog, or was written for another generation.
    pub async fn open(path: &Path, generation: &str, settings: CatalogSettings) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            // A generation never changes: what is told later stands in `fresh`.
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .with_context(|| format!("{} cannot be opened: run make index", path.display()))?;
        let written_for: String = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'generation'")
            .fetch_one(&pool)
            .await
            .with_context(|| format!("{} is not a catalog: run make index", path.display()))?;
        ensure!(
            written_for == generation,
            "{} was written for generation {written_for}, not for {generation}: run make index",
            path.display()
        );
        Ok(CatalogStore { pool, settings, fresh: None, seen: Arc::default(), kinds: Arc::default() })
    }

    /// With the prices and stock told since the feeds were written.
    pub fn under(mut self, fresh: StateStore) -> Self {
        self.fresh = Some(fresh);
        self
    }

    /// `count` products that have a price, the same ones for the same `seed`: for measuring.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn sample(&self, count: usize, seed: u64) -> anyhow::Result<Vec<Product>> {
        let rows =
            sqlx::query("SELECT DISTINCT v.product FROM variants v JOIN prices p ON p.sku = v.sku ORDER BY v.product");
        let rows = rows.fetch_all(&self.pool).await?;
        let mut ids = rows.iter().map(|row| row.try_get(0).map(ProductId)).collect::<Result<Vec<_>, _>>()?;
        ids.sort_by_cached_key(|id| {
            let mut hasher = DefaultHasher::new();
            (seed, id).hash(&mut hasher);
            hasher.finish()
        });
        ids.truncate(count);
        self.products(&ids).await
    }

    fn quote(&self, price: Option<&PriceRow>) -> Quote {
        let Some(PriceRow { terms, word }) = price else { return Quote::Missing };
        let now = (self.settings.clock)();
        if self.too_old(now, *word) {
            return Quote::Stale;
        }
        let today = now.to_zoned(self.settings.time_zone.clone()).date();
        let over = terms.until.is_some_and(|until| until < today) || terms.ends.is_some_and(|ends| ends <= now);
        let reduced = !over && terms.starts.is_none_or(|starts| starts <= now);
        match (reduced, terms.old) {
            (true, old) => Quote::Known { now: terms.now, old, until: terms.until },
            (false, Some(old)) => Quote::Known { now: old, old: None, until: None },
            // No reduction now, and nobody said what the price is without it.
            (false, None) => Quote::Missing,
        }
    }

    fn too_old(&self, now: Timestamp, word: Word) -> bool {
        let of_source = word.max_age_s.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
        of_source.or(self.settings.max_age).is_some_and(|max_age| now.duration_since(word.as_of) > max_age)
    }

    /// The goods of these products, those that are there, in this order: from memory, the others read at one moment.
    async fn goods(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Arc<Goods>>> {
        let mut found = self.seen.among(ids);
        let mut missing: Vec<ProductId> = ids.iter().filter(|id| !found.contains_key(*id)).cloned().collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            let read = goods::read(&self.pool, &missing).await?;
            self.seen.keep(&read);
            found.extend(read.into_iter().map(|goods| (goods.product.id.clone(), goods)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
    }

    fn offer(&self, (product, variant): (&ProductId, &Variant), currency: Currency, told: &Told) -> Offer {
        let price = choose(told.prices.get(&variant.sku).map_or(&[], Vec::as_slice), currency);
        let now = (self.settings.clock)();
        // An old count is no count.
        let lines = told.stock.get(&variant.sku).into_iter().flatten().filter(|(word, _)| !self.too_old(now, *word));
        let lines: Vec<&(Word, StockLine)> = lines.collect();
        let confirmed = lines.iter().map(|(word, _)| word.as_of).chain(price.map(|price| price.word.as_of)).min();
        Offer {
            product: product.clone(),
            size: variant.size.clone(),
            colour: variant.colour.clone(),
            price: self.quote(price),
            as_of: confirmed.unwrap_or(variant.as_of),
            stock: lines.into_iter().map(|(_, line)| line.clone()).collect(),
            sku: Sku(variant.sku.clone()),
        }
    }

    /// Puts what was told later in the place of what the generation holds.
    async fn freshen(&self, skus: &[&str], told: &mut Told) -> anyhow::Result<()> {
        let Some(fresh) = &self.fresh else { return Ok(()) };
        let fresh = fresh.fresh(skus).await?;
        for (sku, (word, prices)) in fresh.prices {
            let known = told.prices.get(&sku).into_iter().flatten().map(|row| row.word.as_of).max();
            if known.is_none_or(|known| word.as_of > known) {
                told.prices.insert(sku, prices.into_iter().map(|terms| PriceRow { terms, word }).collect());
            }
        }
        for (sku, lines) in fresh.stock {
            let known = told.stock.entry(sku).or_default();
            for (word, line) in lines {
                match known.iter_mut().find(|(_, other)| other.place == line.place) {
                    Some(other) if word.as_of > other.0.as_of => *other = (word, line),
                    Some(_) => {}
                    None => known.push((word, line)),
                }
            }
        }
        Ok(())
    }
}

/// Prices and stock by SKU.
#[derive(Default)]
struct Told {
    prices: HashMap<String, Vec<PriceRow>>,
    stock: HashMap<String, Vec<(Word, StockLine)>>,
}

/// The row in the asked currency, else the first the feed gave.
fn choose(prices: &[PriceRow], currency: Currency) -> Option<&PriceRow> {
    prices.iter().find(|price| price.terms.now.currency == currency).or_else(|| prices.first())
}

#[async_trait]
impl Catalog for CatalogStore {
    /// The variants' `prices` are empty here: a price comes out through `offers` alone, with its age.
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        Ok(self.goods(ids).await?.iter().map(|goods| goods.product.clone()).collect())
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        let goods = self.goods(ids).await?;
        let variants: Vec<&Variant> = goods.iter().flat_map(|goods| &goods.variants).collect();
        let mut told = Told::default();
        for variant in &variants {
            told.prices.insert(variant.sku.clone(), variant.prices.clone());
            told.stock.insert(variant.sku.clone(), variant.stock.clone());
        }
        let skus: Vec<&str> = variants.iter().map(|variant| variant.sku.as_str()).collect();
        self.freshen(&skus, &mut told).await?;
        let offers = goods.iter().flat_map(|goods| goods.variants.iter().map(move |variant| (goods, variant)));
        Ok(offers.map(|(goods, variant)| self.offer((&goods.product.id, variant), currency, &told)).collect())
    }

    async fn known(&self, skus: &[Sku]) -> anyhow::Result<Vec<bool>> {
        let asked = serde_json::to_string(skus)?;
        let rows = sqlx::query(
            "SELECT v.sku IS NOT NULL FROM json_each(?1) asked LEFT JOIN variants v ON v.sku = asked.value
             ORDER BY asked.key",
        );
        let rows = rows.bind(asked).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The greatest share off first.
    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>> {
        let rows = sqlx::query(
            "SELECT v.product FROM prices p JOIN variants v ON v.sku = p.sku
             WHERE p.currency = ?1 AND p.old_minor > p.minor
             GROUP BY v.product ORDER BY MIN(p.minor * 1000 / p.old_minor), v.product LIMIT ?2",
        );
        let rows = rows.bind(currency.to_string()).bind(i64::try_from(limit)?).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(ProductId(row.try_get("product")?))).collect()
    }

    /// What a later patch or a live source says of a price is not seen here: it is told by `offers`.
    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        let order = if range.dearest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT v.product FROM prices p JOIN variants v ON v.sku = p.sku WHERE p.currency = ?1 AND p.minor <= ?2
             GROUP BY v.product ORDER BY MIN(p.minor) {order}, v.product LIMIT ?3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(range.currency.to_string());
        let rows = rows.bind(range.most.unwrap_or(i64::MAX)).bind(i64::try_from(range.limit)?);
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(ProductId(row.try_get("product")?))).collect()
    }

    /// Counted once: a generation never changes.
    async fn kinds(&self, limit: usize) -> anyhow::Result<Vec<String>> {
        let counted = self.kinds.get_or_try_init(|| async {
            let rows = sqlx::query(
                "SELECT json_extract(document, '$.category') kind FROM products
                 WHERE kind <> '' GROUP BY kind ORDER BY COUNT(*) DESC, kind",
            );
            let rows = rows.fetch_all(&self.pool).await?;
            rows.iter().map(|row| Ok(row.try_get("kind")?)).collect::<anyhow::Result<Vec<String>>>()
        });
        Ok(counted.await?.iter().take(limit).cloned().collect())
    }

    /// Ids and SKUs come before further codes; a code that several products share names none of them.
    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        let key = code_key(code);
        if key.is_empty() {
            return Ok(None);
        }
        let rows = sqlx::query(
            "SELECT DISTINCT product, sku FROM codes
             WHERE code = ?1 AND weight = (SELECT MIN(weight) FROM codes WHERE code = ?1) LIMIT 50",
        );
        let rows = rows.bind(&key).fetch_all(&self.pool).await?;
        let mut found: Option<(ProductId, Option<Sku>)> = None;
        for row in &rows {
            let product = ProductId(row.try_get("product")?);
            let sku: Option<String> = row.try_get("sku")?;
            found = match found {
                None => Some((product, sku.map(Sku))),
                Some((first, _)) if first != product => return Ok(None),
                // The same product under two variants: the product is known, the variant is not.
                Some((first, _)) => Some((first, None)),
            };
        }
        Ok(found)
    }
}
