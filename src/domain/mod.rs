//! Plain data that passes from one stage to the next: no I/O, no engine, no clock.

pub mod booking;
pub mod breaker;
pub mod cart;
pub mod command;
pub mod desk;
pub mod fact;
pub mod found;
pub mod handover;
pub mod identity;
pub mod language;
pub mod lead;
pub mod menu;
pub mod message;
pub mod money;
pub mod narrowing;
pub mod order;
pub mod outreach;
pub mod photo;
pub mod place;
pub mod plan;
pub mod product;
pub mod reply;
pub mod session;
pub mod shipment;
pub mod source;
pub mod together;
pub mod vectors;

pub use command::{Command, CommandName, Slots, Tier, Understanding, Wish};
pub use fact::{Fact, FactBody, FactId};
pub use language::{Language, Localised};
pub use message::{Message, Screened};
pub use money::{Currency, Money};
pub use plan::Move;
pub use product::{Offer, Product, ProductId, Sku};
pub use reply::{Draft, DraftSegment, Role, SegmentKind, Span, Tone};
