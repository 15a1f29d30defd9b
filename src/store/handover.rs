//! Cases that need a person, and what was written in them. Each step is one transaction on the version it was decided on.

use anyhow::Context;
use serde::Serialize;
use sqlx::Row;

use crate::domain::handover::{By, Case, CaseState, Event, Line};
use crate::domain::session::SessionId;

use super::database::{Found, Write};
use super::state::StateStore;

impl StateStore {
    /// The open case of a conversation.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn open_case(&self, session: SessionId) -> anyhow::Result<Option<Case>> {
        let row =
            sqlx::query("SELECT version, document FROM cases WHERE session = $1 AND state IN ('waiting', 'taken')")
                .bind(session.to_string())
                .fetch_optional(&self.pool)
                .await?;
        row.as_ref().map(case).transpose()
    }

    /// A case.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn case(&self, id: &str) -> anyhow::Result<Option<Case>> {
        let row = sqlx::query("SELECT version, document FROM cases WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(case).transpose()
    }

    /// The cases in a state, the most urgent first, then the longest waiting.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn cases(&self, state: CaseState, limit: u32) -> anyhow::Result<Vec<Case>> {
        let rows = sqlx::query(
            "SELECT version, document FROM cases WHERE state = $1 ORDER BY priority DESC, opened, id LIMIT $2",
        )
        .bind(state.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(case).collect()
    }

    /// Writes a case with its lines and event: all of it, or nothing when somebody was faster.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn write_case(&self, case: &Case, lines: &[Line], event: Option<&Event>) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        if !put_case(&mut transaction, case).await? {
            return Ok(false);
        }
        for line in lines {
            put_line(&mut transaction, case.session, line).await?;
        }
        if let Some(event) = event {
            put_event(&mut transaction, event).await?;
        }
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Keeps an event for the merchant's systems; one with the same id is kept once.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn tell(&self, event: &Event) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        put_event(&mut transaction, event).await?;
        self.commit(transaction).await?;
        Ok(())
    }

    /// The latest events for the merchant's systems, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn latest_events(&self, limit: u32) -> anyhow::Result<Vec<Event>> {
        let rows = sqlx::query("SELECT id, document FROM outbox ORDER BY at DESC, id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(Event { id: row.try_get("id")?, document: row.try_get("document")? })).collect()
    }

    /// What was written in a conversation while a person had it, after a line, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn lines(&self, session: SessionId, after: &str) -> anyhow::Result<Vec<Line>> {
        let rows = sqlx::query("SELECT id, by_whom, at, text FROM messages WHERE session = $1 AND id > $2 ORDER BY id")
            .bind(session.to_string())
            .bind(after)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(line).collect()
    }

    /// The records of a conversation's turns, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn turns_of(&self, session: SessionId) -> anyhow::Result<Vec<serde_json::Value>> {
        let rows = sqlx::query("SELECT record FROM turns WHERE session = $1 ORDER BY id")
            .bind(session.to_string())
            .fetch_all(&self.pool)
            .await?;
        let record = |row: &Found| -> anyhow::Result<serde_json::Value> {
            let record: String = row.try_get("record")?;
            serde_json::from_str(&record).context("a stored turn cannot be read")
        };
        rows.iter().map(record).collect()
    }
}

/// Adds a case or replaces the version it was read in; false when that version is gone, or another case is open.
pub(super) async fn put_case(transaction: &mut Write<'_>, case: &Case) -> anyhow::Result<bool> {
    let written = if case.version == 0 {
        sqlx::query(
            "INSERT INTO cases (id, session, state, priority, opened, version, document) VALUES ($1, $2, $3, $4, $5, 1, $6)
             ON CONFLICT DO NOTHING",
        )
        .bind(&case.id)
        .bind(case.session.to_string())
        .bind(case.state.as_str())
        .bind(case.priority.rank())
        .bind(case.opened.as_second())
        .bind(document(case)?)
        .execute(&mut **transaction)
        .await?
    } else {
        sqlx::query(
            "UPDATE cases SET state = $1, priority = $2, document = $3, version = version + 1
             WHERE id = $4 AND version = $5",
        )
        .bind(case.state.as_str())
        .bind(case.priority.rank())
        .bind(document(case)?)
        .bind(&case.id)
        .bind(case.version)
        .execute(&mut **transaction)
        .await?
    };
    Ok(written.rows_affected() == 1)
}

pub(super) async fn put_line(transaction: &mut Write<'_>, session: SessionId, line: &Line) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO messages (id, session, by_whom, at, text) VALUES ($1, $2, $3, $4, $5)")
        .bind(&line.id)
        .bind(session.to_string())
        .bind(line.by.as_str())
        .bind(line.at.to_string())
        // PostgreSQL keeps every character but this one.
        .bind(line.text.replace('\0', " "))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(super) async fn put_event(transaction: &mut Write<'_>, event: &Event) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO outbox (id, at, document) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING")
        .bind(&event.id)
        .bind(jiff::Timestamp::now().to_string())
        .bind(&event.document)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn document(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(value)?)
}

pub(super) fn case(row: &Found) -> anyhow::Result<Case> {
    let document: String = row.try_get("document")?;
    let case: Case = serde_json::from_str(&document).context("a stored case cannot be read")?;
    Ok(Case { version: row.try_get("version")?, ..case })
}

fn line(row: &Found) -> anyhow::Result<Line> {
    let (by, at): (String, String) = (row.try_get("by_whom")?, row.try_get("at")?);
    let by = By::named(&by).with_context(|| format!("a stored line was written by `{by}`"))?;
    Ok(Line { id: row.try_get("id")?, by, text: row.try_get("text")?, at: at.parse().context("a stored moment")? })
}
