//! "Both, please", "the pan, the pot and two mugs": several things go into the cart at once. In: the candidates that were pointed at, or
//! what the message names. Out: a line of each, and the question which variant where it has to be asked.

use crate::domain::cart::{Edit, Held};
use crate::domain::command::Pick;
use crate::domain::found::Candidate;
use crate::domain::plan::CartSay;
use crate::domain::{Command, Fact, Move, Slots};

use super::cart::{Chosen, ask, operation, owner, refused, take, till, variant, visit};
use super::respond::{Outcome, Turn};
use super::together;

/// Puts each thing that the message names into the cart, as many as it says of it; false where it names one, where it says more than that
/// these are wanted, and where one of them is not clear to the variant.
pub(super) async fn each_named(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<bool> {
    let things = turn.app.understander.apart(turn.screened);
    let text = &turn.screened.text;
    let turned_down =
        |thing: &Slots| thing.product.as_ref().is_some_and(|words| turn.app.shop.turned_down(text, words));
    // A part that is no thing to be put in belongs to another question: "..., and how much is the kettle?"
    let asks = text.contains(['?', '？']);
    let only_these = things.len() > 1 && things.len() == command.slots.names.len();
    if !only_these || asks || things.iter().any(turned_down) {
        return Ok(false);
    }
    let lines = together::of_things(turn, (&things, together::Sureness::OneVariant), outcome).await;
    if lines.is_empty() {
        return Ok(false);
    }
    put_all(turn, lines, outcome).await?;
    Ok(true)
}

/// Puts one thing in several variants into the cart, "one red and two white"; false where the message says no such thing, and where one of
/// them is not there.
pub(super) async fn each_variant(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<bool> {
    let mut things = turn.app.understander.variants(turn.screened);
    let of_one = |things: &[Slots]| things.iter().all(|thing| thing.product.is_some() || thing.sku.is_some());
    if !of_one(&things) {
        let spoken = turn.session.focus.as_slice();
        let only = if let [only] = spoken { Some(only.0.clone()) } else { None };
        let sku = command.slots.sku.clone().or(only);
        things.iter_mut().for_each(|thing| thing.sku.clone_from(&sku));
    }
    if things.is_empty() || !of_one(&things) {
        return Ok(false);
    }
    let lines = together::of_things(turn, (&things, together::Sureness::OneVariant), outcome).await;
    if lines.len() < things.len() {
        return Ok(false);
    }
    put_all(turn, lines, outcome).await?;
    Ok(true)
}

/// What the last sum was of, or the first so many of it, where a message says no more than that it is wanted.
pub(super) fn of_the_sum(turn: &Turn<'_>, command: &Command) -> Option<Vec<Held>> {
    let said = turn.app.understander.slots(turn.screened);
    let named = |slots: &Slots| slots.product.is_some() || slots.sku.is_some();
    let like = said.size.is_some() || said.colour.is_some() || said.quantity.is_some();
    if like || named(&said) || named(&command.slots) {
        return None;
    }
    // What lies in the cart is not put there again, and where a variant is still to be chosen it has to be asked for.
    let fresh = || turn.session.summed.iter().filter(|line| !line.in_cart);
    if fresh().next().is_none() || !fresh().all(|line| line.chosen) {
        return None;
    }
    let mut lines: Vec<Held> = fresh().map(|line| line.held.clone()).collect();
    match said.pick.or(command.slots.pick) {
        None => Some(lines),
        Some(Pick::First { first }) => {
            lines.truncate(usize::from(first));
            Some(lines)
        }
        Some(_) => None,
    }
}

/// Puts some lines into the cart, and tells what lies there then.
pub(super) async fn put_all(turn: &Turn<'_>, lines: Vec<Held>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let say = if lines.len() > 1 { CartSay::Changed } else { CartSay::Added };
    let mut done = None;
    for line in lines {
        outcome.focus.push(line.product);
        let edit = Edit::Add { sku: line.sku, quantity: line.quantity };
        match till.edit(visit(turn, &owner), &edit, &operation(turn, &edit)?).await? {
            Ok(priced) => done = Some(priced),
            Err(denied) => refused(denied, outcome),
        }
    }
    if let Some(priced) = done {
        take(Ok(priced), (say, outcome));
    }
    Ok(())
}

/// Puts one of each into the cart, or as many as were asked for.
pub(super) async fn all_of(
    turn: &Turn<'_>,
    command: &Command,
    (candidates, facts): (&[Candidate], &[Fact]),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let (mut done, mut open) = (None, None);
    for candidate in candidates {
        outcome.focus.push(candidate.product.id.clone());
        match variant(candidate, facts) {
            Chosen::One(sku) => {
                let edit = Edit::Add { sku, quantity: command.slots.quantity.unwrap_or(1).max(1) };
                match till.edit(visit(turn, &owner), &edit, &operation(turn, &edit)?).await? {
                    Ok(priced) => done = Some(priced),
                    Err(denied) => refused(denied, outcome),
                }
            }
            Chosen::SoldOut => outcome.say(Move::Stock { facts: candidate.matching.clone() }),
            // One question at a time: what is left is asked for again.
            Chosen::Ask(what) => open = open.or(Some((candidate, what))),
        }
    }
    if let Some(priced) = done {
        take(Ok(priced), (CartSay::Added, outcome));
    }
    if let Some((candidate, what)) = open {
        outcome.say(Move::Stock { facts: candidate.matching.clone() });
        let slots = Slots { sku: Some(candidate.product.id.0.clone()), pick: None, ..command.slots.clone() };
        ask(&Command { name: command.name, slots }, what, outcome);
    }
    Ok(())
}
