//! What can be done to an order, by which rules, and what came of it: the words of the order desk.
//! Plain data: `tasks` decides, `store` keeps.

mod rules;
mod slip;
mod talk;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Money;
use super::order::{Order, OrderState};
use super::product::Sku;

pub use rules::{CancelRule, ChangeRule, LabelRule, OrderRules, OtherTerms, ReturnRule, ReturnTerms, StateRule};
pub use slip::{Back, ReturnState, Slip};
pub use talk::{Piece, Shown, Talk, TaskFact, Wish};

/// A customer as the shop knows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// The id orders name.
    pub id: String,
    /// Where parcels go unless an order says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Ways to pay; card numbers never stand here, only the shop's own ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<PaymentMethod>,
}

impl Customer {
    /// One of the customer's ways to pay.
    pub fn method(&self, id: &str) -> Option<&PaymentMethod> {
        self.methods.iter().find(|method| method.id == id)
    }
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Street and house.
    pub line1: String,
    /// Flat or suite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line2: String,
    /// Town.
    pub city: String,
    /// State or region.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Country.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Post code.
    pub postcode: String,
}

impl Address {
    /// All of it in a line, as it will stand on the parcel.
    pub fn line(&self) -> String {
        let Address { line1, line2, city, region, country, postcode } = self;
        let town = format!("{postcode} {city}");
        let parts = [line1.as_str(), line2, &town, region, country].map(str::trim);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// A way to pay, by the shop's own id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethod {
    /// The shop's id of it.
    pub id: String,
    /// What it is.
    pub kind: MethodKind,
    /// What is left on a gift card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Money>,
}

/// Kinds of payment methods that rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// A bank card.
    Card,
    /// A wallet at a payment provider.
    Wallet,
    /// A gift card of this shop.
    GiftCard,
}

/// Money that moved for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// True when it went back to the customer.
    #[serde(default)]
    pub refund: bool,
    /// How much.
    pub amount: Money,
    /// By which method.
    pub method: String,
}

/// What was asked of an order after it was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Its items were changed: the packing list is final.
    pub items_changed: bool,
    /// Why it was called off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// Pieces on their way back, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Sku>,
    /// Pieces wanted instead, sorted; empty for a plain return.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Sku>,
    /// Where the refund goes or the difference is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// New price less old price in minor units, for an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<i64>,
}

impl Changes {
    /// True when nothing was asked yet.
    pub fn is_none(&self) -> bool {
        *self == Changes::default()
    }
}

/// An explicit command to the desk. Pieces are named one by one: two of a kind stand twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Calls an order off.
    CancelOrder {
        /// The order's number.
        order: String,
        /// One of the rules' reasons.
        reason: String,
    },
    /// Sends pieces back.
    ReturnItems {
        /// The order's number.
        order: String,
        /// Which pieces.
        items: Vec<Sku>,
        /// Where the money goes; the method it was paid with when absent.
        method: Option<String>,
        /// Why.
        #[serde(default, skip_serializing_if = "ReturnReason::is_ordinary")]
        reason: ReturnReason,
        /// Where photos of the pieces are, where the rules need them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        photos: Vec<String>,
    },
    /// Swaps delivered pieces for other variants of the same products.
    ExchangeItems {
        /// The order's number.
        order: String,
        /// Which pieces.
        items: Vec<Sku>,
        /// For which, in the same order.
        wanted: Vec<Sku>,
        /// Settles the difference.
        method: Option<String>,
    },
    /// Swaps pieces of an order that has not left yet.
    ChangeItems {
        /// The order's number.
        order: String,
        /// Which pieces.
        items: Vec<Sku>,
        /// For which, in the same order.
        wanted: Vec<Sku>,
        /// Settles the difference.
        method: Option<String>,
    },
    /// Sends an order elsewhere.
    ChangeAddress {
        /// The order's number.
        order: String,
        /// The new address.
        address: Address,
    },
    /// Has an order arrive on another day.
    ChangeDate {
        /// The order's number.
        order: String,
        /// The new day.
        day: Date,
    },
    /// Pays an order another way.
    ChangePayment {
        /// The order's number.
        order: String,
        /// The new method.
        method: String,
    },
    /// Changes the customer's own address.
    ChangeProfile {
        /// The new address.
        address: Address,
    },
}

impl Operation {
    /// The order it touches.
    pub fn order(&self) -> Option<&str> {
        use Operation::*;
        match self {
            CancelOrder { order, .. }
            | ReturnItems { order, .. }
            | ExchangeItems { order, .. }
            | ChangeItems { order, .. }
            | ChangeAddress { order, .. }
            | ChangeDate { order, .. }
            | ChangePayment { order, .. } => Some(order),
            ChangeProfile { .. } => None,
        }
    }

    /// Every variant it names.
    pub fn skus(&self) -> Vec<&Sku> {
        use Operation::*;
        match self {
            ReturnItems { items, .. } => items.iter().collect(),
            ExchangeItems { items, wanted, .. } | ChangeItems { items, wanted, .. } => {
                items.iter().chain(wanted).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Why something is sent back, as far as rules tell it apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnReason {
    /// It is not wanted after all.
    #[default]
    ChangedMind,
    /// It is broken, damaged, or not what was ordered.
    Defective,
}

impl ReturnReason {
    fn is_ordinary(&self) -> bool {
        *self == ReturnReason::ChangedMind
    }
}

/// Who pays for a parcel that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payer {
    /// Who sends it.
    Customer,
    /// The shop.
    Shop,
}

/// Why the desk refuses. The names are a contract of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No such order, or another customer's: the two look alike on purpose.
    NoOrder,
    /// Not in this state of the order.
    WrongState,
    /// The order's items were changed before; nothing more can be.
    AlreadyChanged,
    /// Not one of the reasons the rules accept.
    WrongReason,
    /// Nothing named, or not as many new pieces as old ones.
    WrongItems,
    /// The order does not hold that piece so many times.
    NotInOrder,
    /// The days for it are over, or the day of delivery is not known.
    TooLate,
    /// The law or hygiene rules it out.
    NotReturnable,
    /// The catalog does not tell what it is.
    UnknownProduct,
    /// Another variant of the same product only.
    OtherProduct,
    /// The same variant again.
    SameItem,
    /// Not in stock, or not for sale.
    NotAvailable,
    /// Not one of the customer's methods.
    UnknownMethod,
    /// The rules do not allow this method here.
    MethodNotAllowed,
    /// The gift card does not hold enough.
    BalanceTooLow,
    /// Something needed is empty.
    Incomplete,
    /// Nothing arrives on that day: too soon, too far ahead, or no working day.
    NoDelivery,
    /// Photos are needed first.
    PhotoNeeded,
    /// The order changed after the proposal was shown.
    Changed,
    /// The proposal was not confirmed in time.
    Expired,
}

/// A refusal with the rule it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// The rule's place in the policies: `returns#3`.
    pub clause: String,
    /// The version of the rules.
    pub version: String,
}

/// What an operation does: shown before it is confirmed, and done exactly so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The order's state afterwards.
    pub state: Option<OrderState>,
    /// Money that moves, or will once the goods are back.
    pub money: Vec<Payment>,
    /// What the customer gets back in all, also where the merchant's system does not tell how it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Money>,
    /// Who pays for the parcel that comes back, where the rules say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pays: Option<Payer>,
    /// The rule it rests on.
    pub clause: String,
}

/// What will be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What the customer is shown.
    pub effect: Effect,
    /// The order afterwards, when it changes.
    pub order: Option<Order>,
    /// The customer afterwards, when they change.
    pub customer: Option<Customer>,
}

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Shown; nothing is written yet.
    AwaitingConfirmation,
    /// Written and read back.
    Done,
    /// The rules forbid it; nothing was written.
    Refused,
    /// The customer thought better of it; nothing was written.
    Withdrawn,
}

/// One operation from proposal to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// For whom.
    pub customer: String,
    /// What.
    pub operation: Operation,
    /// How far.
    pub state: TaskState,
    /// What confirms exactly this proposal.
    pub token: String,
    /// What it does.
    pub effect: Option<Effect>,
    /// Why not.
    pub refusal: Option<Refusal>,
    /// The version of the order that was shown; 0 when it touches none.
    #[serde(default)]
    pub order_version: i64,
    /// Since when.
    pub created: Timestamp,
}

/// A document with the count of its writes: a write names the version it was decided on.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The document.
    pub value: T,
    /// How often it was written.
    pub version: i64,
}
