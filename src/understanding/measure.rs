//! Measures understanding over labelled messages: rules alone, examples alone, both; per language; slots and times.
//! A table goes in (`lang`, `expected`, `slots`, `text`), a report comes out. Neither screening nor the turn is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use super::cases::Batch;
use super::folded::fold;
use super::{ABOUT, Input, Signs, Vote, examples};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language};

/// From this confidence on the examples alone are called sure of a message.
pub const SURE: f32 = 0.75;

/// First line of a table of labelled messages.
pub const HEADER: &str = "lang\texpected\tslots\ttext";

/// A labelled message.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The channel's language.
    pub language: Language,
    /// The commands it holds.
    pub expected: Vec<CommandName>,
    /// Per command its slots as `name=value`; absent when nobody labelled them.
    pub slots: Option<Vec<Vec<String>>>,
    /// The message.
    pub text: String,
}

/// Right and all.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    /// How many were right.
    pub right: usize,
    /// Out of how many.
    pub all: usize,
}

impl Share {
    /// Counts one more.
    pub fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }

    /// Right by all; 1 where there was nothing to get wrong.
    pub fn rate(&self) -> f64 {
        if self.all == 0 { 1.0 } else { self.right as f64 / self.all as f64 }
    }
}

/// Slots found beside slots labelled.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SlotCount {
    /// Found and labelled, with the same value.
    pub hit: usize,
    /// Found.
    pub found: usize,
    /// Labelled.
    pub labelled: usize,
}

impl SlotCount {
    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        if self.found + self.labelled == 0 { 1.0 } else { 2.0 * self.hit as f64 / (self.found + self.labelled) as f64 }
    }
}

/// Figures of one language, or of all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Rules alone: all commands right; a message they say nothing to is wrong.
    pub rules: Share,
    /// The same among the messages the rules decided.
    pub rules_decided: Share,
    /// The examples' vote alone, one command a message.
    pub examples: Share,
    /// The same among the messages whose vote was sure.
    pub examples_sure: Share,
    /// Both, without the language model.
    pub both: Share,
    /// Both, over messages with several wishes.
    pub several: Share,
    /// Both: all kinds of wishes are told, however often, spam counted as out of scope; over messages with one wish.
    pub kinds_of_one: Share,
    /// The same over messages with several.
    pub kinds_of_several: Share,
    /// Slots of the messages whose slots are labelled.
    pub slots: SlotCount,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Per language.
    pub by_language: BTreeMap<Language, Figures>,
    /// All together.
    pub all: Figures,
    /// Milliseconds: rules alone.
    pub rules_ms: Vec<f64>,
    /// Milliseconds of messages that the examples were needed for, embedding included.
    pub examples_ms: Vec<f64>,
    /// How sure the examples were of each message with one wish, and whether they were right.
    pub sure: Vec<(f32, bool)>,
    /// Messages with one wish: what was wanted, what was told, how often.
    pub taken: Vec<(CommandName, CommandName, usize)>,
    /// What spoke for each command in each wish, and what was wanted; of messages in which as many wishes were told apart as there are.
    pub signs: Vec<(CommandName, Signs)>,
    /// What went wrong, one line a message.
    pub faults: Vec<String>,
}

impl Report {
    fn count_single(&mut self, row: &Labelled, told: &[Command], vote: Option<&Vote>) {
        let ([wanted], Some(told)) = (row.expected.as_slice(), told.first()) else { return };
        match self.taken.iter_mut().find(|(a, b, _)| (a, b) == (wanted, &told.name)) {
            Some((_, _, times)) => *times += 1,
            None => self.taken.push((*wanted, told.name, 1)),
        }
        self.sure.extend(vote.map(|vote| (vote.confidence, vote.name == *wanted)));
    }
}

/// Reads a table, or messages whose wishes are marked (`data/rules/wishes.tsv`).
///
/// # Errors
/// A row that is no labelled message, by number.
pub fn read(text: &str) -> anyhow::Result<Vec<Labelled>> {
    let mut rows = Vec::new();
    if text.starts_with('#') {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            rows.push(marked(line).with_context(|| format!("row {}", at + 1))?);
        }
        return Ok(rows);
    }
    for (at, line) in text.lines().enumerate() {
        if at == 0 && line != HEADER {
            bail!("row 1: expected the header `{}`", HEADER.replace('\t', "<TAB>"));
        }
        if at > 0 && !line.is_empty() {
            rows.push(row(line).with_context(|| format!("row {}", at + 1))?);
        }
    }
    Ok(rows)
}

fn row(line: &str) -> anyhow::Result<Labelled> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [language, expected, slots, text] = columns[..] else {
        bail!("expected 4 columns, found {}", columns.len());
    };
    let expected = expected.split(',').map(str::parse).collect::<Result<Vec<CommandName>, _>>()?;
    let pairs =
        |one: &str| -> Vec<String> { one.split(';').filter(|pair| !pair.is_empty()).map(str::to_string).collect() };
    let slots = (slots != "-").then(|| slots.split('|').map(pairs).collect::<Vec<_>>());
    if slots.as_ref().is_some_and(|slots| slots.len() != expected.len()) {
        bail!("the slots are those of another number of commands");
    }
    Ok(Labelled { language: language.parse()?, expected, slots, text: text.to_string() })
}

/// A message with a `<command>` before each wish; nobody labelled its slots.
fn marked(line: &str) -> anyhow::Result<Labelled> {
    let (language, message) = line.split_once('\t').context("expected `LANGUAGE<TAB><wish>message`")?;
    let (mut expected, mut text) = (Vec::new(), String::new());
    let mut parts = message.split('<');
    anyhow::ensure!(parts.next() == Some(""), "the message has to begin with a wish, `<find_product>...`");
    for part in parts {
        let (wish, words) = part.split_once('>').context("a `<` without its `>`")?;
        expected.push(if wish == ABOUT { CommandName::FindProduct } else { wish.parse()? });
        text.push_str(words);
    }
    Ok(Labelled { language: language.parse()?, expected, slots: None, text })
}

/// Measures every message, each in a conversation of its own.
///
/// # Errors
/// There is no embedder, or it fails.
pub async fn run(batch: &Batch<'_>, rows: &[Labelled]) -> anyhow::Result<Report> {
    let embed = batch.embed.context("measuring the examples needs the embedder; run `truetill pull`")?;
    let mut report = Report::default();
    for row in rows {
        let reading = Instant::now();
        let message = batch.message(&row.text).await;
        let reading = reading.elapsed();
        let session = Session { language: row.language, ..Session::default() };
        let input = Input { message: &message, session: &session };
        let started = Instant::now();
        let ruled = batch.understander.by_rules(input);
        report.rules_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        let whole = batch.understander.understand_parted(input, embed, batch.generate).await;
        if ruled.is_none() {
            report.examples_ms.push((reading + started.elapsed()).as_secs_f64() * 1e3);
        }
        // After the timed call: the embedder remembers recent texts.
        let readings = embed.read(vec![examples::anonymous(&message.text)]).await?;
        let vote = readings.first().and_then(|read| batch.understander.vote(&message, read));
        let right = same(&whole.commands, &row.expected);
        let signs = batch.understander.signs(input, embed).await;
        let each = wanted(&row.expected);
        if signs.len() == each.len() {
            report.signs.extend(each.into_iter().zip(signs).filter_map(|(name, signs)| Some((name, signs?))));
        }
        let told_kinds = kinds(&whole.commands.iter().map(|command| command.name).collect::<Vec<_>>());
        let kinds_right = told_kinds == kinds(&row.expected);
        report.count_single(row, &whole.commands, vote.as_ref());
        let mut count = SlotCount::default();
        if let Some(slots) = &row.slots {
            count = slot_count(&whole.commands, row, slots);
        }
        for figures in [&mut report.all, report.by_language.entry(row.language).or_default()] {
            let rules_right = ruled.as_ref().map(|ruled| same(&ruled.commands, &row.expected));
            figures.rules.add(rules_right == Some(true));
            if let Some(right) = rules_right {
                figures.rules_decided.add(right);
            }
            if let Some(vote) = &vote {
                let right = row.expected == [vote.name];
                figures.examples.add(right);
                if vote.confidence >= SURE {
                    figures.examples_sure.add(right);
                }
            }
            figures.both.add(right);
            if row.expected.len() > 1 {
                figures.several.add(right);
            }
            if kinds(&row.expected).len() > 1 {
                figures.kinds_of_several.add(kinds_right);
            } else {
                figures.kinds_of_one.add(kinds_right);
            }
            figures.slots.hit += count.hit;
            figures.slots.found += count.found;
            figures.slots.labelled += count.labelled;
        }
        if !right || count.hit < count.found.max(count.labelled) {
            let notes = whole.notes.join("; ");
            report.faults.push(format!("{}\t{}\t{}\t{notes}", row.text, labelled(row), told(&whole.commands)));
        }
    }
    Ok(report)
}

/// A greeting beside a wish is no command of its own: it is answered in passing.
fn wanted(expected: &[CommandName]) -> Vec<CommandName> {
    let courtesy = |name: &CommandName| *name == CommandName::Smalltalk;
    let mut wanted: Vec<CommandName> = expected.to_vec();
    if expected.iter().any(|name| !courtesy(name)) {
        wanted.retain(|name| !courtesy(name));
    }
    wanted
}

/// What is wanted, however often: two things looked for may be told as one search. Spam and insults are out of scope, too.
fn kinds(expected: &[CommandName]) -> BTreeSet<CommandName> {
    use CommandName::{OutOfScope, Spam, Unsafe};
    let kind = |name: CommandName| if matches!(name, Spam | Unsafe) { OutOfScope } else { name };
    wanted(expected).into_iter().map(kind).collect()
}

pub(super) fn same(commands: &[Command], expected: &[CommandName]) -> bool {
    let sorted = |names: &[CommandName]| {
        let mut names = wanted(names);
        names.sort();
        names
    };
    sorted(&commands.iter().map(|command| command.name).collect::<Vec<_>>()) == sorted(expected)
}

/// Slots of commands of the same name are compared in their order.
fn slot_count(commands: &[Command], row: &Labelled, slots: &[Vec<String>]) -> SlotCount {
    let mut count = SlotCount { found: commands.iter().map(|one| pairs(one).len()).sum(), ..SlotCount::default() };
    let mut left: Vec<&Command> = commands.iter().collect();
    for (name, labelled) in row.expected.iter().zip(slots) {
        count.labelled += labelled.len();
        let Some(at) = left.iter().position(|command| command.name == *name) else { continue };
        let found = pairs(left.remove(at));
        count.hit += labelled.iter().filter(|pair| found.iter().any(|other| fold(other) == fold(pair))).count();
    }
    count
}

fn pairs(command: &Command) -> Vec<String> {
    let value = serde_json::to_value(&command.slots).unwrap_or_default();
    let Some(slots) = value.as_object() else { return Vec::new() };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(budget) => {
            ["amount", "currency"].iter().filter_map(|part| budget.get(*part)?.as_str()).collect()
        }
        other => other.to_string(),
    };
    // Names are the product's words once more, taken apart.
    let said = slots.iter().filter(|(name, _)| *name != "names");
    said.map(|(name, value)| format!("{name}={}", text(value))).collect()
}

fn labelled(row: &Labelled) -> String {
    let slots = |at: usize| row.slots.as_ref().map_or(String::new(), |slots| slots[at].join(";"));
    let one = |(at, name): (usize, &CommandName)| format!("{name}({})", slots(at));
    row.expected.iter().enumerate().map(one).collect::<Vec<_>>().join("+")
}

fn told(commands: &[Command]) -> String {
    commands.iter().map(|one| format!("{}({})", one.name, pairs(one).join(";"))).collect::<Vec<_>>().join("+")
}
