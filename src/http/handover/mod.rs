//! The operators' side: the queue, a case's packet, and the five things one may do with a case. The rules live in `handover`.

pub mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::app::App;
use crate::domain::handover::{By, CaseState};
use crate::domain::session::SessionId;
use crate::handover::{self, Step, Wrong};
use crate::http::Gate;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::{self, Admin, Queried};
use crate::http::error::{Code, Problem, ProblemBody};
use types::{CaseBody, LineBody, MessagesBody, MessagesQuery, PacketBody, PacketQuery, QueueBody, QueueQuery};
use types::{StepRequest, SteppedBody, WarningBody};

/// What failed, for the log and the answer.
const HANDOVER: &str = "The hand-over";
/// Cases told at once.
const MOST_CASES: u32 = 200;

/// The queue of operators: the most urgent first, then the longest waiting.
#[utoipa::path(
    get, path = "/api/v1/handover", tag = "handover", params(QueueQuery),
    responses(
        (status = 200, description = "The cases in this state", body = QueueBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 422, description = "There is no such state", body = ProblemBody),
    )
)]
pub async fn queue(
    _: Admin,
    State(gate): State<Arc<Gate>>,
    Queried(query): Queried<QueueQuery>,
) -> Result<Json<QueueBody>, Problem> {
    let state = query.state()?;
    // Whoever looks sees what is overdue, whether or not the clock of the server came by.
    handover::escalate(&gate.app).await.map_err(inside(HANDOVER))?;
    let cases = gate.app.state.cases(state, MOST_CASES).await.map_err(inside(HANDOVER))?;
    let now = gate.app.now();
    Ok(Json(QueueBody { cases: cases.into_iter().map(|case| CaseBody::new(case, now)).collect() }))
}

/// A case with all that helps to go on: the masked history, orders, what was tried, facts shown, what to do next.
#[utoipa::path(
    get, path = "/api/v1/handover/{id}", tag = "handover",
    params(("id" = String, Path, description = "The case"), PacketQuery),
    responses(
        (status = 200, description = "The packet", body = PacketBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 404, description = "Unknown case", body = ProblemBody),
    )
)]
pub async fn packet(
    _: Admin,
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    Queried(query): Queried<PacketQuery>,
) -> Result<Json<PacketBody>, Problem> {
    let language = query.language()?;
    let id = case_id(&id)?;
    let case = gate.app.state.case(&id).await.map_err(inside(HANDOVER))?.ok_or_else(|| unknown_case(&id))?;
    let packet = handover::packet(&gate.app, case, language).await.map_err(inside(HANDOVER))?;
    Ok(Json(PacketBody::from(packet)))
}

/// Does one thing with a case: `take`, `reply`, `note`, `give_back` or `close`.
///
/// While a case is taken the assistant is silent. A `reply` is checked by the guard first; what it finds comes back as
/// `warnings`, and the reply is sent all the same unless `"send": false` asked for the check alone. `give_back` lets the
/// assistant speak again.
#[utoipa::path(
    post, path = "/api/v1/handover/{id}", tag = "handover", request_body = StepRequest,
    params(
        ("id" = String, Path, description = "The case"),
        Keyed,
    ),
    responses(
        (status = 200, description = "The case afterwards, and what the guard says to a reply", body = SteppedBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 404, description = "Unknown case", body = ProblemBody),
        (status = 409, description = "Somebody else has it, or it is not in a state for this", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable", body = ProblemBody),
    )
)]
pub async fn step(_: Admin, Path(id): Path<String>, call: Call<StepRequest>) -> Result<Response, Problem> {
    let (id, step) = (case_id(&id)?, call.body.step()?);
    call.once(move |app, request| async move { Ok((StatusCode::OK, stepped(&app, &id, &request, step).await?)) }).await
}

async fn stepped(app: &App, id: &str, request: &StepRequest, step: Step) -> Result<SteppedBody, Problem> {
    let case = app.state.case(id).await.map_err(inside(HANDOVER))?.ok_or_else(|| unknown_case(id))?;
    let warnings = match &step {
        Step::Reply(text) => handover::warnings(app, &case, text).await.map_err(inside(HANDOVER))?,
        _ => Vec::new(),
    };
    let warnings: Vec<WarningBody> = warnings.iter().map(WarningBody::from).collect();
    if !request.send && matches!(step, Step::Reply(_)) {
        return Ok(SteppedBody { case: CaseBody::new(case, app.now()), sent: false, warnings });
    }
    let sent = matches!(step, Step::Reply(_));
    match handover::step(app, id, &request.operator, &step).await.map_err(inside(HANDOVER))? {
        Ok(case) => Ok(SteppedBody { case: CaseBody::new(case, app.now()), sent, warnings }),
        Err(Wrong::Case) => Err(unknown_case(id)),
        Err(Wrong::Operator) => Err(Problem::new(Code::CaseConflict, "Another operator has it.")),
        Err(Wrong::State) => Err(Problem::new(Code::CaseConflict, "The case is not in a state for this step.")),
    }
}

/// What persons of the shop wrote to the shopper, for the shopper's own client.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}/messages", tag = "handover",
    params(("id" = String, Path, description = "The conversation"), MessagesQuery),
    responses(
        (status = 200, description = "The messages after `after`, oldest first", body = MessagesBody),
        (status = 422, description = "The id is not a conversation's", body = ProblemBody),
    )
)]
pub async fn messages(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    Queried(query): Queried<MessagesQuery>,
) -> Result<Json<MessagesBody>, Problem> {
    let wrong = |_| Problem::of_field(Code::InvalidField, "id", "It is not a conversation's id.");
    let session = SessionId(Uuid::parse_str(&id).map_err(wrong)?);
    let after = query.after.unwrap_or_default();
    let lines = gate.app.state.lines(session, &after).await.map_err(inside(HANDOVER))?;
    let shown = lines.into_iter().filter(|line| matches!(line.by, By::Operator | By::Assistant));
    let case = gate.app.state.open_case(session).await.map_err(inside(HANDOVER))?;
    let person = case.is_some_and(|case| case.state == CaseState::Taken);
    Ok(Json(MessagesBody { person, messages: shown.map(LineBody::from).collect() }))
}

fn case_id(text: &str) -> Result<String, Problem> {
    shape::id(text, "a case's")
}

fn unknown_case(id: &str) -> Problem {
    Problem::of_field(Code::UnknownCase, "id", format!("There is no case {id}."))
}
