//! A shopper's cart, what may be done with it, and the order it becomes. Plain data: `tasks` decides, `store` keeps.

mod fact;
mod rules;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::desk::{Address, Shown};
use super::language::Language;
use super::money::Money;
use super::place::PlaceId;
use super::product::{ProductId, Sku};
use super::session::SessionId;

pub use fact::{CartFact, Coupon, Line, Sums};
pub use rules::{CartRules, Promotion, Reduction};

/// What somebody means to buy. Prices are never kept: they are read when it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cart {
    /// Its lines in the order they were put in; each variant once.
    pub lines: Vec<Held>,
    /// The code of a promotion, as the shop writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<String>,
    /// Where it will go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceId>,
    /// The conversation it was filled in: what is told to its owner later comes from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The language it was filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl Cart {
    /// The line of a variant.
    pub fn held(&self, sku: &Sku) -> u32 {
        self.lines.iter().find(|line| line.sku == *sku).map_or(0, |line| line.quantity)
    }

    /// This cart with what lies in another: of a variant in both the greater number, because somebody who puts the same thing in
    /// twice wants it once; then the other's lines in their order. A code of this cart stays; where it goes, the other knows newer.
    pub fn with(mut self, other: &Cart) -> Cart {
        for line in &other.lines {
            match self.lines.iter_mut().find(|held| held.sku == line.sku) {
                Some(held) => held.quantity = held.quantity.max(line.quantity),
                None => self.lines.push(line.clone()),
            }
        }
        self.coupon = self.coupon.or(other.coupon.clone());
        self.place = other.place.clone().or(self.place);
        self.session = other.session.or(self.session);
        self.language = other.language.or(self.language);
        self
    }
}

/// So many of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The variant.
    pub sku: Sku,
    /// The product it belongs to.
    pub product: ProductId,
    /// How many, at least one.
    pub quantity: u32,
}

/// Whose cart it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The customer, when the shop has checked who it is.
    pub customer: Option<String>,
    /// The conversation.
    pub session: Option<SessionId>,
}

impl Owner {
    /// The key it is kept under: a known customer has one cart in every conversation.
    pub fn key(&self) -> String {
        match (&self.customer, self.session) {
            (Some(customer), _) => format!("customer:{customer}"),
            (None, Some(session)) => format!("session:{session}"),
            (None, None) => String::new(),
        }
    }
}

/// One change of a cart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Puts so many more of a variant in.
    Add {
        /// The variant, or a product that has only one.
        sku: Sku,
        /// How many more; one when left out.
        #[serde(default = "one")]
        quantity: u32,
    },
    /// Makes it exactly so many; none takes the line out.
    Set {
        /// The variant.
        sku: Sku,
        /// How many in all.
        quantity: u32,
    },
    /// Takes a line out.
    Remove {
        /// The variant.
        sku: Sku,
    },
    /// Takes everything out.
    Clear,
    /// Applies a promotion's code; the one before it goes.
    Coupon {
        /// The code; upper and lower case are one.
        code: String,
    },
    /// Takes the code out.
    NoCoupon,
    /// Says where it will go.
    Place {
        /// A town's id in `data/rules/places.toml`.
        town: PlaceId,
    },
}

fn one() -> u32 {
    1
}

/// Why a cart stays as it is. The names are a contract of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartNo {
    /// The catalog does not have it.
    UnknownProduct,
    /// It comes in several sizes or colours: say which.
    WhichVariant,
    /// There are not so many.
    NotEnough,
    /// More pieces than one order may hold.
    TooMany,
    /// It does not lie in the cart.
    NotInCart,
    /// No promotion of this shop, or not today.
    NoSuchCode,
    /// The cart is worth less than the promotion asks for.
    BelowMinimum,
    /// The shop has no delivery terms for that town.
    NoDelivery,
    /// There is nothing in it.
    Empty,
    /// Its price cannot be confirmed now.
    NoPrice,
    /// Neither a phone number nor an e-mail.
    NoContact,
    /// It is not known where it goes.
    NoPlace,
    /// Nobody knows whose last order is meant.
    WhoseOrder,
    /// There is no earlier order.
    NoOrderBefore,
    /// Not everything of an earlier order can be had now.
    NotAll,
    /// It was changed, or a price was, after the proposal was shown.
    Changed,
    /// The proposal was not confirmed in time.
    Expired,
}

/// Who ordered and where it goes: what an order needs besides its goods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buyer {
    /// Name on the parcel.
    pub name: String,
    /// Phone in E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// How far a checkout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutState {
    /// Shown; no order is written.
    AwaitingConfirmation,
    /// The order is written and read back; it waits for its payment.
    Placed,
    /// Nothing was written.
    Refused,
    /// The shopper thought better of it; nothing was written.
    Withdrawn,
}

impl CheckoutState {
    /// The name it is kept under.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckoutState::AwaitingConfirmation => "awaiting_confirmation",
            CheckoutState::Placed => "placed",
            CheckoutState::Refused => "refused",
            CheckoutState::Withdrawn => "withdrawn",
        }
    }
}

/// One order from proposal to being placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkout {
    /// Its id.
    pub id: String,
    /// Whose cart: [`Owner::key`].
    pub owner: String,
    /// The customer, when the shop knows who it is.
    pub customer: Option<String>,
    /// The conversation, when there is one.
    pub session: Option<SessionId>,
    /// What confirms exactly this proposal.
    pub token: String,
    /// How far.
    pub state: CheckoutState,
    /// Why not.
    pub refusal: Option<CartNo>,
    /// The version of the cart that was shown.
    pub cart_version: i64,
    /// What was shown: lines, code, delivery, sums.
    pub shown: CartFact,
    /// Who orders.
    pub buyer: Buyer,
    /// In which language.
    pub language: Language,
    /// The order's number, once it is placed.
    pub order: Option<String>,
    /// Since when.
    pub created: Timestamp,
}

/// A checkout being arranged in a conversation. It is confirmed by the token of the proposal that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutTalk {
    /// The proposal.
    pub shown: Shown,
    /// Its question stood in the last reply that was sent: only then may a yes be heard.
    #[serde(default)]
    pub open: bool,
    /// When it was shown.
    pub at: Timestamp,
}

/// What is to be paid: always from the order as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The order's number.
    pub order: String,
    /// How much.
    pub amount: Money,
    /// What a provider is asked with: the same key never makes two payments.
    pub key: String,
    /// The buyer's language.
    pub language: Language,
    /// The buyer's e-mail, for the receipt.
    pub email: Option<String>,
}

/// A page on which an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentLink {
    /// Who takes the money.
    pub provider: String,
    /// The provider's id of the payment; the order's number when it has none.
    pub reference: String,
    /// The page.
    pub url: String,
}

/// A payment of an order, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The order's number.
    pub order: String,
    /// The link.
    pub link: PaymentLink,
    /// How much was asked for.
    pub amount: Money,
    /// True once the money is there.
    pub paid: bool,
    /// When the link was made.
    pub made: Timestamp,
}

/// What a provider says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The provider's id of the payment.
    pub reference: String,
    /// How much came in.
    pub amount: Money,
}

/// What a paid notice came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The order is paid now.
    Now,
    /// It was before: nothing was written again.
    Before,
    /// No payment of this shop has this reference.
    Unknown,
    /// Another amount or currency than the order's: nothing was written.
    WrongAmount,
}
