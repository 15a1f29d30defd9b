//! What the shop sells, in one SQLite file per index generation; conversations, orders and the audit in a SQLite file or in
//! PostgreSQL.
//! The only module that names sqlx. It never decides what may be said: it hands out values with their age.

pub mod asking;
mod bookings;
pub mod carts;
pub mod catalog;
pub mod catalog_writer;
#[cfg(test)]
#[path = "../../tests/it/cluster.rs"]
mod cluster;
mod codes;
mod database;
pub mod desk;
pub mod fresh;
mod goods;
pub mod handover;
pub mod idempotency;
pub mod kpi;
mod merge;
pub mod moving;
pub mod orders;
pub mod outreach;
pub mod parcels;
pub mod permissions;
pub mod photos;
mod returns;
mod schema;
pub mod sessions;
pub mod state;
#[cfg(test)]
mod tests;
pub mod together;

pub use catalog::{CatalogSettings, CatalogStore, Clock};
pub use catalog_writer::{CatalogWriter, PriceTerms, VariantRow, Word};
pub use fresh::{Batch, Patch, Patched, Pieces};
pub use orders::OrderBook;
pub use state::{StateStore, TurnSummary, Watch};
