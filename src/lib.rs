//! truetill: a self-hosted shop assistant that cannot quote a wrong price.

pub mod domain;
pub mod engine;
#[cfg(feature = "search")]
pub mod index;
#[cfg(feature = "inference")]
pub mod inference;
#[cfg(feature = "search")]
pub mod ingest;
pub mod pull;
pub mod store;
