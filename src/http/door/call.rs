//! A request with all that a handler works with: who calls, the body, and the work done once under its Idempotency-Key.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::Gate;
use crate::http::chat::idempotency;
use crate::http::desk::once::once;
use crate::http::door::auth::Caller;
use crate::http::door::body::Body;
use crate::http::error::{Code, Problem};

/// A call with a JSON body.
pub struct Call<T> {
    gate: Arc<Gate>,
    /// Who calls.
    pub caller: Caller,
    /// The body.
    pub body: T,
    path: String,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl<T: DeserializeOwned> FromRequest<Arc<Gate>> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, gate).await?;
        let (path, headers) = (parts.uri.path().to_string(), parts.headers.clone());
        let Body { value, bytes } = Body::from_request(Request::from_parts(parts, body), gate).await?;
        Ok(Call { gate: Arc::clone(gate), caller, body: value, path, headers, bytes })
    }
}

impl<T> Call<T> {
    /// What stands for this very request wherever it is done: its key under its caller, or nothing else in the world.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub fn operation(&self) -> Result<String, Problem> {
        let key = idempotency::read(&self.headers)?;
        Ok(match key {
            Some(key) => format!("key:{}:{}:{key}", self.caller.name(), self.path),
            None => format!("call:{}", uuid::Uuid::now_v7()),
        })
    }

    /// Does the work, unless the request's key has its answer already. It runs to its end though the client leaves.
    ///
    /// # Errors
    /// The key is malformed, stands for another request or for one that still runs; and whatever the work refuses.
    pub async fn once<R, F, W>(self, work: W) -> Result<Response, Problem>
    where
        R: Serialize + Send + 'static,
        F: Future<Output = Result<(StatusCode, R), Problem>> + Send + 'static,
        W: FnOnce(Arc<App>, T) -> F,
    {
        let Call { gate, caller, body, path, headers, bytes } = self;
        let work = work(Arc::clone(&gate.app), body);
        once(&gate, (&caller, &headers), (&path, &bytes), work).await
    }
}

/// Something inside failed: the cause goes to the log, never over the wire.
pub fn inside(what: &'static str) -> impl Fn(anyhow::Error) -> Problem {
    move |error| {
        tracing::error!("{what} failed: {error:#}");
        Problem::new(Code::Internal, format!("{what} could not finish this."))
    }
}
