//! One-time codes as digests, and which orders name which contact. It decides nothing about either.

use anyhow::Context;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::domain::identity::Contact;
use crate::domain::order::Order;
use crate::domain::session::SessionId;
use crate::engine::{CodeBook, CodeCounts, CodeTried, NewCode};

use super::database::Write;
use super::desk::document;
use super::orders::plain;
use super::parcels::order;
use super::state::StateStore;

/// Codes are forgotten after this.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[async_trait]
impl CodeBook for StateStore {
    async fn codes_since(&self, code: &NewCode, since: Timestamp) -> anyhow::Result<CodeCounts> {
        let row = sqlx::query(
            "SELECT COUNT(CASE WHEN contact = $1 THEN 1 END) AS of_contact,
             COUNT(CASE WHEN session = $2 THEN 1 END) AS of_session, COUNT(CASE WHEN client = $3 THEN 1 END) AS of_client,
             MAX(CASE WHEN contact = $1 OR session = $2 THEN at END) AS latest
             FROM codes WHERE at >= $4 AND (contact = $1 OR session = $2 OR client = $3)",
        )
        .bind(&code.contact)
        .bind(code.session.to_string())
        .bind(&code.client)
        .bind(since.as_second())
        .fetch_one(&self.pool)
        .await?;
        let latest: Option<i64> = row.try_get("latest")?;
        Ok(CodeCounts {
            contact: row.try_get("of_contact")?,
            session: row.try_get("of_session")?,
            client: row.try_get("of_client")?,
            latest: latest.map(Timestamp::from_second).transpose().context("a stored moment")?,
        })
    }

    async fn keep_code(&self, code: &NewCode) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM codes WHERE at < $1")
            .bind((code.at - KEPT).as_second())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE codes SET state = 'replaced' WHERE session = $1 AND state = 'open'")
            .bind(code.session.to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO codes (id, session, client, contact, digest, tries, state, at, expires)
             VALUES ($1, $2, $3, $4, $5, 0, 'open', $6, $7)",
        )
        .bind(&code.id)
        .bind(code.session.to_string())
        .bind(&code.client)
        .bind(&code.contact)
        .bind(&code.digest)
        .bind(code.at.as_second())
        .bind(code.expires.as_second())
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    async fn try_code(&self, session: SessionId, tries: i64, now: Timestamp) -> anyhow::Result<Option<CodeTried>> {
        let tried = sqlx::query(
            "UPDATE codes SET tries = tries + 1 WHERE session = $1 AND state = 'open' AND tries < $2 AND expires > $3
             RETURNING id, digest",
        );
        let row = self.put_for_row(tried.bind(session.to_string()).bind(tries).bind(now.as_second())).await?;
        row.map(|row| Ok(CodeTried { id: row.try_get("id")?, digest: row.try_get("digest")? })).transpose()
    }

    async fn use_code(&self, id: &str) -> anyhow::Result<bool> {
        let used =
            self.put(sqlx::query("UPDATE codes SET state = 'used' WHERE id = $1 AND state = 'open'").bind(id)).await?;
        Ok(used.rows_affected() == 1)
    }
}

impl StateStore {
    /// The orders that name a contact, newest first.
    pub(super) async fn orders_of(&self, contact: &Contact) -> anyhow::Result<Vec<Order>> {
        let rows = sqlx::query(
            "SELECT orders.document AS document, shipments.document AS parcel FROM order_contacts
             JOIN orders ON orders.number = order_contacts.number LEFT JOIN shipments ON shipments.number = orders.number
             WHERE order_contacts.contact = $1",
        )
        .bind(contact.key())
        .fetch_all(&self.pool)
        .await?;
        let mut orders: Vec<Order> = rows.iter().map(order).collect::<anyhow::Result<_>>()?;
        // A feed may have given the order another contact since: its own word counts.
        orders.retain(|order| Contact::of_order(&order.phone, &order.email).any(|own| own.key() == contact.key()));
        orders.sort_by(|a, b| (b.placed, &b.number).cmp(&(a.placed, &a.number)));
        Ok(orders)
    }

    /// Notes the contacts of orders that were written before contacts were noted.
    pub(super) async fn note_missing_contacts(&self) -> anyhow::Result<()> {
        let without = "SELECT document FROM orders WHERE NOT EXISTS
             (SELECT 1 FROM order_contacts WHERE order_contacts.number = orders.number) ORDER BY number";
        let orders = self.orders_without(without).await?;
        if orders.is_empty() {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        for order in &orders {
            note_contacts(&mut transaction, order).await?;
        }
        self.commit(transaction).await
    }

    /// The orders a query finds that something is still to be noted of.
    pub(super) async fn orders_without(&self, query: &'static str) -> anyhow::Result<Vec<Order>> {
        sqlx::query(query).fetch_all(&self.pool).await?.iter().map(document).collect()
    }
}

/// Notes by which contacts an order is found.
pub(super) async fn note_contacts(transaction: &mut Write<'_>, order: &Order) -> anyhow::Result<()> {
    for contact in Contact::of_order(&order.phone, &order.email) {
        sqlx::query(
            "INSERT INTO order_contacts (contact, number) VALUES ($1, $2) ON CONFLICT (contact, number) DO NOTHING",
        )
        .bind(contact.key())
        .bind(plain(&order.number))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
