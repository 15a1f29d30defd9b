//! What is counted: turns page by page, scores, cases. It counts nothing itself.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::Row;

use crate::domain::handover::Case;
use crate::domain::outreach::{Kind, Outgoing};
use crate::domain::session::SessionId;
use crate::engine::Carts;

use super::database::Found;
use super::desk::document;
use super::handover::case;
use super::state::StateStore;

impl StateStore {
    /// A page of a period's turns after an id: id, conversation, record.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn turns_between(
        &self,
        (from, to): (Timestamp, Timestamp),
        after: &str,
        limit: u32,
    ) -> anyhow::Result<Vec<(String, String, serde_json::Value)>> {
        let rows = sqlx::query(
            "SELECT id, session, record FROM turns WHERE id > $1 AND at >= $2 AND at < $3 ORDER BY id LIMIT $4",
        )
        .bind(after)
        // With a fraction: a stored moment with one sorts before the same moment without.
        .bind(format!("{from:.9}"))
        .bind(format!("{to:.9}"))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let row = |row: &Found| -> anyhow::Result<(String, String, serde_json::Value)> {
            let record: String = row.try_get("record")?;
            let record = serde_json::from_str(&record).context("a stored turn cannot be read")?;
            Ok((row.try_get("id")?, row.try_get("session")?, record))
        };
        rows.iter().map(row).collect()
    }

    /// The events kept in a period with their moments, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events_between(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<(Timestamp, String)>> {
        let rows = sqlx::query("SELECT at, document FROM outbox WHERE at >= $1 AND at < $2 ORDER BY at, id")
            .bind(format!("{from:.9}"))
            .bind(format!("{to:.9}"))
            .fetch_all(&self.pool)
            .await?;
        let event = |row: &Found| -> anyhow::Result<(Timestamp, String)> {
            let at: String = row.try_get("at")?;
            Ok((at.parse().context("a stored moment")?, row.try_get("document")?))
        };
        rows.iter().map(event).collect()
    }

    /// Messages of a kind that were sent, decided in a period.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn sent_between(&self, kind: Kind, (from, to): (Timestamp, Timestamp)) -> anyhow::Result<Vec<Outgoing>> {
        let rows = sqlx::query(
            "SELECT document FROM outreach WHERE kind = $1 AND state = 'sent' AND at >= $2 AND at < $3 ORDER BY id",
        )
        .bind(kind.as_str())
        .bind(from.as_second())
        .bind(to.as_second())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(document).collect()
    }

    /// True for an order that was placed in a conversation or over the cart's API.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn placed_here(&self, number: &str) -> anyhow::Result<bool> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let Ok(count) = digits.parse::<i64>() else { return Ok(false) };
        let found = sqlx::query("SELECT checkout FROM order_numbers WHERE number = $1");
        let Some(row) = found.bind(count).fetch_optional(&self.pool).await? else { return Ok(false) };
        // Another system's order may bear the same digits.
        let checkout: Option<crate::domain::cart::Checkout> =
            Carts::checkout(self, &row.try_get::<String, _>("checkout")?).await?;
        Ok(checkout.and_then(|checkout| checkout.order).as_deref() == Some(number))
    }

    /// Every case.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn all_cases(&self) -> anyhow::Result<Vec<Case>> {
        let rows = sqlx::query("SELECT version, document FROM cases ORDER BY id").fetch_all(&self.pool).await?;
        rows.iter().map(case).collect()
    }

    /// Keeps a shopper's score of a conversation; a second one replaces the first. False when there is no such conversation.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn score(&self, session: SessionId, score: i64, now: Timestamp) -> anyhow::Result<bool> {
        let written = self
            .put(
                sqlx::query(
                    "INSERT INTO scores (session, score, at) SELECT id, $2, $3 FROM sessions WHERE id = $1
             ON CONFLICT (session) DO UPDATE SET score = excluded.score, at = excluded.at",
                )
                .bind(session.to_string())
                .bind(score)
                .bind(now.as_second()),
            )
            .await?;
        Ok(written.rows_affected() == 1)
    }

    /// Scores given in a period: conversation and score.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn scores_between(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<(String, i64)>> {
        let rows = sqlx::query("SELECT session, score FROM scores WHERE at >= $1 AND at < $2 ORDER BY session")
            .bind(from.as_second())
            .bind(to.as_second())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("session")?, row.try_get("score")?))).collect()
    }
}
