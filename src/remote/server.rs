//! One server: what it has, when it is left alone, and an answer of it that can be used. Synchronous.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use metrics::{counter, gauge, histogram};

use super::grammar::{Follows, Grammar};
use super::question::{Dialect, body};
use super::wire::{Answer, Fault, Wire};
use crate::config::Generation;
use crate::domain::breaker::Breaker;
use crate::engine::{GenerateError, Generated, Job};

/// Failures in a row until it is left alone, and for how long at first.
const FAILURES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(5);

/// A job, and whether anybody still waits for it.
pub(super) struct Question {
    pub job: Job,
    pub grammar: Option<Grammar>,
    pub left: Arc<AtomicBool>,
}

/// The server.
pub(super) struct Server {
    wire: Wire,
    url: String,
    /// The model's name there; empty: its first.
    model: String,
    /// Of the settings; none: as its kind of server wants it.
    dialect: Option<Dialect>,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    known: Option<(String, Dialect)>,
}

/// Why an answer is of no use.
enum Useless {
    Fault(Fault),
    /// It does not follow the grammar.
    Wrong,
}

impl From<Fault> for Useless {
    fn from(fault: Fault) -> Useless {
        Useless::Fault(fault)
    }
}

impl Server {
    pub(super) fn new(settings: &Generation) -> anyhow::Result<Server> {
        Ok(Server {
            wire: Wire::new(&settings.url, settings.key.clone()),
            url: settings.url.clone(),
            model: settings.model_name.clone(),
            dialect: Dialect::named(&settings.grammar)?,
            patience: Duration::from_secs(settings.timeout_s),
            state: Mutex::new(State { breaker: Breaker::new(FAILURES, PAUSE), known: None }),
        })
    }

    /// Its address.
    pub(super) fn place(&self) -> &str {
        &self.url
    }

    /// The model as the settings name it.
    pub(super) fn named(&self) -> String {
        if self.model.is_empty() { format!("the first of {}", self.url) } else { self.model.clone() }
    }

    /// The model and the dialect, once it has been asked.
    pub(super) fn known(&self) -> Option<(String, Dialect)> {
        self.state().known.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked now.
    pub(super) fn may(&self) -> Result<(), GenerateError> {
        let mut state = self.state();
        if state.breaker.may(Timestamp::now()) {
            return Ok(());
        }
        count("left_alone");
        let failures = state.breaker.failures();
        Err(GenerateError::Failed(format!(
            "the model's server is left alone for a while ({failures} failures in a row)"
        )))
    }

    /// Asks, and keeps what came of it.
    pub(super) fn answer(&self, question: &Question) -> Result<Generated, GenerateError> {
        let started = Instant::now();
        let result = self.usable(question, started + self.patience);
        let total_ms = started.elapsed().as_secs_f64() * 1e3;
        histogram!("truetill_engine_seconds").record(total_ms / 1e3);
        let now = Timestamp::now();
        let mut state = self.state();
        let (outcome, answer) = match result {
            Ok(answer) => {
                state.breaker.succeeded();
                ("answered", Ok(generated(answer, total_ms)))
            }
            Err(Useless::Fault(Fault::Left)) => {
                state.breaker.rest_of_probe();
                ("cancelled", Err(GenerateError::Failed("cancelled".into())))
            }
            Err(Useless::Fault(Fault::TooLong(tokens, limit))) => {
                state.breaker.succeeded();
                ("too_long", Err(GenerateError::TooLong { tokens, limit }))
            }
            Err(Useless::Fault(Fault::Busy(pause))) => {
                state.breaker.rest(now, pause);
                ("busy", Err(GenerateError::Busy { waiting: 0, retry_after_s: pause.as_secs().max(1) }))
            }
            Err(Useless::Fault(Fault::Down(why))) => {
                state.breaker.failed(now);
                // Another may come in its place, with other models.
                state.known = None;
                ("failed", Err(GenerateError::Failed(format!("the model's server: {why}"))))
            }
            Err(Useless::Fault(Fault::Refused(why))) => {
                state.breaker.failed(now);
                ("refused", Err(GenerateError::Grammar(format!("the model's server refuses the question: {why}"))))
            }
            Err(Useless::Wrong) => {
                state.breaker.failed(now);
                ("wrong", Err(GenerateError::Grammar("the answer of the model's server does not follow it".into())))
            }
        };
        gauge!("truetill_engine_open").set(if state.breaker.open() { 0.0 } else { 1.0 });
        drop(state);
        count(outcome);
        answer
    }

    /// An answer that follows the grammar; asked for twice at most.
    fn usable(&self, question: &Question, until: Instant) -> Result<Answer, Useless> {
        let (model, mut dialect) = self.model_and_dialect(until)?;
        let mut again = false;
        loop {
            let result = self.once(question, (&model, dialect, again), until);
            match result {
                Err(Useless::Wrong) if !again => again = true,
                // The kind of server was a guess; it goes without a grammar, if not as well.
                Err(Useless::Fault(Fault::Refused(_)))
                    if self.dialect.is_none() && question.grammar.is_some() && dialect != Dialect::None =>
                {
                    dialect = Dialect::None;
                }
                Ok(answer) => {
                    self.state().known = Some((model, dialect));
                    return Ok(answer);
                }
                useless => return useless,
            }
        }
    }

    fn once(&self, question: &Question, how: (&str, Dialect, bool), until: Instant) -> Result<Answer, Useless> {
        let (grammar, mut wrong) = (question.grammar.as_ref(), false);
        let mut heard = |text: &str| {
            // A server that takes no grammar goes on and on: the first wrong word is enough.
            wrong = grammar.is_some_and(|grammar| grammar.follows(text.trim_start()) == Follows::Not)
                && grammar.is_some_and(|grammar| grammar.follows(text.trim()) != Follows::Wholly);
            !wrong && !question.left.load(Ordering::Relaxed)
        };
        let answer = self.wire.complete(&body(&question.job, grammar, how), until, &mut heard);
        let answer = match answer {
            Err(Fault::Left) if wrong => return Err(Useless::Wrong),
            other => other?,
        };
        let Some(grammar) = grammar else { return Ok(answer) };
        let text = answer.text.trim();
        match grammar.follows(text) {
            Follows::Wholly => Ok(Answer { text: text.to_string(), ..answer }),
            // Cut at the most tokens there may be, as our own engine would have cut it.
            Follows::SoFar if !answer.finished => Ok(Answer { text: text.to_string(), ..answer }),
            _ => Err(Useless::Wrong),
        }
    }

    /// Which model to ask for, and in which words.
    fn model_and_dialect(&self, until: Instant) -> Result<(String, Dialect), Fault> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        if let (false, Some(dialect)) = (self.model.is_empty(), self.dialect) {
            return Ok((self.model.clone(), dialect));
        }
        let models = self.wire.models(until)?;
        let model = models.iter().find(|model| self.model.is_empty() || model.id == self.model);
        let Some(model) = model else {
            let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).take(5).collect();
            return Err(Fault::Down(format!("it has no model `{}`, but {}", self.model, names.join(", "))));
        };
        let known = (model.id.clone(), self.dialect.unwrap_or_else(|| Dialect::of_owner(&model.owned_by)));
        self.state().known = Some(known.clone());
        Ok(known)
    }
}

fn generated(answer: Answer, total_ms: f64) -> Generated {
    let Answer { text, finished, prompt_tokens, generated_tokens, first_token_ms } = answer;
    Generated { text, prompt_tokens, generated_tokens, finished, queue_ms: 0.0, first_token_ms, total_ms }
}

fn count(outcome: &'static str) {
    counter!("truetill_engine_asked_total", "result" => outcome).increment(1);
}
