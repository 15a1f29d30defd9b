//! "How much are the boots and the socks together?": what is named, or the few things spoken of, in one sum. It is worked out as a cart
//! is, so the guard works it out again; nothing is put into a cart for it.

use crate::domain::cart::{Cart, Held};
use crate::domain::found::Candidate;
use crate::domain::place::PlaceId;
use crate::domain::plan::CartSay;
use crate::domain::session::Summand;
use crate::domain::{Command, CommandName, ProductId, Screened, Sku, Slots};

use super::cart::{Chosen, corrected as corrected_in_cart, owner, takes_out, till, variant, visit};
use super::context::names_a_thing;
use super::quote::{of_one_price, tell};
use super::respond::{Outcome, Turn, sought};
use super::shown;

/// So many things spoken of may be meant by "together"; more are a list.
const MOST: usize = 3;

/// How sure it must be what is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sureness {
    /// Which variant does not matter where all cost the same: for a sum.
    OfOnePrice,
    /// One variant: for a cart.
    OneVariant,
}

/// Answers the question, if it is asked; the commands that are still to be answered.
pub(super) async fn summed(turn: &Turn<'_>, commands: Vec<Command>, outcome: &mut Outcome) -> Vec<Command> {
    use CommandName as C;
    let (text, words) = (&turn.screened.text, &turn.app.cart_words);
    let (together, delivery) = (words.together(text), words.with_delivery(text));
    let prices = commands.iter().any(|command| command.name == C::Price);
    let several = things(turn, &commands).len() > 1;
    let alone = !delivery && (together || prices && counted(turn));
    // "I'll take the teapot and the tea, what does that come to with shipping to Prague?" asks for one sum, whatever it was taken for.
    let asks = words.sum(text) || (together || delivery) && text.contains(['?', '？']);
    let names = |command: &Command| command.slots.product.is_some() || command.slots.sku.is_some();
    // "Actually make it just one lamp": the sum told last is worked out anew.
    let anew =
        !turn.session.summed.is_empty() && commands.iter().any(|command| command.name == C::Correct && names(command));
    // "And with the socks, what would that be?" adds to what is spoken of.
    let adds = words.adds(text)
        && (together || words.sum(text))
        && commands.iter().any(|command| (part(command) || command.name == C::Stock) && names(command));
    let of_prices = |command: &Command| {
        matches!(command.name, C::Price | C::FindProduct | C::Compare | C::OutOfScope)
            || anew && command.name == C::Correct
            || (several || adds) && asks && command.name == C::Stock
    };
    let asked = alone && commands.iter().all(of_prices) || several && asks || anew || adds;
    // "With the coupon, what is the total?", "take the lamp out, what is it now?" change the cart.
    if !asked || turn.session.pending.is_some() || of_cart(turn, &commands).await {
        return commands;
    }
    let parts: Vec<Command> = commands.iter().filter(|command| part(command) || of_prices(command)).cloned().collect();
    match worked_out(turn, (&parts, delivery, anew), outcome).await {
        Ok(Some(say)) => {
            let sent = say == CartSay::WithDelivery;
            // What the sum is of goes into the cart when that is said; "put both in", "let's order" say it next.
            let waits = |command: &Command| command.name == C::CartAdd && !words.says_cart(text);
            let told =
                |command: &Command| of_prices(command) || waits(command) || sent && command.name == C::DeliveryInfo;
            commands.into_iter().filter(|command| !told(command)).collect()
        }
        Ok(None) => commands,
        Err(error) => {
            // What each of them costs is still told.
            tracing::error!(error = format!("{error:#}"), "a sum could not be worked out");
            commands
        }
    }
}

/// True when the message changes the cart or looks into it, in words of the cart.
async fn of_cart(turn: &Turn<'_>, commands: &[Command]) -> bool {
    let (app, session, screened) = (turn.app, turn.session, turn.screened);
    commands.iter().any(|command| command.name == CommandName::CartAdd)
        && (app.cart_words.read(&screened.text).is_some()
            || corrected_in_cart(app, session, screened).is_some()
            || takes_out(app, session, screened).await)
}

/// True for a command that may name what the sum is of.
fn part(command: &Command) -> bool {
    use CommandName as C;
    matches!(command.name, C::Price | C::FindProduct | C::Compare | C::OutOfScope | C::CartAdd | C::DeliveryInfo)
}

/// True for "how much are 6 plates and 4 bowls": of several things so many.
fn counted(turn: &Turn<'_>) -> bool {
    let things = turn.app.understander.apart(turn.screened);
    things.len() > 1 && things.iter().any(|thing| thing.quantity.is_some_and(|quantity| quantity > 1))
}

/// Tells the sum, and how; nothing when it is not clear what of, or no delivery can be reckoned that was asked for.
async fn worked_out(
    turn: &Turn<'_>,
    (commands, delivery, anew): (&[Command], bool, bool),
    outcome: &mut Outcome,
) -> anyhow::Result<Option<CartSay>> {
    let said = turn.app.understander.slots(turn.screened);
    let named = commands.iter().any(|command| command.slots.product.is_some() || command.slots.sku.is_some());
    let each = said.quantity.unwrap_or(1).max(1);
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let own = till.show(visit).await?.cart.value;
    let adds = turn.app.cart_words.adds(&turn.screened.text);
    let things = named_once(turn, commands).await;
    let lines = match (named, things.as_slice()) {
        (true, things) if anew => put_right(turn, things, outcome).await,
        (true, things) if adds && (things.len() == 1 || !turn.session.summed.is_empty()) => {
            beside(turn, (things, &own), outcome).await
        }
        (true, things) if things.len() > 1 => summands(turn, (things, Sureness::OfOnePrice), outcome).await,
        (true, _) => return Ok(None),
        (false, _) if !own.lines.is_empty() && said.pick.is_none() && said.quantity.is_none() => lying(&own),
        (false, _) => {
            let shown = turn.session.pointed(&said);
            let both = turn.session.spoken_last(shown);
            if !(2..=MOST).contains(&both.len()) {
                return Ok(None);
            }
            let told = turn.session.last.as_ref().map(|last| last.slots.clone()).unwrap_or_default();
            // Of one thing shown after another each has a size of its own.
            let told = if both.len() == shown.len() { told } else { Slots::default() };
            let (size, colour) = (said.size.clone().or(told.size), said.colour.clone().or(told.colour));
            let like = Slots { size, colour, ..Slots::default() };
            of_shown(turn, (&both, &like), each, outcome).await
        }
    };
    if lines.len() < 2 && named && !anew || lines.is_empty() {
        return Ok(None);
    }
    let mut lines = lines;
    for line in &mut lines {
        line.in_cart |= own.lines.iter().any(|held| held.sku == line.held.sku);
    }
    let mut focus: Vec<ProductId> = lines.iter().map(|line| line.held.product.clone()).collect();
    focus.dedup();
    let town = commands.iter().find_map(|command| command.slots.town.clone()).or(said.town);
    let town_now = town.is_some();
    let known = turn.session.town.clone().filter(|_| delivery);
    let place = town.or(known).map(|town| PlaceId::from(town.as_str()));
    let sent = delivery || town_now || commands.iter().any(|command| command.name == CommandName::DeliveryInfo);
    let place = place.filter(|_| sent);
    let held: Vec<Held> = lines.iter().map(|line| line.held.clone()).collect();
    // What lies in the cart keeps its coupon.
    let coupon = own.coupon.filter(|_| lines.iter().any(|line| line.in_cart));
    let cart = Cart { lines: held, place, coupon, ..Cart::default() };
    let priced = till.quote(&cart, visit.currency).await?;
    if priced.sums.is_none() || delivery && priced.delivery.is_none() {
        // Where to is asked for, or told that nothing goes there.
        return Ok(None);
    }
    outcome.focus.extend(focus);
    outcome.summed = lines;
    outcome.town = cart.place.as_ref().map(ToString::to_string).or(outcome.town.take());
    let say = if priced.delivery.is_some() { CartSay::WithDelivery } else { CartSay::Today };
    tell(priced, say, outcome);
    Ok(Some(say))
}

/// The things that are named, each once: "I'll add the tea, what is that in all?" may name it in two commands, and "what would it come to with the
/// socks" names one thing.
async fn named_once(turn: &Turn<'_>, commands: &[Command]) -> Vec<Slots> {
    let mut own: Vec<Slots> = Vec::new();
    let all = things(turn, commands);
    let alone = all.len() < 2;
    for thing in all {
        let name = |slots: &Slots| {
            let words = slots.product.as_ref().map(|words| words.to_lowercase());
            (words, slots.sku.clone(), slots.size.clone(), slots.colour.clone())
        };
        let known = own.iter().any(|other| name(other) == name(&thing));
        if !known && (alone || is_thing(turn, &thing).await) {
            own.push(thing);
        }
    }
    own
}

/// What lies in a cart.
fn lying(cart: &Cart) -> Vec<Summand> {
    cart.lines.iter().map(|held| Summand { held: held.clone(), chosen: true, in_cart: true }).collect()
}

/// The last sum with what is named now in the place of what it had of that; none at all where one of the things is not clear, or was no part of
/// it.
async fn put_right(turn: &Turn<'_>, things: &[Slots], outcome: &mut Outcome) -> Vec<Summand> {
    let mut all = turn.session.summed.clone();
    let lines = summands(turn, (things, Sureness::OfOnePrice), outcome).await;
    if lines.is_empty() {
        return lines;
    }
    for line in lines {
        let same = |known: &Summand| known.held.sku == line.held.sku;
        let alike = |known: &Summand| known.held.product == line.held.product;
        let at = all.iter().position(same).or_else(|| all.iter().position(alike));
        let Some(known) = at.and_then(|at| all.get_mut(at)) else { return Vec::new() };
        // "Make it two boots" means those in the size that was chosen before.
        *known = if line.chosen { line } else { known.clone().of(line.held.quantity) };
    }
    all
}

/// Things with what they are added to: the last sum, what was spoken of before, or the cart; none at all where one of them is not clear.
async fn beside(turn: &Turn<'_>, (things, cart): (&[Slots], &Cart), outcome: &mut Outcome) -> Vec<Summand> {
    let added = summands(turn, (things, Sureness::OfOnePrice), outcome).await;
    let Some(first) = added.first() else { return added };
    let mut all = turn.session.summed.clone();
    let again = |line: &Summand| all.iter().any(|known| known.held.product == line.held.product);
    if added.len() > 1 && added.iter().all(again) {
        // The same things once more, with their delivery.
        return added;
    }
    if all.is_empty() {
        let spoken = turn.session.spoken_last(std::slice::from_ref(&first.held.product));
        let lies = |product: &ProductId| cart.lines.iter().any(|line| line.product == *product);
        let fresh = |product: &ProductId| *product != first.held.product && !lies(product);
        let spoken: Vec<ProductId> = spoken.into_iter().filter(fresh).collect();
        all = of_shown(turn, (&spoken, &Slots::default()), 1, outcome).await;
    }
    if all.is_empty() {
        all = lying(cart);
    }
    if all.is_empty() {
        return all;
    }
    for line in added {
        match all.iter_mut().find(|known| known.held.sku == line.held.sku) {
            Some(known) => known.held.quantity = known.held.quantity.saturating_add(line.held.quantity),
            None => all.push(line),
        }
    }
    all
}

/// What is named, each by itself with what is said of it: by the commands where the message fell into several, else by its parts.
fn things(turn: &Turn<'_>, commands: &[Command]) -> Vec<Slots> {
    let parts = turn.app.understander.apart(turn.screened);
    if parts.len() > 1 {
        return parts;
    }
    let named = |slots: &&Slots| (slots.product.is_some() || slots.sku.is_some()) && slots.names.len() < 2;
    let own = commands.iter().map(|command| &command.slots).filter(named);
    own.map(|Slots { product, sku, size, colour, quantity, .. }| Slots {
        product: product.clone(),
        sku: sku.clone(),
        size: size.clone(),
        colour: colour.clone(),
        quantity: *quantity,
        ..Slots::default()
    })
    .collect()
}

/// A line for each; none at all where one of them is not clear.
pub(super) async fn of_things(turn: &Turn<'_>, things: (&[Slots], Sureness), outcome: &mut Outcome) -> Vec<Held> {
    summands(turn, things, outcome).await.into_iter().map(|line| line.held).collect()
}

/// The same, and how sure each line is. A size that only one of them has is a condition on that one.
async fn summands(turn: &Turn<'_>, (things, sureness): (&[Slots], Sureness), outcome: &mut Outcome) -> Vec<Summand> {
    let (mut lines, sum): (Vec<Summand>, bool) = (Vec::new(), sureness == Sureness::OfOnePrice);
    for thing in things {
        let quantity = thing.quantity.unwrap_or(1).max(1);
        let alone = Slots { quantity: None, ..thing.clone() };
        let mut line = one(turn, (alone.clone(), sureness), outcome).await;
        if line.is_none() && alone.size.is_some() && sureness == Sureness::OfOnePrice {
            line = one(turn, (Slots { size: None, ..alone.clone() }, sureness), outcome).await;
        }
        match line {
            // "How much is it, and is it in stock?" names it twice.
            Some(line)
                if thing.quantity.is_none()
                    && sum
                    && lines.iter().any(|known: &Summand| known.held.sku == line.held.sku) => {}
            Some(line) => lines.push(line.of(quantity)),
            // "What would that come to" stands beside the things and is none.
            None if sum && !is_thing(turn, thing).await => {}
            None => return Vec::new(),
        }
    }
    lines
}

/// True when what is named is a thing, be it one that the shop does not sell.
async fn is_thing(turn: &Turn<'_>, thing: &Slots) -> bool {
    match &thing.product {
        Some(words) => thing.sku.is_some() || names_a_thing(turn.app, turn.screened, words).await,
        None => true,
    }
}

async fn of_shown(
    turn: &Turn<'_>,
    (shown, like): (&[ProductId], &Slots),
    quantity: u32,
    outcome: &mut Outcome,
) -> Vec<Summand> {
    let mut lines = Vec::new();
    for product in shown {
        let slots = Slots { sku: Some(product.0.clone()), ..like.clone() };
        let Some(line) = one(turn, (slots, Sureness::OfOnePrice), outcome).await else { return Vec::new() };
        lines.push(line.of(quantity));
    }
    lines
}

/// The one thing that slots mean, where its price is clear.
async fn one(turn: &Turn<'_>, (slots, sureness): (Slots, Sureness), outcome: &mut Outcome) -> Option<Summand> {
    // The whole message names the others, too.
    let name = slots.product.clone().or_else(|| slots.sku.clone()).unwrap_or_default();
    let alone = Screened { text: name.clone(), private: name, pii: Vec::new(), ..turn.screened.clone() };
    let alone = Turn { screened: &alone, ..*turn };
    // "This pan, the pot and the knife" of those just shown.
    let shown = match (&slots.product, &slots.sku) {
        (Some(words), None) => shown::named(turn.app, turn.session, words).await,
        _ => None,
    };
    let slots = match shown {
        Some(id) => Slots { product: None, sku: Some(id.0), ..slots },
        None => slots,
    };
    let told = slots.clone();
    let found = sought(&alone, &Command { name: CommandName::Price, slots }, outcome).await;
    let candidates = found.likeliest();
    // "The sneakers and the socks": those that were spoken of, though the shop has others.
    let spoken = candidates.iter().filter(|one| turn.session.remembered(&one.product.id).is_some());
    let spoken: Vec<&Candidate> = spoken.collect();
    let candidate = match (candidates, spoken.as_slice()) {
        ([only], _) => only,
        (_, [only]) => *only,
        _ => return None,
    };
    // Not a word of it stands in the name: it is only what lies nearest.
    if found.sure == 0 && candidate.covers <= 0.0 {
        return None;
    }
    let held = |sku: Sku, chosen: bool| Summand {
        held: Held { sku, product: candidate.product.id.clone(), quantity: 1 },
        chosen,
        in_cart: false,
    };
    if let Chosen::One(sku) = variant(candidate, &found.facts) {
        return Some(held(sku, true));
    }
    if let Some(sku) = as_chosen(turn, (&alone, &told), &candidate.product.id, outcome).await {
        return Some(held(sku, true));
    }
    match sureness {
        Sureness::OfOnePrice => Some(held(of_one_price(turn, candidate, &found.facts)?, false)),
        Sureness::OneVariant => None,
    }
}

/// The variant of a product in the size and colour in which it was spoken of.
async fn as_chosen(
    turn: &Turn<'_>,
    (alone, said): (&Turn<'_>, &Slots),
    product: &ProductId,
    outcome: &mut Outcome,
) -> Option<Sku> {
    let known = turn.session.remembered(product)?;
    let size = said.size.clone().or_else(|| known.size.clone());
    let colour = said.colour.clone().or_else(|| known.colour.clone());
    if (&size, &colour) == (&said.size, &said.colour) {
        return None;
    }
    let slots = Slots { sku: Some(product.0.clone()), size, colour, ..Slots::default() };
    let found = sought(alone, &Command { name: CommandName::Price, slots }, outcome).await;
    let [candidate] = &found.candidates[..] else { return None };
    match variant(candidate, &found.facts) {
        Chosen::One(sku) => Some(sku),
        _ => None,
    }
}
