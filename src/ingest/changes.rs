//! Delta feeds: new prices and stock of products that are indexed already, told to the store at once, without a new
//! generation. In: files of any profile or our own lines. Out: patches that count, and findings row by row.

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use crate::domain::Sku;
use crate::engine::Catalog;
use crate::store::{Batch, Patch, Patched, Pieces, StateStore, Word};

use super::feed::{Changes, Shape};
use super::lines::Lines;
use super::opened::{Opened, feeds};
use super::report::{Finding, Place, Report};
use super::{Hostile, IndexRequest, upright, written};

/// Patches written together.
const BATCH: usize = 500;

/// What became of delta feeds.
#[derive(Debug, Default, Serialize)]
pub struct Changed {
    /// Patches that count from now on.
    pub applied: u64,
    /// Patches that say less than what was known already.
    pub older: u64,
    /// What was read, and what could not be used.
    pub report: Report,
}

/// The store and the catalog that changes are about.
pub struct Target<'a> {
    /// Where patches are kept; none: only read and report.
    pub state: Option<&'a StateStore>,
    /// The catalog that serves: it knows the SKUs.
    pub catalog: &'a dyn Catalog,
}

/// Reads delta feeds and lets what is new count.
///
/// # Errors
/// When a file cannot be read or the store cannot be written.
pub async fn run(request: &IndexRequest, target: Target<'_>, hostile: Hostile<'_>) -> anyhow::Result<Changed> {
    let mut changed = Changed::default();
    for feed in feeds(request, &mut changed.report)? {
        let mut taking = Taking { target: &target, changed: &mut changed, pending: Vec::new(), source: String::new() };
        let file = || feed.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        taking.source = feed.terms.name.clone().unwrap_or_else(file);
        let max_age_s = feed.terms.max_age_s;
        let settings = feed.settings(&request.time_zone, hostile);
        match &feed.shape {
            Shape::Jsonl(_) => taking.lines(&feed, request.now).await?,
            Shape::Profiled(profile) => match Changes::open(&feed.path, profile, &settings) {
                Ok(changes) => taking.profiled(changes, (max_age_s.or(profile.max_age_s), request.now)).await?,
                Err(finding) => taking.changed.report.broke(*finding),
            },
        }
    }
    Ok(changed)
}

struct Taking<'a, 'b> {
    target: &'a Target<'b>,
    changed: &'a mut Changed,
    pending: Vec<(Place, Patch)>,
    source: String,
}

impl Taking<'_, '_> {
    async fn lines(&mut self, feed: &Opened, now: Timestamp) -> anyhow::Result<()> {
        let word = Word { as_of: written(&feed.path, now), max_age_s: feed.terms.max_age_s };
        let mut lines = Lines::open(&feed.path)?;
        while let Some((at, line)) = lines.read()? {
            self.changed.report.rows += 1;
            let patch = match line {
                Ok(line) => serde_json::from_str::<Patch>(&upright::text(line)).map_err(|error| {
                    let fix = "write {\"sku\":..,\"prices\":[..],\"stock\":[..]} per line";
                    Finding::error("broken_row", &at, format!("{error}; the row was left out"), fix)
                }),
                Err(finding) => Err(finding),
            };
            match patch {
                Ok(patch) => self.add(at, patch, (word, now)).await?,
                Err(finding) => self.changed.report.skip(finding),
            }
        }
        self.flush((word, now)).await
    }

    async fn profiled(
        &mut self,
        mut changes: Changes<'_>,
        (max_age_s, now): (Option<u64>, Timestamp),
    ) -> anyhow::Result<()> {
        let as_of = changes.made(&mut self.changed.report).unwrap_or(now).min(now);
        let word = Word { as_of, max_age_s };
        loop {
            match changes.next(&mut self.changed.report) {
                Ok(Some((at, sku, price, stock))) => {
                    let stock = stock.map(|line| Pieces { place: line.place, count: line.count });
                    let prices = price.map(|price| vec![price]);
                    if prices.is_none() && stock.is_none() {
                        continue;
                    }
                    let patch = Patch { sku, prices, stock: stock.into_iter().collect(), as_of: None };
                    self.add(at, patch, (word, now)).await?;
                }
                Ok(None) => break,
                Err(finding) => {
                    self.changed.report.broke(*finding);
                    break;
                }
            }
        }
        self.flush((word, now)).await
    }

    async fn add(&mut self, at: Place, patch: Patch, told: (Word, Timestamp)) -> anyhow::Result<()> {
        self.pending.push((at, patch));
        if self.pending.len() >= BATCH { self.flush(told).await } else { Ok(()) }
    }

    async fn flush(&mut self, (word, now): (Word, Timestamp)) -> anyhow::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let skus: Vec<Sku> = pending.iter().map(|(_, patch)| patch.sku.clone()).collect();
        let known = self.target.catalog.known(&skus).await?;
        let (mut places, mut patches) = (Vec::new(), Vec::new());
        for ((at, patch), known) in pending.into_iter().zip(known) {
            if known {
                places.push(at);
                patches.push(patch);
            } else {
                let reason = format!("no variant has the SKU `{}`; the row was left out", patch.sku);
                let fix = "correct the SKU, or index the product first";
                self.changed.report.skip(Finding::error("unknown_sku", &at, reason, fix).of("sku"));
            }
        }
        let Some(state) = self.target.state else {
            self.changed.applied += patches.len() as u64;
            return Ok(());
        };
        let batch = Batch { source: &self.source, word, now };
        let outcomes = state.patch(&patches, &batch).await.context("keeping the changes")?;
        for (at, outcome) in places.iter().zip(outcomes) {
            match outcome {
                Patched::Applied => self.changed.applied += 1,
                Patched::Older => self.changed.older += 1,
                Patched::Refused(field, reason, fix) => {
                    self.changed.report.skip(Finding::error("bad_change", at, reason, fix).of(field));
                }
            }
        }
        Ok(())
    }
}
