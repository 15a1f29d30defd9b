//! A message that answers our open question and wants something more: "yes, and what is the warranty?", "red, and how much is delivery?".
//! In: a message and its conversation. Out: its parts, the answer where it belongs among them.

use std::ops::Range;

use crate::app::App;
use crate::domain::plan::Ask;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots};
use crate::understanding::Answer;

use super::wishes::Part;
use super::{taken_for, wishes};

/// How sure the words have to be of what else is wanted.
const SURE: f32 = 0.5;

/// What a piece of a message says to the open question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    /// What was asked for.
    Value,
}

/// The answer and the rest, in the order they are to be heard; nothing where the message is one of both alone.
pub(super) async fn parted(app: &App, screened: &Screened, session: &Session) -> Option<Vec<Part>> {
    let pieces = app.understander.pieces(screened);
    if pieces.len() < 2 {
        return None;
    }
    let (answer, rest, said) = found(app, screened, session, &pieces)?;
    let marked = app.understander.marked(screened.clone(), &*app.embed).await;
    let mut parts = marked.parts(&[answer, rest])?.into_iter();
    let (answer, rest) = parts.next().zip(parts.next())?;
    let wishes = app.understander.stretches(&rest, false, &*app.embed).await;
    if wishes.is_empty() || wishes.iter().any(|wish| says_nothing_new(&wish.wish) || wish.sure < SURE) {
        return None;
    }
    let wants = |names: &[CommandName]| wishes.iter().any(|wish| names.iter().any(|name| name.as_str() == wish.wish));
    // "Yes, but ..." is no yes to what was asked, and a no to it may be what the rest says, too.
    let of_orders = [CommandName::CancelOrder, CommandName::ChangeOrder, CommandName::ReturnItem];
    if said != Said::Value && session.talk.is_some() && wants(&of_orders) {
        return None;
    }
    let slots = app.understander.slots(&rest);
    if wants(&[CommandName::CartAdd]) && said != Said::Value {
        if slots.product.is_none() && slots.sku.is_none() {
            return None;
        }
        if said == Said::Yes && session.checkout.is_some() {
            // What is added first is part of what is ordered, so that is asked anew.
            let order = Command { name: CommandName::Checkout, slots: Slots::default() };
            let order = taken_for(&answer, vec![order], "agrees, after a change of the cart");
            let mut parts = wishes::parts(app, &rest, session).await;
            parts.push(Part { screened: answer, known: Some(order), told: None });
            return Some(parts);
        }
    }
    let mut parts = vec![Part { screened: answer, known: None, told: None }];
    parts.extend(wishes::parts(app, &rest, session).await);
    Some(parts)
}

/// The longest run of pieces at the beginning that answers, else the last piece.
fn found(
    app: &App,
    screened: &Screened,
    session: &Session,
    pieces: &[Range<usize>],
) -> Option<(Range<usize>, Range<usize>, Said)> {
    let text = screened.text.as_str();
    let ways = (1..pieces.len()).rev().map(|at| (0..pieces[at - 1].end, pieces[at].start..text.len()));
    let last = pieces.last()?.start;
    let mut ways = ways.chain([(last..text.len(), 0..last)]);
    ways.find_map(|(answer, rest)| {
        if !wants_something(&text[rest.clone()]) || says(app, screened, session, rest.clone()).is_some() {
            return None;
        }
        says(app, screened, session, answer.clone()).map(|said| (answer, rest, said))
    })
}

fn says(app: &App, screened: &Screened, session: &Session, range: Range<usize>) -> Option<Said> {
    let part = screened.parts(&[range])?.pop()?;
    let clear = |answer: Option<Answer>| match answer {
        Some(Answer::Yes) => Some(Said::Yes),
        Some(Answer::No) => Some(Said::No),
        Some(Answer::Unclear) | None => None,
    };
    let text = part.text.as_str();
    if let Some(talk) = session.talk.as_ref().filter(|talk| talk.shown.is_some()) {
        return clear(app.answers.read(text, talk.wish));
    }
    if session.consent.as_ref().is_some_and(|consent| consent.open) {
        return clear(app.answers.consent(text));
    }
    if session.checkout.is_some() {
        return clear(app.answers.order(text));
    }
    let pending = session.pending.as_ref()?;
    let loose = matches!(pending.asked, Ask::Product | Ask::Topic | Ask::Item | Ask::Date | Ask::Code);
    (!loose && app.understander.answers(&part, session)).then_some(Said::Value)
}

/// Courtesies and echoes of the answer are no further wish.
fn says_nothing_new(wish: &str) -> bool {
    use CommandName as C;
    [C::Smalltalk, C::Confirm, C::Deny, C::Correct, C::LeaveContact].iter().any(|name| name.as_str() == wish)
}

/// A word or two beside an answer belong to it.
fn wants_something(text: &str) -> bool {
    let han = text.chars().filter(|c| ('\u{3400}'..='\u{9fff}').contains(c)).count();
    han > 2 || text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() > 2
}
