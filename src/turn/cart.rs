//! The cart in a turn: which messages are its business, and what the till's answer becomes in the reply.

use sha2::{Digest, Sha256};

use crate::domain::cart::{CartFact, CartNo, Checkout, CheckoutState, CheckoutTalk, Edit, Owner};
use crate::domain::command::Pick;
use crate::domain::desk::Shown;
use crate::domain::found::{Candidate, Found};
use crate::domain::plan::{Absence, Ask, CartSay, Courtesy, HandoverReason};
use crate::domain::session::{Pending, Session};
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move, Screened, Sku, Slots};
use crate::tasks::cart::{Cashier, Denied, Priced, Till, Visit, fact};
use crate::understanding::{Answer, CartAsk};

use super::App;
use super::both;
use super::desk;
use super::known;
use super::respond::{Outcome, Turn, points_nowhere, sought};
use super::swap;

/// Answers a command, if it is about the cart or its order.
pub(super) async fn cart(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> bool {
    let answer = answered(turn, command);
    let done = match (answer, command.name) {
        (Some(answer), _) => answer_to_proposal(turn, answer, outcome).await,
        (None, CommandName::CartAdd) => {
            let corrected = || corrected(turn.app, turn.session, turn.screened);
            match turn.app.cart_words.read(&turn.screened.text).or_else(corrected) {
                Some(ask) => changed(turn, ask, outcome).await,
                None if takes_out(turn.app, turn.session, turn.screened).await => {
                    changed(turn, CartAsk::Remove, outcome).await
                }
                None if let Some(like) = swap::wanted(turn.app, turn.session, turn.screened) => {
                    swap::swap(turn, like, outcome).await
                }
                None => added(turn, command, outcome).await,
            }
        }
        (None, CommandName::Checkout) => super::checkout::checkout(turn, command, outcome).await,
        _ => return false,
    };
    if let Err(error) = done {
        tracing::error!(error = format!("{error:#}"), "the till could not answer");
        outcome.say(Move::NotFound { why: Absence::SourceDown });
        outcome.say(Move::Human { reason: HandoverReason::Failure });
    }
    true
}

/// What is meant with the thing that was put in just now; nothing while a question of another kind is open.
pub(super) fn corrected(app: &App, session: &Session, screened: &Screened) -> Option<CartAsk> {
    let free = session.in_hand.is_some() && session.pending.is_none() && session.talk.is_none();
    app.cart_words.corrected(&screened.text).filter(|_| free)
}

/// True for "remove the kettle" where a kettle lies in the cart; anywhere else it may be about an order.
pub(super) async fn takes_out(app: &App, session: &Session, screened: &Screened) -> bool {
    if !app.cart_words.removes(&screened.text) || session.talk.is_some() {
        return false;
    }
    let owner = Owner { customer: session.customer.clone(), session: Some(session.id) };
    let till =
        Till { book: &app.state, catalog: &*app.catalog, terms: &app.shop, rules: &app.cart_rules, now: app.now() };
    let language = screened.language;
    let visit = Visit { owner: &owner, currency: app.config.shop.currency_of(language), language };
    // A cart that cannot be read is told of where it is asked for.
    let Ok(priced) = till.show(visit).await else { return false };
    let lines: Vec<_> = priced.fact.lines.iter().map(|line| (line.sku.clone(), line.name.clone())).collect();
    !crate::tasks::named_in(&screened.text, &lines).is_empty()
}

/// True when the reply tells of the cart itself, and not only what things come to.
pub(super) fn changed_or_shown(moves: &[Move]) -> bool {
    use CartSay::{Today, WithDelivery};
    moves.iter().any(|step| matches!(step, Move::Cart { say, .. } if !matches!(say, Today | WithDelivery)))
}

/// True when the reply asks whether to place what it shows.
pub(super) fn asks(moves: &[Move]) -> bool {
    use CartSay::{Expired, Proposal, Renewed, Unclear};
    moves.iter().any(|step| matches!(step, Move::Cart { say: Proposal | Renewed | Expired | Unclear, .. }))
}

pub(super) fn till<'a>(turn: &Turn<'a>, outcome: &Outcome) -> Till<'a> {
    let app = turn.app;
    Till { book: &app.state, catalog: &*app.catalog, terms: &app.shop, rules: &app.cart_rules, now: outcome.now }
}

pub(super) fn owner(turn: &Turn<'_>) -> Owner {
    Owner { customer: turn.session.customer.clone(), session: Some(turn.session.id) }
}

pub(super) fn visit<'a>(turn: &Turn<'_>, owner: &'a Owner) -> Visit<'a> {
    let language = turn.screened.language;
    Visit { owner, currency: turn.app.config.shop.currency_of(language), language }
}

/// Says something of a cart.
pub(super) fn tell(outcome: &mut Outcome, fact: Fact, say: CartSay) {
    outcome.say(Move::Cart { fact: fact.id.clone(), say });
    outcome.learn(vec![fact]);
}

/// What stands for this very change in this very turn: a message that comes again changes nothing twice. Where its sender names it, that
/// holds for a conversation that was never recorded too.
pub(super) fn operation(turn: &Turn<'_>, edit: &Edit) -> anyhow::Result<String> {
    let told = match &turn.visitor.operation {
        Some(request) => serde_json::to_string(&(request, edit))?,
        None => serde_json::to_string(&(turn.session.id, turn.session.turns, edit))?,
    };
    Ok(hex::encode(Sha256::digest(told)))
}

fn answered(turn: &Turn<'_>, command: &Command) -> Option<Answer> {
    let talk = turn.session.checkout.as_ref()?;
    match (turn.app.answers.order(&turn.screened.text), command.name) {
        (Some(Answer::Yes), _) if talk.open => Some(Answer::Yes),
        (Some(Answer::No), _) | (None, CommandName::Deny) => Some(Answer::No),
        (Some(_), _) | (None, CommandName::Confirm) => Some(Answer::Unclear),
        (None, _) => None,
    }
}

async fn answer_to_proposal(turn: &Turn<'_>, answer: Answer, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Some(CheckoutTalk { shown: Shown { task, token }, .. }) = turn.session.checkout.clone() else { return Ok(()) };
    let till = till(turn, outcome);
    outcome.checkout = None;
    let ended = match answer {
        Answer::Yes => till.confirm(&task, &token).await?,
        Answer::No => till.withdraw(&task, &token).await?,
        Answer::Unclear => {
            let Some(open) = till.book.checkout(&task).await? else { return Ok(()) };
            if till.show(visit(turn, &owner(turn))).await?.cart.version != open.cart_version {
                // What was shown is no longer what would be ordered.
                return renewed(turn, open, (CartSay::Renewed, outcome)).await;
            }
            outcome.checkout.clone_from(&turn.session.checkout);
            tell(outcome, fact(open.shown, open.cart_version, outcome.now), CartSay::Unclear);
            return Ok(());
        }
    };
    let Ok(ended) = ended else {
        outcome.say(Move::Smalltalk { kind: Courtesy::Denied });
        return Ok(());
    };
    match (ended.state, ended.refusal) {
        (CheckoutState::Placed, _) => placed(turn, ended, outcome).await,
        (CheckoutState::Refused, Some(CartNo::Changed)) => renewed(turn, ended, (CartSay::Renewed, outcome)).await,
        (CheckoutState::Refused, Some(CartNo::Expired)) => renewed(turn, ended, (CartSay::Expired, outcome)).await,
        _ => {
            tell(outcome, fact(ended.shown, ended.cart_version, outcome.now), CartSay::Withdrawn);
            Ok(())
        }
    }
}

/// The order as it was read back, and where it is paid.
async fn placed(turn: &Turn<'_>, checkout: Checkout, outcome: &mut Outcome) -> anyhow::Result<()> {
    let till = till(turn, outcome);
    let Some(number) = checkout.order.clone() else { anyhow::bail!("a placed checkout has no order") };
    let order = till.book.placed(&number).await?;
    let order = order.ok_or_else(|| anyhow::anyhow!("order {number} is gone"))?;
    let cashier = Cashier { book: &turn.app.state, links: &*turn.app.payments, now: outcome.now };
    let link = cashier.link(&order).await;
    let version = checkout.cart_version;
    let mut shown = CartFact { order: Some(number), ..checkout.shown };
    match link {
        Ok(link) => shown.link = Some(link.url),
        Err(error) => {
            // The order stands; only its link is late, and a person sends it.
            tracing::error!(error = format!("{error:#}"), "a payment link could not be made");
            outcome.say(Move::Human { reason: HandoverReason::Task });
        }
    }
    let told = fact(shown, version, outcome.now);
    outcome.moves.insert(0, Move::Cart { fact: told.id.clone(), say: CartSay::Placed });
    outcome.learn(vec![told]);
    Ok(())
}

async fn renewed(turn: &Turn<'_>, ended: Checkout, (say, outcome): (CartSay, &mut Outcome)) -> anyhow::Result<()> {
    let owner = owner(turn);
    let proposed = till(turn, outcome).propose(visit(turn, &owner), ended.buyer).await?;
    propose(proposed, say, outcome);
    Ok(())
}

/// Shows a proposal, or why there is none.
pub(super) fn propose(proposed: Result<Checkout, Denied>, say: CartSay, outcome: &mut Outcome) {
    match proposed {
        Ok(open) => {
            let shown = Shown { task: open.id.clone(), token: open.token.clone() };
            outcome.checkout = Some(CheckoutTalk { shown, open: false, at: outcome.now });
            tell(outcome, fact(open.shown, open.cart_version, outcome.now), say);
        }
        Err(denied) => refused(denied, outcome),
    }
}

pub(super) fn refused(denied: Denied, outcome: &mut Outcome) {
    outcome.say(Move::CartNo { why: denied.why });
    if denied.why == CartNo::TooMany {
        outcome.say(Move::Human { reason: HandoverReason::Task });
    }
}

/// Says what became of a change.
pub(super) fn take(done: Result<Priced, Denied>, (say, outcome): (CartSay, &mut Outcome)) {
    match done {
        Ok(priced) => {
            let told = priced.into_fact(outcome.now);
            tell(outcome, told, say);
        }
        Err(denied) => refused(denied, outcome),
    }
}

/// Looks into the cart, or changes what lies there.
async fn changed(turn: &Turn<'_>, ask: CartAsk, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let visit = visit(turn, &owner);
    let edit = match ask {
        CartAsk::Show => {
            take(Ok(till.show(visit).await?), (CartSay::Shown, outcome));
            return Ok(());
        }
        CartAsk::Again => return known::again(turn, outcome).await,
        CartAsk::Clear => Edit::Clear,
        CartAsk::Code(code) => Edit::Coupon { code },
        CartAsk::NoCode => Edit::NoCoupon,
        CartAsk::Remove | CartAsk::Set(_) => {
            let priced = till.show(visit).await?;
            let Some(sku) = meant(turn, &priced.fact) else {
                let why = if priced.fact.lines.is_empty() { CartNo::Empty } else { CartNo::NotInCart };
                outcome.say(Move::CartNo { why });
                if why == CartNo::NotInCart {
                    take(Ok(priced), (CartSay::Shown, outcome));
                }
                return Ok(());
            };
            match ask {
                CartAsk::Set(quantity) => Edit::Set { sku, quantity },
                _ => Edit::Remove { sku },
            }
        }
    };
    let done = till.edit(visit, &edit, &operation(turn, &edit)?).await?;
    if let (Edit::Set { sku, .. }, Ok(_)) = (&edit, &done) {
        outcome.in_hand = Some(sku.clone());
    }
    take(done, (CartSay::Changed, outcome));
    Ok(())
}

/// The line a message names: the only one, or the one whose words no other shares; a line of the product spoken of before.
fn meant(turn: &Turn<'_>, cart: &CartFact) -> Option<Sku> {
    let lines: Vec<_> = cart.lines.iter().map(|line| (line.sku.clone(), line.name.clone())).collect();
    let named = crate::tasks::named_in(&turn.screened.text, &lines);
    let in_hand = turn.session.in_hand.clone().filter(|sku| lines.iter().any(|(held, _)| held == sku));
    match (named.as_slice(), cart.lines.as_slice()) {
        ([only], _) => Some(only.clone()),
        ([], _) if in_hand.is_some() => in_hand,
        ([], [only]) => Some(only.sku.clone()),
        ([], lines) => {
            let mut spoken = lines.iter().filter(|line| turn.session.focus.contains(&line.offer.product));
            spoken.next().filter(|_| spoken.next().is_none()).map(|line| line.sku.clone())
        }
        _ => None,
    }
}

/// Puts what is named, or what was spoken of, into the cart.
pub(super) async fn added(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<()> {
    if points_nowhere(turn, command, outcome) {
        return Ok(());
    }
    if let Some(lines) = both::of_the_sum(turn, command) {
        return both::put_all(turn, lines, outcome).await;
    }
    if both::each_variant(turn, command, outcome).await? {
        return Ok(());
    }
    if command.slots.names.len() > 1 && both::each_named(turn, command, outcome).await? {
        return Ok(());
    }
    let command = &as_told(turn.session, command);
    let found = sought(turn, command, outcome).await;
    outcome.learn(found.facts.clone());
    if let Some(why) = found.absence {
        not_so(command, (&found, why), outcome);
        return Ok(());
    }
    let candidates = found.likeliest();
    // Not a word of it stands in a name: a list of what the search came up with would be no answer.
    let unknown = found.sure == 0 && candidates.iter().all(|candidate| candidate.covers <= 0.0);
    if unknown && !turn.session.focus.is_empty() {
        ask(command, Ask::Product, outcome);
        return Ok(());
    }
    if let (Some(Pick::First { .. }), true) = (command.slots.pick, candidates.len() > 1) {
        return both::all_of(turn, command, (candidates, &found.facts), outcome).await;
    }
    let [candidate] = candidates else {
        let shown = candidates.iter().take(turn.app.config.search.offers);
        outcome.focus.extend(shown.clone().map(|candidate| candidate.product.id.clone()));
        outcome.say(Move::Offer { facts: shown.flat_map(|candidate| candidate.matching.clone()).collect() });
        ask(command, Ask::Product, outcome);
        return Ok(());
    };
    outcome.focus.push(candidate.product.id.clone());
    match variant(candidate, &found.facts) {
        Chosen::One(sku) => put(turn, command, (sku, outcome)).await,
        Chosen::SoldOut => {
            outcome.say(Move::Stock { facts: candidate.matching.clone() });
            Ok(())
        }
        Chosen::Ask(what) => {
            outcome.say(Move::Stock { facts: candidate.matching.clone() });
            if what == Ask::Size {
                known::recall(turn, (candidate, &found.facts), outcome).await?;
            }
            let mut command = command.clone();
            // The product is known now, whatever words named it.
            command.slots.sku = Some(candidate.product.id.0.clone());
            ask(&command, what, outcome);
            Ok(())
        }
    }
}

/// The command with the size and colour of the question that led to what it points at: "in 43?", "I'll take them".
fn as_told(session: &Session, command: &Command) -> Command {
    let names = command.slots.product.is_some() || command.slots.sku.is_some();
    let Some(told) = session.last.as_ref().map(|last| &last.slots).filter(|_| !names) else { return command.clone() };
    let size = command.slots.size.clone().or_else(|| told.size.clone());
    let colour = command.slots.colour.clone().or_else(|| told.colour.clone());
    Command { name: command.name, slots: Slots { size, colour, ..command.slots.clone() } }
}

/// Nothing is as it was asked for; of one product the question is which of those that are there it should be.
pub(super) fn not_so(command: &Command, (found, why): (&Found, Absence), outcome: &mut Outcome) {
    let asked = match (&command.slots.colour, &command.slots.size) {
        (Some(_), _) => Some(Ask::Colour),
        (None, size) => size.as_ref().map(|_| Ask::Size),
    };
    let ([only], Some(what)) = (found.near.as_slice(), asked) else {
        outcome.say(Move::NotFound { why });
        return;
    };
    outcome.say(Move::NotFound { why: Absence::NoVariant });
    outcome.say(Move::Stock { facts: only.all.clone() });
    outcome.focus.push(only.product.id.clone());
    let sku = Some(only.product.id.0.clone());
    let slots = Slots { sku, colour: None, size: None, ..command.slots.clone() };
    ask(&Command { name: command.name, slots }, what, outcome);
}

/// Asks for what is missing, and keeps the command for the answer.
pub(super) fn ask(command: &Command, what: Ask, outcome: &mut Outcome) {
    outcome.say(Move::Ask { what });
    outcome.pending = Some(Pending { command: command.clone(), asked: what, failed: 0 });
}

async fn put(turn: &Turn<'_>, command: &Command, (sku, outcome): (Sku, &mut Outcome)) -> anyhow::Result<()> {
    let (owner, till) = (owner(turn), till(turn, outcome));
    let edit = Edit::Add { sku: sku.clone(), quantity: command.slots.quantity.unwrap_or(1).max(1) };
    let done = till.edit(visit(turn, &owner), &edit, &operation(turn, &edit)?).await?;
    outcome.in_hand = done.is_ok().then(|| sku.clone());
    if matches!(&done, Err(denied) if denied.why == CartNo::NotEnough) {
        outcome.say(Move::Stock { facts: vec![FactId(format!("offer:{sku}"))] });
    }
    take(done, (CartSay::Added, outcome));
    Ok(())
}

/// Which variant is meant.
pub(super) enum Chosen {
    One(Sku),
    SoldOut,
    Ask(Ask),
}

/// The variants that can be had: the only one, or what must be asked to tell them apart.
pub(super) fn variant(candidate: &Candidate, facts: &[Fact]) -> Chosen {
    let offers = candidate.matching.iter().filter_map(|id| facts.iter().find(|fact| fact.id == *id));
    let offers = offers.filter_map(|fact| match &fact.body {
        FactBody::Offer(offer) if offer.offer.in_stock() != Some(0) => Some(&offer.offer),
        _ => None,
    });
    let offers: Vec<_> = offers.collect();
    let [first, rest @ ..] = offers.as_slice() else { return Chosen::SoldOut };
    if rest.iter().any(|offer| offer.size != first.size) {
        return Chosen::Ask(Ask::Size);
    }
    if rest.iter().any(|offer| offer.colour != first.colour) {
        return Chosen::Ask(Ask::Colour);
    }
    Chosen::One(first.sku.clone())
}

/// Where an order that waits for its payment is paid.
pub(super) async fn pay(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> anyhow::Result<()> {
    desk::status(turn, command, outcome).await;
    let order = outcome.facts.iter().find_map(|fact| match &fact.body {
        FactBody::Order(order) if order.state == crate::domain::order::OrderState::AwaitingPayment => {
            Some(order.clone())
        }
        _ => None,
    });
    let Some(order) = order else { return Ok(()) };
    let cashier = Cashier { book: &turn.app.state, links: &*turn.app.payments, now: outcome.now };
    let link = cashier.link(&order).await?;
    let paper = CartFact::of_order(order.number.clone(), order.currency, link.url);
    tell(outcome, fact(paper, 0, outcome.now), CartSay::Pay);
    Ok(())
}
