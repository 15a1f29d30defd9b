//! SQLite files: what the shop sells, in one file per index generation.
//! The only module that names sqlx. It never decides what may be said: it hands out values with their age.

pub mod catalog;
pub mod catalog_writer;

pub use catalog::{CatalogSettings, CatalogStore, Clock};
pub use catalog_writer::{CatalogWriter, VariantRow};

#[cfg(test)]
mod tests;
