//! Counting: one conversation after another, each of its commands with how it ended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::handover::Case;

use super::Period;
use super::recovery::Recovery;
use super::report::{Containment, Measure, Report, Unanswered};
use super::sales::Sales;

/// Questions told as unanswered at most.
const MOST_UNANSWERED: usize = 20;

/// The counts so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What was sold.
    pub sales: Sales,
    /// What became of carts after a reminder.
    pub recovery: Recovery,
    conversations: BTreeMap<String, Conversation>,
    unanswered: BTreeMap<String, usize>,
    answer_ms: Vec<f64>,
    generated: usize,
    repaired: usize,
    turns: usize,
}

#[derive(Clone, Debug, Default)]
struct Conversation {
    commands: BTreeSet<String>,
    handed_over: bool,
    done: usize,
    thanked: bool,
    /// The last reply left something open: a question, a proposal, or nothing found.
    open: bool,
    score: Option<i64>,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Verified,
    Assumed,
    Abandoned,
    HandedOver,
}

impl Conversation {
    fn end(&self) -> End {
        match self {
            _ if self.handed_over => End::HandedOver,
            _ if self.done > 0 || self.thanked || self.score.is_some_and(|score| score >= 4) => End::Verified,
            _ if self.open || self.score.is_some_and(|score| score <= 2) => End::Abandoned,
            _ => End::Assumed,
        }
    }
}

/// Commands that are part of talking, not wishes of their own.
const TALK: [&str; 6] = ["confirm", "deny", "correct", "smalltalk", "spam", "unsafe"];

impl Tally {
    /// One turn's record.
    pub fn add(&mut self, session: &str, record: &Value) {
        self.turns += 1;
        let conversation = self.conversations.entry(session.to_string()).or_default();
        let commands: Vec<&Value> = record["understanding"]["commands"].as_array().into_iter().flatten().collect();
        if commands.is_empty() {
            return;
        }
        self.answer_ms.extend(record["timings"]["total_ms"].as_f64());
        self.generated += usize::from(record["timings"]["generated"] == true);
        self.repaired += usize::from(record["check"]["status"] != "accepted");
        for command in &commands {
            let name = command["name"].as_str().unwrap_or_default();
            conversation.thanked |= name == "smalltalk" && command["slots"]["topic"] == "thanks";
            if !TALK.contains(&name) {
                conversation.commands.insert(name.to_string());
            }
        }
        let moves: Vec<&Value> = record["outcome"]["moves"].as_array().into_iter().flatten().collect();
        let is = |step: &Value, name: &str| step["move"] == name;
        let says = |step: &Value, lines: &[&str]| step["say"].as_str().is_some_and(|say| lines.contains(&say));
        conversation.handed_over |= moves.iter().any(|step| is(step, "human"));
        conversation.done += moves.iter().filter(|step| is(step, "task") && says(step, &["done"])).count();
        let proposes = ["proposal", "changed", "expired", "unclear", "waiting"];
        conversation.open = moves
            .last()
            .is_some_and(|step| is(step, "ask") || is(step, "not_found") || is(step, "task") && says(step, &proposes));
        let unknown = moves.iter().any(|step| is(step, "not_found") || step["kind"] == "out_of_scope");
        if let Some(text) = record["message"]["text"].as_str().filter(|_| unknown) {
            *self.unanswered.entry(text.trim().to_lowercase()).or_default() += 1;
        }
    }

    /// A shopper's score of a conversation, 1 to 5.
    pub fn score(&mut self, session: &str, score: i64) {
        self.conversations.entry(session.to_string()).or_default().score = Some(score);
    }

    /// The report.
    pub fn report(mut self, period: Period, cases: &[Case]) -> Report {
        for case in cases {
            self.conversations.entry(case.session.to_string()).or_default().handed_over = true;
        }
        let mut containment: BTreeMap<String, Containment> = BTreeMap::new();
        for conversation in self.conversations.values() {
            for command in conversation.commands.iter().map(String::as_str).chain(["all"]) {
                let row = containment.entry(command.to_string()).or_insert_with(|| Containment::of(command));
                row.count(conversation.end());
            }
        }
        let mut unanswered: Vec<Unanswered> =
            self.unanswered.iter().map(|(text, times)| Unanswered { text: text.clone(), times: *times }).collect();
        unanswered.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.text.cmp(&b.text)));
        unanswered.truncate(MOST_UNANSWERED);
        let measures = self.measures(cases);
        let mut containment: Vec<Containment> = containment.into_values().collect();
        containment.sort_by_key(|row| (row.command != "all", std::cmp::Reverse(row.conversations)));
        let takings = self.sales.takings();
        let (elsewhere, costs) = (Vec::new(), None);
        Report { from: period.from, to: period.to, measures, takings, elsewhere, costs, containment, unanswered }
    }

    fn measures(&mut self, cases: &[Case]) -> Vec<Measure> {
        let scores: Vec<i64> = self.conversations.values().filter_map(|one| one.score).collect();
        let happy = scores.iter().filter(|score| **score >= 4).count();
        let done: usize = self.conversations.values().map(|one| one.done).sum();
        let seconds = |from: &dyn Fn(&Case) -> Option<jiff::Timestamp>| {
            let waited = |case: &Case| Some(from(case)?.duration_since(case.opened).as_secs_f64());
            cases.iter().filter_map(waited).collect::<Vec<f64>>()
        };
        let (mut first, mut ended) = (seconds(&|case| case.answered), seconds(&|case| case.ended));
        let bought = self.sales.conversations();
        let bought = self.conversations.keys().filter(|session| bought.contains(*session)).count();
        let escalated = cases.iter().filter(|case| case.escalated > 0).count();
        vec![
            Measure::count("conversations", self.conversations.len()),
            Measure::count("turns", self.turns),
            Measure::new("answer_p50", percentile(&mut self.answer_ms, 0.5)),
            Measure::new("answer_p95", percentile(&mut self.answer_ms, 0.95)),
            Measure::new("generated_share", share(self.generated, self.answer_ms.len())),
            Measure::new("repaired_share", share(self.repaired, self.answer_ms.len())),
            Measure::count("tasks_done", done),
            Measure::count("orders_placed", self.sales.placed()),
            Measure::count("orders_paid", self.sales.paid()),
            Measure::new("conversion", share(bought, self.conversations.len())),
            Measure::count("carts_reminded", self.recovery.reminded),
            Measure::count("carts_recovered", self.recovery.verified),
            Measure::count("carts_recovered_assumed", self.recovery.assumed),
            Measure::new("cart_recovery", share(self.recovery.verified, self.recovery.reminded)),
            Measure::count("cases", cases.len()),
            Measure::new("escalated_share", share(escalated, cases.len())),
            Measure::new("person_answer_p50", percentile(&mut first, 0.5)),
            Measure::new("person_answer_p95", percentile(&mut first, 0.95)),
            Measure::new("person_resolve_p50", percentile(&mut ended, 0.5)),
            Measure::count("scores", scores.len()),
            Measure::new("csat", share(happy, scores.len())),
        ]
    }
}

impl Containment {
    fn of(command: &str) -> Containment {
        Containment { command: command.to_string(), ..Containment::default() }
    }

    fn count(&mut self, end: End) {
        self.conversations += 1;
        match end {
            End::Verified => self.verified += 1,
            End::Assumed => self.assumed += 1,
            End::Abandoned => self.abandoned += 1,
            End::HandedOver => self.handed_over += 1,
        }
    }
}

fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn percentile(values: &mut [f64], at: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * at).ceil() as usize).saturating_sub(1);
    values.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn turn(command: &str, topic: &str, moves: Value) -> Value {
        json!({
            "understanding": {"commands": [{"name": command, "slots": {"topic": topic}}]},
            "outcome": {"moves": moves}, "message": {"text": "Do you sell boats?"},
            "timings": {"total_ms": 4.0, "generated": false}, "check": {"status": "accepted"},
        })
    }

    #[test]
    fn how_a_conversation_ended_is_told_apart() {
        let mut tally = Tally::default();
        let offer = json!([{"move": "offer"}]);
        tally.add("told", &turn("price", "", offer.clone()));
        tally.add("thanked", &turn("price", "", offer.clone()));
        tally.add("thanked", &turn("smalltalk", "thanks", json!([{"move": "smalltalk", "kind": "thanks"}])));
        tally.add("left", &turn("price", "", json!([{"move": "not_found", "why": "nothing_found"}])));
        tally.add("person", &turn("price", "", json!([{"move": "human", "reason": "asked"}])));
        tally.add("done", &turn("cancel_order", "", json!([{"move": "task", "say": "done"}])));
        tally.add("waits", &turn("cancel_order", "", json!([{"move": "task", "say": "proposal"}])));
        tally.add("scored", &turn("stock", "", offer));
        tally.score("scored", 5);
        let period = Period::between(Some("2026-11-01"), Some("2026-11-02"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let report = tally.report(period, &[]);
        let row = |command: &str| {
            let row = report.containment.iter().find(|row| row.command == command).unwrap();
            (row.conversations, row.verified, row.assumed, row.abandoned, row.handed_over)
        };
        assert_eq!(row("price"), (4, 1, 1, 1, 1));
        assert_eq!(row("cancel_order"), (2, 1, 0, 1, 0));
        assert_eq!(row("stock"), (1, 1, 0, 0, 0));
        assert_eq!(row("all"), (7, 3, 1, 2, 1));
        assert_eq!(report.unanswered, [Unanswered { text: "do you sell boats?".to_string(), times: 1 }]);
        let measure = |name: &str| report.measures.iter().find(|one| one.name == name).unwrap().value;
        assert_eq!((measure("csat"), measure("tasks_done")), (Some(1.0), Some(1.0)));
        assert_eq!(measure("person_answer_p50"), None, "what was not seen is not told");
    }
}
