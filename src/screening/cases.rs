//! Screens a table of cases, so that quality can be measured from outside: `id<TAB>text` in, one JSON object per line out.

use serde::Serialize;

use super::Screening;
use crate::domain::Language;
use crate::domain::message::Pii;

/// A row that is not `id<TAB>text`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("row {row}: expected `id<TAB>text`, found {found} column(s); write a tab inside a text as \\t")]
pub struct CaseError {
    /// The row, from 1.
    pub row: usize,
    /// How many columns stand there.
    pub found: usize,
}

#[derive(Serialize)]
struct CaseOut<'a> {
    id: &'a str,
    injection: f32,
    spam: f32,
    pii: &'a [Pii],
    masked: &'a str,
}

/// One JSON object per row of `table`, in its order; empty rows and a header `id<TAB>text` are passed over.
pub fn run<'a>(
    screening: &'a Screening,
    table: &'a str,
    fallback: Language,
) -> impl Iterator<Item = Result<String, CaseError>> + 'a {
    let rows = table.lines().enumerate().filter(|(row, line)| !line.is_empty() && !(*row == 0 && *line == "id\ttext"));
    rows.map(move |(at, line)| {
        let (id, text) = columns(line).ok_or(CaseError { row: at + 1, found: line.split('\t').count() })?;
        let screened = screening.screen(&unescape(text), fallback, None);
        let out = CaseOut {
            id,
            injection: rounded(screened.injection),
            spam: rounded(screened.spam),
            pii: &screened.pii,
            masked: &screened.text,
        };
        Ok(serde_json::to_string(&out).expect("invariant: plain data serialises"))
    })
}

fn columns(line: &str) -> Option<(&str, &str)> {
    let (id, text) = line.split_once('\t')?;
    (!text.contains('\t')).then_some((id, text))
}

/// Undoes the escapes of a table cell: `\t`, `\n`, `\r`, `\\`.
fn unescape(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(next @ ('t' | 'n' | 'r' | '\\'))) => {
                out.push(match next {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                });
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

fn rounded(score: f32) -> f32 {
    (score * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::tests::screening;
    use super::*;

    #[test]
    fn a_row_becomes_an_object() {
        let lines: Vec<_> = run(screening(), "id\ttext\n7\tzavolajte 0905 123 456\n", Language::Sk).collect();
        let [Ok(line)] = lines.as_slice() else { panic!("{lines:?}") };
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["pii"], serde_json::json!([{ "kind": "phone", "start": 10, "end": 22 }]));
        assert_eq!((&row["id"], &row["masked"]), (&"7".into(), &"zavolajte [phone]".into()));
        assert!(row["injection"].is_number() && row["spam"].is_number());
    }

    #[test]
    fn a_broken_row_is_named() {
        let lines: Vec<_> = run(screening(), "1\tok\n2 no tab\n", Language::En).collect();
        assert_eq!(lines[1], Err(CaseError { row: 2, found: 1 }));
    }

    #[test]
    fn cells_are_unescaped_once() {
        assert_eq!(unescape(r"a\tb\\n\d"), "a\tb\\n\\d");
    }
}
