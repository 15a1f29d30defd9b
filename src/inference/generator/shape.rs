//! The sizes of a language model, read from its file and checked before anything is allocated after them.

use anyhow::{bail, ensure};
use candle_core::quantized::gguf_file::Value;

use super::super::weights::Weights;

const SUPPORTED: &str = "llama, qwen2, qwen3, gemma3, phi3";
/// Of so many layers of a gemma3 one sees everything, where the file does not say.
const GEMMA_EVERY: usize = 6;
/// Layers of the one gemma3 whose queries are scaled by its width: the 27B.
const GEMMA_LARGEST: usize = 62;
const MAX_POSITIONS: usize = 1 << 17;

/// The sizes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Numbers that stand for a token.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked.
    pub kv_heads: usize,
    /// Numbers in a head.
    pub head: usize,
    /// Numbers between the two halves of a feed-forward.
    pub inner: usize,
    /// Tokens it was made for.
    pub context: usize,
    /// Numbers of a head that turn with the position.
    pub turning: usize,
    /// The base of the turning.
    pub base: f32,
    /// What distances are divided by before they turn a head; 1 but for models that were stretched.
    pub stretch: f32,
    /// How long the turned numbers become; 1 but for models that were stretched.
    pub lengthened: f32,
    /// Whether neighbours turn together, or the two halves of a head.
    pub neighbours: bool,
    /// What the numbers of a token are multiplied with before the first layer.
    pub loudness: f32,
    /// What queries are multiplied with.
    pub query: f32,
    /// The gate of a feed-forward.
    pub gate: Gate,
    /// Layers that see the last tokens only.
    pub window: Option<Window>,
    /// Added under the root of a norm.
    pub epsilon: f32,
    /// Tokens it knows.
    pub words: usize,
}

/// The curve of a feed-forward's gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// `x / (1 + e^-x)`.
    Silu,
    /// The Gaussian's, by its approximation with a hyperbolic tangent.
    Gelu,
}

/// Of every few layers all but the last see only so far back.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Tokens that are seen, the own one among them.
    pub tokens: usize,
    /// The base of the turning in those layers.
    pub base: f32,
    every: usize,
}

impl Window {
    /// Whether a layer is one of them.
    pub fn narrows(&self, layer: usize) -> bool {
        layer % self.every + 1 < self.every
    }

    fn read(weights: &Weights) -> Option<Window> {
        let tokens = weights.number("gemma3.attention.sliding_window").ok().filter(|tokens| *tokens > 0)?;
        let base = decimal(weights, "gemma3.rope.freq_base_swa").unwrap_or(10_000.0);
        let every = weights.number("gemma3.attention.sliding_window_pattern").unwrap_or(GEMMA_EVERY).max(1);
        Some(Window { tokens, base, every })
    }
}

/// Refuses an architecture that there is no code for.
pub fn check_architecture(architecture: &str) -> anyhow::Result<()> {
    if SUPPORTED.split(", ").any(|s| s == architecture) {
        return Ok(());
    }
    bail!("its architecture is `{architecture}`; supported are {SUPPORTED}")
}

impl Shape {
    /// Reads and checks the sizes.
    pub fn read(weights: &Weights) -> anyhow::Result<Shape> {
        let architecture = weights.text("general.architecture")?.to_owned();
        check_architecture(&architecture)?;
        let number = |key: &str| weights.number(&format!("{architecture}.{key}"));
        let width = number("embedding_length")?;
        let heads = number("attention.head_count")?;
        ensure!((1..=1 << 16).contains(&width) && heads > 0, "a width of {width} in {heads} heads");
        let head = number("attention.key_length").unwrap_or(width / heads);
        let token_table = weights.content.tensor_infos.get("token_embd.weight").map(|t| t.shape.dims().to_vec());
        let Some(&[words, _]) = token_table.as_deref() else { bail!("token_embd.weight has shape {token_table:?}") };
        let float = |key: &str| decimal(weights, &format!("{architecture}.{key}"));
        let (layers, gemma) = (number("block_count")?, architecture == "gemma3");
        let linear = weights.text(&format!("{architecture}.rope.scaling.type")).is_ok_and(|kind| kind == "linear");
        let scaled_by = if gemma && layers == GEMMA_LARGEST { width / heads } else { head };
        let shape = Shape {
            width,
            layers,
            heads,
            kv_heads: number("attention.head_count_kv").unwrap_or(heads),
            head,
            inner: number("feed_forward_length")?,
            context: number("context_length")?,
            turning: number("rope.dimension_count").unwrap_or(head),
            base: float("rope.freq_base").unwrap_or(10_000.0),
            stretch: float("rope.scaling.factor").filter(|_| linear).unwrap_or(1.0),
            lengthened: float("rope.scaling.attn_factor").unwrap_or(1.0),
            neighbours: architecture == "llama",
            loudness: if gemma { (width as f32).sqrt() } else { 1.0 },
            query: 1.0 / (scaled_by.max(1) as f32).sqrt(),
            gate: if gemma { Gate::Gelu } else { Gate::Silu },
            window: Window::read(weights).filter(|_| gemma),
            epsilon: float("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
            words,
        };
        shape.check()?;
        Ok(shape)
    }

    fn check(&self) -> anyhow::Result<()> {
        let Shape { width, layers, heads, kv_heads, head, inner, context, turning, .. } = *self;
        ensure!(kv_heads > 0 && heads.is_multiple_of(kv_heads) && heads <= 1024, "{heads} heads on {kv_heads}");
        ensure!((16..=512).contains(&head) && head.is_multiple_of(16), "heads of {head} numbers, width {width}");
        // The kernels work on blocks of 32 numbers.
        let blocks = [width, inner, heads * head].iter().all(|n| n.is_multiple_of(32));
        ensure!(blocks, "a width of {width}, {inner} inside, {heads} heads of {head}; multiples of 32 are supported");
        ensure!((2..=head).contains(&turning) && turning.is_multiple_of(2), "{turning} of {head} numbers turn");
        ensure!((1..=1024).contains(&layers), "{layers} layers");
        ensure!((1..=1 << 20).contains(&inner), "a feed-forward of {inner}");
        ensure!(
            (1..=MAX_POSITIONS).contains(&context),
            "a context of {context} tokens; up to {MAX_POSITIONS} are supported"
        );
        Ok(())
    }
}

fn decimal(weights: &Weights, key: &str) -> Option<f32> {
    match weights.value(key) {
        Ok(Value::F32(number)) if number.is_finite() && *number > 0.0 => Some(*number),
        _ => None,
    }
}
