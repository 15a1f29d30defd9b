//! What carriers send by themselves, and what of it could not be used. The rules live in `carriers` and `tracking`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::carriers::{Proof, Refused};
use crate::http::Gate;
use crate::http::door::body;
use crate::http::door::call::inside;
use crate::http::door::shape::Admin;
use crate::http::error::{Code, Problem, ProblemBody};
use crate::store::parcels::Finding;
use crate::tracking;

/// Findings that are listed.
const FINDINGS: i64 = 100;

/// What opens the door to a carrier that cannot sign.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeyQuery {
    /// `webhook_secret` of the carrier, where it cannot be sent as `Authorization: Bearer`.
    #[serde(default)]
    key: Option<String>,
}

/// What became of the events of a body.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeardBody {
    /// How many there were.
    events: usize,
    /// By what became of them: `moved`; `before`: told before; `older` than what is known; `ahead`: of the future; `unknown_word`;
    /// `unknown_parcel`: kept until an order names it; `other_carrier`: an order names it as another carrier's.
    results: BTreeMap<&'static str, usize>,
}

/// Carriers, and what of their events could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CarriersBody {
    /// Each carrier of the rules.
    carriers: Vec<CarrierBody>,
    /// The latest events that moved nothing because something about them is not known, newest first.
    findings: Vec<FindingBody>,
}

/// A carrier.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CarrierBody {
    /// Its name.
    name: String,
    /// Whether its parcels are asked about.
    asked: bool,
    /// Until when it is not asked because it did not answer (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    rests_until: Option<String>,
    /// Events ever kept, by result.
    events: BTreeMap<String, i64>,
}

/// An event that could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FindingBody {
    /// `unknown_parcel`, `other_carrier`, `unknown_word` or `ahead`.
    result: String,
    /// The carrier.
    carrier: String,
    /// The parcel's number.
    tracking: String,
    /// The carrier's word.
    word: String,
    /// When it happened, by the carrier (RFC 3339).
    at: String,
    /// When it was heard (RFC 3339).
    heard: String,
}

impl From<Finding> for FindingBody {
    fn from(finding: Finding) -> Self {
        let Finding { event, result, heard } = finding;
        FindingBody {
            result,
            carrier: event.carrier,
            tracking: event.tracking,
            word: event.word,
            at: event.at.to_string(),
            heard: heard.to_string(),
        }
    }
}

/// Events of a carrier. Sending them again changes nothing, and neither does one that comes late.
///
/// They are believed when they prove themselves with `webhook_secret` of `[carriers.NAME]`: as the HMAC-SHA256 of the body in the
/// header that `data/rules/carriers.toml` names, or, where it names none, as the secret itself. A parcel or a word that is not known
/// here is kept and answered with 200: there is nothing a carrier could do about it.
#[utoipa::path(
    post, path = "/api/v1/carriers/{name}/events", tag = "carriers",
    request_body(content = Object, description = "As the carrier sends it"),
    params(("name" = String, Path, description = "The carrier's name in data/rules/carriers.toml"), KeyQuery),
    responses(
        (status = 200, description = "Kept", body = HeardBody),
        (status = 401, description = "No such carrier, or not its word", body = ProblemBody),
        (status = 413, description = "Larger than server.body_bytes", body = ProblemBody),
        (status = 422, description = "Not what this carrier sends", body = ProblemBody),
    )
)]
pub async fn events(
    State(gate): State<Arc<Gate>>,
    Path(name): Path<String>,
    query: Result<Query<KeyQuery>, QueryRejection>,
    request: Request,
) -> Result<Json<HeardBody>, Problem> {
    let app = &gate.app;
    let headers = request.headers().clone();
    let key = query.map(|query| query.0.key).unwrap_or_default().or_else(|| bearer(&headers));
    let bytes = body::whole(request, app.config.server.body_bytes).await?.1;
    let signed = app.carriers.named(&name).map(|followed| followed.rule.signature.as_str()).unwrap_or_default();
    let signature = headers.get(signed).and_then(|value| value.to_str().ok());
    let proof = Proof { body: &bytes, signature, key: key.as_deref() };
    let (followed, events) = app.carriers.read(&name, &proof).map_err(refused)?;
    let kept = tracking::heard(app, &followed.rule, &events).await.map_err(inside("the carrier's events"))?;
    let mut results = BTreeMap::new();
    for became in kept {
        *results.entry(became.as_str()).or_default() += 1;
    }
    Ok(Json(HeardBody { events: events.len(), results }))
}

fn refused(why: Refused) -> Problem {
    match why {
        Refused::Unproved => Problem::new(Code::CarrierRefused, "No carrier of this name has said this."),
        Refused::Unreadable(fault) => Problem::new(Code::CarrierUnreadable, format!("{fault}.")),
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|key| key.trim().to_string())
}

/// Carriers: what became of their events, who is left alone for a while, and events nobody could use. Admin keys only.
#[utoipa::path(
    get, path = "/api/v1/carriers", tag = "carriers",
    responses(
        (status = 200, description = "The carriers", body = CarriersBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
    )
)]
pub async fn show(_: Admin, State(gate): State<Arc<Gate>>) -> Result<Json<CarriersBody>, Problem> {
    let app = &gate.app;
    let failed = inside("the list of carriers");
    let counts = app.state.parcel_counts().await.map_err(&failed)?;
    let mut carriers = Vec::new();
    for followed in app.carriers.iter() {
        let name = followed.rule.name.clone();
        let rests = app.state.carrier_rests(&name).await.map_err(&failed)?;
        let own = counts.iter().filter(|(carrier, ..)| *carrier == name);
        let events = own.map(|(_, result, events)| (result.clone(), *events)).collect();
        let rests_until = (rests > app.now()).then(|| rests.to_string());
        carriers.push(CarrierBody { name, asked: followed.asked, rests_until, events });
    }
    let findings = app.state.parcel_findings(FINDINGS).await.map_err(&failed)?;
    Ok(Json(CarriersBody { carriers, findings: findings.into_iter().map(FindingBody::from).collect() }))
}
