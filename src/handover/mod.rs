//! A person takes over: when a case is opened and how urgent it is, the packet for whoever takes it, what they may do, and what
//! happens when nobody does. In: the assistant and a step. Out: the case afterwards. It writes no word to the shopper but the
//! operator's own and one sentence on coming back.

mod packet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::domain::handover::{By, Case, CaseState, Event, HandoverRules, Line, Priority};
use crate::domain::order::Order;
use crate::domain::plan::HandoverReason;
use crate::domain::session::Session;
use crate::domain::{Draft, Money, Tone};
use crate::guard::{Verdict, Violation};

pub use packet::{Packet, facts_shown, packet};

/// A write that keeps meeting other writes is given up after so many tries.
const TRIES: usize = 4;
/// Cases looked at in one round.
const ROUND: u32 = 500;

/// What an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes the chat: the assistant falls silent.
    Take,
    /// Writes to the shopper.
    Reply(String),
    /// Writes to the other operators.
    Note(String),
    /// Gives the chat back to the assistant.
    GiveBack,
    /// Settles the case.
    Close,
}

/// Why a step cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No such case.
    Case,
    /// Somebody else has it.
    Operator,
    /// Not in this state.
    State,
}

/// The case that a turn opens or makes more urgent.
pub fn opened(rules: &HandoverRules, before: Option<Case>, need: &Need<'_>) -> Case {
    let mut priority = rules.priority_of(need.reason);
    if need.is_first_in_line(rules) {
        priority = priority.raised();
    }
    let mut case = before.unwrap_or_else(|| Case {
        id: Uuid::now_v7().to_string(),
        session: need.session.id,
        reasons: Vec::new(),
        priority: Priority::Low,
        state: CaseState::Waiting,
        operator: None,
        customer: None,
        language: need.session.language,
        opened: need.now,
        waiting_since: Some(need.now),
        answered: None,
        ended: None,
        escalated: 0,
        raised_at: None,
        version: 0,
    });
    case.reasons.retain(|reason| *reason != need.reason);
    case.reasons.insert(0, need.reason);
    case.language = need.session.language;
    case.priority = case.priority.max(priority);
    case.customer = need.session.customer.clone().or(case.customer);
    case
}

/// Why a person is needed, and by whom.
pub struct Need<'a> {
    /// The conversation.
    pub session: &'a Session,
    /// Why.
    pub reason: HandoverReason,
    /// The orders that were spoken of in this turn.
    pub orders: Vec<&'a Order>,
    /// Now.
    pub now: Timestamp,
}

impl Need<'_> {
    /// A customer, an order or a complaint that goes first.
    fn is_first_in_line(&self, rules: &HandoverRules) -> bool {
        let vip = rules.tone(self.session.customer.as_deref()) == Tone::Vip;
        let dear = |order: &&Order| {
            let money = |text: &str| Money::parse(text, order.currency).ok();
            let from = rules.value.get(&order.currency).and_then(|from| money(from));
            from.zip(money(&order.total)).is_some_and(|(from, total)| total.minor >= from.minor)
        };
        vip || self.session.complaints >= rules.complaints || self.orders.iter().any(dear)
    }
}

/// Does an operator's step.
///
/// # Errors
/// The store does not answer, or the case is written by others all the time.
pub async fn step(app: &App, id: &str, operator: &str, step: &Step) -> anyhow::Result<Result<Case, Wrong>> {
    for _ in 0..TRIES {
        let Some(case) = app.state.case(id).await? else { return Ok(Err(Wrong::Case)) };
        let (after, lines) = match after(app, case, operator, step)? {
            Ok(after) => after,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let event = ended_event(&after, step);
        if app.state.write_case(&after, &lines, event.as_ref()).await? {
            return Ok(app.state.case(id).await?.ok_or(Wrong::Case));
        }
    }
    anyhow::bail!("case {id} was written by others {TRIES} times in a row; try again")
}

type After = (Case, Vec<Line>);

fn after(app: &App, mut case: Case, operator: &str, step: &Step) -> anyhow::Result<Result<After, Wrong>> {
    let now = app.now();
    let open = matches!(case.state, CaseState::Waiting | CaseState::Taken);
    let theirs = case.state == CaseState::Taken && case.operator.as_deref() == Some(operator);
    let line = |by: By, text: &str| Line { id: Uuid::now_v7().to_string(), by, text: text.to_string(), at: now };
    let mut lines = Vec::new();
    match step {
        Step::Note(text) => lines.push(line(By::Note, &format!("{operator}: {text}"))),
        _ if !open => return Ok(Err(Wrong::State)),
        // Taking again what one has changes nothing: a repeated request is no error.
        Step::Take if theirs => {}
        Step::Take if case.state == CaseState::Taken => return Ok(Err(Wrong::Operator)),
        Step::Take => {
            (case.state, case.operator) = (CaseState::Taken, Some(operator.to_string()));
            (case.waiting_since, case.raised_at) = (Some(now), None);
        }
        _ if case.state != CaseState::Taken => return Ok(Err(Wrong::State)),
        _ if !theirs => return Ok(Err(Wrong::Operator)),
        Step::Reply(text) => {
            lines.push(line(By::Operator, text));
            (case.waiting_since, case.raised_at) = (None, None);
            case.answered = case.answered.or(Some(now));
        }
        Step::GiveBack => {
            lines.push(line(By::Assistant, &welcome_back(app, &case)?));
            (case.state, case.waiting_since, case.ended) = (CaseState::GivenBack, None, Some(now));
        }
        Step::Close => (case.state, case.waiting_since, case.ended) = (CaseState::Closed, None, Some(now)),
    }
    Ok(Ok((case, lines)))
}

/// The one sentence of the assistant that is no answer; the guard reads it like any other.
fn welcome_back(app: &App, case: &Case) -> anyhow::Result<String> {
    let segments = vec![app.renderer.welcome_back(case.language)];
    match app.guard.check(Draft { language: case.language, segments }, &[], "") {
        Verdict::Accepted(reply) => Ok(reply.text()),
        Verdict::Rejected(rejection) => anyhow::bail!("the guard refuses `handover_back`: {:?}", rejection.violations),
    }
}

/// What the guard would say to an operator's words: a warning, never a bar.
///
/// # Errors
/// The conversation cannot be read.
pub async fn warnings(app: &App, case: &Case, text: &str) -> anyhow::Result<Vec<Violation>> {
    let turns = app.state.turns_of(case.session).await?;
    let said: Vec<&str> = turns.iter().filter_map(|turn| turn["message"]["text"].as_str()).collect();
    let mut facts = facts_shown(&turns);
    facts.push(app.shop.contact(app.now()));
    let ledger = crate::guard::Ledger::from_facts(&facts, &said.join("\n"));
    Ok(app.guard.check_text(case.language, &ledger, text).err().into_iter().collect())
}

/// Raises every case that waited too long, once for each wait; a chat whose person has fallen silent goes back to the queue.
///
/// # Errors
/// The store does not answer.
pub async fn escalate(app: &App) -> anyhow::Result<usize> {
    let now = app.now();
    let mut raised = 0;
    for state in [CaseState::Waiting, CaseState::Taken] {
        for case in app.state.cases(state, ROUND).await? {
            if !is_due(&app.handover_rules, &case, now) {
                continue;
            }
            let case = Case {
                priority: case.priority.raised(),
                escalated: case.escalated + 1,
                state: CaseState::Waiting,
                operator: None,
                raised_at: Some(now),
                ..case
            };
            let event = event(&case, "handover_escalated", &format!("raised:{}", case.escalated));
            // Whoever was faster has looked after it.
            raised += usize::from(app.state.write_case(&case, &[], Some(&event)).await?);
        }
    }
    Ok(raised)
}

fn is_due(rules: &HandoverRules, case: &Case, now: Timestamp) -> bool {
    let Some(since) = case.waiting_since else { return false };
    let since = case.raised_at.map_or(since, |raised| raised.max(since));
    now.duration_since(since) >= SignedDuration::from_mins(rules.patience(case.priority))
}

fn ended_event(case: &Case, step: &Step) -> Option<Event> {
    matches!(step, Step::GiveBack | Step::Close).then(|| event(case, "handover_ended", "ended"))
}

/// An event about a case; its id makes it happen once.
pub fn event(case: &Case, kind: &str, what: &str) -> Event {
    let document = json!({"event": kind, "case": case}).to_string();
    Event { id: format!("{}:{what}", case.id), document }
}
