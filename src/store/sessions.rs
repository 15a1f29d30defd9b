//! Conversations, each a document with the count of its writes. Whoever writes one names the count it was read with, so that of
//! two messages at one moment, in two programs perhaps, none is lost. A turn that is about to write something else takes the
//! conversation first: until it has recorded itself, or its time is over, nobody else writes to it.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use tokio::task::AbortHandle;

use crate::domain::desk::Versioned;
use crate::domain::handover::Aside;
use crate::domain::session::{Session, SessionId, TurnId};

use super::database::Write;
use super::state::StateStore;

/// Tries of a small change against others who write the same conversation, and how long it waits between two.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// How long a conversation stays taken when nothing more is heard of its turn. Renewed while the turn runs: what a program that
/// died had taken is free again before others have lost patience.
const LEASE: Duration = Duration::from_secs(15);

/// A conversation as it was read.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What it holds, and the count of its writes.
    pub session: Versioned<Session>,
    /// A turn is writing for it just now.
    pub busy: bool,
}

/// The right to write a conversation on the version it was read in. One that was taken and not written is given back.
pub struct Hold {
    state: StateStore,
    id: SessionId,
    version: i64,
    taken: bool,
    renewing: Option<AbortHandle>,
}

impl Hold {
    /// Which conversation.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Takes the conversation: nobody else writes to it before it is recorded, or given up. False when it was written or taken
    /// since it was read.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn take(&mut self) -> anyhow::Result<bool> {
        if self.taken || self.version == 0 {
            return Ok(true);
        }
        self.taken = self.state.take_conversation(self.id, self.version, LEASE).await?;
        self.version += i64::from(self.taken);
        if self.taken {
            let renewing = renew(self.state.clone(), self.id, self.version);
            self.renewing = Some(tokio::spawn(renewing).abort_handle());
        }
        Ok(self.taken)
    }

    /// Records a turn; false when the conversation was written since it was read and the turn must be done again.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn record(
        mut self,
        session: Session,
        (turn, record): (TurnId, &impl Serialize),
        aside: &Aside,
    ) -> anyhow::Result<bool> {
        let session = Versioned { value: session, version: self.version };
        let written = self.state.record_with(&session, turn, record, aside).await?;
        if written || !self.taken {
            self.taken = false;
            return Ok(written);
        }
        // Its time was over and another turn went on: what it wrote stands, so its record must.
        tracing::warn!(%turn, "a turn was recorded after its conversation had gone on");
        self.state.record_late((self.id, turn), record, aside).await?;
        Ok(true)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewing.take().inspect(AbortHandle::abort);
        let Some(runtime) = tokio::runtime::Handle::try_current().ok().filter(|_| self.taken) else { return };
        // The turn was given up: the next message need not wait for its lease to run out.
        let (state, id, version) = (self.state.clone(), self.id, self.version);
        runtime.spawn(async move {
            if let Err(error) = state.release_conversation(id, version).await {
                tracing::warn!("a conversation could not be given back: {error:#}");
            }
        });
    }
}

/// Says again and again that a turn still runs.
async fn renew(state: StateStore, id: SessionId, version: i64) {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        let renewed = sqlx::query("UPDATE sessions SET busy_until = $1 WHERE id = $2 AND version = $3");
        let renewed = renewed.bind(after(LEASE)).bind(id.to_string()).bind(version);
        if let Err(error) = renewed.execute(&state.writer).await {
            tracing::warn!("a conversation could not be held longer: {error}");
        }
    }
}

/// Milliseconds since 1970.
fn after(time: Duration) -> i64 {
    Timestamp::now().as_millisecond().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

impl StateStore {
    /// The right to write a conversation that was read in this version; 0: it is new, and nobody else knows of it.
    pub fn hold(&self, id: SessionId, version: i64) -> Hold {
        Hold { state: self.clone(), id, version, taken: false, renewing: None }
    }

    /// A conversation, or none with this id.
    ///
    /// # Errors
    /// The database cannot be read or holds something else.
    pub async fn session(&self, id: SessionId) -> anyhow::Result<Option<Session>> {
        Ok(self.conversation(id).await?.map(|read| read.session.value))
    }

    /// The same, with what a write of it must know.
    ///
    /// # Errors
    /// The database cannot be read or holds something else.
    pub async fn conversation(&self, id: SessionId) -> anyhow::Result<Option<Conversation>> {
        let row = sqlx::query("SELECT document, version, busy_until FROM sessions WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let document: String = row.try_get("document")?;
        let value = serde_json::from_str(&document).with_context(|| format!("session {id}"))?;
        let busy = row.try_get::<i64, _>("busy_until")? > after(Duration::ZERO);
        Ok(Some(Conversation { session: Versioned { value, version: row.try_get("version")? }, busy }))
    }

    /// Begins a conversation in which nothing was said yet.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn begin(&self, session: &Session) -> anyhow::Result<()> {
        self.put(
            sqlx::query(
                "INSERT INTO sessions (id, document, updated_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
            )
            .bind(session.id.to_string())
            .bind(serde_json::to_string(session)?)
            .bind(Timestamp::now().to_string()),
        )
        .await?;
        Ok(())
    }

    /// Takes a conversation for a turn that is about to write; false when it was written or taken since it was read. The
    /// turn's own version is then the next one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn take_conversation(&self, id: SessionId, version: i64, lease: Duration) -> anyhow::Result<bool> {
        let taken = sqlx::query(
            "UPDATE sessions SET version = version + 1, busy_until = $1
             WHERE id = $2 AND version = $3 AND busy_until <= $4",
        );
        let taken = taken.bind(after(lease)).bind(id.to_string()).bind(version).bind(after(Duration::ZERO));
        let taken = self.put(taken).await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Gives a conversation back that was taken at this version and not written.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn release_conversation(&self, id: SessionId, version: i64) -> anyhow::Result<()> {
        let freed = sqlx::query("UPDATE sessions SET busy_until = 0 WHERE id = $1 AND version = $2");
        self.put(freed.bind(id.to_string()).bind(version)).await?;
        Ok(())
    }

    /// Changes a conversation without a turn, as it is by then: what was proved over HTTP. One that is not there yet begins as
    /// `fresh`. False when turns held it all the time.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn change_session(&self, fresh: &Session, change: impl Fn(&mut Session)) -> anyhow::Result<bool> {
        for _ in 0..TRIES {
            let read = self.conversation(fresh.id).await?;
            let busy = read.as_ref().is_some_and(|read| read.busy);
            let mut session = read.map_or_else(|| Versioned { value: fresh.clone(), version: 0 }, |read| read.session);
            change(&mut session.value);
            if !busy {
                let mut transaction = self.write().await?;
                if put_session(&mut transaction, &session).await? {
                    self.commit(transaction).await?;
                    return Ok(true);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

/// Writes a conversation on its version and gives it back; false when that is gone.
pub(super) async fn put_session(transaction: &mut Write<'_>, session: &Versioned<Session>) -> anyhow::Result<bool> {
    let written = sqlx::query(
        "INSERT INTO sessions (id, document, updated_at, version, busy_until) VALUES ($1, $2, $3, 1, 0)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at,
         version = sessions.version + 1, busy_until = 0 WHERE sessions.version = $4",
    )
    .bind(session.value.id.to_string())
    .bind(serde_json::to_string(&session.value)?)
    .bind(Timestamp::now().to_string())
    .bind(session.version)
    .execute(&mut **transaction)
    .await?;
    Ok(written.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cluster::state;

    async fn version(store: &StateStore, id: SessionId) -> i64 {
        store.conversation(id).await.unwrap().unwrap().session.version
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_gives_the_conversation_back() {
        let store = state().await;
        let session = Session::default();
        store.begin(&session).await.unwrap();
        let read = version(&store, session.id).await;
        let mut hold = store.hold(session.id, read);
        assert!(hold.take().await.unwrap() && hold.take().await.unwrap(), "taking again changes nothing");
        assert!(store.conversation(session.id).await.unwrap().unwrap().busy);
        assert!(!store.hold(session.id, read).take().await.unwrap(), "it was read before it was taken");
        drop(hold);
        while store.conversation(session.id).await.unwrap().unwrap().busy {
            tokio::task::yield_now().await;
        }
        let read = version(&store, session.id).await;
        assert!(store.hold(session.id, read).take().await.unwrap());
    }

    #[tokio::test]
    async fn a_turn_is_recorded_on_what_it_read_or_not_at_all() {
        let store = state().await;
        let session = Session::default();
        store.begin(&session).await.unwrap();
        let read = version(&store, session.id).await;
        let (first, second) = (store.hold(session.id, read), store.hold(session.id, read));
        let turns = |turns| Session { turns, ..session.clone() };
        let said = serde_json::json!({});
        assert!(first.record(turns(1), (TurnId::fresh(), &said), &Aside::default()).await.unwrap());
        assert!(!second.record(turns(7), (TurnId::fresh(), &said), &Aside::default()).await.unwrap());
        assert_eq!(store.session(session.id).await.unwrap().unwrap().turns, 1);
        assert_eq!(store.turns_of(session.id).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_a_dead_program_had_taken_is_free_in_time_and_a_late_turn_keeps_its_record() {
        let store = state().await;
        let session = Session::default();
        store.begin(&session).await.unwrap();
        let read = version(&store, session.id).await;
        let mut late = store.hold(session.id, read);
        assert!(late.take().await.unwrap());
        // As if nothing had been heard of it for longer than the lease.
        store.release_conversation(session.id, read + 1).await.unwrap();
        let read = version(&store, session.id).await;
        assert!(store.take_conversation(session.id, read, Duration::ZERO).await.unwrap());
        assert!(!store.conversation(session.id).await.unwrap().unwrap().busy, "its lease was over at once");
        let other = Session { turns: 5, ..session.clone() };
        assert!(late.record(other, (TurnId::fresh(), &serde_json::json!({})), &Aside::default()).await.unwrap());
        assert_eq!(store.session(session.id).await.unwrap().unwrap().turns, 0, "the conversation went on without it");
        assert_eq!(store.turns_of(session.id).await.unwrap().len(), 1);
    }
}
