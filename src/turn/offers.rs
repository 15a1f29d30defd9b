//! A shopper agrees to messages the shop starts, in the chat: their words are answered with the question what for, and only a yes
//! to that counts. A no of before is taken back by whoever owns the address alone.

use crate::domain::lead::{Consent, Purpose};
use crate::domain::outreach::{Contact, Permission, Topic};
use crate::domain::plan::{Absence, Ask, ConsentLine, HandoverReason};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Move, Screened, Slots, identity};
use crate::outreach::{self, Named};

use super::App;
use super::contact;
use super::respond::{Outcome, Turn};
use super::stop;

/// Marks a command that waits for a contact to write offers to.
const TOPIC: &str = "offers";

/// True when the message agrees to messages.
pub(super) fn asks(app: &App, session: &Session, screened: &Screened) -> bool {
    app.start_words.heard(&screened.text, stop::question_open(session))
}

/// True when the last reply asked where offers should go.
pub(super) fn waits_for_contact(session: &Session) -> bool {
    let waits = session.pending.as_ref().filter(|pending| pending.asked == Ask::Contact);
    // Who got no answer sends the contact again, after the question about it was asked.
    let asked = session.consent.as_ref().is_some_and(|consent| consent.purpose == Purpose::Offers);
    asked || waits.is_some_and(|pending| pending.command.slots.topic.as_deref() == Some(TOPIC))
}

/// Asks for the contact, or whether it may be used; false when the message is no such wish.
pub(super) async fn wanted(turn: &Turn<'_>, outcome: &mut Outcome) -> bool {
    if !asks(turn.app, turn.session, turn.screened) {
        return false;
    }
    let said = stop::named(turn.screened);
    let contact = if said == Contact::default() { own(turn, outcome).await } else { Ok(said) };
    match contact {
        Ok(Contact { email, phone }) => {
            let slots = Slots { email, phone, topic: Some(TOPIC.to_string()), ..Slots::default() };
            let command = Command { name: CommandName::LeaveContact, slots };
            contact::ask(turn, &command, (Purpose::Offers, None), outcome);
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "where a customer is reached could not be read");
            outcome.say(Move::NotFound { why: Absence::SourceDown });
            outcome.say(Move::Human { reason: HandoverReason::Failure });
        }
    }
    true
}

/// Notes the yes under every name they are known by.
pub(super) async fn keep(turn: &Turn<'_>, consent: &Consent, outcome: &Outcome) -> anyhow::Result<ConsentLine> {
    let contact = Contact::new(consent.email.as_deref(), consent.phone.as_deref());
    if own(turn, outcome).await? != contact && objected(turn, &contact).await? {
        return Ok(ConsentLine::Objected);
    }
    let customer = turn.session.customer.clone();
    let who = Named { customer, session: Some(turn.session.id), contact: contact.clone() };
    let word = Permission {
        person: String::new(),
        topic: Topic::Marketing,
        granted: true,
        at: outcome.now,
        source: "chat".to_string(),
        contact,
        language: Some(turn.screened.language),
    };
    outreach::keep(turn.app, &who, (&[Topic::Marketing, Topic::Service], &word)).await?;
    Ok(ConsentLine::Kept)
}

/// Where the shop knows to reach them: what they proved, what their token says, what they ordered with last.
async fn own(turn: &Turn<'_>, outcome: &Outcome) -> anyhow::Result<Contact> {
    let login = &turn.session.login;
    if let Some(proved) = login.contact(outcome.now) {
        return Ok(match proved {
            identity::Contact::Phone(phone) => Contact::new(None, Some(phone)),
            identity::Contact::Email(email) => Contact::new(Some(email), None),
        });
    }
    let Some(customer) = turn.session.customer.as_deref() else { return Ok(Contact::default()) };
    let told = Contact::new(login.email.as_deref(), login.phone.as_deref());
    if told != Contact::default() {
        return Ok(told);
    }
    let last = turn.app.orders.of_customer(customer).await?.into_iter().next();
    Ok(last.map(|order| Contact::new(Some(&order.email), Some(&order.phone))).unwrap_or_default())
}

/// True when somebody wanted no messages at this address.
async fn objected(turn: &Turn<'_>, contact: &Contact) -> anyhow::Result<bool> {
    for key in contact.keys() {
        let words = turn.app.state.permissions(&key).await?;
        if words.iter().any(|word| word.topic == Topic::Marketing && !word.granted) {
            return Ok(true);
        }
    }
    Ok(false)
}
