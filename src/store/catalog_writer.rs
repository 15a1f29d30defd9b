//! Writes the catalog of a new index generation, in batches inside one transaction.
//! In: products whose rows were checked by `ingest`. Out: `catalog.db`, closed and whole. It is never used on a live file.

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::domain::money::MoneyError;
use crate::domain::product::{Price, StockLine, code_key};
use crate::domain::{Money, Product, Sku};

const SCHEMA: &str = include_str!("catalog.sql");
const BATCH: usize = 500;

/// A variant's prices as checked at the door.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantRow {
    /// Which variant.
    pub sku: Sku,
    /// One per currency.
    pub prices: Vec<PriceTerms>,
}

/// A price with the terms under which it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceTerms {
    /// What it costs.
    pub now: Money,
    /// What it cost before the reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Money>,
    /// The last day of the reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The moment the reduction begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// The moment it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

impl PriceTerms {
    /// Reads a price as the merchant wrote it.
    ///
    /// # Errors
    /// When an amount is none.
    pub fn read(price: &Price) -> Result<Self, MoneyError> {
        let old = price.old.as_deref().map(|old| Money::parse(old, price.currency)).transpose()?;
        let now = Money::parse(&price.amount, price.currency)?;
        Ok(PriceTerms { now, old, until: price.until, starts: price.starts, ends: price.ends })
    }
}

/// Whose word a row is: when it was given, and how long it may be told.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// When the source confirmed it.
    pub as_of: Timestamp,
    /// Seconds after which a price of it is no longer told; none: the settings decide.
    pub max_age_s: Option<u64>,
}

#[derive(Serialize)]
struct ProductRow {
    id: String,
    document: String,
}

#[derive(Serialize)]
struct VariantLine {
    sku: String,
    product: String,
    position: usize,
    size: Option<String>,
    colour: Option<String>,
}

#[derive(Serialize)]
struct PriceLine {
    sku: String,
    currency: &'static str,
    position: usize,
    minor: i64,
    old_minor: Option<i64>,
    until: Option<Date>,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
}

#[derive(Serialize)]
struct CodeLine {
    code: String,
    weight: u8,
    product: String,
    sku: Option<String>,
}

/// Fills a new `catalog.db`.
pub struct CatalogWriter {
    connection: SqliteConnection,
    word: Word,
    products: Vec<ProductRow>,
    variants: Vec<VariantLine>,
    prices: Vec<PriceLine>,
    codes: Vec<CodeLine>,
    stock: Vec<StockLine>,
}

impl CatalogWriter {
    /// Creates the file for a generation; what it says is confirmed as of `as_of`, until another source speaks.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub async fn create(path: &Path, generation: &str, as_of: Timestamp) -> anyhow::Result<Self> {
        anyhow::ensure!(!path.exists(), "{} exists already", path.display());
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            // Nobody reads the file before it is finished and synced: a crash leaves it in a folder nobody opens.
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(true)
            .connect()
            .await
            .with_context(|| format!("creating {}", path.display()))?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
        sqlx::query("INSERT INTO meta (key, value) VALUES ('generation', ?1), ('schema', '2')")
            .bind(generation)
            .execute(&mut connection)
            .await?;
        let word = Word { as_of, max_age_s: None };
        let (products, variants, prices, codes, stock) = (vec![], vec![], vec![], vec![], vec![]);
        Ok(CatalogWriter { connection, word, products, variants, prices, codes, stock })
    }

    /// What is added from now on is another source's word.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn speak(&mut self, word: Word) -> anyhow::Result<()> {
        self.flush().await?;
        self.word = word;
        Ok(())
    }

    /// Adds a product whose id and SKUs are new, with the prices of its variants.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn add(&mut self, product: &Product, prices: &[VariantRow]) -> anyhow::Result<()> {
        let id = product.id.0.clone();
        let mut bare = product.clone();
        bare.variants.iter_mut().for_each(|variant| variant.prices.clear());
        self.products.push(ProductRow { id: id.clone(), document: serde_json::to_string(&bare)? });
        for (position, variant) in bare.variants.into_iter().enumerate() {
            let (sku, product) = (variant.sku.0, id.clone());
            self.code(&sku, 0, &id, Some(&sku));
            self.variants.push(VariantLine { sku, product, position, size: variant.size, colour: variant.colour });
        }
        if product.variants.iter().all(|variant| code_key(variant.sku.as_str()) != code_key(&id)) {
            self.code(&id, 0, &id, None);
        }
        for code in &product.codes {
            self.code(code, 1, &id, None);
        }
        for row in prices {
            for (position, terms) in row.prices.iter().enumerate() {
                self.prices.push(PriceLine {
                    sku: row.sku.0.clone(),
                    currency: terms.now.currency.code(),
                    position,
                    minor: terms.now.minor,
                    old_minor: terms.old.map(|old| old.minor),
                    until: terms.until,
                    starts: terms.starts,
                    ends: terms.ends,
                });
            }
        }
        if self.products.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Adds a stock line of a SKU that was added before; one line per SKU and place.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn add_stock(&mut self, line: &StockLine) -> anyhow::Result<()> {
        self.stock.push(line.clone());
        if self.stock.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// When the file cannot be written or a row points nowhere.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        self.flush().await?;
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        sqlx::raw_sql("PRAGMA optimize").execute(&mut self.connection).await?;
        self.connection.close().await.context("closing catalog.db")
    }

    fn code(&mut self, code: &str, weight: u8, product: &str, sku: Option<&str>) {
        let code = code_key(code);
        if !code.is_empty() {
            let sku = sku.map(str::to_string);
            self.codes.push(CodeLine { code, weight, product: product.to_string(), sku });
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        let products = rows(&mut self.products)?;
        self.insert(
            "INSERT INTO products (id, document)
             SELECT value ->> 'id', value ->> 'document' FROM json_each(?1) WHERE ?2 IS NOT NULL AND (?3 IS NULL OR ?3 >= 0)",
            products,
        )
        .await?;
        let variants = rows(&mut self.variants)?;
        self.insert(
            "INSERT INTO variants (sku, product, position, size, colour, as_of)
             SELECT value ->> 'sku', value ->> 'product', value ->> 'position', value ->> 'size', value ->> 'colour', ?2
             FROM json_each(?1) WHERE ?3 IS NULL OR ?3 >= 0",
            variants,
        )
        .await?;
        let prices = rows(&mut self.prices)?;
        self.insert(
            "INSERT INTO prices (sku, currency, position, minor, old_minor, until, starts, ends, as_of, max_age_s)
             SELECT value ->> 'sku', value ->> 'currency', value ->> 'position', value ->> 'minor',
                    value ->> 'old_minor', value ->> 'until', value ->> 'starts', value ->> 'ends', ?2, ?3
             FROM json_each(?1)",
            prices,
        )
        .await?;
        let codes = rows(&mut self.codes)?;
        self.insert(
            "INSERT INTO codes (code, weight, product, sku)
             SELECT value ->> 'code', value ->> 'weight', value ->> 'product', value ->> 'sku'
             FROM json_each(?1) WHERE ?2 IS NOT NULL AND (?3 IS NULL OR ?3 >= 0)",
            codes,
        )
        .await?;
        let stock = rows(&mut self.stock)?;
        self.insert(
            "INSERT INTO stock (sku, place, count, as_of, max_age_s)
             SELECT value ->> 'sku', value ->> 'place', value ->> 'count', ?2, ?3 FROM json_each(?1)",
            stock,
        )
        .await
    }

    /// One statement per table and batch: JSON in, rows out, no round trip per row.
    async fn insert(&mut self, statement: &'static str, rows: String) -> anyhow::Result<()> {
        let (as_of, max_age) = (self.word.as_of.to_string(), self.word.max_age_s.map(|seconds| seconds as i64));
        sqlx::query(statement).bind(rows).bind(as_of).bind(max_age).execute(&mut self.connection).await?;
        Ok(())
    }
}

fn rows<T: Serialize>(pending: &mut Vec<T>) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&std::mem::take(pending))?)
}
