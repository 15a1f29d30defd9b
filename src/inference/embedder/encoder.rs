//! The BERT encoder behind the embedder: token ids in, one mean vector per text out.
//! Texts are laid end to end without padding; all work of a pass happens on the thread that asks, in buffers it
//! keeps, so that several threads encode several passes side by side without waiting for each other.

use anyhow::ensure;
use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor};

use super::super::weights::Weights;
use super::attention::{Attention, LANES, Room};
use super::level::Level;
use super::matrix::{BLOCK, Block, Matrix, PANEL, half};
use super::numeric::{AddNorm, Gelu, Norm, Quantise};

const Q4_0_BYTES: usize = 18;

/// The weights and sizes of the encoder.
pub struct Encoder {
    hidden: usize,
    wide: usize,
    heads: usize,
    words: QTensor,
    positions: Vec<f32>,
    first_norm: Norm,
    layers: Vec<Layer>,
    level: Level,
}

pub(super) struct Layer {
    qkv: Matrix,
    output: Matrix,
    attention_norm: Norm,
    up: Matrix,
    down: Matrix,
    output_norm: Norm,
}

/// Is told the number of layers gone through, and what is held of all tokens after them.
pub(super) type Watch<'a> = &'a mut dyn FnMut(usize, &[f32]);

/// The buffers of one thread.
#[derive(Default)]
pub struct Scratch {
    x: Vec<f32>,
    result: Vec<f32>,
    context: Vec<f32>,
    blocks: Vec<Block>,
    wide_blocks: Vec<Block>,
    room: Room,
}

impl Encoder {
    /// Reads the encoder out of a model file.
    pub fn load(weights: &mut Weights) -> anyhow::Result<Encoder> {
        let architecture = weights.text("general.architecture")?;
        ensure!(architecture == "bert", "an embedder of architecture `{architecture}`; only bert is supported");
        let hidden = weights.number("bert.embedding_length")?;
        let wide = weights.number("bert.feed_forward_length")?;
        let heads = weights.number("bert.attention.head_count")?;
        let layers = weights.number("bert.block_count")?;
        let positions = weights.number("bert.context_length")?;
        ensure!(heads > 0 && hidden > 0 && hidden.is_multiple_of(heads * LANES), "{hidden} in {heads} heads");
        ensure!(hidden.is_multiple_of(BLOCK) && wide.is_multiple_of(BLOCK), "{hidden} and {wide}: no whole blocks");
        ensure!((1..=64).contains(&layers) && positions >= 2, "{layers} layers, {positions} positions");
        let epsilon = weights.value("bert.attention.layer_norm_epsilon")?.to_f32()?;
        let words = quantised(weights, "token_embd.weight", None)?;
        ensure!(words.shape().dims2()?.1 == hidden, "token_embd.weight has rows of another length");
        let mut table = weights.floats("position_embd.weight", &[positions, hidden])?;
        let types = weights.tensor("token_types.weight", &Device::Cpu)?.dequantize(&Device::Cpu)?;
        // Every text has token type 0: its row is added once, here.
        let kind: Vec<f32> = types.get(0)?.to_vec1()?;
        for row in table.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&kind).for_each(|(p, k)| *p += k);
        }
        let mut reader = Reader { weights, hidden, wide, epsilon };
        Ok(Encoder {
            hidden,
            wide,
            heads,
            words,
            positions: table,
            first_norm: reader.norm("token_embd_norm")?,
            layers: (0..layers).map(|l| reader.layer(l)).collect::<Result<_, _>>()?,
            level: Level::best(),
        })
    }

    /// The length of the vectors.
    pub fn dimensions(&self) -> usize {
        self.hidden
    }

    /// The longest input.
    pub fn max_tokens(&self) -> usize {
        self.positions.len() / self.hidden
    }

    /// How many layers there are.
    pub(super) fn depth(&self) -> usize {
        self.layers.len()
    }

    /// One unit-length vector per sequence.
    pub fn encode(&self, sequences: &[&[u32]], s: &mut Scratch) -> anyhow::Result<Vec<Vec<f32>>> {
        self.encode_watched(sequences, &mut |_, _| {}, s)
    }

    /// The same; `watch` is told what is held of all tokens, row by row, after so many layers.
    pub(super) fn encode_watched(
        &self,
        sequences: &[&[u32]],
        watch: Watch<'_>,
        s: &mut Scratch,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        self.embed(sequences, s)?;
        self.climb(0..self.layers.len(), sequences, watch, s);
        Ok(self.vectors(sequences, &s.x))
    }

    /// The vector of each sequence, and what each tower of other layers, which stands in place of the last ones, holds of all tokens in the
    /// end. What lies below all of them is computed once.
    pub(super) fn encode_with(
        &self,
        sequences: &[&[u32]],
        towers: &[&[Layer]],
        watch: Watch<'_>,
        s: &mut Scratch,
    ) -> anyhow::Result<(Vec<Vec<f32>>, Vec<Vec<f32>>)> {
        let depth = self.layers.len();
        let tallest = towers.iter().map(|tower| tower.len()).max().unwrap_or(0);
        ensure!(tallest <= depth, "{tallest} layers in place of {depth}");
        self.embed(sequences, s)?;
        self.climb(0..depth - tallest, sequences, watch, s);
        let (x, blocks) = (s.x.clone(), s.blocks.clone());
        self.climb(depth - tallest..depth, sequences, watch, s);
        let own = self.vectors(sequences, &s.x);
        let mut held = Vec::with_capacity(towers.len());
        for tower in towers {
            s.x.copy_from_slice(&x);
            s.blocks.clone_from(&blocks);
            // A lower tower stands on layers of the encoder's own.
            self.climb(depth - tallest..depth - tower.len(), sequences, &mut |_, _| {}, s);
            for layer in *tower {
                self.layer(layer, sequences, s);
            }
            held.push(s.x.clone());
        }
        Ok((own, held))
    }

    /// Goes through some of its own layers.
    fn climb(&self, layers: std::ops::Range<usize>, sequences: &[&[u32]], watch: Watch<'_>, s: &mut Scratch) {
        for at in layers {
            self.layer(&self.layers[at], sequences, s);
            watch(at + 1, &s.x);
        }
    }

    /// The vector of each sequence, by what is held of all tokens.
    pub(super) fn vectors(&self, sequences: &[&[u32]], held: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = held;
        let mut vectors = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let (rows, tail) = rest.split_at(sequence.len() * self.hidden);
            vectors.push(self.pooled(rows));
            rest = tail;
        }
        vectors
    }

    /// Layers of this encoder's shape from another file, numbered like the ones they stand for.
    pub(super) fn layers_of(
        &self,
        weights: &mut Weights,
        numbers: std::ops::Range<usize>,
    ) -> anyhow::Result<Vec<Layer>> {
        let (hidden, wide, epsilon) = (self.hidden, self.wide, self.first_norm.epsilon);
        let mut reader = Reader { weights, hidden, wide, epsilon };
        numbers.map(|number| reader.layer(number)).collect()
    }

    fn embed(&self, sequences: &[&[u32]], s: &mut Scratch) -> anyhow::Result<()> {
        ensure!(
            sequences.iter().all(|s| (1..=self.max_tokens()).contains(&s.len())),
            "a sequence is empty or too long"
        );
        let tokens = sequences.iter().map(|s| s.len()).sum::<usize>();
        s.x.resize(tokens * self.hidden, 0.0);
        s.blocks.resize(tokens * self.hidden / BLOCK, Block::EMPTY);
        s.wide_blocks.resize(tokens * self.wide / BLOCK, Block::EMPTY);
        s.context.resize(tokens * self.hidden, 0.0);
        let words = self.words.data()?;
        let places = sequences.iter().flat_map(|s| s.iter().enumerate());
        for ((place, id), row) in places.zip(s.x.chunks_exact_mut(self.hidden)) {
            let bytes = self.hidden / BLOCK * Q4_0_BYTES;
            let word = words.get(*id as usize * bytes..).and_then(|rest| rest.get(..bytes));
            let Some(word) = word else { anyhow::bail!("token {id} is not in the model") };
            widen(word, row);
            let position = &self.positions[place * self.hidden..][..self.hidden];
            row.iter_mut().zip(position).for_each(|(x, p)| *x += p);
            self.first_norm.apply(row);
        }
        self.level.run(Quantise { rows: &s.x, blocks: &mut s.blocks });
        Ok(())
    }

    fn layer(&self, layer: &Layer, sequences: &[&[u32]], s: &mut Scratch) {
        let (level, tokens) = (self.level, s.x.len() / self.hidden);
        s.result.resize(tokens * (3 * self.hidden).max(self.wide), 0.0);
        let qkv = &mut s.result[..tokens * 3 * self.hidden];
        layer.qkv.multiply(level, &s.blocks, qkv);
        let mut at = 0;
        for sequence in sequences {
            let to = at + sequence.len();
            level.run(Attention {
                qkv: &qkv[at * 3 * self.hidden..to * 3 * self.hidden],
                hidden: self.hidden,
                heads: self.heads,
                room: &mut s.room,
                out: &mut s.context[at * self.hidden..to * self.hidden],
            });
            at = to;
        }
        level.run(Quantise { rows: &s.context, blocks: &mut s.blocks });
        layer.output.multiply(level, &s.blocks, &mut s.context);
        let norm = &layer.attention_norm;
        level.run(AddNorm { rows: &mut s.x, added: &s.context, norm, blocks: &mut s.blocks });
        let wide = &mut s.result[..tokens * self.wide];
        layer.up.multiply(level, &s.blocks, wide);
        level.run(Gelu { rows: wide, blocks: &mut s.wide_blocks });
        layer.down.multiply(level, &s.wide_blocks, &mut s.context);
        let norm = &layer.output_norm;
        level.run(AddNorm { rows: &mut s.x, added: &s.context, norm, blocks: &mut s.blocks });
    }

    fn pooled(&self, rows: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0f32; self.hidden];
        for row in rows.chunks_exact(self.hidden) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        let length = mean.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let scale = (1.0 / length.max(1e-12)) as f32;
        mean.iter_mut().for_each(|x| *x *= scale);
        mean
    }
}

/// Q4_0 blocks as floats.
fn widen(q4: &[u8], out: &mut [f32]) {
    for (block, out) in q4.chunks_exact(Q4_0_BYTES).zip(out.chunks_exact_mut(BLOCK)) {
        let scale = half(u16::from_le_bytes([block[0], block[1]]));
        let (low, high) = out.split_at_mut(BLOCK / 2);
        for ((byte, low), high) in block[2..].iter().zip(low).zip(high) {
            *low = (f32::from(byte & 15) - 8.0) * scale;
            *high = (f32::from(byte >> 4) - 8.0) * scale;
        }
    }
}

fn quantised(weights: &mut Weights, name: &str, shape: Option<[usize; 2]>) -> anyhow::Result<QTensor> {
    let weight = weights.tensor(name, &Device::Cpu)?;
    ensure!(
        weight.dtype() == GgmlDType::Q4_0 && shape.is_none_or(|shape| weight.shape().dims() == shape),
        "{name} is {:?} {:?}, not Q4_0 {shape:?}",
        weight.dtype(),
        weight.shape()
    );
    Ok(weight)
}

struct Reader<'a> {
    weights: &'a mut Weights,
    hidden: usize,
    wide: usize,
    epsilon: f32,
}

impl Reader<'_> {
    fn layer(&mut self, at: usize) -> anyhow::Result<Layer> {
        let (hidden, wide) = (self.hidden, self.wide);
        let name = |part: &str| format!("blk.{at}.{part}");
        let qkv = ["attn_q", "attn_k", "attn_v"].map(name);
        Ok(Layer {
            qkv: self.matrix(&qkv, [hidden, hidden])?,
            output: self.matrix(&[name("attn_output")], [hidden, hidden])?,
            attention_norm: self.norm(&name("attn_output_norm"))?,
            up: self.matrix(&[name("ffn_up")], [wide, hidden])?,
            down: self.matrix(&[name("ffn_down")], [hidden, wide])?,
            output_norm: self.norm(&name("layer_output_norm"))?,
        })
    }

    fn norm(&mut self, name: &str) -> anyhow::Result<Norm> {
        let weight = self.weights.floats(&format!("{name}.weight"), &[self.hidden])?;
        let bias = self.weights.floats(&format!("{name}.bias"), &[self.hidden])?;
        Ok(Norm { weight, bias, epsilon: self.epsilon })
    }

    /// Several matrices of one input, laid one under the other.
    fn matrix(&mut self, names: &[String], shape: [usize; 2]) -> anyhow::Result<Matrix> {
        ensure!(shape[0].is_multiple_of(PANEL), "{} has {} outputs", names[0], shape[0]);
        let (mut blocks, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            blocks.extend_from_slice(&quantised(self.weights, &format!("{name}.weight"), Some(shape))?.data()?);
            bias.extend(self.weights.floats(&format!("{name}.bias"), &shape[..1])?);
        }
        Matrix::pack(&blocks, shape[1], bias)
    }
}
