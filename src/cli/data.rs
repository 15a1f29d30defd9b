//! `index`, `patch` and `search`.

use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::config::Config;
use crate::domain::source::Holds;
use crate::domain::vectors::VectorHome;
use crate::engine::SearchMode;
use crate::generation;
use crate::index::batch::{BatchMode, search_batch};
use crate::index::qdrant::Server;
use crate::sources::{self, Built, Kept};

use super::{IndexArgs, PatchArgs, feeds, open};

/// Search modes on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mode {
    /// tantivy alone.
    Lexical,
    /// Vectors alone.
    Vector,
    /// Both, fused.
    Hybrid,
}

impl From<Mode> for SearchMode {
    fn from(mode: Mode) -> SearchMode {
        match mode {
            Mode::Lexical => SearchMode::Lexical,
            Mode::Vector => SearchMode::Vector,
            Mode::Hybrid => SearchMode::Hybrid,
        }
    }
}

/// Where vectors go, on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Home {
    /// Into the generation's own files alone.
    Embedded,
    /// Into the Qdrant server of [index.qdrant] too.
    Qdrant,
}

impl From<Home> for VectorHome {
    fn from(home: Home) -> VectorHome {
        match home {
            Home::Embedded => VectorHome::Embedded,
            Home::Qdrant => VectorHome::Qdrant,
        }
    }
}

/// The index serves, but rows of the feeds are missing in it or cannot be quoted.
const IN_PART: u8 = 3;
/// More of a text speaks to a model than to a person.
const HOSTILE: f32 = 0.8;

/// Builds a generation and reports.
#[cfg(feature = "search")]
pub(super) async fn index(config: &Config, args: &IndexArgs, json: bool) -> anyhow::Result<ExitCode> {
    use crate::ingest::{self, Indexed, NoShelves};
    let now = Timestamp::now();
    let fetched = match args.catalog.is_empty() && !args.kept {
        true => feeds::fetched(config, (&args.feed, Holds::Products), now).await?,
        false => None,
    };
    let anyway = args.again || args.accept_shrink || args.to.is_some();
    if fetched.as_ref().is_some_and(|fetched| fetched.nothing_new && !args.feed.is_empty() && !anyway) {
        println!("nothing has changed since the index that serves; --again builds it anyway");
        return Ok(ExitCode::SUCCESS);
    }
    let config = fetched.as_ref().map_or(config, |fetched| &fetched.config);
    let request = request(config, args, now)?;
    let screening = crate::app::screening(&config.paths.data)?;
    let hostile = |text: &str| screening.injection(text) >= HOSTILE;
    let report = if request.dry_run {
        ingest::run(&request, &NoShelves, &hostile).await?
    } else {
        let embed = open::embedder(config)?;
        let bar = open::bar(json);
        let progress = |done, total| open::advance(&bar, done, total);
        let sending = |done, total| {
            bar.set_message("sending vectors");
            open::advance(&bar, done, total);
        };
        let mut shelves = Indexed::new(&*embed, &progress);
        if args.to.map_or(config.index.vectors, VectorHome::from) == VectorHome::Qdrant {
            let server = Server::new(&config.index.qdrant)?;
            // Embedding may take long: what is wrong with the server is told before it.
            server.version().await?;
            shelves = shelves.with_server(server, &sending);
        }
        let report = ingest::run(&request, &shelves, &hostile).await?;
        bar.finish_and_clear();
        report
    };
    if fetched.is_some() && !request.dry_run {
        sources::taken(config, &Built::told(&serde_json::to_value(&report)?), now)?;
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(match (report.succeeded(), report.errors) {
        (true, 0) => ExitCode::SUCCESS,
        (true, _) if !args.strict => ExitCode::from(IN_PART),
        _ => ExitCode::from(1),
    })
}

/// Lists the generations that are kept.
pub(super) fn generations(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    for kept in generation::kept(&config.paths.index)? {
        let manifest = kept.manifest;
        if json {
            let (id, built) = (&manifest.generation, manifest.built.to_string());
            let line = serde_json::json!({"generation": id, "built": built, "products": manifest.products,
                "passages": manifest.passages, "embedder": manifest.embedder.name, "serves": kept.serves});
            println!("{line}");
        } else {
            let mark = if kept.serves { "serves" } else { "kept" };
            let (id, products) = (&manifest.generation, manifest.products);
            println!(
                "{id}  {mark:<6}  {products} products, {} passages, {}",
                manifest.passages, manifest.embedder.name
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a kept generation serve again.
pub(super) async fn roll_back(config: &Config, to: &str) -> anyhow::Result<ExitCode> {
    let to = Some(to).filter(|to| !to.is_empty());
    let server = match config.index.vectors {
        VectorHome::Qdrant => Some(Server::new(&config.index.qdrant)?),
        VectorHome::Embedded => None,
    };
    if let Some(server) = &server {
        let kept = generation::before(&config.paths.index, to)?;
        // Kept collections lie there still; one that does not is filled from the generation's own folder.
        let generation = (kept.manifest.generation.as_str(), kept.folder.as_path());
        server.put(generation, kept.manifest.dimensions, &|_, _| {}).await?;
    }
    let id = generation::roll_back(&config.paths.index, to)?;
    if let Some(server) = &server {
        server.name(&id).await?;
    }
    println!("generation {id} serves; a running `truetill serve` follows within a second");
    Ok(ExitCode::SUCCESS)
}

/// Lets the changes of delta feeds count.
pub(super) async fn patch(config: &Config, args: &PatchArgs, json: bool) -> anyhow::Result<ExitCode> {
    use crate::ingest::changes::{self, Target};
    let data = &config.paths.data;
    let shop = crate::shop::Shop::load(data)?;
    let now = Timestamp::now();
    let fetched = match args.feed.as_slice() {
        [] => None,
        urls => feeds::fetched(config, (urls, Holds::Changes), now).await?,
    };
    if fetched.as_ref().is_some_and(|fetched| fetched.nothing_new) {
        println!("nothing has changed since it was last read");
        return Ok(ExitCode::SUCCESS);
    }
    let mut files = args.feeds.clone();
    for source in fetched.iter().flat_map(|fetched| &fetched.config.sources.feed) {
        files.extend(sources::changes_request(config, source, (shop.time_zone(), now))?.catalogs);
    }
    let request = crate::ingest::IndexRequest {
        catalogs: files,
        terms: std::collections::BTreeMap::new(),
        policies: None,
        profile: args.mapping.clone(),
        profiles: data.join("feeds"),
        format: None,
        categories: None,
        messages: None,
        currency: args.currency,
        language: None,
        index: config.paths.index.clone(),
        time_zone: shop.time_zone(),
        dry_run: args.dry_run,
        strict: false,
        max_shrink: 1.0,
        now,
    };
    let catalog = open::catalog(config, &generation::current(&config.paths.index)?, &shop).await?;
    let state = open::state(config).await?;
    let target = Target { state: Some(&state).filter(|_| !args.dry_run), catalog: &catalog };
    let changed = changes::run(&request, target, &|_| false).await?;
    if !args.dry_run {
        for source in fetched.iter().flat_map(|fetched| &fetched.config.sources.feed) {
            let kept = Kept::of(&config.paths.state);
            let mut memory = kept.memory(&source.name, &source.url);
            memory.take(sources::outcome(&changed), now);
            kept.note(&source.name, &memory)?;
        }
    }
    if json {
        println!("{}", serde_json::to_string(&changed)?);
    } else {
        changed.report.findings.iter().for_each(|finding| println!("{finding}"));
        let (rows, errors) = (changed.report.rows, changed.report.errors);
        println!(
            "{rows} rows: {} changes count, {} are older than what is known; {errors} errors",
            changed.applied, changed.older
        );
    }
    Ok(match (changed.report.broken, changed.report.errors) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) if changed.applied + changed.older > 0 => ExitCode::from(IN_PART),
        _ => ExitCode::from(1),
    })
}

#[cfg(feature = "search")]
fn request(config: &Config, args: &IndexArgs, now: Timestamp) -> anyhow::Result<crate::ingest::IndexRequest> {
    let data = &config.paths.data;
    let time_zone = crate::shop::Shop::load(data)?.time_zone();
    let max_shrink = if args.accept_shrink { 1.0 } else { config.index.max_shrink };
    let feeds = config.sources.feed.iter().any(|feed| feed.holds == Holds::Products);
    if args.catalog.is_empty() && feeds {
        let kept = sources::request(config, time_zone, now)?;
        return Ok(crate::ingest::IndexRequest {
            policies: args.policies.clone().or(kept.policies),
            profile: args.mapping.clone(),
            format: Some(args.format.clone()),
            currency: args.currency,
            language: args.language,
            dry_run: args.dry_run,
            strict: args.strict,
            max_shrink,
            ..kept
        });
    }
    let default_catalog = vec![data.join("catalog")];
    Ok(crate::ingest::IndexRequest {
        catalogs: if args.catalog.is_empty() { default_catalog } else { args.catalog.clone() },
        terms: std::collections::BTreeMap::new(),
        policies: Some(args.policies.clone().unwrap_or_else(|| data.join("policies"))).filter(|path| path.exists()),
        profile: args.mapping.clone(),
        profiles: data.join("feeds"),
        format: Some(args.format.clone()),
        categories: Some(data.join("rules/categories.toml")).filter(|path| path.exists()),
        messages: Some(data.join("rules/examples")).filter(|path| path.exists()),
        currency: args.currency,
        language: args.language,
        index: config.paths.index.clone(),
        time_zone,
        dry_run: args.dry_run,
        strict: args.strict,
        max_shrink,
        now,
    })
}

/// Answers a file of queries.
#[cfg(feature = "search")]
pub(super) async fn search(
    config: &Config,
    (queries, run): (&Path, &Path),
    how: BatchMode,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let embed = open::embedder(config)?;
    let index = open::index(config, &*embed).await?;
    let summary = search_batch(&index, Some(&*embed), (queries, run), how).await?;
    if json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        let (queries, lines) = (summary.queries, summary.lines);
        println!("{queries} queries, {lines} lines in {}, {} without a hit", run.display(), summary.empty);
        println!("search p50 {:.1} ms, p95 {:.1} ms", summary.search_p50_ms, summary.search_p95_ms);
        println!("embedding p50 {:.1} ms, p95 {:.1} ms", summary.embed_p50_ms, summary.embed_p95_ms);
    }
    Ok(ExitCode::SUCCESS)
}
