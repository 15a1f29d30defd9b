//! Work on the merchant's own systems: what is told about orders, and the desk that changes them. Code alone decides.
//! In: a command, the conversation, the shopper's proof of identity. Out: moves, facts and what is still missing.

pub mod cart;
pub mod desk;
mod identity;
mod naming;
mod order;
pub mod talk;

use crate::domain::desk::Talk;
use crate::domain::identity::Contact;
use crate::domain::session::Pending;
use crate::domain::{Fact, Move};

pub use identity::{Door, Identity};
pub use order::order;
pub use talk::address::parse as address_in;
pub use talk::pieces::named_in;

/// What a task came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What to say.
    pub moves: Vec<Move>,
    /// The facts it rests on.
    pub facts: Vec<Fact>,
    /// What the shopper must still tell.
    pub pending: Option<Pending>,
    /// An operation that is being arranged.
    pub talk: Option<Talk>,
    /// The rule a refusal rests on: `returns#3`.
    pub clause: Option<String>,
    /// A person could still do it.
    pub person: bool,
    /// A contact that must be proved with a code before anything is told.
    pub unproved: Option<Contact>,
}
