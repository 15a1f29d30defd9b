//! What every request passes before a handler sees it: an id, a key, a body of the right size and shape.

pub mod auth;
pub mod body;
pub mod call;
pub mod once;
pub mod passage;
pub mod queue;
pub mod shape;
