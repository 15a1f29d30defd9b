//! One-time codes over HTTP: asked for by a contact alone, then typed. The answers to a contact with orders and to one without are
//! the same; what a conversation has proved opens the orders that name the contact, and nothing else.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::identity::{CodeTalk, Contact, Proof};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language, Slots};
use crate::engine::Orders;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::conversation;
use crate::http::error::{Code, Problem, ProblemBody};
use crate::identity::{Asked, Asking, Checked};

/// A code is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// The conversation it is for; one is begun when it is left out.
    #[serde(default)]
    session_id: Option<String>,
    /// The phone of an order, with its country code.
    #[serde(default)]
    phone: Option<String>,
    /// Or the e-mail of an order.
    #[serde(default)]
    email: Option<String>,
    /// The language of the message: ru, sk, zh or en.
    #[serde(default)]
    locale: Option<String>,
}

/// It is on its way, if there is an order with that contact.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CodeBody {
    /// The conversation it is typed in.
    session_id: String,
    /// When it ends (RFC 3339).
    expires: String,
}

/// A typed code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The conversation it was asked for in.
    session_id: String,
    /// The six digits; a space or hyphen may stand among them.
    code: String,
}

/// The contact is proved in this conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProvedBody {
    /// The conversation.
    session_id: String,
    /// Until when it opens the orders with that contact (RFC 3339).
    until: String,
}

/// Sends six digits to the phone or e-mail of an order. Whether there is such an order is not told: the answer is the same.
#[utoipa::path(
    post, path = "/api/v1/codes", tag = "desk", request_body = CodeRequest, params(Keyed),
    responses(
        (status = 202, description = "On its way, if there is an order with that contact", body = CodeBody),
        (status = 404, description = "No codes are sent here, or the conversation is not known", body = ProblemBody),
        (status = 409, description = "Messages of the conversation are still being answered, or the first request with this key is", body = ProblemBody),
        (status = 422, description = "Neither phone nor e-mail; or the key stands for another body", body = ProblemBody),
        (status = 429, description = "One was sent a moment ago, or too many within the hour", body = ProblemBody),
    )
)]
pub async fn ask(call: Call<CodeRequest>) -> Result<Response, Problem> {
    let client = call.caller.client();
    call.once(move |app, request| async move { Ok((StatusCode::ACCEPTED, asked(&app, &client, request).await?)) }).await
}

async fn asked(app: &App, client: &str, request: CodeRequest) -> Result<CodeBody, Problem> {
    let CodeRequest { session_id, phone, email, locale } = request;
    let missing = || Problem::of_field(Code::MissingField, "phone", "Send `phone` or `email` of an order.");
    let contact = Contact::of(phone.as_deref(), email.as_deref()).ok_or_else(missing)?;
    let bad = |error| Problem::of_field(Code::InvalidField, "locale", format!("{error}."));
    let language = locale.as_deref().map_or(Ok(None), |locale| locale.parse().map(Some).map_err(bad))?;
    if !app.codes.on() {
        return Err(Problem::new(Code::CodesOff, "identity.code.sender is none."));
    }
    let session = match session_id {
        Some(id) => conversation(app, &id, "the code").await?,
        None => Session { language: language.unwrap_or(Language::En), ..Session::default() },
    };
    let known = !app.state.of_contact(&contact).await.map_err(inside("the code"))?.is_empty();
    let (language, now) = (language.unwrap_or(session.language), app.now());
    let text = app.renderer.letter(language);
    let asking = Asking { session: session.id, client, contact: &contact, known, text: &text, language, now };
    let until = match app.codes.ask(&app.state, asking).await.map_err(inside("the code"))? {
        Asked::Sent { until } => until,
        Asked::TooSoon { wait_s } => {
            let problem = Problem::new(Code::CodeTooSoon, format!("Another may be asked for in {wait_s} s."));
            return Err(Problem { retry_after_s: u64::try_from(wait_s).ok(), ..problem });
        }
        Asked::TooMany => return Err(Problem::new(Code::CodeTooMany, "The limit of the hour is reached.")),
    };
    let command = Command { name: CommandName::OrderStatus, slots: Slots::default() };
    let code = CodeTalk { contact, command, until };
    changed(app, &session, |session| session.login.code = Some(code.clone())).await?;
    Ok(CodeBody { session_id: session.id.to_string(), expires: until.to_string() })
}

/// Looks at a typed code. A right one opens the orders with its contact for this conversation.
#[utoipa::path(
    post, path = "/api/v1/codes/check", tag = "desk", request_body = CheckRequest, params(Keyed),
    responses(
        (status = 200, description = "The contact is proved", body = ProvedBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 409, description = "Messages of the conversation are still being answered, or the first request with this key is", body = ProblemBody),
        (status = 410, description = "Used, too old, or tried too often", body = ProblemBody),
        (status = 422, description = "Another code; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn check(call: Call<CheckRequest>) -> Result<Response, Problem> {
    call.once(|app, request| async move { Ok((StatusCode::OK, checked(&app, request).await?)) }).await
}

async fn checked(app: &App, CheckRequest { session_id, code }: CheckRequest) -> Result<ProvedBody, Problem> {
    let session = conversation(app, &session_id, "the code").await?;
    let over = || Problem::new(Code::CodeOver, "No code is waited for in this conversation.");
    let waited = session.login.code.clone().ok_or_else(over)?;
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let now = app.now();
    match app.codes.check(&app.state, (session.id, &digits), now).await.map_err(inside("the code"))? {
        Checked::Right => {}
        Checked::Wrong => return Err(Problem::of_field(Code::CodeWrong, "code", "It is not the one that was sent.")),
        Checked::Over => return Err(over()),
    }
    let until = app.codes.proof_until(now);
    let proof = Proof { contact: waited.contact, until };
    let proved = |session: &mut Session| {
        session.login.proved = Some(proof.clone());
        session.login.code = None;
    };
    changed(app, &session, proved).await?;
    Ok(ProvedBody { session_id: session.id.to_string(), until: until.to_string() })
}

/// Writes what was proved into the conversation as it is by now.
async fn changed(app: &App, session: &Session, change: impl Fn(&mut Session)) -> Result<(), Problem> {
    let written = app.state.change_session(session, change).await.map_err(inside("the code"))?;
    if written { Ok(()) } else { Err(Problem::conversation_busy()) }
}
