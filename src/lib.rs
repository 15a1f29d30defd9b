//! truetill: a shop assistant that cannot quote a wrong price.

pub mod domain;
pub mod engine;
pub mod store;
