//! The outermost layer: a request id, security headers, one log line and one count per request, and the bodies of
//! refusals. It never reads a request's body and never logs a message.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::http::error::{Code, Problem};
use crate::http::measure;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a browser may load: our own files and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The id under which the log knows this request.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Wraps the whole router.
pub async fn pass(mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let openai = request.uri().path().starts_with("/v1/");
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_string();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut written = problem.respond(&id, openai);
        // A refused method keeps its Allow header.
        written.headers_mut().extend(response.headers().get(header::ALLOW).map(|allow| (header::ALLOW, allow.clone())));
        response = written;
    }
    measure::request(&route, method.as_str(), response.status(), start.elapsed());
    tracing::info!(request.id = %id, %method, route, status = response.status().as_u16(), ms = start.elapsed().as_millis(), "answered");
    guard_headers(&mut response, &id);
    response
}

/// The caller's id when it is one, else a fresh one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sound = |id: &&str| {
        (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    given.filter(sound).map_or_else(|| Uuid::now_v7().to_string(), str::to_string)
}

fn guard_headers(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// What a panic looks like from outside; the message stays in the log.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!("a handler panicked: {}", text.unwrap_or("no message"));
    Problem::new(Code::Internal, "The request could not be answered.").into_response()
}

/// Nothing at this address.
pub async fn nothing_here() -> Problem {
    Problem::new(Code::NotFound, "No such route.")
}

/// Another method at this address.
pub async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The route exists with another method.")
}
