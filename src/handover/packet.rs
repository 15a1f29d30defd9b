//! What a person needs who takes a conversation: all of it is read from the audit, where it is masked.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::domain::handover::{Case, Line};
use crate::domain::order::OrderState;
use crate::domain::photo;
use crate::domain::{Fact, FactBody, Language};

/// The packet of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Packet {
    /// The case.
    pub case: Case,
    /// How long the shopper has waited for a person, in seconds; none while it is the shopper's turn.
    pub waiting_s: Option<i64>,
    /// The conversation, masked, oldest first.
    pub history: Vec<Exchange>,
    /// What was written while a person had it.
    pub lines: Vec<Line>,
    /// Orders that were spoken of after their owner was proved.
    pub orders: Vec<OrderBrief>,
    /// What the assistant tried, each once, in order: `cancel_order by rules: task refused`.
    pub tried: Vec<String>,
    /// Ids of the facts that were shown.
    pub facts: Vec<String>,
    /// Where photos that the shopper sent are fetched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<String>,
    /// What to do next.
    pub next_step: String,
}

/// One message and its reply.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// When.
    pub at: String,
    /// The shopper's words, masked.
    pub message: String,
    /// What was answered; empty while a person had the chat.
    pub reply: String,
}

/// An order in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderBrief {
    /// Its number.
    pub number: String,
    /// The customer's id.
    pub customer: String,
    /// Its state when it was spoken of last.
    pub state: OrderState,
    /// Its total with the currency's code.
    pub total: String,
}

/// Puts a case's packet together.
///
/// # Errors
/// The conversation cannot be read.
pub async fn packet(app: &App, case: Case, language: Option<Language>) -> anyhow::Result<Packet> {
    let turns = app.state.turns_of(case.session).await?;
    let lines = app.state.lines(case.session, "").await?;
    let photos = app.state.photos_of(case.session, Timestamp::UNIX_EPOCH).await?;
    let facts = facts_shown(&turns);
    let reason = case.reasons.first().copied();
    let steps = reason.and_then(|reason| app.handover_rules.next_step.get(&reason));
    let next_step = steps.map(|step| step.get(language.unwrap_or(case.language)).to_string()).unwrap_or_default();
    let now = app.now();
    Ok(Packet {
        waiting_s: case.waiting_since.map(|since| now.duration_since(since).as_secs()),
        history: turns.iter().filter_map(exchange).collect(),
        orders: orders(&facts),
        tried: tried(&turns),
        facts: facts.iter().map(|fact| fact.id.to_string()).collect::<BTreeSet<_>>().into_iter().collect(),
        lines,
        photos: photos.iter().map(|id| photo::address(id)).collect(),
        next_step,
        case,
    })
}

/// The facts of all turns; of one fact the latest.
pub fn facts_shown(turns: &[Value]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for fact in turns.iter().rev().filter_map(|turn| turn["outcome"]["facts"].as_array()).flatten() {
        let Ok(fact) = serde_json::from_value::<Fact>(fact.clone()) else { continue };
        if !facts.iter().any(|known| known.id == fact.id) {
            facts.push(fact);
        }
    }
    facts
}

fn exchange(turn: &Value) -> Option<Exchange> {
    let parts = turn["reply"]["segments"].as_array()?.iter().filter_map(|segment| segment["text"].as_str());
    Some(Exchange {
        at: turn["at"].as_str()?.to_string(),
        message: turn["message"]["text"].as_str()?.to_string(),
        reply: parts.collect::<Vec<_>>().join("\n"),
    })
}

fn orders(facts: &[Fact]) -> Vec<OrderBrief> {
    let mut orders: Vec<OrderBrief> = Vec::new();
    for fact in facts {
        let order = match &fact.body {
            FactBody::Order(order) => order.as_ref(),
            FactBody::Task(task) => &task.order,
            _ => continue,
        };
        let brief = OrderBrief {
            number: order.number.clone(),
            customer: order.customer.clone(),
            state: order.state,
            total: format!("{} {}", order.total, order.currency),
        };
        if !orders.iter().any(|known| known.number == brief.number) {
            orders.push(brief);
        }
    }
    orders
}

fn tried(turns: &[Value]) -> Vec<String> {
    let mut tried: Vec<String> = Vec::new();
    for turn in turns {
        let names = turn["understanding"]["commands"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(|command| command["name"].as_str()).collect();
        let moves = turn["outcome"]["moves"].as_array().into_iter().flatten();
        let moves: Vec<String> = moves.filter_map(step_name).collect();
        if names.is_empty() {
            continue;
        }
        let tier = turn["understanding"]["tier"].as_str().unwrap_or("rules");
        let line = format!("{} by {tier}: {}", names.join(" + "), moves.join(", "));
        if !tried.contains(&line) {
            tried.push(line);
        }
    }
    tried
}

/// `task refused`, `not_found no_order`, `offer`.
fn step_name(step: &Value) -> Option<String> {
    let name = step["move"].as_str()?;
    let detail = ["say", "why", "what", "reason", "kind"].iter().find_map(|key| step[*key].as_str());
    Some(detail.map_or_else(|| name.to_string(), |detail| format!("{name} {detail}")))
}
