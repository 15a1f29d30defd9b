//! What need not be said again. By a known customer: the last order once more, the size of earlier ones. The order is asked for by name
//! and needs no other leave; a size is recalled only with a yes to personal use, and as a hint beside the question, never as the answer.
//! To anybody: what was put forward unasked before.

use std::collections::BTreeSet;

use crate::domain::cart::{CartNo, Edit, Held};
use crate::domain::found::{Candidate, Found};
use crate::domain::order::OrderState;
use crate::domain::outreach::Topic;
use crate::domain::plan::CartSay;
use crate::domain::{Fact, FactBody, FactId, Move, ProductId, Sku};
use crate::tasks::cart::{Till, Visit};

use super::cart::{operation, owner, tell, till, visit};
use super::respond::{Outcome, Turn};

/// Earlier orders that are looked at for a size.
const ORDERS: usize = 10;

/// Puts what was ordered last into the cart, at today's prices; it is ordered like any other cart, after a yes.
pub(super) async fn again(turn: &Turn<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Some(customer) = turn.session.customer.as_deref() else { return refuse(CartNo::WhoseOrder, outcome) };
    let orders = turn.app.orders.of_customer(customer).await?;
    let Some(last) = orders.into_iter().find(|order| order.state != OrderState::Cancelled) else {
        return refuse(CartNo::NoOrderBefore, outcome);
    };
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let wanted = till.again(&last).await?.lines;
    let kinds: BTreeSet<&Sku> = last.items.iter().map(|item| &item.sku).collect();
    let mut missing = wanted.len() < kinds.len();
    for held in &wanted {
        missing |= !put(turn, (&till, visit), held).await?;
    }
    let priced = till.show(visit).await?;
    let nothing = priced.cart.value.lines.is_empty();
    let fact = priced.into_fact(outcome.now);
    tell(outcome, fact, if nothing { CartSay::Shown } else { CartSay::Again });
    if missing {
        outcome.say(Move::CartNo { why: CartNo::NotAll });
    }
    Ok(())
}

/// As many as were ordered, not more for asking twice; false when there are not so many.
async fn put(turn: &Turn<'_>, (till, visit): (&Till<'_>, Visit<'_>), held: &Held) -> anyhow::Result<bool> {
    let there = till.show(visit).await?.cart.value.held(&held.sku);
    if there >= held.quantity {
        return Ok(true);
    }
    let (sku, quantity) = (held.sku.clone(), held.quantity);
    let edit = if there == 0 { Edit::Add { sku, quantity } } else { Edit::Set { sku, quantity } };
    Ok(till.edit(visit, &edit, &operation(turn, &edit)?).await?.is_ok())
}

fn refuse(why: CartNo, outcome: &mut Outcome) -> anyhow::Result<()> {
    outcome.say(Move::CartNo { why });
    Ok(())
}

/// Says which size of this kind of goods the customer chose last, where it can be had now and they agreed to such use.
pub(super) async fn recall(
    turn: &Turn<'_>,
    (candidate, facts): (&Candidate, &[Fact]),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let app = turn.app;
    let Some(customer) = turn.session.customer.as_deref() else { return Ok(()) };
    let words = app.state.permissions(&format!("customer:{customer}")).await?;
    if !words.iter().any(|word| word.topic == Topic::Personal && word.granted) {
        return Ok(());
    }
    for order in app.orders.of_customer(customer).await?.iter().take(ORDERS) {
        for item in &order.items {
            let Some((product, Some(sku))) = app.catalog.by_code(item.sku.as_str()).await? else { continue };
            let bought = app.catalog.products(std::slice::from_ref(&product)).await?;
            let same = bought.iter().find(|bought| bought.category == candidate.product.category);
            let size = same.and_then(|bought| bought.variants.iter().find(|variant| variant.sku == sku)?.size.clone());
            if let Some(fact) = size.and_then(|size| offer_of_size(&size, candidate, facts)) {
                outcome.say(Move::Recall { fact });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// An offer of this size that can be had.
fn offer_of_size(size: &str, candidate: &Candidate, facts: &[Fact]) -> Option<FactId> {
    let fits = |id: &&FactId| {
        let fact = facts.iter().find(|fact| fact.id == **id);
        matches!(fact.map(|fact| &fact.body), Some(FactBody::Offer(offer))
            if offer.offer.size.as_deref() == Some(size) && offer.offer.in_stock() != Some(0))
    };
    candidate.matching.iter().find(fits).cloned()
}

/// What was found without the accessory that was put forward before: nobody is pushed twice.
pub(super) fn not_pushed_before(pushed: &[ProductId], mut found: Found) -> Found {
    let product = found.accessory.as_ref().and_then(|id| product_of(id, &found.facts));
    if product.is_some_and(|product| pushed.contains(&product)) {
        found.accessory = None;
    }
    found
}

/// The plan, saying of what customers buy together that they do.
pub(super) fn as_bought(moves: Vec<Move>, found: &Found) -> Vec<Move> {
    let said = |step: Move| match step {
        Move::Upsell { fact } if found.bought_together && found.accessory.as_ref() == Some(&fact) => {
            Move::BoughtWith { fact }
        }
        other => other,
    };
    moves.into_iter().map(said).collect()
}

/// What this reply puts forward unasked.
pub(super) fn pushed(outcome: &Outcome) -> Vec<ProductId> {
    let forward = |step: &Move| match step {
        Move::Upsell { fact } | Move::BoughtWith { fact } => product_of(fact, &outcome.facts),
        _ => None,
    };
    outcome.moves.iter().filter_map(forward).collect()
}

fn product_of(id: &FactId, facts: &[Fact]) -> Option<ProductId> {
    match &facts.iter().find(|fact| fact.id == *id)?.body {
        FactBody::Offer(offer) => Some(offer.product.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::fact::OfferFact;
    use crate::domain::product::{Offer, Quote};
    use crate::domain::{Language, Localised};

    fn tray() -> Fact {
        let offer = Offer {
            product: "TRAY".into(),
            sku: "TRAY-1".into(),
            size: None,
            colour: None,
            price: Quote::Missing,
            stock: Vec::new(),
            as_of: Timestamp::UNIX_EPOCH,
        };
        let fact = OfferFact {
            product: "TRAY".into(),
            name: Localised::only(Language::En, "tray"),
            summary: Localised::default(),
            colour: Localised::default(),
            offer,
            places: Vec::new(),
            details: Vec::new(),
        };
        let id = FactId("offer:TRAY-1".to_string());
        Fact { id, body: FactBody::Offer(fact), source: "test".to_string(), as_of: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn nobody_is_pushed_twice() {
        let found = || Found { facts: vec![tray()], accessory: Some(tray().id), ..Found::default() };
        let check = |pushed: &[ProductId], expected: bool| {
            assert_eq!(not_pushed_before(pushed, found()).accessory.is_some(), expected, "{pushed:?}");
        };
        check(&[], true);
        check(&["POT".into()], true);
        check(&["POT".into(), "TRAY".into()], false);
        let said = Outcome { moves: vec![Move::Upsell { fact: tray().id }], facts: vec![tray()], ..Outcome::default() };
        assert_eq!(pushed(&said), [ProductId::from("TRAY")]);
    }
}
