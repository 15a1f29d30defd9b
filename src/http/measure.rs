//! Counters and histograms, and how Prometheus reads them. No label ever carries text of a message.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;

use crate::http::error::Problem;
use crate::turn::Answer;

/// Bounds in seconds: from an answer without a model to a slow generation.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The recorder of this process; every router shares it.
pub fn handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("invariant: BUCKETS is not empty");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // Somebody else's recorder stays in place: then ours has nothing to show, and says so by being empty.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("/metrics stays empty: another metrics recorder is installed");
    }
    handle
}

/// One request.
pub fn request(route: &str, method: &str, status: StatusCode, took: Duration) {
    let labels =
        [("route", route.to_string()), ("method", method.to_string()), ("status", status.as_str().to_string())];
    counter!("truetill_http_requests_total", &labels).increment(1);
    histogram!("truetill_http_seconds", "route" => route.to_string()).record(took.as_secs_f64());
}

/// One answered turn.
pub fn answered(answer: &Answer) {
    let labels = [("tier", name_of(&answer.tier)), ("status", name_of(&answer.check.status))];
    counter!("truetill_turns_total", &labels).increment(1);
    for code in &answer.check.rejected {
        counter!("truetill_guard_rejects_total", "code" => code.clone()).increment(1);
    }
    if let Some(reason) = &answer.handover {
        counter!("truetill_handovers_total", "reason" => name_of(reason)).increment(1);
    }
    for (stage, ms) in &answer.timings.stages {
        histogram!("truetill_stage_seconds", "stage" => name_of(stage)).record(ms / 1000.0);
    }
    histogram!("truetill_turn_seconds").record(answer.timings.total_ms / 1000.0);
}

/// One turn without a reply.
pub fn refused(problem: &Problem) {
    counter!("truetill_turns_refused_total", "code" => problem.code.as_str()).increment(1);
}

/// The name an enum has over the wire.
pub fn name_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "other".to_string(),
    }
}
