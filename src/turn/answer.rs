//! What a turn brings to its channel: the answer, what was seen on the way, and what the door refuses.

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use crate::domain::plan::HandoverReason;
use crate::domain::reply::{Action, Citation};
use crate::domain::session::{SessionId, TurnId};
use crate::domain::{Command, Language, Tier};
use crate::guard::{CheckedReply, CheckedSegment};

/// What a turn brought: all that a channel may tell the customer, and what the API tells about it.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The conversation.
    pub session_id: SessionId,
    /// This turn.
    pub turn_id: TurnId,
    /// The language of the reply.
    pub language: Language,
    /// The reply: the only text that may be sent.
    pub reply: CheckedReply,
    /// What the client may offer to do.
    pub actions: Vec<Action>,
    /// What was understood.
    pub commands: Vec<Command>,
    /// Which tier of understanding decided.
    pub tier: Tier,
    /// What the guard said on the way.
    pub check: CheckSummary,
    /// Why a person takes over, if one does.
    pub handover: Option<HandoverReason>,
    /// How long each stage took.
    pub timings: Timings,
}

impl Answer {
    /// Every citation of the reply, in order.
    pub fn citations(&self) -> Vec<Citation> {
        self.reply.segments().iter().flat_map(|segment| segment.citations().to_vec()).collect()
    }
}

/// What the guard said on the way to the reply.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckSummary {
    /// How the reply came about.
    pub status: CheckStatus,
    /// Reason codes of rejected drafts, in order.
    pub rejected: Vec<String>,
}

/// How a reply passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The first draft.
    #[default]
    Accepted,
    /// A plain template over the same facts.
    Repaired,
    /// A second plan of the model.
    Regenerated,
    /// No draft; a person answers.
    HandedOver,
}

/// Milliseconds by stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Each stage, in order.
    pub stages: Vec<(Stage, f64)>,
    /// All of it.
    pub total_ms: f64,
    /// True when the language model was asked in this turn.
    pub generated: bool,
}

/// A stage of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Size, normal form, language, personal data, attacks.
    Screening,
    /// Message to commands.
    Understanding,
    /// Commands to facts.
    Searching,
    /// Facts to moves.
    Drafting,
    /// The guard.
    Checking,
}

/// What a watcher sees while a turn runs. A segment, once seen, is never taken back.
#[derive(Clone, Debug)]
pub enum Event {
    /// A stage has begun.
    Status(Stage),
    /// A verified part of the reply.
    Segment(CheckedSegment),
}

/// Somebody who follows a turn, or nobody.
#[derive(Clone, Debug, Default)]
pub struct Watcher(Option<UnboundedSender<Event>>);

impl Watcher {
    /// Nobody follows.
    pub fn none() -> Self {
        Watcher(None)
    }

    /// Events go to `sender`; a closed receiver is not an error.
    pub fn to(sender: UnboundedSender<Event>) -> Self {
        Watcher(Some(sender))
    }

    pub(super) fn tell(&self, event: Event) {
        if let Some(sender) = &self.0 {
            // The receiver has left: the turn is still finished and audited.
            let _ = sender.send(event);
        }
    }
}

/// Why a message got no reply at all: the door refuses it before anything is done.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The conversation does not exist.
    #[error("session `{0}` does not exist; leave session_id out to start a new one")]
    UnknownSession(SessionId),
    /// The message is empty.
    #[error("the message is empty")]
    EmptyMessage,
    /// The message is too long.
    #[error("the message has {chars} characters; at most {limit} are read (server.message_chars)")]
    MessageTooLong {
        /// Characters sent.
        chars: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// The machine has enough to do.
    #[error("too many conversations at once; try again in {retry_after_s} s")]
    Busy {
        /// A fair guess.
        retry_after_s: u64,
    },
    /// Others wrote to the conversation all the time.
    #[error("other messages of this conversation are still being answered")]
    Conflict,
    /// Something inside failed before a reply could be made; the cause is in the log.
    #[error("the turn failed")]
    Failed(#[source] anyhow::Error),
}
