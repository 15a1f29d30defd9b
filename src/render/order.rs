//! An order's state in sentences.

use crate::domain::desk::ReturnState;
use crate::domain::order::{Order, OrderState};
use crate::domain::shipment::ParcelState;
use crate::domain::{FactBody, FactId, Money, Role, SegmentKind};

use super::Page;
use super::segment::Values;

impl Page<'_> {
    pub(super) fn order(&mut self, id: &FactId) {
        let Some(fact) = self.scene.fact(id) else { return };
        let FactBody::Order(order) = &fact.body else { return };
        let values = self.order_values(id, order);
        self.say(SegmentKind::Order, order_key(order), &values);
        if order.state == OrderState::Cancelled && order.refunded().is_some() {
            self.say(SegmentKind::Order, "refund_sent", &values);
        }
        let on_its_way = matches!(order.state, OrderState::Processing | OrderState::Shipped);
        let late = order.expected().is_some_and(|promised| promised < self.scene.today);
        if on_its_way && !is_returning(order) {
            if order.put_off().is_some() {
                self.say(SegmentKind::Order, "order_put_off", &values);
            }
            if late {
                self.plain(SegmentKind::Order, "order_late");
            }
        }
        if on_its_way || order.state == OrderState::ReadyForPickup {
            self.parcel(order, &values);
        }
    }

    /// What the carrier told last, and where the parcel is followed.
    fn parcel(&mut self, order: &Order, values: &Values) {
        if let Some(parcel) = &order.parcel {
            if let Some(key) = parcel_key(parcel.state) {
                self.plain(SegmentKind::Order, key);
            }
            let key = if parcel.place.is_some() { "parcel_seen" } else { "parcel_seen_day" };
            self.say(SegmentKind::Order, key, values);
        }
        if order.tracking_link.is_some() {
            self.say(SegmentKind::Order, "parcel_link", values);
        }
    }

    pub(super) fn cancel_rule(&mut self, id: &FactId) {
        let Some(FactBody::Order(order)) = self.scene.fact(id).map(|fact| &fact.body) else { return };
        let key = match order.state {
            state if state.cancellable() => "order_cancellable",
            OrderState::Shipped | OrderState::ReadyForPickup | OrderState::Delivered => "order_not_cancellable",
            _ => return,
        };
        self.plain(SegmentKind::Order, key);
    }

    fn order_values(&self, id: &FactId, order: &Order) -> Values {
        let year = self.scene.today.year();
        let mut values = Values::default().fact("order_number", (order.number.clone(), id, Role::OrderNumber));
        if let Ok(total) = Money::parse(&order.total, order.currency) {
            values = values.fact("total", (self.book.money(total), id, Role::Total));
        }
        if let Some(refunded) = order.refunded() {
            values = values.fact("refund", (self.book.money(refunded), id, Role::Refund));
        }
        if let Some(back) = &order.back {
            values = values.fact("back_on", (self.book.date(back.day, year), id, Role::BackOn));
        }
        if let Some(promised) = order.expected() {
            values = values.fact("promised", (self.book.date(promised, year), id, Role::Promised));
        }
        if let Some(first) = order.put_off() {
            values = values.fact("first_promised", (self.book.date(first, year), id, Role::FirstPromised));
        }
        if let Some(delivered) = order.delivered {
            values = values.fact("delivered", (self.book.date(delivered, year), id, Role::Delivered));
        }
        if let Some(carrier) = &order.carrier {
            values = values.fact("carrier", (carrier.clone(), id, Role::Carrier));
        }
        if let Some(tracking) = &order.tracking {
            values = values.fact("tracking", (tracking.clone(), id, Role::Tracking));
        }
        if let Some(link) = &order.tracking_link {
            values = values.fact("link", (link.clone(), id, Role::Link));
        }
        if let Some(parcel) = &order.parcel {
            values = values.fact("seen", (self.book.date(parcel.day, year), id, Role::Scanned));
            if let Some(place) = &parcel.place {
                values = values.fact("parcel_place", (place.clone(), id, Role::ScannedAt));
            }
        }
        values
    }
}

fn is_returning(order: &Order) -> bool {
    order.parcel.as_ref().is_some_and(|parcel| parcel.state == ParcelState::Returning)
}

/// The sentence about a parcel that says more than its order's state does.
fn parcel_key(state: ParcelState) -> Option<&'static str> {
    match state {
        ParcelState::Registered => Some("parcel_registered"),
        ParcelState::Accepted => Some("parcel_accepted"),
        ParcelState::OutForDelivery => Some("parcel_out_for_delivery"),
        ParcelState::Attempted => Some("parcel_attempted"),
        ParcelState::InTransit | ParcelState::AtPickup | ParcelState::Delivered | ParcelState::Returning => None,
    }
}

/// The sentence whose values the order has.
fn order_key(order: &Order) -> &'static str {
    let back = order.back.as_ref().map(|back| back.state);
    match order.state {
        OrderState::ReturnRequested if back == Some(ReturnState::Received) => "return_received",
        OrderState::ExchangeRequested if back == Some(ReturnState::Received) => "exchange_received",
        OrderState::ReturnRequested | OrderState::ExchangeRequested if back == Some(ReturnState::Refused) => {
            "return_not_accepted"
        }
        OrderState::Refunded if order.refunded().is_none() => "order_refunded_plain",
        OrderState::Refunded if back == Some(ReturnState::Refunded) => "order_refunded_on",
        OrderState::Shipped | OrderState::ReadyForPickup if is_returning(order) => "order_parcel_returning",
        OrderState::Processing if order.expected().is_none() => "order_processing_plain",
        OrderState::Shipped if order.expected().is_none() || order.carrier.is_none() || order.tracking.is_none() => {
            "order_shipped_plain"
        }
        OrderState::Delivered if order.delivered.is_none() => "order_delivered_plain",
        state => state.reply_key(),
    }
}
