//! What is due is fetched; what is new is counted at once or built into a generation. One round at a time, under the lock of the kept
//! files. A round that fails is told and tried again later; what serves goes on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};

use crate::config::Config;
use crate::domain::source::{FeedSource, Holds};
use crate::engine::Catalog;
use crate::ingest::changes::{self, Changed, Target};
use crate::store::StateStore;

use super::fetch::{Fetched, Tries, fetch};
use super::kept::{Kept, Memory, Taken};
use super::requests::{changes_request, outcome, ready, taken};

/// The first pause after a build that could not be done.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// The longest.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What a build came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The generation that serves from now on.
    pub generation: Option<String>,
    /// Or why there is none.
    pub refused: Option<String>,
}

impl Built {
    /// What a report says, as `truetill index --json` prints it.
    pub fn told(report: &serde_json::Value) -> Built {
        let text = |name: &str| report["outcome"][name].as_str().map(str::to_string);
        Built { generation: text("generation"), refused: text("reason") }
    }
}

/// Builds a generation from the kept feeds.
#[async_trait]
pub trait Build: Send + Sync {
    /// Builds it and switches to it, or says why not.
    async fn build(&self) -> anyhow::Result<Built>;
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Round {
    /// Feeds that were due, and what came of them.
    pub fetched: Vec<(String, anyhow::Result<Fetched>)>,
    /// Feeds of changes that were read.
    pub changed: Vec<(String, Changed)>,
    /// The generation that was built or refused.
    pub built: Option<Built>,
}

/// Fetches and takes in what is due.
pub struct Schedule {
    /// The settings.
    pub config: Config,
    /// The shop's time zone.
    pub zone: TimeZone,
    /// Where changes are kept.
    pub state: StateStore,
    /// The catalog that serves: it knows the SKUs.
    pub catalog: Arc<dyn Catalog>,
    /// Who builds.
    pub build: Box<dyn Build>,
    /// How often a fetch is tried.
    pub tries: Tries,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// No build before this moment, and the pause after the next failure.
    pub rest: Mutex<Option<(Timestamp, SignedDuration)>>,
}

impl Schedule {
    /// Looks for ever at what is due.
    pub async fn keep(&self) {
        let mut tick = tokio::time::interval(Duration::from_secs(self.config.sources.every_s));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match self.round().await {
                Ok(round) => tell(&round),
                Err(error) => tracing::warn!("the feeds could not be looked at: {error:#}"),
            }
        }
    }

    /// One look: fetches what is due, and takes in what is new.
    ///
    /// # Errors
    /// Another run holds the lock, or the state cannot be written.
    pub async fn round(&self) -> anyhow::Result<Round> {
        let mut round = Round::default();
        let (kept, now) = (Kept::of(&self.config.paths.state), (self.clock)());
        let memory = |source: &FeedSource| kept.memory(&source.name, &source.url);
        let feeds = &self.config.sources.feed;
        let due: Vec<&FeedSource> =
            feeds.iter().filter(|feed| memory(feed).next_at.is_none_or(|next| next <= now)).collect();
        let waits = |holds: Holds| feeds.iter().any(|feed| feed.holds == holds && memory(feed).pending(feed.max_age_s));
        if due.is_empty() && !waits(Holds::Changes) && !(waits(Holds::Products) && self.rested(now)) {
            return Ok(round);
        }
        let _lock = kept.lock()?;
        for source in due {
            let fetched = apart(kept.clone(), source.clone(), (now, self.tries)).await;
            round.fetched.push((source.name.clone(), fetched));
        }
        if waits(Holds::Products) && self.rested(now) {
            round.built = self.built(now).await;
        }
        // Changes of what is only now indexed wait until that serves.
        let switched = round.built.as_ref().is_some_and(|built| built.generation.is_some());
        for source in feeds.iter().filter(|feed| feed.holds == Holds::Changes && !switched) {
            if memory(source).pending(source.max_age_s) {
                round.changed.push((source.name.clone(), self.count(&kept, source, now).await?));
            }
        }
        self.measure(&kept);
        Ok(round)
    }

    /// Lets the changes of a feed count.
    async fn count(&self, kept: &Kept, source: &FeedSource, now: Timestamp) -> anyhow::Result<Changed> {
        let mut memory = kept.memory(&source.name, &source.url);
        let request = changes_request(&self.config, source, (self.zone.clone(), now))?;
        let (state, catalog) = (self.state.clone(), Arc::clone(&self.catalog));
        let (handle, blocking) = (tokio::runtime::Handle::current(), tokio::task::spawn_blocking);
        // Feeds are read synchronously.
        let changed = blocking(move || {
            handle.block_on(changes::run(&request, Target { state: Some(&state), catalog: &*catalog }, &|_| false))
        });
        let changed = changed.await.context("reading a delta feed")??;
        memory.take(outcome(&changed), now);
        kept.note(&source.name, &memory)?;
        Ok(changed)
    }

    async fn built(&self, now: Timestamp) -> Option<Built> {
        let result = match ready(&self.config) {
            Ok(()) => self.build.build().await,
            Err(error) => Err(error),
        };
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match result.and_then(|built| taken(&self.config, &built, now).map(|()| built)) {
            Ok(built) => {
                *rest = None;
                Some(built)
            }
            Err(error) => {
                let pause = rest.map_or(PAUSE, |(_, pause)| pause);
                *rest = Some((now + pause, (pause + pause).min(LONGEST)));
                tracing::error!("the kept feeds could not be indexed, the generation before goes on: {error:#}");
                None
            }
        }
    }

    fn rested(&self, now: Timestamp) -> bool {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|(until, _)| until <= now)
    }

    fn measure(&self, kept: &Kept) {
        for source in &self.config.sources.feed {
            let memory = kept.memory(&source.name, &source.url);
            let seconds = |at: Option<Timestamp>| at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0);
            let name = || source.name.clone();
            gauge!("truetill_source_failures", "source" => name()).set(f64::from(memory.failures));
            gauge!("truetill_source_confirmed_seconds", "source" => name()).set(seconds(memory.confirmed_at));
            gauge!("truetill_source_next_seconds", "source" => name()).set(seconds(memory.next_at));
        }
    }
}

/// Fetches on a thread of its own: a server that stops does not wait for a slow feed.
async fn apart(kept: Kept, source: FeedSource, when: (Timestamp, Tries)) -> anyhow::Result<Fetched> {
    let (told, hear) = tokio::sync::oneshot::channel();
    let fetching = move || {
        let _ = told.send(fetch(&kept, &source, when));
    };
    std::thread::Builder::new().name("fetch".to_string()).spawn(fetching).context("starting a fetch")?;
    hear.await.context("the fetch broke off")?
}

fn tell(round: &Round) {
    for (source, fetched) in &round.fetched {
        counter!("truetill_source_fetches_total", "source" => source.clone(), "result" => match fetched {
            Ok(Fetched::New) => "new",
            Ok(Fetched::Same) => "same",
            Err(_) => "failed",
        })
        .increment(1);
        match fetched {
            Ok(fetched) => tracing::debug!(source, ?fetched, "a feed was fetched"),
            Err(error) => tracing::warn!(source, "the feed of before goes on: {error:#}"),
        }
    }
    for (source, changed) in &round.changed {
        let (applied, older, errors) = (changed.applied, changed.older, changed.report.errors);
        tracing::info!(source, applied, older, errors, "changes count");
    }
    match &round.built {
        Some(Built { generation: Some(generation), .. }) => tracing::info!(generation, "the feeds were indexed"),
        Some(Built { refused, .. }) => tracing::error!(?refused, "the feeds were not indexed"),
        None => {}
    }
}

impl Memory {
    /// True when its file holds something that nobody has taken in.
    pub fn pending(&self, max_age_s: Option<u64>) -> bool {
        let Some(sha256) = &self.sha256 else { return false };
        let Some(taken) = &self.taken else { return true };
        if taken.sha256 != *sha256 || taken.refused.is_some() {
            // What was refused is not tried again until it is another.
            return taken.sha256 != *sha256;
        }
        // A source without dates of its own confirms its words by every answer: they are told as of then in good time.
        let half = max_age_s.and_then(|seconds| i64::try_from(seconds / 2).ok()).map(SignedDuration::from_secs);
        match (half, self.confirmed_at, &self.last_modified) {
            (Some(half), Some(confirmed), None) => confirmed.duration_since(taken.as_of) > half,
            _ => false,
        }
    }

    /// Notes what became of its file.
    pub fn take(&mut self, (into, refused): (Option<String>, Option<String>), now: Timestamp) {
        let as_of = self.confirmed_at.unwrap_or(now);
        self.taken = self.sha256.clone().map(|sha256| Taken { sha256, as_of, into, refused, at: now });
    }
}
