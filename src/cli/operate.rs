//! `serve`, `doctor` and `audit`: what an operator needs.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::config::{Config, Engine};
use crate::domain::Message;
use crate::domain::session::TurnId;
use crate::domain::vectors::VectorHome;
use crate::engine::Search;
use crate::http;
use crate::index::qdrant::Server;
use crate::kpi::{self, Period};
use crate::shop::Shop;
use crate::sources::status;
use crate::store::{OrderBook, StateStore};
use crate::turn::{self, Watcher};

use super::{Shape, explain, feeds, open};

/// How often `index/current` is looked at: a new index answers within about this time.
const FOLLOW: Duration = Duration::from_secs(1);

/// Serves until interrupted.
pub(super) async fn serve(
    mut config: Config,
    (host, port): (Option<String>, Option<u16>),
    (first, settings): (&[String], Option<PathBuf>),
) -> anyhow::Result<ExitCode> {
    config.server.host = host.unwrap_or(config.server.host);
    config.server.port = port.unwrap_or(config.server.port);
    let address: IpAddr = config
        .server
        .host
        .parse()
        .with_context(|| format!("server.host `{}` is not an IP address", config.server.host))?;
    if !address.is_loopback() && config.server.keys.is_empty() {
        bail!(
            "{address} is open to others and no key exists: put the sha256 of a key into server.keys, or bind 127.0.0.1"
        );
    }
    let listener = TcpListener::bind(SocketAddr::new(address, config.server.port))
        .await
        .with_context(|| format!("binding {address}:{}", config.server.port))?;
    let (app, live) = open::serving(config).await?;
    let app = Arc::new(app);
    let following = tokio::spawn(async move { live.keep_following(FOLLOW).await });
    let schedule = feeds::schedule(&app, settings);
    let fetching = schedule.map(|schedule| tokio::spawn(async move { schedule.keep().await }));
    turn::warm_up(&app).await;
    banner(&app, &listener)?;
    let server = tokio::spawn(http::serve(Arc::clone(&app), listener, interrupted()));
    for text in first {
        let answer = turn::answer(&app, Message::anonymous(text, "cli"), &Watcher::none()).await?;
        println!("\n> {text}\n{}\n({:.0} ms)", answer.reply.text(), answer.timings.total_ms);
    }
    server.await??;
    following.abort();
    if let Some(fetching) = fetching {
        fetching.abort();
        // A build of its own process ends with it.
        let _ = fetching.await;
    }
    Ok(ExitCode::SUCCESS)
}

fn banner(app: &crate::app::App, listener: &TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let index = app.search.generation();
    let model = app.generate.as_ref().map_or_else(|| "none".to_string(), |generate| generate.model().name);
    println!("truetill {}", env!("CARGO_PKG_VERSION"));
    println!("  chat page  http://{address}/");
    println!("  API        http://{address}/api/v1/chat   docs http://{address}/docs");
    match app.config.generation.engine {
        Engine::OpenAi => println!("  model      {model}, on {}", app.config.generation.url),
        Engine::Local => {
            println!("  model      {model}, context {} tokens (generation.context)", app.config.generation.context);
        }
    }
    println!("  index      {} ({} products, {} passages)", index.id, index.products, index.passages);
    println!("  keys       {}", if app.config.server.keys.is_empty() { "none: loopback only" } else { "required" });
    let outbound = if app.courier.is_some() { "events to outbox.url" } else { "none" };
    println!("  outbound   {outbound}; no telemetry");
    let (feeds, live) = (app.config.sources.feed.len(), app.config.sources.live.len());
    println!("  sources    {feeds} feeds fetched, {live} asked live; truetill sources");
    Ok(())
}

async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        // Without a handler for SIGTERM, Ctrl-C alone stops the server.
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

/// Copies the state from the SQLite file of the settings into an empty database.
pub(super) async fn move_state(config: &Config, to: &str) -> anyhow::Result<ExitCode> {
    let file = config.paths.state.join("truetill.db");
    anyhow::ensure!(file.exists(), "there is no {}: paths.state names the folder to move from", file.display());
    let from = StateStore::open(&config.paths.state).await?;
    let target = StateStore::connect(to, config.store.connections).await?;
    let moved = from.move_into(&target).await?;
    for table in &moved {
        println!("{:>10}  {}", table.rows, table.table);
    }
    println!(
        "{} is moved to {}. Set store.url to it and start the program; the file stays.",
        from.location(),
        target.location()
    );
    Ok(ExitCode::SUCCESS)
}

/// Says what is ready and what is missing.
pub(super) async fn doctor(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings: Vec<(&str, Result<String, String>)> = Vec::new();
    let told = |result: anyhow::Result<String>| result.map_err(|error| format!("{error:#}"));
    findings.push(("rules", told(Shop::load(&config.paths.data).map(|shop| shop.name().to_string()))));
    findings.push(("orders", told(orders(config))));
    findings.push(("embedder", told(open::embedder(config).map(|embed| embed.model().name))));
    findings.push(("language model", told(open::model_in_words(config).await)));
    findings.push(("index", told(index(config).await)));
    if config.index.vectors == VectorHome::Qdrant {
        findings.push(("vectors", told(vectors(config).await)));
    }
    findings.push(("state", told(open::state(config).await.map(|state| state.location().to_string()))));
    findings.push(("sources", feeding(config)));
    findings.push(("access", access(config)));
    let broken = findings.iter().filter(|(_, finding)| finding.is_err()).count();
    for (what, finding) in &findings {
        if json {
            let line = serde_json::json!({"what": what, "ok": finding.is_ok(), "detail": finding.as_ref().unwrap_or_else(|error| error)});
            println!("{line}");
        } else {
            match finding {
                Ok(detail) => println!("ok    {what:<16}{detail}"),
                Err(error) => println!("FAIL  {what:<16}{error}"),
            }
        }
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn orders(config: &Config) -> anyhow::Result<String> {
    Ok(format!("{} orders", OrderBook::load(&config.paths.data.join("orders"))?.len()))
}

async fn vectors(config: &Config) -> anyhow::Result<String> {
    let server = Server::new(&config.index.qdrant)?;
    Ok(format!("Qdrant {} at {}", server.version().await?, server.url()))
}

async fn index(config: &Config) -> anyhow::Result<String> {
    let embed = open::embedder(config)?;
    let info = open::index(config, &*embed).await?.generation();
    Ok(format!("{}, {} products, {} passages, built {}", info.id, info.products, info.passages, info.built))
}

fn feeding(config: &Config) -> Result<String, String> {
    let feeds = status::feeds(config);
    let faults: Vec<String> = feeds
        .iter()
        .filter(|feed| !feed.well())
        .map(|feed| {
            let fault = feed.failed.as_deref().or(feed.refused.as_deref()).unwrap_or("has never come");
            format!("{}: {fault}", feed.name)
        })
        .collect();
    match (feeds.len(), faults.as_slice()) {
        (count, []) => Ok(format!("{count} feeds, {} live", config.sources.live.len())),
        (_, faults) => Err(faults.join("; ")),
    }
}

fn access(config: &Config) -> Result<String, String> {
    let loopback = config.server.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match (loopback, config.server.keys.is_empty()) {
        (true, true) => Ok("loopback only, no key".to_string()),
        (_, false) => Ok("a key is required".to_string()),
        (false, true) => Err(format!("{} is open to others and no key exists: set server.keys", config.server.host)),
    }
}

/// Shows a turn, or the latest turns.
pub(super) async fn audit(config: &Config, turn: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let state = open::state(config).await?;
    let Some(turn) = turn else {
        for summary in state.latest(20).await? {
            println!("{}  {}  session {}", summary.at, summary.id, summary.session);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let id: TurnId = turn.parse().with_context(|| format!("`{turn}` is not a turn's id"))?;
    let Some(record) = state.turn(id).await? else { bail!("there is no turn {id}; `truetill audit` lists the latest") };
    if json {
        println!("{record}");
    } else {
        print!("{}", explain::record(&record));
        if let Some(text) = record["reply"]["segments"].as_array() {
            text.iter().for_each(|segment| println!("{}", segment["text"].as_str().unwrap_or_default()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Figures of a period.
pub(super) async fn kpi(
    config: &Config,
    (from, to): (Option<&str>, Option<&str>),
    format: Shape,
) -> anyhow::Result<ExitCode> {
    let period = Period::between(from, to, jiff::Timestamp::now());
    let period = period.map_err(|(field, detail)| anyhow::anyhow!("--{field}: {detail}"))?;
    let report = kpi::report(&open::state(config).await?, period, &kpi::Rates::load(&config.paths.data)?).await?;
    match format {
        Shape::Table => print!("{}", report.table()),
        Shape::Csv => print!("{}", report.csv()),
        Shape::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(ExitCode::SUCCESS)
}
