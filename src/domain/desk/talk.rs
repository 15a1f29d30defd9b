//! An operation being arranged in a conversation, and what a reply may state about it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Address, Operation, Task};
use crate::domain::Money;
use crate::domain::language::Localised;
use crate::domain::order::Order;
use crate::domain::plan::Ask;
use crate::domain::product::Sku;

/// What the shopper wants done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Call it off.
    Cancel,
    /// Send something back.
    Return,
    /// Swap something.
    Exchange,
    /// Send it elsewhere.
    Address,
    /// Have it arrive on another day.
    Date,
}

/// What is known so far about the wish. It is confirmed by the token of the proposal that was shown, and by nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// What is wanted.
    pub wish: Wish,
    /// The order's number: as typed, until its owner is proved.
    pub order: Option<String>,
    /// The customer whose order it was proved to be.
    pub customer: Option<String>,
    /// Which pieces.
    pub items: Vec<Sku>,
    /// Which pieces instead, in the same order.
    pub wanted: Vec<Sku>,
    /// The new address.
    pub address: Option<Address>,
    /// The new day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// Something is broken or not what was ordered.
    #[serde(default)]
    pub defective: bool,
    /// Photos of what is sent back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<String>,
    /// Since when a photo is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_since: Option<Timestamp>,
    /// What was asked last, while something is missing.
    pub asked: Option<Ask>,
    /// The proposal that waits for yes or no.
    pub shown: Option<Shown>,
    /// The proposal and its question stood in the last reply that was sent: only then may a yes be heard.
    #[serde(default)]
    pub open: bool,
    /// Answers in a row that could not be used.
    pub failed: u8,
    /// Times the open question was repeated after something else.
    pub reminded: u8,
    /// When it was spoken of last.
    pub at: Timestamp,
}

/// A proposal as it was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The task.
    pub task: String,
    /// What confirms exactly this proposal.
    pub token: String,
}

impl Talk {
    /// The beginning of one.
    pub fn new(wish: Wish, at: Timestamp) -> Talk {
        Talk {
            wish,
            order: None,
            customer: None,
            items: Vec::new(),
            wanted: Vec::new(),
            address: None,
            day: None,
            defective: false,
            photos: Vec::new(),
            photo_since: None,
            asked: None,
            shown: None,
            open: false,
            failed: 0,
            reminded: 0,
            at,
        }
    }
}

/// A task with all that a reply about it may state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFact {
    /// The task.
    pub task: Task,
    /// The order the decision was made on; once it is done, the order as it was read back.
    pub order: Order,
    /// The pieces it names.
    pub pieces: Vec<Piece>,
    /// The pieces wanted instead.
    pub wanted: Vec<Piece>,
    /// The number of the parcel that comes back, once it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rma: Option<String>,
    /// Where its label is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The first day an order can arrive on, where another day is wished for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<Date>,
}

impl TaskFact {
    /// The address the operation would send the order to.
    pub fn address(&self) -> Option<&Address> {
        match &self.task.operation {
            Operation::ChangeAddress { address, .. } => Some(address),
            _ => None,
        }
    }

    /// The day the operation would have the order arrive on.
    pub fn day(&self) -> Option<Date> {
        match &self.task.operation {
            Operation::ChangeDate { day, .. } => Some(*day),
            _ => None,
        }
    }
}

/// A kind of piece of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// The variant.
    pub sku: Sku,
    /// Its name per language, with size and colour.
    pub name: Localised,
    /// How many.
    pub quantity: u32,
    /// What one cost in the order.
    pub price: Option<Money>,
}
