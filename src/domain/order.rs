//! Orders as the merchant's system tells them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::desk::{Address, Changes, Payment};
use super::language::Language;
use super::money::Currency;
use super::place::PlaceId;
use super::product::Sku;

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
