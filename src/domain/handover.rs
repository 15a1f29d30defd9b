//! A conversation that a person takes over: why, how urgent, who has it. Plain data: `handover` decides, `store` keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::{Language, Localised};
use super::money::Currency;
use super::plan::HandoverReason;
use super::reply::Tone;
use super::session::SessionId;

/// How urgent a case is; the order is that of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
    Low,
    /// As they come.
    #[default]
    Normal,
    /// Before the others.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// The next higher one.
    pub fn raised(self) -> Priority {
        match self {
            Priority::Low => Priority::Normal,
            Priority::Normal => Priority::High,
            Priority::High | Priority::Urgent => Priority::Urgent,
        }
    }

    /// Its place in the queue: greater comes first.
    pub fn rank(self) -> i64 {
        self as i64
    }
}

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Nobody has it yet; the assistant still answers.
    Waiting,
    /// A person has the chat; the assistant is silent.
    Taken,
    /// The assistant has it again.
    GivenBack,
    /// Settled.
    Closed,
}

impl CaseState {
    /// The name over the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            CaseState::Waiting => "waiting",
            CaseState::Taken => "taken",
            CaseState::GivenBack => "given_back",
            CaseState::Closed => "closed",
        }
    }
}

/// A conversation that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// The conversation.
    pub session: SessionId,
    /// Why, the latest reason first.
    pub reasons: Vec<HandoverReason>,
    /// How urgent.
    pub priority: Priority,
    /// How far.
    pub state: CaseState,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The customer, when the shop knows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The language of the conversation.
    pub language: Language,
    /// Since when somebody is needed.
    pub opened: Timestamp,
    /// Since when the shopper waits for a word of a person; none while it is the shopper's turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// When a person first wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How often it was not looked after in time.
    #[serde(default)]
    pub escalated: u32,
    /// When that was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Timestamp>,
    /// Counts its writes: a write names the version it was decided on.
    #[serde(skip)]
    pub version: i64,
}

/// Who wrote a line of a conversation that a person has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The shopper; masked.
    Shopper,
    /// A person of the shop, to the shopper.
    Operator,
    /// A person of the shop, to other persons of the shop.
    Note,
    /// The assistant, on coming back.
    Assistant,
}

impl By {
    /// The name over the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Shopper => "shopper",
            By::Operator => "operator",
            By::Note => "note",
            By::Assistant => "assistant",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<By> {
        [By::Shopper, By::Operator, By::Note, By::Assistant].into_iter().find(|by| by.as_str() == name)
    }
}

/// A line written while a person has the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id; ids sort by time.
    pub id: String,
    /// Who wrote it.
    pub by: By,
    /// What.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// An event for the merchant's systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What makes it happen once.
    pub id: String,
    /// What it says, as JSON.
    pub document: String,
}

/// What a turn leaves beside its record. A case that somebody else wrote to meanwhile stays as they wrote it.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// The case it opened or made more urgent.
    pub case: Option<Case>,
    /// The event about a case that is new.
    pub event: Option<Event>,
    /// The shopper's words for the person who has the conversation.
    pub line: Option<Line>,
}

/// When a person is called by rule, and how long nobody may keep a shopper waiting: `data/rules/handover.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoverRules {
    /// Complaints in one conversation from which on it is urgent.
    pub complaints: u8,
    /// Messages in a row that nobody was sure about, after which a person is called.
    pub unsure: u8,
    /// Below this confidence nobody was sure.
    pub sure_from: f32,
    /// Ids of customers who come first, and are spoken to in the sentences of `[say_vip]`.
    pub vip: Vec<String>,
    /// Orders from this value on come first, per currency.
    pub value: BTreeMap<Currency, String>,
    /// How urgent each reason is.
    pub priority: BTreeMap<HandoverReason, Priority>,
    /// Minutes a shopper may wait for a person before the case is raised.
    pub wait_minutes: BTreeMap<Priority, i64>,
    /// Words of anger.
    pub anger: BTreeMap<Language, Vec<String>>,
    /// Words that speak of fraud or the law.
    pub fraud: BTreeMap<Language, Vec<String>>,
    /// What to do next, for whoever takes the case, by reason.
    pub next_step: BTreeMap<HandoverReason, Localised>,
}

impl HandoverRules {
    /// How a customer is spoken to; nobody knows who an unknown one is.
    pub fn tone(&self, customer: Option<&str>) -> Tone {
        let vip = customer.is_some_and(|customer| self.vip.iter().any(|vip| vip == customer));
        if vip { Tone::Vip } else { Tone::Plain }
    }
}

impl HandoverRules {
    /// How urgent a reason is.
    pub fn priority_of(&self, reason: HandoverReason) -> Priority {
        self.priority.get(&reason).copied().unwrap_or_default()
    }

    /// How long a case of this priority may wait.
    pub fn patience(&self, priority: Priority) -> i64 {
        self.wait_minutes.get(&priority).copied().unwrap_or(15)
    }
}
