//! "How much is it with delivery?": the thing spoken of, or the cart, and the delivery to the shopper's town in one sum. It is worked
//! out as a cart is, so the guard works it out again; nothing is put into a cart for it.

use crate::domain::cart::{Cart, CartFact, Held};
use crate::domain::found::Candidate;
use crate::domain::place::PlaceId;
use crate::domain::plan::{Absence, Ask, CartSay, HandoverReason};
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move, ProductId, Sku, Slots};
use crate::understanding::CartAsk;

use super::cart::{Chosen, owner, till, variant, visit};
use super::context::still_as_told;
use super::respond::{Outcome, Turn, sought};

/// Marks a question that waits for the town.
const TOPIC: &str = "with_delivery";

/// Answers the question, if it is asked; the commands that are still to be answered.
pub(super) async fn taken(turn: &Turn<'_>, commands: Vec<Command>, outcome: &mut Outcome) -> Vec<Command> {
    let waited = waited(turn);
    if waited.is_none() && !turn.app.cart_words.with_delivery(&turn.screened.text) {
        return commands;
    }
    // Words of the cart carry no slots: the town is looked for in the message itself.
    let said = || turn.app.understander.slots(turn.screened).town;
    let named = commands.iter().find_map(|command| command.slots.town.clone()).or_else(said);
    let (about, rest): (Vec<Command>, Vec<Command>) = commands.into_iter().partition(|command| is_about(turn, command));
    // The town alone answers the question of before.
    let question = waited.filter(|_| named.is_some()).or(about
        .iter()
        .max_by_key(|command| (says_what(command), command.slots.quantity, command.slots.colour.is_some())));
    let Some(question) = question.cloned() else { return [about, rest].concat() };
    match quoted(turn, (&question, named), outcome).await {
        Ok(true) => rest,
        Ok(false) => [about, rest].concat(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a price with its delivery could not be worked out");
            outcome.say(Move::NotFound { why: Absence::SourceDown });
            outcome.say(Move::Human { reason: HandoverReason::Failure });
            rest
        }
    }
}

/// The question that waits for its town.
fn waited<'a>(turn: &Turn<'a>) -> Option<&'a Command> {
    let pending = turn.session.pending.as_ref().filter(|pending| pending.asked == Ask::Town)?;
    Some(&pending.command).filter(|command| command.slots.topic.as_deref() == Some(TOPIC))
}

fn is_about(turn: &Turn<'_>, command: &Command) -> bool {
    let shows = || turn.app.cart_words.read(&turn.screened.text) == Some(CartAsk::Show);
    match command.name {
        // Whatever else it was taken for: the words say that a sum is wanted.
        CommandName::Price | CommandName::DeliveryInfo | CommandName::FindProduct | CommandName::Policy => true,
        CommandName::CartAdd => shows(),
        _ => false,
    }
}

fn says_what(command: &Command) -> bool {
    command.slots.product.is_some() || command.slots.sku.is_some()
}

/// Tells the sum, or asks for the town; false when it is not one thing that is meant.
async fn quoted(
    turn: &Turn<'_>,
    (question, named): (&Command, Option<String>),
    outcome: &mut Outcome,
) -> anyhow::Result<bool> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let own = till.show(visit).await?.cart.value;
    let Some(mut cart) = meant(turn, (question, own), outcome).await? else { return Ok(false) };
    let town = named.or(turn.session.town.clone()).map(|town| PlaceId::from(town.as_str()));
    cart.place = town.or(cart.place);
    if cart.place.is_none() {
        let mut command = question.clone();
        command.slots.topic = Some(TOPIC.to_string());
        outcome.say(Move::Ask { what: Ask::Town });
        outcome.pending = Some(Pending { command, asked: Ask::Town, failed: 0 });
        return Ok(true);
    }
    outcome.town = cart.place.as_ref().map(ToString::to_string);
    let priced = till.quote(&cart, visit.currency).await?;
    if priced.delivery.is_none() {
        outcome.say(Move::NotFound { why: Absence::NoDelivery });
        return Ok(true);
    }
    tell(priced, CartSay::WithDelivery, outcome);
    Ok(true)
}

/// Says a sum that nobody's cart stands for.
pub(super) fn tell(cart: CartFact, say: CartSay, outcome: &mut Outcome) {
    let as_of = cart.lines.iter().map(|line| line.offer.as_of).min().unwrap_or(outcome.now);
    let id = FactId("cart:quote".to_string());
    outcome.say(Move::Cart { fact: id.clone(), say });
    let source = "cart@quote".to_string();
    outcome.learn(vec![Fact { id, body: FactBody::Cart(Box::new(cart)), source, as_of }]);
}

/// The one thing that is named or spoken of, else what lies in the cart.
async fn meant(
    turn: &Turn<'_>,
    (question, own): (&Command, Cart),
    outcome: &mut Outcome,
) -> anyhow::Result<Option<Cart>> {
    let [spoken] = turn.session.focus.as_slice() else {
        return if says_what(question) { product(turn, question, outcome).await } else { Ok(filled(own)) };
    };
    let lies_there = own.lines.iter().any(|line| line.product == *spoken);
    let of_cart = !says_what(question) && (lies_there || question.name == CommandName::CartAdd);
    if of_cart { Ok(filled(own)) } else { product(turn, question, outcome).await }
}

fn filled(cart: Cart) -> Option<Cart> {
    Some(cart).filter(|cart| !cart.lines.is_empty())
}

/// A cart of what is named, where that is one variant.
async fn product(turn: &Turn<'_>, question: &Command, outcome: &mut Outcome) -> anyhow::Result<Option<Cart>> {
    // The words of a question about the delivery name no product; what was spoken of does.
    // Where it goes is not where it must lie in a store.
    let mut command = Command { name: CommandName::Price, slots: Slots { town: None, ..question.slots.clone() } };
    still_as_told(turn.session, &mut command);
    let found = sought(turn, &command, outcome).await;
    let candidates = found.likeliest();
    let [candidate] = candidates else { return Ok(None) };
    let sku = match variant(candidate, &found.facts) {
        Chosen::One(sku) => sku,
        _ => match of_one_price(turn, candidate, &found.facts) {
            Some(sku) => sku,
            None => return Ok(None),
        },
    };
    let product: ProductId = candidate.product.id.clone();
    outcome.focus.push(product.clone());
    outcome.learn(found.facts.clone());
    let quantity = question.slots.quantity.unwrap_or(1).max(1);
    Ok(Some(Cart { lines: vec![Held { sku, product, quantity }], ..Cart::default() }))
}

/// The variant whose colour is named; any that can be had where all of them cost the same.
pub(super) fn of_one_price(turn: &Turn<'_>, candidate: &Candidate, facts: &[Fact]) -> Option<Sku> {
    let offers = candidate.matching.iter().filter_map(|id| match &facts.iter().find(|fact| fact.id == *id)?.body {
        FactBody::Offer(offer) if offer.offer.in_stock() != Some(0) => Some(offer),
        _ => None,
    });
    let offers: Vec<_> = offers.collect();
    let colours: Vec<_> = offers.iter().map(|offer| (offer.offer.sku.clone(), offer.colour.clone())).collect();
    if let [sku] = crate::tasks::named_in(&turn.screened.text, &colours).as_slice() {
        return Some(sku.clone());
    }
    let first = offers.first()?.offer.price.now()?;
    let same = offers.iter().all(|offer| offer.offer.price.now() == Some(first));
    same.then(|| offers[0].offer.sku.clone())
}
