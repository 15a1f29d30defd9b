//! `index` and `search`.

use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::config::Config;
use crate::engine::SearchMode;

use super::{IndexArgs, open};

/// Builds a generation and reports.
#[cfg(feature = "search")]
pub(super) async fn index(config: &Config, args: &IndexArgs, json: bool) -> anyhow::Result<ExitCode> {
    use crate::ingest::{self, IndexRequest};
    use crate::shop::Shop;
    let data = &config.paths.data;
    let default_catalog = vec![data.join("catalog")];
    let request = IndexRequest {
        catalogs: if args.catalog.is_empty() { default_catalog } else { args.catalog.clone() },
        policies: Some(args.policies.clone().unwrap_or_else(|| data.join("policies"))).filter(|path| path.exists()),
        mapping: args.mapping.clone(),
        mappings: data.join("feeds"),
        categories: Some(data.join("rules/categories.toml")).filter(|path| path.exists()),
        currency: args.currency,
        index: config.paths.index.clone(),
        time_zone: Shop::load(data)?.time_zone(),
        dry_run: args.dry_run,
        strict: args.strict,
        now: Timestamp::now(),
    };
    let embed = open::embedder(config)?;
    let bar = open::bar(json);
    let report = ingest::run(&request, &*embed, &|done, total| open::advance(&bar, done, total)).await?;
    bar.finish_and_clear();
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    let clean = report.succeeded() && !(args.strict && report.errors > 0);
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Answers a file of queries.
#[cfg(feature = "search")]
pub(super) async fn search(
    config: &Config,
    (queries, run): (&Path, &Path),
    (mode, k): (SearchMode, usize),
    json: bool,
) -> anyhow::Result<ExitCode> {
    use crate::index::batch::{BatchMode, search_batch};
    let embed = open::embedder(config)?;
    let index = open::index(config, &*embed)?;
    let summary = search_batch(&index, Some(&*embed), (queries, run), BatchMode { mode, k }).await?;
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
