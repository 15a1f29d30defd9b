//! Photos of conversations: kept once, counted, deleted when their days are over. In the state beside everything else, so that every
//! server of a shop has them and a backup holds them.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row;
use uuid::Uuid;

use crate::domain::photo::PhotoRules;
use crate::domain::session::SessionId;

use super::state::StateStore;

/// A photo as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// What kind of picture.
    pub kind: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

impl StateStore {
    /// Keeps a photo; its id. The same one of the same conversation has the id it had; none when there are too many.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn keep_photo(
        &self,
        session: SessionId,
        photo: &Photo,
        (rules, now): (&PhotoRules, Timestamp),
    ) -> anyhow::Result<Option<String>> {
        let session = session.to_string();
        let digest = hex::encode(Sha256::digest(&photo.bytes));
        let mut transaction = self.write().await?;
        // Of two that count at once each must see the other's.
        self.db.alone(&mut transaction, &format!("photos {session}")).await?;
        let held = sqlx::query("SELECT id, digest FROM photos WHERE session = $1")
            .bind(&session)
            .fetch_all(&mut *transaction)
            .await?;
        for row in &held {
            if row.try_get::<String, _>("digest")? == digest {
                return Ok(Some(row.try_get("id")?));
            }
        }
        if held.len() >= rules.most as usize {
            return Ok(None);
        }
        let id = Uuid::new_v4().to_string();
        sqlx::query("INSERT INTO photos (id, session, digest, at, kind, bytes) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&id)
            .bind(&session)
            .bind(&digest)
            .bind(now.as_second())
            .bind(&photo.kind)
            .bind(photo.bytes.clone())
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await?;
        Ok(Some(id))
    }

    /// The photos of a conversation since a moment, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn photos_of(&self, session: SessionId, since: Timestamp) -> anyhow::Result<Vec<String>> {
        let rows = sqlx::query("SELECT id FROM photos WHERE session = $1 AND at >= $2 ORDER BY at, id")
            .bind(session.to_string())
            .bind(since.as_second())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    /// A photo.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn photo(&self, id: &str) -> anyhow::Result<Option<Photo>> {
        let row =
            sqlx::query("SELECT kind, bytes FROM photos WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.map(|row| Ok(Photo { kind: row.try_get("kind")?, bytes: row.try_get("bytes")? })).transpose()
    }

    /// Deletes the photos whose days are over; how many.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn forget_photos(&self, rules: &PhotoRules, now: Timestamp) -> anyhow::Result<u64> {
        let before = now - SignedDuration::from_hours(24 * i64::from(rules.keep_days));
        let gone = self.put(sqlx::query("DELETE FROM photos WHERE at < $1").bind(before.as_second())).await?;
        Ok(gone.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cluster::state;

    #[tokio::test]
    async fn photos_are_kept_once_counted_and_forgotten() {
        let store = state().await;
        let (session, other) = (SessionId::fresh(), SessionId::fresh());
        let rules = PhotoRules { most: 2, keep_days: 10, ..PhotoRules::default() };
        let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        // Every byte there is comes back as it went in.
        let photo = |first: u8| Photo { kind: "image/png".to_string(), bytes: (0..=255).chain([first]).collect() };
        let keep = async |session, first, at| store.keep_photo(session, &photo(first), (&rules, at)).await.unwrap();
        let one = keep(session, 1, now).await.unwrap();
        assert_eq!(keep(session, 1, now).await.as_ref(), Some(&one), "sent twice, kept once");
        let later = now + SignedDuration::from_hours(24);
        let two = keep(session, 2, later).await.unwrap();
        assert_eq!(keep(session, 3, later).await, None, "no more than two");
        assert_ne!(keep(other, 1, now).await.unwrap(), one, "another conversation's is another one");
        assert_eq!(store.photo(&one).await.unwrap(), Some(photo(1)));
        assert_eq!(store.photos_of(session, now).await.unwrap(), [one.clone(), two.clone()]);
        assert_eq!(store.photos_of(session, later).await.unwrap(), [two.as_str()]);
        let over = now + SignedDuration::from_hours(24 * 10 + 1);
        assert_eq!(store.forget_photos(&rules, over).await.unwrap(), 2);
        assert_eq!(store.photo(&one).await.unwrap(), None);
        assert_eq!(store.photos_of(session, now).await.unwrap(), [two.as_str()]);
    }
}
