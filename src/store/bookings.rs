//! Times that are held or booked. A time's seats are rows of their own, so two who are equally quick never get the same one.

use jiff::Timestamp;
use sqlx::Row;

use crate::domain::session::SessionId;

use super::state::StateStore;

impl StateStore {
    /// How many seats of which times are taken, from a moment on.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn taken_times(&self, from: Timestamp, now: Timestamp) -> anyhow::Result<Vec<(Timestamp, i64)>> {
        let rows = sqlx::query(
            "SELECT starts, COUNT(*) AS seats FROM bookings
             WHERE starts >= $1 AND (state = 'booked' OR until > $2) GROUP BY starts",
        )
        .bind(from.as_second())
        .bind(now.as_second())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &_| -> anyhow::Result<_> {
            Ok((Timestamp::from_second(Row::try_get(row, "starts")?)?, Row::try_get(row, "seats")?))
        };
        rows.iter().map(read).collect()
    }

    /// Holds a time for a conversation until a moment; what it held before is free again. False when every seat is taken.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn hold_time(
        &self,
        (session, start): (SessionId, Timestamp),
        seats: u32,
        (now, until): (Timestamp, Timestamp),
    ) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM bookings WHERE session = $1 AND state = 'held'")
            .bind(session.to_string())
            .execute(&mut *transaction)
            .await?;
        for seat in 0..seats {
            // A hold that ran out gives its seat to whoever comes; a booking never does.
            let got = sqlx::query(
                "INSERT INTO bookings (starts, seat, session, state, until) VALUES ($1, $2, $3, 'held', $4)
                 ON CONFLICT (starts, seat) DO UPDATE SET session = excluded.session, until = excluded.until
                 WHERE bookings.state = 'held' AND bookings.until <= $5",
            )
            .bind(start.as_second())
            .bind(i64::from(seat))
            .bind(session.to_string())
            .bind(until.as_second())
            .bind(now.as_second())
            .execute(&mut *transaction)
            .await?;
            if got.rows_affected() == 1 {
                self.commit(transaction).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Books the time a conversation holds; false when the hold ran out or another has it. Doing it again changes nothing.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn book_time(&self, session: SessionId, start: Timestamp, now: Timestamp) -> anyhow::Result<bool> {
        let booked = sqlx::query(
            "UPDATE bookings SET state = 'booked' WHERE session = $1 AND starts = $2 AND (state = 'booked' OR until > $3)",
        );
        let booked = booked.bind(session.to_string()).bind(start.as_second()).bind(now.as_second());
        let booked = self.put(booked).await?;
        Ok(booked.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_seat_is_one_persons() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).await.unwrap();
        let (now, until, start) = (at("2026-11-23T09:00:00Z"), at("2026-11-23T09:15:00Z"), at("2026-11-24T09:00:00Z"));
        let sessions: Vec<SessionId> = (0..12).map(|_| SessionId::fresh()).collect();
        let mut tries = tokio::task::JoinSet::new();
        for session in sessions.clone() {
            let store = store.clone();
            tries.spawn(async move { store.hold_time((session, start), 3, (now, until)).await.unwrap() });
        }
        let got = tries.join_all().await;
        assert_eq!(got.iter().filter(|got| **got).count(), 3, "twelve at once, three seats");
        assert_eq!(store.taken_times(now, now).await.unwrap(), [(start, 3)]);
        // Three holds run out; another gets a seat, and the one who was late gets nothing.
        let later = at("2026-11-23T09:16:00Z");
        let fresh = SessionId::fresh();
        assert!(store.taken_times(now, later).await.unwrap().is_empty());
        assert!(store.hold_time((fresh, start), 3, (later, at("2026-11-23T09:31:00Z"))).await.unwrap());
        assert!(store.book_time(fresh, start, later).await.unwrap());
        assert!(store.book_time(fresh, start, later).await.unwrap());
        let mut booked = 0;
        for session in sessions {
            booked += u32::from(store.book_time(session, start, later).await.unwrap());
        }
        assert_eq!(booked, 0);
        let much_later = at("2026-11-23T20:00:00Z");
        assert_eq!(store.taken_times(now, much_later).await.unwrap(), [(start, 1)], "a booking stays");
    }
}
