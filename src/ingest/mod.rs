//! `truetill index`: reads the merchant's feeds and policies, reports row by row, builds a generation and switches to it.
//! A bad row is named and left out; a bad feed never replaces a good index. Nothing here answers a shopper.

mod accept;
mod jsonl;
mod lines;
mod mapping;
mod policies;
mod report;
mod table;
mod upright;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::product::StockLine;
use crate::domain::{Currency, Language, Product};
use crate::engine::Embed;
use crate::index::{self, Analyzer, Builder, Building, Kinds, Manifest, PassageEntry, Progress, Tools};
use crate::store::{CatalogWriter, VariantRow};

pub use mapping::Mapping;
pub use report::{Finding, Outcome, Place, Report, Severity};

use accept::Door;
use jsonl::Kind;
use lines::Lines;
use table::Table;

/// What to index, and where to.
#[derive(Clone, Debug)]
pub struct IndexRequest {
    /// Feeds: files, or folders of `.jsonl`, `.csv` and `.tsv` files.
    pub catalogs: Vec<PathBuf>,
    /// The folder of policies.
    pub policies: Option<PathBuf>,
    /// The column mapping; without it one is found in `mappings` by the header.
    pub mapping: Option<PathBuf>,
    /// The folder of known mappings, `data/feeds`.
    pub mappings: PathBuf,
    /// Category words, `data/rules/categories.toml`; may be absent.
    pub categories: Option<PathBuf>,
    /// The currency of prices that name none.
    pub currency: Option<Currency>,
    /// The folder of generations.
    pub index: PathBuf,
    /// The shop's time zone: policies are in force by its calendar.
    pub time_zone: TimeZone,
    /// Only read and report.
    pub dry_run: bool,
    /// Any error refuses the switch.
    pub strict: bool,
    /// The moment of the run: prices and stock are confirmed as of it.
    pub now: Timestamp,
}

/// Reads, reports, builds and switches. A refusal is in the report; nothing was changed then.
///
/// # Errors
/// When a file cannot be read or written, or another builder is at work.
pub async fn run(request: &IndexRequest, embed: &dyn Embed, progress: Progress<'_>) -> anyhow::Result<Report> {
    let start = Instant::now();
    let mut report = Report::default();
    let analyzer = Analyzer::new();
    let building = if request.dry_run { None } else { Some(Building::begin(&request.index, request.now)?) };
    let mut sink = match &building {
        Some(building) => Some(Sink::create(building, request, embed, (&analyzer, progress)).await?),
        None => None,
    };
    let mut door = Door::default();
    let feeds = feeds(request, &mut report)?;
    for feed in &feeds {
        read_products(feed, request, &mut door, (&mut sink, &mut report)).await?;
    }
    for feed in feeds.iter().filter(|feed| matches!(feed, Feed::Stock(_))) {
        read_stock(feed.path(), &mut door, &mut sink, &mut report).await?;
    }
    door.dangling_accessories(&mut report);
    let today = request.now.to_zoned(request.time_zone.clone()).date();
    let passages = match &request.policies {
        Some(folder) => policies::read(folder, today, &mut report)?,
        None => Vec::new(),
    };
    report.outcome = match (refusal(request, &report), sink, building) {
        (Some(reason), _, _) => Outcome::Refused { reason },
        (None, Some(sink), Some(building)) => {
            let passages = passages.into_iter().map(|(id, passage)| PassageEntry { id, passage }).collect();
            sink.switch(building, passages, (request, embed), &mut report).await?
        }
        _ => Outcome::DryRun,
    };
    report.seconds = start.elapsed().as_secs_f64();
    Ok(report)
}

fn refusal(request: &IndexRequest, report: &Report) -> Option<String> {
    if report.products == 0 {
        return Some("no product could be read: the index stays as it is".into());
    }
    let strict = request.strict && report.errors > 0;
    strict.then(|| format!("{} errors with --strict: the index stays as it is", report.errors))
}

/// A feed and how it is read.
enum Feed {
    Products(PathBuf),
    Stock(PathBuf),
    Table(PathBuf, Box<Mapping>),
    Empty(PathBuf),
}

impl Feed {
    fn path(&self) -> &Path {
        match self {
            Feed::Products(path) | Feed::Stock(path) | Feed::Table(path, _) | Feed::Empty(path) => path,
        }
    }
}

fn feeds(request: &IndexRequest, report: &mut Report) -> anyhow::Result<Vec<Feed>> {
    let mut feeds = Vec::new();
    for path in &request.catalogs {
        let files = if path.is_dir() { feed_files(path)? } else { vec![path.clone()] };
        for file in files {
            let feed = feed(&file, request)?;
            if let Feed::Empty(path) = &feed {
                let reason = "the file holds no row";
                report.add(Finding::error("empty_feed", &Place::new(path, 0), reason, "export the feed again"));
            }
            feeds.push(feed);
        }
    }
    Ok(feeds)
}

fn feed_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if matches!(extension, "jsonl" | "ndjson" | "csv" | "tsv") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn feed(path: &Path, request: &IndexRequest) -> anyhow::Result<Feed> {
    let path = path.to_path_buf();
    let first = match Lines::open(&path)?.read()? {
        None => return Ok(Feed::Empty(path)),
        Some((_, Ok(text))) => text,
        Some((at, Err(finding))) if !is_json(&path) => anyhow::bail!("{}:{}: {}", at.file, at.line, finding.reason),
        // The finding is made when the feed is read; until a line tells more it holds products.
        Some(_) => return Ok(Feed::Products(path)),
    };
    if is_json(&path) || (request.mapping.is_none() && first.trim_start().starts_with('{')) {
        return Ok(match jsonl::kind_of(&first) {
            Kind::Products => Feed::Products(path),
            Kind::Stock => Feed::Stock(path),
        });
    }
    let mapping = match &request.mapping {
        Some(mapping) => Mapping::read(mapping)?,
        None => Mapping::detect(&request.mappings, &first).with_context(|| path.display().to_string())?.1,
    };
    Ok(Feed::Table(path, Box::new(mapping)))
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson")
}

type Into<'s, 'b> = (&'s mut Option<Sink<'b>>, &'s mut Report);

async fn read_products(feed: &Feed, request: &IndexRequest, door: &mut Door, into: Into<'_, '_>) -> anyhow::Result<()> {
    let (sink, report) = into;
    match feed {
        Feed::Products(path) => {
            let mut lines = Lines::open(path)?;
            while let Some((at, line)) = lines.read()? {
                let product = match line {
                    Ok(line) => jsonl::product(&line, &at, request.currency, report),
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
        }
        Feed::Table(path, mapping) => {
            let mut table = Table::open(path, (**mapping).clone(), request.currency, report)?;
            while let Some((at, product, stock)) = table.read(report)? {
                let Some((product, prices)) = door.product(product, &at, report) else { continue };
                let stock = stock.and_then(|line| door.stock_line(line, &at, report));
                let Some(sink) = sink.as_mut() else { continue };
                sink.product(&product, &prices).await?;
                if let Some(line) = stock {
                    sink.stock(&line).await?;
                }
            }
        }
        Feed::Stock(_) | Feed::Empty(_) => {}
    }
    Ok(())
}

async fn read_stock(
    path: &Path,
    door: &mut Door,
    sink: &mut Option<Sink<'_>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut lines = Lines::open(path)?;
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
    builder: Builder<'a>,
}

impl<'a> Sink<'a> {
    async fn create(
        building: &Building,
        request: &IndexRequest,
        embed: &'a dyn Embed,
        with: (&'a Analyzer, Progress<'a>),
    ) -> anyhow::Result<Self> {
        let (analyzer, progress) = with;
        let file = building.folder().join(index::CATALOG);
        let catalog = CatalogWriter::create(&file, building.id(), request.now).await?;
        let kinds = request.categories.as_deref().map(category_words).transpose()?.unwrap_or_default();
        let before = index::current(&request.index).ok();
        let tools = Tools { analyzer, embed, kinds, progress };
        Ok(Sink { catalog, builder: Builder::create(building.folder(), before, tools)? })
    }

    async fn product(&mut self, product: &Product, prices: &[VariantRow]) -> anyhow::Result<()> {
        self.catalog.add(product, prices).await?;
        self.builder.add_product(product).await
    }

    async fn stock(&mut self, line: &StockLine) -> anyhow::Result<()> {
        self.catalog.add_stock(line).await
    }

    async fn switch(
        self,
        building: Building,
        passages: Vec<PassageEntry>,
        with: (&IndexRequest, &dyn Embed),
        report: &mut Report,
    ) -> anyhow::Result<Outcome> {
        let (request, embed) = with;
        self.catalog.finish().await?;
        let built = self.builder.finish(passages).await?;
        report.embedded = built.embedded;
        report.reused = built.reused;
        let generation = building.id().to_string();
        building.switch(Manifest {
            schema: index::SCHEMA,
            generation: generation.clone(),
            built: request.now,
            embedder: embed.model(),
            dimensions: embed.dimensions(),
            products: built.products,
            passages: built.passages,
            files: BTreeMap::new(),
        })?;
        Ok(Outcome::Switched { generation })
    }
}

/// Reads `categories.toml`: `[id]` with `name = {ru = ".."}` and `also`, a list or one list per language.
fn category_words(path: &Path) -> anyhow::Result<Kinds> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(Kinds::new()) };
    let tables: BTreeMap<String, toml::Table> = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut kinds = Kinds::new();
    for (id, table) in tables {
        let mut words: BTreeMap<Language, Vec<String>> = BTreeMap::new();
        for (language, name) in table.get("name").and_then(toml::Value::as_table).into_iter().flatten() {
            let language = language.parse().with_context(|| format!("{}: [{id}] name", path.display()))?;
            words.entry(language).or_default().extend(name.as_str().map(str::to_string));
        }
        let strings = |list: &toml::Value| -> Vec<String> {
            list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_string)).collect()
        };
        match table.get("also") {
            Some(toml::Value::Table(per_language)) => {
                for (language, list) in per_language {
                    let language = language.parse().with_context(|| format!("{}: [{id}] also", path.display()))?;
                    words.entry(language).or_default().extend(strings(list));
                }
            }
            Some(list) => words.values_mut().for_each(|known| known.extend(strings(list))),
            None => {}
        }
        kinds.insert(id, words.into_iter().map(|(language, list)| (language, list.join(" ; "))).collect());
    }
    Ok(kinds)
}
