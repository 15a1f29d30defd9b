//! One question to a server of the OpenAI kind, and its answer word by word. Synchronous: it runs on threads of its own. Nothing of a
//! question or an answer is logged: shoppers' words are in them, and the key.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::config::Secret;

/// A longer answer is no answer; a token comes in an event of about 300 bytes.
const LARGEST: u64 = 8 << 20;
/// So much of what a server says against a question is passed on.
const REASON: usize = 200;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not answer, or not in a way that can be read.
    Down(String),
    /// It has too much to do, and says for how long.
    Busy(Duration),
    /// The prompt is longer than it takes: its tokens, and the limit.
    TooLong(usize, usize),
    /// It does not take the question as it is.
    Refused(String),
    /// Whoever listened has had enough.
    Left,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub text: String,
    /// True when it ended by itself, false when it was cut at `max_tokens`.
    pub finished: bool,
    pub prompt_tokens: usize,
    pub generated_tokens: usize,
    pub first_token_ms: f64,
}

/// A model that a server has.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listed {
    pub id: String,
    /// What kind of server it is can be seen here.
    #[serde(default)]
    pub owned_by: String,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

/// One server.
pub(super) struct Wire {
    agent: Agent,
    url: String,
    key: Secret,
}

impl Wire {
    pub(super) fn new(url: &str, key: Secret) -> Wire {
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("truetill/", env!("CARGO_PKG_VERSION")));
        Wire { agent: settings.build().into(), url: url.trim_end_matches('/').to_string(), key }
    }

    /// The models it has.
    pub(super) fn models(&self, until: Instant) -> Result<Vec<Listed>, Fault> {
        let url = format!("{}/models", self.url);
        let request = self.agent.get(&url).config().timeout_global(Some(left(until)?)).build();
        let request = if self.key.0.is_empty() { request } else { request.header("authorization", self.bearer()) };
        let mut response = request.call().map_err(|error| down(&error))?;
        accepted(&mut response)?;
        let text = response.body_mut().with_config().limit(LARGEST).read_to_string().map_err(|error| down(&error))?;
        let list: List = serde_json::from_str(&text).map_err(|_| {
            Fault::Down("its list of models cannot be read; the address usually ends in /v1".to_string())
        })?;
        Ok(list.data)
    }

    /// Asks for a completion. `heard` is told the text so far whenever there is more of it, and ends everything with false.
    pub(super) fn complete(
        &self,
        body: &Value,
        until: Instant,
        heard: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Answer, Fault> {
        let started = Instant::now();
        let url = format!("{}/chat/completions", self.url);
        let request = self.agent.post(&url).config().timeout_global(Some(left(until)?)).build();
        let request = request.header("content-type", "application/json");
        let request = if self.key.0.is_empty() { request } else { request.header("authorization", self.bearer()) };
        let mut response = request.send(body.to_string()).map_err(|error| down(&error))?;
        accepted(&mut response)?;
        let lines = BufReader::new(response.body_mut().with_config().limit(LARGEST).reader()).lines();
        let mut hearing = Hearing::default();
        for line in lines {
            let line = line.map_err(|error| Fault::Down(format!("its answer broke off: {error}")))?;
            let more = hearing.take(&line)?;
            if more && hearing.answer.first_token_ms == 0.0 {
                hearing.answer.first_token_ms = started.elapsed().as_secs_f64() * 1e3;
            }
            if more && !heard(&hearing.answer.text) {
                return Err(Fault::Left);
            }
            if hearing.over {
                break;
            }
        }
        hearing.whole()
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key.0)
    }
}

/// What has been heard of an answer.
#[derive(Default)]
struct Hearing {
    answer: Answer,
    /// Why it ended, once it has.
    ended: Option<String>,
    over: bool,
    pieces: usize,
}

impl Hearing {
    /// Takes in a line of the stream; true when there is more text.
    fn take(&mut self, line: &str) -> Result<bool, Fault> {
        // Some announce a failure by the name of an event, some by the event itself.
        let Some(data) = line.strip_prefix("data:").or_else(|| line.strip_prefix("error:")) else { return Ok(false) };
        if data.trim() == "[DONE]" {
            self.over = true;
            return Ok(false);
        }
        let event: Value =
            serde_json::from_str(data).map_err(|_| Fault::Down("an event of its answer is no JSON".to_string()))?;
        if let Some(error) = event.get("error") {
            return Err(Fault::Down(format!("it failed: {}", reason(error))));
        }
        for (name, count) in [
            ("prompt_tokens", &mut self.answer.prompt_tokens),
            ("completion_tokens", &mut self.answer.generated_tokens),
        ] {
            let told = event.pointer(&format!("/usage/{name}")).and_then(Value::as_u64);
            *count = told.and_then(|told| usize::try_from(told).ok()).unwrap_or(*count);
        }
        let choice = event.pointer("/choices/0");
        if let Some(ended) = choice.and_then(|choice| choice.get("finish_reason")).and_then(Value::as_str) {
            self.ended = Some(ended.to_string());
        }
        let piece = choice.and_then(|choice| choice.pointer("/delta/content")).and_then(Value::as_str);
        let piece = piece.filter(|piece| !piece.is_empty());
        self.pieces += usize::from(piece.is_some());
        self.answer.text.push_str(piece.unwrap_or_default());
        Ok(piece.is_some())
    }

    fn whole(self) -> Result<Answer, Fault> {
        let finished = match self.ended.as_deref() {
            Some("stop" | "eos") => true,
            Some("length") => false,
            Some(other) => return Err(Fault::Down(format!("it ended with `{}`", short(other)))),
            None => return Err(Fault::Down("its answer has no end".to_string())),
        };
        let counted = if self.answer.generated_tokens > 0 { self.answer.generated_tokens } else { self.pieces };
        Ok(Answer { finished, generated_tokens: counted, ..self.answer })
    }
}

/// Reads why an answer is a refusal, where it is one.
fn accepted(response: &mut Response<Body>) -> Result<(), Fault> {
    let status = response.status().as_u16();
    if status == 200 {
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        return match kind.contains("html") {
            true => Err(Fault::Down("it answers with a web page; is the address right?".to_string())),
            false => Ok(()),
        };
    }
    let pause = response.headers().get("retry-after").and_then(|pause| pause.to_str().ok()?.trim().parse().ok());
    let text = response.body_mut().with_config().limit(64 << 10).read_to_string().unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let why = reason(body.get("error").unwrap_or(&body));
    let said = if why.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {why}") };
    Err(match status {
        429 | 503 => Fault::Busy(Duration::from_secs(pause.unwrap_or(1).clamp(1, 300))),
        400 | 413 | 422 => too_long(&body, &why).unwrap_or(Fault::Refused(said)),
        401 | 403 => Fault::Down(format!("{said}; is TRUETILL__GENERATION__KEY right?")),
        _ => Fault::Down(said),
    })
}

/// The prompt's tokens and the limit, as far as they are told.
fn too_long(body: &Value, why: &str) -> Option<Fault> {
    let count = |name: &str| body.pointer(&format!("/error/{name}")).and_then(Value::as_u64).map(|n| n as usize);
    let told = body.pointer("/error/type").and_then(Value::as_str) == Some("exceed_context_size_error");
    let said = why.contains("maximum context length") || why.contains("context window");
    (told || said).then(|| Fault::TooLong(count("n_prompt_tokens").unwrap_or(0), count("n_ctx").unwrap_or(0)))
}

fn reason(error: &Value) -> String {
    let text = error.get("message").or_else(|| error.get("detail")).unwrap_or(error);
    text.as_str().map_or_else(|| if text.is_null() { String::new() } else { short(&text.to_string()) }, short)
}

fn short(text: &str) -> String {
    text.chars().take(REASON).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn left(until: Instant) -> Result<Duration, Fault> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Fault::Down("no answer in time".to_string())) } else { Ok(left) }
}

fn down(error: &ureq::Error) -> Fault {
    Fault::Down(match error {
        ureq::Error::Timeout(_) => "no answer in time".to_string(),
        other => format!("it does not answer: {other}"),
    })
}
