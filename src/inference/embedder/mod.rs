//! Text to vectors: the E5 prefixes, the tokenizer, the encoder, on a thread of its own behind a bounded queue.
//! In: texts. Out: unit-length vectors in the same order. Never blocks the runtime that asks.

mod encoder;
mod numeric;
#[cfg(test)]
mod tests;
mod unigram;

use std::sync::Arc;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::weights::Weights;
use crate::engine::{Embed, EmbedInput, ModelId};
use crate::pull::VerifiedModel;
use encoder::Encoder;
use unigram::Unigram;

/// How the embedder works.
#[derive(Clone, Debug)]
pub struct EmbedderSettings {
    /// Requests that may wait; more wait at the caller.
    pub queue: usize,
    /// Tokens in one pass of the model.
    pub batch_tokens: usize,
    /// Characters read of one text.
    pub max_characters: usize,
    /// Threads for the work between matrices.
    pub threads: usize,
}

impl Default for EmbedderSettings {
    fn default() -> Self {
        EmbedderSettings {
            queue: 64,
            batch_tokens: 1024,
            max_characters: 8192,
            threads: super::threads::in_use(),
        }
    }
}

/// multilingual-e5-small behind the `Embed` seam.
pub struct Embedder {
    id: ModelId,
    dimensions: usize,
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
        let dimensions = core.encoder.dimensions();
        if let Some(expected) = model.entry.as_ref().and_then(|e| e.dims) {
            ensure!(
                expected == dimensions,
                "{} gives vectors of {dimensions}, models/manifest.toml says {expected}; run `truetill pull {}`",
                model.path.display(),
                model.id.name
            );
        }
        let (queue, requests) = mpsc::channel(settings.queue.max(1));
        std::thread::Builder::new()
            .name("embedder".into())
            .spawn(move || serve(&core, requests))
            .context("starting the embedder's thread")?;
        Ok(Embedder { id: model.id.clone(), dimensions, queue })
    }
}

#[async_trait]
impl Embed for Embedder {
    async fn embed(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let (answer, result) = oneshot::channel();
        let request = Request { input, texts, answer };
        self.queue.send(request).await.ok().context("the embedder's thread has ended")?;
        result.await.context("the embedder failed on this request")?
    }

    fn model(&self) -> ModelId {
        self.id.clone()
    }

    fn dimensions(&self) -> usize {
        self.dimensions
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

struct Core {
    encoder: Encoder,
    unigram: Arc<Unigram>,
    begin: u32,
    end: u32,
    settings: EmbedderSettings,
}

impl Core {
    fn load(model: &VerifiedModel, settings: EmbedderSettings) -> anyhow::Result<Core> {
        let mut weights = Weights::open(model)?;
        let kind = weights.text("tokenizer.ggml.model")?;
        ensure!(kind == "unigram", "a tokenizer of kind `{kind}`; only unigram is supported here");
        let pieces = weights.take_texts("tokenizer.ggml.tokens")?;
        let scores = weights.value("tokenizer.ggml.scores")?.to_vec()?;
        let scores = scores.iter().map(|s| s.to_f32()).collect::<candle_core::Result<_>>()?;
        let id = |name: &str| -> anyhow::Result<u32> {
            Ok(u32::try_from(weights.number(&format!("tokenizer.ggml.{name}_token_id"))?)?)
        };
        let (begin, end, pad, unknown) = (id("bos")?, id("eos")?, id("padding")?, id("unknown")?);
        let unigram = Unigram::new(&pieces, scores, [begin, end, pad, unknown])?;
        let encoder = Encoder::load(&mut weights, settings.threads)?;
        Ok(Core { encoder, unigram: Arc::new(unigram), begin, end, settings })
    }

    fn embed(&self, input: EmbedInput, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
        let ids: Vec<Vec<u32>> = texts.iter().map(|t| self.tokens(input, t)).collect();
        let mut order: Vec<usize> = (0..ids.len()).collect();
        // Texts of one length share a pass, so that no pass is much longer than another.
        order.sort_by_key(|at| ids[*at].len());
        let mut vectors = vec![Vec::new(); ids.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(self.batch(&ids, rest));
            let sequences: Vec<_> = batch.iter().map(|at| ids[*at].clone()).collect();
            for (at, vector) in batch.iter().zip(self.encoder.encode(&sequences)?) {
                vectors[*at] = vector;
            }
            rest = others;
        }
        Ok(vectors)
    }

    fn batch(&self, ids: &[Vec<u32>], order: &[usize]) -> usize {
        let mut tokens = 0;
        let fits = order.iter().take_while(|at| {
            tokens += ids[**at].len();
            tokens <= self.settings.batch_tokens
        });
        fits.count().max(1)
    }

    fn tokens(&self, input: EmbedInput, text: &str) -> Vec<u32> {
        let prefix = match input {
            EmbedInput::Query => "query: ",
            EmbedInput::Passage => "passage: ",
        };
        let text: String =
            prefix.chars().chain(text.chars().take(self.settings.max_characters)).collect();
        let mut ids = vec![self.begin];
        ids.extend(self.unigram.encode(&text, self.encoder.max_tokens() - 2));
        ids.push(self.end);
        ids
    }
}
