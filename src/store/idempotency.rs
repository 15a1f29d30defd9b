//! Idempotency-Key on disk: the same key with the same body gets the first answer for a day, restarts or not.
//! A request that died without an answer frees its key after a minute; what it wrote is guarded by its task.

use jiff::Timestamp;
use sqlx::Row;

use super::state::StateStore;

const KEPT_S: i64 = 24 * 3600;
const LEASE_S: i64 = 60;

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing yet: the caller answers and tells [`StateStore::answered`].
    First,
    /// This answer: status and body.
    Again(u16, String),
    /// The first request still runs.
    InFlight,
    /// Another body.
    Reused,
}

/// One caller's key: another caller's key is another key.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey<'a> {
    /// The digest of the API key, or nothing.
    pub caller: &'a str,
    /// The header's value.
    pub key: &'a str,
    /// sha256 over path and body.
    pub body: &'a str,
}

impl StateStore {
    /// Looks a key up and reserves it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn claim(&self, key: IdempotencyKey<'_>, now: Timestamp) -> anyhow::Result<Claimed> {
        let now = now.as_second();
        // One statement decides in either database: it takes a key that is new, or over: a day after its answer, a minute
        // after a request without one. Whoever comes at the same time waits for it and finds the key taken.
        let taken = sqlx::query(
            "INSERT INTO idempotency (caller, key, body, at, status, answer) VALUES ($1, $2, $3, $4, 0, '')
             ON CONFLICT (caller, key) DO UPDATE SET body = excluded.body, at = excluded.at, status = 0, answer = ''
             WHERE idempotency.at < $5 OR (idempotency.status = 0 AND idempotency.at < $6)",
        )
        .bind(key.caller)
        .bind(key.key)
        .bind(key.body)
        .bind(now)
        .bind(now - KEPT_S)
        .bind(now - LEASE_S)
        .execute(&self.writer)
        .await?;
        if taken.rows_affected() == 1 {
            self.forget_old_keys(now).await?;
            return Ok(Claimed::First);
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
        over.execute(&self.writer).await?;
        Ok(())
    }

    /// Stores the answer to a claimed key.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn answered(&self, key: IdempotencyKey<'_>, status: u16, answer: &str) -> anyhow::Result<()> {
        sqlx::query("UPDATE idempotency SET status = $1, answer = $2 WHERE caller = $3 AND key = $4")
            .bind(i64::from(status))
            .bind(answer)
            .bind(key.caller)
            .bind(key.key)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Frees a key whose request failed inside: a retry is a new attempt.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn unclaim(&self, key: IdempotencyKey<'_>) -> anyhow::Result<()> {
        sqlx::query("DELETE FROM idempotency WHERE caller = $1 AND key = $2 AND status = 0")
            .bind(key.caller)
            .bind(key.key)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cluster::state_in;

    #[tokio::test]
    async fn a_key_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let key = |body| IdempotencyKey { caller: "c", key: "k", body };
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let store = state_in(folder.path()).await;
        assert_eq!(store.claim(key("one"), at(0)).await.unwrap(), Claimed::First);
        assert_eq!(store.claim(key("one"), at(1)).await.unwrap(), Claimed::InFlight);
        drop(store);
        let store = state_in(folder.path()).await;
        assert_eq!(store.claim(key("one"), at(2)).await.unwrap(), Claimed::InFlight);
        assert_eq!(store.claim(key("two"), at(3)).await.unwrap(), Claimed::Reused);
        assert_eq!(store.claim(key("one"), at(70)).await.unwrap(), Claimed::First);
        store.answered(key("one"), 201, "done").await.unwrap();
        drop(store);
        let store = state_in(folder.path()).await;
        let again = Claimed::Again(201, "done".to_string());
        assert_eq!(store.claim(key("one"), at(86_000)).await.unwrap(), again);
        assert_eq!(store.claim(key("two"), at(86_000)).await.unwrap(), Claimed::Reused);
        assert_eq!(store.claim(key("two"), at(90_000)).await.unwrap(), Claimed::First);
    }
}
