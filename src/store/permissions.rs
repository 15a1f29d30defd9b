//! Who agreed to what, and who waits for what. The last word counts; every word of it stays in the log.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use crate::domain::handover::Event;
use crate::domain::outreach::{Permission, Wanted};

use super::database::Found;
use super::handover::put_event;
use super::parcels::order;
use super::state::StateStore;

impl StateStore {
    /// Keeps what somebody said, as the last word and in the log; what says the same as before is not written again. True when
    /// something is different now.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn permit(&self, said: &[Permission]) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        let mut different = false;
        for one in said {
            let document = serde_json::to_string(one)?;
            let written = sqlx::query(
                "INSERT INTO permissions (person, topic, granted, at, document) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (person, topic) DO UPDATE SET granted = excluded.granted, at = excluded.at,
                 document = excluded.document
                 WHERE permissions.granted <> excluded.granted OR permissions.granted = 1",
            )
            .bind(&one.person)
            .bind(one.topic.as_str())
            .bind(i64::from(one.granted))
            .bind(one.at.as_second())
            .bind(&document)
            .execute(&mut *transaction)
            .await?;
            if written.rows_affected() != 1 {
                continue;
            }
            different = true;
            sqlx::query("INSERT INTO permission_log (id, person, document) VALUES ($1, $2, $3)")
                .bind(Uuid::now_v7().to_string())
                .bind(&one.person)
                .bind(&document)
                .execute(&mut *transaction)
                .await?;
        }
        self.commit(transaction).await?;
        Ok(different)
    }

    /// The last word of a person on every topic.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn permissions(&self, person: &str) -> anyhow::Result<Vec<Permission>> {
        let rows = sqlx::query("SELECT document FROM permissions WHERE person = $1 ORDER BY topic")
            .bind(person)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| read(row.try_get("document")?)).collect()
    }

    /// Every word of a person, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn permission_log(&self, person: &str) -> anyhow::Result<Vec<Permission>> {
        let rows = sqlx::query("SELECT document FROM permission_log WHERE person = $1 ORDER BY id")
            .bind(person)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| read(row.try_get("document")?)).collect()
    }

    /// Keeps somebody's wish to be told, with the event about it; false when the same wish waits already.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn want(&self, wanted: &Wanted, event: &Event) -> anyhow::Result<bool> {
        let address = wanted.contact.key().context("nobody can be told without a phone number or an e-mail")?;
        let mut transaction = self.write().await?;
        let written = sqlx::query(
            "INSERT INTO waiting (id, person, address, product, variant, state, round, at, document)
             VALUES ($1, $2, $3, $4, $5, 'open', 0, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&wanted.id)
        .bind(&wanted.person)
        .bind(address)
        .bind(wanted.product.as_str())
        .bind(variant(wanted))
        .bind(wanted.at.as_second())
        .bind(serde_json::to_string(wanted)?)
        .execute(&mut *transaction)
        .await?;
        if written.rows_affected() != 1 {
            return Ok(false);
        }
        put_event(&mut transaction, event).await?;
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Who waits, the longest waiting first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn wanted(&self, limit: i64) -> anyhow::Result<Vec<Wanted>> {
        let rows = sqlx::query("SELECT round, document FROM waiting WHERE state = 'open' ORDER BY at, id LIMIT $1")
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(entry).collect()
    }

    /// An entry of the waiting list that is still open.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn wish(&self, id: &str) -> anyhow::Result<Option<Wanted>> {
        let row = sqlx::query("SELECT round, document FROM waiting WHERE id = $1 AND state = 'open'")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(entry).transpose()
    }

    /// What a person waits for.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn wishes_of(&self, person: &str) -> anyhow::Result<Vec<Wanted>> {
        let rows = sqlx::query(
            "SELECT round, document FROM waiting WHERE (person = $1 OR address = $1) AND state = 'open' ORDER BY at, id",
        )
        .bind(person)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// Takes a person off the waiting list; how many wishes that were.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn unwant(&self, person: &str) -> anyhow::Result<u64> {
        let left = self
            .put(
                sqlx::query("UPDATE waiting SET state = 'left' WHERE (person = $1 OR address = $1) AND state = 'open'")
                    .bind(person),
            )
            .await?;
        Ok(left.rows_affected())
    }

    /// Carts that were changed last in a period: owner, version, when, and the cart.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn carts_between(
        &self,
        (from, to): (Timestamp, Timestamp),
        limit: i64,
    ) -> anyhow::Result<Vec<(String, i64, Timestamp, crate::domain::cart::Cart)>> {
        let rows = sqlx::query(
            "SELECT owner, version, at, document FROM carts WHERE at >= $1 AND at <= $2 ORDER BY at, owner LIMIT $3",
        )
        .bind(from.as_second())
        .bind(to.as_second())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut carts = Vec::with_capacity(rows.len());
        for row in &rows {
            let at = Timestamp::from_second(row.try_get("at")?).context("a stored moment")?;
            carts.push((row.try_get("owner")?, row.try_get("version")?, at, read(row.try_get("document")?)?));
        }
        Ok(carts)
    }

    /// A page of all orders after a number as it is kept, with the number to go on from.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn orders_after(
        &self,
        number: &str,
        limit: i64,
    ) -> anyhow::Result<Vec<(String, crate::domain::order::Order)>> {
        let rows = sqlx::query(
            "SELECT orders.number AS number, orders.document AS document, shipments.document AS parcel
             FROM orders LEFT JOIN shipments ON shipments.number = orders.number
             WHERE orders.number > $1 ORDER BY orders.number LIMIT $2",
        )
        .bind(number)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            orders.push((row.try_get("number")?, order(row)?));
        }
        Ok(orders)
    }
}

fn variant(wanted: &Wanted) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default().to_lowercase();
    format!("{}/{}", part(&wanted.size), part(&wanted.colour))
}

fn entry(row: &Found) -> anyhow::Result<Wanted> {
    let wanted: Wanted = read(row.try_get("document")?)?;
    Ok(Wanted { round: row.try_get("round")?, ..wanted })
}

fn read<T: serde::de::DeserializeOwned>(document: String) -> anyhow::Result<T> {
    serde_json::from_str(&document).context("a stored document cannot be read")
}
