//! Carts, checkouts and payments. Each write is one transaction on the version it was decided on, and once for its operation.

use anyhow::Context;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::Row;

use crate::domain::Money;
use crate::domain::cart::{Cart, Checkout, CheckoutState, Paid, PaymentLink, PaymentRecord, Settled};
use crate::domain::desk::{Payment, Versioned};
use crate::domain::handover::Event;
use crate::domain::order::{Order, OrderState};
use crate::engine::{Applied, Carts, Numbers, OrderDesk};

use super::codes::note_contacts;
use super::database::Write;
use super::desk::{document, versioned};
use super::handover::put_event;
use super::orders::plain;
use super::state::StateStore;

/// What the merchant's systems are told of an order that came out of a cart.
#[derive(Serialize)]
struct Told<'a> {
    event: &'a str,
    order: &'a str,
    amount: Money,
    session: Option<String>,
    customer: &'a str,
    /// A person must look: the order was called off, or paid before.
    unexpected: bool,
}

#[async_trait]
impl Carts for StateStore {
    async fn cart(&self, owner: &str) -> anyhow::Result<Versioned<Cart>> {
        let row = sqlx::query("SELECT version, document FROM carts WHERE owner = $1")
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        let none = Versioned { value: Cart::default(), version: 0 };
        Ok(row.as_ref().map(versioned).transpose()?.unwrap_or(none))
    }

    async fn write_cart(&self, owner: &str, cart: &Versioned<Cart>, operation: &str) -> anyhow::Result<Applied> {
        let mut transaction = self.write().await?;
        let fresh = sqlx::query(
            "INSERT INTO cart_edits (owner, operation, at) VALUES ($1, $2, $3) ON CONFLICT (owner, operation) DO NOTHING",
        )
        .bind(owner)
        .bind(operation)
        .bind(Timestamp::now().as_second())
        .execute(&mut *transaction)
        .await?;
        if fresh.rows_affected() != 1 {
            return Ok(Applied::EndedBefore);
        }
        if !put_cart(&mut transaction, owner, cart).await? {
            return Ok(Applied::Outdated);
        }
        self.commit(transaction).await?;
        Ok(Applied::Written)
    }

    async fn edited(&self, owner: &str, operation: &str) -> anyhow::Result<bool> {
        let known = sqlx::query("SELECT 1 FROM cart_edits WHERE owner = $1 AND operation = $2")
            .bind(owner)
            .bind(operation)
            .fetch_optional(&self.pool)
            .await?;
        Ok(known.is_some())
    }

    async fn checkout(&self, id: &str) -> anyhow::Result<Option<Checkout>> {
        let row =
            sqlx::query("SELECT document FROM checkouts WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(document).transpose()
    }

    async fn keep_checkout(&self, checkout: &Checkout) -> anyhow::Result<()> {
        self.put(
            sqlx::query("INSERT INTO checkouts (id, state, document) VALUES ($1, $2, $3)")
                .bind(&checkout.id)
                .bind(checkout.state.as_str())
                .bind(serde_json::to_string(checkout)?),
        )
        .await?;
        Ok(())
    }

    async fn close_checkout(&self, checkout: &Checkout) -> anyhow::Result<bool> {
        let mut transaction = self.write().await?;
        let closed = end(&mut transaction, checkout).await?;
        self.commit(transaction).await?;
        Ok(closed)
    }

    async fn place(&self, checkout: &Checkout, order: &Order, numbers: Numbers<'_>) -> anyhow::Result<Applied> {
        let mut transaction = self.write().await?;
        // A transaction dropped without a commit is rolled back. Of two that place one checkout the second waits here for the
        // first, in either database, and then finds it ended.
        if !end(&mut transaction, checkout).await? {
            return Ok(Applied::EndedBefore);
        }
        let cart: Versioned<Cart> = {
            let row = sqlx::query("SELECT version, document FROM carts WHERE owner = $1 AND version = $2")
                .bind(&checkout.owner)
                .bind(checkout.cart_version)
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(row) = row else { return Ok(Applied::Outdated) };
            versioned(&row)?
        };
        // The next number is one more than the last one: nobody else may be counting.
        self.db.alone(&mut transaction, "order_numbers").await?;
        let number = number(&mut transaction, &checkout.id, numbers).await?;
        let order = Order { number: number.clone(), ..order.clone() };
        // Version 2: a feed of orders does not write over what was placed here.
        sqlx::query("INSERT INTO orders (number, customer, source, version, document) VALUES ($1, $2, '', 2, $3)")
            .bind(plain(&number))
            .bind(&order.customer)
            .bind(serde_json::to_string(&order)?)
            .execute(&mut *transaction)
            .await?;
        note_contacts(&mut transaction, &order).await?;
        let placed = Checkout { order: Some(number.clone()), ..checkout.clone() };
        sqlx::query("UPDATE checkouts SET document = $1 WHERE id = $2")
            .bind(serde_json::to_string(&placed)?)
            .bind(&placed.id)
            .execute(&mut *transaction)
            .await?;
        let emptied = Cart { lines: Vec::new(), coupon: None, ..cart.value };
        // In PostgreSQL somebody may have written the cart since it was read above.
        if !put_cart(&mut transaction, &checkout.owner, &Versioned { value: emptied, version: cart.version }).await? {
            return Ok(Applied::Outdated);
        }
        let session = checkout.session.map(|session| session.to_string());
        tell(&mut transaction, ("order_placed", &placed.id), (&order, session, false)).await?;
        self.commit(transaction).await?;
        Ok(Applied::Written)
    }

    async fn placed(&self, number: &str) -> anyhow::Result<Option<Order>> {
        Ok(OrderDesk::order(self, number).await?.map(|order| order.value))
    }

    async fn payment(&self, order: &str) -> anyhow::Result<Option<(PaymentRecord, i64)>> {
        let row = sqlx::query(
            "SELECT provider, reference, attempt, url, minor, currency, paid, at FROM payments WHERE number = $1
             ORDER BY attempt DESC LIMIT 1",
        )
        .bind(plain(order))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (currency, at): (String, String) = (row.try_get("currency")?, row.try_get("at")?);
        let record = PaymentRecord {
            order: order.to_string(),
            link: PaymentLink {
                provider: row.try_get("provider")?,
                reference: row.try_get("reference")?,
                url: row.try_get("url")?,
            },
            amount: Money::new(row.try_get("minor")?, currency.parse()?),
            paid: row.try_get::<i64, _>("paid")? == 1,
            made: at.parse().context("a stored moment")?,
        };
        Ok(Some((record, row.try_get("attempt")?)))
    }

    async fn keep_payment(&self, payment: &PaymentRecord) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        // Attempts of one order are counted one after another.
        self.db.alone(&mut transaction, &format!("payments:{}", plain(&payment.order))).await?;
        sqlx::query(
            "INSERT INTO payments (provider, reference, number, attempt, url, minor, currency, paid, at)
             SELECT $1, $2, $3, COALESCE(MAX(attempt) + 1, 0), $4, $5, $6, 0, $7 FROM payments WHERE number = $3
             ON CONFLICT (provider, reference) DO NOTHING",
        )
        .bind(&payment.link.provider)
        .bind(&payment.link.reference)
        .bind(plain(&payment.order))
        .bind(&payment.link.url)
        .bind(payment.amount.minor)
        .bind(payment.amount.currency.code())
        .bind(payment.made.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn settle(&self, provider: &str, paid: &Paid) -> anyhow::Result<Settled> {
        let mut transaction = self.write().await?;
        let claimed = sqlx::query(
            "UPDATE payments SET paid = 1 WHERE provider = $1 AND reference = $2 AND minor = $3 AND currency = $4
             AND paid = 0",
        )
        .bind(provider)
        .bind(&paid.reference)
        .bind(paid.amount.minor)
        .bind(paid.amount.currency.code())
        .execute(&mut *transaction)
        .await?;
        let row = sqlx::query("SELECT number, minor, currency FROM payments WHERE provider = $1 AND reference = $2")
            .bind(provider)
            .bind(&paid.reference)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(Settled::Unknown) };
        if claimed.rows_affected() != 1 {
            let (minor, currency): (i64, String) = (row.try_get("minor")?, row.try_get("currency")?);
            let asked = Money::new(minor, currency.parse()?);
            if asked == paid.amount {
                return Ok(Settled::Before);
            }
            // The order stays unpaid; a person must look at the money that came in.
            let number: String = row.try_get("number")?;
            put_event(&mut transaction, &mismatch((&number, provider), asked, paid)).await?;
            self.commit(transaction).await?;
            return Ok(Settled::WrongAmount);
        }
        let number: String = row.try_get("number")?;
        let payment = Payment { refund: false, amount: paid.amount, method: provider.to_string() };
        let reference = format!("{provider}:{}", paid.reference);
        book_payment(&mut transaction, (&number, &reference), payment).await?;
        self.commit(transaction).await?;
        Ok(Settled::Now)
    }
}

/// Ends a waiting checkout; the state in the condition makes it happen once.
async fn end(transaction: &mut Write<'_>, checkout: &Checkout) -> anyhow::Result<bool> {
    let changed = sqlx::query("UPDATE checkouts SET state = $1, document = $2 WHERE id = $3 AND state = $4")
        .bind(checkout.state.as_str())
        .bind(serde_json::to_string(checkout)?)
        .bind(&checkout.id)
        .bind(CheckoutState::AwaitingConfirmation.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(changed.rows_affected() == 1)
}

/// Writes a cart on its version; false when that is gone.
pub(super) async fn put_cart(transaction: &mut Write<'_>, owner: &str, cart: &Versioned<Cart>) -> anyhow::Result<bool> {
    let written = sqlx::query(
        "INSERT INTO carts (owner, version, at, document) VALUES ($1, 1, $3, $4)
         ON CONFLICT (owner) DO UPDATE SET version = carts.version + 1, at = excluded.at, document = excluded.document
         WHERE carts.version = $2",
    )
    .bind(owner)
    .bind(cart.version)
    .bind(Timestamp::now().as_second())
    .bind(serde_json::to_string(&cart.value)?)
    .execute(&mut **transaction)
    .await?;
    Ok(written.rows_affected() == 1)
}

async fn number(transaction: &mut Write<'_>, checkout: &str, numbers: Numbers<'_>) -> anyhow::Result<String> {
    let next: i64 = sqlx::query_scalar(
        "INSERT INTO order_numbers (number, checkout)
         SELECT COALESCE(MAX(number) + 1, $1), $2 FROM order_numbers WHERE number >= $1 RETURNING number",
    )
    .bind(numbers.first)
    .bind(checkout)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(format!("{}{next}", numbers.prefix))
}

/// What the merchant's systems are told of money that is not what was asked for: once for each amount.
fn mismatch((number, provider): (&str, &str), asked: Money, paid: &Paid) -> Event {
    let Money { minor, currency } = paid.amount;
    let document = json!({
        "event": "payment_mismatch", "order": number, "provider": provider, "reference": paid.reference,
        "asked": asked, "paid": paid.amount, "unexpected": true,
    });
    Event {
        id: format!("{provider}:{}:{minor}{}:payment_mismatch", paid.reference, currency.code()),
        document: document.to_string(),
    }
}

/// The order gets its payment and goes on, unless it was called off or paid before: then a person must look.
async fn book_payment(
    transaction: &mut Write<'_>,
    (number, reference): (&str, &str),
    payment: Payment,
) -> anyhow::Result<()> {
    // Counted first: from here on nobody else writes to the order, and what was read is the newest.
    let row = sqlx::query("UPDATE orders SET version = version + 1 WHERE number = $1 RETURNING document")
        .bind(number)
        .fetch_one(&mut **transaction)
        .await
        .context("the order of a payment is gone")?;
    let mut order: Order = document(&row)?;
    let expected = order.state == OrderState::AwaitingPayment;
    if expected {
        order.state = OrderState::Processing;
    }
    order.payments.push(payment);
    sqlx::query("UPDATE orders SET document = $1 WHERE number = $2")
        .bind(serde_json::to_string(&order)?)
        .bind(number)
        .execute(&mut **transaction)
        .await?;
    tell(transaction, ("order_paid", reference), (&order, None, !expected)).await
}

async fn tell(
    transaction: &mut Write<'_>,
    (event, id): (&str, &str),
    (order, session, unexpected): (&Order, Option<String>, bool),
) -> anyhow::Result<()> {
    let amount = Money::parse(&order.total, order.currency).context("the order's total")?;
    let told = Told { event, order: &order.number, amount, session, customer: &order.customer, unexpected };
    let event = Event { id: format!("{id}:{event}"), document: json!(told).to_string() };
    put_event(transaction, &event).await
}
