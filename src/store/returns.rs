//! Parcels that come back. One is registered in the very write that changes its order; each step is told to the merchant's systems.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Row;
use uuid::Uuid;

use crate::domain::desk::{Operation, ReturnState, Slip, Task, Versioned};
use crate::domain::handover::Event;
use crate::domain::order::{Order, OrderState};

use super::database::Write;
use super::desk::versioned;
use super::handover::put_event;
use super::orders::plain;
use super::state::StateStore;

const BY_NUMBER: &str = "SELECT orders.document AS document, orders.version AS version, rma, secret, state, at, changed
    FROM returns JOIN orders ON orders.number = returns.number WHERE returns.number = $1";
const BY_RMA: &str = "SELECT orders.document AS document, orders.version AS version, rma, secret, state, at, changed
    FROM returns JOIN orders ON orders.number = returns.number WHERE returns.rma = $1";

impl StateStore {
    /// What is known of the parcel that comes back from an order.
    pub(super) async fn slip_of(&self, order: &str) -> anyhow::Result<Option<Slip>> {
        self.find_slip(BY_NUMBER, &plain(order)).await
    }

    /// A return by its number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn slip_by_rma(&self, rma: &str) -> anyhow::Result<Option<Slip>> {
        self.find_slip(BY_RMA, rma).await
    }

    async fn find_slip(&self, query: &'static str, value: &str) -> anyhow::Result<Option<Slip>> {
        let Some(row) = sqlx::query(query).bind(value).fetch_optional(&self.pool).await? else { return Ok(None) };
        let Versioned { value: order, .. }: Versioned<Order> = versioned(&row)?;
        let moment = |column: &str| Timestamp::from_second(row.try_get::<i64, _>(column)?).context("a stored moment");
        let state: String = row.try_get("state")?;
        Ok(Some(Slip {
            rma: row.try_get("rma")?,
            order: order.number,
            secret: row.try_get("secret")?,
            state: read(&state)?,
            at: moment("at")?,
            changed: moment("changed")?,
        }))
    }

    /// Takes a return one step further, with its order where the money went back, and tells it; false when it cannot be.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn step_return(&self, slip: &Slip, next: ReturnState, now: Timestamp) -> anyhow::Result<bool> {
        if !slip.state.may_become(next) {
            return Ok(false);
        }
        let mut transaction = self.write().await?;
        let moved = sqlx::query("UPDATE returns SET state = $1, changed = $2 WHERE rma = $3 AND state = $4")
            .bind(next.as_str())
            .bind(now.as_second())
            .bind(&slip.rma)
            .bind(slip.state.as_str())
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() != 1
            || (next == ReturnState::Refunded && !refund(&mut transaction, &slip.order).await?)
        {
            return Ok(false);
        }
        let event = format!("return_{}", next.as_str());
        let document = json!({"event": event, "rma": slip.rma, "order": slip.order, "at": now.to_string()}).to_string();
        put_event(&mut transaction, &Event { id: format!("{}:{event}", slip.rma), document }).await?;
        self.commit(transaction).await?;
        Ok(true)
    }
}

/// Gives a return that was just written its number; an order comes back once.
pub(super) async fn register(transaction: &mut Write<'_>, (task, order): (&Task, &Order)) -> anyhow::Result<()> {
    if !matches!(task.operation, Operation::ReturnItems { .. } | Operation::ExchangeItems { .. }) {
        return Ok(());
    }
    let secret = hex::encode(&Sha256::digest(format!("{}{}{}", Uuid::now_v7(), Uuid::now_v7(), task.token))[..16]);
    let now = Timestamp::now().as_second();
    sqlx::query(
        "INSERT INTO returns (number, rma, secret, state, at, changed) VALUES ($1, $2, $3, 'registered', $4, $4)
         ON CONFLICT (number) DO NOTHING",
    )
    .bind(plain(&order.number))
    .bind(Slip::number(&order.number))
    .bind(secret)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The order whose money went back says so; false when it was written meanwhile.
async fn refund(transaction: &mut Write<'_>, order: &str) -> anyhow::Result<bool> {
    let row = sqlx::query("SELECT version, document FROM orders WHERE number = $1")
        .bind(plain(order))
        .fetch_one(&mut **transaction)
        .await
        .context("the order of a return is gone")?;
    let Versioned { value: mut order, version }: Versioned<Order> = versioned(&row)?;
    order.state = OrderState::Refunded;
    let written =
        sqlx::query("UPDATE orders SET document = $1, version = version + 1 WHERE number = $2 AND version = $3")
            .bind(serde_json::to_string(&order)?)
            .bind(plain(&order.number))
            .bind(version)
            .execute(&mut **transaction)
            .await?;
    Ok(written.rows_affected() == 1)
}

fn read(state: &str) -> anyhow::Result<ReturnState> {
    serde_json::from_value(json!(state)).with_context(|| format!("`{state}` is no state of a return"))
}
