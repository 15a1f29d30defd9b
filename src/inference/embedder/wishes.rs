//! Where one wish of a message ends and the next begins, and what each wants. In: what layers tuned for this hold of every token of a
//! message, from a file that `scripts/train_wishes.py` wrote for this very embedder. Out: the likeliest way to part it.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, ensure};

use super::super::weights::Weights;
use super::encoder::{Encoder, Layer};
use crate::engine::{ModelId, Stretch};

/// The layers, and what is concluded from what they hold.
pub(super) struct Wishes {
    pub(super) layers: Vec<Layer>,
    /// A row for "here begins another wish", then one for each label.
    weights: Vec<f32>,
    bias: Vec<f32>,
    labels: Vec<String>,
    /// What the labels of a token weigh beside the chance that a wish begins there: neighbouring tokens say much the same.
    of_labels: f32,
    /// Added to the logarithm of the odds that a wish begins.
    lean: f32,
}

impl Wishes {
    /// Reads a file of such layers.
    ///
    /// # Errors
    /// It cannot be read, is not such a file, or was made for another embedder.
    pub(super) fn load(path: &Path, encoder: &Encoder, base: &ModelId) -> anyhow::Result<Wishes> {
        let mut weights = Weights::open(path)?;
        let of = weights.text("truetill.base.sha256")?;
        ensure!(of == base.sha256, "its layers were tuned for another embedder ({of}); run scripts/train_wishes.py");
        let first = weights.number("truetill.first_layer")?;
        let depth = encoder.depth();
        ensure!((1..depth).contains(&first), "its first layer is {first}, the embedder has {depth}");
        let labels = weights.take_texts("truetill.labels")?;
        ensure!(labels.len() >= 2, "it knows {} labels", labels.len());
        let number = |weights: &Weights, name: &str| weights.value(name)?.to_f32().with_context(|| format!("`{name}`"));
        let (of_labels, lean): (f32, f32) =
            (number(&weights, "truetill.of_labels")?, number(&weights, "truetill.lean")?);
        ensure!(of_labels > 0.0, "`truetill.of_labels` is {of_labels}");
        let shape = [1 + labels.len(), encoder.dimensions()];
        Ok(Wishes {
            layers: encoder.layers_of(&mut weights, first..depth)?,
            weights: weights.floats("head.weight", &shape)?,
            bias: weights.floats("head.bias", &shape[..1])?,
            labels,
            of_labels,
            lean,
        })
    }

    /// The scores of all tokens, a row each, by what the last of the layers holds of them.
    pub(super) fn scores(&self, held: &[f32]) -> Vec<Vec<f32>> {
        let width = self.weights.len() / self.bias.len();
        let score = |token: &[f32]| {
            let rows = self.weights.chunks_exact(width).zip(&self.bias);
            rows.map(|(row, bias)| row.iter().zip(token).map(|(w, x)| w * x).sum::<f32>() + bias).collect()
        };
        held.chunks_exact(width).map(score).collect()
    }

    /// A text parted by the scores of its tokens, which stand at these places; empty where none stands anywhere.
    pub(super) fn stretches(&self, scores: &[Vec<f32>], places: &[Range<usize>], text: &str) -> Vec<Stretch> {
        let tokens: Vec<Token> =
            scores.iter().zip(places).filter_map(|(row, place)| self.token(row, place, text)).collect();
        let likeliest = parted(&tokens);
        let ends = likeliest.iter().skip(1).map(|(at, _)| tokens[*at].start).chain([text.len()]);
        let stretch = |((at, label), end): (&(usize, usize), usize)| {
            let start = if *at == 0 { 0 } else { tokens[*at].start };
            let own = tokens[*at..].iter().take_while(|token| token.start < end);
            let chances = self.chances(&own.collect::<Vec<_>>());
            let named = self.labels.iter().cloned().zip(chances.iter().copied()).collect();
            Stretch { range: start..end, wish: self.labels[*label].clone(), sure: chances[*label], chances: named }
        };
        likeliest.iter().zip(ends).map(stretch).collect()
    }

    /// How likely each label is for these tokens together: by the mean of their scores, as `scripts/train_wishes.py` tunes them.
    fn chances(&self, tokens: &[&Token]) -> Vec<f32> {
        let mean = |label: usize| {
            let sum: f32 = tokens.iter().map(|token| token.labels[label]).sum();
            sum / tokens.len().max(1) as f32 / self.of_labels
        };
        let means: Vec<f32> = (0..self.labels.len()).map(mean).collect();
        softmax(&means)
    }

    fn token(&self, row: &[f32], place: &Range<usize>, text: &str) -> Option<Token> {
        let own = text.get(place.clone()).filter(|own| !own.is_empty())?;
        let start = place.start + (own.len() - own.trim_start().len());
        let (begins, labels) = row.split_first()?;
        let odds = begins + self.lean;
        let highest = labels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let all = labels.iter().map(|label| (label - highest).exp()).sum::<f32>().ln() + highest;
        Some(Token {
            start,
            may_begin: opens_a_word(text, start),
            begins: -(-odds).exp().ln_1p(),
            goes_on: -odds.exp().ln_1p(),
            labels: labels.iter().map(|label| self.of_labels * (label - all)).collect(),
        })
    }
}

/// What counts for and against parting a message at a token.
struct Token {
    start: usize,
    may_begin: bool,
    /// The logarithm of the chance that a wish begins here ...
    begins: f32,
    /// ... and that none does.
    goes_on: f32,
    /// What speaks for each label.
    labels: Vec<f32>,
}

/// A wish begins with a word; Chinese writes them without spaces.
fn opens_a_word(text: &str, at: usize) -> bool {
    let Some(first) = text[at..].chars().next().filter(|c| c.is_alphanumeric()) else { return false };
    let before = text[..at].chars().next_back();
    is_han(first) || before.is_none_or(|before| !before.is_alphanumeric())
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}')
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
    let all: f32 = powers.iter().sum();
    powers.iter().map(|power| power / all).collect()
}

/// The likeliest way to part the tokens: where each wish begins, and its label (Viterbi's way).
fn parted(tokens: &[Token]) -> Vec<(usize, usize)> {
    let Some((first, rest)) = tokens.split_first() else { return Vec::new() };
    let best = |scores: &[f32]| (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
    let mut scores = first.labels.clone();
    // Of each token: the label before a wish that begins here, and for which labels one does.
    let mut steps: Vec<(usize, Vec<bool>)> = Vec::with_capacity(rest.len());
    for token in rest {
        let before = best(&scores);
        let anew = scores[before] + token.begins;
        let mut begun = vec![false; scores.len()];
        for (label, score) in scores.iter_mut().enumerate() {
            let stays = *score + token.goes_on;
            begun[label] = token.may_begin && anew > stays;
            *score = if begun[label] { anew } else { stays } + token.labels[label];
        }
        steps.push((before, begun));
    }
    let mut label = best(&scores);
    let mut wishes = Vec::new();
    for (at, (before, begun)) in steps.iter().enumerate().rev() {
        if begun[label] {
            wishes.push((at + 1, label));
            label = *before;
        }
    }
    wishes.push((0, label));
    wishes.reverse();
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that begins a wish with this chance, and of which each label is so likely.
    fn token(begins: f32, labels: [f32; 2]) -> Token {
        let labels = labels.iter().map(|chance: &f32| chance.ln()).collect();
        Token { start: 0, may_begin: true, begins: begins.ln(), goes_on: (1.0 - begins).ln(), labels }
    }

    fn check(tokens: &[Token], expected: &[(usize, usize)]) {
        assert_eq!(parted(tokens), expected);
    }

    #[test]
    fn a_message_is_parted_where_the_words_say_so() {
        let one = || token(0.1, [0.9, 0.1]);
        let other = || token(0.1, [0.1, 0.9]);
        check(&[one(), one(), one()], &[(0, 0)]);
        check(&[one(), one(), token(0.9, [0.1, 0.9]), other()], &[(0, 0), (2, 1)]);
        // Of two wishes of one kind the second begins where it is said to.
        check(&[one(), token(0.9, [0.9, 0.1]), one()], &[(0, 0), (1, 0)]);
        // A word that sounds like something else is not a wish.
        check(&[one(), token(0.05, [0.3, 0.7]), one(), one()], &[(0, 0)]);
        // The middle of a word begins nothing, however sure the layers are.
        check(&[one(), Token { may_begin: false, ..token(0.99, [0.2, 0.8]) }, one()], &[(0, 0)]);
        check(&[], &[]);
    }

    #[test]
    fn wishes_begin_with_words() {
        let check = |text: &str, at: usize, expected: bool| assert_eq!(opens_a_word(text, at), expected, "{text} {at}");
        check("a lamp, two", 2, true);
        check("a lamp, two", 4, false);
        check("a lamp, two", 6, false);
        check("a lamp, two", 8, true);
        check("红色的有吗", 3, true);
    }
}
