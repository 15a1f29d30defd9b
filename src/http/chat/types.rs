//! Bodies of the native API. Converted from the domain, never shared with it: what clients see changes on purpose only.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::reply::{Action, Citation};
use crate::domain::{Language, Message};
use crate::guard::CheckedSegment;
use crate::http::door::auth::Caller;
use crate::http::door::call::inside;
use crate::http::error::{Code, Problem};
use crate::http::measure::name_of;
use crate::turn::Answer;

/// One message of a shopper.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatRequest {
    /// The conversation; leave out to start one.
    #[serde(default)]
    #[schema(example = "0198f6f2-7a3c-7c1e-9d55-0a3a52f4b8a1")]
    pub session_id: Option<String>,
    /// The shop's id of a customer whose identity the shop has checked. Taken with an API key, or on this machine; a page in a
    /// browser sends the shop's signed token in `X-Customer-Token` instead.
    #[serde(default)]
    pub customer: Option<String>,
    /// What the shopper wrote.
    #[schema(example = "how much are the Taiga sneakers?")]
    pub message: String,
    /// The language the page is set to: ru, sk, zh or en.
    #[serde(default)]
    pub locale: Option<String>,
    /// Where it comes from: a short name such as web, telegram, kiosk.
    #[serde(default)]
    pub channel: Option<String>,
}

impl ChatRequest {
    /// The message behind the door.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn into_message(self, caller: &Caller) -> Result<Message, Problem> {
        let bad = |field: &str, detail: String| Problem::of_field(Code::InvalidField, field, detail);
        let session = self.session_id.as_deref().map(str::parse).transpose();
        let session = session.map_err(|_| bad("session_id", "It is not a UUID.".to_string()))?;
        let locale = self.locale.as_deref().map(str::parse::<Language>).transpose();
        let locale = locale.map_err(|error| bad("locale", format!("{error}.")))?;
        let channel = self.channel.unwrap_or_else(|| "web".to_string());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if !(1..=32).contains(&channel.len()) || !channel.bytes().all(plain) {
            return Err(bad("channel", "It takes 1 to 32 of a-z, 0-9, `-` and `_`.".to_string()));
        }
        let customer = caller.customer(self.customer.as_deref())?;
        Ok(Message { session, customer, text: self.message, locale, channel })
    }
}

/// The answer to one message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChatReply {
    /// The conversation; send it with the next message.
    pub session_id: String,
    /// This turn; the audit knows it by this id.
    pub turn_id: String,
    /// What to show.
    pub reply: ReplyBody,
    /// What was understood.
    pub commands: Vec<CommandBody>,
    /// How the reply passed the guard.
    pub check: CheckBody,
    /// Why a person takes over; null when none does.
    pub handover: Option<HandoverBody>,
    /// How long it took.
    pub timings: TimingsBody,
}

/// A checked reply.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplyBody {
    /// All of it as plain text, one segment a line.
    pub text: String,
    /// Its parts, in order.
    pub segments: Vec<SegmentBody>,
    /// Where its quotations come from.
    pub citations: Vec<CitationBody>,
    /// What the client may offer to do.
    pub actions: Vec<ActionBody>,
}

/// A part of a reply.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SegmentBody {
    /// offer, stock, compare, total, deliver, policy, alternatives, upsell, order, task, ask, not_found, human or smalltalk.
    #[schema(example = "offer")]
    pub kind: String,
    /// The text.
    pub text: String,
    /// Ids of the facts it states.
    pub facts: Vec<String>,
}

/// Where a quotation comes from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CitationBody {
    /// The fact quoted.
    pub fact: String,
    /// The document.
    pub document: String,
    /// The section's heading.
    pub section: String,
    /// The document's version.
    pub version: String,
}

/// Something the client may offer to do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActionBody {
    /// show_product, handover or attach_photo (send the picture to /api/v1/sessions/{id}/photos, then the next message).
    pub r#type: String,
    /// The product's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The product's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Something that was understood.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CommandBody {
    /// A name of the closed set.
    #[schema(example = "price")]
    pub name: String,
    /// What it is about.
    #[schema(value_type = Object)]
    pub slots: Value,
}

/// How a reply passed the guard.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckBody {
    /// accepted, repaired, regenerated or handed_over.
    pub status: String,
    /// Reason codes of rejected drafts.
    pub rejected: Vec<String>,
}

/// A person takes over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HandoverBody {
    /// asked, complaint, anger, fraud, unsure, task, guard_rejected or failure.
    pub reason: String,
}

/// How long a turn took.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimingsBody {
    /// Each stage, in order.
    pub stages: Vec<StageBody>,
    /// All of it, in milliseconds.
    pub total_ms: f64,
    /// True when the language model was asked.
    pub generated: bool,
}

/// How long a stage took.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StageBody {
    /// screening, understanding, searching, drafting or checking.
    pub stage: String,
    /// Milliseconds.
    pub ms: f64,
}

impl ChatReply {
    /// As it is kept for whoever asks again.
    pub fn written(&self) -> String {
        serde_json::to_string(self).expect("invariant: wire types hold no map with keys that are not text")
    }

    /// One that was kept.
    ///
    /// # Errors
    /// Another program has written it.
    pub fn read(kept: &str) -> Result<ChatReply, Problem> {
        serde_json::from_str(kept).map_err(|error| inside("the reply that was kept")(error.into()))
    }
}

impl From<&CheckedSegment> for SegmentBody {
    fn from(segment: &CheckedSegment) -> Self {
        let facts = segment.facts().iter().map(ToString::to_string).collect();
        SegmentBody { kind: name_of(&segment.kind()), text: segment.text().to_string(), facts }
    }
}

impl From<&Citation> for CitationBody {
    fn from(citation: &Citation) -> Self {
        let Citation { fact, document, section, version } = citation.clone();
        CitationBody { fact: fact.to_string(), document, section, version }
    }
}

impl From<&Action> for ActionBody {
    fn from(action: &Action) -> Self {
        match action.clone() {
            Action::ShowProduct { sku, url } => ActionBody { r#type: "show_product".to_string(), sku: Some(sku), url },
            Action::Handover => ActionBody { r#type: "handover".to_string(), sku: None, url: None },
            Action::AttachPhoto => ActionBody { r#type: "attach_photo".to_string(), sku: None, url: None },
        }
    }
}

impl From<&Answer> for ChatReply {
    fn from(answer: &Answer) -> Self {
        let segments = answer.reply.segments().iter().map(SegmentBody::from).collect();
        let citations = answer.citations().iter().map(CitationBody::from).collect();
        let actions = answer.actions.iter().map(ActionBody::from).collect();
        let stage = |(stage, ms): &(_, f64)| StageBody { stage: name_of(stage), ms: *ms };
        let command = |command: &crate::domain::Command| CommandBody {
            name: command.name.to_string(),
            slots: serde_json::to_value(&command.slots).unwrap_or_default(),
        };
        ChatReply {
            session_id: answer.session_id.to_string(),
            turn_id: answer.turn_id.to_string(),
            reply: ReplyBody { text: answer.reply.text(), segments, citations, actions },
            commands: answer.commands.iter().map(command).collect(),
            check: CheckBody { status: name_of(&answer.check.status), rejected: answer.check.rejected.clone() },
            handover: answer.handover.as_ref().map(|reason| HandoverBody { reason: name_of(reason) }),
            timings: TimingsBody {
                stages: answer.timings.stages.iter().map(stage).collect(),
                total_ms: answer.timings.total_ms,
                generated: answer.timings.generated,
            },
        }
    }
}
