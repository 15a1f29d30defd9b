//! The record of a turn: enough to replay it. The message is masked before it comes here.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::session::{SessionId, TurnId};
use crate::domain::{Draft, Screened, Understanding};
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
            understanding: understanding.clone(),
            outcome: outcome.clone(),
            draft,
            check: answer.check.clone(),
            reply: answer.reply.clone(),
            timings: answer.timings.clone(),
        }
    }
}
