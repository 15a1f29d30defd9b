//! truetill: a self-hosted shop assistant that cannot quote a wrong price.

pub mod domain;
pub mod engine;
#[cfg(feature = "inference")]
pub mod inference;
pub mod pull;
