//! The record of a turn: enough to replay it. The message is masked before it comes here.
//! What was said is kept whole; of the products that were looked at and not spoken of, which, in what version and at what price.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::message::PiiKind;
use crate::domain::order::Order;
use crate::domain::session::{SessionId, TurnId};
use crate::domain::{Command, Draft, Fact, FactBody, FactId, Money, Move, Screened, Understanding};
use crate::guard::CheckedReply;
use crate::turn::{Answer, CheckSummary, Outcome, Timings};

/// Everything about one turn.
#[derive(Clone, Debug, Serialize)]
pub struct TurnRecord {
    /// The turn.
    pub turn: TurnId,
    /// Its conversation.
    pub session: SessionId,
    /// When it was answered.
    pub at: Timestamp,
    /// Where the message came from.
    pub channel: String,
    /// The message, masked, with its scores.
    pub message: Screened,
    /// Commands, tier and why.
    pub understanding: Understanding,
    /// Moves, the facts they speak of with their versions, hits, what the model wrote.
    pub outcome: Outcome,
    /// Offers that were at hand and not spoken of.
    pub others: Vec<Glance>,
    /// The first draft.
    pub draft: Draft,
    /// How it passed the guard.
    pub check: CheckSummary,
    /// What was sent.
    pub reply: CheckedReply,
    /// Milliseconds by stage.
    pub timings: Timings,
}

/// An offer that was at hand: with its source's generation it can be read again.
#[derive(Clone, Debug, Serialize)]
pub struct Glance {
    /// The fact.
    pub id: FactId,
    /// Where it was read.
    pub source: String,
    /// When the source last confirmed it.
    pub as_of: Timestamp,
    /// What it cost then.
    pub price: Option<Money>,
}

impl TurnRecord {
    /// The record of an answer.
    pub fn new(
        answer: &Answer,
        channel: &str,
        message: &Screened,
        understanding: &Understanding,
        outcome: &Outcome,
        draft: Draft,
    ) -> TurnRecord {
        let spoken_of = spoken_of(&outcome.moves, &draft);
        TurnRecord {
            turn: answer.turn_id,
            session: answer.session_id,
            at: Timestamp::now(),
            channel: channel.to_string(),
            message: message.clone(),
            understanding: masked_understanding(understanding.clone()),
            outcome: masked_outcome(whole(outcome, &spoken_of)),
            others: outcome.facts.iter().filter_map(|fact| glance(fact, &spoken_of)).collect(),
            draft,
            check: answer.check.clone(),
            reply: answer.reply.clone(),
            timings: answer.timings.clone(),
        }
    }
}

/// The facts that the moves name, whatever kind of move it is, and those that the draft states.
fn spoken_of(moves: &[Move], draft: &Draft) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(serde_json::to_value(moves).unwrap_or_default(), &mut found);
    let spans = draft.segments.iter().flat_map(|segment| &segment.spans);
    found.extend(spans.map(|span| span.fact.0.clone()));
    found
}

fn gather(value: Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text)),
        Value::Array(values) => values.into_iter().for_each(|value| gather(value, found)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| gather(value, found)),
        _ => {}
    }
}

/// What the record holds of an outcome: an offer that nobody spoke of would stand in it with all its texts and places.
fn whole(outcome: &Outcome, spoken_of: &BTreeSet<String>) -> Outcome {
    let kept = |fact: &&Fact| glance(fact, spoken_of).is_none();
    Outcome {
        moves: outcome.moves.clone(),
        facts: outcome.facts.iter().filter(kept).cloned().collect(),
        hits: outcome.hits.clone(),
        focus: outcome.focus.clone(),
        town: outcome.town.clone(),
        pending: outcome.pending.clone(),
        generated: outcome.generated.clone(),
        now: outcome.now,
        ..Outcome::default()
    }
}

fn glance(fact: &Fact, spoken_of: &BTreeSet<String>) -> Option<Glance> {
    let FactBody::Offer(offer) = &fact.body else { return None };
    let untold = || Glance {
        id: fact.id.clone(),
        source: fact.source.clone(),
        as_of: fact.as_of,
        price: offer.offer.price.now(),
    };
    (!spoken_of.contains(&fact.id.0)).then(untold)
}

fn masked_understanding(mut understanding: Understanding) -> Understanding {
    understanding.commands.iter_mut().for_each(mask);
    understanding
}

/// The record tells which order was spoken of, not who its customer is or where they live.
fn masked_outcome(mut outcome: Outcome) -> Outcome {
    if let Some(pending) = &mut outcome.pending {
        mask(&mut pending.command);
    }
    for fact in &mut outcome.facts {
        match &mut fact.body {
            FactBody::Order(order) => nameless(order),
            FactBody::Task(task) => nameless(&mut task.order),
            FactBody::Cart(cart) => cart.address = None,
            _ => {}
        }
    }
    outcome
}

fn mask(command: &mut Command) {
    for (slot, kind) in [(&mut command.slots.phone, PiiKind::Phone), (&mut command.slots.email, PiiKind::Email)] {
        if slot.is_some() {
            *slot = Some(kind.mask().to_string());
        }
    }
}

fn nameless(order: &mut Order) {
    order.name.clear();
    order.phone = PiiKind::Phone.mask().to_string();
    order.email = PiiKind::Email.mask().to_string();
    order.address = None;
}
