//! Layers tuned for telling wishes apart: they take the place of the encoder's last ones for a second vector of a message,
//! and one linear layer over it weighs every label. In: a file that `scripts/tune_embedder.py` wrote for this very embedder.
//! Out: the logarithms of the labels' chances. Search never sees them.

use std::path::Path;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

use super::super::weights::Weights;
use super::encoder::{Encoder, Layer};
use crate::engine::{ModelId, Tuned};

/// The layers, and what is concluded from their vector.
pub(super) struct Head {
    pub(super) about: Tuned,
    pub(super) layers: Vec<Layer>,
    /// One row of the vector's length per label.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Head {
    /// Reads a file of such layers.
    ///
    /// # Errors
    /// It cannot be read, is not such a file, or was made for another embedder.
    pub(super) fn load(path: &Path, encoder: &Encoder, base: &ModelId) -> anyhow::Result<Head> {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let mut weights = Weights::open(path)?;
        let of = weights.text("truetill.base.sha256")?;
        ensure!(of == base.sha256, "its layers were tuned for another embedder ({of}); run scripts/tune_embedder.py");
        let first = weights.number("truetill.first_layer")?;
        let depth = encoder.depth();
        ensure!((1..depth).contains(&first), "its first layer is {first}, the embedder has {depth}");
        let labels = weights.take_texts("truetill.labels")?;
        ensure!(labels.len() >= 2, "it knows {} labels", labels.len());
        let shape = [labels.len(), encoder.dimensions()];
        Ok(Head {
            layers: encoder.layers_of(&mut weights, first..depth)?,
            weights: weights.floats("head.weight", &shape)?,
            bias: weights.floats("head.bias", &shape[..1])?,
            about: Tuned { labels, sha256: hex::encode(Sha256::digest(bytes)) },
        })
    }

    /// The logarithm of each label's chance, by the vector of the tuned layers.
    pub(super) fn opinion(&self, vector: &[f32]) -> Vec<f32> {
        let rows = self.weights.chunks_exact(vector.len()).zip(&self.bias);
        let score = |(row, bias): (&[f32], &f32)| row.iter().zip(vector).map(|(w, x)| w * x).sum::<f32>() + bias;
        logarithms(rows.map(score).collect())
    }
}

/// Scores as logarithms of chances that add up to one.
fn logarithms(mut scores: Vec<f32>) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Taken off one after the other: beside a large score the small rest would be lost.
    scores.iter_mut().for_each(|score| *score -= highest);
    let all = scores.iter().map(|score| score.exp()).sum::<f32>().ln();
    scores.iter_mut().for_each(|score| *score -= all);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_add_up_to_one_however_large_the_scores() {
        for scores in [vec![0.0, 0.0], vec![1.0, -3.0, 2.5], vec![900.0, 899.0, -900.0]] {
            let chances: Vec<f32> = logarithms(scores.clone()).iter().map(|log| log.exp()).collect();
            assert!((chances.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{scores:?}");
            let best = |values: &[f32]| (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]));
            assert_eq!(best(&chances), best(&scores));
        }
    }
}
