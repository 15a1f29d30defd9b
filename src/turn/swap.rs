//! "Actually make it the white one", "no, in 43": what was put into the cart just now, in another variant. In: what is said of it. Out: one line
//! for the other, as many of it.

use crate::app::App;
use crate::domain::cart::Edit;
use crate::domain::plan::CartSay;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Move, Screened, Slots};

use super::cart::{Chosen, added, ask, not_so, operation, owner, refused, take, till, variant, visit};
use super::respond::{Outcome, Turn, sought};

/// The size or colour it should have instead, where the message says no more than that; nothing while a question of another kind is open.
pub(super) fn wanted(app: &App, session: &Session, screened: &Screened) -> Option<Slots> {
    let free = session.in_hand.is_some() && session.pending.is_none() && session.talk.is_none();
    let asks = screened.text.contains(['?', '？']);
    if !free || asks || !app.cart_words.puts_right(&screened.text) {
        return None;
    }
    let said = app.understander.slots(screened);
    let like = Slots { size: said.size.clone(), colour: said.colour.clone(), ..Slots::default() };
    (like != Slots::default() && said == like).then_some(like)
}

/// Changes the line.
pub(super) async fn swap(turn: &Turn<'_>, like: Slots, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let cart = till.show(visit).await?.fact;
    let held = turn.session.in_hand.as_ref().and_then(|sku| cart.lines.iter().find(|line| line.sku == *sku));
    let command = |slots| Command { name: CommandName::CartAdd, slots };
    // It lies there no more: what was said is of what is spoken of.
    let Some(held) = held else { return added(turn, &command(like), outcome).await };
    let offer = &held.offer;
    let command = command(Slots {
        sku: Some(offer.product.0.clone()),
        size: like.size.clone().or_else(|| offer.size.clone().filter(|_| like.colour.is_some())),
        colour: like.colour.clone().or_else(|| offer.colour.clone().filter(|_| like.size.is_some())),
        quantity: Some(held.quantity),
        ..Slots::default()
    });
    let found = sought(turn, &command, outcome).await;
    outcome.learn(found.facts.clone());
    if let Some(why) = found.absence {
        not_so(&command, (&found, why), outcome);
        return Ok(());
    }
    let Some(candidate) = found.likeliest().first() else { return Ok(()) };
    outcome.focus.push(candidate.product.id.clone());
    match variant(candidate, &found.facts) {
        Chosen::One(sku) if sku == held.sku => take(Ok(till.show(visit).await?), (CartSay::Shown, outcome)),
        Chosen::One(sku) => {
            let put = Edit::Add { sku: sku.clone(), quantity: held.quantity };
            if let Err(denied) = till.edit(visit, &put, &operation(turn, &put)?).await? {
                refused(denied, outcome);
                return Ok(());
            }
            let taken_out = Edit::Remove { sku: held.sku.clone() };
            outcome.in_hand = Some(sku);
            take(till.edit(visit, &taken_out, &operation(turn, &taken_out)?).await?, (CartSay::Changed, outcome));
        }
        Chosen::SoldOut => outcome.say(Move::Stock { facts: candidate.matching.clone() }),
        Chosen::Ask(what) => {
            outcome.say(Move::Stock { facts: candidate.matching.clone() });
            ask(&command, what, outcome);
        }
    }
    Ok(())
}
