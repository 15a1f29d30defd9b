//! Bodies of the OpenAI-compatible API. A field whose value asks for nothing (its default) is accepted; any other
//! field that would be ignored is refused by name.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::chat::types::ChatReply;
use crate::http::error::{Code, Problem};

/// A chat completion request.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompletionRequest {
    /// `truetill`, or `raw` with an admin key.
    #[schema(example = "truetill")]
    pub model: String,
    /// The conversation, oldest first; the last is the shopper's message.
    pub messages: Vec<PromptMessage>,
    /// Chunks instead of one object.
    #[serde(default)]
    pub stream: Option<bool>,
    /// What a stream also tells.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    /// Keeps the conversations of one end user apart from those of others. It is not a checked identity.
    #[serde(default)]
    pub user: Option<String>,
    /// Names the conversation.
    #[serde(default)]
    pub metadata: Option<Metadata>,
    /// `raw` only: 0 takes the likeliest token each time.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// `raw` only: at most so many tokens.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// `raw` only: the newer name of max_tokens.
    #[serde(default)]
    pub max_completion_tokens: Option<usize>,
    /// `raw` only: the seed of sampling.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Only 1.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub n: Option<Value>,
    /// Only 1.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub top_p: Option<Value>,
    /// Only 0.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub presence_penalty: Option<Value>,
    /// Only 0.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub frequency_penalty: Option<Value>,
    /// Only null or empty.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub stop: Option<Value>,
    /// Only {"type": "text"}.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Value>,
    /// Only empty.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub tools: Option<Value>,
    /// Only none or auto.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub tool_choice: Option<Value>,
    /// Only false.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// Only false.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub store: Option<Value>,
}

/// What a stream also tells.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamOptions {
    /// A last chunk with the token counts.
    #[serde(default)]
    pub include_usage: Option<bool>,
    /// Only false.
    #[serde(default)]
    pub include_obfuscation: Option<bool>,
}

/// The keys of `metadata` that are read.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The conversation, as in `truetill.session_id` of an earlier reply.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Who the customer is, signed by the shop's site; the header X-Customer-Token comes before it.
    #[serde(default)]
    pub customer_token: Option<String>,
}

/// One message of the conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptMessage {
    /// user or assistant; with `raw` also system.
    #[schema(example = "user")]
    pub role: String,
    /// Text, or a list of text parts.
    pub content: Option<Content>,
    /// Only null.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub name: Option<Value>,
    /// What clients send back with an assistant's message; only null or empty.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub refusal: Option<Value>,
    /// Only null or empty.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub annotations: Option<Value>,
    /// Only null.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub audio: Option<Value>,
    /// Only null.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub function_call: Option<Value>,
    /// Only null or empty.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub tool_calls: Option<Value>,
}

/// A message's content.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts, all of type text.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Part {
    /// text.
    pub r#type: String,
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
}

fn refuse(field: &str, detail: impl Into<String>) -> Problem {
    Problem::of_field(Code::UnsupportedField, field, detail)
}

impl CompletionRequest {
    /// Refuses what no model here does.
    ///
    /// # Errors
    /// The first field whose value would have to be ignored.
    pub fn check(&self) -> Result<(), Problem> {
        let fields = [
            ("n", &self.n, vec![json!(1)]),
            ("top_p", &self.top_p, vec![json!(1), json!(1.0)]),
            ("presence_penalty", &self.presence_penalty, vec![json!(0), json!(0.0)]),
            ("frequency_penalty", &self.frequency_penalty, vec![json!(0), json!(0.0)]),
            ("stop", &self.stop, vec![json!([])]),
            ("response_format", &self.response_format, vec![json!({"type": "text"})]),
            ("tools", &self.tools, vec![json!([])]),
            ("tool_choice", &self.tool_choice, vec![json!("none"), json!("auto")]),
            ("logprobs", &self.logprobs, vec![json!(false)]),
            ("store", &self.store, vec![json!(false)]),
        ];
        for (field, value, neutral) in fields {
            if value.as_ref().is_some_and(|value| !value.is_null() && !neutral.contains(value)) {
                return Err(refuse(field, format!("`{field}` is not supported with this value.")));
            }
        }
        if self.stream_options.is_some_and(|options| options.include_obfuscation == Some(true)) {
            return Err(refuse("stream_options.include_obfuscation", "Obfuscation is not supported."));
        }
        if self.stream_options.is_some() && self.stream != Some(true) {
            return Err(refuse("stream_options", "It goes with `stream: true` only."));
        }
        Ok(())
    }

    /// Refuses what the guarded assistant does not do: nothing is sampled, so there is nothing to set.
    ///
    /// # Errors
    /// The first field whose value would have to be ignored.
    pub fn check_guarded(&self) -> Result<(), Problem> {
        let sampling = [
            ("temperature", self.temperature.is_some_and(|value| value != 1.0)),
            ("max_tokens", self.max_tokens.is_some()),
            ("max_completion_tokens", self.max_completion_tokens.is_some()),
            ("seed", self.seed.is_some()),
        ];
        match sampling.into_iter().find(|(_, set)| *set) {
            Some((field, _)) => Err(refuse(field, format!("`{field}` has no meaning for model `truetill`."))),
            None => Ok(()),
        }
    }

    /// True when chunks are wanted.
    pub fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    /// True when the stream must end with token counts.
    pub fn counts(&self) -> bool {
        self.stream_options.is_some_and(|options| options.include_usage == Some(true))
    }

    /// The conversation as role and text.
    ///
    /// # Errors
    /// A message that is not plain text or carries something nobody reads, by its place.
    pub fn turns(&self) -> Result<Vec<(String, String)>, Problem> {
        let turn = |(at, message): (usize, &PromptMessage)| Ok((message.role.clone(), message.text(at)?));
        self.messages.iter().enumerate().map(turn).collect()
    }
}

impl PromptMessage {
    fn text(&self, at: usize) -> Result<String, Problem> {
        let extras = [
            ("name", &self.name),
            ("refusal", &self.refusal),
            ("annotations", &self.annotations),
            ("audio", &self.audio),
            ("function_call", &self.function_call),
            ("tool_calls", &self.tool_calls),
        ];
        for (field, value) in extras {
            if value.as_ref().is_some_and(|value| !value.is_null() && *value != json!([]) && *value != json!("")) {
                return Err(refuse(&format!("messages[{at}].{field}"), format!("`{field}` is not read.")));
            }
        }
        match &self.content {
            Some(Content::Text(text)) => Ok(text.clone()),
            Some(Content::Parts(parts)) => parts.iter().map(|part| part.text(at)).collect(),
            None => Err(Problem::of_field(Code::MissingField, &format!("messages[{at}].content"), "It is null.")),
        }
    }
}

impl Part {
    fn text(&self, at: usize) -> Result<&str, Problem> {
        let text = self.text.as_deref().filter(|_| self.r#type == "text");
        let bad =
            || refuse(&format!("messages[{at}].content"), format!("Parts of type `{}` are not read.", self.r#type));
        text.ok_or_else(bad)
    }
}

/// A chat completion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Completion {
    /// The turn's id.
    pub id: String,
    /// chat.completion
    pub object: &'static str,
    /// Unix time in seconds.
    pub created: i64,
    /// The model that answered.
    pub model: String,
    /// Exactly one.
    pub choices: Vec<Choice>,
    /// Token counts, when they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Segments, citations, check and handover of the guarded reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truetill: Option<ChatReply>,
}

/// One answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Choice {
    /// 0
    pub index: u32,
    /// The message.
    pub message: Reply,
    /// stop or length.
    pub finish_reason: &'static str,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<()>,
}

/// The assistant's message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reply {
    /// assistant
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub refusal: Option<()>,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub completion_tokens: usize,
    /// Both.
    pub total_tokens: usize,
}

/// The models to choose from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// list
    pub object: &'static str,
    /// The models.
    pub data: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// model
    pub object: &'static str,
    /// Unix time in seconds; 0.
    pub created: i64,
    /// Whose it is.
    pub owned_by: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extra: &str, expected: Result<(), &str>) {
        let text = format!(r#"{{"model":"truetill","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#);
        let request: CompletionRequest = serde_json::from_str(&text).unwrap();
        let got = request.check().and_then(|()| request.check_guarded());
        assert_eq!(got.as_ref().map_err(|problem| problem.field.as_deref().unwrap()).copied(), expected, "{extra}");
    }

    #[test]
    fn what_would_be_ignored_is_refused_by_name() {
        check("", Ok(()));
        check(r#","n":1,"top_p":1,"temperature":1,"stop":null,"tools":[],"store":false"#, Ok(()));
        check(r#","stream":true,"stream_options":{"include_usage":true}"#, Ok(()));
        check(r#","response_format":{"type":"text"},"tool_choice":"auto""#, Ok(()));
        check(r#","n":2"#, Err("n"));
        check(r#","temperature":0.2"#, Err("temperature"));
        check(r#","max_tokens":50"#, Err("max_tokens"));
        check(r#","stop":["\n"]"#, Err("stop"));
        check(r#","response_format":{"type":"json_object"}"#, Err("response_format"));
        check(r#","stream_options":{"include_usage":true}"#, Err("stream_options"));
    }
}
