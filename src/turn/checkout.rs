//! From a cart to the question whether to order it: what is missing is asked for, once each.

use jiff::Timestamp;

use crate::domain::cart::{Buyer, CartFact, CartNo, Edit};
use crate::domain::desk::Address;
use crate::domain::identity::Contact;
use crate::domain::order::Order;
use crate::domain::place::PlaceId;
use crate::domain::plan::{Absence, Ask, CartSay, HandoverReason};
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Localised, Move, Slots};
use crate::engine::OrderDesk;
use crate::tasks;

use super::both;
use super::cart::{added, operation, owner, pay, propose, refused, till, visit};
use super::context::{known_word, names_a_thing};
use super::respond::{Outcome, Turn};

/// Answers in a row that lead nowhere, after which a person takes over.
const MOST_FAILED: u8 = 3;

/// Goes as far as can be gone: to the next question, or to the proposal.
pub(super) async fn checkout(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let mut cart = till.show(visit).await?.cart.value;
    if command.slots.order_number.is_none() && names_more(turn, command, &till.show(visit).await?.fact).await {
        // "Order the red toaster to Prague": it goes into the cart first.
        let Slots { product, names, sku, size, colour, quantity, pick, .. } = command.slots.clone();
        let slots = Slots { product, names, sku, size, colour, quantity, pick, ..Slots::default() };
        added(turn, &Command { name: CommandName::CartAdd, slots }, outcome).await?;
        if outcome.in_hand.is_none() {
            return Ok(());
        }
        cart = till.show(visit).await?.cart.value;
    }
    if command.slots.order_number.is_some() || (cart.lines.is_empty() && owner.customer.is_some()) {
        return pay(turn, command, outcome).await;
    }
    if cart.lines.is_empty() {
        return nothing_yet(turn, command, outcome).await;
    }
    let known = known(turn, outcome.now).await?;
    let named = command.slots.town.as_deref().map(PlaceId::from);
    let last = || turn.session.town.as_deref().map(PlaceId::from);
    let Some(place) = named.or(cart.place.clone()).or_else(last).or(known.place) else {
        ask(turn, command, (Ask::Town, outcome));
        return Ok(());
    };
    if cart.place.as_ref() != Some(&place) {
        let edit = Edit::Place { town: place.clone() };
        if let Err(denied) = till.edit(visit, &edit, &operation(turn, &edit)?).await? {
            refused(denied, outcome);
            outcome.say(Move::Human { reason: HandoverReason::Task });
            return Ok(());
        }
    }
    let mut buyer = known.buyer;
    buyer.phone = command.slots.phone.clone().or(buyer.phone);
    buyer.email = command.slots.email.clone().or(buyer.email);
    if buyer.phone.is_none() && buyer.email.is_none() {
        ask(turn, command, (Ask::Contact, outcome));
        return Ok(());
    }
    // An address of another town is not where this goes.
    let here = turn.app.shop.place_name(&place);
    buyer.address = address(turn, &here).or(buyer.address.filter(|known| lies_in(known, &here)));
    if buyer.address.is_none() {
        ask(turn, command, (Ask::Destination, outcome));
        return Ok(());
    }
    propose(till.propose(visit, buyer).await?, CartSay::Proposal, outcome);
    Ok(())
}

/// True where goods are named that do not lie in the cart yet.
async fn names_more(turn: &Turn<'_>, command: &Command, cart: &CartFact) -> bool {
    let lines: Vec<_> = cart.lines.iter().map(|line| (line.sku.clone(), line.name.clone())).collect();
    let lies = |words: &str| !tasks::named_in(words, &lines).is_empty();
    match (&command.slots.sku, &command.slots.product) {
        (Some(sku), _) => !cart.lines.iter().any(|line| line.sku.0 == *sku || line.offer.product.0 == *sku),
        (None, Some(words)) => {
            !lies(words)
                && known_word(turn.app, turn.screened, words).await
                && names_a_thing(turn.app, turn.screened, words).await
        }
        (None, None) => false,
    }
}

/// An empty cart: who has products before them and says that they order means one of those.
async fn nothing_yet(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<()> {
    if let Some(lines) = both::of_the_sum(turn, command) {
        // "Let's order" after a sum: what it was of is shown in the cart first.
        return both::put_all(turn, lines, outcome).await;
    }
    if turn.session.focus.is_empty() || !turn.session.shows(&command.slots) {
        outcome.say(Move::CartNo { why: CartNo::Empty });
        return Ok(());
    }
    let slots = Slots { product: None, sku: None, ..command.slots.clone() };
    added(turn, &Command { name: CommandName::CartAdd, slots }, outcome).await
}

/// What the shop knows of a customer it has checked.
#[derive(Default)]
struct Known {
    buyer: Buyer,
    place: Option<PlaceId>,
}

async fn known(turn: &Turn<'_>, now: Timestamp) -> anyhow::Result<Known> {
    let login = &turn.session.login;
    let Some(customer) = &turn.session.customer else {
        let proved = login.contact(now).cloned();
        let (phone, email) = match proved {
            Some(Contact::Phone(phone)) => (Some(phone), None),
            Some(Contact::Email(email)) => (None, Some(email)),
            None => (None, None),
        };
        return Ok(Known { buyer: Buyer { phone, email, ..Buyer::default() }, place: None });
    };
    let latest: Option<Order> = turn.app.orders.of_customer(customer).await?.into_iter().next();
    let own = turn.app.state.customer(customer).await?.value;
    let said = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
    Ok(match latest {
        Some(order) => Known {
            place: Some(order.place.clone()),
            buyer: Buyer {
                phone: said(&order.phone),
                email: said(&order.email),
                address: own.address.or(order.address),
                name: order.name,
            },
        },
        None => Known {
            buyer: Buyer {
                phone: login.phone.clone(),
                email: login.email.clone(),
                address: own.address,
                ..Buyer::default()
            },
            place: None,
        },
    })
}

/// The address in the message, when it was asked for.
fn address(turn: &Turn<'_>, town: &Localised) -> Option<Address> {
    let asked = turn.session.pending.as_ref().is_some_and(|pending| pending.asked == Ask::Destination);
    tasks::address_in(&turn.screened.private, town).filter(|_| asked)
}

fn lies_in(address: &Address, town: &Localised) -> bool {
    town.all().any(|(_, name)| name.to_lowercase() == address.city.trim().to_lowercase())
}

/// Asks, for the first time or once more; in the end a person does.
fn ask(turn: &Turn<'_>, command: &Command, (what, outcome): (Ask, &mut Outcome)) {
    let again =
        turn.session.pending.as_ref().filter(|pending| pending.asked == what && pending.command.name == command.name);
    let failed = again.map_or(0, |pending| pending.failed.saturating_add(1));
    if failed >= MOST_FAILED {
        outcome.say(Move::NotFound { why: Absence::NoDelivery });
        outcome.say(Move::Human { reason: HandoverReason::Task });
        return;
    }
    outcome.say(Move::Ask { what });
    outcome.pending = Some(Pending { command: command.clone(), asked: what, failed });
}
