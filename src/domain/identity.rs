//! Who a shopper is, as far as it was checked: a customer of the shop, or the owner of a phone or an e-mail.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::Command;

/// A phone or an e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// A phone number in E.164.
    Phone(String),
    /// An e-mail address.
    Email(String),
}

impl Contact {
    /// The one that is there, the phone first.
    pub fn of(phone: Option<&str>, email: Option<&str>) -> Option<Contact> {
        let phone = phone.filter(|phone| phone.bytes().filter(u8::is_ascii_digit).count() >= 7);
        let email = email.filter(|email| email.contains('@'));
        phone.map(|phone| Contact::Phone(phone.to_string())).or(email.map(|email| Contact::Email(email.to_string())))
    }

    /// What two spellings of it share: a phone's digits, an e-mail in lower case.
    pub fn key(&self) -> String {
        match self {
            Contact::Phone(phone) => {
                format!("phone:{}", phone.chars().filter(char::is_ascii_digit).collect::<String>())
            }
            Contact::Email(email) => format!("email:{}", email.trim().to_lowercase()),
        }
    }

    /// Everything by which an order's owner can be written to.
    pub fn of_order(phone: &str, email: &str) -> impl Iterator<Item = Contact> {
        Contact::of(Some(phone), None).into_iter().chain(Contact::of(None, Some(email)))
    }
}

/// A contact whose owner has shown that it is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Which.
    pub contact: Contact,
    /// It opens nothing after this moment.
    pub until: Timestamp,
}

/// An order that was shown to whoever knew its number and the phone or e-mail it was placed with: what follows is about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its number.
    pub number: String,
    /// What was given with it; it is looked at again each time.
    pub contact: Contact,
    /// It is to be given again after this moment, which moves on while it is spoken of.
    pub until: Timestamp,
}

/// A code that was sent and is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeTalk {
    /// Where it went.
    pub contact: Contact,
    /// What is answered once it is typed.
    pub command: Command,
    /// It is worth nothing after this moment.
    pub until: Timestamp,
}

/// What a conversation knows of its shopper besides the customer's id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Login {
    /// The customer's token is worth nothing after this moment; the shop's own server needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The phone the shop's token named. It is told to nobody and opens nothing: it spares the question at the checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The e-mail the shop's token named; the same holds for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A contact that was proved with a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proved: Option<Proof>,
    /// A code that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeTalk>,
    /// The order shown last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
}

impl Login {
    /// The contact that is proved at a moment.
    pub fn contact(&self, now: Timestamp) -> Option<&Contact> {
        self.proved.as_ref().filter(|proof| proof.until > now).map(|proof| &proof.contact)
    }

    /// The order that a message may go on about at a moment.
    pub fn opened(&self, now: Timestamp) -> Option<&Opened> {
        self.opened.as_ref().filter(|opened| opened.until > now)
    }
}

/// Who sends a message, as far as the door could check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// What attempts are counted under, besides the conversation; empty when clients cannot be told apart.
    pub client: String,
    /// What the customer's token says besides who they are.
    pub login: Login,
    /// What stands for this very request, however often it comes; none where its sender does not say.
    pub operation: Option<String>,
}

/// What is said of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeLine {
    /// That it is on its way, if there is an order with that contact.
    Sent,
    /// That it is not the one.
    Wrong,
    /// That it is worth nothing any more.
    Over,
    /// That one was sent a moment ago.
    Wait,
    /// That too many were asked for.
    Many,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_contact_are_one() {
        let check = |phone: Option<&str>, email: Option<&str>, expected: Option<&str>| {
            assert_eq!(Contact::of(phone, email).map(|contact| contact.key()).as_deref(), expected);
        };
        check(Some("+421 900-000 102"), Some("a@b.sk"), Some("phone:421900000102"));
        check(Some("12"), Some(" A.B@Example.SK "), Some("email:a.b@example.sk"));
        check(Some(""), Some(""), None);
        check(None, None, None);
    }
}
