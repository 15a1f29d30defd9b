//! Parts of a request that many handlers ask for in the same way, each with its refusal: who may come in, what the query says, which
//! thing or conversation is meant.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::auth::Caller;
use super::call::inside;
use crate::app::App;
use crate::domain::session::{Session, SessionId};
use crate::http::Gate;
use crate::http::error::{Code, Problem};

/// A caller with an admin key.
pub struct Admin;

/// A caller with an admin key that is the shop's own system: without keys every caller counts as admin, so it must be one on this
/// machine too.
pub struct Office;

/// The query, its fields known and readable.
pub struct Queried<T>(pub T);

impl FromRequestParts<Arc<Gate>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, gate).await?;
        if caller.admin { Ok(Admin) } else { Err(not_admin()) }
    }
}

impl FromRequestParts<Arc<Gate>> for Office {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, gate).await?;
        if caller.admin && caller.trusted { Ok(Office) } else { Err(not_admin()) }
    }
}

fn not_admin() -> Problem {
    Problem::new(Code::AdminOnly, "This key is not an admin key.")
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Gate>> for Queried<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Arc<Gate>) -> Result<Self, Problem> {
        let unreadable =
            |error: axum::extract::rejection::QueryRejection| Problem::new(Code::InvalidField, error.body_text());
        Query::from_request_parts(parts, gate).await.map(|query| Queried(query.0)).map_err(unreadable)
    }
}

/// The id of a thing in a path, as it is kept; `whose` says what it is of: "a task's".
///
/// # Errors
/// It is none.
pub fn id(text: &str, whose: &str) -> Result<String, Problem> {
    let wrong = |_| Problem::of_field(Code::InvalidField, "id", format!("It is not {whose} id."));
    Ok(text.parse::<Uuid>().map_err(wrong)?.to_string())
}

/// A conversation by the text of its id.
///
/// # Errors
/// It is no id, there is no such conversation, or it cannot be read.
pub async fn conversation(app: &App, text: &str, what: &'static str) -> Result<Session, Problem> {
    let wrong = |_| Problem::of_field(Code::InvalidField, "session_id", "It is not a UUID.");
    known(app, text.parse::<SessionId>().map_err(wrong)?, what).await
}

/// A conversation.
///
/// # Errors
/// There is none of this id, or it cannot be read.
pub async fn known(app: &App, id: SessionId, what: &'static str) -> Result<Session, Problem> {
    app.state.session(id).await.map_err(inside(what))?.ok_or_else(|| unknown(id))
}

/// Another customer's conversation looks like none.
pub fn unknown(id: SessionId) -> Problem {
    Problem::of_field(Code::UnknownSession, "session_id", format!("There is no conversation {id}."))
}
