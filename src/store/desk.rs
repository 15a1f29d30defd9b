//! The desk's book: orders, customers and tasks. A task's end, its writes and its event are one transaction.
//! It decides nothing: it writes what was decided on the versions that were seen, or nothing.

use std::collections::HashMap;

use anyhow::Context;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::domain::desk::{Customer, Decision, Slip, Task, TaskState, Versioned};
use crate::domain::identity::Contact;
use crate::domain::order::Order;
use crate::engine::{Applied, OrderDesk, Orders, Proofs, Seen, WrongProofs};

use super::codes::note_contacts;
use super::database::{Found, Write};
use super::orders::{OrderBook, plain};
use super::parcels::{note_parcel, order};
use super::returns::register;
use super::state::StateStore;
use super::together;

const WAITING: &str = "awaiting_confirmation";

impl StateStore {
    /// Takes over the merchant's orders and customers. A line that says what it said before changes nothing; a new
    /// line replaces an order the desk never wrote to, and is left aside where the desk did.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn take_orders(&self, book: &OrderBook) -> anyhow::Result<usize> {
        let mut transaction = self.write().await?;
        // Several programs that start at once write the same orders: one after another, not in a knot.
        self.db.alone(&mut transaction, "take_orders").await?;
        let held = sqlx::query("SELECT number, source FROM orders").fetch_all(&mut *transaction).await?;
        let held: HashMap<String, String> = held
            .iter()
            .map(|row| Ok((row.try_get("number")?, row.try_get("source")?)))
            .collect::<anyhow::Result<_>>()?;
        let (mut aside, mut new) = (0, false);
        for order in book.iter() {
            let (number, document) = (plain(&order.number), serde_json::to_string(order)?);
            let source = hex::encode(Sha256::digest(&document));
            if held.get(&number) == Some(&source) {
                continue;
            }
            let taken = sqlx::query(
                "INSERT INTO orders (number, customer, source, version, document) VALUES ($1, $2, $3, 1, $4)
                 ON CONFLICT (number) DO UPDATE SET customer = excluded.customer, source = excluded.source,
                 document = excluded.document WHERE orders.version = 1",
            )
            .bind(number)
            .bind(&order.customer)
            .bind(source)
            .bind(document)
            .execute(&mut *transaction)
            .await?;
            match taken.rows_affected() {
                0 => aside += 1,
                _ => {
                    new = true;
                    note_contacts(&mut transaction, order).await?;
                    note_parcel(&mut transaction, order).await?;
                }
            }
        }
        for customer in book.customers() {
            let document = serde_json::to_string(customer)?;
            sqlx::query(
                "INSERT INTO customers (id, source, version, document) VALUES ($1, $2, 1, $3)
                 ON CONFLICT (id) DO UPDATE SET source = excluded.source, document = excluded.document
                 WHERE customers.version = 1",
            )
            .bind(&customer.id)
            .bind(hex::encode(Sha256::digest(&document)))
            .bind(&document)
            .execute(&mut *transaction)
            .await?;
        }
        if new {
            together::stamp(&mut transaction, 0).await?;
        }
        self.commit(transaction).await?;
        self.note_missing_contacts().await?;
        self.note_missing_parcels().await?;
        Ok(aside)
    }

    /// How many events of finished tasks wait for the merchant's systems.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM outbox").fetch_one(&self.pool).await?)
    }
}

pub(super) fn document<T: DeserializeOwned>(row: &Found) -> anyhow::Result<T> {
    let document: String = row.try_get("document")?;
    serde_json::from_str(&document).context("a stored document cannot be read")
}

pub(super) fn versioned<T: DeserializeOwned>(row: &Found) -> anyhow::Result<Versioned<T>> {
    Ok(Versioned { value: document(row)?, version: row.try_get("version")? })
}

fn name(state: TaskState) -> &'static str {
    match state {
        TaskState::AwaitingConfirmation => WAITING,
        TaskState::Done => "done",
        TaskState::Refused => "refused",
        TaskState::Withdrawn => "withdrawn",
    }
}

#[async_trait]
impl OrderDesk for StateStore {
    async fn order(&self, number: &str) -> anyhow::Result<Option<Versioned<Order>>> {
        let row = sqlx::query(
            "SELECT orders.version AS version, orders.document AS document, shipments.document AS parcel
             FROM orders LEFT JOIN shipments ON shipments.number = orders.number WHERE orders.number = $1",
        )
        .bind(plain(number))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Versioned { value: order(&row)?, version: row.try_get("version")? })).transpose()
    }

    async fn customer(&self, id: &str) -> anyhow::Result<Versioned<Customer>> {
        let row = sqlx::query("SELECT version, document FROM customers WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let unknown = Customer { id: id.to_string(), address: None, methods: Vec::new() };
        Ok(row.as_ref().map(versioned).transpose()?.unwrap_or(Versioned { value: unknown, version: 0 }))
    }

    async fn task(&self, id: &str) -> anyhow::Result<Option<Task>> {
        let row = sqlx::query("SELECT document FROM tasks WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(document).transpose()
    }

    async fn propose(&self, task: &Task) -> anyhow::Result<()> {
        self.put(
            sqlx::query("INSERT INTO tasks (id, state, document) VALUES ($1, $2, $3)")
                .bind(&task.id)
                .bind(name(task.state))
                .bind(serde_json::to_string(task)?),
        )
        .await?;
        Ok(())
    }

    async fn close(&self, task: &Task) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        let closed = end(&mut transaction, task).await?;
        self.commit(transaction).await?;
        Ok(closed)
    }

    async fn slip(&self, order: &str) -> anyhow::Result<Option<Slip>> {
        self.slip_of(order).await
    }

    async fn apply(&self, task: &Task, decision: &Decision, seen: Seen) -> anyhow::Result<Applied> {
        let mut transaction = self.write().await?;
        // A transaction dropped without a commit is rolled back. Of two that end one task the second waits here for the first,
        // in either database, and then finds it ended; each write below stands on its version.
        if !end(&mut transaction, task).await? {
            return Ok(Applied::EndedBefore);
        }
        if let Some(order) = &decision.order {
            let changed = sqlx::query(
                "UPDATE orders SET document = $1, version = version + 1 WHERE number = $2 AND version = $3",
            )
            .bind(serde_json::to_string(order)?)
            .bind(plain(&order.number))
            .bind(seen.order)
            .execute(&mut *transaction)
            .await?;
            if changed.rows_affected() != 1 {
                return Ok(Applied::Outdated);
            }
            register(&mut transaction, (task, order)).await?;
        }
        if let Some(customer) = &decision.customer
            && !write_customer(&mut transaction, customer, seen.customer).await?
        {
            return Ok(Applied::Outdated);
        }
        sqlx::query("INSERT INTO outbox (id, at, document) VALUES ($1, $2, $3)")
            .bind(&task.id)
            .bind(Timestamp::now().to_string())
            .bind(serde_json::to_string(task)?)
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await?;
        Ok(Applied::Written)
    }
}

/// Ends a waiting task; the state in the condition makes it happen once.
async fn end(transaction: &mut Write<'_>, task: &Task) -> anyhow::Result<bool> {
    let changed = sqlx::query("UPDATE tasks SET state = $1, document = $2 WHERE id = $3 AND state = $4")
        .bind(name(task.state))
        .bind(document_of(task)?)
        .bind(&task.id)
        .bind(WAITING)
        .execute(&mut **transaction)
        .await?;
    Ok(changed.rows_affected() == 1)
}

async fn write_customer(transaction: &mut Write<'_>, customer: &Customer, seen: i64) -> anyhow::Result<bool> {
    let changed = sqlx::query(
        "INSERT INTO customers (id, source, version, document) VALUES ($1, '', 2, $2)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, version = customers.version + 1
         WHERE customers.version = $3",
    )
    .bind(&customer.id)
    .bind(document_of(customer)?)
    .bind(seen)
    .execute(&mut **transaction)
    .await?;
    Ok(changed.rows_affected() == 1)
}

fn document_of(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(value)?)
}

#[async_trait]
impl Proofs for StateStore {
    async fn wrong(&self, number: &str, caller: &str, since: Timestamp) -> anyhow::Result<WrongProofs> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS everybody, COUNT(CASE WHEN caller = $1 THEN 1 END) AS own FROM proofs
             WHERE number = $2 AND at >= $3",
        )
        .bind(caller)
        .bind(plain(number))
        .bind(since.as_second())
        .fetch_one(&self.pool)
        .await?;
        Ok(WrongProofs { own: row.try_get("own")?, all: row.try_get("everybody")? })
    }

    async fn note(&self, number: &str, caller: &str, now: Timestamp) -> anyhow::Result<()> {
        self.put(
            sqlx::query("INSERT INTO proofs (number, caller, at) VALUES ($1, $2, $3)")
                .bind(plain(number))
                .bind(caller)
                .bind(now.as_second()),
        )
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Orders for StateStore {
    async fn find(&self, number: &str) -> anyhow::Result<Option<Order>> {
        Ok(OrderDesk::order(self, number).await?.map(|order| order.value))
    }

    async fn of_customer(&self, customer: &str) -> anyhow::Result<Vec<Order>> {
        let rows = sqlx::query(
            "SELECT orders.document AS document, shipments.document AS parcel
             FROM orders LEFT JOIN shipments ON shipments.number = orders.number WHERE orders.customer = $1",
        )
        .bind(customer)
        .fetch_all(&self.pool)
        .await?;
        let mut orders: Vec<Order> = rows.iter().map(order).collect::<anyhow::Result<_>>()?;
        orders.sort_by(|a, b| (b.placed, &b.number).cmp(&(a.placed, &a.number)));
        Ok(orders)
    }

    async fn of_contact(&self, contact: &Contact) -> anyhow::Result<Vec<Order>> {
        self.orders_of(contact).await
    }
}
