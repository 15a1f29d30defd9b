//! The layers of a llama, qwen2 or qwen3 model: token ids in, the last hidden numbers out.
//! Keys and values go to the caller's `Memory`, where they are read in place; nothing is copied or repeated.

use anyhow::ensure;

use super::super::threads;
use super::super::weights::Weights;
use super::kernels::{self, Attend};
use super::matrix::{Matrix, Rows, Stripes};
use super::packed::PANEL;
use super::shape::Shape;

/// Query rows that one piece of attention work takes.
const ROWS: usize = 8;

/// Reads a matrix of a name and a size out of a file.
pub type Load = fn(&mut Weights, &str, (usize, usize)) -> anyhow::Result<Matrix>;

/// The keys and values of one sequence: `[layer][kv head][position][number]`.
pub struct Memory {
    layers: Vec<[Vec<f32>; 2]>,
    positions: usize,
}

impl Memory {
    /// Room for so many positions; the system gives pages as they are first written.
    pub fn new(shape: &Shape, positions: usize) -> Memory {
        // Attention reads positions in fours.
        let size = shape.kv_heads * positions.next_multiple_of(4) * shape.head;
        let layers = (0..shape.layers).map(|_| [vec![0.0; size], vec![0.0; size]]).collect();
        Memory { layers, positions }
    }
}

/// All layers of a model.
pub struct Layers {
    /// The model's sizes.
    pub shape: Shape,
    words: Matrix,
    output: Matrix,
    norm: Vec<f32>,
    layers: Vec<Layer>,
    speeds: Vec<f32>,
}

struct Layer {
    norm: Vec<f32>,
    ask: [Matrix; 3],
    biases: Vec<Vec<f32>>,
    head_norms: Option<[Vec<f32>; 2]>,
    out: Matrix,
    inner_norm: Vec<f32>,
    widen: [Matrix; 2],
    narrow: Matrix,
}

/// Which part of a step a layer does.
struct Part {
    /// The position of the first token.
    first: usize,
    /// Whether the products of the layer before are to be added first.
    added: bool,
    /// Whether it is the last layer.
    last: bool,
}

/// What a step works in, kept from step to step.
#[derive(Default)]
pub struct Scratch {
    hidden: Vec<f32>,
    rows: Rows,
    products: Stripes,
    asked: Vec<f32>,
    attended: Vec<f32>,
    turns: Vec<(f32, f32)>,
}

impl Layers {
    /// Reads all tensors.
    pub fn load(weights: &mut Weights, load: Load) -> anyhow::Result<Layers> {
        let shape = Shape::read(weights)?;
        let words = load(weights, "token_embd.weight", (shape.words, shape.width))?;
        let output = match weights.has("output.weight") {
            true => load(weights, "output.weight", (shape.words, shape.width))?,
            false => words.clone(),
        };
        let norm = weights.floats("output_norm.weight", &[shape.width])?;
        let layers =
            (0..shape.layers).map(|n| Layer::load(weights, &shape, (n, load))).collect::<anyhow::Result<_>>()?;
        let speeds = speeds(weights, &shape)?;
        Ok(Layers { shape, words, output, norm, layers, speeds })
    }

    /// Reads tokens that follow `first` others and gives the normed numbers of the last.
    pub fn read(
        &self,
        (tokens, first): (&[u32], usize),
        memory: &mut Memory,
        scratch: &mut Scratch,
    ) -> anyhow::Result<Vec<f32>> {
        ensure!(first + tokens.len() <= memory.positions, "the context of {} is full", memory.positions);
        scratch.hidden = self.words.take(tokens)?;
        let turn = |p: usize| self.speeds.iter().map(move |s| (p as f32 * s).sin_cos());
        scratch.turns.clear();
        scratch.turns.extend((first..first + tokens.len()).flat_map(turn));
        for (n, (layer, memory)) in self.layers.iter().zip(&mut memory.layers).enumerate() {
            let part = Part { first, added: n > 0, last: n + 1 == self.layers.len() };
            layer.attention(&self.shape, &part, memory, scratch)?;
            layer.feed_forward(&self.shape, scratch)?;
        }
        let mut last = std::mem::take(&mut scratch.hidden);
        scratch.products.add(0, &mut last);
        kernels::rms_norm(&mut last, &self.norm, self.shape.epsilon);
        Ok(last)
    }

    /// The scores of all tokens, or of the `wanted` ones in their order.
    pub fn scores(&self, last: &[f32], wanted: Option<&[u32]>) -> anyhow::Result<Vec<f32>> {
        match wanted {
            Some(ids) => self.output.apply_some(ids, last),
            None => self.output.apply(last),
        }
    }

    /// Bytes of the matrices that one token goes through.
    pub fn bytes(&self) -> usize {
        self.output.bytes() + self.layers.iter().flat_map(Layer::matrices).map(Matrix::bytes).sum::<usize>()
    }
}

impl Layer {
    fn load(weights: &mut Weights, shape: &Shape, (n, load): (usize, Load)) -> anyhow::Result<Layer> {
        let name = |part: &str| format!("blk.{n}.{part}");
        let (width, own, shared) = (shape.width, shape.heads * shape.head, shape.kv_heads * shape.head);
        let parts = [("attn_q", own), ("attn_k", shared), ("attn_v", shared)];
        let mut matrix = |part: &str, size| load(weights, &name(part), size);
        let ask = [
            matrix("attn_q.weight", (own, width))?,
            matrix("attn_k.weight", (shared, width))?,
            matrix("attn_v.weight", (shared, width))?,
        ];
        let out = matrix("attn_output.weight", (width, own))?;
        let widen = [matrix("ffn_gate.weight", (shape.inner, width))?, matrix("ffn_up.weight", (shape.inner, width))?];
        let narrow = matrix("ffn_down.weight", (width, shape.inner))?;
        let mut biases = Vec::new();
        if weights.has(&name("attn_q.bias")) {
            for (part, size) in parts {
                biases.push(weights.floats(&name(&format!("{part}.bias")), &[size])?);
            }
        }
        let head_norms = match weights.has(&name("attn_q_norm.weight")) {
            true => Some([
                weights.floats(&name("attn_q_norm.weight"), &[shape.head])?,
                weights.floats(&name("attn_k_norm.weight"), &[shape.head])?,
            ]),
            false => None,
        };
        let norm = weights.floats(&name("attn_norm.weight"), &[width])?;
        let inner_norm = weights.floats(&name("ffn_norm.weight"), &[width])?;
        Ok(Layer { norm, ask, biases, head_norms, out, inner_norm, widen, narrow })
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.ask.iter().chain(&self.widen).chain([&self.out, &self.narrow])
    }

    /// From the hidden numbers to the products that are still to be added to them.
    fn attention(
        &self,
        shape: &Shape,
        &Part { mut first, added, last }: &Part,
        memory: &mut [Vec<f32>; 2],
        scratch: &mut Scratch,
    ) -> anyhow::Result<()> {
        norm(shape, &self.norm, added, scratch);
        let Scratch { hidden, rows, products, asked, attended, turns } = scratch;
        let [q, k, v] = &self.ask;
        Matrix::multiply(&[q, k, v], rows, products)?;
        let (own, shared) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let (width, pairs) = (own + 2 * shared, shape.turning / 2);
        let mut count = turns.len() / pairs;
        asked.resize(count * width, 0.0);
        let each = asked.chunks_exact_mut(width).zip(turns.chunks_exact(pairs)).enumerate();
        threads::share(each, |(row, (to, turns))| {
            products.copy(row, 0, to);
            self.turn(shape, to, turns);
        });
        for (n, row) in asked.chunks_exact(width).enumerate() {
            let (keys, values) = row[own..].split_at(shared);
            store(shape, keys, first + n, &mut memory[0]);
            store(shape, values, first + n, &mut memory[1]);
        }
        if last {
            // Nobody asks for the scores after the others: from here on only the last row goes on.
            asked.drain(..(count - 1) * width);
            hidden.drain(..(count - 1) * shape.width);
            (first, count) = (first + count - 1, 1);
        }
        attended.resize(count * own, 0.0);
        attend(shape, asked, (first, &*memory), attended);
        let group = own / shape.kv_heads;
        rows.fill((count, own), std::iter::repeat(()), |row, (), to| {
            for (kv, to) in to.chunks_exact_mut(group).enumerate() {
                to.copy_from_slice(&attended[(kv * count + row) * group..][..group]);
            }
        });
        Matrix::multiply(&[&self.out], rows, products)
    }

    /// Biases, norms, rotation and scaling of one row of queries, keys and values.
    fn turn(&self, shape: &Shape, row: &mut [f32], turns: &[(f32, f32)]) {
        let (own, shared) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let (queries, rest) = row.split_at_mut(own);
        let (keys, values) = rest.split_at_mut(shared);
        for (part, bias) in [&mut *queries, keys, values].into_iter().zip(&self.biases) {
            add(part, bias);
        }
        if let Some([first, second]) = &self.head_norms {
            kernels::rms_norm(queries, first, shape.epsilon);
            kernels::rms_norm(keys, second, shape.epsilon);
        }
        turn(shape, queries, turns);
        turn(shape, keys, turns);
        let scale = 1.0 / (shape.head as f32).sqrt();
        queries.iter_mut().for_each(|q| *q *= scale);
    }

    fn feed_forward(&self, shape: &Shape, scratch: &mut Scratch) -> anyhow::Result<()> {
        norm(shape, &self.inner_norm, true, scratch);
        let Scratch { rows, products, hidden, .. } = scratch;
        let [gate, up] = &self.widen;
        Matrix::multiply(&[gate, up], rows, products)?;
        let count = hidden.len() / shape.width;
        rows.fill((count, shape.inner), std::iter::repeat(()), |row, (), gate| {
            let mut up = vec![0.0; shape.inner];
            products.copy(row, 0, gate);
            products.copy(row, shape.inner / PANEL, &mut up);
            kernels::gated(gate, &up);
        });
        Matrix::multiply(&[&self.narrow], rows, products)
    }
}

/// Adds the last products to the hidden numbers, if they are `added`, and makes normed rows of those.
fn norm(shape: &Shape, norm: &[f32], added: bool, Scratch { hidden, rows, products, .. }: &mut Scratch) {
    let count = hidden.len() / shape.width;
    rows.fill((count, shape.width), hidden.chunks_exact_mut(shape.width), |row, hidden, normed| {
        if added {
            products.add(row, hidden);
        }
        normed.copy_from_slice(hidden);
        kernels::rms_norm(normed, norm, shape.epsilon);
    });
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// How far each pair of a head turns from one position to the next.
fn speeds(weights: &mut Weights, shape: &Shape) -> anyhow::Result<Vec<f32>> {
    let pairs = shape.turning / 2;
    let speed = |i: usize| 1.0 / shape.base.powf(2.0 * i as f32 / shape.turning as f32);
    let mut speeds: Vec<f32> = (0..pairs).map(speed).collect();
    if weights.has("rope_freqs.weight") {
        let factors = weights.floats("rope_freqs.weight", &[pairs])?;
        speeds.iter_mut().zip(&factors).for_each(|(s, f)| *s /= f);
    }
    Ok(speeds)
}

/// Turns each head of a row.
fn turn(shape: &Shape, row: &mut [f32], turns: &[(f32, f32)]) {
    let pairs = turns.len();
    for head in row.chunks_exact_mut(shape.head) {
        for (i, (sin, cos)) in turns.iter().enumerate() {
            let (a, b) = if shape.neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
        }
    }
}

/// Puts the heads of one position to their place in the memory of a layer.
fn store(shape: &Shape, row: &[f32], position: usize, memory: &mut [f32]) {
    let per_head = memory.len() / shape.kv_heads;
    for (row, memory) in row.chunks_exact(shape.head).zip(memory.chunks_exact_mut(per_head)) {
        memory[position * shape.head..][..shape.head].copy_from_slice(row);
    }
}

/// Causal attention of all rows; heads that share keys are worked on together, their results lie
/// `[kv head][row][head of the group]`.
fn attend(shape: &Shape, asked: &[f32], (first, memory): (usize, &[Vec<f32>; 2]), out: &mut [f32]) {
    let (size, group) = (shape.head, shape.heads / shape.kv_heads);
    let width = (shape.heads + 2 * shape.kv_heads) * size;
    let (count, per_head) = (asked.len() / width, memory[0].len() / shape.kv_heads);
    let heads = out.chunks_exact_mut(count * group * size).enumerate();
    let work = heads.flat_map(|(kv, out)| out.chunks_mut(ROWS * group * size).enumerate().map(move |w| (kv, w)));
    threads::share(work, |(kv, (block, out))| {
        let rows = block * ROWS..count.min((block + 1) * ROWS);
        let query = |row: usize, n: usize| {
            let at = row * width + (kv * group + n) * size;
            (&asked[at..at + size], first + row + 1)
        };
        let queries = rows.flat_map(|row| (0..group).map(move |n| query(row, n))).collect();
        let [keys, values] = memory.each_ref().map(|m| &m[kv * per_head..(kv + 1) * per_head]);
        kernels::attend(&Attend { keys, values, size, queries }, out);
    });
}
