//! The second tier: what a message is about (its embedding) and how it is worded (`src/learnt`) are weighed by one machine
//! per command, fitted over the labelled examples. How sure it is was learnt from examples judged by fits that
//! had seen neither them nor their translations.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Context;
use regex::Regex;

use super::definitions::CommandRules;
use crate::domain::{CommandName, Language};
use crate::engine::{Embed, EmbedInput, Reading};
use crate::learnt::linear::{Features, Linear, Training};
use crate::learnt::mean;
use crate::learnt::wording::Vocabulary;

mod calibration;
pub(super) mod intents;
mod opinions;
mod shown;
mod stored;
mod vectors;

use calibration::Calibration;
use opinions::Opinions;
use shown::Shown;
use stored::{Fitted, Key};
use vectors::{Known, Owner, Steps, digest};

/// Neighbours named in explanations and shown to the model.
const NEIGHBOURS: usize = 12;
/// Parts of which each is judged by a fit over the others.
const PARTS: usize = 5;

/// Where vectors and the fit are kept.
#[derive(Clone, Debug, Default)]
pub struct Shelves {
    /// Vectors that came with the examples.
    pub shipped: Option<PathBuf>,
    /// What layers tuned without some of the examples think of these; see `scripts/tune_embedder.py`.
    pub held: Option<PathBuf>,
    /// A folder for what is embedded and fitted here.
    pub own: Option<PathBuf>,
}

/// All labelled examples, and what was learnt from them.
pub struct ExampleIndex {
    labels: Vec<CommandName>,
    /// The place of each label in [`CommandName::ALL`].
    classes: Vec<usize>,
    texts: Vec<String>,
    vectors: Vec<Steps>,
    /// The part in which each is left out: the n-th of a command in all languages is in the same.
    parts: Vec<usize>,
    opinions: Opinions,
    fitted: Fitted,
    /// Messages about what was shown, and others, with their vectors: for shipping.
    bearings: Vec<(String, Steps)>,
    shown: Shown,
}

/// An example judged by what was learnt from others.
pub struct Judged<'a> {
    /// The example.
    pub text: &'a str,
    /// What it is.
    pub label: CommandName,
    /// What it was taken for.
    pub vote: Vote,
}

/// The outcome of a vote.
#[derive(Clone, Debug)]
pub struct Vote {
    /// The command with the highest score.
    pub name: CommandName,
    /// The chance that it is right, 0 to 1.
    pub confidence: f32,
    /// False when nothing labelled is like the message.
    pub near: bool,
    /// The nearest examples: index and cosine, nearest first.
    pub neighbours: Vec<(usize, f32)>,
    /// Commands by score, the highest first.
    pub order: Vec<CommandName>,
    /// The scores in the order of [`CommandName::ALL`].
    scores: Vec<f32>,
}

impl Vote {
    fn margin(&self) -> f32 {
        self.score(self.order[0]) - self.score(self.order[1])
    }

    /// How much speaks for a command; the highest wins.
    pub(super) fn score(&self, name: CommandName) -> f32 {
        let at = CommandName::ALL.iter().position(|other| *other == name);
        at.and_then(|at| self.scores.get(at)).copied().unwrap_or(f32::NEG_INFINITY)
    }

    fn nearness(&self) -> f32 {
        self.neighbours.first().map_or(0.0, |(_, cosine)| *cosine)
    }

    /// For `--explain`.
    pub fn explain(&self) -> String {
        let nearest = self.nearness();
        let (first, second) = (self.score(self.order[0]), self.score(self.order[1]));
        format!(
            "examples: {} {first:.2}, then {} {second:.2}, nearest {nearest:.3}, sure {:.2}",
            self.name, self.order[1], self.confidence
        )
    }
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
    /// Embeds and fits the examples, as far as neither is on the shelves.
    ///
    /// # Errors
    /// The embedder fails, or the outcome cannot be stored.
    pub async fn build(rules: &CommandRules, embed: &dyn Embed, shelves: &Shelves) -> anyhow::Result<Self> {
        let examples =
            rules.specs.iter().flat_map(|spec| spec.examples.iter().map(|(_, text)| (spec.name, anonymous(text))));
        let (labels, texts): (Vec<CommandName>, Vec<String>) = examples.unzip();
        let owner = Owner::new(&embed.model(), embed.dimensions());
        let bearings: Vec<(String, bool)> = rules.shown.iter().map(|(text, shown)| (anonymous(text), *shown)).collect();
        let all: Vec<String> = texts.iter().chain(bearings.iter().map(|(text, _)| text)).cloned().collect();
        let known = known(&all, embed, (shelves, &owner)).await?;
        let vectors = texts.iter().map(|text| known[&digest(text)].clone()).collect();
        let class = |label: &CommandName| CommandName::ALL.iter().position(|name| name == label);
        let classes = labels.iter().filter_map(class).collect();
        let opinions = Opinions::load(embed.tuned(), shelves.held.as_deref(), &texts);
        let mut index = ExampleIndex {
            labels,
            classes,
            texts,
            vectors,
            parts: parts(rules),
            opinions,
            fitted: Fitted::default(),
            bearings: bearings.iter().map(|(text, _)| (text.clone(), known[&digest(text)].clone())).collect(),
            shown: Shown::default(),
        };
        let key = Key::new((&embed.model(), embed.dimensions()), index.opinions.sha256(), &rules.examples_hash);
        match shelves.own.as_deref().and_then(|folder| stored::load(folder, &key)) {
            Some(fitted) => index.fitted = fitted,
            None => {
                index.learn();
                if let Some(folder) = &shelves.own {
                    stored::store(folder, &key, &index.fitted)?;
                }
            }
        }
        index.shown = index.learn_shown(bearings.iter().map(|(_, shown)| *shown));
        Ok(index)
    }

    /// Draws the line between questions about what was shown and all others.
    fn learn_shown(&self, about: impl Iterator<Item = bool>) -> Shown {
        let row = |text: &str, steps: &Steps| self.features(text, &steps.vector());
        let mut rows: Vec<_> =
            self.bearings.iter().zip(about).map(|((text, steps), about)| (row(text, steps), about)).collect();
        if rows.is_empty() {
            return Shown::default();
        }
        let others = self.labels.iter().enumerate().filter(|(at, label)| shown::elsewhere(**label, *at));
        rows.extend(others.map(|(at, _)| (row(&self.texts[at], &self.vectors[at]), false)));
        Shown::fit(&rows, self.fitted.lines.vocabulary.known.len())
    }

    /// How far a message lies on the side of those that ask about what was shown; none where nothing was learnt.
    pub(super) fn of_shown(&self, text: &str, read: &Reading) -> Option<f32> {
        self.shown.side(&self.features(text, &read.vector))
    }

    /// Writes the vectors of all examples to a file, to be shipped with them. Returns how many there are.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ship(&self, path: &Path, embed: &dyn Embed) -> anyhow::Result<usize> {
        let examples = self.texts.iter().zip(&self.vectors);
        let all = examples.chain(self.bearings.iter().map(|(text, steps)| (text, steps)));
        let known: Known = all.map(|(text, steps)| (digest(text), steps.clone())).collect();
        vectors::store(path, &Owner::new(&embed.model(), embed.dimensions()), &known)?;
        Ok(known.len())
    }

    /// The vote over a message as the embedder read it.
    pub fn vote(&self, text: &str, read: &Reading) -> Vote {
        let mut scores = self.fitted.lines.linear.scores(&self.features(text, &read.vector));
        self.opinions.weigh(&mut scores, &read.opinion);
        self.outcome(&scores, self.nearest(&Steps::of(&read.vector), &|_| true))
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

    /// Examples judged by fits that had not seen them: each by the other parts, or, where layers are tuned, only those that
    /// the tuning had not seen either. Fits again: for measuring.
    pub fn left_out(&self) -> Vec<Judged<'_>> {
        let rows = self.rows();
        if self.opinions.any() {
            return self.judged(&rows, &|at| self.opinions.held(at).is_some());
        }
        (0..PARTS).flat_map(|part| self.judged(&rows, &|at| self.parts[at] == part)).collect()
    }

    /// The examples for which `kept` holds, judged by all others.
    fn judged(&self, rows: &[Features], kept: &(dyn Fn(usize) -> bool + Sync)) -> Vec<Judged<'_>> {
        let linear = Linear::fit(&self.training(rows), &|at| !kept(at));
        let judge = |at: usize| {
            let mut scores = linear.scores(&rows[at]);
            self.opinions.weigh(&mut scores, self.opinions.held(at).unwrap_or_default());
            let vote = self.outcome(&scores, self.nearest(&self.vectors[at], &|other| !kept(other)));
            Judged { text: &self.texts[at], label: self.labels[at], vote }
        };
        (0..rows.len()).filter(|at| kept(*at)).map(judge).collect()
    }

    fn learn(&mut self) {
        let whole: Vec<Vec<f32>> = self.vectors.iter().map(Steps::vector).collect();
        self.fitted.lines.mean = mean(whole.iter().map(Vec::as_slice));
        self.fitted.lines.vocabulary = Vocabulary::of(self.texts.iter().map(String::as_str));
        let rows = self.rows();
        self.fitted.lines.linear = Linear::fit(&self.training(&rows), &|_| true);
        let outcome = |Judged { vote, label, .. }: &Judged<'_>| {
            (f64::from(vote.margin()), f64::from(vote.nearness()), vote.name == *label)
        };
        let outcomes: Vec<_> = self.left_out().iter().map(outcome).collect();
        self.fitted.calibration = Calibration::fit(&outcomes);
    }

    fn rows(&self) -> Vec<Features> {
        self.texts.iter().zip(&self.vectors).map(|(text, steps)| self.features(text, &steps.vector())).collect()
    }

    fn training<'a>(&'a self, rows: &'a [Features]) -> Training<'a> {
        let vocabulary = self.fitted.lines.vocabulary.known.len();
        Training { rows, labels: &self.classes, classes: CommandName::ALL.len(), vocabulary }
    }

    fn features(&self, text: &str, vector: &[f32]) -> Features {
        self.fitted.lines.features(text, vector)
    }

    fn nearest(&self, vector: &Steps, among: &dyn Fn(usize) -> bool) -> Vec<(usize, f32)> {
        // The best so far, nearest first: a list of all of them would be hundreds of kilobytes for each message.
        let mut near: Vec<(usize, f32)> = Vec::with_capacity(NEIGHBOURS + 1);
        let mut least = f32::NEG_INFINITY;
        for at in (0..self.vectors.len()).filter(|at| among(*at)) {
            let likeness = vector.likeness(&self.vectors[at]);
            if likeness > least {
                let place = near.partition_point(|(_, other)| *other >= likeness);
                near.insert(place, (at, likeness));
                near.truncate(NEIGHBOURS);
                least = if near.len() == NEIGHBOURS { near[NEIGHBOURS - 1].1 } else { f32::NEG_INFINITY };
            }
        }
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
            scores: scores.to_vec(),
            order: order.into_iter().map(|at| CommandName::ALL[at]).collect(),
        };
        let calibration = &self.fitted.calibration;
        vote.confidence = calibration.chance(vote.margin(), vote.nearness());
        vote.near = vote.nearness() >= calibration.far;
        vote
    }
}

/// The vectors of all texts: those on the shelves, and the rest embedded and put there.
async fn known(texts: &[String], embed: &dyn Embed, (shelves, owner): (&Shelves, &Owner)) -> anyhow::Result<Known> {
    let mut known = shelves.shipped.as_deref().map_or_else(Known::new, |path| vectors::load(path, owner));
    let shelf = shelves.own.as_ref().map(|folder| folder.join("vectors.bin"));
    let mut own = shelf.as_deref().map_or_else(Known::new, |path| vectors::load(path, owner));
    let missing: Vec<String> = texts
        .iter()
        .map(|text| (digest(text), text))
        .filter(|(digest, _)| !known.contains_key(digest) && !own.contains_key(digest))
        .collect::<HashMap<_, _>>()
        .into_values()
        .cloned()
        .collect();
    for batch in missing.chunks(64) {
        let vectors =
            embed.embed(EmbedInput::Query, batch.to_vec()).await.context("embedding the examples of data/rules")?;
        own.extend(batch.iter().map(|text| digest(text)).zip(vectors.iter().map(|vector| Steps::of(vector))));
    }
    if let Some(path) = shelf.filter(|_| !missing.is_empty()) {
        vectors::store(&path, owner, &own)?;
    }
    known.extend(own);
    Ok(known)
}

/// The n-th of a command is in the same part in every language, for it may say the same there.
fn parts(rules: &CommandRules) -> Vec<usize> {
    let mut parts = Vec::new();
    for spec in &rules.specs {
        let mut places: BTreeMap<Language, usize> = BTreeMap::new();
        for (language, _) in &spec.examples {
            let place = places.entry(*language).or_default();
            parts.push(*place % PARTS);
            *place += 1;
        }
    }
    parts
}
