//! `eval` over whole conversations that a reader labelled: is each turn taken for what it asks for, and does the reply tell the section of the
//! rules that answers it. In: `data/eval/talk/labels.tsv`; the conversations lie beside it, a file per set. Out: the share per kind.
//! Whether a reply is right only a reader can say: `scripts/talk.py` holds the same conversations to be read.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::app::App;
use crate::config::Config;
use crate::domain::{Command, CommandName, Message};
use crate::turn::{self, Watcher};

use super::{eval_turns, open};

/// First line of such a table.
pub(super) const HEADER: &str = "set\tconversation\tturn\tasks for\tsections";

/// One labelled turn.
struct Row<'a> {
    set: &'a str,
    conversation: usize,
    turn: usize,
    kinds: Vec<&'a str>,
    sections: Vec<&'a str>,
}

/// A turn as it was taken.
struct Taken {
    commands: Vec<Command>,
    sections: Vec<String>,
}

type Shares = BTreeMap<String, (usize, usize)>;

/// Holds every labelled conversation.
pub(super) async fn run(
    config: Config,
    (path, table): (&Path, &str),
    (faults, json): (bool, bool),
) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = table
        .lines()
        .enumerate()
        .skip(1)
        .filter(|(_, line)| !line.starts_with('#') && !line.is_empty())
        .map(|(at, line)| row(line).with_context(|| format!("line {}", at + 1)))
        .collect::<anyhow::Result<_>>()?;
    let mut app = open::app(config).await?;
    open::rehearsal(&mut app).await?;
    let mut shares: BTreeMap<String, Shares> = BTreeMap::new();
    let sets: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.set).collect();
    for set in sets {
        let file = path.with_file_name(format!("{set}.txt"));
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        for (conversation, line) in lines.enumerate() {
            let own = rows.iter().filter(|row| row.set == set && row.conversation == conversation);
            let labelled: Vec<&Row<'_>> = own.collect();
            if labelled.is_empty() {
                continue;
            }
            let turns: Vec<&str> = line.split('|').collect();
            let taken = hold(&app, &turns).await?;
            for row in labelled {
                let at = format!("{set}, conversation {conversation}, turn {}", row.turn);
                let Some(one) = row.turn.checked_sub(1).and_then(|turn| taken.get(turn)) else {
                    bail!("{at}: there is no such turn");
                };
                let shares = shares.entry(set.to_string()).or_default();
                for (what, right) in judged(row, one)? {
                    if faults && !right {
                        let names: Vec<&str> = one.commands.iter().map(|command| command.name.as_str()).collect();
                        println!("{at}: {what}: {}: taken for {names:?}, told {:?}", turns[row.turn - 1], one.sections);
                    }
                    let (good, all) = shares.entry(what).or_default();
                    *good += usize::from(right);
                    *all += 1;
                }
            }
        }
    }
    report(&shares, json);
    Ok(ExitCode::SUCCESS)
}

async fn hold(app: &App, turns: &[&str]) -> anyhow::Result<Vec<Taken>> {
    let (mut session, mut taken) = (None, Vec::new());
    for text in turns {
        let message =
            Message { session, customer: None, text: (*text).to_string(), locale: None, channel: "cli".to_string() };
        let answer = turn::answer(app, message, &Watcher::none()).await?;
        session = Some(answer.session_id);
        let record = app.state.turn(answer.turn_id).await?.unwrap_or_default();
        taken.push(Taken { commands: answer.commands, sections: sections(&record) });
    }
    Ok(taken)
}

/// The sections of the rules a turn told, whichever language they stand in.
fn sections(record: &Value) -> Vec<String> {
    let moves = record["outcome"]["moves"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = crate::domain::Language::ALL.into_iter().flat_map(|language| eval_turns::passages(moves, language));
    told.filter(|section| !section.contains('.')).collect()
}

/// What a turn is judged by: each thing it asks for, and the sections that answer it where there are any.
fn judged(row: &Row<'_>, taken: &Taken) -> anyhow::Result<Vec<(String, bool)>> {
    let mut judged = Vec::new();
    for kind in &row.kinds {
        let right = taken.commands.iter().any(|command| is_kind(kind, command));
        let told = *kind == "delivery" && taken.sections.iter().any(|section| section.starts_with("delivery#"));
        if !KINDS.contains(kind) {
            bail!("`{kind}` is none of {}", KINDS.join(", "));
        }
        judged.push(((*kind).to_string(), right || told));
    }
    let answered = row.sections.iter().any(|section| *section != "-");
    if answered {
        let right = row.sections.iter().any(|section| taken.sections.iter().any(|told| told == section));
        judged.push(("section told".to_string(), right));
    }
    Ok(judged)
}

/// What a turn may ask for.
const KINDS: [&str; 11] =
    ["find", "about", "price", "stock", "compare", "delivery", "policy", "order", "return", "cart", "contact"];

fn is_kind(kind: &str, command: &Command) -> bool {
    use CommandName as C;
    match kind {
        "find" => matches!(command.name, C::FindProduct | C::Stock | C::RestockNotice | C::Compare),
        "about" => command.slots.detail.is_some(),
        "price" => matches!(command.name, C::Price | C::CartAdd | C::Compare),
        "stock" => command.name == C::Stock,
        "compare" => command.name == C::Compare,
        "delivery" => command.name == C::DeliveryInfo,
        "policy" => command.name == C::Policy,
        "order" => matches!(command.name, C::OrderStatus | C::CancelOrder | C::ChangeOrder | C::ReturnItem),
        "return" => matches!(command.name, C::ReturnItem | C::Complaint | C::Policy),
        "cart" => matches!(command.name, C::CartAdd | C::Checkout),
        _ => matches!(command.name, C::LeaveContact | C::Human),
    }
}

fn row(line: &str) -> anyhow::Result<Row<'_>> {
    let columns: Vec<&str> = line.split('\t').collect();
    let (set, conversation, turn, kinds, sections) = match columns.as_slice() {
        [set, conversation, turn, kinds] => (set, conversation, turn, kinds, &""),
        [set, conversation, turn, kinds, sections] => (set, conversation, turn, kinds, sections),
        _ => bail!("five columns are expected ({HEADER}), {} found", columns.len()),
    };
    Ok(Row {
        set,
        conversation: conversation.parse().with_context(|| format!("conversation `{conversation}`"))?,
        turn: turn.parse().with_context(|| format!("turn `{turn}`"))?,
        kinds: kinds.split('+').collect(),
        sections: sections.split(',').filter(|section| !section.is_empty()).collect(),
    })
}

fn report(shares: &BTreeMap<String, Shares>, json: bool) {
    if json {
        let of = |shares: &Shares| -> Value {
            shares.iter().map(|(what, (right, all))| (what.clone(), json!({"right": right, "turns": all}))).collect()
        };
        println!("{}", shares.iter().map(|(set, own)| (set.clone(), of(own))).collect::<Value>());
        return;
    }
    for (set, own) in shares {
        for (what, (right, all)) in own {
            println!("{set}: {what}: {right} of {all}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slots;

    #[test]
    fn a_turn_is_right_where_each_thing_it_asks_for_is_taken_up() {
        let check = |line: &str, names: &[CommandName], told: &[&str], expected: &[(&str, bool)]| {
            let commands = names.iter().map(|name| Command { name: *name, slots: Slots::default() }).collect();
            let taken = Taken { commands, sections: told.iter().map(|section| (*section).to_string()).collect() };
            let judged = judged(&row(line).unwrap(), &taken).unwrap();
            let judged: Vec<_> = judged.iter().map(|(what, right)| (what.as_str(), *right)).collect();
            assert_eq!(judged, expected, "{line}");
        };
        use CommandName as C;
        check("a\t0\t1\tfind", &[C::FindProduct], &[], &[("find", true)]);
        check("a\t0\t1\tprice+stock\t", &[C::Price], &[], &[("price", true), ("stock", false)]);
        let told = [("policy", true), ("section told", true)];
        check("a\t0\t2\tpolicy\tfaq#1,faq#2", &[C::Policy], &["faq#2"], &told);
        check("a\t0\t2\tpolicy\t-", &[C::FindProduct], &[], &[("policy", false)]);
        assert!(row("a\t0").is_err() && row("a\tx\t1\tfind").is_err());
        assert!(judged(&row("a\t0\t1\tsing").unwrap(), &Taken { commands: Vec::new(), sections: Vec::new() }).is_err());
    }
}
