//! Reads policies: one file per topic and language, Markdown, HTML, DOCX or PDF, cut at its headings (`##`, `<h2>`, heading
//! styles, larger letters).
//! What it is stands in the front matter, or in `<meta name=.. content=..>`. Signs nobody sees are taken out.
//! Expired documents are left out; two versions of one document in force at once are a conflict, and neither is told.

mod docx;
mod pdf;
mod webpage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::civil::Date;

use crate::domain::Language;
use crate::domain::fact::{FEWEST_QUESTIONS, Passage};

use crate::ingest::report::{Finding, Place, Report};
use crate::ingest::upright;

/// A passage with its id.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPassage {
    /// `returns.sk#2`.
    pub id: String,
    /// What is told.
    pub passage: Passage,
    /// Questions it answers, as shoppers put them.
    pub asked: Vec<String>,
}

struct Document {
    at: Place,
    document: String,
    language: Language,
    version: String,
    valid_from: Option<Date>,
    valid_to: Option<Date>,
    passages: Vec<NamedPassage>,
}

/// Reads every policy of a folder that is in force on `today`.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn read(folder: &Path, today: Date, report: &mut Report) -> anyhow::Result<Vec<NamedPassage>> {
    let mut in_force: BTreeMap<(String, Language), Vec<Document>> = BTreeMap::new();
    for path in policy_files(folder)? {
        let at = Place::new(&path, 0);
        let bytes = match markdown(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reason = format!("{error}; the document was left out");
                report.skip(Finding::error("broken_document", &at, reason, "save it again, or as Markdown"));
                continue;
            }
        };
        let Some(document) = parse(&path, &bytes, report) else { continue };
        if document.valid_to.is_some_and(|last| last < today) {
            report.add(Finding::warning(
                "expired",
                &at,
                "no longer in force; left out",
                "remove it, or extend valid_to",
            ));
        } else if document.valid_from.is_some_and(|first| first > today) {
            report.add(Finding::warning(
                "not_yet",
                &at,
                "not yet in force; left out",
                "run make index again on valid_from",
            ));
        } else {
            in_force.entry((document.document.clone(), document.language)).or_default().push(document);
        }
    }
    let mut passages = Vec::new();
    for ((name, language), documents) in in_force {
        let [document] = documents.as_slice() else {
            let versions: Vec<String> = documents.iter().map(|document| document.version.clone()).collect();
            let reason = format!(
                "{name}.{language} is in force in {} versions ({}); none is told",
                versions.len(),
                versions.join(", ")
            );
            report.skip(
                Finding::error("conflict", &documents[1].at, reason, "end one of them with valid_to").of("version"),
            );
            continue;
        };
        passages.extend(document.passages.iter().cloned());
    }
    few_questions(&passages, folder, report);
    report.passages = passages.len() as u64;
    Ok(passages)
}

/// Where some sections have their questions and others too few, none of that language are used: that is said.
fn few_questions(passages: &[NamedPassage], folder: &Path, report: &mut Report) {
    for language in Language::ALL {
        let own = || passages.iter().filter(|one| one.passage.language == language);
        let few: Vec<&str> =
            own().filter(|one| one.asked.len() < FEWEST_QUESTIONS).map(|one| one.id.as_str()).collect();
        if few.is_empty() || own().all(|one| one.asked.is_empty()) {
            continue;
        }
        let named = few.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let reason = format!(
            "{} sections in {language} have fewer than {FEWEST_QUESTIONS} questions ({named}): those of the others are not used",
            few.len()
        );
        let fix = "add questions under `<!-- asked`, one a line, or take them all out";
        report.add(Finding::warning("few_questions", &Place::new(folder, 0), reason, fix));
    }
}

fn policy_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading the policies in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_string();
        let ends = [".md", ".txt", ".html", ".htm", ".docx", ".pdf", ".doc", ".odt", ".rtf"];
        let known = ends.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        if known && !name.to_ascii_lowercase().starts_with("readme.") && !name.starts_with(['.', '~']) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A document as Markdown with front matter, whatever it was written in.
fn markdown(path: &Path) -> std::io::Result<Vec<u8>> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "docx" => docx::markdown(path).map(String::into_bytes),
        "md" | "txt" => std::fs::read(path),
        "pdf" => pdf::markdown(path).map(String::into_bytes),
        "doc" | "odt" | "rtf" => Err(std::io::Error::other(format!("{extension} is not read"))),
        _ => Ok(webpage::markdown(&String::from_utf8_lossy(&std::fs::read(path)?)).into_bytes()),
    }
}

fn parse(path: &Path, bytes: &[u8], report: &mut Report) -> Option<Document> {
    let at = |line| Place::new(path, line);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => upright::text(text.to_string()),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            let reason = "not UTF-8; the document was left out";
            report.skip(Finding::error("invalid_utf8", &at(line), reason, "save it as UTF-8"));
            return None;
        }
    };
    let Some((front, body, body_line)) = front_matter(&text) else {
        let pdf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pdf"));
        let fix = if pdf {
            "write `document = ..`, `language = ..`, `version = ..` into a file beside it, its name with .toml after it"
        } else {
            "begin it with lines `document: ..`, `language: ..`, `version: ..` between two lines `---`"
        };
        report.skip(Finding::error("no_front_matter", &at(1), "no front matter; the document was left out", fix));
        return None;
    };
    let mut document = match header(&front, path) {
        Ok(document) => document,
        Err((line, field, reason)) => {
            let reason = format!("{reason}; the document was left out");
            report.skip(Finding::error("bad_front_matter", &at(line), reason, "correct the front matter").of(field));
            return None;
        }
    };
    let body = match without_notes(body) {
        Ok(body) => body,
        Err(open) => {
            let line = body_line + body[..open].matches('\n').count() as u64;
            let reason = "a comment that never ends; the document was left out";
            report.skip(Finding::error("open_comment", &at(line), reason, "end it with `-->`"));
            return None;
        }
    };
    document.passages = chunks(&body, &document);
    if document.passages.is_empty() {
        let reason = "no section with text; nothing can be quoted from it";
        report.add(Finding::error("no_section", &at(body_line), reason, "put its text under `## Heading` lines"));
    }
    Some(document)
}

type Field<'a> = (u64, &'a str, &'a str);

/// The fields of the front matter with their lines, the body, and the body's first line.
fn front_matter(text: &str) -> Option<(Vec<Field<'_>>, &str, u64)> {
    let fence = text.lines().next().map(str::trim_end).filter(|line| matches!(*line, "---" | "+++"))?;
    let mut fields = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        offset += line.len();
        let line_number = index as u64 + 1;
        if index == 0 {
            continue;
        }
        if line.trim_end() == fence {
            return Some((fields, &text[offset..], line_number + 1));
        }
        if let Some((name, value)) = line.split_once([':', '=']) {
            fields.push((line_number, name.trim(), value.trim().trim_matches(['"', '\''])));
        }
    }
    None
}

fn header(fields: &[Field<'_>], path: &Path) -> Result<Document, (u64, String, String)> {
    const KNOWN: [&str; 6] = ["document", "title", "language", "version", "valid_from", "valid_to"];
    if let Some((line, name, _)) = fields.iter().find(|(_, name, _)| !KNOWN.contains(name)) {
        return Err((*line, (*name).to_string(), format!("unknown field, expected one of {}", KNOWN.join(", "))));
    }
    let get = |name: &str| fields.iter().find(|(_, field, value)| *field == name && !value.is_empty());
    let required = |name: &str| get(name).ok_or_else(|| (1, name.to_string(), "missing".to_string()));
    let day = |name: &str| match get(name) {
        None => Ok(None),
        Some((line, _, value)) => match value.parse::<Date>() {
            Ok(day) => Ok(Some(day)),
            Err(_) => Err((*line, name.to_string(), format!("`{value}` is not a day such as 2026-12-31"))),
        },
    };
    let (line, _, language) = required("language")?;
    let language = language.parse().map_err(|error| (*line, "language".to_string(), format!("{error}")))?;
    Ok(Document {
        at: Place::new(path, 1),
        document: required("document")?.2.to_string(),
        language,
        version: required("version")?.2.to_string(),
        valid_from: day("valid_from")?,
        valid_to: day("valid_to")?,
        passages: Vec::new(),
    })
}

fn chunks(body: &str, document: &Document) -> Vec<NamedPassage> {
    let mut passages = Vec::new();
    for (index, chunk) in format!("\n{body}").split("\n## ").skip(1).enumerate() {
        let (heading, rest) = chunk.split_once('\n').unwrap_or((chunk, ""));
        let (rest, asked) = apart(rest);
        let text = plain(&rest, document.language);
        if text.is_empty() {
            continue;
        }
        let id = format!("{}.{}#{}", document.document, document.language, index + 1);
        let passage = Passage {
            document: document.document.clone(),
            section: heading.trim().to_string(),
            language: document.language,
            version: document.version.clone(),
            text,
        };
        passages.push(NamedPassage { id, passage, asked });
    }
    passages
}

/// How a comment begins.
const BEGIN: &str = "<!--";
/// How it ends.
const END: &str = "-->";
/// The first word of a comment that holds the questions a section answers, one a line; shoppers never see it.
const ASKED: &str = "asked";

/// A body without its comments but for questions; where a comment begins that never ends, that place.
fn without_notes(body: &str) -> Result<String, usize> {
    let mut kept = String::with_capacity(body.len());
    let mut from = 0;
    while let Some(begin) = body[from..].find(BEGIN).map(|at| from + at) {
        let end = body[begin..].find(END).map(|at| begin + at + END.len()).ok_or(begin)?;
        kept.push_str(&body[from..begin]);
        if questions(&body[begin..end]).is_some() {
            kept.push_str(&body[begin..end]);
        }
        from = end;
    }
    kept.push_str(&body[from..]);
    Ok(kept)
}

/// What stands in a comment of questions.
fn questions(comment: &str) -> Option<&str> {
    let inside = comment.strip_prefix(BEGIN)?.strip_suffix(END)?;
    inside.trim_start().strip_prefix(ASKED).filter(|rest| rest.starts_with(char::is_whitespace))
}

/// A section without its questions, and these.
fn apart(section: &str) -> (String, Vec<String>) {
    let (mut told, mut asked) = (String::with_capacity(section.len()), Vec::new());
    let mut rest = section;
    while let Some((begin, end)) = rest.find(BEGIN).zip(rest.find(END)).filter(|(begin, end)| begin < end) {
        let comment = &rest[begin..end + END.len()];
        told.push_str(&rest[..begin]);
        let lines = questions(comment).unwrap_or_default().lines().map(str::trim);
        asked.extend(lines.filter(|question| !question.is_empty()).map(str::to_string));
        rest = &rest[end + END.len()..];
    }
    told.push_str(rest);
    (told, asked)
}

/// Markdown as plain sentences: a paragraph or list item per line, marks taken off.
fn plain(markdown: &str, language: Language) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in markdown.lines() {
        let trimmed = line.trim();
        let item = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* "));
        let text = item.unwrap_or(trimmed).trim_start_matches('#').replace("**", "");
        let text = text.trim();
        if text.is_empty() {
            open = false;
        } else if let (true, None, Some(last)) = (open, item, lines.last_mut()) {
            if language != Language::Zh {
                last.push(' ');
            }
            last.push_str(text);
        } else {
            lines.push(text.to_string());
            open = true;
        }
    }
    lines.join("\n")
}
