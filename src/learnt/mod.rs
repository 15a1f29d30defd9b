//! What is learnt from labelled texts: what a text is about (its embedding) and how it is worded (`wording.rs`) are weighed by one line per
//! class (`linear.rs`). In: texts with their vectors and classes. Out: scores per class for a text nobody labelled, and bytes to keep the
//! lines by. It knows neither commands nor rules.

pub mod linear;
pub mod wording;

use linear::{Features, Linear, Training};
use wording::Vocabulary;

/// Lines over labelled texts, with what is needed to place another text beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learnt {
    /// The middle of all vectors.
    pub mean: Vec<f32>,
    /// The words and runs of letters that count.
    pub vocabulary: Vocabulary,
    /// The lines.
    pub linear: Linear,
}

/// How large the parts of a [`Learnt`] are: what its bytes alone do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    /// The length of a vector.
    pub dimensions: usize,
    /// Words and runs of letters.
    pub vocabulary: usize,
    /// Classes.
    pub classes: usize,
}

impl Learnt {
    /// Learns from texts with vectors and classes; the middle and the vocabulary are those of the first `own` of them.
    pub fn of(texts: &[(&str, &[f32])], own: usize, labels: &[usize], classes: usize) -> Self {
        let own = &texts[..own.min(texts.len())];
        let mean = mean(own.iter().map(|(_, vector)| *vector));
        let vocabulary = Vocabulary::of(own.iter().map(|(text, _)| *text));
        let mut learnt = Learnt { mean, vocabulary, linear: Linear::default() };
        let rows: Vec<Features> = texts.iter().map(|(text, vector)| learnt.features(text, vector)).collect();
        let training = Training { rows: &rows, labels, classes, vocabulary: learnt.vocabulary.known.len() };
        learnt.linear = Linear::fit(&training, &|_| true);
        learnt
    }

    /// A text beside the others.
    pub fn features(&self, text: &str, vector: &[f32]) -> Features {
        Features { meaning: centred(vector, &self.mean), wording: self.vocabulary.wording(text) }
    }

    /// How large it is.
    pub fn shape(&self) -> Shape {
        Shape { dimensions: self.mean.len(), vocabulary: self.vocabulary.known.len(), classes: self.linear.classes }
    }

    /// Digests of the vocabulary in 8 bytes each, then the middle, how rare each is, and the weights in 4; the lowest byte first.
    pub fn bytes(&self) -> Vec<u8> {
        let known = self.vocabulary.known.iter().flat_map(|digest| digest.to_le_bytes());
        let floats = self.mean.iter().chain(&self.vocabulary.rarity).chain(&self.linear.weights);
        known.chain(floats.flat_map(|value| value.to_le_bytes())).collect()
    }

    /// What was written by [`Learnt::bytes`]; none where there are more or fewer bytes than that shape takes.
    pub fn from_bytes(bytes: &[u8], shape: Shape) -> Option<Self> {
        let Shape { dimensions, vocabulary, classes } = shape;
        let features = dimensions.checked_add(vocabulary)?;
        let floats = features.checked_add(1)?.checked_mul(classes)?.checked_add(features)?;
        let length = floats.checked_mul(4)?.checked_add(vocabulary.checked_mul(8)?)?;
        if bytes.len() != length {
            return None;
        }
        let (known, rest) = bytes.split_at(vocabulary * 8);
        let known = known.chunks_exact(8).map(|chunk| chunk.try_into().map(u64::from_le_bytes).unwrap_or_default());
        let mut values = rest.chunks_exact(4).map(|chunk| chunk.try_into().map(f32::from_le_bytes).unwrap_or_default());
        let mean = values.by_ref().take(dimensions).collect();
        let rarity = values.by_ref().take(vocabulary).collect();
        Some(Learnt {
            mean,
            vocabulary: Vocabulary { known: known.collect(), rarity },
            linear: Linear { classes, dimensions, weights: values.collect() },
        })
    }
}

/// The middle of vectors of one length.
pub fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let (mut sum, mut count) = (Vec::new(), 0.0);
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sum.iter().map(|sum| sum / count).collect()
}

/// Moved to the mean and brought to length 1: embedders crowd their vectors into a narrow cone.
pub fn centred(vector: &[f32], mean: &[f32]) -> Vec<f32> {
    let mut moved: Vec<f32> = vector.iter().zip(mean).map(|(value, mean)| value - mean).collect();
    let length = moved.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
    moved.iter_mut().for_each(|value| *value /= length);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt() -> Learnt {
        let texts = ["pay by card", "card payment please", "where is my parcel", "parcel not here"];
        let vectors = [[1.0, 0.1], [0.9, 0.0], [0.1, 1.0], [0.0, 0.9]];
        let rows: Vec<(&str, &[f32])> = texts.iter().zip(&vectors).map(|(text, vector)| (*text, &vector[..])).collect();
        Learnt::of(&rows, rows.len(), &[0, 0, 1, 1], 2)
    }

    #[test]
    fn a_text_nobody_labelled_falls_to_the_class_it_is_like() {
        let learnt = learnt();
        let scores = learnt.linear.scores(&learnt.features("may i pay by card?", &[0.95, 0.2]));
        assert!(scores[0] > scores[1], "{scores:?}");
    }

    #[test]
    fn bytes_bring_back_what_was_learnt_and_no_other_length_does() {
        let learnt = learnt();
        let (bytes, shape) = (learnt.bytes(), learnt.shape());
        assert_eq!(Learnt::from_bytes(&bytes, shape).as_ref(), Some(&learnt));
        assert_eq!(Learnt::from_bytes(&bytes[1..], shape), None);
        assert_eq!(Learnt::from_bytes(&bytes, Shape { classes: usize::MAX, ..shape }), None);
    }
}
