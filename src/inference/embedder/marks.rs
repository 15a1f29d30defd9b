//! What the words of a message are: such as name goods, such as say what goods are or should be like, and others. In: what the encoder
//! holds of every token after some of its layers, and the lines that `scripts/train_marks.py` drew over it for this very embedder. Out: the
//! chances of each token.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, ensure};

use super::super::weights::Weights;
use super::encoder::Encoder;
use crate::engine::{Mark, ModelId};

/// Neither, names goods, describes them.
pub(super) const KINDS: usize = 3;
/// A score for each kind.
pub(super) type Scores = [f32; KINDS];

/// The lines.
pub(super) struct Marker {
    /// After so many layers ...
    after: Vec<usize>,
    /// ... what a token holds is weighed by a row per kind; the rows of all these layers stand side by side.
    weights: Vec<f32>,
    bias: Vec<f32>,
    hidden: usize,
}

impl Marker {
    /// Reads a file of such lines.
    ///
    /// # Errors
    /// It cannot be read, is not such a file, or was made for another embedder.
    pub(super) fn load(path: &Path, encoder: &Encoder, base: &ModelId) -> anyhow::Result<Marker> {
        let mut weights = Weights::open(path)?;
        let of = weights.text("truetill.base.sha256")?;
        ensure!(of == base.sha256, "its lines were drawn for another embedder ({of}); run scripts/train_marks.py");
        let after = weights.value("truetill.after_layers")?.to_vec()?;
        let number = |value: &candle_core::quantized::gguf_file::Value| match value {
            candle_core::quantized::gguf_file::Value::I32(number) => Ok(usize::try_from(*number)?),
            other => Ok::<usize, anyhow::Error>(usize::try_from(other.to_u64()?)?),
        };
        let after =
            after.iter().map(number).collect::<anyhow::Result<Vec<usize>>>().context("`truetill.after_layers`")?;
        let depth = encoder.depth();
        ensure!(
            !after.is_empty() && after.iter().all(|at| (1..=depth).contains(at)),
            "{after:?}: there are {depth} layers"
        );
        let hidden = encoder.dimensions();
        Ok(Marker {
            weights: weights.floats("marks.weight", &[KINDS, after.len() * hidden])?,
            bias: weights.floats("marks.bias", &[KINDS])?,
            after,
            hidden,
        })
    }

    /// Adds to the scores of all tokens what is held of them after so many layers.
    pub(super) fn weigh(&self, layers: usize, held: &[f32], scores: &mut Vec<Scores>) {
        let Some(place) = self.after.iter().position(|after| *after == layers) else { return };
        let mut bias = [0.0; KINDS];
        bias.copy_from_slice(&self.bias);
        scores.resize(held.len() / self.hidden, bias);
        let row = self.after.len() * self.hidden;
        for (token, scores) in held.chunks_exact(self.hidden).zip(scores) {
            for (kind, score) in scores.iter_mut().enumerate() {
                let line = &self.weights[kind * row + place * self.hidden..][..self.hidden];
                *score += line.iter().zip(token).map(|(weight, x)| weight * x).sum::<f32>();
            }
        }
    }
}

/// The marks of tokens that stand at these places of a text; those that stand nowhere have none.
pub(super) fn marks(scores: &[Scores], places: Vec<Range<usize>>) -> Vec<Mark> {
    let mark = |(scores, range): (&Scores, Range<usize>)| {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let chances = scores.map(|score| (score - highest).exp());
        let all: f32 = chances.iter().sum();
        Mark { range, names: chances[1] / all, describes: chances[2] / all }
    };
    scores.iter().zip(places).filter(|(_, range)| !range.is_empty()).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_become_chances_where_a_token_stands_somewhere() {
        let told = marks(&[[900.0, 900.0, -900.0], [0.0; 3], [0.0, -90.0, 90.0]], vec![0..2, 2..2, 3..7]);
        let rounded: Vec<_> = told.iter().map(|mark| (mark.range.clone(), mark.names, mark.describes)).collect();
        assert_eq!(rounded, [(0..2, 0.5, 0.0), (3..7, 0.0, 1.0)]);
    }
}
