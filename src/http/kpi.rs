//! Figures for the back office, and the scores of shoppers that some of them are counted from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::session::SessionId;
use crate::http::Gate;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::{Admin, Queried};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::kpi::{self, Period, Report};

/// What failed, for the log and the answer.
const FIGURES: &str = "The figures";

/// Which figures, and how.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct KpiQuery {
    /// The first day or moment; thirty days before `to` when left out.
    from: Option<String>,
    /// The last day, or the first moment after the period; now when left out.
    to: Option<String>,
    /// `json` (the default), `csv` or `table`.
    format: Option<String>,
}

/// Figures of a period with the definition of each.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KpiBody {
    /// `from`, `to`, `measures` (name, value, unit, definition), `takings` (what paid orders brought, by currency), `elsewhere` (the same of the shop's other orders), `costs` (of a resolution, where the rates are known), `containment` (how conversations ended for each command:
    /// verified, assumed, abandoned, handed over), `unanswered`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    report: Report,
}

/// A shopper's score of a conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackRequest {
    /// The conversation.
    session_id: String,
    /// 1 (bad) to 5 (good). A second score replaces the first.
    score: i64,
}

/// What the assistant achieved in a period.
#[utoipa::path(
    get, path = "/api/v1/kpi", tag = "operation", params(KpiQuery),
    responses(
        (status = 200, description = "The figures, as JSON, CSV or a table", body = KpiBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 422, description = "A day or format that cannot be read", body = ProblemBody),
    )
)]
pub async fn kpi(
    _: Admin,
    State(gate): State<Arc<Gate>>,
    Queried(query): Queried<KpiQuery>,
) -> Result<Response, Problem> {
    let period = Period::between(query.from.as_deref(), query.to.as_deref(), gate.app.now());
    let period = period.map_err(|(field, detail)| Problem::of_field(Code::InvalidField, field, detail))?;
    let text = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text);
    let rates = kpi::Rates::load(&gate.app.config.paths.data).map_err(inside(FIGURES))?;
    let report = kpi::report(&gate.app.state, period, &rates).await.map_err(inside(FIGURES))?;
    match query.format.as_deref().unwrap_or("json") {
        "json" => Ok(Json(KpiBody { report }).into_response()),
        "csv" => Ok(text("text/csv; charset=utf-8", report.csv()).into_response()),
        "table" => Ok(text("text/plain; charset=utf-8", report.table()).into_response()),
        _ => Err(Problem::of_field(Code::InvalidField, "format", "Use json, csv or table.")),
    }
}

/// Keeps what a shopper thought of a conversation.
#[utoipa::path(
    post, path = "/api/v1/feedback", tag = "chat", request_body = FeedbackRequest, params(Keyed),
    responses(
        (status = 204, description = "Kept"),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 422, description = "A score that is not 1 to 5; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn feedback(call: Call<FeedbackRequest>) -> Result<Response, Problem> {
    call.once(|app, request| async move { Ok((StatusCode::NO_CONTENT, scored(&app, request).await?)) }).await
}

async fn scored(app: &App, FeedbackRequest { session_id, score }: FeedbackRequest) -> Result<(), Problem> {
    let wrong = |_| Problem::of_field(Code::InvalidField, "session_id", "It is not a UUID.");
    let session: SessionId = session_id.parse().map_err(wrong)?;
    if !(1..=5).contains(&score) {
        return Err(Problem::of_field(Code::InvalidField, "score", "It takes 1 to 5."));
    }
    if !app.state.score(session, score, app.now()).await.map_err(inside(FIGURES))? {
        let detail = format!("session `{session}` does not exist");
        return Err(Problem::of_field(Code::UnknownSession, "session_id", detail));
    }
    Ok(())
}
