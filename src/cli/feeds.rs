//! Feeds by address: options of `index` and `patch`, what is fetched before them, the build that `serve` starts by itself, and
//! `sources`, which lists how they stand.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use clap::Args;
use jiff::Timestamp;

use crate::app::App;
use crate::config::Config;
use crate::domain::source::Holds;
use crate::domain::{Currency, Language};
use crate::generation;
use crate::sources::{self, Build, Built, Kept, Schedule, Tries, status};

use super::data::Home;

/// How often a build of its own process is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Options of `index`.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// Feeds: files or folders; default: the feeds of [sources], else the data folder's catalog.
    #[arg(long, value_name = "PATH")]
    pub catalog: Vec<PathBuf>,
    /// Feeds by address, fetched only when they have changed, instead of files and of those of [sources].
    #[arg(long, value_name = "URL", conflicts_with = "catalog")]
    pub feed: Vec<String>,
    /// With --feed: build even when nothing has changed.
    #[arg(long, requires = "feed")]
    pub again: bool,
    /// Build from what is kept of the feeds of [sources]; nothing is fetched.
    #[arg(long, conflicts_with_all = ["catalog", "feed"])]
    pub kept: bool,
    /// The folder of policies; default: the data folder's.
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Profile of the feeds; default: detected by their content.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Only profiles of data/feeds called so: auto, shopify, woocommerce, google, yml, heureka, schema-org, jsonl.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub format: String,
    /// The currency of prices that name none.
    #[arg(long, value_name = "CODE")]
    pub currency: Option<Currency>,
    /// The language of the texts, where a feed does not tell it.
    #[arg(long, value_name = "LANG")]
    pub language: Option<Language>,
    /// Only read and report.
    #[arg(long)]
    pub dry_run: bool,
    /// Any error refuses the new index.
    #[arg(long)]
    pub strict: bool,
    /// Switch even when far more products are missing than index.max_shrink allows.
    #[arg(long)]
    pub accept_shrink: bool,
    /// Where the vectors go; default: index.vectors of the settings.
    #[arg(long, value_enum, value_name = "WHERE")]
    pub to: Option<Home>,
    /// Let a kept generation serve again, checked file by file: the one named, else the one before.
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["catalog", "dry_run"])]
    pub rollback: Option<String>,
    /// List the generations that are kept.
    #[arg(long, conflicts_with_all = ["catalog", "dry_run", "rollback"])]
    pub generations: bool,
}

/// Options of `patch`.
#[derive(Debug, Args)]
pub struct PatchArgs {
    /// Delta feeds: files or folders.
    #[arg(required_unless_present = "feed", value_name = "PATH")]
    pub feeds: Vec<PathBuf>,
    /// Delta feeds by address, fetched only when they have changed.
    #[arg(long, value_name = "URL", conflicts_with = "feeds")]
    pub feed: Vec<String>,
    /// Profile of the feeds; default: detected by their content.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// The currency of prices that name none.
    #[arg(long, value_name = "CODE")]
    pub currency: Option<Currency>,
    /// Only read and report.
    #[arg(long)]
    pub dry_run: bool,
}

/// What was fetched before a build or a patch.
pub(super) struct Fetched {
    /// The settings with the feeds that are meant.
    pub config: Config,
    /// True when there is nothing to do.
    pub nothing_new: bool,
    /// Nobody else fetches or builds from there while it lives.
    _lock: File,
}

/// Fetches the feeds that were named by address, else those of the settings; none when files are meant.
pub(super) async fn fetched(
    config: &Config,
    (urls, holds): (&[String], Holds),
    now: Timestamp,
) -> anyhow::Result<Option<Fetched>> {
    let mut config = config.clone();
    if !urls.is_empty() {
        config.sources.feed = urls.iter().map(|url| sources::by_address(url, holds)).collect();
        config.sources.beside.clear();
        config.sources.check().map_err(|fault| anyhow::anyhow!(fault))?;
    }
    if !config.sources.feed.iter().any(|feed| feed.holds == holds) {
        return Ok(None);
    }
    let lock = Kept::of(&config.paths.state).lock()?;
    let asked = config.clone();
    let results = tokio::task::spawn_blocking(move || sources::refresh(&asked, holds, now)).await?;
    for (name, result) in results {
        match result {
            Ok(sources::Fetched::New) => eprintln!("{name}: fetched"),
            Ok(sources::Fetched::Same) => eprintln!("{name}: unchanged"),
            // Who names an address wants that feed and no other; a schedule goes on with what came before.
            Err(error) if !urls.is_empty() => return Err(error),
            Err(error) => eprintln!("{name}: {error:#}; what came before is taken"),
        }
    }
    let into = match holds {
        Holds::Changes => "patches".to_string(),
        Holds::Products => generation::current(&config.paths.index)
            .ok()
            .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_default(),
    };
    let nothing_new = sources::nothing_new(&config, holds, &into);
    Ok(Some(Fetched { config, nothing_new, _lock: lock }))
}

/// Lists how the feeds of the settings stand.
pub(super) fn list(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let feeds = status::feeds(config);
    let at = |moment: Option<Timestamp>| moment.map_or_else(|| "never".to_string(), |moment| moment.to_string());
    for feed in &feeds {
        if json {
            let line = serde_json::json!({"name": feed.name, "well": feed.well(), "bytes": feed.bytes,
                "fetched_at": feed.fetched_at, "confirmed_at": feed.confirmed_at, "next_at": feed.next_at,
                "into": feed.into, "refused": feed.refused, "failures": feed.failures, "failed": feed.failed});
            println!("{line}");
            continue;
        }
        let mark = if feed.well() { "ok  " } else { "FAIL" };
        let (confirmed, next) = (at(feed.confirmed_at), at(feed.next_at));
        let into = feed.into.as_deref().unwrap_or("nothing yet");
        println!("{mark}  {}  confirmed {confirmed}, in {into}, next {next}", feed.name);
        for fault in feed.failed.iter().chain(&feed.refused) {
            println!("      {fault}");
        }
    }
    if feeds.is_empty() && !json {
        println!("no feed is configured; docs/sources.md shows how");
    }
    Ok(if feeds.iter().all(status::FeedStatus::well) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The schedule of a running server; none when no feed is configured.
pub(super) fn schedule(app: &App, settings: Option<PathBuf>) -> Option<Schedule> {
    (!app.config.sources.feed.is_empty()).then(|| Schedule {
        config: app.config.clone(),
        zone: app.shop.time_zone(),
        state: app.state.clone(),
        catalog: Arc::clone(&app.catalog),
        build: Box::new(Apart { settings, report: app.config.paths.state.join("sources/build.json") }),
        tries: Tries::default(),
        clock: Timestamp::now,
        rest: Mutex::default(),
    })
}

/// Builds in a process of its own: its memory and its load are not the server's.
struct Apart {
    settings: Option<PathBuf>,
    report: PathBuf,
}

/// A build that ends with its server.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[async_trait]
impl Build for Apart {
    async fn build(&self) -> anyhow::Result<Built> {
        let mut command = Command::new(std::env::current_exe().context("finding the program itself")?);
        if let Some(settings) = &self.settings {
            command.arg("--config").arg(settings);
        }
        let report = File::create(&self.report).with_context(|| format!("writing {}", self.report.display()))?;
        command.args(["--json", "index", "--kept"]).stdin(Stdio::null()).stdout(report);
        let mut running = Running(command.spawn().context("starting the build")?);
        let status = loop {
            match running.0.try_wait().context("waiting for the build")? {
                Some(status) => break status,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let text = std::fs::read_to_string(&self.report).context("reading the build's report")?;
        let built = serde_json::from_str(&text).map(|report| Built::told(&report)).unwrap_or_default();
        if built == Built::default() {
            bail!("the build ended with {status} and no report; the log says why");
        }
        Ok(built)
    }
}
