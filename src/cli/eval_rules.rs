//! `eval` over questions about the shop's rules: whether the passage that answers each is the one that is told, whole turns through.
//! In: a table of language, question and passage (`returns#2`). Out: the share per language, and what was told instead.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::{Language, Message};
use crate::turn::{self, Watcher};

use super::open;

/// The first line of such a table.
pub(super) const HEADER: &str = "language\tquestion\tpassage";

/// Asks every question in a conversation of its own.
pub(super) async fn run(config: Config, table: &str, (faults, json): (bool, bool)) -> anyhow::Result<ExitCode> {
    let mut app = open::app(config).await?;
    open::rehearsal(&mut app).await?;
    let mut by_language: BTreeMap<Language, (usize, usize)> = BTreeMap::new();
    for (at, line) in table.lines().enumerate().skip(1) {
        let (language, question, passage) = row(line).with_context(|| format!("line {}", at + 1))?;
        let message = Message {
            session: None,
            customer: None,
            text: question.to_string(),
            locale: Some(language),
            channel: "cli".to_string(),
        };
        let answer = turn::answer(&app, message, &Watcher::none()).await?;
        let record = app.state.turn(answer.turn_id).await?.unwrap_or_default();
        let told = told(&record, language);
        let right = told.iter().any(|one| one == passage);
        let (good, all) = by_language.entry(language).or_default();
        *good += usize::from(right);
        *all += 1;
        if faults && !right {
            let commands: Vec<&str> = answer.commands.iter().map(|command| command.name.as_str()).collect();
            println!("{language}  {question}: {passage}, told {told:?} as {commands:?}");
        }
    }
    report(&by_language, json);
    Ok(ExitCode::SUCCESS)
}

fn row(line: &str) -> anyhow::Result<(Language, &str, &str)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [language, question, passage] = columns.as_slice() else {
        anyhow::bail!("three columns are expected (language, question, passage), {} found", columns.len());
    };
    Ok((language.parse()?, question, passage))
}

/// The passages a turn told, without their language: `returns#2`.
fn told(record: &Value, language: Language) -> Vec<String> {
    let moves = record["outcome"]["moves"].as_array().map(Vec::as_slice).unwrap_or_default();
    let facts = moves.iter().filter(|step| step["move"] == "policy").filter_map(|step| step["fact"].as_str());
    facts.map(|fact| fact.trim_start_matches("passage:").replace(&format!(".{language}#"), "#")).collect()
}

fn report(by_language: &BTreeMap<Language, (usize, usize)>, json: bool) {
    let all = by_language.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if json {
        let languages: BTreeMap<String, [usize; 2]> =
            by_language.iter().map(|(language, one)| (language.to_string(), [one.0, one.1])).collect();
        println!("{}", json!({"right": all.0, "questions": all.1, "by_language": languages}));
        return;
    }
    for (language, (right, all)) in by_language {
        println!("{language}: {right} of {all} answered with the passage that answers them");
    }
    println!("all: {} of {} ({:.1} %)", all.0, all.1, 100.0 * all.0 as f64 / all.1.max(1) as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passages_of_a_turn_are_read_off_its_record() {
        let record = json!({"outcome": {"moves": [
            {"move": "policy", "fact": "passage:returns.sk#2"},
            {"move": "ask", "what": "town"},
        ]}});
        assert_eq!(told(&record, Language::Sk), ["returns#2"]);
        assert!(told(&json!({}), Language::Sk).is_empty());
    }

    #[test]
    fn a_row_has_three_columns() {
        assert_eq!(row("zh\t能退吗\treturns#1").unwrap(), (Language::Zh, "能退吗", "returns#1"));
        assert!(row("zh\t能退吗").is_err());
        assert!(row("de\tWie?\treturns#1").is_err());
    }
}
