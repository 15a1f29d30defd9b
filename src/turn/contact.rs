//! A contact is left: asked for, its use said, kept after a yes and told to the merchant's systems before the reply says so.

use jiff::SignedDuration;
use uuid::Uuid;

use crate::domain::handover::Event;
use crate::domain::lead::{Consent, Lead, Purpose};
use crate::domain::outreach::{self, Contact, Wanted};
use crate::domain::plan::{Ask, BookingLine, ConsentLine, Courtesy, HandoverReason};
use crate::domain::session::Pending;
use crate::domain::{Command, FactBody, Move, ProductId};
use crate::understanding::Answer;

use super::menu;
use super::offers;
use super::respond::{Outcome, Turn};

/// Minutes a question for consent waits.
const PATIENCE_MIN: i64 = 30;

/// Answers a yes or no to the question for consent; false when the message is something else.
pub(super) async fn answered(turn: &Turn<'_>, outcome: &mut Outcome) -> bool {
    let Some(consent) = turn.session.consent.clone() else { return false };
    let over = outcome.now.duration_since(consent.at) > SignedDuration::from_mins(PATIENCE_MIN);
    if over || !consent.open {
        return false;
    }
    let say = match turn.app.answers.consent(&turn.screened.text) {
        Some(Answer::Yes) => match keep(turn, &consent, outcome).await {
            Ok(Some(say)) => say,
            Ok(None) => {
                outcome.say(Move::Booking { say: BookingLine::Gone });
                menu::ask(turn, outcome).await;
                return true;
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "a contact could not be kept");
                outcome.consent = Some(consent);
                outcome.say(Move::Human { reason: HandoverReason::Failure });
                return true;
            }
        },
        Some(Answer::No) => ConsentLine::Declined,
        Some(Answer::Unclear) => {
            let purpose = consent.purpose;
            outcome.consent = Some(consent);
            outcome.say(Move::Consent { purpose, say: ConsentLine::Question });
            return true;
        }
        None => return false,
    };
    outcome.say(Move::Consent { purpose: consent.purpose, say });
    true
}

/// Somebody wants to be called: asks for the number, then for the leave to use it.
pub(super) fn call(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) {
    let held = outcome.menu.as_ref().is_some_and(|menu| menu.slot.is_some());
    let purpose = match held {
        _ if offers::waits_for_contact(turn.session) => Purpose::Offers,
        true => Purpose::Visit,
        false => Purpose::Call,
    };
    ask(turn, command, (purpose, None), outcome);
}

/// Somebody wants to hear when it is back. What is in stock needs no notice; what was not found cannot be waited for.
pub(super) fn restock(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) {
    let focus: Vec<ProductId> = outcome.focus.clone();
    let [product] = focus.as_slice() else { return };
    let wanted = |of: &Option<String>, said: &Option<String>| said.is_none() || of == said;
    let gone = outcome.facts.iter().any(|fact| match &fact.body {
        FactBody::Offer(one) => {
            one.product == *product
                && wanted(&one.offer.size, &command.slots.size)
                && wanted(&one.offer.colour, &command.slots.colour)
                && one.offer.in_stock() == Some(0)
        }
        _ => false,
    });
    if gone {
        ask(turn, command, (Purpose::Restock, Some(product.clone())), outcome);
    }
}

/// Asks for a contact, or for the leave to use it. Whoever advertises leaves none, not even as the answer to a question of ours: nobody
/// of the shop is sent to call them.
pub(super) fn ask(
    turn: &Turn<'_>,
    command: &Command,
    (purpose, product): (Purpose, Option<ProductId>),
    outcome: &mut Outcome,
) {
    if turn.screened.advertises() {
        outcome.say(Move::Smalltalk { kind: Courtesy::Spam });
        return;
    }
    let slots = &command.slots;
    if slots.phone.is_none() && slots.email.is_none() {
        let asked = if matches!(purpose, Purpose::Restock | Purpose::Offers) { Ask::Contact } else { Ask::Phone };
        outcome.say(Move::Ask { what: asked });
        outcome.pending = Some(Pending { command: command.clone(), asked, failed: 0 });
        return;
    }
    outcome.consent = Some(Consent {
        id: Uuid::now_v7().to_string(),
        purpose,
        phone: slots.phone.clone(),
        email: slots.email.clone(),
        product,
        size: slots.size.clone(),
        colour: slots.colour.clone(),
        slot: outcome.menu.as_ref().and_then(|menu| menu.slot).filter(|_| purpose == Purpose::Visit),
        answers: outcome.menu.as_ref().map(|menu| menu.chosen.clone()).unwrap_or_default(),
        open: false,
        at: outcome.now,
    });
    outcome.say(Move::Consent { purpose, say: ConsentLine::Question });
}

/// Books the time, if one is held, and tells the merchant's systems; the consent's id makes it happen once. None when the time is
/// somebody else's by now.
async fn keep(turn: &Turn<'_>, consent: &Consent, outcome: &Outcome) -> anyhow::Result<Option<ConsentLine>> {
    if let Some(slot) = consent.slot
        && !turn.app.state.book_time(turn.session.id, slot, outcome.now).await?
    {
        return Ok(None);
    }
    let name = match consent.purpose {
        Purpose::Offers => return offers::keep(turn, consent, outcome).await.map(Some),
        Purpose::Call => "lead",
        Purpose::Visit => "visit",
        Purpose::Restock => "restock_wanted",
    };
    let lead = Lead {
        event: name.to_string(),
        consent: consent.clone(),
        agreed: outcome.now,
        session: turn.session.id,
        customer: turn.session.customer.clone(),
        language: turn.screened.language,
        products: turn.session.focus.clone(),
        summary: turn.session.recent.clone(),
    };
    let event = Event { id: format!("{}:{name}", consent.id), document: serde_json::to_string(&lead)? };
    match wanted(turn, consent, outcome) {
        // The same wish of the same person waits already: that is as good.
        Some(wanted) => turn.app.state.want(&wanted, &event).await.map(|_| ())?,
        None => turn.app.state.tell(&event).await?,
    }
    Ok(Some(ConsentLine::Kept))
}

/// The entry of the waiting list, where somebody waits for a product.
fn wanted(turn: &Turn<'_>, consent: &Consent, outcome: &Outcome) -> Option<Wanted> {
    let (product, session) = (consent.product.clone()?, turn.session);
    (consent.purpose == Purpose::Restock).then(|| Wanted {
        id: consent.id.clone(),
        person: outreach::person(session.customer.as_deref(), Some(session.id)).unwrap_or_default(),
        customer: session.customer.clone(),
        session: session.id,
        contact: Contact::new(consent.email.as_deref(), consent.phone.as_deref()),
        product,
        size: consent.size.clone(),
        colour: consent.colour.clone(),
        language: turn.screened.language,
        at: outcome.now,
        round: 0,
    })
}

/// True when the reply asks for consent.
pub(super) fn asks(moves: &[Move]) -> bool {
    moves.iter().any(|step| matches!(step, Move::Consent { say: ConsentLine::Question, .. }))
}
