//! When a person has the conversation, the assistant is silent; when one is needed, a case is opened with the turn.

use crate::app::App;
use crate::domain::handover::{Aside, By, Case, CaseState, Line};
use crate::domain::order::Order;
use crate::domain::plan::{Courtesy, HandoverReason};
use crate::domain::session::Session;
use crate::domain::{Draft, FactBody, Language, Move, Screened, Tier, Understanding};
use crate::guard::{CheckedReply, Verdict};
use crate::handover::{self, Need};

use super::answer::{Answer, TurnError};
use super::respond::{Outcome, Turn};

/// The case in which a person has this conversation now.
pub(super) async fn taken(app: &App, session: &Session) -> Result<Option<Case>, TurnError> {
    if !session.handed_over {
        return Ok(None);
    }
    let case = app.state.open_case(session.id).await.map_err(TurnError::Failed)?;
    Ok(case.filter(|case| case.state == CaseState::Taken))
}

/// What is understood of a message that is a person's to answer: nothing.
pub(super) fn unread(language: Language) -> Understanding {
    let notes = vec!["a person has the chat".to_string()];
    Understanding { lang: language, commands: Vec::new(), confidence: 1.0, tier: Tier::Rules, notes }
}

/// A reply without a word.
///
/// # Errors
/// The guard refuses even that.
pub(super) fn silence(app: &App, language: Language) -> Result<CheckedReply, TurnError> {
    match app.guard.check(Draft { language, segments: Vec::new() }, &[], "") {
        Verdict::Accepted(reply) => Ok(reply),
        Verdict::Rejected(rejection) => Err(TurnError::Failed(anyhow::anyhow!("{:?}", rejection.violations))),
    }
}

/// The shopper's words for the person who has the conversation, and since when they wait.
pub(super) fn heard(case: Case, screened: &Screened, outcome: &Outcome) -> Aside {
    let id = crate::domain::session::TurnId::fresh().to_string();
    let line = Line { id, by: By::Shopper, text: screened.text.clone(), at: outcome.now };
    let waiting_since = case.waiting_since.or(Some(outcome.now));
    Aside { case: Some(Case { waiting_since, language: screened.language, ..case }), event: None, line: Some(line) }
}

/// Calls a person by rule: words of anger or fraud, or too many messages that nobody was sure about.
pub(super) fn call(turn: &Turn<'_>, understanding: &Understanding, outcome: &mut Outcome) {
    let rules = &turn.app.handover_rules;
    let lost =
        understanding.tier != Tier::Rules && understanding.confidence < rules.sure_from && !tells(&outcome.moves);
    outcome.unsure = if lost { turn.session.unsure.saturating_add(1) } else { 0 };
    let alarm = turn.app.alarms.reason(&turn.screened.text);
    let reason = alarm.or((outcome.unsure >= rules.unsure).then_some(HandoverReason::Unsure));
    let Some(reason) = reason else { return };
    let called = outcome.moves.iter_mut().find_map(|step| match step {
        Move::Human { reason } => Some(reason),
        _ => None,
    });
    match called {
        // A graver reason takes the place of the one that was found by itself.
        Some(known) if alarm.is_some() && *known != HandoverReason::Complaint || reason == HandoverReason::Fraud => {
            *known = reason;
        }
        Some(_) => {}
        None => outcome.say(Move::Human { reason }),
    }
    outcome.unsure = 0;
}

/// True when the reply holds something the shopper may have asked for.
fn tells(moves: &[Move]) -> bool {
    moves.iter().any(|step| match step {
        Move::NotFound { .. } | Move::Human { .. } | Move::Ask { .. } => false,
        Move::Smalltalk { kind } => *kind != Courtesy::OutOfScope,
        _ => true,
    })
}

/// The case that this turn opens or makes more urgent.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn called(app: &App, session: &Session, answer: &Answer, outcome: &Outcome) -> anyhow::Result<Aside> {
    let Some(reason) = answer.handover else { return Ok(Aside::default()) };
    let before = app.state.open_case(session.id).await?;
    let fresh = before.is_none();
    let need = Need { session, reason, orders: orders(outcome), now: outcome.now };
    let case = handover::opened(&app.handover_rules, before, &need);
    let event = fresh.then(|| handover::event(&case, "handover_opened", "opened"));
    Ok(Aside { case: Some(case), event, line: None })
}

fn orders(outcome: &Outcome) -> Vec<&Order> {
    let mut orders = Vec::new();
    for fact in &outcome.facts {
        match &fact.body {
            FactBody::Order(order) => orders.push(&**order),
            FactBody::Task(task) => orders.push(&task.order),
            _ => {}
        }
    }
    orders
}
