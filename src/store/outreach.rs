//! Messages the shop starts, and how far each event of the outbox got. A message is decided once for its cause, together with its
//! event; what became of it is written together with what became of the event.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::domain::handover::Event;
use crate::domain::outreach::{Cap, Kind, Outgoing, Stage, Subject, Withdrawn};

use super::handover::put_event;
use super::state::StateStore;

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It will go.
    Now,
    /// It was decided before.
    Before,
    /// The person got enough: perhaps later.
    Held,
}

/// The most one person gets.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Of all kinds together; none when that does not hold this kind back.
    pub all: Option<Cap>,
    /// Of this kind.
    pub kind: Cap,
}

/// An event that waits to be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The event.
    pub event: Event,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
}

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Of this person only.
    pub person: Option<String>,
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// At most so many.
    pub limit: i64,
}

impl StateStore {
    /// True when a message with this cause was decided before.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn decided(&self, cause: &str) -> anyhow::Result<bool> {
        let known = sqlx::query("SELECT 1 FROM outreach WHERE cause = $1").bind(cause).fetch_optional(&self.pool);
        Ok(known.await?.is_some())
    }

    /// Decides a message and keeps its event: both, once for its cause, and within the caps; or neither.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn decide(&self, message: &Outgoing, caps: Caps) -> anyhow::Result<Decided> {
        let address = message.contact.key().context("a message goes somewhere")?;
        let mut transaction = self.write().await?;
        // Two servers that decide about one person wait for each other here; always in the same order.
        for person in message.keys() {
            sqlx::query(
                "INSERT INTO outreach_turns (person, decided) VALUES ($1, 1)
                 ON CONFLICT (person) DO UPDATE SET decided = outreach_turns.decided + 1",
            )
            .bind(person)
            .execute(&mut *transaction)
            .await?;
        }
        let known = sqlx::query("SELECT 1 FROM outreach WHERE cause = $1")
            .bind(&message.cause)
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some() {
            return Ok(Decided::Before);
        }
        let caps = [(caps.all, ""), (Some(caps.kind), message.kind.as_str())];
        for (cap, kind) in caps.into_iter().filter_map(|(cap, kind)| Some((cap?, kind))) {
            let since = message.decided.as_second() - cap.days * 86_400;
            let got: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM outreach WHERE (person = $1 OR address = $2) AND at > $3
                 AND state <> 'withdrawn' AND ($4 = '' OR kind = $4)",
            )
            .bind(&message.person)
            .bind(&address)
            .bind(since)
            .bind(kind)
            .fetch_one(&mut *transaction)
            .await?;
            if got >= cap.messages {
                return Ok(Decided::Held);
            }
        }
        let written = sqlx::query(
            "INSERT INTO outreach (id, cause, kind, person, address, state, at, document)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (cause) DO NOTHING",
        )
        .bind(&message.id)
        .bind(&message.cause)
        .bind(message.kind.as_str())
        .bind(&message.person)
        .bind(&address)
        .bind(message.stage.as_str())
        .bind(message.decided.as_second())
        .bind(serde_json::to_string(message)?)
        .execute(&mut *transaction)
        .await?;
        if written.rows_affected() != 1 {
            return Ok(Decided::Before);
        }
        let document = serde_json::json!({"event": "message", "id": message.id, "kind": message.kind});
        let event = Event { id: message.event_id(), document: document.to_string() };
        put_event(&mut transaction, &event).await?;
        self.commit(transaction).await?;
        Ok(Decided::Now)
    }

    /// A message.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn outgoing(&self, id: &str) -> anyhow::Result<Option<Outgoing>> {
        let row =
            sqlx::query("SELECT document FROM outreach WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.map(|row| message(row.try_get("document")?)).transpose()
    }

    /// Messages, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn outgoing_listed(&self, wanted: &Listed) -> anyhow::Result<Vec<Outgoing>> {
        let rows = sqlx::query(
            "SELECT document FROM outreach WHERE ($1 = '' OR person = $1 OR address = $1) AND ($2 = '' OR kind = $2)
             ORDER BY id DESC LIMIT $3",
        )
        .bind(wanted.person.clone().unwrap_or_default())
        .bind(wanted.kind.map_or("", Kind::as_str))
        .bind(wanted.limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| message(row.try_get("document")?)).collect()
    }

    /// Writes what became of a message together with its event's end; false when it had ended before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn end_outgoing(&self, message: &Outgoing) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        let ended = sqlx::query("UPDATE outreach SET state = $1, document = $2 WHERE id = $3 AND state = 'decided'")
            .bind(message.stage.as_str())
            .bind(serde_json::to_string(message)?)
            .bind(&message.id)
            .execute(&mut *transaction)
            .await?;
        if ended.rows_affected() != 1 {
            return Ok(false);
        }
        let delivery = if message.stage == Stage::Sent { "done" } else { "dropped" };
        sqlx::query("UPDATE outbox SET delivery = $1 WHERE id = $2")
            .bind(delivery)
            .bind(message.event_id())
            .execute(&mut *transaction)
            .await?;
        if let Subject::Wanted { id } = &message.subject {
            let entry = match (message.stage, message.why) {
                (Stage::Sent, _) => Some("UPDATE waiting SET state = 'told' WHERE id = $1 AND state = 'open'"),
                // It may come back once more.
                (_, Some(Withdrawn::SoldOut)) => {
                    Some("UPDATE waiting SET round = round + 1 WHERE id = $1 AND state = 'open'")
                }
                _ => None,
            };
            if let Some(entry) = entry {
                sqlx::query(entry).bind(id).execute(&mut *transaction).await?;
            }
        }
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Events that wait to be carried, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events_due(&self, now: Timestamp, limit: i64) -> anyhow::Result<Vec<Due>> {
        let rows = sqlx::query(
            "SELECT id, at, document, attempts FROM outbox WHERE delivery = 'waiting' AND next_at <= $1
             ORDER BY next_at, at, id LIMIT $2",
        )
        .bind(now.as_second())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            let at: String = row.try_get("at")?;
            let event = Event { id: row.try_get("id")?, document: row.try_get("document")? };
            due.push(Due { event, at: at.parse().context("a stored moment")?, attempts: row.try_get("attempts")? });
        }
        Ok(due)
    }

    /// Takes an event for one try: until then nobody else takes it. False when somebody else was faster.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn take_event(&self, due: &Due, now: Timestamp, patience: SignedDuration) -> anyhow::Result<bool> {
        let taken = self
            .put(
                sqlx::query(
                    "UPDATE outbox SET next_at = $1, attempts = attempts + 1
             WHERE id = $2 AND delivery = 'waiting' AND next_at <= $3 AND attempts = $4",
                )
                .bind(now.as_second() + patience.as_secs())
                .bind(&due.event.id)
                .bind(now.as_second())
                .bind(due.attempts),
            )
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Puts an event off that was not tried in earnest.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn put_off_event(&self, id: &str, until: Timestamp) -> anyhow::Result<()> {
        self.put(
            sqlx::query(
                "UPDATE outbox SET next_at = $1, attempts = attempts - 1 WHERE id = $2 AND delivery = 'waiting'",
            )
            .bind(until.as_second())
            .bind(id),
        )
        .await?;
        Ok(())
    }

    /// Ends an event: `done`, or `given_up`.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn end_event(&self, id: &str, delivery: &'static str) -> anyhow::Result<()> {
        self.put(
            sqlx::query("UPDATE outbox SET delivery = $1 WHERE id = $2 AND delivery = 'waiting'")
                .bind(delivery)
                .bind(id),
        )
        .await?;
        Ok(())
    }

    /// How many events wait, and how many were given up.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events_left(&self) -> anyhow::Result<(i64, i64)> {
        let count = async |delivery: &str| -> anyhow::Result<i64> {
            let count =
                sqlx::query_scalar("SELECT COUNT(*) FROM outbox WHERE delivery = $1").bind(delivery.to_string());
            Ok(count.fetch_one(&self.pool).await?)
        };
        Ok((count("waiting").await?, count("given_up").await?))
    }
}

fn message(document: String) -> anyhow::Result<Outgoing> {
    serde_json::from_str(&document).context("a stored message cannot be read")
}
