//! What is bought together and what most, as it was counted last, and the orders it is counted from. It counts nothing itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row;

use crate::domain::ProductId;
use crate::domain::order::Order;
use crate::domain::together::{Companion, Counted, Popular};

use super::database::{Found, Write};
use super::desk::document;
use super::state::StateStore;

/// A customer and a number: where a page of orders ends.
pub type Mark = (String, String);

impl StateStore {
    /// A page of the orders after a mark, those of a customer one after another, and the mark of its last; none after the last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn baskets_after(
        &self,
        (customer, number): &Mark,
        limit: i64,
    ) -> anyhow::Result<(Vec<Order>, Option<Mark>)> {
        let rows = sqlx::query(
            "SELECT customer, number, document FROM orders WHERE customer > $1 OR (customer = $1 AND number > $2)
             ORDER BY customer, number LIMIT $3",
        )
        .bind(customer)
        .bind(number)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mark = |row: &Found| -> anyhow::Result<Mark> { Ok((row.try_get("customer")?, row.try_get("number")?)) };
        let last = rows.last().map(mark).transpose()?;
        Ok((rows.iter().map(document).collect::<anyhow::Result<_>>()?, last))
    }

    /// When it was counted last; none before the first time and since orders were read in.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn companions_counted(&self) -> anyhow::Result<Option<Timestamp>> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at FROM together_counted WHERE id = 1").fetch_optional(&self.pool).await?;
        at.filter(|at| *at > 0).map(Timestamp::from_second).transpose().map_err(Into::into)
    }

    /// What was counted last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn counted(&self) -> anyhow::Result<Counted> {
        Ok(Counted { companions: self.companions().await?, popular: self.popular().await? })
    }

    async fn popular(&self) -> anyhow::Result<Vec<Popular>> {
        let rows = sqlx::query("SELECT product, orders FROM popular ORDER BY place").fetch_all(&self.pool).await?;
        let popular = |row: &Found| -> anyhow::Result<Popular> {
            let orders = u32::try_from(row.try_get::<i64, _>("orders")?)?;
            Ok(Popular { product: ProductId(row.try_get("product")?), orders })
        };
        rows.iter().map(popular).collect()
    }

    async fn companions(&self) -> anyhow::Result<BTreeMap<ProductId, Vec<Companion>>> {
        let rows = sqlx::query("SELECT product, companion, orders, lift FROM together ORDER BY product, place")
            .fetch_all(&self.pool)
            .await?;
        let mut found: BTreeMap<ProductId, Vec<Companion>> = BTreeMap::new();
        for row in &rows {
            let count = |column: &str| -> anyhow::Result<u32> { Ok(u32::try_from(row.try_get::<i64, _>(column)?)?) };
            let companion = Companion {
                product: ProductId(row.try_get("companion")?),
                orders: count("orders")?,
                lift: count("lift")?,
            };
            found.entry(ProductId(row.try_get("product")?)).or_default().push(companion);
        }
        Ok(found)
    }

    /// Puts a count in the place of the one before: whoever reads sees one or the other.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn keep_counted(&self, counted: &Counted, now: Timestamp) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        // Two servers whose hour has come write the same rows: one after another.
        self.db.alone(&mut transaction, "together").await?;
        sqlx::query("DELETE FROM together").execute(&mut *transaction).await?;
        for (product, companions) in &counted.companions {
            for (place, companion) in (0_i64..).zip(companions) {
                sqlx::query(
                    "INSERT INTO together (product, companion, place, orders, lift) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(product.as_str())
                .bind(companion.product.as_str())
                .bind(place)
                .bind(i64::from(companion.orders))
                .bind(i64::from(companion.lift))
                .execute(&mut *transaction)
                .await?;
            }
        }
        sqlx::query("DELETE FROM popular").execute(&mut *transaction).await?;
        for (place, popular) in (0_i64..).zip(&counted.popular) {
            sqlx::query("INSERT INTO popular (product, place, orders) VALUES ($1, $2, $3)")
                .bind(popular.product.as_str())
                .bind(place)
                .bind(i64::from(popular.orders))
                .execute(&mut *transaction)
                .await?;
        }
        stamp(&mut transaction, now.as_second()).await?;
        self.commit(transaction).await
    }
}

/// Notes when it was counted; 0 when it must be again.
pub(super) async fn stamp(transaction: &mut Write<'_>, at: i64) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO together_counted (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at")
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
