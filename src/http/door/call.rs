//! A request with all that a handler works with: who calls, the body, and the work done once under its Idempotency-Key.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::auth::Caller;
use super::body::Body;
use super::once::Keyed;
use crate::app::App;
use crate::http::Gate;
use crate::http::error::{Code, Problem};

/// A call with a JSON body.
pub struct Call<T> {
    app: Arc<App>,
    /// Who calls.
    pub caller: Caller,
    /// The body.
    pub body: T,
    /// Its key.
    pub keyed: Keyed,
    bytes: Vec<u8>,
}

impl<T: DeserializeOwned> FromRequest<Arc<Gate>> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, gate).await?;
        let keyed = Keyed::from_request_parts(&mut parts, gate).await?;
        let Body { value, bytes } = Body::from_request(Request::from_parts(parts, body), gate).await?;
        Ok(Call { app: Arc::clone(&gate.app), caller, body: value, keyed, bytes })
    }
}

impl<T> Call<T> {
    /// Does the work, unless the request's key has its answer already. It runs to its end though the client leaves.
    ///
    /// # Errors
    /// The key stands for another request or for one that still runs; and whatever the work refuses.
    pub async fn once<R, F, W>(self, work: W) -> Result<Response, Problem>
    where
        R: Serialize + Send + 'static,
        F: Future<Output = Result<(StatusCode, R), Problem>> + Send + 'static,
        W: FnOnce(Arc<App>, T) -> F,
    {
        self.keyed.once(&self.bytes, work(self.app, self.body)).await
    }
}

/// Something inside failed: the cause goes to the log, never over the wire.
pub fn inside(what: &'static str) -> impl Fn(anyhow::Error) -> Problem {
    move |error| {
        tracing::error!("{what} failed: {error:#}");
        Problem::new(Code::Internal, format!("{what} could not finish this."))
    }
}
