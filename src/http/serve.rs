//! Accepts connections and lets them drain: a header time-out against slow clients, a cap on open connections, and
//! a loopback address only until a key exists.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::app::App;
use crate::handover;
use crate::http::{Gate, Peer, routes};
use crate::{outreach, tracking};

/// A request's head must be here by then.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// Open connections; more wait in the listener's queue.
const CONNECTIONS: usize = 1024;
/// Replies on their way may take this long after the signal to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// Histograms are folded this often, so that they stay small when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// Cases that wait for a person are looked at this often.
const PATIENCE: Duration = Duration::from_secs(20);
/// Parcels whose time has come are looked for this often.
const PARCELS: Duration = Duration::from_secs(20);
/// Whether it is time to count what is bought together, and which photos must go, is looked at this often.
const CHORES: Duration = Duration::from_secs(60);
/// Out of file descriptors or the like: wait before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` resolves, then finishes the replies on their way.
///
/// # Errors
/// An address that anybody can reach while no key exists, or settings the router refuses.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let gate = Arc::new(Gate::new(app)?);
    refuse_open_door(&gate, listener.local_addr().context("reading the bound address")?)?;
    let router = routes(Arc::clone(&gate));
    let draining = GracefulShutdown::new();
    let upkeep = tokio::spawn(upkeep(Arc::clone(&gate)));
    let patience = tokio::spawn(patience(Arc::clone(&gate)));
    let messages = tokio::spawn(messages(Arc::clone(&gate)));
    let parcels = tokio::spawn(parcels(Arc::clone(&gate)));
    let chores = tokio::spawn(chores(Arc::clone(&gate)));
    tokio::select! {
        () = accept(&listener, &router, &draining) => {}
        () = shutdown => {}
    }
    gate.draining.store(true, Ordering::Relaxed);
    drop(listener);
    if tokio::time::timeout(DRAIN, draining.shutdown()).await.is_err() {
        tracing::warn!("connections still open after {} s were closed", DRAIN.as_secs());
    }
    upkeep.abort();
    patience.abort();
    messages.abort();
    parcels.abort();
    chores.abort();
    Ok(())
}

fn refuse_open_door(gate: &Gate, address: SocketAddr) -> anyhow::Result<()> {
    if gate.keys.is_open() && !address.ip().is_loopback() {
        bail!(
            "refusing to serve on {address} without a key: anybody in the network could ask. \
             Make one with `truetill keys create` and put its sha256 into server.keys, or set server.host = \"127.0.0.1\""
        );
    }
    Ok(())
}

async fn accept(listener: &TcpListener, router: &Router, draining: &GracefulShutdown) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = converse(stream, peer, router.clone(), draining.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("accepting a connection failed: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Small events must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("connection ended: {error}");
    }
}

/// Raises what nobody looks after.
async fn patience(gate: Arc<Gate>) {
    let mut tick = tokio::time::interval(PATIENCE);
    loop {
        tick.tick().await;
        if let Err(error) = handover::escalate(&gate.app).await {
            tracing::error!("waiting cases could not be looked at: {error:#}");
        }
    }
}

/// Decides which messages are due and carries what waits in the outbox.
async fn messages(gate: Arc<Gate>) {
    let mut tick = tokio::time::interval(Duration::from_secs(gate.app.config.outbox.every_s));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looked = None;
    loop {
        tick.tick().await;
        match outreach::tick(&gate.app, gate.app.now(), &mut looked).await {
            Ok(round) => tracing::debug!(?round, "messages and events"),
            Err(error) => tracing::error!("messages could not be looked at: {error:#}"),
        }
    }
}

/// Asks carriers where parcels are.
async fn parcels(gate: Arc<Gate>) {
    let mut tick = tokio::time::interval(PARCELS);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match tracking::tick(&gate.app, gate.app.now()).await {
            Ok(round) => tracing::debug!(?round, "parcels"),
            Err(error) => tracing::error!("parcels could not be looked at: {error:#}"),
        }
    }
}

/// Counts what is bought together, when it is time, and deletes photos whose days are over.
async fn chores(gate: Arc<Gate>) {
    let mut tick = tokio::time::interval(CHORES);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match gate.app.together.tick(&gate.app.state, gate.app.now()).await {
            Ok(counted) => tracing::debug!(counted, "what is bought together"),
            Err(error) => tracing::error!("what is bought together could not be counted: {error:#}"),
        }
        if let Err(error) = gate.app.state.forget_photos(&gate.app.order_rules.photos, gate.app.now()).await {
            tracing::error!("photos whose days are over could not be deleted: {error:#}");
        }
    }
}

async fn upkeep(gate: Arc<Gate>) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        gate.metrics.run_upkeep();
    }
}
