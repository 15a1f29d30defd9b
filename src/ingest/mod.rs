//! `truetill index`: reads the merchant's feeds and policies, reports row by row, builds a generation and switches to it.
//! A bad row is named and left out; a bad feed never replaces a good index. Nothing here answers a shopper.

mod accept;
pub mod changes;
pub mod feed;
#[cfg(feature = "search")]
mod indexed;
mod jsonl;
mod lines;
mod opened;
mod policies;
mod report;
mod shelf;
mod upright;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::product::StockLine;
use crate::domain::{Currency, Language, Product};
use crate::generation::{self, Building, Manifest};
use crate::store::{CatalogWriter, VariantRow, Word};

#[cfg(feature = "search")]
pub use indexed::Indexed;
pub use opened::Terms;
pub use policies::NamedPassage;
pub use report::{FeedNote, Finding, Outcome, Place, Report, Severity};
pub use shelf::{NoShelves, Shelf, Shelved, Shelves};

use accept::Door;
use feed::{Feed, Settings, Shape};
use jsonl::Kind;
use lines::Lines;
use opened::{Opened, feeds};

/// What to index, and where to.
#[derive(Clone, Debug)]
pub struct IndexRequest {
    /// Feeds: files, or folders of them.
    pub catalogs: Vec<PathBuf>,
    /// What is known of some of these files, and goes before what is said here of all.
    pub terms: BTreeMap<PathBuf, Terms>,
    /// The folder of policies.
    pub policies: Option<PathBuf>,
    /// The profile; without it one is found in `profiles` by the feed's content.
    pub profile: Option<PathBuf>,
    /// The folder of known profiles, `data/feeds`.
    pub profiles: PathBuf,
    /// Only profiles whose file is called so, or begins so: `shopify`; `jsonl` is our own format.
    pub format: Option<String>,
    /// Category words, `data/rules/categories.toml`; may be absent.
    pub categories: Option<PathBuf>,
    /// Labelled messages, the folder `data/rules/examples`: what shoppers ask beside the rules; may be absent.
    pub messages: Option<PathBuf>,
    /// The currency of prices that name none.
    pub currency: Option<Currency>,
    /// The language of texts, where a feed does not say it.
    pub language: Option<Language>,
    /// The folder of generations.
    pub index: PathBuf,
    /// The shop's time zone: policies and reductions are in force by its calendar.
    pub time_zone: TimeZone,
    /// Only read and report.
    pub dry_run: bool,
    /// Any error refuses the switch.
    pub strict: bool,
    /// The share of the products of before that may be missing; 1 for any.
    pub max_shrink: f64,
    /// The moment of the run: nothing is as of later.
    pub now: Timestamp,
}

/// Tells text that speaks to a model from text for a customer.
pub type Hostile<'a> = &'a (dyn Fn(&str) -> bool + Send + Sync);

/// Reads, reports, builds and switches. A refusal is in the report; nothing was changed then.
///
/// # Errors
/// When a file cannot be read or written, or another builder is at work.
pub async fn run(request: &IndexRequest, shelves: &dyn Shelves, hostile: Hostile<'_>) -> anyhow::Result<Report> {
    let start = Instant::now();
    let mut report = Report::default();
    let building = if request.dry_run { None } else { Some(Building::begin(&request.index, request.now)?) };
    let mut sink = match &building {
        Some(building) => Some(Sink::create(building, request, shelves).await?),
        None => None,
    };
    let mut door = Door::default();
    let feeds = feeds(request, &mut report)?;
    for feed in &feeds {
        let settings = feed.settings(&request.time_zone, hostile);
        read_products(feed, &settings, request.now, (&mut door, &mut sink, &mut report)).await?;
    }
    for feed in feeds.iter().filter(|feed| matches!(feed.shape, Shape::Jsonl(Kind::Stock))) {
        read_stock(feed, request.now, (&mut door, &mut sink, &mut report)).await?;
    }
    door.dangling_accessories(&mut report);
    let today = request.now.to_zoned(request.time_zone.clone()).date();
    let passages = match &request.policies {
        Some(folder) => policies::read(folder, today, &mut report)?,
        None => Vec::new(),
    };
    report.outcome = match (refusal(request, &report), sink, building) {
        (Some(reason), _, _) => Outcome::Refused { reason },
        (None, Some(sink), Some(building)) => sink.switch(building, passages, request.now, &mut report).await?,
        _ => Outcome::DryRun,
    };
    report.seconds = start.elapsed().as_secs_f64();
    Ok(report)
}

fn refusal(request: &IndexRequest, report: &Report) -> Option<String> {
    if report.broken > 0 {
        return Some(format!("{} feeds could not be read to their end: the index stays as it is", report.broken));
    }
    if report.products == 0 {
        return Some("no product could be read: the index stays as it is".into());
    }
    if request.strict && report.errors > 0 {
        return Some(format!("{} errors with --strict: the index stays as it is", report.errors));
    }
    shrunk(request, report.products)
}

/// Half a feed reads like a whole one: what is missing is only seen beside the generation before.
fn shrunk(request: &IndexRequest, products: u64) -> Option<String> {
    let serving = generation::current(&request.index).ok()?;
    let before = Manifest::read(&serving).ok()?.products as u64;
    let least = before as f64 * (1.0 - request.max_shrink);
    ((products as f64) < least.floor()).then(|| {
        format!(
            "{products} products after {before} is a loss of more than {:.0} % (index.max_shrink = {}): \
             check that the feed is whole, or run `truetill index --accept-shrink`",
            request.max_shrink * 100.0,
            request.max_shrink
        )
    })
}

type Into<'s, 'b> = (&'s mut Door, &'s mut Option<Sink<'b>>, &'s mut Report);

async fn read_products(
    feed: &Opened,
    settings: &Settings<'_>,
    now: Timestamp,
    into: Into<'_, '_>,
) -> anyhow::Result<()> {
    let (door, sink, report) = into;
    let (rows, products) = (report.rows, report.products);
    let as_of = match &feed.shape {
        Shape::Jsonl(Kind::Stock) => return Ok(()),
        Shape::Jsonl(Kind::Products) => {
            let as_of = written(&feed.path, now);
            speak(sink, as_of, feed.terms.max_age_s).await?;
            read_lines(feed, settings.currency, (door, sink, report)).await?;
            as_of
        }
        Shape::Profiled(profile) => match Feed::open(&feed.path, profile, settings) {
            Ok(mut reading) => {
                let as_of = reading.made(report).unwrap_or(now).min(now);
                speak(sink, as_of, feed.terms.max_age_s.or(profile.max_age_s)).await?;
                let findings = report.errors + report.warnings;
                read_profiled(&mut reading, (door, sink, report)).await?;
                if report.products == products && report.errors + report.warnings == findings {
                    let at = Place::new(&feed.path, 0);
                    let reason = "the feed holds no product for sale";
                    report.add(Finding::error("empty_feed", &at, reason, "export the feed again"));
                }
                as_of
            }
            Err(finding) => {
                report.broke(*finding);
                return Ok(());
            }
        },
    };
    report.feeds.push(FeedNote {
        file: feed.path.display().to_string(),
        profile: feed.name.clone(),
        reason: feed.reason.clone(),
        rows: report.rows - rows,
        products: report.products - products,
        as_of: Some(as_of),
    });
    Ok(())
}

async fn speak(sink: &mut Option<Sink<'_>>, as_of: Timestamp, max_age_s: Option<u64>) -> anyhow::Result<()> {
    match sink {
        Some(sink) => sink.catalog.speak(Word { as_of, max_age_s }).await,
        None => Ok(()),
    }
}

/// When a file was written: what it says was true then.
fn written(path: &Path, now: Timestamp) -> Timestamp {
    let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    modified.and_then(|modified| Timestamp::try_from(modified).ok()).unwrap_or(now).min(now)
}

async fn read_lines(feed: &Opened, currency: Option<Currency>, into: Into<'_, '_>) -> anyhow::Result<()> {
    let (door, sink, report) = into;
    let mut lines = Lines::open(&feed.path)?;
    while let Some((at, line)) = lines.read()? {
        report.rows += 1;
        let product = match line {
            Ok(line) => jsonl::product(&line, &at, currency, report),
            Err(finding) => {
                report.skip(finding);
                None
            }
        };
        let accepted = product.and_then(|product| door.product(product, &at, report));
        if let (Some((product, prices)), Some(sink)) = (accepted, sink.as_mut()) {
            sink.product(&product, &prices).await?;
        }
    }
    Ok(())
}

async fn read_profiled(feed: &mut Feed<'_>, into: Into<'_, '_>) -> anyhow::Result<()> {
    let (door, sink, report) = into;
    loop {
        let assembled = match feed.next(report) {
            Ok(Some(assembled)) => assembled,
            Ok(None) => break,
            Err(finding) => {
                report.broke(*finding);
                break;
            }
        };
        let feed::Assembled { at, product, stock } = assembled;
        let Some((product, prices)) = door.product(product, &at, report) else { continue };
        let stock: Vec<StockLine> = stock.into_iter().filter_map(|line| door.stock_line(line, &at, report)).collect();
        let Some(sink) = sink.as_mut() else { continue };
        sink.product(&product, &prices).await?;
        for line in &stock {
            sink.stock(line).await?;
        }
    }
    feed.unknown(report);
    Ok(())
}

async fn read_stock(feed: &Opened, now: Timestamp, into: Into<'_, '_>) -> anyhow::Result<()> {
    let (door, sink, report) = into;
    speak(sink, written(&feed.path, now), feed.terms.max_age_s).await?;
    let mut lines = Lines::open(&feed.path)?;
    while let Some((at, line)) = lines.read()? {
        let stock = match line {
            Ok(line) => jsonl::stock_line(&line, &at, report),
            Err(finding) => {
                report.skip(finding);
                None
            }
        };
        let accepted = stock.and_then(|stock| door.stock_line(stock, &at, report));
        if let (Some(stock), Some(sink)) = (accepted, sink.as_mut()) {
            sink.stock(&stock).await?;
        }
    }
    Ok(())
}

/// Where accepted rows go: the catalog and the index of the generation being built.
struct Sink<'a> {
    catalog: CatalogWriter,
    shelf: Box<dyn Shelf + 'a>,
    shelves: &'a dyn Shelves,
}

impl<'a> Sink<'a> {
    async fn create(building: &Building, request: &IndexRequest, shelves: &'a dyn Shelves) -> anyhow::Result<Self> {
        let file = building.folder().join(generation::CATALOG);
        let catalog = CatalogWriter::create(&file, building.id(), request.now).await?;
        Ok(Sink { catalog, shelf: shelves.begin(building.folder(), request)?, shelves })
    }

    async fn product(&mut self, product: &Product, prices: &[VariantRow]) -> anyhow::Result<()> {
        self.catalog.add(product, prices).await?;
        self.shelf.add(product).await
    }

    async fn stock(&mut self, line: &StockLine) -> anyhow::Result<()> {
        self.catalog.add_stock(line).await
    }

    async fn switch(
        self,
        building: Building,
        passages: Vec<NamedPassage>,
        now: Timestamp,
        report: &mut Report,
    ) -> anyhow::Result<Outcome> {
        let (embedder, dimensions) = self.shelves.embedder();
        self.catalog.finish().await?;
        let built = self.shelf.finish(passages).await?;
        report.embedded = built.embedded;
        report.reused = built.reused;
        let generation = building.id().to_string();
        self.shelves.publish(&generation, building.folder()).await?;
        let index = building.switch(Manifest {
            schema: generation::SCHEMA,
            generation: generation.clone(),
            built: now,
            embedder,
            dimensions,
            products: built.products,
            passages: built.passages,
            sealed: true,
            files: BTreeMap::new(),
        })?;
        let kept = index.parent().map(generation::kept).transpose()?.unwrap_or_default();
        let kept: Vec<String> = kept.into_iter().map(|kept| kept.manifest.generation).collect();
        self.shelves.serves(&generation, &kept).await;
        Ok(Outcome::Switched { generation })
    }
}
