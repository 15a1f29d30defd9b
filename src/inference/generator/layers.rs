//! The layers of a llama, qwen2, qwen3, gemma3 or phi3 model: token ids of several sequences in, hidden numbers out.
//! Each matrix is read once for all of them. Keys and values go to the caller's `Arena` and are read there in place.
//! What is computed for a token does not depend on which others are in the step.

use anyhow::{Context, ensure};

use super::super::threads;
use super::super::weights::Weights;
use super::attention::{self, Attend};
use super::kernels;
use super::matrix::{Matrix, Rows, Stripes};
use super::memory::{Arena, PAGE, Place};
use super::packed::PANEL;
use super::rotation::{speeds, turn};
use super::shape::{Gate, Shape};

/// Query rows that one piece of attention work takes.
const ROWS: usize = 8;

/// Reads a matrix of a name and a size out of a file.
pub type Load = fn(&mut Weights, &str, (usize, usize)) -> anyhow::Result<Matrix>;

/// Tokens of one sequence in a step.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// The pages of the sequence.
    pub pages: &'a [u32],
    /// The position of the first of the tokens.
    pub first: usize,
    /// How many they are.
    pub count: usize,
    /// After how many of them, the last ones, it is asked what may follow.
    pub wanted: usize,
}

/// All layers of a model.
pub struct Layers {
    /// The model's sizes.
    pub shape: Shape,
    words: Matrix,
    output: Matrix,
    norm: Vec<f32>,
    layers: Vec<Layer>,
    /// Of layers that see everything, and of those with a window.
    speeds: [Vec<f32>; 2],
}

struct Layer {
    norm: Vec<f32>,
    /// Queries, keys and values, apart or in one matrix.
    ask: Vec<Matrix>,
    biases: Vec<Vec<f32>>,
    head_norms: Option<[Vec<f32>; 2]>,
    out: Matrix,
    inner_norm: Vec<f32>,
    /// The gate and what it lets through, apart or in one matrix.
    widen: Vec<Matrix>,
    narrow: Matrix,
    /// Where the products of attention and of the feed-forward are normed before they are added: by what.
    after: Option<[Vec<f32>; 2]>,
}

/// Which part of a step a layer does.
struct Part<'a> {
    /// The layer's number.
    number: usize,
    /// The layer before: its products are still to be added.
    before: Option<&'a Layer>,
    /// Whose tokens the rows are.
    spans: &'a [Span<'a>],
    /// In the last layer: the rows that go on when keys and values are stored.
    wanted: Option<&'a [usize]>,
}

/// What a step works in, kept from step to step.
#[derive(Default)]
pub struct Scratch {
    hidden: Vec<f32>,
    rows: Rows,
    products: Stripes,
    asked: Vec<f32>,
    attended: Vec<f32>,
    /// Sines and cosines of the positions, as `Layers::speeds`.
    turns: [Vec<(f32, f32)>; 2],
}

impl Layers {
    /// Reads all tensors, for sequences of up to `context` tokens.
    pub fn load(weights: &mut Weights, load: Load, context: usize) -> anyhow::Result<Layers> {
        let shape = Shape::read(weights)?;
        let words = load(weights, "token_embd.weight", (shape.words, shape.width))?;
        let output = match weights.has("output.weight") {
            true => load(weights, "output.weight", (shape.words, shape.width))?,
            false => words.clone(),
        };
        let norm = weights.floats("output_norm.weight", &[shape.width])?;
        let layers =
            (0..shape.layers).map(|n| Layer::load(weights, &shape, (n, load))).collect::<anyhow::Result<_>>()?;
        let speeds = speeds(weights, &shape, context)?;
        Ok(Layers { shape, words, output, norm, layers, speeds })
    }

    /// Reads the tokens of all spans, one span after the other, and gives the normed numbers of those that are wanted.
    pub fn read(
        &self,
        (tokens, spans): (&[u32], &[Span<'_>]),
        arena: &mut Arena,
        scratch: &mut Scratch,
    ) -> anyhow::Result<Vec<f32>> {
        ensure!(spans.iter().map(|s| s.count).sum::<usize>() == tokens.len(), "tokens that belong to nobody");
        let fits = |s: &Span<'_>| s.first + s.count <= s.pages.len() * PAGE && s.wanted <= s.count;
        ensure!(spans.iter().all(fits), "the context is full");
        scratch.hidden = self.words.take(tokens)?;
        if self.shape.loudness != 1.0 {
            scratch.hidden.iter_mut().for_each(|x| *x *= self.shape.loudness);
        }
        self.turns(spans, &mut scratch.turns);
        let wanted = wanted(spans);
        for (number, layer) in self.layers.iter().enumerate() {
            let last = number + 1 == self.layers.len();
            let before = number.checked_sub(1).map(|before| &self.layers[before]);
            let part = Part { number, before, spans, wanted: last.then_some(&wanted[..]) };
            layer.attention(&self.shape, &part, arena, scratch)?;
            if last && wanted.is_empty() {
                return Ok(Vec::new());
            }
            layer.feed_forward(&self.shape, scratch)?;
        }
        let mut last = std::mem::take(&mut scratch.hidden);
        let after = self.layers.last().and_then(|layer| layer.after.as_ref()).map(|[_, after]| &after[..]);
        for (row, last) in last.chunks_exact_mut(self.shape.width).enumerate() {
            settle(&self.shape, &scratch.products, (row, after), last);
            kernels::rms_norm(last, &self.norm, self.shape.epsilon);
        }
        Ok(last)
    }

    /// How far each pair of a head is turned at each position.
    fn turns(&self, spans: &[Span<'_>], turns: &mut [Vec<(f32, f32)>; 2]) {
        let long = self.shape.lengthened;
        for (turns, speeds) in turns.iter_mut().zip(&self.speeds) {
            let turn = |p: usize| {
                speeds.iter().map(move |s| {
                    let (sin, cos) = (p as f32 * s).sin_cos();
                    (sin * long, cos * long)
                })
            };
            turns.clear();
            turns.extend(spans.iter().flat_map(|s| s.first..s.first + s.count).flat_map(turn));
        }
    }

    /// The scores of all tokens after each row, or of those that are named, in their order.
    pub fn scores(&self, rows: &[f32], named: &[Option<&[u32]>]) -> anyhow::Result<Vec<Vec<f32>>> {
        let width = self.shape.width;
        let whole: Vec<&[f32]> =
            rows.chunks_exact(width).zip(named).filter(|(_, n)| n.is_none()).map(|(row, _)| row).collect();
        let mut whole = self.output.apply(&whole)?.into_iter();
        let each = rows.chunks_exact(width).zip(named).map(|(row, named)| match named {
            Some(ids) => self.output.apply_some(ids, row),
            None => whole.next().context("a row too few"),
        });
        each.collect()
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
        let ask = match weights.has(&name("attn_qkv.weight")) {
            true => vec![load(weights, &name("attn_qkv.weight"), (own + 2 * shared, width))?],
            false => {
                let part = |(part, size): (&str, usize)| load(weights, &name(&format!("{part}.weight")), (size, width));
                parts.into_iter().map(part).collect::<anyhow::Result<_>>()?
            }
        };
        let widen = match weights.has(&name("ffn_gate.weight")) {
            true => ["ffn_gate.weight", "ffn_up.weight"]
                .into_iter()
                .map(|part| load(weights, &name(part), (shape.inner, width)))
                .collect::<anyhow::Result<_>>()?,
            false => vec![load(weights, &name("ffn_up.weight"), (2 * shape.inner, width))?],
        };
        let mut matrix = |part: &str, size| load(weights, &name(part), size);
        let out = matrix("attn_output.weight", (width, own))?;
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
        let after = match weights.has(&name("post_attention_norm.weight")) {
            true => Some([
                weights.floats(&name("post_attention_norm.weight"), &[width])?,
                weights.floats(&name("post_ffw_norm.weight"), &[width])?,
            ]),
            false => None,
        };
        Ok(Layer { norm, ask, biases, head_norms, out, inner_norm, widen, narrow, after })
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.ask.iter().chain(&self.widen).chain([&self.out, &self.narrow])
    }

    /// From the hidden numbers to the products that are still to be added to them.
    fn attention(
        &self,
        shape: &Shape,
        &Part { number, before, spans, wanted }: &Part<'_>,
        arena: &mut Arena,
        scratch: &mut Scratch,
    ) -> anyhow::Result<()> {
        let after = before.map(|before| before.after.as_ref().map(|[_, after]| &after[..]));
        norm(shape, &self.norm, after, scratch);
        let Scratch { hidden, rows, products, asked, attended, turns } = scratch;
        let window = shape.window.filter(|window| window.narrows(number));
        let turns = &turns[usize::from(window.is_some())];
        Matrix::multiply(&self.ask, rows, products)?;
        let (own, shared) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let (width, pairs) = (own + 2 * shared, shape.turning / 2);
        let mut count = turns.len() / pairs;
        asked.resize(count * width, 0.0);
        let each = asked.chunks_exact_mut(width).zip(turns.chunks_exact(pairs)).enumerate();
        threads::share(each, |(row, (to, turns))| {
            products.copy(row, 0, to);
            self.turn(shape, to, turns);
        });
        store(shape, asked, (number, spans), arena);
        let mut spans = spans.to_vec();
        if let Some(wanted) = wanted {
            // Nobody asks for the scores after the others.
            keep(wanted, width, asked);
            keep(wanted, shape.width, hidden);
            count = wanted.len();
            for span in &mut spans {
                (span.first, span.count) = (span.first + span.count - span.wanted, span.wanted);
            }
        }
        if count == 0 {
            return Ok(());
        }
        attended.resize(count * own, 0.0);
        let back = window.map_or(usize::MAX, |window| window.tokens);
        attend(shape, asked, (number, &spans, arena), (attended, back));
        let group = own / shape.kv_heads;
        rows.fill((count, own), std::iter::repeat(()), |row, (), to| {
            for (kv, to) in to.chunks_exact_mut(group).enumerate() {
                to.copy_from_slice(&attended[(kv * count + row) * group..][..group]);
            }
        });
        Matrix::multiply(std::slice::from_ref(&self.out), rows, products)
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
        queries.iter_mut().for_each(|q| *q *= shape.query);
    }

    fn feed_forward(&self, shape: &Shape, scratch: &mut Scratch) -> anyhow::Result<()> {
        norm(shape, &self.inner_norm, Some(self.after.as_ref().map(|[after, _]| &after[..])), scratch);
        let Scratch { rows, products, hidden, .. } = scratch;
        Matrix::multiply(&self.widen, rows, products)?;
        let count = hidden.len() / shape.width;
        rows.fill((count, shape.inner), std::iter::repeat(()), |row, (), gate| {
            let mut up = vec![0.0; shape.inner];
            products.copy(row, 0, gate);
            products.copy(row, shape.inner / PANEL, &mut up);
            match shape.gate {
                Gate::Silu => kernels::gated(gate, &up),
                Gate::Gelu => kernels::gated_by_gelu(gate, &up),
            }
        });
        Matrix::multiply(std::slice::from_ref(&self.narrow), rows, products)
    }
}

/// Adds the last products to the hidden numbers, where there are any, normed first if that is asked for; makes normed rows
/// of the sums.
fn norm(
    shape: &Shape,
    norm: &[f32],
    added: Option<Option<&[f32]>>,
    Scratch { hidden, rows, products, .. }: &mut Scratch,
) {
    let count = hidden.len() / shape.width;
    rows.fill((count, shape.width), hidden.chunks_exact_mut(shape.width), |row, hidden, normed| {
        if let Some(after) = added {
            settle(shape, products, (row, after), hidden);
        }
        normed.copy_from_slice(hidden);
        kernels::rms_norm(normed, norm, shape.epsilon);
    });
}

/// Adds a row of products to its hidden numbers, normed first by `after`.
fn settle(shape: &Shape, products: &Stripes, (row, after): (usize, Option<&[f32]>), hidden: &mut [f32]) {
    let Some(after) = after else { return products.add(row, hidden) };
    let mut own = vec![0.0; hidden.len()];
    products.copy(row, 0, &mut own);
    kernels::rms_norm(&mut own, after, shape.epsilon);
    add(hidden, &own);
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// The rows whose numbers are asked for.
fn wanted(spans: &[Span<'_>]) -> Vec<usize> {
    let mut end = 0;
    let last = |span: &Span<'_>| {
        end += span.count;
        end - span.wanted..end
    };
    spans.iter().flat_map(last).collect()
}

/// Keeps some rows, which are named in their order.
fn keep(rows: &[usize], width: usize, numbers: &mut Vec<f32>) {
    for (to, from) in rows.iter().enumerate() {
        numbers.copy_within(from * width..(from + 1) * width, to * width);
    }
    numbers.truncate(rows.len() * width);
}

/// Puts the keys and values of all rows to their places.
fn store(shape: &Shape, asked: &[f32], (layer, spans): (usize, &[Span<'_>]), arena: &mut Arena) {
    let (own, size) = (shape.heads * shape.head, shape.head);
    let shared = shape.kv_heads * size;
    let mut rows = asked.chunks_exact(own + 2 * shared);
    for span in spans {
        for (position, row) in (span.first..).zip(rows.by_ref().take(span.count)) {
            let (keys, values) = row[own..].split_at(shared);
            for (head, both) in keys.chunks_exact(size).zip(values.chunks_exact(size)).enumerate() {
                let place = Place { page: span.pages[position / PAGE], layer, head };
                arena.put(place, position % PAGE, both);
            }
        }
    }
}

/// Some rows of one span and one head of keys.
struct Task<'a> {
    span: &'a Span<'a>,
    head: usize,
    /// The first row, counted in all spans and in its own.
    row: (usize, usize),
    out: &'a mut [f32],
}

/// Causal attention of all rows; heads that share keys are worked on together, their results lie
/// `[kv head][row][head of the group]`.
///
/// A query sees its own position and those before it, no more than `back` in all.
fn attend(
    shape: &Shape,
    asked: &[f32],
    (layer, spans, arena): (usize, &[Span<'_>], &Arena),
    (out, back): (&mut [f32], usize),
) {
    let (size, group) = (shape.head, shape.heads / shape.kv_heads);
    let width = (shape.heads + 2 * shape.kv_heads) * size;
    let mut tasks = Vec::new();
    for (head, mut out) in out.chunks_exact_mut(asked.len() / width * group * size).enumerate() {
        let mut row = 0;
        for span in spans {
            let (part, rest) = std::mem::take(&mut out).split_at_mut(span.count * group * size);
            let blocks = part.chunks_mut(ROWS * group * size).enumerate();
            tasks.extend(blocks.map(|(n, out)| Task { span, head, row: (row + n * ROWS, n * ROWS), out }));
            (row, out) = (row + span.count, rest);
        }
    }
    threads::share(tasks.into_iter(), |Task { span, head, row, out }| {
        // Whole pages before the first position that any of the rows sees.
        let unseen = (span.first + row.1 + 1).saturating_sub(back) / PAGE;
        let query = |n: usize| {
            let at = (row.0 + n / group) * width + (head * group + n % group) * size;
            let end = span.first + row.1 + n / group + 1;
            (&asked[at..at + size], end.saturating_sub(back) - unseen * PAGE..end - unseen * PAGE)
        };
        let queries: Vec<_> = (0..out.len() / size).map(query).collect();
        let seen = queries.last().map_or(0, |(_, seen)| seen.end.div_ceil(PAGE));
        let pages = span.pages[unseen..unseen + seen].iter();
        let pages = pages.map(|page| arena.get(Place { page: *page, layer, head })).collect();
        attention::attend(&Attend { pages, size, queries }, out);
    });
}
