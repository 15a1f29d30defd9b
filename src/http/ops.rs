//! What an operator and a load balancer ask: is it alive, may it get traffic and if not why, what does it count.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Gate;
use crate::http::error::ProblemBody;

/// Alive.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether traffic may come.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// True when it may.
    ready: bool,
    /// Why not; empty when ready.
    reasons: Vec<String>,
    /// What is wrong while traffic may come: it is answered less well.
    warnings: Vec<String>,
}

/// What is running.
#[derive(Serialize, ToSchema)]
pub struct Version {
    /// The product.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// Says that the process lives; it asks nothing else.
#[utoipa::path(get, path = "/health", tag = "operation", responses((status = 200, description = "Alive", body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Says whether traffic may come, and why not.
#[utoipa::path(get, path = "/ready", tag = "operation", responses(
    (status = 200, description = "Ready", body = Readiness),
    (status = 503, description = "Not ready, with reasons", body = Readiness),
))]
pub async fn ready(State(gate): State<Arc<Gate>>) -> Response {
    let mut reasons = gate.app.unready();
    if gate.draining.load(Ordering::Relaxed) {
        reasons.push("shutting down".to_string());
    }
    let warnings = gate.app.search.degraded().into_iter().collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: reasons.is_empty(), reasons, warnings })).into_response()
}

/// Counters and histograms in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(("key" = [])), responses(
    (status = 200, description = "Prometheus text", body = String, content_type = "text/plain"),
    (status = 401, description = "A key is needed", body = ProblemBody),
    (status = 403, description = "An admin key is needed", body = ProblemBody),
))]
pub async fn metrics(State(gate): State<Arc<Gate>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], gate.metrics.render())
}

/// Names what is running.
#[utoipa::path(get, path = "/version", tag = "operation", responses((status = 200, description = "The version", body = Version)))]
pub async fn version() -> Json<Version> {
    Json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}
