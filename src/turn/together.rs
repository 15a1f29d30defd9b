//! "How much are the boots and the socks together?": what is named, or the few things spoken of, in one sum. It is worked out as a cart
//! is, so the guard works it out again; nothing is put into a cart for it.

use crate::domain::cart::{Cart, Held};
use crate::domain::plan::CartSay;
use crate::domain::{Command, CommandName, ProductId, Screened, Slots};

use super::cart::{Chosen, owner, till, variant, visit};
use super::quote::{of_one_price, tell};
use super::respond::{Outcome, Turn, sought};

/// So many things spoken of may be meant by "together"; more are a list.
const MOST: usize = 3;

/// Answers the question, if it is asked; the commands that are still to be answered.
pub(super) async fn summed(turn: &Turn<'_>, commands: Vec<Command>, outcome: &mut Outcome) -> Vec<Command> {
    use CommandName as C;
    let text = &turn.screened.text;
    let asked = turn.app.cart_words.together(text) && !turn.app.cart_words.with_delivery(text);
    let of_prices = |command: &Command| matches!(command.name, C::Price | C::FindProduct | C::Compare | C::OutOfScope);
    if !asked || turn.session.pending.is_some() || !commands.iter().all(of_prices) {
        return commands;
    }
    match worked_out(turn, &commands, outcome).await {
        Ok(true) => Vec::new(),
        Ok(false) => commands,
        Err(error) => {
            // What each of them costs is still told.
            tracing::error!(error = format!("{error:#}"), "a sum could not be worked out");
            commands
        }
    }
}

/// Tells the sum; false when it is not clear what of.
async fn worked_out(turn: &Turn<'_>, commands: &[Command], outcome: &mut Outcome) -> anyhow::Result<bool> {
    let said = turn.app.understander.slots(turn.screened);
    let named = commands.iter().any(|command| command.slots.product.is_some() || command.slots.sku.is_some());
    let each = said.quantity.unwrap_or(1).max(1);
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let lines = match (named, things(commands, &said).as_slice()) {
        (true, things) if things.len() > 1 => of_things(turn, things, outcome).await,
        (true, _) => return Ok(false),
        (false, _) => {
            let own = till.show(visit).await?.cart.value;
            if !own.lines.is_empty() && said.pick.is_none() && said.quantity.is_none() {
                own.lines
            } else {
                let shown = turn.session.pointed(&said);
                if !(2..=MOST).contains(&shown.len()) {
                    return Ok(false);
                }
                let told = turn.session.last.as_ref().map(|last| last.slots.clone()).unwrap_or_default();
                let like = Slots { size: told.size, colour: told.colour, ..Slots::default() };
                of_shown(turn, (shown, &like), each, outcome).await
            }
        }
    };
    if lines.len() < 2 && named || lines.is_empty() {
        return Ok(false);
    }
    let mut focus: Vec<ProductId> = lines.iter().map(|line| line.product.clone()).collect();
    focus.dedup();
    let priced = till.quote(&Cart { lines, ..Cart::default() }, visit.currency).await?;
    if priced.sums.is_none() {
        return Ok(false);
    }
    outcome.focus.extend(focus);
    tell(priced, CartSay::Today, outcome);
    Ok(true)
}

/// What is named, each by itself: by the commands where the message fell into several, else by its names.
fn things(commands: &[Command], said: &Slots) -> Vec<Slots> {
    let named = |slots: &Slots| slots.product.is_some() || slots.sku.is_some();
    let own = commands.iter().map(|command| &command.slots).filter(|slots| named(slots) && slots.names.len() < 2);
    let own: Vec<Slots> = own
        .map(|Slots { product, sku, size, colour, .. }| Slots {
            product: product.clone(),
            sku: sku.clone(),
            size: size.clone(),
            colour: colour.clone(),
            ..Slots::default()
        })
        .collect();
    if own.len() > 1 {
        return own;
    }
    let each = |name: &String| Slots { product: Some(name.clone()), size: said.size.clone(), ..Slots::default() };
    said.names.iter().map(each).collect()
}

/// A line for each; none at all where one of them is not clear. A size that only one of them has is a condition on that one.
async fn of_things(turn: &Turn<'_>, things: &[Slots], outcome: &mut Outcome) -> Vec<Held> {
    let mut lines = Vec::new();
    for thing in things {
        let mut line = one(turn, thing.clone(), outcome).await;
        if line.is_none() && thing.size.is_some() {
            line = one(turn, Slots { size: None, ..thing.clone() }, outcome).await;
        }
        let Some(line) = line else { return Vec::new() };
        lines.push(line);
    }
    lines
}

async fn of_shown(
    turn: &Turn<'_>,
    (shown, like): (&[ProductId], &Slots),
    quantity: u32,
    outcome: &mut Outcome,
) -> Vec<Held> {
    let mut lines = Vec::new();
    for product in shown {
        let slots = Slots { sku: Some(product.0.clone()), ..like.clone() };
        let Some(line) = one(turn, slots, outcome).await else { return Vec::new() };
        lines.push(Held { quantity, ..line });
    }
    lines
}

/// The one thing that slots mean, where its price is clear.
async fn one(turn: &Turn<'_>, slots: Slots, outcome: &mut Outcome) -> Option<Held> {
    // The whole message names the others, too.
    let name = slots.product.clone().or_else(|| slots.sku.clone()).unwrap_or_default();
    let alone = Screened { text: name.clone(), private: name, pii: Vec::new(), ..turn.screened.clone() };
    let alone = Turn { screened: &alone, ..*turn };
    let found = sought(&alone, &Command { name: CommandName::Price, slots }, outcome).await;
    let candidates = if found.sure > 0 { &found.candidates[..found.sure] } else { &found.candidates[..] };
    let [candidate] = candidates else { return None };
    let sku = match variant(candidate, &found.facts) {
        Chosen::One(sku) => sku,
        _ => of_one_price(turn, candidate, &found.facts)?,
    };
    Some(Held { sku, product: candidate.product.id.clone(), quantity: 1 })
}
