//! Idempotency-Key on disk: the same key with the same body gets the first answer for a day, restarts or not.
//! A request that died without an answer leaves its key to the next try once it could not run any longer.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;

use super::state::StateStore;

const KEPT_S: i64 = 24 * 3600;

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing yet: the caller answers and tells [`StateStore::answered`].
    First(Held),
    /// This answer: status and body.
    Again(u16, String),
    /// The first request still runs.
    InFlight,
    /// Another body.
    Reused,
}

/// One caller's key: another caller's key is another key. All three are digests.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey<'a> {
    /// Who calls.
    pub caller: &'a str,
    /// The header's value.
    pub key: &'a str,
    /// Path and body.
    pub body: &'a str,
}

/// A key that somebody holds. Taken by another after its time it is held no more: what its first holder tells then is not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    caller: String,
    key: String,
    since: i64,
}

impl StateStore {
    /// Looks a key up and holds it. A request lasts `longest` at most.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn claim(&self, key: IdempotencyKey<'_>, now: Timestamp, longest: Duration) -> anyhow::Result<Claimed> {
        let (now, longest) = (now.as_second(), i64::try_from(longest.as_secs()).unwrap_or(KEPT_S).min(KEPT_S));
        // One statement decides in either database: it takes a key that is new, or over: a day after its answer, or when a
        // request without one must be dead. Whoever comes at the same time waits for it and finds the key taken.
        let taken = self
            .put(
                sqlx::query(
                    "INSERT INTO idempotency (caller, key, body, at, status, answer) VALUES ($1, $2, $3, $4, 0, '')
             ON CONFLICT (caller, key) DO UPDATE SET body = excluded.body, at = excluded.at, status = 0, answer = ''
             WHERE idempotency.at < $5 OR (idempotency.status = 0 AND idempotency.at < $6)",
                )
                .bind(key.caller)
                .bind(key.key)
                .bind(key.body)
                .bind(now)
                .bind(now - KEPT_S)
                .bind(now - longest),
            )
            .await?;
        if taken.rows_affected() == 1 {
            self.forget_old_keys(now).await?;
            let (caller, key) = (key.caller.to_string(), key.key.to_string());
            return Ok(Claimed::First(Held { caller, key, since: now }));
        }
        let row = sqlx::query("SELECT body, status, answer FROM idempotency WHERE caller = $1 AND key = $2")
            .bind(key.caller)
            .bind(key.key)
            .fetch_optional(&self.pool)
            .await?;
        // Freed a moment ago: the caller's next try takes it.
        let Some(row) = row else { return Ok(Claimed::InFlight) };
        let (body, status): (String, i64) = (row.try_get("body")?, row.try_get("status")?);
        Ok(match u16::try_from(status) {
            _ if body != key.body => Claimed::Reused,
            Ok(status) if status > 0 => Claimed::Again(status, row.try_get("answer")?),
            _ => Claimed::InFlight,
        })
    }

    async fn forget_old_keys(&self, now: i64) -> anyhow::Result<()> {
        if !self.chore.is_due(now) {
            return Ok(());
        }
        let over = sqlx::query("DELETE FROM idempotency WHERE at < $1").bind(now - KEPT_S);
        self.put(over).await?;
        Ok(())
    }

    /// Stores the answer under a key that is held.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn answered(&self, held: &Held, status: u16, answer: &str) -> anyhow::Result<()> {
        let update = "UPDATE idempotency SET status = $1, answer = $2
             WHERE caller = $3 AND key = $4 AND status = 0 AND at = $5";
        self.put(
            sqlx::query(update)
                .bind(i64::from(status))
                .bind(answer)
                .bind(&held.caller)
                .bind(&held.key)
                .bind(held.since),
        )
        .await?;
        Ok(())
    }

    /// Frees a key whose request failed inside: a retry is a new attempt.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn unclaim(&self, held: &Held) -> anyhow::Result<()> {
        self.put(
            sqlx::query("DELETE FROM idempotency WHERE caller = $1 AND key = $2 AND status = 0 AND at = $3")
                .bind(&held.caller)
                .bind(&held.key)
                .bind(held.since),
        )
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cluster::state_in;

    const LONGEST: Duration = Duration::from_secs(140);

    fn key(body: &str) -> IdempotencyKey<'_> {
        IdempotencyKey { caller: "c", key: "k", body }
    }

    async fn claim(store: &StateStore, body: &str, seconds: i64) -> Claimed {
        store.claim(key(body), Timestamp::from_second(1_000_000 + seconds).unwrap(), LONGEST).await.unwrap()
    }

    fn held(claimed: Claimed) -> Held {
        let Claimed::First(held) = claimed else { panic!("{claimed:?}") };
        held
    }

    #[tokio::test]
    async fn a_key_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = state_in(folder.path()).await;
        held(claim(&store, "one", 0).await);
        assert_eq!(claim(&store, "one", 1).await, Claimed::InFlight);
        drop(store);
        let store = state_in(folder.path()).await;
        assert_eq!(claim(&store, "one", 139).await, Claimed::InFlight);
        assert_eq!(claim(&store, "two", 140).await, Claimed::Reused);
        let first = held(claim(&store, "one", 141).await);
        store.answered(&first, 201, "done").await.unwrap();
        drop(store);
        let store = state_in(folder.path()).await;
        assert_eq!(claim(&store, "one", 86_000).await, Claimed::Again(201, "done".to_string()));
        assert_eq!(claim(&store, "two", 86_000).await, Claimed::Reused);
        held(claim(&store, "two", 90_000).await);
    }

    #[tokio::test]
    async fn who_was_taken_for_dead_is_not_heard() {
        let folder = tempfile::tempdir().unwrap();
        let store = state_in(folder.path()).await;
        let slow = held(claim(&store, "one", 0).await);
        let second = held(claim(&store, "one", 141).await);
        store.unclaim(&slow).await.unwrap();
        store.answered(&slow, 200, "late").await.unwrap();
        assert_eq!(claim(&store, "one", 142).await, Claimed::InFlight);
        store.answered(&second, 200, "in time").await.unwrap();
        store.unclaim(&second).await.unwrap();
        assert_eq!(claim(&store, "one", 143).await, Claimed::Again(200, "in time".to_string()));
    }
}
