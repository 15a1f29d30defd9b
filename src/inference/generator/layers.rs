//! The layers of a llama, qwen2 or qwen3 model: token ids in, the last hidden numbers out.
//! Keys and values go to the caller's `Memory`, where they are read in place; nothing is copied or repeated.

use std::sync::Mutex;

use anyhow::ensure;
use candle_core::utils::barrier_pool;

use super::super::weights::Weights;
use super::kernels::{self, Attend};
use super::matrix::Matrix;
use super::shape::Shape;

/// Query rows that one piece of attention work takes.
const ROWS: usize = 8;
/// Numbers that one piece of activation work takes.
const PIECE: usize = 4096;

/// The keys and values of one sequence: `[layer][kv head][position][number]`.
pub struct Memory {
    layers: Vec<[Vec<f32>; 2]>,
    positions: usize,
}

impl Memory {
    /// Room for so many positions; the system gives pages as they are first written.
    pub fn new(shape: &Shape, positions: usize) -> Memory {
        let size = shape.kv_heads * positions * shape.head;
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

/// Where the tokens of a step stand: the first one's position, and the turn of each.
struct Place {
    first: usize,
    turns: Vec<(f32, f32)>,
}

impl Layers {
    /// Reads all tensors.
    pub fn load(weights: &mut Weights) -> anyhow::Result<Layers> {
        let shape = Shape::read(weights)?;
        let words = Matrix::load(weights, "token_embd.weight", (shape.words, shape.width))?;
        let output = match weights.has("output.weight") {
            true => Matrix::load(weights, "output.weight", (shape.words, shape.width))?,
            false => words.clone(),
        };
        let norm = weights.floats("output_norm.weight", &[shape.width])?;
        let layers = (0..shape.layers).map(|n| Layer::load(weights, &shape, n)).collect::<anyhow::Result<_>>()?;
        let speeds = speeds(weights, &shape)?;
        Ok(Layers { shape, words, output, norm, layers, speeds })
    }

    /// From now on without the kernels' rounding of activations.
    #[cfg(test)]
    pub fn make_exact(&mut self) {
        self.output.make_exact();
        for layer in &mut self.layers {
            layer.ask.iter_mut().chain(&mut layer.widen).for_each(Matrix::make_exact);
            layer.out.make_exact();
            layer.narrow.make_exact();
        }
    }

    /// Reads tokens that follow `first` others and gives the normed numbers of the last.
    pub fn read(&self, tokens: &[u32], first: usize, memory: &mut Memory) -> anyhow::Result<Vec<f32>> {
        ensure!(first + tokens.len() <= memory.positions, "the context of {} is full", memory.positions);
        let mut x = self.words.take(tokens)?;
        let turn = |p: usize| self.speeds.iter().map(move |s| (p as f32 * s).sin_cos());
        let place = Place { first, turns: (first..first + tokens.len()).flat_map(turn).collect() };
        for (layer, memory) in self.layers.iter().zip(&mut memory.layers) {
            let asked = layer.attention(&self.shape, &x, &place, memory)?;
            add(&mut x, &asked);
            let widened = layer.feed_forward(&self.shape, &x)?;
            add(&mut x, &widened);
        }
        let mut last = x.split_off(x.len() - self.shape.width);
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
}

impl Layer {
    fn load(weights: &mut Weights, shape: &Shape, n: usize) -> anyhow::Result<Layer> {
        let name = |part: &str| format!("blk.{n}.{part}");
        let (width, own, shared) = (shape.width, shape.heads * shape.head, shape.kv_heads * shape.head);
        let parts = [("attn_q", own), ("attn_k", shared), ("attn_v", shared)];
        let mut matrix = |part: &str, size| Matrix::load(weights, &name(part), size);
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

    fn attention(
        &self,
        shape: &Shape,
        x: &[f32],
        place: &Place,
        [keys, values]: &mut [Vec<f32>; 2],
    ) -> anyhow::Result<Vec<f32>> {
        let mut normed = x.to_vec();
        kernels::rms_norm(&mut normed, &self.norm, shape.epsilon);
        let [q, k, v] = &self.ask;
        let mut asked = Matrix::apply_all(&[q, k, v], &normed)?;
        for (part, bias) in asked.iter_mut().zip(&self.biases) {
            part.chunks_exact_mut(bias.len()).for_each(|row| add(row, bias));
        }
        if let Some(norms) = &self.head_norms {
            asked.iter_mut().zip(norms).for_each(|(part, norm)| kernels::rms_norm(part, norm, shape.epsilon));
        }
        for (part, heads) in asked.iter_mut().zip([shape.heads, shape.kv_heads]) {
            turn(shape, part, heads, &place.turns);
        }
        let scale = 1.0 / (shape.head as f32).sqrt();
        asked[0].iter_mut().for_each(|q| *q *= scale);
        store(shape, &asked[1], place.first, keys);
        store(shape, &asked[2], place.first, values);
        self.out.apply(&attend(shape, &asked[0], place.first, (keys, values)))
    }

    fn feed_forward(&self, shape: &Shape, x: &[f32]) -> anyhow::Result<Vec<f32>> {
        let mut normed = x.to_vec();
        kernels::rms_norm(&mut normed, &self.inner_norm, shape.epsilon);
        let [gate, up] = &self.widen;
        let mut both = Matrix::apply_all(&[gate, up], &normed)?;
        let (gate, up) = both.split_at_mut(1);
        let rows: Vec<_> = gate[0].chunks_mut(PIECE).zip(up[0].chunks(PIECE)).map(Mutex::new).collect();
        barrier_pool().execute_chunked(rows.len(), |range| {
            for row in &rows[range] {
                // Nobody else takes this row; a poisoned lock still holds it.
                let mut row = row.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (gate, up) = &mut *row;
                kernels::gated(gate, up);
            }
        });
        drop(rows);
        self.narrow.apply(&both[0])
    }
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

/// Turns each head by its row's position.
fn turn(shape: &Shape, part: &mut [f32], heads: usize, turns: &[(f32, f32)]) {
    let pairs = shape.turning / 2;
    for (row, turns) in part.chunks_exact_mut(heads * shape.head).zip(turns.chunks_exact(pairs)) {
        for head in row.chunks_exact_mut(shape.head) {
            for (i, (sin, cos)) in turns.iter().enumerate() {
                let (a, b) = if shape.neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
                (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
            }
        }
    }
}

/// Puts the heads of each row to their place in the memory of a layer.
fn store(shape: &Shape, part: &[f32], first: usize, memory: &mut [f32]) {
    let per_head = memory.len() / shape.kv_heads;
    for (n, row) in part.chunks_exact(shape.kv_heads * shape.head).enumerate() {
        for (row, memory) in row.chunks_exact(shape.head).zip(memory.chunks_exact_mut(per_head)) {
            let at = (first + n) * shape.head;
            memory[at..at + shape.head].copy_from_slice(row);
        }
    }
}

/// Causal attention of all rows; heads that share keys are worked on together.
fn attend(shape: &Shape, queries: &[f32], first: usize, (keys, values): (&[f32], &[f32])) -> Vec<f32> {
    let (size, group) = (shape.head, shape.heads / shape.kv_heads);
    let (count, per_head) = (queries.len() / (shape.heads * size), keys.len() / shape.kv_heads);
    let blocks = count.div_ceil(ROWS);
    let work: Vec<Mutex<Vec<f32>>> = (0..shape.kv_heads * blocks).map(|_| Mutex::default()).collect();
    let rows = |block: usize| block * ROWS..count.min((block + 1) * ROWS);
    barrier_pool().execute_chunked(work.len(), |range| {
        for item in range {
            let (kv, block) = (item / blocks, item % blocks);
            let query = |row: usize, n: usize| {
                let at = (row * shape.heads + kv * group + n) * size;
                (&queries[at..at + size], first + row + 1)
            };
            let queries = rows(block).flat_map(|row| (0..group).map(move |n| query(row, n))).collect();
            let memory = kv * per_head..(kv + 1) * per_head;
            let task = Attend { keys: &keys[memory.clone()], values: &values[memory], size, queries };
            let mut out = vec![0.0; task.queries.len() * size];
            kernels::attend(&task, &mut out);
            *work[item].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = out;
        }
    });
    let mut all = vec![0.0; queries.len()];
    for (item, done) in work.into_iter().enumerate() {
        let (kv, block) = (item / blocks, item % blocks);
        let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (row, done) in rows(block).zip(done.chunks_exact(group * size)) {
            let at = (row * shape.heads + kv * group) * size;
            all[at..at + group * size].copy_from_slice(done);
        }
    }
    all
}
