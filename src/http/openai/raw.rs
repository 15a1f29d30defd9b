//! Model `raw`: the bare language model for admins. Nothing it writes has passed the guard.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use uuid::Uuid;

use crate::engine::{GenerateError, Generated, Job, PromptTurn, Speaker};
use crate::http::Gate;
use crate::http::error::{Code, Problem};
use crate::http::openai::RAW;
use crate::http::openai::types::{Choice, Completion, CompletionRequest, Reply, Usage};

const MAX_TOKENS: usize = 512;

/// Writes one completion.
pub async fn complete(gate: &Arc<Gate>, request: &CompletionRequest) -> Result<Response, Problem> {
    if request.streams() {
        return Err(Problem::of_field(Code::UnsupportedField, "stream", "`raw` answers whole only."));
    }
    if request.user.is_some() || request.metadata.is_some() {
        let field = if request.user.is_some() { "user" } else { "metadata" };
        return Err(Problem::of_field(Code::UnsupportedField, field, "`raw` keeps no conversation."));
    }
    let absent = || Problem::of_field(Code::ModelNotFound, "model", "No language model is loaded.");
    let generator = gate.app.generator().ok_or_else(absent)?;
    let limit = Duration::from_secs(gate.app.config.server.turn_timeout_s);
    let generated = tokio::time::timeout(limit, generator.generate(job(request)?)).await;
    let late = |_| Problem::new(Code::TurnTimeout, format!("The model took longer than {} s.", limit.as_secs()));
    let generated = generated.map_err(late)?.map_err(refusal)?;
    Ok(Json(completion(generated)).into_response())
}

fn job(request: &CompletionRequest) -> Result<Job, Problem> {
    let mut job = Job {
        system: String::new(),
        turns: Vec::new(),
        grammar: None,
        max_tokens: request.max_completion_tokens.or(request.max_tokens).unwrap_or(MAX_TOKENS),
        temperature: request.temperature.unwrap_or(1.0),
        seed: request.seed.unwrap_or_default(),
    };
    for (at, (role, text)) in request.turns()?.into_iter().enumerate() {
        match role.as_str() {
            "system" if at == 0 => job.system = text,
            "user" => job.turns.push(PromptTurn { speaker: Speaker::User, text }),
            "assistant" => job.turns.push(PromptTurn { speaker: Speaker::Assistant, text }),
            _ => {
                let detail = format!("Role `{role}` is not read here.");
                return Err(Problem::of_field(Code::UnsupportedField, &format!("messages[{at}].role"), detail));
            }
        }
    }
    if job.turns.last().is_none_or(|turn| turn.speaker != Speaker::User) {
        return Err(Problem::of_field(Code::InvalidField, "messages", "The last message must be the user's."));
    }
    Ok(job)
}

fn refusal(error: GenerateError) -> Problem {
    let detail = format!("{error}.");
    match error {
        GenerateError::Busy { retry_after_s, .. } => {
            Problem { retry_after_s: Some(retry_after_s), ..Problem::new(Code::Busy, detail) }
        }
        GenerateError::TooLong { .. } => Problem::of_field(Code::InvalidField, "messages", detail),
        GenerateError::Grammar(_) | GenerateError::Failed(_) => {
            tracing::error!("raw: {detail}");
            Problem::new(Code::Internal, "The model could not answer.")
        }
    }
}

fn completion(generated: Generated) -> Completion {
    let (read, written) = (generated.prompt_tokens, generated.generated_tokens);
    let message = Reply { role: "assistant", content: generated.text, refusal: None };
    let finish_reason = if generated.finished { "stop" } else { "length" };
    Completion {
        id: format!("chatcmpl-{}", Uuid::now_v7()),
        object: "chat.completion",
        created: Timestamp::now().as_second(),
        model: RAW.to_string(),
        choices: vec![Choice { index: 0, message, finish_reason, logprobs: None }],
        usage: Some(Usage { prompt_tokens: read, completion_tokens: written, total_tokens: read + written }),
        truetill: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &str, expected: Result<(&str, usize), &str>) {
        let text = format!(r#"{{"model":"raw","messages":{messages},"max_tokens":9,"temperature":0}}"#);
        let request: CompletionRequest = serde_json::from_str(&text).unwrap();
        let got = job(&request);
        let got = got.as_ref().map(|job| (job.system.as_str(), job.turns.len()));
        assert_eq!(got.map_err(|problem| problem.field.clone().unwrap()), expected.map_err(str::to_string));
    }

    #[test]
    fn a_conversation_becomes_a_job() {
        check(r#"[{"role":"user","content":"hi"}]"#, Ok(("", 1)));
        check(r#"[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]"#, Ok(("be brief", 1)));
        check(r#"[{"role":"user","content":"a"},{"role":"tool","content":"b"}]"#, Err("messages[1].role"));
        check(r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#, Err("messages"));
        check("[]", Err("messages"));
    }
}
