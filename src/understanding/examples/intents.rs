//! The second tier alone over a public set of intents, to compare it with what others report. In: a table `split`, `intent`,
//! `text`; rows of `train` are learnt, rows of `val` judged (without any: every fifth row of `train`, by the digest of its
//! text, is judged instead of learnt); rows whose split begins with `oos` belong to no intent.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde::Serialize;

use super::vectors::digest;
use crate::engine::{Embed, EmbedInput};
use crate::learnt::linear::{Features, Linear, Training};
use crate::learnt::wording::Vocabulary;
use crate::learnt::{centred, mean};

/// First line of such a table.
pub const HEADER: &str = "split\tintent\ttext";
/// Of messages that belong to an intent, the share that may be taken for none.
const REFUSED: f64 = 0.05;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntentReport {
    /// Intents told apart.
    pub intents: usize,
    /// Messages learnt from.
    pub learnt: usize,
    /// Messages judged, and how many of them right.
    pub judged: usize,
    /// See `judged`.
    pub right: usize,
    /// Messages of no intent, and how many of them lie below the score that refuses 5 % of those judged.
    pub foreign: usize,
    /// See `foreign`.
    pub foreign_found: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Learnt,
    Judged,
    Foreign,
}

struct Row<'a> {
    part: Part,
    intent: &'a str,
    text: &'a str,
}

/// Learns and judges.
///
/// # Errors
/// A row that is none, by number; or the embedder fails.
pub async fn measure_intents(table: &str, embed: &dyn Embed) -> anyhow::Result<IntentReport> {
    let rows = read(table)?;
    let mut vectors = Vec::with_capacity(rows.len());
    for batch in rows.chunks(64) {
        let texts = batch.iter().map(|row| row.text.to_string()).collect();
        vectors.extend(embed.embed(EmbedInput::Query, texts).await.context("embedding the messages")?);
    }
    Ok(judge(&rows, &vectors))
}

fn read(table: &str) -> anyhow::Result<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    for (at, line) in table.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
        let mut columns = line.splitn(3, '\t');
        let (Some(split), Some(intent), Some(text)) = (columns.next(), columns.next(), columns.next()) else {
            bail!("row {}: expected 3 columns", at + 1);
        };
        let part = match split {
            "train" => Part::Learnt,
            "val" => Part::Judged,
            _ if split.starts_with("oos") => Part::Foreign,
            other => bail!("row {}: unknown split `{other}`; expected train, val or oos", at + 1),
        };
        rows.push(Row { part, intent, text });
    }
    if rows.iter().all(|row| row.part != Part::Judged) {
        let fifth = |text: &str| digest(text)[0].is_multiple_of(5);
        rows.iter_mut()
            .filter(|row| row.part == Part::Learnt && fifth(row.text))
            .for_each(|row| row.part = Part::Judged);
    }
    Ok(rows)
}

fn judge(rows: &[Row<'_>], vectors: &[Vec<f32>]) -> IntentReport {
    let is = |part: Part| move |at: &usize| rows[*at].part == part;
    let learnt: Vec<usize> = (0..rows.len()).filter(is(Part::Learnt)).collect();
    let known: BTreeSet<&str> = learnt.iter().map(|at| rows[*at].intent).collect();
    let intents: Vec<&str> = known.into_iter().collect();
    let vocabulary = Vocabulary::of(learnt.iter().map(|at| rows[*at].text));
    let mean = mean(learnt.iter().map(|at| vectors[*at].as_slice()));
    let features: Vec<Features> = rows
        .iter()
        .zip(vectors)
        .map(|(row, vector)| Features { meaning: centred(vector, &mean), wording: vocabulary.wording(row.text) })
        .collect();
    let labels: Vec<usize> = rows.iter().map(|row| intents.binary_search(&row.intent).unwrap_or(usize::MAX)).collect();
    let training =
        Training { rows: &features, labels: &labels, classes: intents.len(), vocabulary: vocabulary.known.len() };
    let linear = Linear::fit(&training, &|at| rows[at].part == Part::Learnt);
    let best = |at: usize| {
        let scores = linear.scores(&features[at]);
        (0..scores.len()).map(|class| (scores[class], class)).fold((f32::MIN, 0), |a, b| if b.0 > a.0 { b } else { a })
    };
    let judged: Vec<(f32, bool)> = (0..rows.len())
        .filter(is(Part::Judged))
        .map(|at| (best(at), labels[at]))
        .map(|((score, class), label)| (score, class == label))
        .collect();
    let mut scores: Vec<f32> = judged.iter().map(|(score, _)| *score).collect();
    scores.sort_by(f32::total_cmp);
    let least = scores.get((scores.len() as f64 * REFUSED) as usize).copied().unwrap_or(f32::MIN);
    let foreign: Vec<f32> = (0..rows.len()).filter(is(Part::Foreign)).map(|at| best(at).0).collect();
    IntentReport {
        intents: intents.len(),
        learnt: learnt.len(),
        judged: judged.len(),
        right: judged.iter().filter(|(_, right)| *right).count(),
        foreign: foreign.len(),
        foreign_found: foreign.iter().filter(|score| **score < least).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, &str)]) -> String {
        let lines = rows.iter().map(|(split, intent, text)| format!("{split}\t{intent}\t{text}\n"));
        std::iter::once(format!("{HEADER}\n")).chain(lines).collect()
    }

    #[test]
    fn learnt_rows_are_not_judged() {
        let text = table(&[
            ("train", "a", "one red"),
            ("train", "b", "two blue"),
            ("val", "a", "one red again"),
            ("oos_val", "oos", "three"),
        ]);
        let vectors = [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.7, 0.7]].map(|vector| vector.to_vec());
        let report = judge(&read(&text).unwrap(), &vectors);
        let counts = (report.intents, report.learnt, report.judged, report.right, report.foreign);
        assert_eq!(counts, (2, 2, 1, 1, 1));
    }

    #[test]
    fn without_rows_to_judge_some_are_taken_from_those_to_learn() {
        let texts: Vec<String> = (0..50).map(|at| format!("message {at}")).collect();
        let rows: Vec<(&str, &str, &str)> = texts.iter().map(|text| ("train", "a", text.as_str())).collect();
        let text = table(&rows);
        let judged = read(&text).unwrap().iter().filter(|row| row.part == Part::Judged).count();
        assert!((3..20).contains(&judged), "{judged}");
        assert!(read(&table(&[("test", "a", "x")])).is_err());
        assert!(read(&format!("{HEADER}\nonly one column")).is_err());
    }
}
