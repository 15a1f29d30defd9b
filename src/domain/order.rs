//! Orders as the merchant's system tells them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::desk::{Address, Back, Changes, Payment};
use super::language::Language;
use super::money::{Currency, Money};
use super::place::PlaceId;
use super::product::Sku;
use super::shipment::{ParcelState, Shipment, plain};

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The number the customer knows: `TT-10427`.
    pub number: String,
    /// The customer's id in the shop.
    pub customer: String,
    /// The customer's name.
    pub name: String,
    /// Phone in E.164; with the number it proves whose order it is.
    pub phone: String,
    /// E-mail; with the number it proves whose order it is.
    pub email: String,
    /// The language the customer ordered in.
    pub language: Language,
    /// Where it goes.
    pub place: PlaceId,
    /// The day it was placed.
    pub placed: Date,
    /// Where it is now.
    pub state: OrderState,
    /// The day it was promised for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Date>,
    /// The day it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Date>,
    /// The carrier's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's parcel number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// Where its parcel is followed: the merchant's own link, else that of `data/rules/carriers.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_link: Option<String>,
    /// What the carrier told last; never read from the merchant's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel: Option<Shipment>,
    /// How far its return is; never read from the merchant's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// What was bought.
    pub items: Vec<OrderItem>,
    /// Delivery charge, as [`super::Money::parse`] reads it.
    pub shipping: String,
    /// What was or will be paid, delivery included.
    pub total: String,
    /// Where exactly it goes, when the merchant's system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Money that moved for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
    /// What was asked of it after it was placed.
    #[serde(default, skip_serializing_if = "Changes::is_none")]
    pub changes: Changes,
}

impl Order {
    /// The order as its carrier's newest word leaves it. It goes forward only, and only while the shop has it on its way: what the
    /// shop says of an end counts more.
    pub fn with_parcel(mut self, told: Option<Shipment>) -> Order {
        let own = self.tracking.as_deref().map(plain);
        self.parcel = told.filter(|told| own.as_ref().is_none_or(|own| *own == told.tracking));
        let on_its_way =
            matches!(self.state, OrderState::Processing | OrderState::Shipped | OrderState::ReadyForPickup);
        let Some(told) = self.parcel.as_ref().filter(|_| on_its_way) else { return self };
        let (state, arrived) = match told.state {
            ParcelState::Registered => (self.state, None),
            ParcelState::AtPickup => (OrderState::ReadyForPickup, None),
            ParcelState::Delivered => (OrderState::Delivered, Some(told.day)),
            _ => (OrderState::Shipped, None),
        };
        self.state = self.state.max(state);
        self.delivered = self.delivered.or(arrived);
        self.tracking.get_or_insert_with(|| told.tracking.clone());
        self.carrier.get_or_insert_with(|| told.called.clone());
        self
    }

    /// The day it is promised for now: the carrier's newest promise, else the shop's.
    pub fn expected(&self) -> Option<Date> {
        self.parcel.as_ref().and_then(|parcel| parcel.promised).or(self.promised)
    }

    /// The money that went back: what the merchant's system tells, else the prices of the pieces that were returned, else all of
    /// it. None while it has not, or where nobody can say how much.
    pub fn refunded(&self) -> Option<Money> {
        let back: Vec<i64> =
            self.payments.iter().filter(|payment| payment.refund).map(|payment| payment.amount.minor).collect();
        let sum = match self.state {
            OrderState::Refunded | OrderState::Cancelled if !back.is_empty() => back.iter().sum(),
            OrderState::Refunded if !self.changes.wanted.is_empty() => return None,
            OrderState::Refunded if !self.changes.returned.is_empty() => self.prices(&self.changes.returned)?,
            OrderState::Refunded => return Money::parse(&self.total, self.currency).ok(),
            _ => return None,
        };
        Some(Money::new(sum, self.currency)).filter(|money| money.minor > 0)
    }

    fn prices(&self, pieces: &[Sku]) -> Option<i64> {
        let price = |sku: &Sku| {
            let item = self.items.iter().find(|item| item.sku == *sku)?;
            Some(Money::parse(&item.price, self.currency).ok()?.minor)
        };
        pieces.iter().map(price).sum()
    }

    /// True when something of it comes back, or its money did.
    pub fn comes_back(&self) -> bool {
        let returned =
            matches!(self.state, OrderState::ReturnRequested | OrderState::ExchangeRequested | OrderState::Refunded);
        returned || self.refunded().is_some()
    }

    /// The shop's own promise, where the carrier gave a later one.
    pub fn put_off(&self) -> Option<Date> {
        self.promised.filter(|first| self.expected().is_some_and(|now| now > *first))
    }
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderItem {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: u32,
    /// Price of one piece when it was bought.
    pub price: String,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Placed, waiting for the payment.
    AwaitingPayment,
    /// Paid, being packed.
    Processing,
    /// Handed to the carrier.
    Shipped,
    /// Waiting at a pick-up point.
    ReadyForPickup,
    /// With the customer.
    Delivered,
    /// Called off before it left.
    Cancelled,
    /// On its way back.
    ReturnRequested,
    /// On its way back, other variants come instead.
    ExchangeRequested,
    /// Back in the shop, money returned.
    Refunded,
}

impl OrderState {
    /// Every state.
    pub const ALL: [OrderState; 9] = [
        OrderState::AwaitingPayment,
        OrderState::Processing,
        OrderState::Shipped,
        OrderState::ReadyForPickup,
        OrderState::Delivered,
        OrderState::Cancelled,
        OrderState::ReturnRequested,
        OrderState::ExchangeRequested,
        OrderState::Refunded,
    ];

    /// The key of the sentence that tells it, under `[say]` of `data/replies`.
    pub fn reply_key(self) -> &'static str {
        match self {
            OrderState::AwaitingPayment => "order_awaiting_payment",
            OrderState::Processing => "order_processing",
            OrderState::Shipped => "order_shipped",
            OrderState::ReadyForPickup => "order_ready_for_pickup",
            OrderState::Delivered => "order_delivered",
            OrderState::Cancelled => "order_cancelled",
            OrderState::ReturnRequested => "order_return_requested",
            OrderState::ExchangeRequested => "order_exchange_requested",
            OrderState::Refunded => "order_refunded",
        }
    }
}

/// True when a number was typed for an order's: without case and separators, or its figures alone.
pub fn means_number(typed: &str, number: &str) -> bool {
    let plain =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let (typed, number) = (plain(typed), plain(number));
    let figures = !typed.is_empty() && typed.bytes().all(|byte| byte.is_ascii_digit());
    typed == number || figures && number.trim_start_matches(|c: char| !c.is_ascii_digit()) == typed
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::date;

    use super::*;

    fn order(state: &str) -> Order {
        let line = r#"{"number":"TT-1","customer":"C-1","name":"N","phone":"","email":"","language":"sk","place":"nitra","placed":"2026-11-01","state":"STATE","promised":"2026-11-10","carrier":"DPD","tracking":"z 1","currency":"EUR","items":[],"shipping":"0","total":"5.00"}"#;
        serde_json::from_str(&line.replace("STATE", state)).unwrap()
    }

    fn told(state: ParcelState) -> Shipment {
        Shipment {
            carrier: "dpd".to_string(),
            called: "DPD".to_string(),
            tracking: "Z1".to_string(),
            state,
            place: None,
            at: Timestamp::UNIX_EPOCH,
            day: date(2026, 11, 12),
            promised: Some(date(2026, 11, 14)),
        }
    }

    #[test]
    fn a_parcel_takes_its_order_forward_only() {
        use ParcelState::*;
        let check = |state: &str, told_state: ParcelState, expected: OrderState| {
            let order = order(state).with_parcel(Some(told(told_state)));
            assert_eq!(order.state, expected, "{state} {told_state:?}");
            assert_eq!(order.delivered.is_some(), expected == OrderState::Delivered && told_state == Delivered);
        };
        check("processing", Registered, OrderState::Processing);
        check("processing", Accepted, OrderState::Shipped);
        check("shipped", AtPickup, OrderState::ReadyForPickup);
        check("ready_for_pickup", InTransit, OrderState::ReadyForPickup);
        check("ready_for_pickup", Delivered, OrderState::Delivered);
        check("shipped", Returning, OrderState::Shipped);
        check("cancelled", Delivered, OrderState::Cancelled);
        check("return_requested", Delivered, OrderState::ReturnRequested);
    }

    #[test]
    fn the_newest_promise_counts_and_the_first_is_remembered() {
        let order = order("shipped").with_parcel(Some(told(ParcelState::InTransit)));
        assert_eq!((order.expected(), order.put_off()), (Some(date(2026, 11, 14)), Some(date(2026, 11, 10))));
        let sooner = Shipment { promised: Some(date(2026, 11, 9)), ..told(ParcelState::InTransit) };
        let order = order.with_parcel(Some(sooner));
        assert_eq!((order.expected(), order.put_off()), (Some(date(2026, 11, 9)), None));
        let none = order.with_parcel(None);
        assert_eq!((none.expected(), none.parcel), (Some(date(2026, 11, 10)), None));
    }

    #[test]
    fn what_went_back_is_what_was_paid_back_or_the_pieces_or_all() {
        let check = |state: &str, more: &str, expected: Option<i64>| {
            let line = r#"{"number":"TT-1","customer":"C-1","name":"N","phone":"","email":"","language":"sk","place":"nitra","placed":"2026-11-01","state":"STATE","currency":"EUR","items":[{"sku":"A","quantity":2,"price":"5.00"},{"sku":"B","quantity":1,"price":"1.50"}],"shipping":"1.00","total":"12.50"MORE}"#;
            let order: Order = serde_json::from_str(&line.replace("STATE", state).replace("MORE", more)).unwrap();
            assert_eq!(order.refunded().map(|money| money.minor), expected, "{state} {more}");
        };
        let paid = r#","payments":[{"amount":{"minor":1250,"currency":"EUR"},"method":"c"},{"refund":true,"amount":{"minor":650,"currency":"EUR"},"method":"c"}]"#;
        check("refunded", "", Some(1250));
        check("refunded", paid, Some(650));
        check("refunded", r#","changes":{"returned":["A","B"]}"#, Some(650));
        check("refunded", r#","changes":{"returned":["A"],"wanted":["B"]}"#, None);
        check("cancelled", "", None);
        check("cancelled", paid, Some(650));
        check("return_requested", paid, None);
    }

    #[test]
    fn another_parcel_is_not_this_orders() {
        let other = Shipment { tracking: "Z2".to_string(), ..told(ParcelState::Delivered) };
        let order = order("shipped").with_parcel(Some(other));
        assert_eq!((order.state, order.parcel), (OrderState::Shipped, None));
    }
}
