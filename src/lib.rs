//! truetill: a shop assistant that cannot quote a wrong price.

pub mod domain;
pub mod engine;
#[cfg(feature = "search")]
pub mod index;
#[cfg(feature = "search")]
pub mod ingest;
pub mod store;
