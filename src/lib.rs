//! truetill: a shop assistant that cannot quote a wrong price. One line per module, in the order a message meets them.

pub mod domain;
pub mod engine;
pub mod screening;
pub mod understanding;
