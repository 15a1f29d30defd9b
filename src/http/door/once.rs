//! Idempotency-Key: what carries one is done once and answered as often as it is asked, for a day, over restarts, whichever program of a
//! state is asked. A key is kept as a digest, and a request as a digest under its key: whoever reads the state can try out neither the
//! key, where it cannot be guessed, nor the six digits of a code that stood in the body.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema};

use super::auth::Caller;
use super::call::inside;
use crate::app::App;
use crate::domain::identity::Visitor;
use crate::http::Gate;
use crate::http::error::{Code, Problem};
use crate::store::idempotency::{Claimed, Held, IdempotencyKey};

/// What is no turn is over by then, or its process is dead.
const LONGEST: Duration = Duration::from_secs(60);
const NAME: &str = "Idempotency-Key";
/// What failed, for the log and the answer.
const LOOKING: &str = "The look-up of the Idempotency-Key";

/// A request's key, if it carries one, and for whom and where it counts.
pub struct Keyed {
    app: Arc<App>,
    caller: String,
    path: String,
    key: Option<String>,
}

/// What to do with a request.
pub enum Claim {
    /// It is done for the first time.
    First(Reservation),
    /// It was answered before: status and body.
    Again(StatusCode, String),
}

/// A key until its answer is known, or nothing where there is no key. Dropped without an answer, because the client has gone or the work
/// has crashed, it is free again.
#[derive(Default)]
pub struct Reservation(Option<(Arc<App>, Held)>);

impl FromRequestParts<Arc<Gate>> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, gate).await?;
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Ok(Keyed { app: Arc::clone(&gate.app), caller: name(&caller), path, key: read(&parts.headers)? })
    }
}

impl IntoParams for Keyed {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let told = "1 to 200 characters that nobody can guess, such as a UUID. The same key with the same body gets the first answer \
                    again for a day, also over restarts, with the header `idempotent-replay: true`; with another body 422; while the \
                    first request runs 409";
        let header = ParameterBuilder::new().name(NAME).parameter_in(ParameterIn::Header).required(Required::False);
        vec![header.description(Some(told)).schema(Some(String::schema())).build()]
    }
}

impl Keyed {
    /// What stands for this very request wherever and however often it is done: its key under its caller.
    pub fn operation(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(format!("key:{}", digest(&[self.caller.as_bytes(), self.path.as_bytes(), key.as_bytes()])))
    }

    /// Who sends a message under this key.
    pub fn visitor(&self, caller: &Caller) -> Visitor {
        Visitor { operation: self.operation(), ..caller.visitor() }
    }

    /// Looks the key up and holds it. A request that has no answer after `longest` is dead: the key is taken again.
    ///
    /// # Errors
    /// The key stands for another request, or for one that still runs.
    pub async fn claim(&self, body: &[u8], longest: Duration) -> Result<Claim, Problem> {
        let Some(key) = &self.key else { return Ok(Claim::First(Reservation::default())) };
        let body = digest(&[key.as_bytes(), self.path.as_bytes(), body]);
        let (app, caller, key) = (Arc::clone(&self.app), self.caller.clone(), digest(&[key.as_bytes()]));
        // Of a client that leaves in this moment the key is taken all the same, and then dropped.
        let claiming = tokio::spawn(async move {
            let key = IdempotencyKey { caller: &caller, key: &key, body: &body };
            match app.state.claim(key, app.now(), longest).await.map_err(inside(LOOKING))? {
                Claimed::First(held) => Ok(Claim::First(Reservation(Some((app, held))))),
                Claimed::Again(status, answer) => {
                    Ok(Claim::Again(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), answer))
                }
                Claimed::Reused => {
                    Err(Problem::new(Code::IdempotencyKeyReused, "The first request with this key was another one."))
                }
                Claimed::InFlight => {
                    let problem = Problem::new(Code::IdempotencyInFlight, "Its answer is not there yet.");
                    Err(Problem { retry_after_s: Some(1), ..problem })
                }
            }
        });
        claiming.await.map_err(|error| inside(LOOKING)(error.into()))?
    }

    /// Does the work, unless the key has its answer already. It runs to its end though the client leaves.
    ///
    /// # Errors
    /// The key stands for another request, or for one that still runs; and whatever the work refuses, which frees the key.
    pub async fn once<T: Serialize + Send + 'static>(
        self,
        body: &[u8],
        work: impl Future<Output = Result<(StatusCode, T), Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let reservation = match self.claim(body, LONGEST).await? {
            Claim::Again(status, answer) => return Ok(replayed(told(status, answer))),
            Claim::First(reservation) => reservation,
        };
        let keeping = async move {
            let outcome = work.await.and_then(|(status, value)| {
                let text = serde_json::to_string(&value).map_err(|error| inside("the answer")(error.into()))?;
                Ok((status, text))
            });
            match &outcome {
                Ok((status, text)) => reservation.answered(*status, || text.clone()).await,
                // Nothing can be answered again: another try is a new one, which the state of the thing itself guards.
                Err(_) => reservation.free().await,
            }
            outcome
        };
        let crashed = |_| Problem::new(Code::Internal, "The request could not be finished.");
        let (status, text) = tokio::spawn(keeping).await.map_err(crashed)??;
        Ok(told(status, text))
    }
}

impl Reservation {
    /// Keeps the answer, though the client leaves meanwhile.
    pub async fn answered(mut self, status: StatusCode, text: impl FnOnce() -> String) {
        let Some((app, held)) = self.0.take() else { return };
        let text = text();
        to_its_end(async move { app.state.answered(&held, status.as_u16(), &text).await }).await;
    }

    /// Frees the key.
    pub async fn free(mut self) {
        let Some((app, held)) = self.0.take() else { return };
        to_its_end(async move { app.state.unclaim(&held).await }).await;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((app, held)) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move { Reservation(Some((app, held))).free().await });
        }
    }
}

/// The write goes on when whoever waits for it is gone. That it fails is the log's: the request itself is done.
async fn to_its_end(write: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
    let written = tokio::spawn(write).await.map_err(Into::into).and_then(|written| written);
    if let Err(error) = written {
        tracing::error!("an Idempotency-Key could not be written: {error:#}");
    }
}

/// Whose key it is: another caller's, customer's or shopper's is another key.
fn name(caller: &Caller) -> String {
    let customer = caller.token.as_ref().map(|token| token.customer.as_bytes());
    let shopper = caller.shopper.as_ref().map(|shopper| shopper.as_bytes());
    digest(&[&caller.key.unwrap_or_default(), customer.unwrap_or_default(), shopper.unwrap_or_default()])
}

fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=200).contains(&text.len()));
    let bad = || Problem::new(Code::IdempotencyKeyInvalid, "It is empty, too long or not plain ASCII.");
    text.map(|text| Some(text.to_string())).ok_or_else(bad)
}

/// Of several parts, none of which can run into the next.
fn digest(parts: &[&[u8]]) -> String {
    let add = |hash: Sha256, part: &&[u8]| hash.chain_update((part.len() as u64).to_le_bytes()).chain_update(part);
    hex::encode(parts.iter().fold(Sha256::new(), add).finalize())
}

/// An answer as it is kept: JSON, or no body at all.
pub fn told(status: StatusCode, text: String) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// Says that it was answered before.
pub fn replayed(response: impl IntoResponse) -> Response {
    const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
    ([(REPLAY, HeaderValue::from_static("true"))], response).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_one_another() {
        let check = |one: &[&[u8]], other: &[&[u8]], expected: bool| {
            assert_eq!(digest(one) == digest(other), expected, "{one:?} {other:?}");
        };
        check(&[b"key", b"/path", b"{}"], &[b"key", b"/path", b"{}"], true);
        check(&[b"key", b"/path", b"{}"], &[b"key2", b"/path", b"{}"], false);
        check(&[b"key", b"/path", b"{}"], &[b"key/", b"path", b"{}"], false);
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused() {
        let check = |value: &[u8], expected: Result<Option<&str>, Code>| {
            let value = HeaderValue::from_bytes(value).unwrap();
            let got = read(&HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value)]));
            assert_eq!(got.as_ref().map(Option::as_deref).map_err(|problem| problem.code), expected);
        };
        check(b"k-1", Ok(Some("k-1")));
        check(b"", Err(Code::IdempotencyKeyInvalid));
        check(&[b'k'; 201], Err(Code::IdempotencyKeyInvalid));
        check("ключ".as_bytes(), Err(Code::IdempotencyKeyInvalid));
        assert!(matches!(read(&HeaderMap::new()), Ok(None)));
    }
}
