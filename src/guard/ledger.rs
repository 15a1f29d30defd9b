//! The ledger: what a text may state, taken from the facts of a turn or from a case file.

use crate::domain::Fact;

/// All that a text may state.
#[derive(Clone, Debug, Default)]
pub struct Ledger {}

/// Why a case file's facts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not the JSON the format asks for.
    #[error("facts: {0}: write a JSON list of objects with sku, name, price and currency")]
    Json(#[from] serde_json::Error),
}

impl Ledger {
    /// The ledger of a turn.
    pub fn from_facts(_facts: &[Fact], _shopper: &str) -> Ledger {
        Ledger {}
    }

    /// The ledger of one row of a case file.
    ///
    /// # Errors
    /// What is not a JSON list of facts.
    pub fn from_case(_json: &str) -> Result<Ledger, LedgerError> {
        Ok(Ledger {})
    }
}
