//! Towns the shop sells and delivers in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A town's id, as in `data/rules/places.toml`: `bratislava`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlaceId(pub String);

impl PlaceId {
    /// True for stock that lies in no place in particular: a web shop's one warehouse.
    pub fn is_anywhere(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for PlaceId {
    fn from(text: &str) -> Self {
        PlaceId(text.to_string())
    }
}
