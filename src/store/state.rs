//! Conversations and the audit. Audit rows are only ever added.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use metrics::histogram;
use serde::Serialize;
use sqlx::any::{Any, AnyArguments, AnyQueryResult, AnyRow};
use sqlx::query::Query;
use sqlx::{AnyPool, Row};

use crate::domain::desk::Versioned;
use crate::domain::handover::Aside;
use crate::domain::session::{Session, SessionId, TurnId};

use super::database::{Database, Found, Write};
use super::handover::{put_case, put_event, put_line};
use super::sessions::put_session;

/// The state of the running shop assistant.
#[derive(Clone)]
pub struct StateStore {
    /// For reading.
    pub(super) pool: AnyPool,
    /// For writing.
    pub(super) writer: AnyPool,
    pub(super) db: Database,
    watch: Option<Watch>,
    /// Looking for keys that are over.
    pub(super) chore: Arc<Chore>,
}

/// Something that is done now and then, by whoever comes by.
#[derive(Debug, Default)]
pub(super) struct Chore(AtomicI64);

impl Chore {
    const EVERY_S: i64 = 60;

    /// True for one caller a minute.
    pub fn is_due(&self, now: i64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        // A clock that was set back does not put it off.
        let due = !(last..last.saturating_add(Self::EVERY_S)).contains(&now);
        due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Told before and after every commit.
pub type Watch = Arc<dyn Fn() + Send + Sync>;

/// A row of the list of turns.
#[derive(Clone, Debug, Serialize)]
pub struct TurnSummary {
    /// The turn.
    pub id: String,
    /// Its conversation.
    pub session: String,
    /// When.
    pub at: String,
}

impl StateStore {
    /// Opens `folder/truetill.db`, creating it and applying migrations as needed.
    ///
    /// # Errors
    /// The folder cannot be made, the file is not a database, a migration fails.
    pub async fn open(folder: &Path) -> anyhow::Result<StateStore> {
        let db = Database::file(folder).await;
        db.map(StateStore::over).with_context(|| format!("opening {}", folder.join("truetill.db").display()))
    }

    /// A store that forgets everything when it is dropped.
    ///
    /// # Errors
    /// SQLite cannot start.
    pub async fn in_memory() -> anyhow::Result<StateStore> {
        Database::memory().await.map(StateStore::over)
    }

    /// Opens a database of a PostgreSQL server, which several programs may share, applying migrations as needed.
    ///
    /// # Errors
    /// The server cannot be reached or refuses, a newer program has been there, a migration fails.
    pub async fn connect(url: &str, connections: u32) -> anyhow::Result<StateStore> {
        Database::server(url, connections).await.map(StateStore::over)
    }

    fn over(db: Database) -> StateStore {
        StateStore { pool: db.pool.clone(), writer: db.writer.clone(), db, watch: None, chore: Arc::default() }
    }

    /// Where it keeps things, for people.
    pub fn location(&self) -> &str {
        &self.db.place
    }

    /// The same store, telling of each commit before and after it: where a process may die and nothing may be half done.
    pub fn watched(self, watch: Watch) -> StateStore {
        StateStore { watch: Some(watch), ..self }
    }

    /// Begins a transaction that writes; see [`Database::begin`].
    pub(super) async fn write(&self) -> anyhow::Result<Write<'static>> {
        self.db.begin().await
    }

    /// Commits.
    pub(super) async fn commit(&self, transaction: Write<'_>) -> anyhow::Result<()> {
        self.tell_watch();
        let asked = Instant::now();
        transaction.commit().await?;
        histogram!("truetill_store_commit_seconds").record(asked.elapsed().as_secs_f64());
        self.tell_watch();
        Ok(())
    }

    /// Runs a write that is one statement by itself, told of like a commit.
    pub(super) async fn put(&self, write: Query<'_, Any, AnyArguments>) -> anyhow::Result<AnyQueryResult> {
        self.tell_watch();
        let written = write.execute(&self.writer).await?;
        self.tell_watch();
        Ok(written)
    }

    /// Like [`StateStore::put`], for a statement that gives back the row it wrote, if any.
    pub(super) async fn put_for_row(&self, write: Query<'_, Any, AnyArguments>) -> anyhow::Result<Option<AnyRow>> {
        self.tell_watch();
        let row = write.fetch_optional(&self.writer).await?;
        self.tell_watch();
        Ok(row)
    }

    fn tell_watch(&self) {
        if let Some(watch) = &self.watch {
            watch();
        }
    }

    /// Stores a conversation and its new turn together, whatever was written to it before.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn record(&self, session: &Session, turn: TurnId, record: &impl Serialize) -> anyhow::Result<()> {
        let read = self.conversation(session.id).await?;
        let session = Versioned { value: session.clone(), version: read.map_or(0, |read| read.session.version) };
        self.record_with(&session, turn, record, &Aside::default()).await.map(|_| ())
    }

    /// Stores a conversation on its version, its new turn, the case the turn opened and the line it adds for whoever has the
    /// conversation: all of it, or nothing and false when the conversation was written since.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn record_with(
        &self,
        session: &Versioned<Session>,
        turn: TurnId,
        record: &impl Serialize,
        aside: &Aside,
    ) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        // A transaction dropped without a commit is rolled back.
        if !put_session(&mut transaction, session).await? {
            return Ok(false);
        }
        put_turn(&mut transaction, (session.value.id, turn), record, aside).await?;
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Stores a turn that was answered and whose conversation went on without it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn record_late(
        &self,
        (session, turn): (SessionId, TurnId),
        record: &impl Serialize,
        aside: &Aside,
    ) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        put_turn(&mut transaction, (session, turn), record, aside).await?;
        self.commit(transaction).await
    }

    /// A turn's audit record as JSON, or none with this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn turn(&self, id: TurnId) -> anyhow::Result<Option<serde_json::Value>> {
        let row = sqlx::query("SELECT record FROM turns WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            let record: String = row.try_get("record")?;
            serde_json::from_str(&record).with_context(|| format!("turn {id}"))
        })
        .transpose()
    }

    /// The latest turns, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn latest(&self, limit: u32) -> anyhow::Result<Vec<TurnSummary>> {
        let rows = sqlx::query("SELECT id, session, at FROM turns ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        let summary = |row: &Found| -> anyhow::Result<TurnSummary> {
            Ok(TurnSummary { id: row.try_get("id")?, session: row.try_get("session")?, at: row.try_get("at")? })
        };
        rows.iter().map(summary).collect()
    }
}

async fn put_turn(
    transaction: &mut Write<'_>,
    (session, turn): (SessionId, TurnId),
    record: &impl Serialize,
    aside: &Aside,
) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO turns (id, session, at, record) VALUES ($1, $2, $3, $4)")
        .bind(turn.to_string())
        .bind(session.to_string())
        .bind(Timestamp::now().to_string())
        .bind(serde_json::to_string(record)?)
        .execute(&mut **transaction)
        .await?;
    if let Some(case) = &aside.case
        && put_case(transaction, case).await?
        && let Some(event) = &aside.event
    {
        put_event(transaction, event).await?;
    }
    if let Some(line) = &aside.line {
        put_line(transaction, session, line).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cluster::state;

    #[test]
    fn a_chore_is_one_callers_a_minute() {
        let chore = Chore::default();
        let due: Vec<i64> =
            [1000, 1000, 1059, 1060, 1061, 900, 901].into_iter().filter(|now| chore.is_due(*now)).collect();
        assert_eq!(due, [1000, 1060, 900]);
    }

    #[tokio::test]
    async fn a_session_and_its_turn_are_kept() {
        let store = state().await;
        let session = Session { turns: 3, ..Session::default() };
        let turn = TurnId::fresh();
        assert!(store.session(session.id).await.unwrap().is_none());
        store.record(&session, turn, &serde_json::json!({"message": "ahoj"})).await.unwrap();
        assert_eq!(store.session(session.id).await.unwrap(), Some(session));
        assert_eq!(store.turn(turn).await.unwrap().unwrap()["message"], "ahoj");
        assert_eq!(store.latest(5).await.unwrap().len(), 1);
    }
}
