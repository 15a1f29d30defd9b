//! What a step of the talk comes to: a question, a proposal, or that nothing comes of it. It reads and writes nothing.

use crate::domain::desk::{RefusalCode, Talk, Wish};
use crate::domain::plan::{Absence, Ask, Courtesy, HandoverReason, TaskLine};
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Fact, Move};

use super::super::Outcome;
use super::Said;

/// Answers in a row that lead nowhere, after which a person takes over.
pub(super) const MOST_FAILED: u8 = 3;

/// True when a person could not do otherwise.
pub(super) fn is_final(code: RefusalCode) -> bool {
    use RefusalCode::*;
    matches!(code, WrongState | TooLate | NotReturnable | NotAvailable | SameItem | OtherProduct)
}

pub(super) fn command_of(wish: Wish) -> CommandName {
    match wish {
        Wish::Cancel => CommandName::CancelOrder,
        Wish::Return | Wish::Exchange => CommandName::ReturnItem,
        Wish::Address | Wish::Date => CommandName::ChangeOrder,
    }
}

pub(super) fn shown(fact: Fact, say: TaskLine, talk: Talk) -> Outcome {
    let moves = vec![Move::Task { fact: fact.id.clone(), say }];
    Outcome { moves, facts: vec![fact], talk: Some(talk), ..Outcome::default() }
}

pub(super) fn ask(command: &Command, what: Ask, mut talk: Talk) -> Outcome {
    talk.asked = Some(what);
    let mut command = Command { name: command_of(talk.wish), slots: command.slots.clone() };
    command.slots.order_number = talk.order.clone();
    if talk.customer.is_some() {
        (command.slots.phone, command.slots.email) = (None, None);
    }
    Outcome {
        moves: vec![Move::Ask { what }],
        pending: Some(Pending { command, asked: what, failed: talk.failed }),
        talk: Some(talk),
        ..Outcome::default()
    }
}

/// Asks, for the first time or once more; in the end a person does.
pub(super) fn again(command: &Command, what: Ask, mut talk: Talk) -> Outcome {
    talk.failed = if talk.asked == Some(what) { talk.failed.saturating_add(1) } else { 0 };
    if talk.failed >= MOST_FAILED { gave_up() } else { ask(command, what, talk) }
}

/// Nothing arrives on that day: another one is asked for.
pub(super) fn on_another_day(refused: Outcome, talk: Talk) -> Outcome {
    let command = Command { name: command_of(talk.wish), slots: Default::default() };
    let mut asked = again(&command, Ask::Date, Talk { day: None, ..talk });
    asked.moves.splice(0..0, refused.moves);
    asked.facts.extend(refused.facts);
    asked
}

/// Who does not have the number is shown the other way once; then a person helps.
pub(super) fn other_way(said: &Said<'_>, mut talk: Talk) -> Outcome {
    talk.failed = talk.failed.saturating_add(1);
    if talk.failed > 1 {
        return gave_up();
    }
    let (say, what) = super::super::order::instead(said.who);
    Outcome { moves: vec![Move::Ask { what: say }], ..ask(said.command, what, talk) }
}

/// A slip may be mended with the next message, but not for ever.
pub(super) fn unproved(said: &Said<'_>, mut talk: Talk) -> Outcome {
    talk.failed = talk.failed.saturating_add(1);
    let failed = talk.failed;
    let open = failed < MOST_FAILED && said.who.customer.is_none();
    let mut command = said.command.clone();
    (command.slots.phone, command.slots.email) = (None, None);
    let mut outcome = if open { ask(&command, Ask::Identity, talk) } else { Outcome::default() };
    outcome.moves = vec![Move::NotFound { why: Absence::NoOrder }];
    if failed >= MOST_FAILED {
        outcome.moves.push(Move::Human { reason: HandoverReason::Task });
    }
    outcome
}

pub(super) fn no_order() -> Outcome {
    Outcome { moves: vec![Move::NotFound { why: Absence::NoOrder }], ..Outcome::default() }
}

pub(super) fn dropped() -> Outcome {
    Outcome { moves: vec![Move::Smalltalk { kind: Courtesy::Denied }], ..Outcome::default() }
}

pub(super) fn gave_up() -> Outcome {
    Outcome { moves: vec![Move::Human { reason: HandoverReason::Task }], ..Outcome::default() }
}
