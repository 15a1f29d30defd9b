//! A reply on its way to the guard: text with the spans that code rendered from facts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fact::FactId;
use super::language::Language;

/// How a customer is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As everybody is.
    #[default]
    Plain,
    /// As one who comes first.
    Vip,
}

/// A rendered reply nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The language it is written in.
    pub language: Language,
    /// Its parts, in order; joined by line breaks in plain text.
    pub segments: Vec<DraftSegment>,
}

/// One part of a reply: the unit that is streamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftSegment {
    /// What it does.
    pub kind: SegmentKind,
    /// The text.
    pub text: String,
    /// Stretches of `text` rendered from facts: ascending, not overlapping.
    pub spans: Vec<Span>,
}

/// A stretch of text that is a fact's own value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Byte range in the segment's text, on character boundaries.
    pub range: Range<usize>,
    /// The fact it renders.
    pub fact: FactId,
    /// Which value of the fact.
    pub role: Role,
}

/// Which value of a fact a span renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A product's name.
    Name,
    /// A variant's size.
    Size,
    /// A variant's colour.
    Colour,
    /// A product's one-line summary.
    Summary,
    /// An attribute of a product: its name or its value.
    Detail,
    /// A kind of thing the shop sells.
    Kind,
    /// A product's code.
    Sku,
    /// The price now.
    Price,
    /// The price before a reduction.
    OldPrice,
    /// The last day of a reduction.
    SaleUntil,
    /// Pieces in stock, with their counted noun.
    Stock,
    /// A town.
    Place,
    /// What delivery costs.
    DeliveryCost,
    /// From which order value delivery is free.
    FreeFrom,
    /// Order by this time.
    Cutoff,
    /// First possible day of delivery.
    Earliest,
    /// Last promised day of delivery.
    Latest,
    /// A policy's passage, verbatim.
    Quote,
    /// A policy's document, section and version.
    Citation,
    /// An order's number.
    OrderNumber,
    /// An order's promised day.
    Promised,
    /// The day an order arrived.
    Delivered,
    /// The day an order was promised for at first.
    FirstPromised,
    /// The day of a return's last step.
    BackOn,
    /// The day of a carrier's newest word.
    Scanned,
    /// Where a parcel was then.
    ScannedAt,
    /// A carrier's name.
    Carrier,
    /// A parcel's number, also of one that comes back.
    Tracking,
    /// A piece of an order, with size and colour.
    Piece,
    /// How many of such a piece, with the counted noun.
    Pieces,
    /// What the customer gets back.
    Refund,
    /// What is left to pay.
    Due,
    /// What the pieces of a cart's line cost together.
    LineTotal,
    /// What the goods of a cart cost together.
    Goods,
    /// What a promotion takes off.
    Discount,
    /// A promotion's code.
    Coupon,
    /// Tax contained in a total.
    Tax,
    /// Where an order is paid, or a label fetched.
    Link,
    /// A menu's question.
    Question,
    /// A menu's choice with its number.
    Choice,
    /// A postal address.
    Address,
    /// An order's or a computed total.
    Total,
    /// A computed total's number of pieces.
    Quantity,
    /// The shop's phone.
    Phone,
    /// The shop's e-mail.
    Email,
    /// Opening hours.
    Hours,
}

/// What a segment does; the same words as the moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// A product with its price.
    Offer,
    /// Stock.
    Stock,
    /// A comparison.
    Compare,
    /// A computed sum.
    Total,
    /// Delivery.
    Deliver,
    /// A policy's passage.
    Policy,
    /// Something close instead.
    Alternatives,
    /// What goes with it.
    Upsell,
    /// An order's state.
    Order,
    /// An operation on an order.
    Task,
    /// A cart, or the order it becomes.
    Cart,
    /// A clarifying question.
    Ask,
    /// What could not be found.
    NotFound,
    /// A person takes over.
    Human,
    /// A courtesy.
    Smalltalk,
}

/// Where a policy's passage came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The fact quoted.
    pub fact: FactId,
    /// Document, section and version, as the merchant wrote them.
    pub document: String,
    /// The section's heading.
    pub section: String,
    /// The document's version.
    pub version: String,
}

/// Something the customer's client may do with a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Show a product card.
    ShowProduct {
        /// The variant.
        sku: String,
        /// Its page.
        url: Option<String>,
    },
    /// A person takes the conversation.
    Handover,
    /// Let the shopper attach a photo: `POST /api/v1/sessions/{id}/photos`.
    AttachPhoto,
}
