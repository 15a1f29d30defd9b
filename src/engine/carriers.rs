//! The seam to carriers: who tells where parcels are.

use async_trait::async_trait;

use crate::domain::shipment::ParcelEvent;

/// A carrier.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// The events in what it sends by itself; none where that is about something else.
    ///
    /// # Errors
    /// Not what this carrier sends, with what is wrong.
    fn read(&self, body: &[u8]) -> Result<Vec<ParcelEvent>, String>;
    /// All it knows of a parcel now.
    async fn ask(&self, tracking: &str) -> Result<Vec<ParcelEvent>, AskError>;
}

/// Why a carrier told nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not know the parcel, or not yet.
    #[error("the carrier does not know the parcel")]
    Unknown,
    /// It does not answer, or not in a way that can be read.
    #[error("{0:#}")]
    Down(anyhow::Error),
}
