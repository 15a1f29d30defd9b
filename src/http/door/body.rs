//! A JSON body: right type, right size, UTF-8, known fields. Each fault has its own code and names its place.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tokio_stream::StreamExt;

use crate::http::Gate;
use crate::http::error::{Code, Problem};

/// A body may take this long to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request's JSON body, and its bytes for whoever must tell two requests apart.
pub struct Body<T> {
    /// The parsed object.
    pub value: T,
    /// As it came in.
    pub bytes: Vec<u8>,
}

impl<T: DeserializeOwned> FromRequest<Arc<Gate>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gate: &Arc<Gate>) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        let bytes = patiently(request, gate.app.config.server.body_bytes).await?;
        let value = parse(&bytes)?;
        Ok(Body { value, bytes })
    }
}

/// What a body is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One JSON object.
    Json,
    /// A JSON object per line.
    Lines,
}

/// A whole body of either kind, of at most `limit` bytes.
///
/// # Errors
/// Another kind; too large, too slow or cut short.
pub async fn whole(request: Request, limit: usize) -> Result<(Kind, Vec<u8>), Problem> {
    let kind = match kind_of(request.headers()).eq_ignore_ascii_case("application/x-ndjson") {
        true => Kind::Lines,
        false => expect_json(request.headers()).map(|()| Kind::Json)?,
    };
    Ok((kind, patiently(request, limit).await?))
}

/// A whole body of whatever kind, of at most `limit` bytes.
///
/// # Errors
/// Too large, too slow or cut short.
pub async fn raw(request: Request, limit: usize) -> Result<Vec<u8>, Problem> {
    patiently(request, limit).await
}

async fn patiently(request: Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let slow = |_| Problem::new(Code::BodyTimeout, format!("No whole body in {} s.", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, read(request, limit)).await.map_err(slow)?
}

fn kind_of(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind_of(headers).eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail =
        if kind.is_empty() { "Content-Type is missing.".to_string() } else { format!("Content-Type is {kind}.") };
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

async fn read(request: Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(
            Code::BodyTooLarge,
            format!(
                "At most {limit} bytes are read (server.body_bytes; of patches server.catalog_bytes, of photos photos.bytes of data/rules/returns.toml)."
            ),
        )
    };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::BodyIncomplete, "The connection ended inside the body."))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A JSON object out of a body.
///
/// # Errors
/// Not UTF-8, no object, an unknown, missing or unusable field: each by its code.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let detail = format!("Byte {} is not part of a UTF-8 character.", error.valid_up_to());
        return Err(Problem::new(Code::InvalidUtf8, detail));
    }
    // serde would read an array as a struct's fields in order.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::new(Code::InvalidJson, "The body is not a JSON object."));
    }
    serde_json::from_slice(bytes).map_err(|error| fault(&error))
}

fn fault(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return Problem::new(Code::InvalidJson, format!("{text}."));
    }
    let code = match () {
        () if text.starts_with("unknown field") => Code::UnknownField,
        () if text.starts_with("missing field") => Code::MissingField,
        () => Code::InvalidField,
    };
    let field = text.split('`').nth(1).filter(|_| code != Code::InvalidField).map(str::to_string);
    Problem { field, ..Problem::new(code, format!("{text}.")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::chat::types::ChatRequest;

    fn check(body: &[u8], expected: Result<&str, (Code, Option<&str>)>) {
        let got = parse::<ChatRequest>(body).map(|request| request.message);
        let got = got.as_deref().map_err(|problem| (problem.code, problem.field.as_deref()));
        assert_eq!(got, expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn each_fault_has_its_code() {
        check(br#"{"message":"hi"}"#, Ok("hi"));
        check("{\"message\":\"сколько?\"}".as_bytes(), Ok("сколько?"));
        check(br#"{"message":"hi","mesage":1}"#, Err((Code::UnknownField, Some("mesage"))));
        check(br#"{}"#, Err((Code::MissingField, Some("message"))));
        check(br#"{"message":1}"#, Err((Code::InvalidField, None)));
        check(br#"{"message":"a","message":"b"}"#, Err((Code::InvalidField, None)));
        check(br#"["hi"]"#, Err((Code::InvalidJson, None)));
        check(br#"{"message":"#, Err((Code::InvalidJson, None)));
        check(b"", Err((Code::InvalidJson, None)));
        check(b"{\"message\":\"\xff\"}", Err((Code::InvalidUtf8, None)));
        check(&[b"{\"message\":", "[".repeat(60_000).as_bytes()].concat(), Err((Code::InvalidField, None)));
    }
}
