//! `truetill check --cases`: one verdict per row of a case file, as JSON lines.

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::domain::Language;

use super::{Guard, Ledger};

#[derive(Serialize)]
struct Line<'a> {
    line: usize,
    verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<[usize; 2]>,
}

/// Reads cases (`lang facts text ...`, tab-separated, one header line) and writes one JSON object per row.
///
/// # Errors
/// A row that cannot be read, by line, or a failed write.
pub fn run(reader: impl BufRead, mut writer: impl Write) -> anyhow::Result<()> {
    let guard = Guard::new();
    for (index, row) in reader.lines().enumerate() {
        let line = index + 1;
        let row = row.with_context(|| format!("line {line}: not UTF-8; save the file as UTF-8"))?;
        if index == 0 {
            if !row.starts_with("lang\tfacts\ttext") {
                bail!("line 1: the header must begin `lang facts text`, tab-separated");
            }
            continue;
        }
        if row.trim().is_empty() {
            continue;
        }
        let (language, ledger, text) = parse(&row).with_context(|| format!("line {line}"))?;
        let verdict = guard.check_text(language, &ledger, &text);
        let output = match &verdict {
            Ok(()) => Line { line, verdict: "accept", code: None, at: None },
            Err(fault) => {
                let at = Some([fault.at.start, fault.at.end]);
                Line { line, verdict: "reject", code: Some(fault.code.as_str()), at }
            }
        };
        serde_json::to_writer(&mut writer, &output)?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}

/// The language, ledger and text of one row.
pub(super) fn parse(row: &str) -> anyhow::Result<(Language, Ledger, String)> {
    let mut columns = row.split('\t');
    let (Some(language), Some(facts), Some(text)) = (columns.next(), columns.next(), columns.next()) else {
        bail!("three columns are needed: lang, facts, text");
    };
    let text: String = serde_json::from_str(&format!("\"{text}\"")).context("text: not the body of a JSON string")?;
    // U+241F marks where a stream was cut; the text is what the pieces make together.
    let text = text.replace('\u{241F}', "");
    Ok((language.parse()?, Ledger::from_case(facts)?, text))
}
