//! SQLite files: what the shop sells, in one file per index generation; conversations and the audit in another.
//! The only module that names sqlx. It never decides what may be said: it hands out values with their age.

pub mod carts;
pub mod catalog;
pub mod catalog_writer;
pub mod desk;
pub mod fresh;
pub mod handover;
pub mod idempotency;
pub mod kpi;
pub mod orders;
pub mod outreach;
pub mod permissions;
pub mod state;
#[cfg(test)]
mod tests;

pub use catalog::{CatalogSettings, CatalogStore, Clock};
pub use catalog_writer::{CatalogWriter, PriceTerms, VariantRow, Word};
pub use fresh::{Batch, Patch, Patched, Pieces};
pub use orders::OrderBook;
pub use state::{StateStore, TurnSummary, Watch};
