//! One weight matrix on the kernels that are fast, whatever the file holds.
//! In: a tensor of the file. Out: products with rows of activations. Types without a fast kernel are stored
//! anew as Q8_0, with rows padded by zeros to whole blocks of 256; that keeps 8 bits of every weight.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context, ensure};
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module, Tensor};

use super::super::weights::Weights;
use super::kernels;

const BLOCK: usize = 256;

/// A matrix of `rows` outputs and `columns` inputs.
#[derive(Clone)]
pub struct Matrix {
    weights: Arc<QTensor>,
    product: QMatMul,
    columns: usize,
    padded: usize,
    rows: usize,
}

impl Matrix {
    /// Reads a tensor; its size must be as given.
    pub fn load(weights: &mut Weights, name: &str, (rows, columns): (usize, usize)) -> anyhow::Result<Matrix> {
        let shape = weights.content.tensor_infos.get(name).map(|t| t.shape.dims().to_vec());
        let shape = shape.with_context(|| format!("the model file has no tensor {name}"))?;
        ensure!(shape == [rows, columns], "tensor {name} has shape {shape:?}, not [{rows}, {columns}]");
        let tensor = weights.tensor(name, &Device::Cpu)?;
        let padded = columns.next_multiple_of(BLOCK);
        let tensor = if padded == columns && is_fast(tensor.dtype()) { tensor } else { repacked(&tensor, padded)? };
        let weights = Arc::new(tensor);
        let product = QMatMul::from_arc(weights.clone())?;
        Ok(Matrix { weights, product, columns, padded, rows })
    }

    /// The products with each row of `x`.
    pub fn apply(&self, x: &[f32]) -> anyhow::Result<Vec<f32>> {
        numbers(self.product.forward(&self.input(x)?)?)
    }

    /// The products of several matrices with the same rows: the input is packed once where types allow it.
    pub fn apply_all(matrices: &[&Matrix], x: &[f32]) -> anyhow::Result<Vec<Vec<f32>>> {
        let Some((first, _)) = matrices.split_first() else { return Ok(Vec::new()) };
        let input = first.input(x)?;
        let same = matrices.iter().take_while(|m| m.weights.dtype() == first.weights.dtype()).count();
        let tensors: Vec<&QTensor> = matrices[..same].iter().map(|m| &*m.weights).collect();
        let packed = matches!(first.product, QMatMul::QTensor(_));
        let fused = if packed { QTensor::gemv_fused_shared_lhs(&tensors, &input)? } else { None };
        let done = fused.as_ref().map_or(0, Vec::len);
        let mut all = fused.unwrap_or_default().into_iter().map(numbers).collect::<anyhow::Result<Vec<_>>>()?;
        for matrix in &matrices[done..] {
            all.push(numbers(matrix.product.forward(&input)?)?);
        }
        Ok(all)
    }

    /// From now on floats instead of packed activations: what the kernels' own rounding is measured against.
    #[cfg(test)]
    pub fn make_exact(&mut self) {
        let floats = self.weights.dequantize(&Device::Cpu).and_then(|w| w.to_dtype(DType::F32));
        self.product = QMatMul::Tensor(floats.expect("invariant: a loaded tensor has its whole blocks"));
    }

    /// Chosen rows as floats, one after the other: a token's embedding.
    pub fn take(&self, ids: &[u32]) -> anyhow::Result<Vec<f32>> {
        ensure!(ids.iter().all(|id| (*id as usize) < self.rows), "a token outside the {} known ones", self.rows);
        let rows = numbers(self.weights.embedding(&Tensor::new(ids, &Device::Cpu)?)?)?;
        if self.padded == self.columns {
            return Ok(rows);
        }
        Ok(rows.chunks_exact(self.padded).flat_map(|row| &row[..self.columns]).copied().collect())
    }

    /// The products of a few chosen rows with `x`.
    pub fn apply_some(&self, ids: &[u32], x: &[f32]) -> anyhow::Result<Vec<f32>> {
        let rows = self.take(ids)?;
        let mut out = vec![0.0; ids.len()];
        kernels::dots(&rows, x, &mut out);
        Ok(out)
    }

    fn input(&self, x: &[f32]) -> anyhow::Result<Tensor> {
        let count = x.len() / self.columns;
        let x = if self.padded == self.columns { Cow::Borrowed(x) } else { Cow::Owned(self.pad(x)) };
        Ok(Tensor::from_vec(x.into_owned(), (count, self.padded), &Device::Cpu)?)
    }

    fn pad(&self, x: &[f32]) -> Vec<f32> {
        let mut wide = vec![0.0; x.len() / self.columns * self.padded];
        for (to, from) in wide.chunks_exact_mut(self.padded).zip(x.chunks_exact(self.columns)) {
            to[..self.columns].copy_from_slice(from);
        }
        wide
    }
}

/// Types whose kernels candle has vectorised for rows of whole blocks.
fn is_fast(dtype: GgmlDType) -> bool {
    matches!(dtype, GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q6K | GgmlDType::Q8_0)
}

fn repacked(tensor: &QTensor, padded: usize) -> anyhow::Result<QTensor> {
    let floats = tensor.dequantize(&Device::Cpu)?.to_dtype(DType::F32)?;
    let missing = padded - floats.dims2()?.1;
    let floats = if missing == 0 { floats } else { floats.pad_with_zeros(1, 0, missing)? };
    Ok(QTensor::quantize(&floats, GgmlDType::Q8_0)?)
}

fn numbers(tensor: Tensor) -> anyhow::Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
