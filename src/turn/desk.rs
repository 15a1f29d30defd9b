//! The order desk in a turn: which messages are its business, and what its answer becomes in the reply.

use jiff::{SignedDuration, Timestamp};

use crate::domain::desk::{Back, Talk, Wish};
use crate::domain::identity::{Contact, Opened};
use crate::domain::order::{OrderState, means_number};
use crate::domain::plan::{Absence, Courtesy, HandoverReason, TaskLine};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Language, Localised, Move, Slots};
use crate::engine::OrderDesk;
use crate::tasks::desk::Desk;
use crate::tasks::talk::{Counter, Said};
use crate::tasks::{self, Door, Identity};
use crate::understanding::Answer;

use super::code;
use super::lacking;
use super::respond::{Outcome, Turn};

/// Answers a command, if it is the desk's business.
pub(super) async fn desk(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> bool {
    let talk = outcome.talk.clone();
    let answer = talk.as_ref().and_then(|talk| answered(turn, command, talk));
    let wish = wish(turn, command);
    if answer.is_none() && wish.is_none() {
        return false;
    }
    let colour = |colour: &str| turn.app.shop.colour_name(colour);
    let caller = caller(turn);
    let counter = counter(turn, (&caller, &colour), outcome);
    let done = match (answer, talk, wish) {
        (Some(Answer::Yes), Some(talk), _) => counter.yes(talk).await,
        (Some(Answer::No), Some(talk), _) => counter.no(talk).await,
        (Some(Answer::Unclear), Some(talk), _) => counter.unclear(talk).await,
        (_, talk, Some(wish)) => {
            let who = identity(turn, command, outcome);
            let town = command.slots.town.as_deref().map(|town| turn.app.shop.place_name(&town.into()));
            let town = town.unwrap_or_default();
            let text = &turn.screened.private;
            let all = turn.app.answers.all(text);
            let day = turn.app.day_words.day(&turn.screened.text, turn.app.shop.today(outcome.now));
            let defective = turn.app.answers.defective(text);
            let photos = lacking::photos(turn.app, turn.session).await;
            let kept = turn.app.answers.kept(text);
            let said =
                Said { command, wish, text, all, kept: &kept, town: &town, defective, day, photos: &photos, who: &who };
            counter.wish(&said, talk).await
        }
        _ => return false,
    };
    outcome.desk_spoke = true;
    match done {
        Ok(done) => {
            let done = code::wanted(turn, (command, done), outcome).await;
            take(turn, done, outcome);
        }
        Err(error) => failed(&error, outcome),
    }
    true
}

/// Repeats the desk's open question after something else was answered.
pub(super) async fn remind(turn: &Turn<'_>, outcome: &mut Outcome) {
    if outcome.desk_spoke {
        return;
    }
    let Some(talk) = outcome.talk.take() else { return };
    let colour = |colour: &str| turn.app.shop.colour_name(colour);
    let caller = caller(turn);
    let counter = counter(turn, (&caller, &colour), outcome);
    if counter.is_over(&talk) {
        return;
    }
    let leaves = outcome.moves.contains(&Move::Smalltalk { kind: Courtesy::Goodbye });
    if leaves || outcome.pending.is_some() || super::handover(&outcome.moves).is_some() {
        // One question at a time; this one stays open.
        outcome.talk = Some(talk);
        return;
    }
    match counter.remind(talk.clone()).await {
        Ok(Some(done)) => take(turn, done, outcome),
        Ok(None) => {}
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "an open question could not be repeated");
            outcome.talk = Some(talk);
        }
    }
}

/// True when the reply asks whether to do what it shows.
pub(super) fn asks(moves: &[Move]) -> bool {
    use TaskLine::{Changed, Expired, Proposal, Unclear, Waiting};
    let question =
        |step: &Move| matches!(step, Move::Task { say: Proposal | Changed | Expired | Unclear | Waiting, .. });
    moves.iter().any(question)
}

/// The commands with each contact and number where it belongs: beside a wish about an order it is no request for a call. What
/// the desk does comes last, because its question must be the one that stands at the end. A wish about an order goes on with the
/// number that was given before, while that still waits for its proof, or with the order that was shown.
pub(super) fn with_proof(commands: &[Command], session: &Session, now: Timestamp) -> Vec<Command> {
    use CommandName::{CancelOrder, ChangeOrder, Checkout, LeaveContact, OrderStatus, RestockNotice, ReturnItem};
    let wishes = |name| matches!(name, CancelOrder | ChangeOrder | ReturnItem);
    let of_order = |name| name == OrderStatus || wishes(name);
    let told = |name| of_order(name) || matches!(name, RestockNotice | Checkout);
    if !commands.iter().any(|command| told(command.name)) {
        return commands.to_vec();
    }
    let said = |slot: fn(&Command) -> &Option<String>| commands.iter().find_map(|command| slot(command).clone());
    let (phone, email) = (said(|command| &command.slots.phone), said(|command| &command.slots.email));
    let number = said(|command| &command.slots.order_number);
    let mut all: Vec<Command> = commands.iter().filter(|command| command.name != LeaveContact).cloned().collect();
    if phone.is_some() || email.is_some() {
        let other = |one: &&Command| !all.iter().any(|known| known.slots.order_number == one.slots.order_number);
        let waited: Vec<Command> = session.waiting.iter().filter(other).cloned().collect();
        all.extend(waited);
    }
    let waiting = session.pending.as_ref().filter(|pending| of_order(pending.command.name));
    let waiting = waiting.and_then(|pending| pending.command.slots.order_number.clone());
    // Bare digits may have been a code or half a phone: who asks anew is asked anew.
    let waiting = waiting.filter(|number| number.contains(char::is_alphabetic));
    let opened = session.login.opened(now).filter(|_| session.customer.is_none());
    for command in all.iter_mut().filter(|command| told(command.name)) {
        command.slots.phone = command.slots.phone.take().or_else(|| phone.clone());
        command.slots.email = command.slots.email.take().or_else(|| email.clone());
        if of_order(command.name) || command.name == Checkout {
            command.slots.order_number = command.slots.order_number.take().or_else(|| number.clone());
        }
        if of_order(command.name) {
            let known = || waiting.clone().or_else(|| opened.map(|opened| opened.number.clone()));
            command.slots.order_number = command.slots.order_number.take().or_else(known);
            if let Some(opened) = opened
                && command.slots.phone.is_none()
                && command.slots.email.is_none()
                && command.slots.order_number.as_ref().is_some_and(|number| means_number(number, &opened.number))
            {
                match &opened.contact {
                    Contact::Phone(phone) => command.slots.phone = Some(phone.clone()),
                    Contact::Email(email) => command.slots.email = Some(email.clone()),
                }
            }
        }
    }
    all.sort_by_key(|command| wishes(command.name));
    all
}

/// The question for the state of an order that was shown before.
pub(super) fn again(opened: &Opened) -> Command {
    let (phone, email) = match &opened.contact {
        Contact::Phone(phone) => (Some(phone.clone()), None),
        Contact::Email(email) => (None, Some(email.clone())),
    };
    let slots = Slots { order_number: Some(opened.number.clone()), phone, email, ..Slots::default() };
    Command { name: CommandName::OrderStatus, slots }
}

/// The order that a command named with a contact and that was shown for it.
pub(super) fn opened(turn: &Turn<'_>, command: &Command, outcome: &Outcome) -> Option<Opened> {
    let Slots { phone, email, .. } = &command.slots;
    let contact = Contact::of(phone.as_deref(), email.as_deref())?;
    let order = |fact: &Fact| match &fact.body {
        FactBody::Order(order) => Some(order.number.clone()),
        FactBody::Task(task) => Some(task.order.number.clone()),
        _ => None,
    };
    let named = command.slots.order_number.is_some() && turn.session.customer.is_none();
    let number = outcome.facts.iter().rev().find_map(order).filter(|_| named)?;
    Some(Opened { number, contact, until: turn.app.codes.proof_until(outcome.now) })
}

/// Tells the state of an order, or who it is that may be told.
pub(super) async fn status(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) {
    let who = identity(turn, command, outcome);
    let caller = caller(turn);
    match tasks::order(command, &who, &door(turn, &caller, outcome)).await {
        Ok(done) => {
            let done = code::wanted(turn, (command, done), outcome).await;
            outcome.pending = done.pending.clone();
            done.moves.into_iter().for_each(|step| outcome.say(step));
            outcome.learn(followed(turn, done.facts).await);
        }
        Err(error) => failed(&error, outcome),
    }
}

/// Beside the rule on refunds: how far the own return of somebody known is, while it is on its way or was settled lately.
pub(super) async fn own_refund(turn: &Turn<'_>, outcome: &mut Outcome) {
    let Some(clause) = turn.app.order_rules.r#return.clause_refund.as_deref() else { return };
    let rule = passage(turn, clause, outcome).map(|fact| Move::Policy { fact: fact.id });
    let Some(at) = outcome.moves.iter().position(|step| Some(step) == rule.as_ref()) else { return };
    match coming_back(turn, outcome).await {
        Ok(Some(number)) => {
            let slots = Slots { order_number: Some(number), ..Slots::default() };
            let said = outcome.moves.split_off(at);
            status(turn, &Command { name: CommandName::OrderStatus, slots }, outcome).await;
            said.into_iter().for_each(|step| outcome.say(step));
        }
        Ok(None) => {}
        // The rule is an answer without it.
        Err(error) => tracing::error!(error = format!("{error:#}"), "whose money is on its way could not be read"),
    }
}

/// The newest order of somebody known whose return is on its way, or was settled within a month.
async fn coming_back(turn: &Turn<'_>, outcome: &Outcome) -> anyhow::Result<Option<String>> {
    let app = turn.app;
    let orders = match (&turn.session.customer, turn.session.login.contact(outcome.now)) {
        (Some(customer), _) => app.orders.of_customer(customer).await?,
        (None, Some(contact)) => app.orders.of_contact(contact).await?,
        (None, None) => return Ok(None),
    };
    for order in orders {
        let lately = match order.state {
            OrderState::ReturnRequested | OrderState::ExchangeRequested => true,
            OrderState::Refunded => app
                .state
                .slip(&order.number)
                .await?
                .is_some_and(|slip| outcome.now.duration_since(slip.changed) < SignedDuration::from_hours(24 * 31)),
            _ => false,
        };
        if lately {
            return Ok(Some(order.number));
        }
    }
    Ok(None)
}

/// Orders with the page where their parcel is followed, and with how far their return is.
async fn followed(turn: &Turn<'_>, mut facts: Vec<Fact>) -> Vec<Fact> {
    let app = turn.app;
    for fact in &mut facts {
        let FactBody::Order(order) = &mut fact.body else { continue };
        app.carriers.link(order);
        order.back = match app.state.slip(&order.number).await {
            Ok(slip) => slip.map(|slip| Back { rma: slip.rma, state: slip.state, day: app.shop.today(slip.changed) }),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "how far a return is could not be read");
                None
            }
        };
    }
    facts
}

fn counter<'a>(
    turn: &Turn<'a>,
    (caller, colour): (&'a str, &'a (dyn Fn(&str) -> Localised + Sync)),
    outcome: &Outcome,
) -> Counter<'a> {
    let app = turn.app;
    let desk =
        Desk { book: &app.state, catalog: &*app.catalog, rules: &app.order_rules, terms: &app.shop, now: outcome.now };
    Counter { desk, door: door(turn, caller, outcome), colour }
}

fn door<'a>(turn: &Turn<'a>, caller: &'a str, outcome: &Outcome) -> Door<'a> {
    let (client, prefix) = (turn.visitor.client.as_str(), turn.app.cart_rules.order_prefix.as_str());
    Door { orders: &*turn.app.orders, proofs: &turn.app.state, caller, client, prefix, now: outcome.now }
}

fn caller(turn: &Turn<'_>) -> String {
    format!("session:{}", turn.session.id)
}

fn identity(turn: &Turn<'_>, command: &Command, outcome: &Outcome) -> Identity {
    Identity {
        customer: turn.session.customer.clone(),
        phone: command.slots.phone.clone(),
        email: command.slots.email.clone(),
        proved: turn.session.login.contact(outcome.now).cloned(),
        codes: turn.app.codes.on(),
        lacks: lacking::lacks(turn.app, turn.session, turn.screened),
        failed: turn.session.pending.as_ref().map_or(0, |pending| pending.failed),
    }
}

/// What the message says to the proposal. Only words of `data/rules/desk.toml` are a yes, and only to the question that
/// stood in the last reply; whatever else was understood as one is asked about again.
fn answered(turn: &Turn<'_>, command: &Command, talk: &Talk) -> Option<Answer> {
    if talk.shown.is_none() {
        let stops = command.name == CommandName::Deny && talk.asked.is_some();
        return stops.then_some(Answer::No);
    }
    let read = turn.app.answers.read(&turn.screened.text, talk.wish);
    match (read, command.name) {
        (Some(Answer::Yes), _) if talk.open => Some(Answer::Yes),
        (Some(Answer::No), _) | (None, CommandName::Deny) => Some(Answer::No),
        (Some(_), _) | (None, CommandName::Confirm) => Some(Answer::Unclear),
        (None, _) => None,
    }
}

fn wish(turn: &Turn<'_>, command: &Command) -> Option<Wish> {
    let (answers, text) = (&turn.app.answers, &turn.screened.text);
    let pending = turn.session.pending.as_ref().filter(|pending| pending.command.name == command.name);
    let going_on = turn.session.talk.as_ref().filter(|talk| talk.asked.is_some() && pending.is_some());
    let going_on = going_on.map(|talk| talk.wish);
    match command.name {
        CommandName::CancelOrder => Some(Wish::Cancel),
        CommandName::ReturnItem if answers.exchange(text) => Some(Wish::Exchange),
        CommandName::ReturnItem => Some(going_on.unwrap_or(Wish::Return)),
        CommandName::ChangeOrder if answers.address(text) => Some(Wish::Address),
        CommandName::ChangeOrder if going_on.is_some() => going_on,
        CommandName::ChangeOrder if about_day(turn) => Some(Wish::Date),
        _ => None,
    }
}

/// True when it is about the day an order arrives.
fn about_day(turn: &Turn<'_>) -> bool {
    let (words, text) = (&turn.app.day_words, &turn.screened.text);
    words.about(text) || words.day(text, turn.app.shop.today(turn.app.now())).is_some()
}

fn take(turn: &Turn<'_>, done: tasks::Outcome, outcome: &mut Outcome) {
    outcome.talk = done.talk;
    outcome.pending = done.pending.or(outcome.pending.take());
    done.moves.into_iter().for_each(|step| outcome.say(step));
    outcome.learn(done.facts);
    if let Some(fact) = done.clause.as_deref().and_then(|clause| passage(turn, clause, outcome)) {
        outcome.say(Move::Policy { fact: fact.id.clone() });
        outcome.learn(vec![fact]);
    }
    if done.person {
        outcome.say(Move::Human { reason: HandoverReason::Task });
    }
}

/// The passage a refusal rests on, in the shopper's language, else in English.
pub(super) fn passage(turn: &Turn<'_>, clause: &str, outcome: &Outcome) -> Option<Fact> {
    let search = &turn.app.search;
    let found = search.clause(clause, turn.screened.language).or_else(|| search.clause(clause, Language::En));
    let (id, passage) = found?;
    let source = format!("{id}@{}", passage.version);
    Some(Fact { id: FactId(format!("passage:{id}")), body: FactBody::Passage(passage), source, as_of: outcome.now })
}

fn failed(error: &anyhow::Error, outcome: &mut Outcome) {
    tracing::error!(error = format!("{error:#}"), "the order desk could not answer");
    outcome.say(Move::NotFound { why: Absence::SourceDown });
    outcome.say(Move::Human { reason: HandoverReason::Failure });
}
