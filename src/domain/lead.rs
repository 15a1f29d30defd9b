//! A shopper leaves a phone number or an e-mail: for a call, or to hear when something is back. Nothing is kept of it before a
//! yes to the very question that said what it is for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::Language;
use super::product::ProductId;
use super::session::{Exchange, SessionId};

/// What the contact is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A person calls or writes back.
    Call,
    /// The shop tells when it is there again.
    Restock,
    /// A visit at a time that is held.
    Visit,
    /// The shop may write first: about offers, their cart, their orders.
    Offers,
}

/// A contact that waits for a yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id, and that of the event it becomes.
    pub id: String,
    /// What for.
    pub purpose: Purpose,
    /// Phone in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The product it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The size that is wanted, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The colour's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// The time that is held for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// What was chosen in a menu before: question and answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<(String, String)>,
    /// The question stood in the last reply that was sent: only then may a yes be heard.
    #[serde(default)]
    pub open: bool,
    /// When it was asked.
    pub at: Timestamp,
}

/// What the merchant's systems are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// `lead`, `visit` or `restock_wanted`.
    pub event: String,
    /// The contact and what it is for.
    pub consent: Consent,
    /// When the shopper said yes.
    pub agreed: Timestamp,
    /// The conversation.
    pub session: SessionId,
    /// The customer, when the shop knows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The language to answer in.
    pub language: Language,
    /// Products the conversation was about.
    pub products: Vec<ProductId>,
    /// The last exchanges, masked.
    pub summary: Vec<Exchange>,
}
