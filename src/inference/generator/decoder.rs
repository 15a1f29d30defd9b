//! The language model with the memory of a few prompts: what a new prompt shares with one of them is not read again.
//! In: token ids. Out: the scores of the next token. Knows nothing of text.

use anyhow::ensure;
use candle_core::Device;

use super::super::weights::Weights;
use super::layers::{Layers, Load, Memory, Scratch};
use super::matrix::Matrix;
use super::stock::Stock;

/// Prompts remembered at once: the product asks three kinds of questions.
const REMEMBERED: usize = 3;
/// Tokens read in one pass; whoever waits can be let go between passes.
const CHUNK: usize = 256;

/// A loaded language model.
pub struct Decoder {
    engine: Engine,
    context: usize,
}

enum Engine {
    /// Our own layers on the processor.
    Own(Box<Own>),
    /// candle's model on a GPU, which remembers nothing.
    Stock(Box<Stock>),
}

struct Own {
    layers: Layers,
    sequences: Vec<Sequence>,
    scratch: Scratch,
    current: usize,
    clock: u64,
}

/// Tokens read so far and what is kept of them.
struct Sequence {
    tokens: Vec<u32>,
    memory: Memory,
    used: u64,
}

impl Decoder {
    /// Reads the model onto a device, with room for `positions` tokens or what the model was made for.
    pub fn load(weights: Weights, device: &Device, positions: usize) -> anyhow::Result<Decoder> {
        if !device.is_cpu() {
            return Self::load_stock(weights, device);
        }
        Self::load_own(weights, positions, Matrix::load)
    }

    fn load_own(mut weights: Weights, positions: usize, load: Load) -> anyhow::Result<Decoder> {
        let layers = Layers::load(&mut weights, load)?;
        let context = positions.min(layers.shape.context);
        let sequence = |_| Sequence { tokens: Vec::new(), memory: Memory::new(&layers.shape, context), used: 0 };
        let sequences = (0..REMEMBERED).map(sequence).collect();
        let own = Own { layers, sequences, scratch: Scratch::default(), current: 0, clock: 0 };
        Ok(Decoder { engine: Engine::Own(Box::new(own)), context })
    }

    /// Reads candle's own model of the same file.
    pub fn load_stock(weights: Weights, device: &Device) -> anyhow::Result<Decoder> {
        let stock = Stock::load(weights, device)?;
        let context = stock.context();
        Ok(Decoder { engine: Engine::Stock(Box::new(stock)), context })
    }

    /// The same sums on floats: what the kernels' rounding is measured against.
    #[cfg(test)]
    pub fn load_exact(weights: Weights, positions: usize) -> anyhow::Result<Decoder> {
        Self::load_own(weights, positions, Matrix::exact)
    }

    /// Bytes of weights that writing a token reads, where it is known.
    pub fn bytes(&self) -> Option<usize> {
        match &self.engine {
            Engine::Own(own) => Some(own.layers.bytes()),
            Engine::Stock(_) => None,
        }
    }

    /// The tokens it can hold, prompt and answer together.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        match &mut self.engine {
            Engine::Own(own) => own.sequences.iter_mut().for_each(|s| s.tokens.clear()),
            Engine::Stock(stock) => stock.reset(),
        }
    }

    /// Turns to a prompt; its first tokens, as many as returned, need not be read. At least one must be.
    pub fn begin(&mut self, prompt: &[u32]) -> usize {
        match &mut self.engine {
            Engine::Own(own) => own.begin(prompt),
            Engine::Stock(stock) => {
                stock.reset();
                0
            }
        }
    }

    /// Forgets all but the first tokens of the prompt at hand.
    pub fn keep(&mut self, tokens: usize) {
        match &mut self.engine {
            Engine::Own(own) => own.sequences[own.current].tokens.truncate(tokens),
            Engine::Stock(stock) => stock.reset(),
        }
    }

    /// Reads more tokens and gives the scores of what may follow: of all tokens, or of the `wanted` ones in
    /// their order. `go_on` is asked between passes.
    pub fn read(
        &mut self,
        tokens: &[u32],
        wanted: Option<&[u32]>,
        go_on: &dyn Fn() -> bool,
    ) -> anyhow::Result<Option<Vec<f32>>> {
        ensure!(!tokens.is_empty(), "nothing to read");
        match &mut self.engine {
            Engine::Own(own) => own.read(tokens, wanted, go_on),
            Engine::Stock(stock) => {
                let Some(all) = stock.read(tokens, go_on)? else { return Ok(None) };
                let score = |id: &u32| all.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
                Ok(Some(wanted.map_or_else(|| all.clone(), |ids| ids.iter().map(score).collect())))
            }
        }
    }
}

impl Own {
    fn begin(&mut self, prompt: &[u32]) -> usize {
        self.clock += 1;
        let shared = |s: &Sequence| s.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // A memory that the prompt continues is used as it is; else the one that rested longest is given up,
        // not one that shares only the opening of the chat template.
        let whole = |s: &Sequence| !s.tokens.is_empty() && shared(s) == s.tokens.len().min(prompt.len());
        let order = |s: &Sequence| (whole(s), if whole(s) { s.tokens.len() as u64 } else { u64::MAX - s.used });
        let best = (0..self.sequences.len()).max_by_key(|n| order(&self.sequences[*n]));
        self.current = best.unwrap_or(0);
        let sequence = &mut self.sequences[self.current];
        let kept = shared(sequence).min(prompt.len().saturating_sub(1));
        sequence.tokens.truncate(kept);
        sequence.used = self.clock;
        kept
    }

    fn read(
        &mut self,
        tokens: &[u32],
        wanted: Option<&[u32]>,
        go_on: &dyn Fn() -> bool,
    ) -> anyhow::Result<Option<Vec<f32>>> {
        let sequence = &mut self.sequences[self.current];
        let mut last = Vec::new();
        for step in tokens.chunks(CHUNK) {
            if !go_on() {
                return Ok(None);
            }
            last = self.layers.read((step, sequence.tokens.len()), &mut sequence.memory, &mut self.scratch)?;
            sequence.tokens.extend(step);
        }
        Ok(Some(self.layers.scores(&last, wanted)?))
    }
}
