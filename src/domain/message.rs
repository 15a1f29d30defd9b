//! A shopper's message: raw, and screened.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::session::SessionId;

/// What came in, already within the size limits of the door.
#[derive(Clone, Debug)]
pub struct Message {
    /// The conversation it belongs to; none starts a new one.
    pub session: Option<SessionId>,
    /// The shop's id of a customer whose identity the shop has checked.
    pub customer: Option<String>,
    /// The text as typed.
    pub text: String,
    /// The language the channel is set to; the message's own language wins when it is clear.
    pub locale: Option<Language>,
    /// Where it came from: `web`, `cli`, `openai`.
    pub channel: String,
}

impl Message {
    /// A message of nobody known, in a conversation of its own.
    pub fn anonymous(text: &str, channel: &str) -> Message {
        Message { session: None, customer: None, text: text.to_string(), locale: None, channel: channel.to_string() }
    }
}

/// A message that may be logged, stored and shown to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Screened {
    /// Normalised, personal data replaced by `[phone]`, `[card]`, `[email]`, ...
    pub text: String,
    /// Normalised, personal data in place: for tools alone, never logged or stored.
    #[serde(skip)]
    pub private: String,
    /// The language it is written in, or the session's when the text does not tell.
    pub language: Language,
    /// What was masked, as byte ranges of `private`.
    pub pii: Vec<Pii>,
    /// Likelihood of an attempt to bend the assistant, 0 to 1.
    pub injection: f32,
    /// Likelihood of an advertisement, 0 to 1.
    pub spam: f32,
}

impl Screened {
    /// From this score of `spam` on, a message advertises.
    pub const ADVERTISING: f32 = 0.6;

    /// True for a message that offers something to the shop.
    pub fn advertises(&self) -> bool {
        self.spam >= Self::ADVERTISING
    }
}

/// A stretch of personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pii {
    /// `phone`, `email`, `card`, `iban`, `id`.
    pub kind: PiiKind,
    /// Byte range in the unmasked, normalised text.
    #[serde(flatten)]
    pub range: Range<usize>,
}

/// Kinds of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiKind {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A payment card number that passes Luhn.
    Card,
    /// A bank account that passes mod-97.
    Iban,
    /// A number of a person: identity card, birth number, passport, tax number.
    Id,
}

impl PiiKind {
    /// What stands in its place.
    pub fn mask(self) -> &'static str {
        match self {
            PiiKind::Phone => "[phone]",
            PiiKind::Email => "[email]",
            PiiKind::Card => "[card]",
            PiiKind::Iban => "[iban]",
            PiiKind::Id => "[id]",
        }
    }
}
