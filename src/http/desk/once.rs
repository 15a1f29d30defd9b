//! Work under an Idempotency-Key: done once, answered as often as asked. It runs to its end though the client leaves.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::http::Gate;
use crate::http::chat::idempotency;
use crate::http::door::auth::Caller;
use crate::http::error::{Code, Problem};
use crate::store::idempotency::{Claimed, IdempotencyKey};

/// Runs the work, unless the request's key has its answer already.
///
/// # Errors
/// The key is malformed, stands for another request or for one that still runs; and whatever the work refuses.
pub async fn once<T: Serialize + Send + 'static>(
    gate: &Gate,
    (caller, headers): (&Caller, &HeaderMap),
    (path, body): (&str, &[u8]),
    work: impl Future<Output = Result<(StatusCode, T), Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let Some(key) = idempotency::read(headers)? else {
        let (status, value) = finished(work).await?;
        return Ok((status, Json(value)).into_response());
    };
    let caller = caller.key.map(hex::encode).unwrap_or_default();
    let body = hex::encode(Sha256::new().chain_update(path).chain_update([0]).chain_update(body).finalize());
    let claimed = IdempotencyKey { caller: &caller, key: &key, body: &body };
    match gate.app.state.claim(claimed, gate.app.now()).await.map_err(|error| inner(&error))? {
        Claimed::Again(status, answer) => return Ok(replayed(status, answer)),
        Claimed::Reused => {
            return Err(Problem::new(Code::IdempotencyKeyReused, "The first request with this key was another one."));
        }
        Claimed::InFlight => {
            let problem = Problem::new(Code::IdempotencyInFlight, "Its answer is not there yet.");
            return Err(Problem { retry_after_s: Some(1), ..problem });
        }
        Claimed::First => {}
    }
    let app = Arc::clone(&gate.app);
    let keeping = async move {
        let claimed = IdempotencyKey { caller: &caller, key: &key, body: &body };
        let outcome = work.await;
        let answer = outcome.as_ref().ok().map(|(status, value)| (status.as_u16(), serde_json::to_string(value)));
        let kept = match answer {
            Some((status, Ok(answer))) => app.state.answered(claimed, status, &answer).await,
            // Nothing can be answered again: the key is free for another try, which the task's own state guards.
            Some((_, Err(_))) | None => app.state.unclaim(claimed).await,
        };
        if let Err(error) = kept {
            // The task guards the write; only the replay of this answer is lost.
            tracing::error!("an Idempotency-Key could not be kept: {error:#}");
        }
        outcome
    };
    let (status, value) = finished(keeping).await?;
    Ok((status, Json(value)).into_response())
}

async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let crashed = |_| Problem::new(Code::Internal, "The order desk could not finish this.");
    tokio::spawn(work).await.map_err(crashed)?
}

fn replayed(status: u16, answer: String) -> Response {
    const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = HeaderValue::from_static("application/json");
    (status, [(REPLAY, HeaderValue::from_static("true")), (header::CONTENT_TYPE, kind)], answer).into_response()
}

fn inner(error: &anyhow::Error) -> Problem {
    tracing::error!("an Idempotency-Key could not be looked up: {error:#}");
    Problem::new(Code::Internal, "The Idempotency-Key could not be looked up.")
}
