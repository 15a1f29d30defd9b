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
///
/// # Errors
/// A row that lacks a column or whose facts or text cannot be read.
pub fn parse(row: &str) -> anyhow::Result<(Language, Ledger, String)> {
    let mut columns = row.split('\t');
    let (Some(language), Some(facts), Some(text)) = (columns.next(), columns.next(), columns.next()) else {
        bail!("three columns are needed: lang, facts, text");
    };
    let text: String = serde_json::from_str(&format!("\"{text}\"")).context("text: not the body of a JSON string")?;
    // U+241F marks where a stream was cut; the text is what the pieces make together.
    let text = text.replace('\u{241F}', "");
    Ok((language.parse()?, Ledger::from_case(facts)?, text))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::GUARD;
    use super::*;

    /// The shared test data, from a checkout or from a worktree one level deeper.
    pub(in crate::guard) fn shared(name: &str) -> Option<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = ["../shared/data", "../../shared/data"]
            .iter()
            .find_map(|folder| std::fs::read_to_string(root.join(folder).join(name)).ok());
        if found.is_none() {
            eprintln!("skipped: ../shared/data/{name} is not there");
        }
        found
    }

    #[test]
    fn the_catalogue_is_judged_as_its_authors_did() {
        let Some(file) = shared("guard_cases.tsv") else { return };
        let mut wrong = Vec::new();
        let guard = &GUARD;
        for (index, row) in file.lines().enumerate().skip(1) {
            let expected = row.split('\t').nth(3);
            let (language, ledger, text) = parse(row).unwrap();
            let verdict = guard.check_text(language, &ledger, &text);
            let said = if verdict.is_ok() { "accept" } else { "reject" };
            if std::env::var_os("GUARD_TRACE").is_some() {
                eprintln!(
                    "{} {said} {:?} {text}",
                    index + 1,
                    verdict.as_ref().err().map(|fault| (fault.code, &fault.detail))
                );
            }
            if Some(said) != expected {
                wrong.push(format!("{}: {said}: {text}: {verdict:?}", index + 1));
            }
        }
        assert!(wrong.is_empty(), "{} of the catalogue:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// The reason given must be the one the catalogue's own note asks for, on 95 of 100 rows at least.
    #[test]
    fn reason_codes_are_right() {
        let Some(file) = shared("guard_cases.tsv") else { return };
        let table: std::collections::HashMap<&str, &str> =
            include_str!("../../tests/data/guard_codes.tsv").lines().filter_map(|row| row.split_once('\t')).collect();
        let guard = &GUARD;
        let (mut scored, mut wrong) = (0, Vec::new());
        for row in file.lines().skip(1) {
            let Some(expected) = row.split('\t').nth(4).and_then(|why| table.get(why)) else { continue };
            let (language, ledger, text) = parse(row).unwrap();
            let Err(fault) = guard.check_text(language, &ledger, &text) else { continue };
            scored += 1;
            if !expected.split(',').any(|code| code == fault.code.as_str()) {
                wrong.push(format!("{} for {expected}: {text}: {}", fault.code, fault.detail));
            }
        }
        eprintln!("reason codes: {} of {scored} right: {wrong:#?}", scored - wrong.len());
        assert!(wrong.len() * 20 <= scored, "{wrong:#?}");
    }

    #[test]
    fn attacks_of_this_repository_are_judged_right() {
        let guard = &GUARD;
        let mut wrong = Vec::new();
        for row in include_str!("../../tests/data/guard_attacks.tsv").lines().skip(1) {
            let (language, ledger, text) = parse(row).unwrap();
            let verdict = guard.check_text(language, &ledger, &text);
            if verdict.is_ok() != (row.split('\t').nth(3) == Some("accept")) {
                wrong.push(format!("{text}: {verdict:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// `GUARD_PROBE=FILE cargo test probe -- --nocapture` prints what `check --cases FILE` prints, and what is wrong.
    #[test]
    fn probe() {
        let Some(path) = std::env::var_os("GUARD_PROBE") else { return };
        let file = std::fs::read_to_string(path).unwrap();
        for (language, ledger, text) in file.lines().skip(1).map(|row| parse(row).unwrap()) {
            if let Err(fault) = GUARD.check_text(language, &ledger, &text) {
                eprintln!("{text}: {}: {}", fault.code, fault.detail);
            }
        }
        run(file.as_bytes(), std::io::stdout().lock()).unwrap();
    }

    #[test]
    fn rows_that_cannot_be_read_are_named() {
        let refuse = |file: &str| run(file.as_bytes(), Vec::new()).map_err(|error| format!("{error:#}")).unwrap_err();
        assert!(refuse("text\n").starts_with("line 1: the header"));
        assert!(refuse("lang\tfacts\ttext\nru\n").starts_with("line 2: three columns"));
        assert!(refuse("lang\tfacts\ttext\nru\t{}\tx\n").starts_with("line 2: facts:"));
        let mut out = Vec::new();
        run("lang\tfacts\ttext\nen\t[]\tIt is $5.\n".as_bytes(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"line\":2,\"verdict\":\"reject\",\"code\":\"unbound_price\",\"at\":[6,8]}\n"
        );
    }
}
