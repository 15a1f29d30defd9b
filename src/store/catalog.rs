//! The catalog store of one index generation, for reading at answer time and for live price and stock patches.
//! In: product ids and codes. Out: products, and offers whose price carries its age. It never converts a
//! currency and never hands out a price older than the configured age.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqliteConnection};

use crate::domain::place::PlaceId;
use crate::domain::product::{Price, Quote, StockLine, code_key};
use crate::domain::{Currency, Money, Offer, Product, ProductId, Sku};
use crate::engine::Catalog;

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
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
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
        Ok(CatalogStore { pool, settings })
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

    /// Replaces the prices of a variant, as confirmed at `as_of`; false when the SKU is unknown.
    ///
    /// # Errors
    /// When an amount cannot be read or the file cannot be written; the old prices then stand.
    pub async fn patch_prices(&self, sku: &Sku, prices: &[Price], as_of: Timestamp) -> anyhow::Result<bool> {
        let mut transaction = self.pool.begin().await?;
        if !touch(&mut transaction, sku, as_of).await? {
            return Ok(false);
        }
        sqlx::query("DELETE FROM prices WHERE sku = ?1").bind(sku.as_str()).execute(&mut *transaction).await?;
        for (position, price) in prices.iter().enumerate() {
            let now = Money::parse(&price.amount, price.currency)?;
            let old = price.old.as_deref().map(|old| Money::parse(old, price.currency)).transpose()?;
            sqlx::query(
                "INSERT INTO prices (sku, currency, position, minor, old_minor, until, as_of)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .bind(sku.as_str())
            .bind(price.currency.code())
            .bind(position as i64)
            .bind(now.minor)
            .bind(old.map(|old| old.minor))
            .bind(price.until.map(|until| until.to_string()))
            .bind(as_of.to_string())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Sets the stock of one variant in one place, as confirmed at `as_of`; false when the SKU is unknown.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn patch_stock(&self, line: &StockLine, as_of: Timestamp) -> anyhow::Result<bool> {
        let mut transaction = self.pool.begin().await?;
        if !touch(&mut transaction, &line.sku, as_of).await? {
            return Ok(false);
        }
        sqlx::query("INSERT OR REPLACE INTO stock (sku, place, count, as_of) VALUES (?1, ?2, ?3, ?4)")
            .bind(line.sku.as_str())
            .bind(&line.place.0)
            .bind(line.count)
            .bind(as_of.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Confirms every price and stock count as of `as_of`: a live source said that nothing changed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn confirm_all(&self, as_of: Timestamp) -> anyhow::Result<()> {
        let mut transaction = self.pool.begin().await?;
        for statement in
            ["UPDATE variants SET as_of = ?1", "UPDATE prices SET as_of = ?1", "UPDATE stock SET as_of = ?1"]
        {
            sqlx::query(statement).bind(as_of.to_string()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    fn quote(&self, price: Option<&PriceRow>) -> Quote {
        let Some(price) = price else { return Quote::Missing };
        let now = (self.settings.clock)();
        if self.settings.max_age.is_some_and(|max_age| now.duration_since(price.as_of) > max_age) {
            return Quote::Stale;
        }
        let money = |minor| Money::new(minor, price.currency);
        let today = now.to_zoned(self.settings.time_zone.clone()).date();
        match (price.until, price.old) {
            (Some(until), Some(old)) if until < today => Quote::Known { now: money(old), old: None, until: None },
            // The reduction is over and nobody said what the price was before it.
            (Some(until), None) if until < today => Quote::Missing,
            (until, old) => Quote::Known { now: money(price.minor), old: old.map(money), until },
        }
    }
}

async fn touch(connection: &mut SqliteConnection, sku: &Sku, as_of: Timestamp) -> anyhow::Result<bool> {
    let done = sqlx::query("UPDATE variants SET as_of = ?2 WHERE sku = ?1")
        .bind(sku.as_str())
        .bind(as_of.to_string())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

struct PriceRow {
    currency: Currency,
    minor: i64,
    old: Option<i64>,
    until: Option<Date>,
    as_of: Timestamp,
}

fn moment(row: &SqliteRow, column: &str) -> anyhow::Result<Timestamp> {
    let text: String = row.try_get(column)?;
    text.parse().with_context(|| format!("catalog.db: `{text}` in {column} is not a moment"))
}

fn price_row(row: &SqliteRow) -> anyhow::Result<PriceRow> {
    let until: Option<String> = row.try_get("until")?;
    Ok(PriceRow {
        currency: row.try_get::<String, _>("currency")?.parse()?,
        minor: row.try_get("minor")?,
        old: row.try_get("old_minor")?,
        until: until.map(|day| day.parse()).transpose().context("catalog.db: until is not a day")?,
        as_of: moment(row, "as_of")?,
    })
}

fn stock_row(row: &SqliteRow) -> anyhow::Result<(StockLine, Timestamp)> {
    let line = StockLine {
        sku: Sku(row.try_get("sku")?),
        place: PlaceId(row.try_get("place")?),
        count: row.try_get("count")?,
    };
    Ok((line, moment(row, "as_of")?))
}

fn as_list(ids: &[ProductId]) -> String {
    serde_json::to_string(ids).expect("invariant: a list of strings is always JSON")
}

/// The row in the asked currency, else the first the feed gave.
fn choose(prices: &[PriceRow], currency: Currency) -> Option<&PriceRow> {
    prices.iter().find(|price| price.currency == currency).or_else(|| prices.first())
}

#[async_trait]
impl Catalog for CatalogStore {
    /// The variants' `prices` are empty here: a price comes out through `offers` alone, with its age.
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        let rows = sqlx::query(
            "SELECT p.document FROM json_each(?1) asked JOIN products p ON p.id = asked.value ORDER BY asked.key",
        )
        .bind(as_list(ids))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                serde_json::from_str(&row.try_get::<String, _>(0)?).context("catalog.db: a product is unreadable")
            })
            .collect()
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        let asked = as_list(ids);
        // One transaction: price and stock of the same moment.
        let mut snapshot = self.pool.begin().await?;
        let variants = sqlx::query(
            "SELECT v.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
             ORDER BY asked.key, v.position",
        );
        let variants = variants.bind(&asked).fetch_all(&mut *snapshot).await?;
        let prices = sqlx::query(
            "SELECT p.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
             JOIN prices p ON p.sku = v.sku ORDER BY p.sku, p.position",
        );
        let mut price_of: HashMap<String, Vec<PriceRow>> = HashMap::new();
        for row in prices.bind(&asked).fetch_all(&mut *snapshot).await? {
            price_of.entry(row.try_get("sku")?).or_default().push(price_row(&row)?);
        }
        let stock = sqlx::query(
            "SELECT s.* FROM json_each(?1) asked JOIN variants v ON v.product = asked.value
             JOIN stock s ON s.sku = v.sku ORDER BY s.sku, s.place",
        );
        let mut stock_of: HashMap<String, Vec<(StockLine, Timestamp)>> = HashMap::new();
        for row in stock.bind(&asked).fetch_all(&mut *snapshot).await? {
            stock_of.entry(row.try_get("sku")?).or_default().push(stock_row(&row)?);
        }
        snapshot.commit().await?;
        variants
            .iter()
            .map(|row| {
                let sku: String = row.try_get("sku")?;
                let price = choose(price_of.get(&sku).map_or(&[], Vec::as_slice), currency);
                let lines = stock_of.get(&sku).cloned().unwrap_or_default();
                let confirmed = lines.iter().map(|(_, at)| *at).chain(price.map(|price| price.as_of)).min();
                Ok(Offer {
                    product: ProductId(row.try_get("product")?),
                    size: row.try_get("size")?,
                    colour: row.try_get("colour")?,
                    price: self.quote(price),
                    as_of: confirmed.map_or_else(|| moment(row, "as_of"), Ok)?,
                    stock: lines.into_iter().map(|(line, _)| line).collect(),
                    sku: Sku(sku),
                })
            })
            .collect()
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
