//! Scenario files: a conversation, and what must and must not be answered. `truetill eval` runs them.

mod acts;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::outreach::Kind;
use crate::domain::session::SessionId;
use crate::domain::{CommandName, Language, Message, SegmentKind};
use crate::turn::{self, Answer, Watcher};

pub use acts::Word;

/// A conversation to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// The channel's language.
    pub language: Language,
    /// A customer whose identity the shop has checked.
    #[serde(default)]
    pub customer: Option<String>,
    /// The messages in order.
    pub turn: Vec<Step>,
    /// The file it came from.
    #[serde(skip)]
    pub path: PathBuf,
}

/// One message and what its answer must be like; before it, what happens elsewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the shopper writes.
    #[serde(default)]
    pub say: Option<String>,
    /// Or a kind of message the shop writes first to the customer: what it says is looked at.
    #[serde(default)]
    pub started: Option<Kind>,
    /// It must not write at all.
    #[serde(default)]
    pub silent: bool,
    /// What a carrier tells before.
    #[serde(default)]
    pub parcel: Option<Word>,
    /// From here on the shopper is signed in as this customer.
    #[serde(default)]
    pub customer: Option<String>,
    /// Another conversation begins here, of nobody known unless `customer` says who.
    #[serde(default)]
    pub afresh: bool,
    /// Commands that must be among the understood.
    #[serde(default)]
    pub commands: Vec<CommandName>,
    /// Kinds of segments that must occur.
    #[serde(default)]
    pub segments: Vec<SegmentKind>,
    /// Texts that must occur; letter case and kinds of spaces do not count.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Texts that must not occur.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Whether a person must take over; not checked when absent.
    #[serde(default)]
    pub handover: Option<bool>,
}

/// How a scenario went.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario's file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Language,
    /// Runs that passed.
    pub passed: usize,
    /// Runs made.
    pub runs: usize,
    /// What failed in the first failing run.
    pub faults: Vec<String>,
    /// Milliseconds of each turn of the last run.
    pub turn_ms: Vec<f64>,
    /// Turns of the last run that the language model was asked in.
    pub generated: usize,
    /// Drafts of the last run that the guard refused.
    pub rejected: usize,
}

/// Reads one scenario file or every `.toml` below a folder, in order of path.
///
/// # Errors
/// No such path, no scenario in it, a file that is not a scenario: by name.
pub fn read(path: &Path) -> anyhow::Result<Vec<Scenario>> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    if files.is_empty() {
        bail!("no scenario (*.toml) in {}", path.display());
    }
    files.into_iter().map(|file| read_one(&file).with_context(|| format!("in {}", file.display()))).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            let path = entry?.path();
            if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
                collect(&path, files)?;
            }
        }
    } else {
        files.push(path.to_path_buf());
    }
    Ok(())
}

fn read_one(file: &Path) -> anyhow::Result<Scenario> {
    let text = std::fs::read_to_string(file)?;
    let mut scenario: Scenario = toml::from_str(&text)?;
    scenario.path = file.to_path_buf();
    Ok(scenario)
}

/// One conversation held.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What failed; empty when all was as it must be.
    pub faults: Vec<String>,
    /// Milliseconds of each turn.
    pub turn_ms: Vec<f64>,
    /// Turns that the language model was asked in.
    pub generated: usize,
    /// Drafts that the guard refused.
    pub rejected: usize,
}

impl Outcome {
    /// How all runs of a scenario went.
    pub fn of(scenario: &Scenario, runs: &[Run]) -> Outcome {
        let failed = runs.iter().find(|run| !run.faults.is_empty());
        Outcome {
            path: scenario.path.clone(),
            name: scenario.name.clone(),
            language: scenario.language,
            passed: runs.iter().filter(|run| run.faults.is_empty()).count(),
            runs: runs.len(),
            faults: failed.map(|run| run.faults.clone()).unwrap_or_default(),
            turn_ms: runs.last().map(|run| run.turn_ms.clone()).unwrap_or_default(),
            generated: runs.last().map_or(0, |run| run.generated),
            rejected: runs.last().map_or(0, |run| run.rejected),
        }
    }
}

/// Holds the conversation once, in a session of its own. It may write: the caller gives the assistant a state of its own.
pub async fn run(app: &App, scenario: &Scenario) -> Run {
    let mut run = Run::default();
    let faults = converse(app, scenario, &mut run).await;
    run.faults = faults;
    run
}

async fn converse(app: &App, scenario: &Scenario, run: &mut Run) -> Vec<String> {
    let mut talk = Talk { session: None, customer: scenario.customer.clone() };
    let mut faults = Vec::new();
    for (index, step) in scenario.turn.iter().enumerate() {
        let found = match act(app, scenario, step, (&mut talk, run)).await {
            Ok(found) => found,
            Err(fault) => return vec![format!("turn {}: {fault}", index + 1)],
        };
        faults.extend(found.into_iter().map(|fault| format!("turn {}: {fault}", index + 1)));
    }
    faults
}

/// Who talks, and in which conversation.
struct Talk {
    session: Option<SessionId>,
    customer: Option<String>,
}

/// One step; what is not as it must be, or why it could not be taken.
async fn act(
    app: &App,
    scenario: &Scenario,
    step: &Step,
    (talk, run): (&mut Talk, &mut Run),
) -> Result<Vec<String>, String> {
    if step.afresh {
        *talk = Talk { session: None, customer: None };
    }
    talk.customer = step.customer.clone().or(talk.customer.take());
    if let Some(word) = &step.parcel {
        acts::tell(app, word).await?;
    }
    if let Some(kind) = step.started {
        let customer = talk.customer.as_deref().ok_or("the shop writes to a `customer`")?;
        return match acts::started(app, kind, customer).await.map_err(|error| format!("{error:#}"))? {
            None if step.silent => Ok(Vec::new()),
            None => Ok(vec![format!("the shop does not write ({})", kind.as_str())]),
            Some(text) if step.silent => Ok(vec![format!("the shop must not write: {text}")]),
            Some(text) => Ok(texts(step, &text)),
        };
    }
    let message = Message {
        session: talk.session,
        customer: talk.customer.clone(),
        text: step.say.clone().ok_or("neither `say` nor `started`")?,
        locale: Some(scenario.language),
        channel: "eval".to_string(),
    };
    let answer = turn::answer(app, message, &Watcher::none()).await.map_err(|error| error.to_string())?;
    talk.session = Some(answer.session_id);
    run.turn_ms.push(answer.timings.total_ms);
    run.generated += usize::from(answer.timings.generated);
    run.rejected += usize::from(!answer.check.rejected.is_empty());
    Ok(faults_of(step, &answer))
}

fn faults_of(step: &Step, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let understood: Vec<CommandName> = answer.commands.iter().map(|command| command.name).collect();
    for command in step.commands.iter().filter(|command| !understood.contains(command)) {
        faults.push(format!("`{command}` was not understood; got {understood:?}"));
    }
    let kinds: Vec<SegmentKind> = answer.reply.segments().iter().map(|segment| segment.kind()).collect();
    for kind in step.segments.iter().filter(|kind| !kinds.contains(kind)) {
        faults.push(format!("no segment {kind:?}; got {kinds:?}"));
    }
    faults.extend(texts(step, &answer.reply.text()));
    if let Some(expected) = step.handover
        && expected != answer.handover.is_some()
    {
        faults.push(format!("handover is {:?}, expected {expected}", answer.handover));
    }
    faults
}

fn texts(step: &Step, reply: &str) -> Vec<String> {
    let reply = plain(reply);
    let missing = step.contains.iter().filter(|text| !reply.contains(&plain(text)));
    let mut faults: Vec<String> = missing.map(|text| format!("`{text}` is missing in: {reply}")).collect();
    let odd = step.absent.iter().filter(|text| reply.contains(&plain(text)));
    faults.extend(odd.map(|text| format!("`{text}` must not stand in: {reply}")));
    faults
}

/// Lower case, one kind of space.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}', '\n'], " ").to_lowercase()
}
