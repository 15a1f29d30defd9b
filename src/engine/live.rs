//! What is known of a source that confirms prices.

use jiff::Timestamp;

/// How a source that confirms prices stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveState {
    /// Its name in the settings.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// True while it is asked; false while it is left alone.
    pub open: bool,
    /// Failures in a row.
    pub failures: u32,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// Why the last question had no answer.
    pub failed: Option<String>,
}
