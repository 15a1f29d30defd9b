//! Photos of shoppers: taken in where a rule or a person asks for one, handed out to persons of the shop alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::handover::CaseState;
use crate::domain::photo;
use crate::domain::plan::Ask;
use crate::domain::session::Session;
use crate::http::Gate;
use crate::http::door::auth::Caller;
use crate::http::door::body;
use crate::http::door::call::inside;
use crate::http::door::shape::{self, Admin, conversation, unknown};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::store::photos::Photo;

/// What failed, for the log and the answer.
const PHOTO: &str = "The photo";

/// A photo that was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoBody {
    /// Its id.
    id: String,
    /// Where persons of the shop fetch it.
    address: String,
    /// `image/jpeg`, `image/png` or `image/webp`, by its first bytes.
    kind: &'static str,
}

/// Takes in a photo of what is to be sent back.
///
/// Only while the conversation waits for one: the last reply carried the action `attach_photo`, or a person has the chat. The body is
/// the picture itself (JPEG, PNG or WebP, told by its bytes, whatever Content-Type says). Then send the shopper's next message to
/// `/api/v1/chat`; it goes on with the photos that came meanwhile. The same photo again gets the same id.
#[utoipa::path(
    post, path = "/api/v1/sessions/{id}/photos", tag = "chat",
    params(
        ("id" = String, Path, description = "The conversation"),
        ("X-Customer-Token" = Option<String>, Header, description = "Who the customer is, where the conversation is a customer's"),
    ),
    request_body(content = Vec<u8>, description = "The picture", content_type = "image/*"),
    responses(
        (status = 201, description = "It is kept", body = PhotoBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 409, description = "Nobody asked for a photo, or there are enough", body = ProblemBody),
        (status = 413, description = "It is too large", body = ProblemBody),
        (status = 415, description = "It is no JPEG, PNG or WebP", body = ProblemBody),
    )
)]
pub async fn keep(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let app = &gate.app;
    let session = conversation(app, &id, PHOTO).await?;
    // Another customer's conversation looks like none.
    let whose = session.customer.as_deref();
    if caller.customer(None)?.is_some_and(|customer| whose.is_some_and(|whose| whose != customer)) {
        return Err(unknown(session.id));
    }
    let rules = app.order_rules.photos;
    // Asked before the body is read: nobody fills the shop's disk with what it never wanted.
    if !is_wanted(app, &session).await? {
        return Err(Problem::new(Code::PhotoNotWanted, "This conversation does not wait for a photo."));
    }
    let bytes = body::raw(request, rules.bytes).await?;
    let kind = photo::kind(&bytes)
        .ok_or_else(|| Problem::new(Code::UnsupportedMediaType, "These bytes are no JPEG, PNG or WebP."))?;
    let photo = Photo { kind: kind.to_string(), bytes };
    let kept = app.state.keep_photo(session.id, &photo, (&rules, app.now())).await.map_err(inside(PHOTO))?;
    let enough = || Problem::new(Code::PhotoNotWanted, format!("There are {} already.", rules.most));
    let id = kept.ok_or_else(enough)?;
    Ok((StatusCode::CREATED, Json(PhotoBody { address: photo::address(&id), id, kind })))
}

async fn is_wanted(app: &App, session: &Session) -> Result<bool, Problem> {
    if session.talk.as_ref().is_some_and(|talk| talk.asked == Some(Ask::Photo)) {
        return Ok(true);
    }
    let case = app.state.open_case(session.id).await.map_err(inside(PHOTO))?;
    Ok(case.is_some_and(|case| case.state == CaseState::Taken))
}

/// A photo, for persons of the shop: admin keys only.
#[utoipa::path(
    get, path = "/api/v1/photos/{id}", tag = "handover", params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The picture", content_type = "image/jpeg"),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 404, description = "No such photo, or its days are over", body = ProblemBody),
        (status = 422, description = "The id is no photo's", body = ProblemBody),
    )
)]
pub async fn show(
    _: Admin,
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let id = shape::id(&id, "a photo's")?;
    let found = gate.app.state.photo(&id).await.map_err(inside(PHOTO))?;
    let photo = found.ok_or_else(|| Problem::of_field(Code::UnknownPhoto, "id", "There is no such photo."))?;
    let kind = photo::kind(&photo.bytes).unwrap_or("application/octet-stream");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"photo\"")),
    ];
    Ok((headers, photo.bytes))
}
