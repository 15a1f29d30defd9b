//! What the operators' side reads and answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::Language;
use crate::domain::handover::{Case, CaseState, Line};
use crate::guard::Violation;
use crate::handover::{Packet, Step};
use crate::http::error::{Code, Problem};
use crate::http::measure::name_of;

const TEXT_CHARS: usize = 4000;
const NAME_CHARS: usize = 100;

/// Which cases.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// `waiting` (the default), `taken`, `given_back` or `closed`.
    state: Option<String>,
}

impl QueueQuery {
    /// The state asked for.
    ///
    /// # Errors
    /// There is no such state.
    pub fn state(&self) -> Result<CaseState, Problem> {
        let Some(name) = &self.state else { return Ok(CaseState::Waiting) };
        let all = [CaseState::Waiting, CaseState::Taken, CaseState::GivenBack, CaseState::Closed];
        let wrong = || Problem::of_field(Code::InvalidField, "state", "Use waiting, taken, given_back or closed.");
        all.into_iter().find(|state| state.as_str() == name).ok_or_else(wrong)
    }
}

/// How to show a packet.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct PacketQuery {
    /// The operator's language, for `next_step`; the conversation's when left out.
    lang: Option<String>,
}

impl PacketQuery {
    /// The language asked for.
    ///
    /// # Errors
    /// There is no such language.
    pub fn language(&self) -> Result<Option<Language>, Problem> {
        let wrong = |error| Problem::of_field(Code::InvalidField, "lang", format!("{error}."));
        self.lang.as_deref().map(str::parse).transpose().map_err(wrong)
    }
}

/// Which messages.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// The id of the last message that is known already.
    pub after: Option<String>,
}

/// The queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueueBody {
    /// In the order in which they should be taken.
    pub cases: Vec<CaseBody>,
}

/// A conversation that needs a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaseBody {
    /// Its id.
    id: String,
    /// The conversation.
    session_id: String,
    /// Why, the latest reason first: asked, complaint, anger, fraud, unsure, task, guard_rejected or failure.
    reasons: Vec<String>,
    /// low, normal, high or urgent.
    priority: String,
    /// waiting, taken, given_back or closed.
    state: String,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// The customer, when the shop knows who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// The language of the conversation.
    language: String,
    /// Since when somebody is needed.
    opened: String,
    /// Seconds the shopper has waited for a person's word; absent while it is the shopper's turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_s: Option<i64>,
    /// How often it was not looked after in time.
    escalated: u32,
}

impl CaseBody {
    /// A case over the wire.
    pub fn new(case: Case, now: Timestamp) -> CaseBody {
        CaseBody {
            waiting_s: case.waiting_since.map(|since| now.duration_since(since).as_secs()),
            id: case.id,
            session_id: case.session.to_string(),
            reasons: case.reasons.iter().map(name_of).collect(),
            priority: name_of(&case.priority),
            state: case.state.as_str().to_string(),
            operator: case.operator,
            customer: case.customer,
            language: case.language.to_string(),
            opened: case.opened.to_string(),
            escalated: case.escalated,
        }
    }
}

/// A case with all that helps to go on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PacketBody {
    /// The case, history, lines, orders, what was tried, ids of facts shown and what to do next.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    packet: Packet,
}

impl From<Packet> for PacketBody {
    fn from(packet: Packet) -> Self {
        PacketBody { packet }
    }
}

/// What to do with a case.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// `take`, `reply`, `note`, `give_back` or `close`.
    r#do: String,
    /// The operator's name: who took a case is the one who may go on with it.
    pub operator: String,
    /// The words of a reply or a note.
    #[serde(default)]
    text: Option<String>,
    /// False only checks a reply.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub send: bool,
}

fn yes() -> bool {
    true
}

impl StepRequest {
    /// The step.
    ///
    /// # Errors
    /// An unknown step; a name or text that is missing, empty or too long.
    pub fn step(&self) -> Result<Step, Problem> {
        let bad = |field: &str, detail: String| Problem::of_field(Code::InvalidField, field, detail);
        let name = self.operator.trim().chars().count();
        if !(1..=NAME_CHARS).contains(&name) {
            return Err(bad("operator", format!("It takes 1 to {NAME_CHARS} characters.")));
        }
        let text = || {
            let text = self.text.as_deref().unwrap_or_default().trim();
            let fits = (1..=TEXT_CHARS).contains(&text.chars().count());
            fits.then(|| text.to_string()).ok_or_else(|| bad("text", format!("It takes 1 to {TEXT_CHARS} characters.")))
        };
        match self.r#do.as_str() {
            "take" => Ok(Step::Take),
            "reply" => Ok(Step::Reply(text()?)),
            "note" => Ok(Step::Note(text()?)),
            "give_back" => Ok(Step::GiveBack),
            "close" => Ok(Step::Close),
            _ => Err(bad("do", "Use take, reply, note, give_back or close.".to_string())),
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SteppedBody {
    /// The case afterwards.
    pub case: CaseBody,
    /// True when a reply went to the shopper.
    pub sent: bool,
    /// What the guard says to the reply.
    pub warnings: Vec<WarningBody>,
}

/// Something in an operator's words that no fact of the conversation carries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WarningBody {
    /// The rule's stable name.
    code: String,
    /// Where it begins, in bytes.
    start: usize,
    /// Where it ends.
    end: usize,
    /// What stands there and what would be right.
    detail: String,
}

impl From<&Violation> for WarningBody {
    fn from(violation: &Violation) -> Self {
        WarningBody {
            code: violation.code.as_str().to_string(),
            start: violation.at.start,
            end: violation.at.end,
            detail: violation.detail.clone(),
        }
    }
}

/// What persons of the shop wrote.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessagesBody {
    /// True while a person has the chat: the assistant is silent.
    pub person: bool,
    /// Oldest first.
    pub messages: Vec<LineBody>,
}

/// A line of a person, or of the assistant on coming back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineBody {
    /// Its id; send the last one as `after`.
    id: String,
    /// operator or assistant.
    by: String,
    /// What.
    text: String,
    /// When.
    at: String,
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        LineBody { id: line.id, by: line.by.as_str().to_string(), text: line.text, at: line.at.to_string() }
    }
}
