//! `eval` over questions, whole turns through: is the passage told that answers one about the rules, and is what the shop does not sell
//! known as such. In: a table of language, question and what is expected. Out: the share per language, and what was told instead.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::{Language, Message};
use crate::turn::{self, Watcher};

use super::open;

/// What a table expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// The passage of the rules that answers the question, `returns#2`; `-` where none does.
    Passage,
    /// Whether the shop has such a thing, `yes` or `no`.
    Sold,
}

impl Expects {
    /// By a table's first line; none for a table of another kind.
    pub(super) fn of(table: &str) -> Option<Expects> {
        match table.lines().next()? {
            "language\tquestion\tpassage" => Some(Expects::Passage),
            "language\tquestion\tsold" => Some(Expects::Sold),
            _ => None,
        }
    }

    fn check(self, expected: &str) -> anyhow::Result<()> {
        if self == Expects::Sold && !matches!(expected, "yes" | "no") {
            anyhow::bail!("`{expected}` is neither `yes` nor `no`");
        }
        Ok(())
    }

    /// What a turn told, as the table would say it; one line for each thing told.
    fn told(self, record: &Value, language: Language) -> Vec<String> {
        let moves = record["outcome"]["moves"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told = match self {
            Expects::Passage => passages(moves, language),
            Expects::Sold => {
                let none = |step: &Value| step["move"] == "not_found" && step["why"] == "nothing_found";
                vec![if moves.iter().any(none) { "no" } else { "yes" }.to_string()]
            }
        };
        if told.is_empty() { vec!["-".to_string()] } else { told }
    }
}

/// Asks every question in a conversation of its own.
pub(super) async fn run(
    config: Config,
    (expects, table): (Expects, &str),
    (faults, json): (bool, bool),
) -> anyhow::Result<ExitCode> {
    let mut app = open::app(config).await?;
    open::rehearsal(&mut app).await?;
    let mut shares: BTreeMap<(Language, String), (usize, usize)> = BTreeMap::new();
    for (at, line) in table.lines().enumerate().skip(1) {
        let (language, question, expected) = row(line).with_context(|| format!("line {}", at + 1))?;
        expects.check(expected).with_context(|| format!("line {}", at + 1))?;
        let message = Message {
            session: None,
            customer: None,
            text: question.to_string(),
            locale: Some(language),
            channel: "cli".to_string(),
        };
        let answer = turn::answer(&app, message, &Watcher::none()).await?;
        let record = app.state.turn(answer.turn_id).await?.unwrap_or_default();
        let told = expects.told(&record, language);
        let right = told.iter().any(|one| one == expected);
        let kind = if matches!(expected, "-" | "yes" | "no") { expected } else { "" };
        let (good, all) = shares.entry((language, kind.to_string())).or_default();
        *good += usize::from(right);
        *all += 1;
        if faults && !right {
            let commands: Vec<&str> = answer.commands.iter().map(|command| command.name.as_str()).collect();
            println!("{language}  {question}: {expected}, told {told:?} as {commands:?}");
        }
    }
    report(&shares, json);
    Ok(ExitCode::SUCCESS)
}

fn row(line: &str) -> anyhow::Result<(Language, &str, &str)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [language, question, expected] = columns.as_slice() else {
        anyhow::bail!("three columns are expected (language, question, what is right), {} found", columns.len());
    };
    Ok((language.parse()?, question, expected))
}

/// The passages a turn told, without their language: `returns#2`.
pub(super) fn passages(moves: &[Value], language: Language) -> Vec<String> {
    let facts = moves.iter().filter(|step| step["move"] == "policy").filter_map(|step| step["fact"].as_str());
    facts.map(|fact| fact.trim_start_matches("passage:").replace(&format!(".{language}#"), "#")).collect()
}

fn report(shares: &BTreeMap<(Language, String), (usize, usize)>, json: bool) {
    let all = shares.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if json {
        let rows: Vec<Value> = shares
            .iter()
            .map(|((language, kind), (right, all))| {
                json!({"language": language.to_string(), "expected": kind, "right": right, "questions": all})
            })
            .collect();
        println!("{}", json!({"right": all.0, "questions": all.1, "rows": rows}));
        return;
    }
    for ((language, kind), (right, all)) in shares {
        let kind = if kind.is_empty() { String::new() } else { format!(" expecting `{kind}`") };
        println!("{language}: {right} of {all}{kind} answered right");
    }
    println!("all: {} of {} ({:.1} %)", all.0, all.1, 100.0 * all.0 as f64 / all.1.max(1) as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_turn_told_is_read_off_its_record() {
        let check = |expects: Expects, moves: Value, expected: &str| {
            let record = json!({"outcome": {"moves": moves}});
            assert_eq!(expects.told(&record, Language::Sk), [expected], "{record}");
        };
        let rule = json!([{"move": "policy", "fact": "passage:returns.sk#2"}, {"move": "ask", "what": "town"}]);
        check(Expects::Passage, rule, "returns#2");
        check(Expects::Passage, json!([]), "-");
        check(Expects::Sold, json!([{"move": "not_found", "why": "nothing_found"}]), "no");
        check(Expects::Sold, json!([{"move": "not_found", "why": "out_of_stock"}]), "yes");
        check(Expects::Sold, json!([{"move": "offer", "facts": []}]), "yes");
    }

    #[test]
    fn a_row_has_three_columns() {
        assert_eq!(row("zh\t能退吗\treturns#1").unwrap(), (Language::Zh, "能退吗", "returns#1"));
        assert!(row("zh\t能退吗").is_err());
        assert!(row("de\tWie?\treturns#1").is_err());
        assert!(Expects::Sold.check("maybe").is_err());
    }
}
