//! `POST /api/v1/chat`: one message in, one checked reply out, whole or as server-sent events.

mod stream;
pub mod types;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use crate::http::Gate;
use crate::http::door::auth::Caller;
use crate::http::door::body::Body;
use crate::http::door::once::{Claim, Keyed, replayed, told};
use crate::http::door::passage::RequestId;
use crate::http::error::{Problem, ProblemBody};
use crate::http::turns::{Slot, longest};
use crate::turn::Watcher;
use types::{ChatReply, ChatRequest};

/// Answers one message of a shopper.
///
/// With `Accept: text/event-stream` the reply comes as events: `status` {stage}, `segment` {kind, text, facts}
/// (verified text only, nothing is ever taken back), `action`, `handover`, then `done` with the whole reply, or
/// `error` with a problem. With `Idempotency-Key` a repeated request gets the first answer.
#[utoipa::path(
    post, path = "/api/v1/chat", tag = "chat", request_body = ChatRequest,
    params(
        ("Accept" = Option<String>, Header, description = "text/event-stream for events"),
        Keyed,
        ("X-Customer-Token" = Option<String>, Header, description = "Who the customer is: a JWT signed by the shop's site (identity.token). Another customer's token begins a new conversation"),
        ("X-Shopper" = Option<String>, Header, description = "What the shop's own server tells shoppers apart by: attempts are counted for each"),
    ),
    responses(
        (status = 200, description = "The reply", body = ChatReply),
        (status = 401, description = "A key is needed, or the token is not believed: the code says why", body = ProblemBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs, or too many messages of this conversation do", body = ProblemBody),
        (status = 413, description = "The body is too large", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = ProblemBody),
        (status = 503, description = "Too many conversations at once: the line is full, or it took too long; Retry-After says when to try again", body = ProblemBody),
        (status = 504, description = "No reply in time", body = ProblemBody),
    )
)]
pub async fn chat(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    keyed: Keyed,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body<ChatRequest>,
) -> Result<Response, Problem> {
    let streamed = wants_events(&headers);
    let message = (body.value.into_message(&caller)?, keyed.visitor(&caller));
    let reservation = match keyed.claim(&body.bytes, longest(&gate)).await? {
        Claim::Again(_, kept) if streamed => return Ok(replayed(stream::replay(&ChatReply::read(&kept)?))),
        Claim::Again(_, kept) => return Ok(replayed(told(StatusCode::OK, kept))),
        Claim::First(reservation) => reservation,
    };
    let slot = Slot::take(&gate, &message.0, reservation).await?;
    if streamed {
        let running = slot.stream(message).begun().await?;
        return Ok(stream::live(running, id).into_response());
    }
    let answer = slot.run(message, &Watcher::none()).await?;
    let language = HeaderValue::from_static(answer.language.code());
    Ok(([(header::CONTENT_LANGUAGE, language)], Json(ChatReply::from(&answer))).into_response())
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.trim().to_ascii_lowercase().starts_with("text/event-stream"))
}
