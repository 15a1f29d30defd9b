//! Messages the shop starts: kinds, who agreed to what, who waits for what, and what became of each. Plain data: `outreach`
//! decides, `store` keeps.

mod rules;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::Language;
use super::product::ProductId;
use super::session::SessionId;

pub use rules::{Cap, KindRule, Margin, MessageRules, Quiet, StopWords};

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something lies in a cart.
    AbandonedCart,
    /// Somebody has not ordered for long.
    WinBack,
    /// What somebody waits for is back.
    Restock,
    /// An order is later than promised.
    LateOrder,
    /// An order has arrived: how is it?
    ReviewRequest,
}

/// What must be there before a message of a kind may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A yes to marketing.
    Permission,
    /// Nothing: it is part of what was bought. A no to it is heard all the same.
    Service,
    /// The wish itself, which was a yes to this one message.
    Wish,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] =
        [Kind::AbandonedCart, Kind::WinBack, Kind::Restock, Kind::LateOrder, Kind::ReviewRequest];

    /// The name over the wire, in the rules and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::AbandonedCart => "abandoned_cart",
            Kind::WinBack => "win_back",
            Kind::Restock => "restock",
            Kind::LateOrder => "late_order",
            Kind::ReviewRequest => "review_request",
        }
    }

    /// What must be there before it may go.
    pub fn basis(self) -> Basis {
        match self {
            Kind::AbandonedCart | Kind::WinBack | Kind::ReviewRequest => Basis::Permission,
            Kind::LateOrder => Basis::Service,
            Kind::Restock => Basis::Wish,
        }
    }
}

/// What somebody agrees or objects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Messages that want to sell or ask for an opinion.
    Marketing,
    /// Messages about an order that was placed.
    Service,
    /// Earlier orders may shape what is asked and offered in the chat.
    Personal,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Topic; 3] = [Topic::Marketing, Topic::Service, Topic::Personal];

    /// The name over the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Marketing => "marketing",
            Topic::Service => "service",
            Topic::Personal => "personal",
        }
    }
}

/// Where somebody can be written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// E-mail, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone: a plus sign and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Contact {
    /// In the form in which contacts are compared; empty texts are none.
    pub fn new(email: Option<&str>, phone: Option<&str>) -> Contact {
        let odd = |email: &str| email.chars().any(|c| c.is_control() || c.is_whitespace());
        let email = email.map(|email| email.trim().to_lowercase());
        let email = email.filter(|email| email.contains('@') && !odd(email));
        let digits = |phone: &str| phone.chars().filter(char::is_ascii_digit).collect::<String>();
        let phone = phone.map(digits).filter(|digits| digits.len() >= 6).map(|digits| format!("+{digits}"));
        Contact { email, phone }
    }

    /// Every name this contact goes by.
    pub fn keys(&self) -> Vec<String> {
        let email = self.email.iter().map(|email| format!("email:{email}"));
        email.chain(self.phone.iter().map(|phone| format!("phone:{phone}"))).collect()
    }

    /// The address a message goes to.
    pub fn key(&self) -> Option<String> {
        self.keys().into_iter().next()
    }
}

/// A person as the store knows them: a customer, else a conversation.
pub fn person(customer: Option<&str>, session: Option<SessionId>) -> Option<String> {
    let customer = customer.filter(|customer| !customer.is_empty()).map(|customer| format!("customer:{customer}"));
    customer.or_else(|| session.map(|session| format!("session:{session}")))
}

/// A yes or no to a topic, as it was said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Who: `customer:ID`, `session:UUID`, `email:ADDRESS`, `phone:NUMBER`.
    pub person: String,
    /// To what.
    pub topic: Topic,
    /// Yes or no.
    pub granted: bool,
    /// When.
    pub at: Timestamp,
    /// Where it was said: `chat`, or what the shop's own system calls the place.
    pub source: String,
    /// Where they want to be written to.
    #[serde(default)]
    pub contact: Contact,
    /// The language they want to be written to in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// Somebody waits for something that is sold out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its id: that of the consent it came from.
    pub id: String,
    /// Who.
    pub person: String,
    /// The customer, when the shop knows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The conversation.
    pub session: SessionId,
    /// Where they are told.
    pub contact: Contact,
    /// What they wait for.
    pub product: ProductId,
    /// The size, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The colour's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// The language they asked in.
    pub language: Language,
    /// Since when.
    pub at: Timestamp,
    /// How often it was there and gone again before it could be told.
    #[serde(skip)]
    pub round: i64,
}

/// What a message is about: looked at again before it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Subject {
    /// A cart in the version that was left.
    Cart {
        /// Whose.
        owner: String,
        /// The version.
        version: i64,
        /// Since when it lies there.
        since: Timestamp,
    },
    /// An order.
    Order {
        /// Its number.
        number: String,
    },
    /// Somebody waits.
    Wanted {
        /// The entry of the waiting list.
        id: String,
    },
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is to go, if all still holds then.
    Decided,
    /// The merchant's system has taken it.
    Sent,
    /// It did not go and will not.
    Withdrawn,
}

impl Stage {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Decided => "decided",
            Stage::Sent => "sent",
            Stage::Withdrawn => "withdrawn",
        }
    }
}

/// Why a message did not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawn {
    /// They do not want to be written to.
    Revoked,
    /// Nobody said yes.
    NoPermission,
    /// It was bought meanwhile.
    Bought,
    /// The cart was changed: somebody is at it.
    Changed,
    /// It cannot be had, or not any more.
    SoldOut,
    /// The order is no longer in that state.
    Settled,
    /// The rules want no such messages any more.
    SwitchedOff,
    /// It would have come too late.
    TooLate,
    /// The guard let no text of it through.
    Guard,
}

/// A message from decision to delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its id: it stays the same however often it is carried.
    pub id: String,
    /// What makes it happen once.
    pub cause: String,
    /// Its kind.
    pub kind: Kind,
    /// To whom.
    pub person: String,
    /// The customer, when the shop knows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The conversation it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Where it goes.
    pub contact: Contact,
    /// In which language.
    pub language: Language,
    /// What it is about.
    pub subject: Subject,
    /// When it was decided.
    pub decided: Timestamp,
    /// Later it makes no sense.
    pub until: Timestamp,
    /// How far it is.
    pub stage: Stage,
    /// When it was sent or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
    /// Why it did not go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Withdrawn>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The promotion that was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
}

impl Outgoing {
    /// Every name the one it goes to is known by.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = self.contact.keys();
        keys.push(self.person.clone());
        keys.sort();
        keys.dedup();
        keys
    }

    /// The id of its event in the outbox.
    pub fn event_id(&self) -> String {
        format!("{}:message", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_the_same_however_it_is_typed() {
        let check = |email: &str, phone: &str, expected: &[&str]| {
            assert_eq!(Contact::new(Some(email), Some(phone)).keys(), expected, "{email} {phone}");
        };
        check(" Anna@Example.SK ", "", &["email:anna@example.sk"]);
        check("", "+421 900-000 101", &["phone:+421900000101"]);
        check("anna", "12", &[]);
        check("a\0@b.sk", "", &[]);
        check("a@b.sk", "+421900000101", &["email:a@b.sk", "phone:+421900000101"]);
    }

    #[test]
    fn kinds_are_named_as_in_the_rules() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for topic in Topic::ALL {
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        }
    }
}
