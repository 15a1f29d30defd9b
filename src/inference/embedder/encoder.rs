//! The BERT encoder behind the embedder: token ids in, one mean vector per text out.
//! Texts are laid end to end without padding. Quantised weights stay quantised: the Q4_0 blocks become
//! Q8_0 blocks of the same values, and rows are padded to a multiple of 256, which candle's fast kernels ask for.

use anyhow::ensure;
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};

use super::super::weights::Weights;
use super::numeric::{Norm, add_norm, gelu, softmax};

const Q4_0_BYTES: usize = 18;
const Q8_0_BYTES: usize = 34;
const KERNEL_ROW: usize = 256;
/// Fewer tokens than this are done before a second thread has started.
const WORTH_THREADS: usize = 128;

/// The weights and sizes of the encoder.
pub struct Encoder {
    hidden: usize,
    padded: usize,
    heads: usize,
    words: QTensor,
    positions: Vec<f32>,
    first_norm: Norm,
    layers: Vec<Layer>,
    threads: usize,
}

struct Layer {
    qkv: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
}

struct Linear {
    weight: QMatMul,
    bias: Vec<f32>,
}

impl Linear {
    fn forward(&self, rows: &[f32]) -> candle_core::Result<Vec<f32>> {
        let columns = self.columns()?;
        let x = Tensor::from_slice(rows, (rows.len() / columns, columns), &Device::Cpu)?;
        self.weight.forward(&x)?.flatten_all()?.to_vec1()
    }

    fn columns(&self) -> candle_core::Result<usize> {
        match &self.weight {
            QMatMul::QTensor(w) => Ok(w.shape().dims2()?.1),
            QMatMul::Tensor(w) | QMatMul::TensorF16(w) => w.dim(1),
        }
    }
}

impl Encoder {
    /// Reads the encoder out of a model file.
    pub fn load(weights: &mut Weights, threads: usize) -> anyhow::Result<Encoder> {
        let architecture = weights.text("general.architecture")?;
        ensure!(
            architecture == "bert",
            "an embedder of architecture `{architecture}`; only bert is supported"
        );
        let hidden = weights.number("bert.embedding_length")?;
        let heads = weights.number("bert.attention.head_count")?;
        let layers = weights.number("bert.block_count")?;
        let positions = weights.number("bert.context_length")?;
        ensure!(
            heads > 0 && hidden.is_multiple_of(heads * 4) && hidden.is_multiple_of(32),
            "{hidden} in {heads} heads"
        );
        ensure!(
            (1..=64).contains(&layers) && positions >= 2,
            "{layers} layers, {positions} positions"
        );
        let epsilon = weights.value("bert.attention.layer_norm_epsilon")?.to_f32()?;
        let words = weights.tensor("token_embd.weight", &Device::Cpu)?;
        ensure!(words.shape().dims2()?.1 == hidden, "token_embd.weight has rows of another length");
        let mut table = weights.floats("position_embd.weight", &[positions, hidden])?;
        let types = weights.tensor("token_types.weight", &Device::Cpu)?.dequantize(&Device::Cpu)?;
        // Every text has token type 0: its row is added once, here.
        let kind: Vec<f32> = types.get(0)?.to_vec1()?;
        for row in table.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&kind).for_each(|(p, k)| *p += k);
        }
        let mut reader = Reader { weights, hidden, epsilon };
        Ok(Encoder {
            hidden,
            padded: hidden.next_multiple_of(KERNEL_ROW),
            heads,
            words,
            positions: table,
            first_norm: reader.norm("token_embd_norm")?,
            layers: (0..layers).map(|l| reader.layer(l)).collect::<Result<_, _>>()?,
            threads: threads.max(1),
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

    /// One unit-length vector per sequence.
    pub fn encode(&self, sequences: &[Vec<u32>]) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut x = self.embed(sequences)?;
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        for layer in &self.layers {
            self.layer(layer, &mut x, &lengths)?;
        }
        let mut rest = x.as_slice();
        let mut vectors = Vec::with_capacity(sequences.len());
        for length in lengths {
            let (rows, tail) = rest.split_at(length * self.padded);
            vectors.push(self.pooled(rows));
            rest = tail;
        }
        Ok(vectors)
    }

    fn embed(&self, sequences: &[Vec<u32>]) -> anyhow::Result<Vec<f32>> {
        ensure!(
            sequences.iter().all(|s| (1..=self.max_tokens()).contains(&s.len())),
            "a sequence is empty or too long"
        );
        let ids: Vec<u32> = sequences.concat();
        let count = ids.len();
        let rows = self.words.embedding(&Tensor::from_vec(ids, count, &Device::Cpu)?)?;
        let rows: Vec<f32> = rows.flatten_all()?.to_vec1()?;
        let mut x = vec![0.0; count * self.padded];
        let places = sequences.iter().flat_map(|s| 0..s.len());
        for ((to, from), place) in
            x.chunks_exact_mut(self.padded).zip(rows.chunks_exact(self.hidden)).zip(places)
        {
            let to = &mut to[..self.hidden];
            to.copy_from_slice(from);
            let position = &self.positions[place * self.hidden..][..self.hidden];
            to.iter_mut().zip(position).for_each(|(x, p)| *x += p);
            self.first_norm.apply(to);
        }
        Ok(x)
    }

    fn layer(&self, layer: &Layer, x: &mut [f32], lengths: &[usize]) -> anyhow::Result<()> {
        let qkv = layer.qkv.forward(x)?;
        let context = self.attention(&qkv, &layer.qkv.bias, lengths);
        let attended = layer.output.forward(&context)?;
        self.add_norm(x, &attended, (&layer.output.bias, &layer.attention_norm));
        let mut wide = layer.up.forward(x)?;
        self.split_rows(&mut wide, layer.up.bias.len(), |rows| {
            for row in rows.chunks_exact_mut(layer.up.bias.len()) {
                row.iter_mut().zip(&layer.up.bias).for_each(|(x, b)| *x = gelu(*x + b));
            }
        });
        let narrow = layer.down.forward(&wide)?;
        self.add_norm(x, &narrow, (&layer.down.bias, &layer.output_norm));
        Ok(())
    }

    fn add_norm(&self, x: &mut [f32], added: &[f32], (bias, norm): (&[f32], &Norm)) {
        let rows = x.chunks_exact_mut(self.padded).zip(added.chunks_exact(self.hidden));
        for (row, added) in rows {
            add_norm(&mut row[..self.hidden], (added, bias), norm);
        }
    }

    /// Runs `f` over equal shares of the rows, on several threads when there are enough of them.
    fn split_rows(&self, data: &mut [f32], width: usize, f: impl Fn(&mut [f32]) + Sync) {
        let rows = data.len() / width;
        if rows < WORTH_THREADS || self.threads == 1 {
            return f(data);
        }
        let share = rows.div_ceil(self.threads) * width;
        std::thread::scope(|scope| {
            data.chunks_mut(share).for_each(|part| {
                scope.spawn(|| f(part));
            });
        });
    }

    fn attention(&self, qkv: &[f32], bias: &[f32], lengths: &[usize]) -> Vec<f32> {
        let tokens: usize = lengths.iter().sum();
        let mut context = vec![0.0; tokens * self.padded];
        let share = match self.threads {
            n if n > 1 && tokens >= WORTH_THREADS => tokens.div_ceil(n),
            _ => tokens,
        };
        std::thread::scope(|scope| {
            let (mut qkv, mut out, mut lengths) = (qkv, context.as_mut_slice(), lengths);
            while !lengths.is_empty() {
                let (count, rows) = take_share(lengths, share);
                let (mine, others) = lengths.split_at(count);
                let (rows_in, rest_in) = qkv.split_at(rows * 3 * self.hidden);
                let (rows_out, rest_out) =
                    std::mem::take(&mut out).split_at_mut(rows * self.padded);
                (qkv, out, lengths) = (rest_in, rest_out, others);
                let mut work = move || self.attend_each(rows_in, bias, (mine, rows_out));
                if others.is_empty() { work() } else { drop(scope.spawn(work)) }
            }
        });
        context
    }

    fn attend_each(&self, qkv: &[f32], bias: &[f32], (lengths, out): (&[usize], &mut [f32])) {
        let mut heads = HeadBuffers::default();
        let (mut qkv, mut out) = (qkv, out);
        for &length in lengths {
            let (rows_in, rest_in) = qkv.split_at(length * 3 * self.hidden);
            let (rows_out, rest_out) = std::mem::take(&mut out).split_at_mut(length * self.padded);
            (qkv, out) = (rest_in, rest_out);
            for head in 0..self.heads {
                self.attend(rows_in, bias, (head, &mut heads), rows_out);
            }
        }
    }

    fn attend(
        &self,
        qkv: &[f32],
        bias: &[f32],
        (head, b): (usize, &mut HeadBuffers),
        out: &mut [f32],
    ) {
        let (hidden, size) = (self.hidden, self.hidden / self.heads);
        let length = qkv.len() / (3 * hidden);
        b.fill(qkv, bias, (hidden, head * size, size));
        for (row, to) in qkv.chunks_exact(3 * hidden).zip(out.chunks_exact_mut(self.padded)) {
            let q = &row[head * size..][..size];
            let q_bias = &bias[head * size..][..size];
            b.scores.clear();
            b.scores.resize(length, 0.0);
            let scale = 1.0 / (size as f32).sqrt();
            for (at, keys) in b.keys.chunks_exact(4 * length).enumerate() {
                let w: [f32; 4] =
                    std::array::from_fn(|i| (q[at * 4 + i] + q_bias[at * 4 + i]) * scale);
                add_weighted4(&mut b.scores, keys, w);
            }
            softmax(&mut b.scores);
            let to = &mut to[head * size..][..size];
            for (share, value) in b.scores.iter().zip(b.values.chunks_exact(size)) {
                to.iter_mut().zip(value).for_each(|(t, v)| *t += share * v);
            }
        }
    }

    fn pooled(&self, rows: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0f32; self.hidden];
        for row in rows.chunks_exact(self.padded) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        let length = mean.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let scale = (1.0 / length.max(1e-12)) as f32;
        mean.iter_mut().for_each(|x| *x *= scale);
        mean
    }
}

/// How many whole sequences make up a share of the tokens, and their tokens.
fn take_share(lengths: &[usize], share: usize) -> (usize, usize) {
    let (mut count, mut rows) = (0, 0);
    for length in lengths {
        count += 1;
        rows += length;
        if rows >= share {
            break;
        }
    }
    (count, rows)
}

/// Keys by column and values by row of one head, contiguous.
#[derive(Default)]
struct HeadBuffers {
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
}

impl HeadBuffers {
    fn fill(&mut self, qkv: &[f32], bias: &[f32], (hidden, start, size): (usize, usize, usize)) {
        let length = qkv.len() / (3 * hidden);
        self.keys.clear();
        self.keys.resize(length * size, 0.0);
        self.values.clear();
        for (at, row) in qkv.chunks_exact(3 * hidden).enumerate() {
            let (k, v) = (hidden + start, 2 * hidden + start);
            for d in 0..size {
                self.keys[d * length + at] = row[k + d] + bias[k + d];
            }
            self.values.extend(row[v..][..size].iter().zip(&bias[v..][..size]).map(|(x, b)| x + b));
        }
    }
}

fn add_weighted4(to: &mut [f32], columns: &[f32], w: [f32; 4]) {
    let n = to.len();
    let (a, rest) = columns.split_at(n);
    let (b, rest) = rest.split_at(n);
    let (c, d) = rest.split_at(n);
    for ((((t, a), b), c), d) in to.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *t += (a * w[0] + b * w[1]) + (c * w[2] + d * w[3]);
    }
}

struct Reader<'a> {
    weights: &'a mut Weights,
    hidden: usize,
    epsilon: f32,
}

impl Reader<'_> {
    fn layer(&mut self, at: usize) -> anyhow::Result<Layer> {
        let hidden = self.hidden;
        let wide = self.weights.number("bert.feed_forward_length")?;
        let name = |part: &str| format!("blk.{at}.{part}");
        let qkv = ["attn_q", "attn_k", "attn_v"].map(name);
        Ok(Layer {
            qkv: self.linear(&qkv, (hidden, hidden))?,
            output: self.linear(&[name("attn_output")], (hidden, hidden))?,
            attention_norm: self.norm(&name("attn_output_norm"))?,
            up: self.linear(&[name("ffn_up")], (wide, hidden))?,
            down: self.linear(&[name("ffn_down")], (hidden, wide))?,
            output_norm: self.norm(&name("layer_output_norm"))?,
        })
    }

    fn norm(&mut self, name: &str) -> anyhow::Result<Norm> {
        let weight = self.weights.floats(&format!("{name}.weight"), &[self.hidden])?;
        let bias = self.weights.floats(&format!("{name}.bias"), &[self.hidden])?;
        Ok(Norm { weight, bias, epsilon: self.epsilon })
    }

    /// Several matrices of one input, laid one under the other.
    fn linear(
        &mut self,
        names: &[String],
        (rows, columns): (usize, usize),
    ) -> anyhow::Result<Linear> {
        let padded = columns.next_multiple_of(KERNEL_ROW);
        let (mut blocks, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            let weight = self.weights.tensor(&format!("{name}.weight"), &Device::Cpu)?;
            ensure!(
                weight.dtype() == GgmlDType::Q4_0 && weight.shape().dims() == [rows, columns],
                "{name}.weight is {:?} {:?}, not Q4_0 [{rows}, {columns}]",
                weight.dtype(),
                weight.shape()
            );
            widen(&weight.data()?, (columns / 32, padded / 32), &mut blocks);
            bias.extend(self.weights.floats(&format!("{name}.bias"), &[rows])?);
        }
        let storage = QStorage::from_data(blocks.into(), &Device::Cpu, GgmlDType::Q8_0)?;
        let weight = QTensor::new(storage, (rows * names.len(), padded))?;
        Ok(Linear { weight: QMatMul::from_qtensor(weight)?, bias })
    }
}

/// Q4_0 blocks as Q8_0 blocks of exactly the same values, rows filled up with blocks of zero.
fn widen(q4: &[u8], (blocks, padded): (usize, usize), out: &mut Vec<u8>) {
    for row in q4.chunks_exact(blocks * Q4_0_BYTES) {
        for block in row.chunks_exact(Q4_0_BYTES) {
            let (scale, nibbles) = block.split_at(2);
            out.extend(scale);
            out.extend(nibbles.iter().map(|b| (b & 15).wrapping_sub(8)));
            out.extend(nibbles.iter().map(|b| (b >> 4).wrapping_sub(8)));
        }
        out.resize(out.len() + (padded - blocks) * Q8_0_BYTES, 0);
    }
}
