//! The OpenAI-compatible API. `truetill` is the guarded assistant behind the same turn as every channel; `raw` is the
//! bare model for admins, so that no client skips the price check by accident.

pub mod conversations;
pub mod embeddings;
mod raw;
mod stream;
pub mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::domain::Message;
use crate::domain::session::SessionId;
use crate::http::Gate;
use crate::http::chat::types::ChatReply;
use crate::http::door::auth::{Caller, believed};
use crate::http::door::body::Body;
use crate::http::door::once::{Claim, Keyed, replayed};
use crate::http::error::{Code, OpenAiError, Problem};
use crate::http::turns::{Slot, longest};
use crate::turn::Watcher;
use conversations::{History, digest};
use types::{Choice, Completion, CompletionRequest, Model, ModelList, Reply, Usage};

/// The guarded assistant.
const GUARDED: &str = "truetill";
/// The bare model.
const RAW: &str = "raw";

/// Answers the last message of a conversation.
///
/// Model `truetill` reads `messages` (roles user and assistant), `stream`, `stream_options.include_usage`, `user`
/// `metadata.session_id` and `metadata.customer_token` (or the header `X-Customer-Token`); other fields are accepted at their defaults and refused by name otherwise. Segments,
/// citations and the guard's summary stand under `truetill`, in a stream on the last chunk with a choice. `raw` keeps nothing, so it
/// reads no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = CompletionRequest, params(Keyed),
    responses(
        (status = 200, description = "The completion; with `stream` chunks as server-sent events", body = Completion),
        (status = 400, description = "A field asks for something this model does not do", body = OpenAiError),
        (status = 401, description = "A key is needed", body = OpenAiError),
        (status = 404, description = "No such model or conversation", body = OpenAiError),
        (status = 409, description = "The first request with this key still runs, or too many messages of this conversation do", body = OpenAiError),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = OpenAiError),
        (status = 503, description = "Too many conversations at once", body = OpenAiError),
    )
)]
pub async fn completions(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    keyed: Keyed,
    body: Body<CompletionRequest>,
) -> Result<Response, Problem> {
    let request = body.value;
    check_model(&gate, &caller, &request.model)?;
    request.check()?;
    if request.model == RAW {
        return raw::complete(&gate, &request).await;
    }
    request.check_guarded()?;
    let caller = identified(&gate, caller, &request)?;
    let thread = Thread::read(&gate, &caller, &request)?;
    let reservation = match keyed.claim(&body.bytes, longest(&gate)).await.inspect_err(|_| thread.restore())? {
        Claim::Again(_, kept) => return Ok(thread.again(ChatReply::read(&kept)?, &request)),
        Claim::First(reservation) => reservation,
    };
    let message = (thread.message(), keyed.visitor(&thread.caller));
    let slot = Slot::take(&gate, &message.0, reservation).await.inspect_err(|_| thread.restore())?;
    if request.streams() {
        let running = slot.stream(message).begun().await.inspect_err(|_| thread.restore())?;
        return Ok(stream::guarded(running, thread, request.counts()).into_response());
    }
    let outcome = slot.run(message, &Watcher::none()).await;
    let reply = ChatReply::from(&outcome.inspect_err(|_| thread.restore())?);
    thread.keep(&reply);
    Ok(Json(completion(reply)).into_response())
}

/// Lists the models this caller may use.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses(
    (status = 200, description = "The models", body = ModelList),
    (status = 401, description = "A key is needed", body = OpenAiError),
))]
pub async fn models(State(gate): State<Arc<Gate>>, caller: Caller) -> Json<ModelList> {
    let visible = [GUARDED, RAW].into_iter().filter(|name| check_model(&gate, &caller, name).is_ok());
    let embedder = gate.app.embed.model().name;
    let data = visible.chain([embedder.as_str()]).map(describe).collect();
    Json(ModelList { object: "list", data })
}

/// Describes one model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "openai",
    params(("id" = String, Path, description = "truetill, raw or the embedder's name")),
    responses(
        (status = 200, description = "The model", body = Model),
        (status = 401, description = "A key is needed", body = OpenAiError),
        (status = 404, description = "No such model", body = OpenAiError),
    ))]
pub async fn model(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Model>, Problem> {
    if id != gate.app.embed.model().name {
        check_model(&gate, &caller, &id)?;
    }
    Ok(Json(describe(&id)))
}

fn describe(id: &str) -> Model {
    Model { id: id.to_string(), object: "model", created: 0, owned_by: "truetill" }
}

fn check_model(gate: &Gate, caller: &Caller, name: &str) -> Result<(), Problem> {
    match name {
        GUARDED => Ok(()),
        RAW if !caller.admin => Err(Problem::of_field(Code::AdminOnly, "model", "`raw` skips the guard.")),
        RAW if gate.app.generator().is_some() => Ok(()),
        _ => Err(Problem::of_field(Code::ModelNotFound, "model", format!("`{name}` is not a model here."))),
    }
}

/// The caller with the customer's token of `metadata`, where a client cannot send headers.
fn identified(gate: &Gate, caller: Caller, request: &CompletionRequest) -> Result<Caller, Problem> {
    let token = request.metadata.as_ref().and_then(|metadata| metadata.customer_token.as_deref());
    let Some(token) = token.filter(|_| caller.token.is_none()) else { return Ok(caller) };
    Ok(Caller { token: Some(believed(gate, token)?), ..caller })
}

/// The conversation of one request: where it comes from and where it leads.
struct Thread {
    gate: Arc<Gate>,
    caller: Caller,
    user: Option<String>,
    turns: Vec<(String, String)>,
    session: Option<SessionId>,
    /// The way back that was taken to find the session.
    taken: Option<History>,
}

impl Thread {
    fn read(gate: &Arc<Gate>, caller: &Caller, request: &CompletionRequest) -> Result<Thread, Problem> {
        let turns = request.turns()?;
        check_roles(&turns)?;
        let named = request.metadata.as_ref().and_then(|metadata| metadata.session_id.as_deref());
        let session = named.map(str::parse).transpose();
        let session =
            session.map_err(|_| Problem::of_field(Code::InvalidField, "metadata.session_id", "It is not a UUID."))?;
        let (gate, caller, user) = (Arc::clone(gate), caller.clone(), request.user.clone());
        let mut thread = Thread { gate, caller, user, turns, session, taken: None };
        if session.is_none() && thread.turns.len() > 1 {
            let history = thread.digest(thread.turns.len() - 1, None);
            thread.session = thread.gate.conversations.take(&history);
            thread.taken = thread.session.map(|_| history);
        }
        Ok(thread)
    }

    fn message(&self) -> Message {
        let customer = self.caller.token.as_ref().map(|token| token.customer.clone());
        let text = self.turns.last().map(|(_, text)| text.clone()).unwrap_or_default();
        Message { session: self.session, customer, text, locale: None, channel: "openai".to_string() }
    }

    /// Remembers the conversation as the client will send it next time.
    fn keep(&self, reply: &ChatReply) {
        let history = self.digest(self.turns.len(), Some(&reply.reply.text));
        if let Ok(session) = reply.session_id.parse() {
            self.gate.conversations.keep(history, session);
        }
    }

    /// Tells once more what was answered before.
    fn again(&self, reply: ChatReply, request: &CompletionRequest) -> Response {
        self.restore();
        self.keep(&reply);
        match request.streams() {
            true => replayed(stream::again(&reply, request.counts())),
            false => replayed(Json(completion(reply))),
        }
    }

    /// Nothing was answered: the way back stays open.
    fn restore(&self) {
        if let (Some(history), Some(session)) = (self.taken, self.session) {
            self.gate.conversations.keep(history, session);
        }
    }

    fn digest(&self, upto: usize, reply: Option<&str>) -> History {
        let turns = self.turns[..upto].iter().map(|(role, text)| (role.as_str(), text.as_str()));
        let reply = reply.map(|text| ("assistant", text));
        let customer = self.caller.token.as_ref().map(|token| token.customer.as_str());
        digest((self.caller.key.as_ref(), self.user.as_deref(), customer), turns.chain(reply))
    }
}

fn check_roles(turns: &[(String, String)]) -> Result<(), Problem> {
    let stranger = turns.iter().position(|(role, _)| !matches!(role.as_str(), "user" | "assistant"));
    if let Some(at) = stranger {
        let detail = format!("Role `{}` is not read: `truetill` takes no instructions from outside.", turns[at].0);
        return Err(Problem::of_field(Code::UnsupportedField, &format!("messages[{at}].role"), detail));
    }
    match turns.last() {
        Some((role, _)) if role == "user" => Ok(()),
        _ => Err(Problem::of_field(Code::InvalidField, "messages", "The last message must be the user's.")),
    }
}

fn completion(reply: ChatReply) -> Completion {
    let message = Reply { role: "assistant", content: reply.reply.text.clone(), refusal: None };
    Completion {
        id: format!("chatcmpl-{}", reply.turn_id),
        object: "chat.completion",
        created: created(&reply),
        model: GUARDED.to_string(),
        choices: vec![Choice { index: 0, message, finish_reason: "stop", logprobs: None }],
        usage: usage(&reply),
        truetill: Some(reply),
    }
}

/// When the turn began: its id tells, to whoever asks again too.
fn created(reply: &ChatReply) -> i64 {
    let began = reply.turn_id.parse::<Uuid>().ok().and_then(|id| id.get_timestamp());
    began.and_then(|began| i64::try_from(began.to_unix().0).ok()).unwrap_or_default()
}

/// None read and none written when no model was asked; unknown, so left out, when one was.
fn usage(reply: &ChatReply) -> Option<Usage> {
    (!reply.timings.generated).then(Usage::default)
}
