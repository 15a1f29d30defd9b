//! Text to vectors: the E5 prefixes, the tokenizer, the encoder, on a thread of its own behind a bounded queue.
//! In: texts. Out: unit-length vectors in the same order. Never blocks the runtime that asks.

mod attention;
mod cache;
mod core;
mod encoder;
mod level;
mod marks;
mod matrix;
mod numeric;
#[cfg(test)]
mod tests;
mod tuned;
mod unigram;
mod wishes;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Embed, EmbedInput, ModelId, Reading, Tuned};
use crate::pull::VerifiedModel;
use cache::Cache;
pub(super) use core::Core;
pub(super) use level::{Kind as LevelKind, Level, fused};
pub(super) use matrix::half;

/// How the embedder works.
#[derive(Clone, Debug)]
pub struct EmbedderSettings {
    /// Requests that may wait; more wait at the caller.
    pub queue: usize,
    /// Tokens in one pass of the model.
    pub batch_tokens: usize,
    /// Characters read of one text.
    pub max_characters: usize,
    /// Passes that run side by side.
    pub threads: usize,
    /// Questions whose vectors are remembered.
    pub remembered: usize,
    /// Layers tuned for telling wishes apart.
    pub tuned: Option<PathBuf>,
    /// Lines between words that name goods, words that describe them, and others.
    pub marks: Option<PathBuf>,
    /// Layers tuned for telling where a wish ends and the next begins.
    pub wishes: Option<PathBuf>,
}

impl Default for EmbedderSettings {
    fn default() -> Self {
        EmbedderSettings {
            queue: 64,
            batch_tokens: 256,
            max_characters: 8192,
            threads: super::threads::in_use(),
            remembered: 4096,
            tuned: None,
            marks: None,
            wishes: None,
        }
    }
}

/// multilingual-e5-small behind the `Embed` seam.
pub struct Embedder {
    id: ModelId,
    core: Arc<Core>,
    asked: Cache<Vec<f32>>,
    read: Cache<Reading>,
    queue: mpsc::Sender<Request>,
}

struct Request {
    work: Work,
    texts: Vec<String>,
    answer: oneshot::Sender<anyhow::Result<Vec<Reading>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Embed(EmbedInput),
    Read,
}

impl Embedder {
    /// Loads the model and starts its thread, which ends when the embedder is dropped.
    pub fn load(model: &VerifiedModel, settings: EmbedderSettings) -> anyhow::Result<Embedder> {
        let core = Core::load(model, settings.clone())
            .with_context(|| format!("loading the embedder {}", model.path.display()))?;
        let dimensions = core.dimensions();
        if let Some(expected) = model.entry.as_ref().and_then(|e| e.dims) {
            ensure!(
                expected == dimensions,
                "{} gives vectors of {dimensions}, models/manifest.toml says {expected}; run `truetill pull {}`",
                model.path.display(),
                model.id.name
            );
        }
        let core = Arc::new(core);
        let worker = Arc::clone(&core);
        let (queue, requests) = mpsc::channel(settings.queue.max(1));
        std::thread::Builder::new()
            .name("embedder".into())
            .spawn(move || serve(&worker, requests))
            .context("starting the embedder's thread")?;
        let (asked, read) = (Cache::new(settings.remembered), Cache::new(settings.remembered));
        Ok(Embedder { id: model.id.clone(), core, asked, read, queue })
    }

    async fn compute(&self, work: Work, texts: Vec<String>) -> anyhow::Result<Vec<Reading>> {
        let (answer, result) = oneshot::channel();
        let request = Request { work, texts, answer };
        self.queue.send(request).await.ok().context("the embedder's thread has ended")?;
        result.await.context("the embedder failed on this request")?
    }
}

#[async_trait]
impl Embed for Embedder {
    async fn embed(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let question = match texts.as_slice() {
            [text] if input == EmbedInput::Query => Some(text.clone()),
            _ => None,
        };
        if let Some(vector) = question.as_deref().and_then(|text| self.asked.get(text)) {
            return Ok(vec![vector]);
        }
        let made = self.compute(Work::Embed(input), texts).await?;
        let vectors: Vec<Vec<f32>> = made.into_iter().map(|reading| reading.vector).collect();
        if let (Some(text), [vector]) = (question, vectors.as_slice()) {
            self.asked.put(text, vector.clone());
        }
        Ok(vectors)
    }

    async fn read(&self, texts: Vec<String>) -> anyhow::Result<Vec<Reading>> {
        let [text] = texts.as_slice() else { return self.compute(Work::Read, texts).await };
        if let Some(reading) = self.read.get(text) {
            return Ok(vec![reading]);
        }
        let text = text.clone();
        let readings = self.compute(Work::Read, texts).await?;
        if let [reading] = readings.as_slice() {
            self.asked.put(text.clone(), reading.vector.clone());
            self.read.put(text, reading.clone());
        }
        Ok(readings)
    }

    fn tuned(&self) -> Option<&Tuned> {
        self.core.head.as_ref().map(|head| &head.about)
    }

    fn model(&self) -> ModelId {
        self.id.clone()
    }

    fn dimensions(&self) -> usize {
        self.core.dimensions()
    }

    fn tokens(&self, input: EmbedInput, text: &str) -> usize {
        self.core.count(input, text)
    }

    fn max_tokens(&self) -> usize {
        self.core.max_tokens()
    }
}

fn serve(core: &Core, mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        if request.answer.is_closed() {
            continue;
        }
        let work = || match request.work {
            Work::Read => core.read(&request.texts),
            Work::Embed(input) => Ok(core.embed(input, &request.texts)?.into_iter().map(plain).collect()),
        };
        // A fault in one request must not end the thread that serves all others.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the embedder failed on this request")));
        let _ = request.answer.send(result);
    }
}

fn plain(vector: Vec<f32>) -> Reading {
    Reading { vector, ..Reading::default() }
}
