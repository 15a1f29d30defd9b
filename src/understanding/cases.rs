//! Understands a table of cases, so that quality can be measured from outside: `id<TAB>text` in, one JSON object per line out.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use super::{Input, Understander};
use crate::domain::session::Session;
use crate::domain::{Command, Language, Screened, Tier};
use crate::engine::{Embed, Generate};

/// What the batch runs with.
pub struct Batch<'a> {
    /// The stage.
    pub understander: &'a Understander,
    /// Screens a text; handed in because stages do not know one another.
    pub screen: &'a (dyn Fn(&str) -> Screened + Sync),
    /// The embedder, when there is one.
    pub embed: Option<&'a dyn Embed>,
    /// The language model, when there is one.
    pub generate: Option<&'a dyn Generate>,
    /// Also says why: the notes of each message.
    pub explain: bool,
}

impl Batch<'_> {
    /// A text as the stage gets it.
    pub(super) async fn message(&self, text: &str) -> Screened {
        let screened = (self.screen)(text);
        match self.embed {
            Some(embed) => self.understander.marked(screened, embed).await,
            None => screened,
        }
    }
}

#[derive(Serialize)]
struct CaseOut<'a> {
    id: &'a str,
    lang: Language,
    commands: &'a [Command],
    confidence: f32,
    tier: Tier,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a [String]>,
}

/// Reads every row and writes its understanding; each row is a conversation of its own. Returns how many there were.
///
/// # Errors
/// A row that is not `id<TAB>text`, by number; or a failing reader or writer.
pub async fn run(batch: &Batch<'_>, reader: impl BufRead, mut writer: impl Write) -> anyhow::Result<usize> {
    let mut rows = 0;
    for (at, line) in reader.lines().enumerate() {
        let line = line.with_context(|| format!("reading row {}", at + 1))?;
        if line.is_empty() || at == 0 && line == "id\ttext" {
            continue;
        }
        let Some((id, text)) = line.split_once('\t') else {
            bail!("row {}: expected `id<TAB>text`, found one column", at + 1);
        };
        let started = Instant::now();
        let message = batch.message(text).await;
        let session = Session { language: message.language, ..Session::default() };
        let input = Input { message: &message, session: &session };
        let understood = batch.understander.understand(input, batch.embed, batch.generate).await;
        let ms = (started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let out = CaseOut {
            id,
            lang: understood.lang,
            commands: &understood.commands,
            confidence: understood.confidence,
            tier: understood.tier,
            ms,
            notes: batch.explain.then_some(understood.notes.as_slice()),
        };
        serde_json::to_writer(&mut writer, &out)?;
        writer.write_all(b"\n")?;
        rows += 1;
    }
    writer.flush()?;
    Ok(rows)
}
