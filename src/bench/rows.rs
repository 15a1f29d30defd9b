//! The rows a filter is tried on: case files (TSV) and saved answers of a model (JSON lines) with a label made by hand.
//! In: the text of a file. Out: one case a row; a row that cannot be read is named by its line.

use std::collections::HashSet;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::domain::Language;
use crate::guard::{Ledger, cases};

use super::peers;

/// What a person said of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Truth {
    /// All it says of prices, delivery and stock is a fact's.
    Ok,
    /// Something is not.
    Bad,
    /// A right sum or difference that no fact holds.
    Derived,
    /// No wrong amount, but a promise or an opinion in words alone: "it will arrive this week".
    Words,
}

/// One text to be judged.
pub(super) struct Case {
    pub language: Language,
    pub ledger: Ledger,
    pub prices: HashSet<String>,
    pub text: String,
    pub truth: Truth,
    /// Reason codes that are right; empty where nobody said.
    pub codes: Vec<String>,
}

#[derive(Deserialize)]
struct Output {
    lang: Language,
    facts: serde_json::Value,
    text: String,
    truth: Option<Truth>,
}

/// The cases of a file. Saved answers nobody labelled are left out.
///
/// # Errors
/// A row that cannot be read, by line.
pub(super) fn read(name: &str, file: &str) -> anyhow::Result<Vec<Case>> {
    let saved = file.starts_with('{');
    let rows = file.lines().enumerate().skip(usize::from(!saved)).filter(|(_, row)| !row.trim().is_empty());
    let mut found = Vec::new();
    for (index, row) in rows {
        let case = if saved { output(row) } else { case(row).map(Some) };
        found.extend(case.with_context(|| format!("{name} line {}", index + 1))?);
    }
    Ok(found)
}

fn case(row: &str) -> anyhow::Result<Case> {
    let (language, ledger, text) = cases::parse(row)?;
    let cells: Vec<&str> = row.split('\t').collect();
    let truth = match cells.get(3) {
        Some(&"accept") => Truth::Ok,
        Some(&"reject") => Truth::Bad,
        _ => bail!("the fourth column is `accept` or `reject`"),
    };
    let codes = cells.get(5).map_or("", |codes| *codes).split(',').filter(|code| !code.is_empty());
    let codes = codes.map(str::to_string).collect();
    Ok(Case { language, ledger, prices: peers::prices(cells[1]), text, truth, codes })
}

fn output(row: &str) -> anyhow::Result<Option<Case>> {
    let Output { lang, facts, text, truth } = serde_json::from_str(row)?;
    let Some(truth) = truth else { return Ok(None) };
    let facts = facts.to_string();
    let (ledger, prices) = (Ledger::from_case(&facts)?.complete(), peers::prices(&facts));
    Ok(Some(Case { language: lang, ledger, prices, text, truth, codes: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_rows_are_read() {
        let tsv = "lang\tfacts\ttext\tverdict\twhy\tcodes\nen\t[]\tIt is $5.\treject\tx\tunbound_price,price_talk\n";
        let found = read("a", tsv).unwrap();
        assert_eq!((found.len(), found[0].truth, found[0].codes.len()), (1, Truth::Bad, 2));
        let json = r#"{"lang":"sk","facts":[{"sku":"A","name":"Voda","price":"1","currency":"EUR"}],"question":"?","text":"Voda stojí 1 €.","truth":"ok"}
{"lang":"sk","facts":[],"question":"?","text":"nobody labelled it"}
{"lang":"sk","facts":[],"question":"?","text":"2 €","truth":"derived"}"#;
        let found = read("b", json).unwrap();
        assert_eq!(found.iter().map(|case| case.truth).collect::<Vec<_>>(), [Truth::Ok, Truth::Derived]);
        assert!(found[0].prices.contains("1"));
        let refuse = |file: &str| format!("{:#}", read("c", file).err().unwrap());
        assert!(refuse("h\nen\t[]\tx\tmaybe\n").starts_with("c line 2: the fourth column"));
        assert!(refuse("{\"lang\":\"xx\"}").starts_with("c line 1: "));
    }
}
