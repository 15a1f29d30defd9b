//! truetill: a shop assistant that cannot quote a wrong price.

pub mod config;
pub mod domain;
pub mod engine;
pub mod render;
pub mod turn;
