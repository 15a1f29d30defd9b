//! Compares the tiers over labelled messages: each alone and together, the model without and with retrieved examples.
//! In: a table's rows, and the models one by one. Out: shares of messages whose commands are all right, and times.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::cases::Batch;
use super::measure::{Labelled, Share, same};
use super::{Hinting, Input, examples, model};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language, Slots, Tier};
use crate::engine::{Generate, Reading};

/// How one way of understanding did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Way {
    /// Which.
    pub name: String,
    /// Per language.
    pub by_language: BTreeMap<Language, Share>,
    /// All together.
    pub all: Share,
    /// Messages with several wishes.
    pub several: Share,
    /// Messages the model was asked about, and right among them.
    pub asked: Share,
    /// Milliseconds of these.
    pub asked_ms: Vec<f64>,
    /// Milliseconds of each message.
    pub ms: Vec<f64>,
}

impl Way {
    fn named(name: String) -> Way {
        Way { name, ..Way::default() }
    }

    fn add(&mut self, row: &Labelled, right: bool, started: Instant) {
        self.ms.push(started.elapsed().as_secs_f64() * 1e3);
        self.by_language.entry(row.language).or_default().add(right);
        self.all.add(right);
        if row.expected.len() > 1 {
            self.several.add(right);
        }
    }
}

/// So many messages of each language, spread over the table; 0 for all.
pub fn sample(rows: Vec<Labelled>, each: usize) -> Vec<Labelled> {
    let mut by_language: BTreeMap<Language, Vec<Labelled>> = BTreeMap::new();
    for row in rows {
        by_language.entry(row.language).or_default().push(row);
    }
    let spread = |rows: Vec<Labelled>| {
        let step = if each == 0 { 1 } else { rows.len().div_ceil(each).max(1) };
        rows.into_iter().step_by(step)
    };
    by_language.into_values().flat_map(spread).collect()
}

/// The tiers that need no language model: rules, examples, both.
///
/// # Errors
/// There is no embedder, or it fails.
pub async fn without_model(batch: &Batch<'_>, rows: &[Labelled]) -> anyhow::Result<Vec<Way>> {
    let [mut rules, mut votes, mut both] =
        ["rules alone", "examples alone", "rules and examples"].map(|name| Way::named(name.to_string()));
    for row in rows {
        let reading = Instant::now();
        let (message, session) = (batch.message(&row.text).await, session(row));
        let input = Input { message: &message, session: &session };
        // The message is read once; each way that needs it bears that time.
        let reading = reading.elapsed();
        let started = Instant::now();
        let ruled = batch.understander.by_rules(input);
        rules.add(row, ruled.is_some_and(|ruled| same(&ruled.commands, &row.expected)), started);
        let started = Instant::now() - reading;
        let read = read(batch, &message.text).await?;
        let vote = batch.understander.vote(&message, &read).context("there are no labelled examples")?;
        votes.add(row, same(&[bare(vote.name)], &row.expected), started);
        let started = Instant::now() - reading;
        let whole = batch.understander.understand(input, batch.embed, None).await;
        both.add(row, same(&whole.commands, &row.expected), started);
    }
    Ok(vec![rules, votes, both])
}

/// A model asked about every message, with as much of the examples' vote as `hinting` says.
///
/// # Errors
/// There is no embedder, or it fails.
pub async fn alone(
    batch: &Batch<'_>,
    rows: &[Labelled],
    (name, generate): (&str, &dyn Generate),
    hinting: Hinting,
) -> anyhow::Result<Way> {
    let mut way = Way::named(title(name, hinting, "alone"));
    for row in rows {
        let started = Instant::now();
        let (message, session) = (batch.message(&row.text).await, session(row));
        let input = Input { message: &message, session: &session };
        let read = read(batch, &message.text).await?;
        let vote = batch.understander.vote(&message, &read);
        let hints = batch.understander.hints(vote.as_ref(), hinting);
        let told = model::ask(&batch.understander.rules, hints, input, generate).await;
        let commands: Vec<Command> = told.unwrap_or_default().into_iter().map(bare).collect();
        way.add(row, same(&commands, &row.expected), started);
    }
    Ok(way)
}

/// A model in its place, asked where the other tiers are unsure.
pub async fn beside(
    batch: &Batch<'_>,
    rows: &[Labelled],
    (name, generate): (&str, &dyn Generate),
    hinting: Hinting,
) -> Way {
    let mut way = Way::named(title(name, hinting, "together"));
    for row in rows {
        let started = Instant::now();
        let (message, session) = (batch.message(&row.text).await, session(row));
        let input = Input { message: &message, session: &session };
        let whole = batch.understander.decide((input, None), batch.embed, (Some(generate), hinting)).await;
        let right = same(&whole.commands, &row.expected);
        if whole.tier == Tier::Model {
            way.asked.add(right);
            way.asked_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        way.add(row, right, started);
    }
    way
}

fn title(name: &str, Hinting { shots, candidates }: Hinting, how: &str) -> String {
    let among = if candidates < CommandName::ALL.len() { candidates.to_string() } else { "all".to_string() };
    format!("{name}, {shots} shots, {among} commands, {how}")
}

fn session(row: &Labelled) -> Session {
    Session { language: row.language, ..Session::default() }
}

async fn read(batch: &Batch<'_>, text: &str) -> anyhow::Result<Reading> {
    let embed = batch.embed.context("comparing needs the embedder; run `truetill pull`")?;
    let readings = embed.read(vec![examples::anonymous(text)]).await?;
    readings.into_iter().next().context("the embedder gave no vector")
}

fn bare(name: CommandName) -> Command {
    Command { name, slots: Slots::default() }
}
