//! candle's stock quantised llama, qwen2, qwen3 or phi3: what runs on a GPU, and what the own decoder is tested against.
//! In: token ids and their place. Out: the scores of the next token. Knows nothing of text.

use anyhow::{Context, bail, ensure};
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_phi3, quantized_qwen2, quantized_qwen3};

use super::super::weights::Weights;
use super::shape::Shape;

/// candle's llama keeps rotary tables for so many positions, its qwen3 a cache of so many.
const STOCK_POSITIONS: usize = 4096;
const CHUNK: usize = 256;
const SMALL_CHUNK: usize = 16;
const FORCED_CHUNK: usize = 8;

/// A loaded language model with the keys and values of one conversation.
pub struct Stock {
    model: Model,
    device: Device,
    context: usize,
    position: usize,
}

enum Model {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
    Qwen3(quantized_qwen3::ModelWeights),
    Phi3(quantized_phi3::ModelWeights),
}

impl Stock {
    /// Reads the model onto a device.
    pub fn load(weights: Weights, device: &Device) -> anyhow::Result<Stock> {
        let architecture = weights.text("general.architecture")?.to_owned();
        let context = Shape::read(&weights)?.context;
        // candle's phi3 knows no divisors for long texts.
        ensure!(
            !weights.has("rope_factors_short.weight"),
            "a phi3 made for long texts runs on the processor only; choose the device cpu"
        );
        let Weights { content, mut reader } = weights;
        let model = match architecture.as_str() {
            "gemma3" => bail!("a gemma3 runs on the processor only; choose the device cpu"),
            "phi3" => Model::Phi3(quantized_phi3::ModelWeights::from_gguf(false, content, &mut reader, device)?),
            "llama" => Model::Llama(quantized_llama::ModelWeights::from_gguf(content, &mut reader, device)?),
            "qwen2" => Model::Qwen2(quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, device)?),
            _ => Model::Qwen3(quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, device)?),
        };
        let context = match model {
            Model::Qwen2(_) => context,
            _ => context.min(STOCK_POSITIONS),
        };
        Ok(Stock { model, device: device.clone(), context, position: 0 })
    }

    /// The tokens it can hold, prompt and answer together.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Forgets the conversation.
    pub fn reset(&mut self) {
        self.position = 0;
        match &mut self.model {
            Model::Llama(m) => m.clear_kv_cache(),
            Model::Qwen2(m) => m.clear_kv_cache(),
            Model::Qwen3(m) => m.clear_kv_cache(),
            // It forgets by itself when it reads from the first position on.
            Model::Phi3(_) => {}
        }
    }

    /// Reads more tokens and gives the scores of what may follow.
    pub fn read(&mut self, tokens: &[u32]) -> anyhow::Result<Vec<f32>> {
        ensure!(self.position + tokens.len() <= self.context, "the context of {} is full", self.context);
        let mut scores = None;
        let mut rest = tokens;
        while !rest.is_empty() {
            let (step, others) = rest.split_at(self.step(rest.len()));
            scores = Some(self.forward(step)?);
            rest = others;
        }
        let scores = scores.context("nothing to read")?;
        Ok(scores.flatten_all()?.to_vec1()?)
    }

    /// How many tokens to read at once.
    fn step(&self, left: usize) -> usize {
        match self.model {
            // A step of several tokens after a single one would not see it: prefill fills one cache,
            // decoding another. So the prompt goes in whole and all else one by one.
            Model::Qwen3(_) if self.device.is_cpu() => {
                if self.position == 0 {
                    left
                } else {
                    1
                }
            }
            // A mask is kept for every pair of length and place, for ever. Few lengths at few places keep
            // that to some tens of megabytes.
            _ => match left {
                CHUNK.. => CHUNK,
                SMALL_CHUNK.. => left - left % SMALL_CHUNK,
                _ if self.position.is_multiple_of(SMALL_CHUNK) => left,
                _ => left.min(FORCED_CHUNK),
            },
        }
    }

    fn forward(&mut self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        let input = Tensor::new(tokens, &self.device)?.unsqueeze(0)?;
        let scores = match &mut self.model {
            Model::Llama(m) => m.forward(&input, self.position)?,
            Model::Qwen2(m) => m.forward(&input, self.position)?,
            Model::Qwen3(m) => m.forward(&input, self.position)?,
            Model::Phi3(m) => m.forward(&input, self.position)?,
        };
        self.position += tokens.len();
        Ok(scores)
    }
}
