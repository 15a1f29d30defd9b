//! The second tier: the nearest labelled examples by embedding vote, and say how sure they are.
//! How sure a vote is was learnt from the examples themselves, each judged by all the others.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::Context;
use regex::Regex;

use super::definitions::CommandRules;
use super::examples_cache as cache;
use crate::domain::CommandName;
use crate::engine::{Embed, EmbedInput};

/// Neighbours that vote.
const NEIGHBOURS: usize = 12;
/// How fast a neighbour's say falls with its distance; E5 cosines live in a narrow band.
const TEMPERATURE: f32 = 0.025;
/// The share of examples that lie farther from all others than a message may before it counts as out of scope.
const FAR_SHARE: f64 = 0.005;

/// All labelled examples with their vectors.
pub struct ExampleIndex {
    labels: Vec<CommandName>,
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    calibration: Calibration,
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
    /// The runner-up and the share of either.
    second: Option<CommandName>,
    shares: (f32, f32),
}

impl Vote {
    /// For `--explain`.
    pub fn explain(&self) -> String {
        let nearest = self.neighbours.first().map_or(0.0, |(_, cosine)| *cosine);
        let second = self.second.map_or("-", CommandName::as_str);
        format!("examples: {} {:.2}, then {second} {:.2}, nearest {nearest:.3}, sure {:.2}", self.name, self.shares.0, self.shares.1, self.confidence)
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
    static EMAIL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\S+@\S+\.\w+").expect("invariant: a constant pattern"));
    static PHONE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\+?\d[\d ()-]{7,}\d").expect("invariant: a constant pattern"));
    PHONE.replace_all(&EMAIL.replace_all(text, "[email]"), "[phone]").into_owned()
}

impl ExampleIndex {
    /// Embeds the examples, or reads their vectors from `folder` when model and examples are the ones stored there.
    ///
    /// # Errors
    /// The embedder fails, or its vectors cannot be stored.
    pub async fn build(rules: &CommandRules, embed: &dyn Embed, folder: Option<&Path>) -> anyhow::Result<Self> {
        let examples = rules.specs.iter().flat_map(|spec| spec.examples.iter().map(|(_, text)| (spec.name, anonymous(text))));
        let (labels, texts): (Vec<CommandName>, Vec<String>) = examples.unzip();
        let key = cache::Key::new(&embed.model(), embed.dimensions(), &rules.examples_hash);
        if let Some((vectors, calibration)) = folder.and_then(|folder| cache::load(folder, &key, texts.len())) {
            return Ok(ExampleIndex { labels, texts, vectors, calibration });
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(64) {
            vectors.extend(embed.embed(EmbedInput::Query, batch.to_vec()).await.context("embedding the examples of data/rules/commands.toml")?);
        }
        let mut index = ExampleIndex { labels, texts, vectors, calibration: Calibration::default() };
        index.calibration = index.calibrate();
        if let Some(folder) = folder {
            cache::store(folder, &key, (&index.vectors, index.calibration))?;
        }
        Ok(index)
    }

    /// The vote over a message's vector.
    pub fn vote(&self, vector: &[f32]) -> Vote {
        self.vote_without(vector, None)
    }

    /// An example and its label.
    pub(super) fn labelled(&self, at: usize) -> (String, CommandName) {
        (self.texts[at].clone(), self.labels[at])
    }

    /// Each example judged by the others: label, vote.
    pub fn leave_one_out(&self) -> Vec<(CommandName, Vote)> {
        (0..self.vectors.len()).map(|at| (self.labels[at], self.vote_without(&self.vectors[at], Some(at)))).collect()
    }

    /// The examples' texts with their labels, in the order of [`Self::leave_one_out`].
    pub fn examples(&self) -> impl Iterator<Item = (&str, CommandName)> {
        self.texts.iter().map(String::as_str).zip(self.labels.iter().copied())
    }

    fn vote_without(&self, vector: &[f32], left_out: Option<usize>) -> Vote {
        let mut near: Vec<(usize, f32)> = self.vectors.iter().map(|other| dot(vector, other)).enumerate().filter(|(at, _)| Some(*at) != left_out).collect();
        let count = NEIGHBOURS.min(near.len());
        near.select_nth_unstable_by(count.saturating_sub(1), |a, b| b.1.total_cmp(&a.1));
        near.truncate(count);
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = near.first().map_or(0.0, |(_, cosine)| *cosine);
        let mut shares: Vec<(CommandName, f32)> = Vec::new();
        for (at, cosine) in &near {
            let say = ((cosine - best) / TEMPERATURE).exp();
            match shares.iter_mut().find(|(name, _)| *name == self.labels[*at]) {
                Some((_, share)) => *share += say,
                None => shares.push((self.labels[*at], say)),
            }
        }
        let total: f32 = shares.iter().map(|(_, share)| share).sum();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let share = |at: usize| shares.get(at).map_or(0.0, |(_, share)| share / total);
        let (first, second) = (share(0), share(1));
        Vote {
            name: shares.first().map_or(CommandName::FindProduct, |(name, _)| *name),
            confidence: self.calibration.chance(first - second, best),
            near: best >= self.calibration.far,
            neighbours: near,
            second: shares.get(1).map(|(name, _)| *name),
            shares: (first, second),
        }
    }

    /// Fits the chance to how often the others are right about each example.
    fn calibrate(&self) -> Calibration {
        let outcomes: Vec<(f64, f64, bool)> = self
            .leave_one_out()
            .into_iter()
            .map(|(label, vote)| (f64::from(vote.shares.0 - vote.shares.1), f64::from(vote.neighbours.first().map_or(0.0, |(_, cosine)| *cosine)), vote.name == label))
            .collect();
        Calibration::fit(&outcomes)
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

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
