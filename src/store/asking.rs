//! When each parcel is asked about next, and which carriers are left alone for a while. It survives a restart and is shared by every
//! server: a parcel is taken by one of them before it is asked about.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::domain::order::Order;

use super::parcels::order;
use super::state::StateStore;

/// Questions in a row without an answer after which a carrier is left alone.
const PATIENCE: i64 = 3;
/// How long at first; it doubles with every further failure.
const REST_S: i64 = 300;
/// How long at most.
const LONGEST_REST_S: i64 = 3_600;

/// A parcel that may be asked about.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its number.
    pub tracking: String,
    /// Its order, as the carrier's newest word leaves it.
    pub order: Order,
    /// Questions in a row to which the carrier did not know it.
    pub failures: i64,
    number: String,
    next_at: i64,
}

impl StateStore {
    /// Parcels whose time has come, the longest waiting first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn parcels_due(&self, now: Timestamp, limit: i64) -> anyhow::Result<Vec<Due>> {
        let rows = sqlx::query(
            "SELECT parcels.tracking AS tracking, parcels.number AS number, next_at, failures,
             orders.document AS document, shipments.document AS parcel
             FROM parcels JOIN orders ON orders.number = parcels.number LEFT JOIN shipments ON shipments.number = parcels.number
             WHERE next_at <= $1 ORDER BY next_at, tracking LIMIT $2",
        )
        .bind(now.as_second())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            due.push(Due {
                tracking: row.try_get("tracking")?,
                order: order(row)?,
                failures: row.try_get("failures")?,
                number: row.try_get("number")?,
                next_at: row.try_get("next_at")?,
            });
        }
        Ok(due)
    }

    /// Says when a parcel is asked about next; none: never again, until its order is told anew. False when somebody else has
    /// taken it meanwhile.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn take_parcel(&self, due: &Due, next: Option<Timestamp>) -> anyhow::Result<bool> {
        let next = next.map_or(i64::MAX, Timestamp::as_second);
        let taken = self
            .put(
                sqlx::query("UPDATE parcels SET next_at = $1 WHERE tracking = $2 AND number = $3 AND next_at = $4")
                    .bind(next)
                    .bind(&due.tracking)
                    .bind(&due.number)
                    .bind(due.next_at),
            )
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Notes that the carrier knew a parcel.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn parcel_known(&self, due: &Due) -> anyhow::Result<()> {
        if due.failures == 0 {
            return Ok(());
        }
        self.put(
            sqlx::query("UPDATE parcels SET failures = 0 WHERE tracking = $1 AND number = $2")
                .bind(&due.tracking)
                .bind(&due.number),
        )
        .await?;
        Ok(())
    }

    /// Notes that the carrier did not know a parcel, and when it is asked again.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn parcel_unknown(&self, due: &Due, next: Timestamp) -> anyhow::Result<()> {
        self.put(
            sqlx::query("UPDATE parcels SET failures = failures + 1, next_at = $1 WHERE tracking = $2 AND number = $3")
                .bind(next.as_second())
                .bind(&due.tracking)
                .bind(&due.number),
        )
        .await?;
        Ok(())
    }

    /// Until when a carrier is left alone.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn carrier_rests(&self, carrier: &str) -> anyhow::Result<Timestamp> {
        let row = sqlx::query("SELECT rests FROM carrier_health WHERE carrier = $1")
            .bind(carrier)
            .fetch_optional(&self.pool)
            .await?;
        let rests = row.map(|row| row.try_get("rests")).transpose()?.unwrap_or(0);
        Timestamp::from_second(rests).context("a stored moment")
    }

    /// Notes whether a carrier answered; after some questions without an answer it is left alone, each time for longer.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn carrier_answered(&self, carrier: &str, answered: bool, now: Timestamp) -> anyhow::Result<()> {
        if answered {
            self.put(sqlx::query("DELETE FROM carrier_health WHERE carrier = $1").bind(carrier)).await?;
            return Ok(());
        }
        let mut transaction = self.write().await?;
        let failures: i64 = sqlx::query_scalar(
            "INSERT INTO carrier_health (carrier, failures, rests) VALUES ($1, 1, 0)
             ON CONFLICT (carrier) DO UPDATE SET failures = carrier_health.failures + 1 RETURNING failures",
        )
        .bind(carrier)
        .fetch_one(&mut *transaction)
        .await?;
        if let Some(rest) = rest(failures) {
            sqlx::query("UPDATE carrier_health SET rests = $1 WHERE carrier = $2")
                .bind((now + rest).as_second())
                .bind(carrier)
                .execute(&mut *transaction)
                .await?;
        }
        self.commit(transaction).await
    }
}

/// How long a carrier is left alone after so many failures in a row.
fn rest(failures: i64) -> Option<SignedDuration> {
    let beyond = failures.checked_sub(PATIENCE).filter(|beyond| *beyond >= 0)?;
    Some(SignedDuration::from_secs((REST_S << beyond.min(8)).min(LONGEST_REST_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_begins_late_and_grows_to_an_hour() {
        let seconds = |failures| rest(failures).map(|rest| rest.as_secs());
        assert_eq!(
            [1, 2, 3, 4, 5, 7, 60].map(seconds),
            [None, None, Some(300), Some(600), Some(1_200), Some(3_600), Some(3_600)]
        );
    }
}
