//! What consent and messages read and answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::outreach::{Contact, Kind, Outgoing, Permission, Topic, Wanted};
use crate::http::door::auth::Caller;
use crate::http::error::{Code, Problem};
use crate::outreach::Named;
use crate::store::outreach::Listed;

/// The most messages told at once.
const MOST: i64 = 500;

/// A yes or no.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequest {
    /// The customer's id; that of the customer's token when it is left out.
    customer: Option<String>,
    /// Or a conversation of nobody known.
    session_id: Option<String>,
    /// Where they want to be written to; alone it is the person.
    email: Option<String>,
    /// The same as a phone number.
    phone: Option<String>,
    /// `marketing`, `service` or `personal`.
    topic: String,
    /// True for yes.
    granted: bool,
    /// The language they want to be written to in.
    language: Option<String>,
    /// Where it was said, for the records: `checkout page`.
    source: Option<String>,
}

impl ConsentRequest {
    /// Who.
    ///
    /// # Errors
    /// Nobody is named, or not readably.
    pub fn who(&self, caller: &Caller) -> Result<Named, Problem> {
        named(caller, (&self.customer, &self.session_id), (&self.email, &self.phone))
    }

    /// What was said.
    ///
    /// # Errors
    /// A topic or language that is none.
    pub fn word(&self, who: &Named, now: Timestamp) -> Result<Permission, Problem> {
        let topic = Topic::ALL.into_iter().find(|topic| topic.as_str() == self.topic);
        let no_topic = || Problem::of_field(Code::InvalidField, "topic", "Use marketing, service or personal.");
        let bad = |error| Problem::of_field(Code::InvalidField, "language", format!("{error}."));
        Ok(Permission {
            person: String::new(),
            topic: topic.ok_or_else(no_topic)?,
            granted: self.granted,
            at: now,
            source: self.source.clone().unwrap_or_else(|| "api".to_string()),
            contact: who.contact.clone(),
            language: self.language.as_deref().map(str::parse).transpose().map_err(bad)?,
        })
    }
}

/// Whose.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ConsentQuery {
    /// The customer's id; that of the customer's token when it is left out.
    customer: Option<String>,
    /// Or a conversation of nobody known.
    session_id: Option<String>,
    /// Or an e-mail.
    email: Option<String>,
    /// Or a phone number.
    phone: Option<String>,
}

impl ConsentQuery {
    /// Who.
    ///
    /// # Errors
    /// Nobody is named, or not readably.
    pub fn who(&self, caller: &Caller) -> Result<Named, Problem> {
        named(caller, (&self.customer, &self.session_id), (&self.email, &self.phone))
    }
}

type Said<'a> = (&'a Option<String>, &'a Option<String>);

fn named(caller: &Caller, (customer, session): Said<'_>, (email, phone): Said<'_>) -> Result<Named, Problem> {
    let said = [("session_id", session), ("email", email), ("phone", phone)];
    if let Some((field, _)) = said.iter().find(|(_, said)| said.is_some()).filter(|_| !caller.trusted) {
        let detail = "This caller speaks for the customer of its token alone.";
        return Err(Problem::of_field(Code::CustomerNotTrusted, field, detail));
    }
    let customer = caller.customer(customer.as_deref())?;
    let bad = |_| Problem::of_field(Code::InvalidField, "session_id", "It is not a UUID.");
    let contact = Contact::new(email.as_deref(), phone.as_deref());
    for (field, said, read) in [("email", email, &contact.email), ("phone", phone, &contact.phone)] {
        if said.is_some() && read.is_none() {
            return Err(Problem::of_field(Code::InvalidField, field, "Nobody can be reached there."));
        }
    }
    let session = session.as_deref().map(str::parse).transpose().map_err(bad)?;
    if customer.is_none() && session.is_none() && contact == Contact::default() {
        let detail = "Send `customer`, `session_id`, `email` or `phone`.";
        return Err(Problem::of_field(Code::MissingField, "customer", detail));
    }
    Ok(Named { customer, session, contact })
}

/// What counts now, and every word of it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ConsentBody {
    /// The last word under each name and topic.
    now: Vec<WordBody>,
    /// Every word, oldest first.
    log: Vec<WordBody>,
    /// What they wait for.
    waiting: Vec<WaitingBody>,
}

impl ConsentBody {
    pub(super) fn add(&mut self, words: Vec<Permission>) {
        self.now.extend(words.into_iter().map(WordBody::from));
    }

    pub(super) fn log(&mut self, words: Vec<Permission>) {
        self.log.extend(words.into_iter().map(WordBody::from));
        self.log.sort_by(|a, b| a.at.cmp(&b.at));
    }

    pub(super) fn waits(&mut self, wishes: Vec<Wanted>) {
        for wish in wishes.into_iter().map(WaitingBody::from) {
            if !self.waiting.contains(&wish) {
                self.waiting.push(wish);
            }
        }
    }
}

/// One word.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WordBody {
    /// Under which name: `customer:ID`, `session:UUID`, `email:ADDRESS`, `phone:NUMBER`.
    person: String,
    /// `marketing`, `service` or `personal`.
    topic: &'static str,
    /// Yes or no.
    granted: bool,
    /// When.
    at: String,
    /// Where it was said.
    source: String,
    /// The language they want to be written to in.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

impl From<Permission> for WordBody {
    fn from(word: Permission) -> Self {
        WordBody {
            person: word.person,
            topic: word.topic.as_str(),
            granted: word.granted,
            at: word.at.to_string(),
            source: word.source,
            language: word.language.map(|language| language.to_string()),
        }
    }
}

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitingBody {
    /// The entry.
    id: String,
    /// The product.
    product: String,
    /// The size, as it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    /// The colour's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
    /// Since when.
    since: String,
}

impl From<Wanted> for WaitingBody {
    fn from(wish: Wanted) -> Self {
        let Wanted { id, product, size, colour, at, .. } = wish;
        WaitingBody { id, product: product.0, size, colour, since: at.to_string() }
    }
}

/// Which messages.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SentQuery {
    /// To this customer only.
    customer: Option<String>,
    /// Or to this e-mail only.
    email: Option<String>,
    /// `abandoned_cart`, `win_back`, `restock`, `late_order` or `review_request`.
    kind: Option<String>,
    /// At most so many, 500 at most; 50 when left out.
    limit: Option<i64>,
}

impl SentQuery {
    /// What to list.
    ///
    /// # Errors
    /// There is no such kind.
    pub fn wanted(&self) -> Result<Listed, Problem> {
        let known = |name: &String| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
            let names = Kind::ALL.map(Kind::as_str).join(", ");
            kind.ok_or_else(|| Problem::of_field(Code::InvalidField, "kind", format!("Use one of {names}.")))
        };
        if self.customer.iter().any(|customer| customer.chars().any(char::is_control)) {
            return Err(Problem::of_field(Code::InvalidField, "customer", "It holds control characters."));
        }
        let customer = self.customer.as_ref().map(|customer| format!("customer:{customer}"));
        let address = || Contact::new(self.email.as_deref(), None).key();
        Ok(Listed {
            person: customer.or_else(address),
            kind: self.kind.as_ref().map(known).transpose()?,
            limit: self.limit.unwrap_or(50).clamp(1, MOST),
        })
    }
}

/// Messages, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessagesBody {
    /// The messages.
    pub messages: Vec<MessageBody>,
    /// Events of any kind that wait for the merchant's system.
    pub events_waiting: i64,
    /// Events that were given up because it did not take them.
    pub events_given_up: i64,
}

/// A message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageBody {
    /// Its id: the merchant's system got it under this one.
    id: String,
    /// What kind.
    kind: &'static str,
    /// To whom: `customer:ID`, `session:UUID`, `email:ADDRESS`, `phone:NUMBER`.
    person: String,
    /// Where it went: `email`, `phone` or both; the addresses themselves stay inside.
    by: Vec<&'static str>,
    /// In which language.
    language: String,
    /// What it is about: a cart, an order, an entry of the waiting list.
    cause: String,
    /// `decided`, `sent` or `withdrawn`.
    stage: &'static str,
    /// When it was decided.
    decided: String,
    /// When it was sent or withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<String>,
    /// Why it did not go: `revoked`, `no_permission`, `bought`, `changed`, `sold_out`, `settled`, `switched_off`, `too_late`, `guard`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    why: Option<crate::domain::outreach::Withdrawn>,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The promotion that was offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    promotion: Option<String>,
}

impl From<Outgoing> for MessageBody {
    fn from(message: Outgoing) -> Self {
        let email = message.contact.email.as_ref().map(|_| "email");
        MessageBody {
            by: email.into_iter().chain(message.contact.phone.as_ref().map(|_| "phone")).collect(),
            id: message.id,
            kind: message.kind.as_str(),
            person: message.person,
            language: message.language.to_string(),
            cause: message.cause,
            stage: message.stage.as_str(),
            decided: message.decided.to_string(),
            settled: message.settled.map(|at| at.to_string()),
            why: message.why,
            text: message.text,
            promotion: message.promotion,
        }
    }
}
