//! What carriers tell of parcels: every event once, the newest word of each order's parcel, and the event for the merchant's systems,
//! all in one transaction. It decides nothing but what [`Shipment::after`] says.

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use sqlx::Row;

use crate::domain::handover::Event;
use crate::domain::order::{Order, OrderState};
use crate::domain::shipment::{self, ParcelEvent, Shipment};

use super::database::{Found, Write};
use super::desk::document;
use super::handover::put_event;
use super::orders::plain;
use super::state::StateStore;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The parcel is somewhere else now.
    Moved,
    /// It was told before.
    Before,
    /// Something newer is known already.
    Older,
    /// Its moment lies in the future: it is kept and never told.
    Ahead,
    /// The rules do not know the carrier's word: it is kept and never told.
    UnknownWord,
    /// No order names the parcel, as yet.
    UnknownParcel,
    /// An order names the parcel, but as another carrier's.
    OtherCarrier,
}

impl Kept {
    /// Its name in the store, over the wire and in figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Kept::Moved => "moved",
            Kept::Before => "before",
            Kept::Older => "older",
            Kept::Ahead => "ahead",
            Kept::UnknownWord => "unknown_word",
            Kept::UnknownParcel => "unknown_parcel",
            Kept::OtherCarrier => "other_carrier",
        }
    }
}

/// What is known here about an event.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// What orders call the carrier.
    pub called: &'a [String],
    /// The day of it in the shop.
    pub day: Date,
    /// Now.
    pub now: Timestamp,
}

/// An event that moved nothing and should be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The event.
    pub event: ParcelEvent,
    /// Why.
    pub result: String,
    /// When it was heard.
    pub heard: Timestamp,
}

impl StateStore {
    /// Keeps what a carrier told, with what follows from it: all of it or nothing, and once.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn keep_parcel_event(&self, event: &ParcelEvent, heard: Heard<'_>) -> anyhow::Result<Kept> {
        let mut transaction = self.write().await?;
        // Words about one parcel are weighed one after another: the newest must stay the newest.
        self.db.alone(&mut transaction, &format!("parcel:{}", event.tracking)).await?;
        if let Some(number) = &event.order {
            self.db.alone(&mut transaction, &format!("parcel_of:{}", plain(number))).await?;
        }
        let known = sqlx::query("SELECT result FROM parcel_events WHERE id = $1")
            .bind(&event.id)
            .fetch_optional(&mut *transaction)
            .await?;
        let stray = Kept::UnknownParcel.as_str();
        let known: Option<String> = known.map(|row| row.try_get("result")).transpose()?;
        if known.as_deref().is_some_and(|result| result != stray) {
            return Ok(Kept::Before);
        }
        let kept = weigh(&mut transaction, event, heard).await?;
        if known.is_some() && kept == Kept::UnknownParcel {
            return Ok(kept);
        }
        sqlx::query(
            "INSERT INTO parcel_events (id, carrier, tracking, at, heard, result, document) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET result = excluded.result",
        )
        .bind(&event.id)
        .bind(&event.carrier)
        .bind(&event.tracking)
        .bind(event.at.as_second())
        .bind(heard.now.as_second())
        .bind(kept.as_str())
        .bind(serde_json::to_string(event)?)
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await?;
        Ok(kept)
    }

    /// Events of parcels that were unknown when they came and are known now, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn strays(&self, limit: i64) -> anyhow::Result<Vec<ParcelEvent>> {
        let rows = sqlx::query(
            "SELECT document FROM parcel_events WHERE result = 'unknown_parcel'
             AND EXISTS (SELECT 1 FROM parcels WHERE parcels.tracking = parcel_events.tracking) ORDER BY at, id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(document).collect()
    }

    /// How many events there are of each carrier and result.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn parcel_counts(&self) -> anyhow::Result<Vec<(String, String, i64)>> {
        let rows = sqlx::query(
            "SELECT carrier, result, COUNT(*) AS events FROM parcel_events GROUP BY carrier, result ORDER BY carrier, result",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("carrier")?, row.try_get("result")?, row.try_get("events")?))).collect()
    }

    /// The latest events that moved nothing because something about them is not known.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn parcel_findings(&self, limit: i64) -> anyhow::Result<Vec<Finding>> {
        let rows = sqlx::query(
            "SELECT document, result, heard FROM parcel_events WHERE result IN ('ahead', 'unknown_word', 'unknown_parcel', 'other_carrier')
             ORDER BY heard DESC, id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let finding = |row: &Found| -> anyhow::Result<Finding> {
            let heard = Timestamp::from_second(row.try_get("heard")?).context("a stored moment")?;
            Ok(Finding { event: document(row)?, result: row.try_get("result")?, heard })
        };
        rows.iter().map(finding).collect()
    }

    /// Notes the parcels of orders that were written before parcels were noted.
    pub(super) async fn note_missing_parcels(&self) -> anyhow::Result<()> {
        let without = "SELECT document FROM orders WHERE document LIKE '%\"tracking\":%' AND NOT EXISTS
             (SELECT 1 FROM parcels WHERE parcels.number = orders.number) ORDER BY number";
        let orders = self.orders_without(without).await?;
        if orders.is_empty() {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        for order in &orders {
            note_parcel(&mut transaction, order).await?;
        }
        self.commit(transaction).await
    }
}

/// What one more word comes to.
async fn weigh(transaction: &mut Write<'_>, event: &ParcelEvent, heard: Heard<'_>) -> anyhow::Result<Kept> {
    let order = match owner(transaction, event, heard.called).await? {
        Ok(order) => order,
        Err(kept) => return Ok(kept),
    };
    if event.state.is_none() {
        return Ok(Kept::UnknownWord);
    }
    if event.is_ahead(heard.now) {
        return Ok(Kept::Ahead);
    }
    let number = plain(&order.number);
    let row = sqlx::query("SELECT document FROM shipments WHERE number = $1")
        .bind(&number)
        .fetch_optional(&mut **transaction)
        .await?;
    let before: Option<Shipment> = row.as_ref().map(document).transpose()?;
    let called = heard.called.first().map_or(event.carrier.as_str(), String::as_str);
    let Some(next) = Shipment::after(before.as_ref(), event, (called, heard.day)) else { return Ok(Kept::Older) };
    sqlx::query(
        "INSERT INTO shipments (number, state, at, document) VALUES ($1, $2, $3, $4)
         ON CONFLICT (number) DO UPDATE SET state = excluded.state, at = excluded.at, document = excluded.document",
    )
    .bind(&number)
    .bind(next.state.as_str())
    .bind(next.at.as_second())
    .bind(serde_json::to_string(&next)?)
    .execute(&mut **transaction)
    .await?;
    put_event(transaction, &told(event, &order, next)).await?;
    Ok(Kept::Moved)
}

/// What the merchant's systems are told.
fn told(event: &ParcelEvent, order: &Order, next: Shipment) -> Event {
    let first = order.promised;
    let order = order.clone().with_parcel(Some(next.clone()));
    let document = json!({
        "event": "parcel_moved",
        "order": order.number,
        "customer": order.customer,
        "order_state": order.state,
        "carrier": next.carrier,
        "tracking": next.tracking,
        "state": next.state,
        "place": next.place,
        "at": next.at.to_string(),
        "promised": order.expected(),
        "first_promised": first,
        "put_off": order.put_off().is_some(),
    });
    Event { id: format!("parcel:{}", event.id), document: document.to_string() }
}

/// The order whose parcel it is: the one that bears its number, else the one the carrier names, while that has no parcel yet.
async fn owner(
    transaction: &mut Write<'_>,
    event: &ParcelEvent,
    called: &[String],
) -> anyhow::Result<Result<Order, Kept>> {
    let rows = sqlx::query(
        "SELECT orders.document AS document FROM parcels JOIN orders ON orders.number = parcels.number
         WHERE parcels.tracking = $1",
    )
    .bind(&event.tracking)
    .fetch_all(&mut **transaction)
    .await?;
    let orders: Vec<Order> = rows.iter().map(document).collect::<anyhow::Result<_>>()?;
    let same = |order: &Order| {
        let own = order.tracking.as_deref().map(shipment::plain);
        let meant = order.carrier.as_ref().is_none_or(|named| {
            called.iter().any(|called| called.trim().to_lowercase() == named.trim().to_lowercase())
        });
        meant && own.is_none_or(|own| own == event.tracking)
    };
    let bears = |order: &Order| order.tracking.as_deref().map(shipment::plain).as_ref() == Some(&event.tracking);
    let other = orders.iter().any(bears);
    if let Some(order) = orders.into_iter().filter(same).max_by_key(|order| order.placed) {
        return Ok(Ok(order));
    }
    if other {
        return Ok(Err(Kept::OtherCarrier));
    }
    let Some(number) = &event.order else { return Ok(Err(Kept::UnknownParcel)) };
    // Which of two parcels an order means, a person must say.
    let row = sqlx::query(
        "SELECT document FROM orders WHERE number = $1 AND NOT EXISTS
         (SELECT 1 FROM parcels WHERE parcels.number = orders.number)",
    )
    .bind(plain(number))
    .fetch_optional(&mut **transaction)
    .await?;
    let named: Option<Order> = row.as_ref().map(document).transpose()?;
    let sent = |order: &Order| matches!(order.state, OrderState::Processing | OrderState::Shipped);
    let Some(order) = named.filter(|order| order.tracking.is_none() && sent(order) && same(order)) else {
        return Ok(Err(Kept::UnknownParcel));
    };
    bind_parcel(transaction, &event.tracking, &order).await?;
    Ok(Ok(order))
}

/// Notes which parcel an order has, and that it may be asked about at once.
pub(super) async fn note_parcel(transaction: &mut Write<'_>, order: &Order) -> anyhow::Result<()> {
    let Some(tracking) = order.tracking.as_deref().map(shipment::plain).filter(|tracking| !tracking.is_empty()) else {
        return Ok(());
    };
    sqlx::query("DELETE FROM parcels WHERE number = $1 AND tracking <> $2")
        .bind(plain(&order.number))
        .bind(&tracking)
        .execute(&mut **transaction)
        .await?;
    bind_parcel(transaction, &tracking, order).await
}

/// What has come to its end is never asked about.
async fn bind_parcel(transaction: &mut Write<'_>, tracking: &str, order: &Order) -> anyhow::Result<()> {
    let next_at = if order.state < OrderState::Delivered { 0 } else { i64::MAX };
    sqlx::query(
        "INSERT INTO parcels (tracking, number, next_at, failures) VALUES ($1, $2, $3, 0)
         ON CONFLICT (tracking, number) DO UPDATE SET next_at = excluded.next_at, failures = 0",
    )
    .bind(tracking)
    .bind(plain(&order.number))
    .bind(next_at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// An order of a row with its parcel's newest word in the column `parcel`.
pub(super) fn order(row: &Found) -> anyhow::Result<Order> {
    let told: Option<String> = row.try_get("parcel")?;
    let told = told.map(|told| serde_json::from_str(&told).context("a stored parcel cannot be read")).transpose()?;
    let order: Order = document(row)?;
    Ok(order.with_parcel(told))
}
