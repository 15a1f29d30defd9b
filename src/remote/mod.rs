//! Another engine in the place of our own: a server of the OpenAI kind writes what the model in this process would have written.
//! In: a `Job`. Out: what it wrote, held to the job's grammar here as well, or the same refusals as of a model in this process. No more
//! jobs at a time than the settings say; a server that fails is left alone for a while. What it writes is as untrusted as any model's.

mod grammar;
mod question;
mod server;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Generation;
use crate::engine::{Generate, GenerateError, Generated, Job, ModelId, PromptTurn, Speaker};

pub use grammar::{Follows, Grammar};
pub use question::Dialect;
use server::{Question, Server};

/// Nothing that a model would say by itself.
const NONSENSE: &str = "qz7-vex";

/// A language model behind the `Generate` seam that runs elsewhere.
pub struct Remote {
    server: Arc<Server>,
    turns: Arc<Semaphore>,
    sessions: usize,
    queue: usize,
    waiting: AtomicUsize,
    last_ms: AtomicU64,
}

impl Remote {
    /// The server of the settings. Nobody is asked yet: a shop opens also while its model's server is down.
    ///
    /// # Errors
    /// The address is none.
    pub fn open(settings: &Generation) -> anyhow::Result<Remote> {
        let url = &settings.url;
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host =
            host.context("generation.url must begin with http:// or https://, such as http://127.0.0.1:8080/v1")?;
        ensure!(
            !host.contains('@'),
            "generation.url holds a name or password: put the key into TRUETILL__GENERATION__KEY"
        );
        if !settings.key.0.is_empty() && url.starts_with("http://") && !loopback(host) {
            tracing::warn!(url, "the key of the model's server crosses the network in plain text; https would hide it");
        }
        Ok(Remote {
            server: Arc::new(Server::new(settings)?),
            turns: Arc::new(Semaphore::new(settings.sessions)),
            sessions: settings.sessions,
            queue: settings.queue,
            waiting: AtomicUsize::new(0),
            last_ms: AtomicU64::new(0),
        })
    }

    /// Looks whether it answers, has the model, and holds it to grammars; says what was found.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> anyhow::Result<String> {
        let ask = |grammar: Option<String>| Job {
            system: "Answer with one word.".to_string(),
            turns: vec![PromptTurn { speaker: Speaker::User, text: "Name a colour.".to_string() }],
            grammar,
            max_tokens: 16,
            temperature: 0.0,
            seed: 0,
        };
        let started = Instant::now();
        let heard = self.generate(ask(Some(format!("start: \"{NONSENSE}\"")))).await;
        let ms = started.elapsed().as_millis();
        let Some((model, dialect)) = self.server.known() else {
            let error = heard.err().unwrap_or(GenerateError::Failed("it was not heard".into()));
            return Err(error).with_context(|| self.server.place().to_string());
        };
        let place = format!("{model} at {}", self.server.place());
        match heard {
            Err(GenerateError::Grammar(_)) if dialect == Dialect::None => {
                self.generate(ask(None)).await?;
                Ok(format!("{place}, no grammars: an answer that breaks one is asked for once more, then given up"))
            }
            Err(GenerateError::Grammar(fault)) => bail!(
                "{place} does not hold its model to grammars sent as {}: {fault}; see generation.grammar in docs/engines.md",
                dialect.name()
            ),
            Err(error) => Err(error).with_context(|| place),
            Ok(_) => Ok(format!("{place}, grammars: {}, answered in {ms} ms", dialect.name())),
        }
    }

    /// Waits until fewer jobs run than may.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, GenerateError> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let waiting = Waiting::begin(&self.waiting);
        if waiting.before >= self.queue {
            let each = self.last_ms.load(Ordering::Relaxed).max(1000);
            let retry_after_s = (each * waiting.before as u64).div_ceil(1000 * self.sessions as u64).max(1);
            return Err(GenerateError::Busy { waiting: waiting.before, retry_after_s });
        }
        let ended = |_| GenerateError::Failed("the line of jobs has ended".into());
        Arc::clone(&self.turns).acquire_owned().await.map_err(ended)
    }
}

fn loopback(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| host.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

#[async_trait]
impl Generate for Remote {
    async fn generate(&self, job: Job) -> Result<Generated, GenerateError> {
        let asked = Instant::now();
        let grammar = job.grammar.as_deref().map(Grammar::parse).transpose().map_err(GenerateError::Grammar)?;
        let turn = self.turn().await?;
        self.server.may()?;
        let queue_ms = asked.elapsed().as_secs_f64() * 1e3;
        // Set when the caller has gone: the thread hears it with the next word.
        let leaving = Leaving(Arc::default());
        let question = Question { job, grammar, left: Arc::clone(&leaving.0) };
        let server = Arc::clone(&self.server);
        let answering = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            server.answer(&question)
        });
        let lost = |error| GenerateError::Failed(format!("asking the model's server broke off: {error}"));
        let done = answering.await.map_err(lost)??;
        self.last_ms.store(done.total_ms as u64, Ordering::Relaxed);
        Ok(Generated { queue_ms, ..done })
    }

    fn model(&self) -> ModelId {
        let name = self.server.known().map_or_else(|| self.server.named(), |(model, _)| model);
        // Only its own server knows which bytes those are.
        ModelId { name, sha256: String::new() }
    }
}

struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Counts who waits, also those who leave the line.
struct Waiting<'a> {
    all: &'a AtomicUsize,
    before: usize,
}

impl Waiting<'_> {
    fn begin(all: &AtomicUsize) -> Waiting<'_> {
        Waiting { all, before: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}
