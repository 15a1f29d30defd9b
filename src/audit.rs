//! The record of a turn: enough to replay it. The message is masked before it comes here.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::message::PiiKind;
use crate::domain::order::Order;
use crate::domain::session::{SessionId, TurnId};
use crate::domain::{Command, Draft, FactBody, Screened, Understanding};
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
    /// Moves, facts with their versions, hits, what the model wrote.
    pub outcome: Outcome,
    /// The first draft.
    pub draft: Draft,
    /// How it passed the guard.
    pub check: CheckSummary,
    /// What was sent.
    pub reply: CheckedReply,
    /// Milliseconds by stage.
    pub timings: Timings,
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
        TurnRecord {
            turn: answer.turn_id,
            session: answer.session_id,
            at: Timestamp::now(),
            channel: channel.to_string(),
            message: message.clone(),
            understanding: masked_understanding(understanding.clone()),
            outcome: masked_outcome(outcome.clone()),
            draft,
            check: answer.check.clone(),
            reply: answer.reply.clone(),
            timings: answer.timings.clone(),
        }
    }
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
