//! `bench load`: shoppers and an operator at work on a server of its own, without the language model.
//! In: how many, how long, and whether they are people or a rush. Out: how long each request took, what failed, how the server's
//! memory went, what processor time and the database were used for.
//! The shop's own state is never written: the server keeps its own in a folder that goes away, or in a database for that.

mod client;
mod flows;
mod gauge;
mod report;
mod server;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use crate::config::Config;
use crate::domain::Language;
use crate::shop::Shop;
use crate::store::OrderBook;

use super::open;
use flows::{Pace, Shelf, Shopper};
use gauge::{Sample, Totals};
use report::{Log, Report};
use server::Server;

/// Options of `bench load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Conversations at once.
    #[arg(long, default_value_t = 200)]
    sessions: usize,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// `people`: each session sends a request every `--every-ms`, whatever the server does, and a request that is sent late
    /// counts from when it was due (open loop). `rush`: the next request follows the answer at once (closed loop): how much
    /// the server can do, not how long a shopper waits.
    #[arg(long, value_enum, default_value_t = Manner::People)]
    pace: Manner,
    /// How often each of the people sends a request, on average, in milliseconds.
    #[arg(long, default_value_t = 2000)]
    every_ms: u64,
    /// Keep the state in this empty PostgreSQL database instead of a SQLite file.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Which products are asked about, in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How shoppers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Manner {
    People,
    Rush,
}

impl LoadArgs {
    fn pace(&self) -> Pace {
        match self.pace {
            Manner::People => Pace::People(Duration::from_millis(self.every_ms.max(1))),
            Manner::Rush => Pace::Rush,
        }
    }
}

/// Runs the measurement; fails when a request did.
pub(super) async fn run(config: &Config, args: &LoadArgs, json: bool) -> anyhow::Result<ExitCode> {
    ensure!(args.sessions > 0 && args.seconds > 0, "--sessions and --seconds must be at least 1");
    let shelf = Arc::new(shelf(config, args.seed).await?);
    let server = Server::start(config, args.store.as_deref()).await?;
    let mut report = Report::begin(args.sessions, args.pace(), server.place());
    let before = Totals::read(&server).await?;
    let began = Instant::now();
    let end = began + Duration::from_secs(args.seconds);
    let running: Vec<_> = (0..args.sessions)
        .map(|number| {
            let mut shopper = Shopper::new(number as u64, server.address(), Arc::clone(&shelf));
            (shopper.pace, shopper.end) = (args.pace(), end);
            tokio::spawn(shopper.shop())
        })
        .collect();
    watch_memory(&server, &mut report, (began, end)).await?;
    let mut log = Log::default();
    for shopper in running {
        log.take(shopper.await.context("a shopper broke down")?);
    }
    let took = began.elapsed().as_secs_f64();
    report.memory(Sample { second: took.round(), mb: server.memory_mb()? });
    let after = Totals::read(&server).await?;
    report.end(log, took);
    report.used(|requests, cores| after.since(&before, (took, cores, requests)));
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Notes the server's memory at the start, then about sixty times, at most once a second.
async fn watch_memory(server: &Server, report: &mut Report, (began, end): (Instant, Instant)) -> anyhow::Result<()> {
    let step = (end.saturating_duration_since(began) / 60).max(Duration::from_secs(1));
    let mut at = began;
    while at < end {
        tokio::time::sleep_until(at.into()).await;
        report.memory(Sample { second: began.elapsed().as_secs_f64().round(), mb: server.memory_mb()? });
        at += step;
    }
    Ok(())
}

/// What is asked about: products of the index, orders and customers of the shop.
async fn shelf(config: &Config, seed: u64) -> anyhow::Result<Shelf> {
    let shop = Shop::load(&config.paths.data)?;
    let folder = crate::generation::current(&config.paths.index)?;
    let catalog = open::catalog(config, &folder, &shop).await?;
    let products = catalog.sample(500, seed).await?;
    ensure!(!products.is_empty(), "the index has no product with a price");
    let orders = OrderBook::load(&config.paths.data.join("orders"))?;
    let mut orders: Vec<_> = orders.iter().cloned().collect();
    orders.sort_by(|a, b| a.number.cmp(&b.number));
    ensure!(!orders.is_empty(), "{} holds no orders", config.paths.data.join("orders").display());
    Ok(Shelf { products, orders, frames: frames(&config.paths.data)? })
}

fn frames(data: &Path) -> anyhow::Result<Vec<(Language, String)>> {
    let path = data.join("eval/price_questions.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let frames: std::collections::BTreeMap<Language, String> =
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(frames.into_iter().collect())
}
