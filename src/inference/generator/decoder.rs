//! The language model itself: candle's stock quantised llama, qwen2 or qwen3, chosen by the file.
//! In: token ids and their place. Out: the scores of the next token. Knows nothing of text.

use anyhow::{Context, bail, ensure};
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};

use super::super::weights::Weights;

const SUPPORTED: &str = "llama, qwen2, qwen3";
/// candle's llama keeps rotary tables for so many positions, its qwen3 a cache of so many.
const STOCK_POSITIONS: usize = 4096;
const MAX_POSITIONS: usize = 1 << 17;
const CHUNK: usize = 256;
const SMALL_CHUNK: usize = 16;
const FORCED_CHUNK: usize = 8;

/// A loaded language model with the keys and values of one conversation.
pub struct Decoder {
    model: Model,
    device: Device,
    context: usize,
    position: usize,
}

enum Model {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
    Qwen3(quantized_qwen3::ModelWeights),
}

impl Decoder {
    /// Refuses a model that candle has no code for here.
    pub fn check_architecture(architecture: &str) -> anyhow::Result<()> {
        if SUPPORTED.split(", ").any(|s| s == architecture) {
            return Ok(());
        }
        bail!("its architecture is `{architecture}`; supported are {SUPPORTED}")
    }

    /// Reads the model onto a device.
    pub fn load(weights: Weights, device: &Device) -> anyhow::Result<Decoder> {
        let architecture = weights.text("general.architecture")?.to_owned();
        Self::check_architecture(&architecture)?;
        let context = check_sizes(&weights, &architecture)?;
        let Weights { content, mut reader } = weights;
        let model = match architecture.as_str() {
            "llama" => Model::Llama(quantized_llama::ModelWeights::from_gguf(content, &mut reader, device)?),
            "qwen2" => Model::Qwen2(quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, device)?),
            _ => Model::Qwen3(quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, device)?),
        };
        let context = match model {
            Model::Qwen2(_) => context,
            _ => context.min(STOCK_POSITIONS),
        };
        Ok(Decoder { model, device: device.clone(), context, position: 0 })
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
        }
    }

    /// Reads more tokens and gives the scores of what may follow; `go_on` is asked between steps.
    pub fn read(&mut self, tokens: &[u32], go_on: &dyn Fn() -> bool) -> anyhow::Result<Option<Vec<f32>>> {
        ensure!(!tokens.is_empty(), "nothing to read");
        ensure!(self.position + tokens.len() <= self.context, "the context of {} is full", self.context);
        let mut scores = None;
        let mut rest = tokens;
        while !rest.is_empty() {
            if !go_on() {
                return Ok(None);
            }
            let (step, others) = rest.split_at(self.step(rest.len()));
            scores = Some(self.forward(step)?);
            rest = others;
        }
        let scores = scores.context("nothing to read")?;
        Ok(Some(scores.flatten_all()?.to_vec1()?))
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
        };
        self.position += tokens.len();
        Ok(scores)
    }
}

/// Sizes that candle would divide by or allocate after, before it does.
fn check_sizes(weights: &Weights, architecture: &str) -> anyhow::Result<usize> {
    let number = |key: &str| weights.number(&format!("{architecture}.{key}"));
    let (heads, kv_heads) = (number("attention.head_count")?, number("attention.head_count_kv")?);
    let (width, layers, context) = (number("embedding_length")?, number("block_count")?, number("context_length")?);
    ensure!(heads > 0 && kv_heads > 0 && heads % kv_heads == 0, "{heads} heads on {kv_heads}");
    ensure!(width.is_multiple_of(heads) && (1..=1 << 16).contains(&width), "a width of {width} in {heads} heads");
    ensure!((1..=1024).contains(&layers), "{layers} layers");
    ensure!((1..=1 << 24).contains(&context), "a context of {context}");
    for key in ["attention.key_length", "rope.dimension_count"] {
        if let Ok(size) = number(key) {
            ensure!((1..=4096).contains(&size) && size % 2 == 0, "`{architecture}.{key}` is {size}");
        }
    }
    let words = weights.content.tensor_infos.get("token_embd.weight").map(|t| t.shape.dims().to_vec());
    ensure!(words.as_deref().is_some_and(|d| d.len() == 2 && d[1] == width), "token_embd.weight has shape {words:?}");
    ensure!(context <= MAX_POSITIONS, "a context of {context} tokens; up to {MAX_POSITIONS} are supported");
    Ok(context)
}
