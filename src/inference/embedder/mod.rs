//! Text to vectors: the E5 prefixes, the tokenizer, the encoder, on a thread of its own behind a bounded queue.
//! In: texts. Out: unit-length vectors in the same order. Never blocks the runtime that asks.

mod attention;
mod cache;
mod core;
mod encoder;
mod level;
mod matrix;
mod numeric;
#[cfg(test)]
mod tests;
mod unigram;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Embed, EmbedInput, ModelId};
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
}

impl Default for EmbedderSettings {
    fn default() -> Self {
        EmbedderSettings {
            queue: 64,
            batch_tokens: 256,
            max_characters: 8192,
            threads: super::threads::in_use(),
            remembered: 4096,
        }
    }
}

/// multilingual-e5-small behind the `Embed` seam.
pub struct Embedder {
    id: ModelId,
    core: Arc<Core>,
    asked: Cache,
    queue: mpsc::Sender<Request>,
}

struct Request {
    input: EmbedInput,
    texts: Vec<String>,
    answer: oneshot::Sender<anyhow::Result<Vec<Vec<f32>>>>,
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
        Ok(Embedder { id: model.id.clone(), core, asked: Cache::new(settings.remembered), queue })
    }

    async fn compute(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let (answer, result) = oneshot::channel();
        let request = Request { input, texts, answer };
        self.queue.send(request).await.ok().context("the embedder's thread has ended")?;
        result.await.context("the embedder failed on this request")?
    }
}

#[async_trait]
impl Embed for Embedder {
    async fn embed(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let [text] = texts.as_slice() else { return self.compute(input, texts).await };
        if input != EmbedInput::Query {
            return self.compute(input, texts).await;
        }
        if let Some(vector) = self.asked.get(text) {
            return Ok(vec![vector]);
        }
        let text = text.clone();
        let vectors = self.compute(input, texts).await?;
        if let [vector] = vectors.as_slice() {
            self.asked.put(text, vector.clone());
        }
        Ok(vectors)
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
        let work = || core.embed(request.input, &request.texts);
        // A fault in one request must not end the thread that serves all others.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the embedder failed on this request")));
        let _ = request.answer.send(result);
    }
}
