//! Whether words name a thing one can buy ("umbrella", 雨伞) or say something of what is spoken of ("waterproof?", «бывает», 一起). In: the
//! embedding of the words as a question. Out: yes or no, by the line that `scripts/train_things.py` drew between the two kinds of
//! rows of `data/rules/things.tsv`.

use anyhow::{Context, ensure};

/// Beyond it words name no thing though the shop knows some of them.
const FAR: f32 = -2.0;

/// The line: a number for each of an embedding, and what is added to their sum.
#[derive(Clone, Debug, Default)]
pub struct Things {
    weights: Vec<f32>,
    bias: f32,
}

impl Things {
    /// Reads `data/rules/things_weights.tsv`.
    ///
    /// # Errors
    /// A line is no number, or there are none.
    pub fn parse(text: &str) -> anyhow::Result<Things> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
        let number = |(at, line): (usize, &str)| {
            line.trim().parse::<f32>().with_context(|| format!("line {}: `{line}` is no number", at + 1))
        };
        let numbers = lines.map(number).collect::<anyhow::Result<Vec<f32>>>()?;
        ensure!(numbers.iter().all(|number| number.is_finite()), "a weight is not finite");
        let (bias, weights) = numbers.split_first().context("there are no weights")?;
        Ok(Things { weights: weights.to_vec(), bias: *bias })
    }

    /// True when the words of this embedding name a thing; also where the line was drawn for another embedder. Words of which some are
    /// the shop's own must lie far on the other side not to.
    pub fn named(&self, vector: &[f32], partly_known: bool) -> bool {
        if vector.len() != self.weights.len() {
            return true;
        }
        let sum: f32 = vector.iter().zip(&self.weights).map(|(x, weight)| x * weight).sum();
        sum + self.bias > if partly_known { FAR } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fall_on_either_side_of_the_line() {
        let things = Things::parse("# a comment\n-1.0\n2.0\n0.5\n").unwrap();
        let check = |vector: &[f32], known: bool, expected: bool| {
            assert_eq!(things.named(vector, known), expected, "{vector:?}");
        };
        check(&[1.0, 0.0], false, true);
        check(&[0.0, 1.0], false, false);
        check(&[0.0, 1.0], true, true);
        check(&[-1.0, 0.0], true, false);
        check(&[1.0, 0.0, 0.0], false, true);
        check(&[], false, true);
    }

    #[test]
    fn a_broken_table_is_refused_with_its_line() {
        let check = |text: &str, expected: &str| {
            let fault = format!("{:#}", Things::parse(text).unwrap_err());
            assert!(fault.contains(expected), "{fault}");
        };
        check("1.0\nx\n", "line 2");
        check("# nothing\n", "no weights");
        check("1.0\nNaN\n", "not finite");
    }

    #[test]
    fn the_table_that_ships_fits_the_embedder() {
        let things = Things::parse(include_str!("../../data/rules/things_weights.tsv")).unwrap();
        assert_eq!(things.weights.len(), 384);
    }
}
