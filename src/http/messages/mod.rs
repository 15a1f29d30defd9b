//! Messages the shop starts, over HTTP: who agreed to what, and what was sent. The rules live in `outreach`.

mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::http::Gate;
use crate::http::door::auth::Caller;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::{Admin, Queried};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::outreach::{self, Named};
use crate::store::outreach::Listed;
use types::{ConsentBody, ConsentQuery, ConsentRequest, MessageBody, MessagesBody, SentQuery};

/// Keeps a yes or no: to `marketing`, to `service` messages about orders, or to `personal` use of earlier orders in the chat.
///
/// Only the shop's own server may say so, with an API key or from this machine, and a customer of their own, with their token
/// (`X-Customer-Token`). The word counts for the customer and for every
/// address they are known by; a no counts until the very moment of sending, and to `service` it also takes them off the waiting list.
#[utoipa::path(
    post, path = "/api/v1/consent", tag = "messages", request_body = ConsentRequest,
    params(Keyed),
    responses(
        (status = 200, description = "What counts now, and every word of it", body = ConsentBody),
        (status = 403, description = "This caller could be anybody", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn consent(call: Call<ConsentRequest>) -> Result<Response, Problem> {
    vouched(&call.caller)?;
    let who = call.body.who(&call.caller)?;
    call.once(move |app, request| async move {
        let word = request.word(&who, app.now())?;
        outreach::keep(&app, &who, (&[word.topic], &word)).await.map_err(inside("the consent"))?;
        Ok((StatusCode::OK, said(&app, &who).await?))
    })
    .await
}

/// What somebody agreed or objected to, what they wait for, and every word of it.
#[utoipa::path(
    get, path = "/api/v1/consent", tag = "messages", params(ConsentQuery),
    responses(
        (status = 200, description = "What counts now, and every word of it", body = ConsentBody),
        (status = 403, description = "This caller could be anybody", body = ProblemBody),
        (status = 422, description = "Nobody is named", body = ProblemBody),
    )
)]
pub async fn consents(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    Queried(query): Queried<ConsentQuery>,
) -> Result<Json<ConsentBody>, Problem> {
    vouched(&caller)?;
    let who = query.who(&caller)?;
    Ok(Json(said(&gate.app, &who).await?))
}

/// Messages the shop started, newest first: what was sent and with which words, what waits, what was withdrawn and why.
#[utoipa::path(
    get, path = "/api/v1/messages", tag = "messages", params(SentQuery),
    responses(
        (status = 200, description = "The messages", body = MessagesBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 422, description = "There is no such kind", body = ProblemBody),
    )
)]
pub async fn messages(
    _: Admin,
    State(gate): State<Arc<Gate>>,
    Queried(query): Queried<SentQuery>,
) -> Result<Json<MessagesBody>, Problem> {
    let wanted: Listed = query.wanted()?;
    let state = &gate.app.state;
    let messages = state.outgoing_listed(&wanted).await.map_err(inside("the list of messages"))?;
    let (waiting, given_up) = state.events_left().await.map_err(inside("the list of messages"))?;
    let messages = messages.into_iter().map(MessageBody::from).collect();
    Ok(Json(MessagesBody { messages, events_waiting: waiting, events_given_up: given_up }))
}

async fn said(app: &App, who: &Named) -> Result<ConsentBody, Problem> {
    let failed = inside("the consent");
    let mut body = ConsentBody::default();
    for key in who.keys(app).await.map_err(&failed)? {
        body.add(app.state.permissions(&key).await.map_err(&failed)?);
        body.log(app.state.permission_log(&key).await.map_err(&failed)?);
        body.waits(app.state.wishes_of(&key).await.map_err(&failed)?);
    }
    Ok(body)
}

/// Whoever says what somebody else agreed to must be the shop itself; with a token everybody speaks for themselves.
fn vouched(caller: &Caller) -> Result<(), Problem> {
    if caller.trusted || caller.token.is_some() {
        return Ok(());
    }
    let detail = "This caller could be anybody, so it cannot speak for a customer.";
    Err(Problem::of_field(Code::CustomerNotTrusted, "customer", detail))
}
