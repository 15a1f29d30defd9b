//! A question that narrows a search down: asked once of a kind of goods, and its answer taken as a choice among those found.

use crate::app::App;
use crate::domain::command::Pick;
use crate::domain::found::Found;
use crate::domain::narrowing::{Choice, Narrowing};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language, Move, Screened, Slots};
use crate::understanding::{Input, Labelled, chosen};

use super::respond::Outcome;

/// What a session remembers by when it was told the kinds of things there are.
const RANGE: &str = "range";

/// What was found, with the questions that were asked of such goods before no longer to be asked.
pub(super) fn not_asked_before(asked: &[String], mut found: Found) -> Found {
    if found.absence.is_some() && asked.iter().any(|topic| topic == RANGE) {
        found.kinds = None;
    }
    found.splits.iter_mut().for_each(|split| split.worth &= !asked.contains(&split.topic()));
    found
}

/// The search that goes on with the choice a message means, after a search that can be narrowed down.
pub(super) fn answered(app: &App, session: &Session, screened: &Screened) -> Option<Command> {
    if session.narrowing.is_empty() {
        return None;
    }
    let said = app.understander.slots(screened);
    let Slots { size, colour, budget, product, .. } = said.clone();
    let words = product.as_deref()?;
    // "Not plastic" is no plastic one.
    let wanted = app.shop.wanted(&screened.text, words);
    if wanted.is_some_and(|wanted| wanted.turns_down()) {
        return None;
    }
    let alone = Slots { product: product.clone(), ..narrower(&said) };
    let understood = app.understander.by_rules(Input { message: screened, session });
    let searches = |command: &Command| command.name == CommandName::FindProduct;
    if said != alone || understood.is_some_and(|understood| !understood.commands.iter().all(searches)) {
        return None;
    }
    let before = session.last.as_ref().map(|last| last.slots.clone()).unwrap_or_default();
    let about = before.product.as_deref().unwrap_or_default();
    let choice = session.narrowing.iter().scan(0, |start, narrowing| {
        let first = *start;
        *start += narrowing.choices.len();
        Some(meant(app, narrowing, (words, about, session.language)).map(|at| first + at + 1))
    });
    let choice = u8::try_from(choice.flatten().next()?).ok()?;
    let slots = Slots {
        pick: Some(Pick::Choice { choice }),
        size: size.or(before.size),
        colour: colour.or(before.colour),
        budget: budget.or(before.budget),
        ..Slots::default()
    };
    Some(Command { name: CommandName::FindProduct, slots })
}

/// What may stand beside a choice.
fn narrower(said: &Slots) -> Slots {
    Slots { size: said.size.clone(), colour: said.colour.clone(), budget: said.budget.clone(), ..Slots::default() }
}

/// The choice of one property that the words mean.
fn meant(app: &App, narrowing: &Narrowing, (words, about, language): (&str, &str, Language)) -> Option<usize> {
    let labelled =
        |choice: &Choice| Labelled { label: choice.label.get(language).to_string(), weight: choice.products.len() };
    let labels: Vec<Labelled> = narrowing.choices.iter().map(labelled).collect();
    let property = app.shop.narrowings().property(&narrowing.property)?;
    // Of what is for everybody there is something for women, too.
    let anybodys = || narrowing.choices.iter().position(|choice| choice.anybody).filter(|_| property.may_mean(words));
    chosen(words, about, (&labels, &property.alike)).or_else(anybodys)
}

/// What would narrow down the search that a reply answers, with the question that it asks first.
pub(super) fn left(outcome: &Outcome) -> Vec<Narrowing> {
    let mut left: Vec<Narrowing> = outcome.asked.iter().flat_map(|(_, found)| found.splits.clone()).collect();
    left.sort_by_key(|split| !asks(outcome, split));
    left
}

/// What a reply asks, as a session remembers it.
pub(super) fn asked(outcome: &Outcome) -> impl Iterator<Item = String> {
    let mut splits = outcome.asked.iter().flat_map(|(_, found)| &found.splits);
    let narrowed = splits.find(|split| asks(outcome, split)).map(Narrowing::topic);
    let range = outcome.moves.iter().any(|step| matches!(step, Move::Range { .. }));
    narrowed.into_iter().chain(range.then(|| RANGE.to_string()))
}

fn asks(outcome: &Outcome, split: &Narrowing) -> bool {
    outcome.moves.contains(&Move::Narrow { fact: split.fact() })
}
