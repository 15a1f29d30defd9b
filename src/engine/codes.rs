//! The seams of proofs: wrong claims, one-time codes, and who carries those.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::Language;
use crate::domain::identity::Contact;
use crate::domain::session::SessionId;

/// A code on its way, as it is kept: never in plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCode {
    /// Its id.
    pub id: String,
    /// The conversation it is typed in.
    pub session: SessionId,
    /// Who asked for it; empty when clients cannot be told apart.
    pub client: String,
    /// The digest of the contact it goes to.
    pub contact: String,
    /// The keyed digest of the code.
    pub digest: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// It is worth nothing after this moment.
    pub expires: Timestamp,
}

/// How many codes were asked for since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeCounts {
    /// For the same contact.
    pub contact: i64,
    /// In the same conversation.
    pub session: i64,
    /// By the same client.
    pub client: i64,
    /// The latest for the contact or in the conversation.
    pub latest: Option<Timestamp>,
}

/// A code that a try was counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTried {
    /// Its id.
    pub id: String,
    /// Its keyed digest.
    pub digest: String,
}

/// Where codes are kept.
#[async_trait]
pub trait CodeBook: Send + Sync {
    /// How many were asked for since a moment by whoever asks for this one.
    async fn codes_since(&self, code: &NewCode, since: Timestamp) -> anyhow::Result<CodeCounts>;
    /// Keeps one; it takes the place of any other in its conversation.
    async fn keep_code(&self, code: &NewCode) -> anyhow::Result<()>;
    /// Counts a try of the conversation's open code; none when there is none or it was tried too often.
    async fn try_code(&self, session: SessionId, tries: i64, now: Timestamp) -> anyhow::Result<Option<CodeTried>>;
    /// Takes a code that was right out of use; false when somebody was faster.
    async fn use_code(&self, id: &str) -> anyhow::Result<bool>;
}

/// A code with all that its carrier needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeLetter {
    /// The code's id: the same letter again has the same.
    pub id: String,
    /// To whom.
    pub to: Contact,
    /// The six digits.
    pub code: String,
    /// The whole text of a message with them.
    pub text: String,
    /// Its language.
    pub language: Language,
    /// The code is worth nothing after this moment.
    pub expires: Timestamp,
}

/// Carries codes to phones and e-mails.
#[async_trait]
pub trait CodeSender: Send + Sync {
    /// Carries one.
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()>;
}

/// Wrong claims to be the owner of an order.
#[async_trait]
pub trait Proofs: Send + Sync {
    /// How many there were since a moment.
    async fn wrong(&self, number: &str, caller: &str, since: Timestamp) -> anyhow::Result<WrongProofs>;
    /// Remembers one, whether or not there is such an order.
    async fn note(&self, number: &str, caller: &str, now: Timestamp) -> anyhow::Result<()>;
}

/// Wrong claims about one order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrongProofs {
    /// By this caller.
    pub own: i64,
    /// By everybody.
    pub all: i64,
}
