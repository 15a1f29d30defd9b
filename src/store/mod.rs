//! What is kept in SQLite and beside it: conversations and the audit, the merchant's orders.

pub mod orders;
pub mod state;

pub use orders::OrderBook;
pub use state::{StateStore, TurnSummary};
