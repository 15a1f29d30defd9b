//! A question that narrows a search down: asked once of a kind of goods, and its answer taken as a choice among those found.

use crate::app::App;
use crate::domain::command::Pick;
use crate::domain::found::Found;
use crate::domain::narrowing::Narrowing;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Move, Screened, Slots};
use crate::understanding::{Input, Labelled, chosen};

use super::respond::Outcome;

/// What was found, without the questions that were asked of such goods before.
pub(super) fn not_asked_before(asked: &[String], mut found: Found) -> Found {
    found.splits.retain(|split| !asked.contains(&split.topic()));
    found
}

/// The search that goes on with the choice a message means, where a question for one stands open.
pub(super) fn answered(app: &App, session: &Session, screened: &Screened) -> Option<Command> {
    let narrowing = session.narrowing.as_ref()?;
    let said = app.understander.slots(screened);
    let Slots { size, colour, budget, product, .. } = said.clone();
    let only_these = Slots {
        size: size.clone(),
        colour: colour.clone(),
        budget: budget.clone(),
        product: product.clone(),
        ..Slots::default()
    };
    if said != only_these {
        return None;
    }
    let understood = app.understander.by_rules(Input { message: screened, session });
    let searches = |command: &Command| command.name == CommandName::FindProduct;
    if understood.is_some_and(|understood| !understood.commands.iter().all(searches)) {
        return None;
    }
    let before = session.last.as_ref().map(|last| last.slots.clone()).unwrap_or_default();
    let labels: Vec<Labelled<'_>> = narrowing
        .choices
        .iter()
        .map(|choice| Labelled { label: choice.label.get(session.language), weight: choice.products.len() })
        .collect();
    let alike = app.shop.narrowings().property(&narrowing.property).map(|property| property.alike.as_slice());
    let about = before.product.as_deref().unwrap_or_default();
    let at = chosen(product.as_deref()?, about, (&labels, alike.unwrap_or_default()))?;
    let slots = Slots {
        pick: Some(Pick::Choice { choice: u8::try_from(at + 1).ok()? }),
        size: size.or(before.size),
        colour: colour.or(before.colour),
        budget: budget.or(before.budget),
        ..Slots::default()
    };
    Some(Command { name: CommandName::FindProduct, slots })
}

/// The question that a reply asks.
pub(super) fn asked(outcome: &Outcome) -> Option<Narrowing> {
    let told = |split: &&Narrowing| outcome.moves.contains(&Move::Narrow { fact: split.fact() });
    outcome.asked.iter().flat_map(|(_, found)| &found.splits).find(told).cloned()
}
