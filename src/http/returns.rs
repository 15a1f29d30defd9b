//! Parcels that come back: their label as PDF and how far they are, for whoever has the link; the next step, for the back office.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::desk::{ReturnState, Slip};
use crate::domain::order::Order;
use crate::engine::{OrderDesk, Terms};
use crate::http::Gate;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::Office;
use crate::http::error::{Code, Problem, ProblemBody};
use crate::label::{self, Label};

/// What opens a return.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeyQuery {
    /// The key of the link that was told with the return.
    key: String,
}

/// How far a return is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReturnBody {
    /// The number that the parcel bears.
    rma: String,
    /// The order it comes from.
    order: String,
    /// `registered`, `received`, `refunded` or `refused`.
    state: &'static str,
    /// When it was registered (RFC 3339).
    registered: String,
    /// When it last went a step (RFC 3339).
    changed: String,
}

/// A step of a return.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// `received`, `refunded` or `refused`.
    #[schema(value_type = String)]
    state: ReturnState,
}

impl From<Slip> for ReturnBody {
    fn from(slip: Slip) -> Self {
        let Slip { rma, order, state, at, changed, .. } = slip;
        ReturnBody { rma, order, state: state.as_str(), registered: at.to_string(), changed: changed.to_string() }
    }
}

/// How far a return is, for whoever has its link. A wrong key and a missing return look alike.
#[utoipa::path(
    get, path = "/api/v1/returns/{id}", tag = "desk", params(("id" = String, Path, description = "The number: RMA-..."), KeyQuery),
    responses(
        (status = 200, description = "The return", body = ReturnBody),
        (status = 404, description = "No such return, or another key", body = ProblemBody),
        (status = 422, description = "`key` is missing", body = ProblemBody),
    )
)]
pub async fn show(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    query: Result<Query<KeyQuery>, QueryRejection>,
) -> Result<Json<ReturnBody>, Problem> {
    Ok(Json(opened(&gate.app, &id, query).await?.into()))
}

/// The label of a return as PDF (A6), with its number as Code 128, for whoever has its link.
#[utoipa::path(
    get, path = "/api/v1/returns/{id}/label", tag = "desk",
    params(("id" = String, Path, description = "The number: RMA-..."), KeyQuery),
    responses(
        (status = 200, description = "The label", content_type = "application/pdf"),
        (status = 404, description = "No such return, another key, or no label here", body = ProblemBody),
        (status = 422, description = "`key` is missing", body = ProblemBody),
    )
)]
pub async fn label(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    query: Result<Query<KeyQuery>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let app = &gate.app;
    let slip = opened(app, &id, query).await?;
    let rule = app.order_rules.label.as_ref().ok_or_else(unknown)?;
    let order =
        OrderDesk::order(&app.state, &slip.order).await.map_err(inside("the label"))?.ok_or_else(unknown)?.value;
    let day = app.shop.day(slip.at).to_string();
    let label = Label { to: &rule.to, from: sender(app, &order), rma: &slip.rma, order: &slip.order, day };
    let pdf = label::pdf(&label).ok_or_else(unknown)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"return-label.pdf\"")),
    ];
    Ok((headers, pdf))
}

/// Takes a return one step further: `received`, then `refunded` or `refused`. Admin keys only. The merchant's systems are told.
#[utoipa::path(
    post, path = "/api/v1/returns/{id}", tag = "desk", request_body = StepRequest,
    params(
        ("id" = String, Path, description = "The number: RMA-..."),
        Keyed,
    ),
    responses(
        (status = 200, description = "The return afterwards", body = ReturnBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 404, description = "No such return", body = ProblemBody),
        (status = 409, description = "It is further already, or the first request with this key still runs", body = ProblemBody),
    )
)]
pub async fn step(_: Office, Path(id): Path<String>, call: Call<StepRequest>) -> Result<Response, Problem> {
    call.once(move |app, StepRequest { state }| async move { Ok((StatusCode::OK, stepped(&app, &id, state).await?)) })
        .await
}

async fn stepped(app: &App, id: &str, to: ReturnState) -> Result<ReturnBody, Problem> {
    let state = &app.state;
    let slip = state.slip_by_rma(id).await.map_err(inside("the return"))?.ok_or_else(unknown)?;
    if !state.step_return(&slip, to, app.now()).await.map_err(inside("the return"))? {
        return Err(Problem::new(Code::ReturnConflict, format!("It is {} already.", slip.state.as_str())));
    }
    Ok(state.slip_by_rma(id).await.map_err(inside("the return"))?.ok_or_else(unknown)?.into())
}

async fn opened(app: &App, id: &str, query: Result<Query<KeyQuery>, QueryRejection>) -> Result<Slip, Problem> {
    let key = query.map_err(|error| Problem::of_field(Code::MissingField, "key", error.body_text()))?.0.key;
    let slip = app.state.slip_by_rma(id).await.map_err(inside("the return"))?;
    // Every byte is looked at, so that the time tells nothing.
    let same = |slip: &Slip| {
        let (own, told) = (slip.secret.as_bytes(), key.as_bytes());
        own.len() == told.len() && own.iter().zip(told).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    };
    slip.filter(same).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::of_field(Code::UnknownReturn, "id", "No return is opened with this number and key.")
}

/// Who sends it: the order's own name and address, as far as they are known.
fn sender(app: &App, order: &Order) -> Vec<String> {
    let mut lines = vec![order.name.clone()];
    match &order.address {
        Some(address) => lines.extend([
            address.line1.clone(),
            address.line2.clone(),
            format!("{} {}", address.postcode, address.city),
            address.country.clone(),
        ]),
        None => lines.push(app.shop.place_name(&order.place).get(crate::domain::Language::En).to_string()),
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}
