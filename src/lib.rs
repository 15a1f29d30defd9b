//! truetill: a self-hosted shop assistant that cannot quote a wrong price. One line per module, in the order a message meets them.

pub mod domain;
pub mod engine;
#[cfg(feature = "inference")]
pub mod inference;
pub mod pull;
pub mod screening;
pub mod understanding;
