//! One weight matrix on the kernels that are fast, whatever the file holds.
//! In: a tensor of the file. Out: products with rows of activations. On x86-64 it is packed for our own kernels and
//! the file's form is not kept; elsewhere candle's kernels work on it, with rows padded to their blocks of 256.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module, Tensor};

use super::super::embedder::Level;
use super::super::threads;
use super::super::weights::Weights;
use super::kernels;
use super::packed::formats::{BLOCK, Kind, kind};
use super::packed::{Block, PANEL, Packed, Source};

/// candle's fast kernels want whole blocks of so many columns.
const CANDLE_BLOCK: usize = 256;
/// Bytes of a tensor that a thread reads and packs at once: they stay in its cache meanwhile.
const SLAB: usize = 256 << 10;
/// Panels that a thread takes at once.
const TAKEN: usize = 2;

/// A matrix of `rows` outputs and `columns` inputs.
#[derive(Clone)]
pub struct Matrix {
    body: Body,
    columns: usize,
    rows: usize,
}

#[derive(Clone)]
enum Body {
    Packed(Arc<Packed>),
    Candle {
        weights: Arc<QTensor>,
        product: QMatMul,
        padded: usize,
    },
    /// The file's weights as floats: what the kernels' rounding is measured against.
    Exact(Tensor),
}

/// Rows of activations, as floats and in 8 bits.
#[derive(Default)]
pub struct Rows {
    width: usize,
    floats: Vec<f32>,
    blocks: Vec<Block>,
}

/// Products: 16 outputs of the first row, of the next, and so on; then the next 16 outputs.
#[derive(Default)]
pub struct Stripes {
    numbers: Vec<f32>,
    count: usize,
}

impl Rows {
    /// Makes `count` rows of `width`, each by `work` out of its number and its side, and rounds them.
    pub fn fill<S: Send>(
        &mut self,
        (count, width): (usize, usize),
        sides: impl Iterator<Item = S>,
        work: impl Fn(usize, S, &mut [f32]) + Sync,
    ) {
        self.width = width;
        self.floats.resize(count * width, 0.0);
        self.blocks.resize(count * width / BLOCK, Block::EMPTY);
        let rows = self.floats.chunks_exact_mut(width).zip(self.blocks.chunks_exact_mut(width / BLOCK));
        threads::share(rows.zip(sides).enumerate(), |(n, ((floats, blocks), side))| {
            work(n, side, floats);
            kernels::to_blocks(floats, blocks);
        });
    }
}

impl Stripes {
    /// Outputs of one row from panel `first` on.
    pub fn copy(&self, row: usize, first: usize, to: &mut [f32]) {
        for (at, to) in to.chunks_mut(PANEL).enumerate() {
            to.copy_from_slice(&self.numbers[((first + at) * self.count + row) * PANEL..][..to.len()]);
        }
    }

    /// Adds the outputs of one row.
    pub fn add(&self, row: usize, to: &mut [f32]) {
        for (at, to) in to.chunks_exact_mut(PANEL).enumerate() {
            let from = &self.numbers[(at * self.count + row) * PANEL..][..PANEL];
            to.iter_mut().zip(from).for_each(|(x, y)| *x += y);
        }
    }

    fn put(&mut self, first: usize, all: &[f32], outputs: usize) {
        for (row, all) in all.chunks_exact(outputs).enumerate() {
            for (at, part) in all.chunks(PANEL).enumerate() {
                self.numbers[((first + at) * self.count + row) * PANEL..][..part.len()].copy_from_slice(part);
            }
        }
    }
}

impl Matrix {
    /// Reads a tensor; its size must be as given.
    pub fn load(weights: &mut Weights, name: &str, (rows, columns): (usize, usize)) -> anyhow::Result<Matrix> {
        let info = weights.content.tensor_infos.get(name);
        let info = info.with_context(|| format!("the model file has no tensor {name}"))?;
        let (shape, dtype) = (info.shape.dims().to_vec(), info.ggml_dtype);
        ensure!(shape == [rows, columns], "tensor {name} has shape {shape:?}, not [{rows}, {columns}]");
        ensure!(columns.is_multiple_of(BLOCK) && rows > 0, "tensor {name} has rows of {columns}, not whole {BLOCK}s");
        let body = match Level::best() {
            Level::PORTABLE => candle(weights, name, columns)?,
            _ => Body::Packed(Arc::new(packed(weights, name, (rows, columns, dtype))?)),
        };
        Ok(Matrix { body, columns, rows })
    }

    /// The products of several matrices with the same rows, one matrix after the other.
    pub fn multiply(matrices: &[Matrix], rows: &Rows, out: &mut Stripes) -> anyhow::Result<()> {
        out.count = rows.floats.len() / rows.width;
        let panels = matrices.iter().map(|m| m.rows.div_ceil(PANEL)).sum::<usize>();
        out.numbers.resize(panels * out.count * PANEL, 0.0);
        let (level, length) = (Level::best_once(), out.count * PANEL);
        let (mut rest, mut work) = (&mut out.numbers[..], Vec::new());
        for matrix in matrices {
            let (part, others) = rest.split_at_mut(matrix.rows.div_ceil(PANEL) * length);
            rest = others;
            if let Body::Packed(packed) = &matrix.body {
                work.extend(part.chunks_mut(TAKEN * length).enumerate().map(|(at, to)| (packed, at * TAKEN, to)));
            }
        }
        threads::share(work.into_iter(), |(packed, first, to)| {
            for (at, to) in to.chunks_exact_mut(length).enumerate() {
                packed.multiply(level, first + at, &rows.blocks, to);
            }
        });
        let mut first = 0;
        for matrix in matrices {
            let all = match &matrix.body {
                Body::Packed(_) => None,
                Body::Candle { product, padded, .. } => Some(product.forward(&matrix.padded(&rows.floats, *padded)?)?),
                Body::Exact(floats) => Some(matrix.padded(&rows.floats, matrix.columns)?.matmul(&floats.t()?)?),
            };
            if let Some(all) = all {
                out.put(first, &all.flatten_all()?.to_vec1::<f32>()?, matrix.rows);
            }
            first += matrix.rows.div_ceil(PANEL);
        }
        Ok(())
    }

    /// The products with each of some rows.
    pub fn apply(&self, each: &[&[f32]]) -> anyhow::Result<Vec<Vec<f32>>> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let (mut rows, mut products) = (Rows::default(), Stripes::default());
        rows.fill((each.len(), self.columns), each.iter(), |_, from, row| row.copy_from_slice(from));
        Self::multiply(std::slice::from_ref(self), &rows, &mut products)?;
        let row = |n| {
            let mut row = vec![0.0; self.rows];
            products.copy(n, 0, &mut row);
            row
        };
        Ok((0..each.len()).map(row).collect())
    }

    /// Chosen rows as floats, one after the other: a token's embedding.
    pub fn take(&self, ids: &[u32]) -> anyhow::Result<Vec<f32>> {
        ensure!(ids.iter().all(|id| (*id as usize) < self.rows), "a token outside the {} known ones", self.rows);
        match &self.body {
            Body::Packed(packed) => {
                let mut rows = vec![0.0; ids.len() * self.columns];
                rows.chunks_exact_mut(self.columns).zip(ids).for_each(|(row, id)| packed.row(*id as usize, row));
                Ok(rows)
            }
            Body::Candle { weights, padded, .. } => {
                let rows = weights.embedding(&Tensor::new(ids, &Device::Cpu)?)?.flatten_all()?.to_vec1::<f32>()?;
                Ok(rows.chunks_exact(*padded).flat_map(|row| &row[..self.columns]).copied().collect())
            }
            Body::Exact(floats) => {
                Ok(floats.index_select(&Tensor::new(ids, &Device::Cpu)?, 0)?.flatten_all()?.to_vec1()?)
            }
        }
    }

    /// The products of a few chosen rows with `x`: the very numbers that [`Matrix::apply`] gives for them.
    pub fn apply_some(&self, ids: &[u32], x: &[f32]) -> anyhow::Result<Vec<f32>> {
        ensure!(ids.iter().all(|id| (*id as usize) < self.rows), "a token outside the {} known ones", self.rows);
        let Body::Packed(packed) = &self.body else {
            let all = self.apply(&[x])?;
            return Ok(ids.iter().map(|id| all[0][*id as usize]).collect());
        };
        let mut blocks = vec![Block::EMPTY; self.columns / BLOCK];
        kernels::to_blocks(x, &mut blocks);
        let mut panels: Vec<usize> = ids.iter().map(|id| *id as usize / PANEL).collect();
        panels.sort_unstable();
        panels.dedup();
        let mut products = vec![0.0; panels.len() * PANEL];
        let (level, work) = (Level::best_once(), panels.iter().zip(products.chunks_exact_mut(PANEL)));
        threads::share(work, |(panel, to)| packed.multiply(level, *panel, &blocks, to));
        let product = |id: &u32| {
            let panel = panels.partition_point(|panel| *panel < *id as usize / PANEL);
            products[panel * PANEL + *id as usize % PANEL]
        };
        Ok(ids.iter().map(product).collect())
    }

    /// Reads a tensor as floats.
    pub fn exact(weights: &mut Weights, name: &str, (rows, columns): (usize, usize)) -> anyhow::Result<Matrix> {
        let floats = weights.tensor(name, &Device::Cpu)?.dequantize(&Device::Cpu)?.to_dtype(DType::F32)?;
        Ok(Matrix { body: Body::Exact(floats), columns, rows })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Packed(packed) => packed.bytes(),
            Body::Candle { weights, .. } => weights.storage_size_in_bytes(),
            Body::Exact(floats) => floats.elem_count() * 4,
        }
    }

    fn padded(&self, x: &[f32], padded: usize) -> anyhow::Result<Tensor> {
        let count = x.len() / self.columns;
        let mut wide = vec![0.0; count * padded];
        for (to, from) in wide.chunks_exact_mut(padded).zip(x.chunks_exact(self.columns)) {
            to[..self.columns].copy_from_slice(from);
        }
        Ok(Tensor::from_vec(wide, (count, padded), &Device::Cpu)?)
    }
}

/// Reads and packs a tensor, slab by slab on all threads.
fn packed(
    weights: &mut Weights,
    name: &str,
    (rows, columns, dtype): (usize, usize, GgmlDType),
) -> anyhow::Result<Packed> {
    let no_room = || format!("no memory for tensor {name}");
    let Some(kind) = kind(dtype) else {
        let floats = weights.tensor(name, &Device::Cpu)?.dequantize(&Device::Cpu)?.to_dtype(DType::F32)?;
        let floats = floats.flatten_all()?.to_vec1::<f32>()?;
        let mut packed = Packed::new(Kind::Eight, (rows, columns)).with_context(no_room)?;
        let panels = (SLAB / (4 * columns)).div_ceil(PANEL);
        threads::share(packed.parts(panels, rows), |mut part| {
            let own = part.rows.start * columns..part.rows.end * columns;
            part.fill(&Source::Floats(&floats[own]));
        });
        return Ok(packed);
    };
    ensure!(columns.is_multiple_of(dtype.block_size()), "tensor {name} has rows of {columns}, not whole blocks");
    let length = columns / dtype.block_size() * dtype.type_size();
    let mut packed = Packed::new(kind, (rows, columns)).with_context(no_room)?;
    let (weights, failed) = (&*weights, Mutex::new(None));
    threads::share(packed.parts((SLAB / length).div_ceil(PANEL), rows), |mut part| {
        match weights.bytes(name, (part.rows.start * length, part.rows.len() * length)) {
            Ok(bytes) => part.fill(&Source::Stored(dtype, &bytes)),
            Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(packed),
    }
}

/// candle's own form; types without a fast kernel there are stored anew as Q8_0, which keeps 8 bits of every weight.
fn candle(weights: &mut Weights, name: &str, columns: usize) -> anyhow::Result<Body> {
    let tensor = weights.tensor(name, &Device::Cpu)?;
    let padded = columns.next_multiple_of(CANDLE_BLOCK);
    let fast = matches!(tensor.dtype(), GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q6K | GgmlDType::Q8_0);
    let tensor = if padded == columns && fast {
        tensor
    } else {
        let floats = tensor.dequantize(&Device::Cpu)?.to_dtype(DType::F32)?;
        let missing = padded - columns;
        let floats = if missing == 0 { floats } else { floats.pad_with_zeros(1, 0, missing)? };
        QTensor::quantize(&floats, GgmlDType::Q8_0)?
    };
    let weights = Arc::new(tensor);
    let product = QMatMul::from_arc(weights.clone())?;
    Ok(Body::Candle { weights, product, padded })
}
