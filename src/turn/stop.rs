//! A wish to be left alone: noted under every name the shopper is known by, then answered once and politely.

use crate::domain::message::PiiKind;
use crate::domain::outreach::Contact;
use crate::domain::plan::{Absence, HandoverReason, OutreachLine};
use crate::domain::session::Session;
use crate::domain::{Move, Screened};
use crate::outreach::{self, Heard, Named};
use crate::understanding::e164;

use super::App;
use super::respond::{Outcome, Turn};

/// True when the message asks for no messages. A bare "stop" answers the question that is open, if there is one.
pub(super) fn asks(app: &App, session: &Session, screened: &Screened) -> bool {
    app.stop_words.heard(&screened.text, question_open(session))
}

/// True while a question is open that a single word may answer.
pub(super) fn question_open(session: &Session) -> bool {
    session.talk.as_ref().is_some_and(|talk| talk.shown.is_some())
        || session.pending.is_some()
        || session.checkout.is_some()
        || session.menu.is_some()
        || session.consent.as_ref().is_some_and(|consent| consent.open)
}

/// Notes the wish; false when the message is no such wish.
pub(super) async fn stopped(turn: &Turn<'_>, outcome: &mut Outcome) -> bool {
    if !asks(turn.app, turn.session, turn.screened) {
        return false;
    }
    let customer = turn.session.customer.clone();
    let who = Named { customer, session: Some(turn.session.id), contact: named(turn.screened) };
    match outreach::heard(turn.app, &who, outcome.now).await {
        Ok(heard) => {
            let say = if heard == Heard::Before { OutreachLine::StoppedBefore } else { OutreachLine::Stopped };
            outcome.say(Move::Outreach { say });
            if heard == Heard::HereOnly {
                outcome.say(Move::Outreach { say: OutreachLine::StoppedHere });
            }
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a wish to be left alone could not be noted");
            outcome.say(Move::NotFound { why: Absence::SourceDown });
            outcome.say(Move::Human { reason: HandoverReason::Failure });
        }
    }
    true
}

/// The address or number in the message.
pub(super) fn named(screened: &Screened) -> Contact {
    let said = |kind: PiiKind| {
        let found = screened.pii.iter().find(|found| found.kind == kind)?;
        screened.private.get(found.range.clone())
    };
    let phone = said(PiiKind::Phone).map(e164);
    Contact::new(said(PiiKind::Email), phone.as_deref())
}
