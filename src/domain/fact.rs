//! Facts: all that a reply may state. Each was read from the merchant's data in the turn that uses it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use super::cart::CartFact;
use super::desk::TaskFact;
use super::language::{Language, Localised};
use super::menu::MenuFact;
use super::money::Money;
use super::order::Order;
use super::place::PlaceId;
use super::product::{Offer, ProductId};

/// A fact's id, unique in its turn: `offer:SH-101-42-BLK`, `delivery:bratislava`, `passage:returns.sk#2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactId(pub String);

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that is true, where it was read, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its id.
    pub id: FactId,
    /// What it says.
    pub body: FactBody,
    /// Where it was read: `catalog@GENERATION`, `returns.sk.md#2@2026-01`, `orders`.
    pub source: String,
    /// When the source last confirmed it.
    pub as_of: Timestamp,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FactBody {
    /// A variant of a product with its live price and stock.
    Offer(OfferFact),
    /// What delivery to a place costs and when it arrives, computed by code for this moment.
    Delivery(DeliveryFact),
    /// A passage of a policy, quoted as it stands.
    Passage(Passage),
    /// An order whose owner has been checked.
    Order(Box<Order>),
    /// An operation on an order: proposed, refused or done.
    Task(Box<TaskFact>),
    /// A cart, priced in this turn.
    Cart(Box<CartFact>),
    /// A question of a menu with its choices.
    Menu(MenuFact),
    /// How to reach a person.
    Contact(ContactFact),
    /// A sum computed by code: so many pieces of a variant.
    Total(TotalFact),
    /// The kinds of things the shop sells.
    Range(RangeFact),
}

/// A product's name with one of its variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferFact {
    /// The product.
    pub product: ProductId,
    /// Its name per language, in the nominative.
    pub name: Localised,
    /// One line about it, per language.
    pub summary: Localised,
    /// The variant's colour, per language.
    pub colour: Localised,
    /// Price and stock.
    pub offer: Offer,
    /// Names of the places where there is stock, with the pieces there.
    pub places: Vec<(Localised, u32)>,
    /// What was asked of the product: how loud it is, what it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One attribute of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// What it is called, per language: `noise level`.
    pub name: Localised,
    /// Its value, per language, as the feed tells it; empty when it tells none.
    pub value: Localised,
}

/// Delivery to one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryFact {
    /// Where to.
    pub place: PlaceId,
    /// The town's name per language, in the nominative.
    pub name: Localised,
    /// What it costs.
    pub cost: Money,
    /// From which order value it is free.
    pub free_from: Option<Money>,
    /// Order by this time for `earliest`.
    pub cutoff: Time,
    /// First possible day.
    pub earliest: Date,
    /// Last promised day.
    pub latest: Date,
}

/// From so many questions on it is known what is asked of a passage: with fewer, more of the questions nobody wrote down are missed than
/// its text alone would miss.
pub const FEWEST_QUESTIONS: usize = 10;

/// A section of a policy document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// The topic, the stem of its file: `returns`.
    pub document: String,
    /// The section's heading.
    pub section: String,
    /// The language it is written in.
    pub language: Language,
    /// The version in the document's front matter.
    pub version: String,
    /// The text, as plain sentences.
    pub text: String,
}

/// How to reach a person of the shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactFact {
    /// Phone, as printed.
    pub phone: String,
    /// E-mail.
    pub email: String,
    /// Opening hours per language.
    pub hours: Localised,
}

/// What the shop sells, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeFact {
    /// Names of the kinds, the largest first.
    pub kinds: Vec<Localised>,
}

/// A sum of equal pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TotalFact {
    /// The offer it multiplies.
    pub offer: FactId,
    /// How many pieces.
    pub quantity: u32,
    /// The sum.
    pub total: Money,
}
