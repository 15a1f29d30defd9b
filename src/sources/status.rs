//! How the feeds stand: read from the notes beside their files, so that every program over the same state says the same.

use jiff::Timestamp;

use crate::config::Config;
use crate::domain::source::Holds;

use super::kept::Kept;

/// How a feed stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// Length of the kept file.
    pub bytes: u64,
    /// When the kept file came.
    pub fetched_at: Option<Timestamp>,
    /// When the source last said that it is still so.
    pub confirmed_at: Option<Timestamp>,
    /// When it is asked next.
    pub next_at: Option<Timestamp>,
    /// The generation it is in, or `patches`.
    pub into: Option<String>,
    /// Why its file was not taken.
    pub refused: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// The last of them.
    pub failed: Option<String>,
}

impl FeedStatus {
    /// True when nothing is wrong with it.
    pub fn well(&self) -> bool {
        self.failed.is_none() && self.refused.is_none() && self.fetched_at.is_some()
    }
}

/// How every feed of the settings stands.
pub fn feeds(config: &Config) -> Vec<FeedStatus> {
    let kept = Kept::of(&config.paths.state);
    let of = |source: &crate::domain::source::FeedSource| {
        let memory = kept.memory(&source.name, &source.url);
        let (into, refused) = memory.taken.map_or((None, None), |taken| (taken.into, taken.refused));
        FeedStatus {
            name: source.name.clone(),
            holds: source.holds,
            bytes: memory.bytes,
            fetched_at: memory.fetched_at,
            confirmed_at: memory.confirmed_at,
            next_at: memory.next_at,
            into,
            refused,
            failures: memory.failures,
            failed: memory.failed,
        }
    };
    config.sources.feed.iter().map(of).collect()
}
