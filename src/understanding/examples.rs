//! The second tier: labelled examples vote by the likeness of their embeddings, and say how sure they are.
//! How sure a vote is was learnt from the examples themselves, each judged by all the others but its translations.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Context;
use regex::Regex;

use super::definitions::CommandRules;
use super::examples_cache::{self as cache, Stored};
use super::kernel::{Centring, Fit, Targets, fit, kernel};
use crate::domain::{CommandName, Language};
use crate::engine::{Embed, EmbedInput};

/// Neighbours named in explanations and shown to the model.
const NEIGHBOURS: usize = 12;
/// The share of examples that lie farther from all others than a message may before it counts as like none.
const FAR_SHARE: f64 = 0.005;

/// All labelled examples with their vectors and their says.
pub struct ExampleIndex {
    labels: Vec<CommandName>,
    texts: Vec<String>,
    /// Examples that say the same in several languages, by index: the n-th of a command in each.
    groups: Vec<Vec<usize>>,
    /// Centred, for the votes.
    centred: Vec<Vec<f32>>,
    centring: Centring,
    stored: Stored,
}

/// The outcome of a vote.
#[derive(Clone, Debug)]
pub struct Vote {
    /// The command with most votes.
    pub name: CommandName,
    /// The chance that it is right, 0 to 1.
    pub confidence: f32,
    /// False when nothing labelled is like the message.
    pub near: bool,
    /// The nearest examples: index and cosine, nearest first.
    pub neighbours: Vec<(usize, f32)>,
    /// The runner-up, and the score of either.
    second: CommandName,
    scores: (f32, f32),
}

impl Vote {
    fn margin(&self) -> f32 {
        self.scores.0 - self.scores.1
    }

    fn nearness(&self) -> f32 {
        self.neighbours.first().map_or(0.0, |(_, cosine)| *cosine)
    }

    /// For `--explain`.
    pub fn explain(&self) -> String {
        let nearest = self.nearness();
        let (first, second) = self.scores;
        format!(
            "examples: {} {first:.2}, then {} {second:.2}, nearest {nearest:.3}, sure {:.2}",
            self.name, self.second, self.confidence
        )
    }
}

/// Turns a vote's margin and nearness into a chance.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Calibration {
    bias: f64,
    margin: f64,
    nearness: f64,
    /// The cosine that counts as zero nearness, and the scale of it.
    centre: f64,
    scale: f64,
    /// Below this cosine nothing labelled is like the message.
    pub(super) far: f32,
}

/// Contacts and long numbers as screening masks them, so that examples and messages look alike.
pub(super) fn anonymous(text: &str) -> String {
    static EMAIL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\S+@\S+\.\w+").expect("invariant: a constant pattern"));
    static PHONE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\+?\d[\d ()-]{7,}\d").expect("invariant: a constant pattern"));
    PHONE.replace_all(&EMAIL.replace_all(text, "[email]"), "[phone]").into_owned()
}

impl ExampleIndex {
    /// Embeds and fits the examples, or reads the outcome from `folder` when model and examples are the ones stored there.
    ///
    /// # Errors
    /// The embedder fails, or the outcome cannot be stored.
    pub async fn build(rules: &CommandRules, embed: &dyn Embed, folder: Option<&Path>) -> anyhow::Result<Self> {
        let examples =
            rules.specs.iter().flat_map(|spec| spec.examples.iter().map(|(_, text)| (spec.name, anonymous(text))));
        let (labels, texts): (Vec<CommandName>, Vec<String>) = examples.unzip();
        let key = cache::Key::new(&embed.model(), embed.dimensions(), &rules.examples_hash);
        if let Some(stored) = folder.and_then(|folder| cache::load(folder, &key, texts.len())) {
            return Ok(Self::over(rules, (labels, texts), stored));
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(64) {
            vectors.extend(
                embed
                    .embed(EmbedInput::Query, batch.to_vec())
                    .await
                    .context("embedding the examples of data/rules/examples")?,
            );
        }
        let mut index = Self::over(
            rules,
            (labels, texts),
            Stored { vectors, says: Vec::new(), calibration: Calibration::default() },
        );
        index.learn();
        if let Some(folder) = folder {
            cache::store(folder, &key, &index.stored)?;
        }
        Ok(index)
    }

    fn over(rules: &CommandRules, (labels, texts): (Vec<CommandName>, Vec<String>), stored: Stored) -> Self {
        let centring = Centring::of(&stored.vectors);
        let centred = stored.vectors.iter().map(|vector| centring.apply(vector)).collect();
        ExampleIndex { labels, texts, groups: groups(rules), centred, centring, stored }
    }

    /// The vote over a message's vector.
    pub fn vote(&self, vector: &[f32]) -> Vote {
        let centred = self.centring.apply(vector);
        let mut scores = vec![0.0_f32; CommandName::ALL.len()];
        for (other, says) in self.centred.iter().zip(&self.stored.says) {
            let likeness = kernel(&centred, other);
            scores.iter_mut().zip(says).for_each(|(score, say)| *score += likeness * say);
        }
        self.outcome(&scores, self.nearest(vector, &[]))
    }

    /// The nearest examples with their commands and cosines, for `--explain`.
    pub(super) fn explain_neighbours(&self, vote: &Vote) -> String {
        let one = |(at, cosine): &(usize, f32)| format!("`{}` ({} {cosine:.3})", self.texts[*at], self.labels[*at]);
        format!("nearest: {}", vote.neighbours.iter().take(4).map(one).collect::<Vec<_>>().join(", "))
    }

    /// An example and its label.
    pub(super) fn labelled(&self, at: usize) -> (String, CommandName) {
        (self.texts[at].clone(), self.labels[at])
    }

    /// The examples' texts with their labels.
    pub fn examples(&self) -> impl Iterator<Item = (&str, CommandName)> {
        self.texts.iter().map(String::as_str).zip(self.labels.iter().copied())
    }

    /// Each example judged by all the others but its translations, in the order of [`Self::examples`]. Fits again: for measuring.
    pub fn leave_one_out(&self) -> Vec<Vote> {
        self.votes_left_out(&self.fitted().left_out)
    }

    fn learn(&mut self) {
        let fitted = self.fitted();
        let votes = self.votes_left_out(&fitted.left_out);
        self.stored.says = fitted.says;
        let outcome = |(vote, label): (&Vote, &CommandName)| {
            (f64::from(vote.margin()), f64::from(vote.nearness()), vote.name == *label)
        };
        self.stored.calibration = Calibration::fit(&votes.iter().zip(&self.labels).map(outcome).collect::<Vec<_>>());
    }

    fn fitted(&self) -> Fit {
        fit(&self.centred, &Targets { labels: &self.classes(), groups: &self.groups, classes: CommandName::ALL.len() })
    }

    fn votes_left_out(&self, left_out: &[Vec<f32>]) -> Vec<Vote> {
        let mut together: Vec<&[usize]> = vec![&[]; self.labels.len()];
        self.groups.iter().for_each(|group| group.iter().for_each(|at| together[*at] = group));
        let vote = |(at, scores): (usize, &Vec<f32>)| {
            self.outcome(scores, self.nearest(&self.stored.vectors[at], together[at]))
        };
        left_out.iter().enumerate().map(vote).collect()
    }

    fn classes(&self) -> Vec<usize> {
        self.labels
            .iter()
            .map(|label| {
                CommandName::ALL.iter().position(|name| name == label).expect("invariant: ALL holds every command")
            })
            .collect()
    }

    fn nearest(&self, vector: &[f32], left_out: &[usize]) -> Vec<(usize, f32)> {
        let mut near: Vec<(usize, f32)> = self
            .stored
            .vectors
            .iter()
            .map(|other| dot(vector, other))
            .enumerate()
            .filter(|(at, _)| !left_out.contains(at))
            .collect();
        let count = NEIGHBOURS.min(near.len());
        if count > 0 {
            near.select_nth_unstable_by(count - 1, |a, b| b.1.total_cmp(&a.1));
        }
        near.truncate(count);
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        near
    }

    fn outcome(&self, scores: &[f32], neighbours: Vec<(usize, f32)>) -> Vote {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut vote = Vote {
            name: CommandName::ALL[order[0]],
            confidence: 0.0,
            near: false,
            neighbours,
            second: CommandName::ALL[order[1]],
            scores: (scores[order[0]], scores[order[1]]),
        };
        let calibration = &self.stored.calibration;
        vote.confidence = calibration.chance(vote.margin(), vote.nearness());
        vote.near = vote.nearness() >= calibration.far;
        vote
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Calibration { bias: -1.0, margin: 4.0, nearness: 0.0, centre: 0.0, scale: 1.0, far: -1.0 }
    }
}

impl Calibration {
    fn chance(&self, margin: f32, best: f32) -> f32 {
        self.probability(f64::from(margin), f64::from(best)) as f32
    }

    fn probability(&self, margin: f64, best: f64) -> f64 {
        let nearness = (best - self.centre) / self.scale;
        1.0 / (1.0 + (-(self.bias + self.margin * margin + self.nearness * nearness)).exp())
    }

    /// Logistic regression on margin and nearness by gradient descent.
    fn fit(outcomes: &[(f64, f64, bool)]) -> Self {
        let count = outcomes.len().max(1) as f64;
        let mut nearest: Vec<f64> = outcomes.iter().map(|(_, best, _)| *best).collect();
        nearest.sort_by(f64::total_cmp);
        let centre = nearest.iter().sum::<f64>() / count;
        let spread = (nearest.iter().map(|best| (best - centre).powi(2)).sum::<f64>() / count).sqrt();
        let far = nearest.get((count * FAR_SHARE) as usize).map_or(-1.0, |best| *best as f32);
        let mut fit = Calibration { bias: 0.0, margin: 1.0, nearness: 0.5, centre, scale: spread.max(1e-3), far };
        for _ in 0..1500 {
            let (mut bias, mut margin_slope, mut nearness_slope) = (0.0, 0.0, 0.0);
            for (margin, best, right) in outcomes {
                let error = fit.probability(*margin, *best) - f64::from(u8::from(*right));
                bias += error;
                margin_slope += error * margin;
                nearness_slope += error * (best - centre) / fit.scale;
            }
            fit.bias -= 2.0 * bias / count;
            fit.margin -= 2.0 * margin_slope / count;
            fit.nearness -= 2.0 * nearness_slope / count;
        }
        // A nearer neighbour never makes a vote less sure.
        fit.nearness = fit.nearness.max(0.0);
        fit
    }
}

fn groups(rules: &CommandRules) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(CommandName, usize), Vec<usize>> = BTreeMap::new();
    let mut at = 0;
    for spec in &rules.specs {
        let mut places: BTreeMap<Language, usize> = BTreeMap::new();
        for (language, _) in &spec.examples {
            let place = places.entry(*language).or_default();
            groups.entry((spec.name, *place)).or_default().push(at);
            *place += 1;
            at += 1;
        }
    }
    groups.into_values().collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
