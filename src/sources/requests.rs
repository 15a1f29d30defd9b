//! What the kept feeds ask of the index, and what is noted of them once it was done.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::domain::source::{FeedSource, Holds};
use crate::ingest::changes::Changed;
use crate::ingest::{IndexRequest, Terms};

use super::fetch::{Fetched, Tries, fetch};
use super::kept::Kept;
use super::schedule::Built;

/// A feed that was named by its address alone.
pub fn by_address(url: &str, holds: Holds) -> FeedSource {
    let digest = hex::encode(Sha256::digest(url));
    FeedSource { holds, ..FeedSource::at(&format!("url-{}", &digest[..12]), url) }
}

/// Fetches every feed of a kind now, whether it is due or not; what came of each. It blocks.
pub fn refresh(config: &Config, holds: Holds, now: Timestamp) -> Vec<(String, anyhow::Result<Fetched>)> {
    let kept = Kept::of(&config.paths.state);
    let feeds = config.sources.feed.iter().filter(|feed| feed.holds == holds);
    feeds.map(|feed| (feed.name.clone(), fetch(&kept, feed, (now, Tries::default())))).collect()
}

/// True when everything that is kept of a kind is in `into` already: a generation, or `patches`.
pub fn nothing_new(config: &Config, holds: Holds, into: &str) -> bool {
    let kept = Kept::of(&config.paths.state);
    config.sources.feed.iter().filter(|feed| feed.holds == holds).all(|feed| {
        let memory = kept.memory(&feed.name, &feed.url);
        let here = memory.taken.as_ref().is_some_and(|taken| taken.into.as_deref() == Some(into));
        here && !memory.pending(feed.max_age_s)
    })
}

/// What the changes of one feed ask.
///
/// # Errors
/// The feed has never come.
pub fn changes_request(
    config: &Config,
    source: &FeedSource,
    (zone, now): (TimeZone, Timestamp),
) -> anyhow::Result<IndexRequest> {
    let kept = Kept::of(&config.paths.state);
    let file = kept.file(&source.name, &kept.memory(&source.name, &source.url));
    let file = file.with_context(|| format!("the feed `{}` has never come whole", source.name))?;
    let terms = BTreeMap::from([(file.clone(), terms(source))]);
    Ok(IndexRequest { policies: None, catalogs: vec![file], terms, ..base(config, zone, now) })
}

/// What became of changes, for the note.
pub fn outcome(changed: &Changed) -> (Option<String>, Option<String>) {
    match changed.report.findings.first().filter(|_| changed.report.broken > 0) {
        Some(broken) => (None, Some(broken.to_string())),
        None => (Some("patches".to_string()), None),
    }
}

/// Every feed of products is here, be it of before.
pub(super) fn ready(config: &Config) -> anyhow::Result<()> {
    let kept = Kept::of(&config.paths.state);
    for source in config.sources.feed.iter().filter(|feed| feed.holds == Holds::Products) {
        if kept.file(&source.name, &kept.memory(&source.name, &source.url)).is_none() {
            bail!("the feed `{}` has never come whole: without it half the catalog would be gone", source.name);
        }
    }
    Ok(())
}

/// What to index: every kept feed of products, and what lies beside them.
///
/// # Errors
/// A feed has never come.
pub fn request(config: &Config, zone: TimeZone, now: Timestamp) -> anyhow::Result<IndexRequest> {
    ready(config)?;
    let kept = Kept::of(&config.paths.state);
    let mut request = base(config, zone, now);
    request.catalogs.clone_from(&config.sources.beside);
    for source in config.sources.feed.iter().filter(|feed| feed.holds == Holds::Products) {
        let file = kept.file(&source.name, &kept.memory(&source.name, &source.url));
        let file = file.context("invariant: ready has seen it")?;
        request.catalogs.push(file.clone());
        request.terms.insert(file, terms(source));
    }
    Ok(request)
}

/// Notes that the kept feeds of products are in a generation, or were refused.
///
/// # Errors
/// The notes cannot be written.
pub fn taken(config: &Config, built: &Built, now: Timestamp) -> anyhow::Result<()> {
    let kept = Kept::of(&config.paths.state);
    for source in config.sources.feed.iter().filter(|feed| feed.holds == Holds::Products) {
        let mut memory = kept.memory(&source.name, &source.url);
        memory.take((built.generation.clone(), built.refused.clone()), now);
        kept.note(&source.name, &memory)?;
    }
    Ok(())
}

fn terms(source: &FeedSource) -> Terms {
    Terms {
        name: Some(source.name.clone()),
        profile: source.mapping.clone(),
        currency: source.currency,
        language: source.language,
        max_age_s: source.max_age_s,
    }
}

fn base(config: &Config, time_zone: TimeZone, now: Timestamp) -> IndexRequest {
    let data = &config.paths.data;
    IndexRequest {
        catalogs: Vec::new(),
        terms: BTreeMap::new(),
        policies: Some(data.join("policies")).filter(|path| path.exists()),
        profile: None,
        profiles: data.join("feeds"),
        format: None,
        categories: Some(data.join("rules/categories.toml")).filter(|path| path.exists()),
        messages: Some(data.join("rules/examples")).filter(|path| path.exists()),
        currency: None,
        language: None,
        index: config.paths.index.clone(),
        time_zone,
        dry_run: false,
        strict: false,
        max_shrink: config.index.max_shrink,
        now,
    }
}
