//! Each command to its stage: products, delivery, rules, orders, courtesies. Several commands give one reply.

use jiff::Timestamp;
use serde::Serialize;

use crate::app::App;
use crate::domain::cart::CheckoutTalk;
use crate::domain::command::{Pick, Wish};
use crate::domain::desk::Talk;
use crate::domain::found::Found;
use crate::domain::identity::{CodeTalk, Opened, Visitor};
use crate::domain::lead::Consent;
use crate::domain::menu::MenuTalk;
use crate::domain::message::PiiKind;
use crate::domain::plan::{Absence, Ask, Courtesy, HandoverReason};
use crate::domain::reply::Action;
use crate::domain::session::{Pending, Session, Summand};
use crate::domain::{Command, CommandName, Fact, FactBody, Move, ProductId, Screened, Sku, Slots, Understanding};
use crate::engine::{EmbedInput, GenerateError, Generated, ProductHit};
use crate::plan::{self, Brief};
use crate::retrieval::{self, Limits, Sources};

use super::answer::Stage;
use super::booking::Picked;
use super::cart;
use super::clock::StageClock;
use super::code::{self, Entered};
use super::confirm;
use super::contact;
use super::desk;
use super::focus::{self, products_of};
use super::menu;
use super::offers;
use super::person;
use super::policy;
use super::quote;
use super::stop;
use super::together;

/// What all commands of a message share.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub app: &'a App,
    pub screened: &'a Screened,
    pub session: &'a Session,
    /// What the typed code came to, where one was waited for.
    pub entered: Option<&'a Entered>,
    /// What became of the time it chose, where times were offered.
    pub booked: Option<Picked>,
    /// What the door knows of who wrote it.
    pub visitor: &'a Visitor,
    /// Another wish of the same message follows: a question that stands is not repeated yet.
    pub more_follows: bool,
}

/// What the commands came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// What to say, in order.
    pub moves: Vec<Move>,
    /// Product questions with what was found for them: the ground of a second plan.
    #[serde(skip)]
    pub asked: Vec<(Command, Found)>,
    /// All facts of the turn.
    pub facts: Vec<Fact>,
    /// Hits of the index, best first.
    pub hits: Vec<ProductHit>,
    /// Products the reply is about.
    pub focus: Vec<ProductId>,
    /// A town the message named.
    pub town: Option<String>,
    /// A command that waits for an answer.
    pub pending: Option<Pending>,
    /// An operation on an order that is being arranged; its token is nobody else's business.
    #[serde(skip)]
    pub talk: Option<Talk>,
    /// A contact that waits for a yes: nobody's business before that.
    #[serde(skip)]
    pub consent: Option<Consent>,
    /// A code that was sent in this turn.
    #[serde(skip)]
    pub code: Option<CodeTalk>,
    /// The order that was shown, with the contact it was shown for: nobody's business.
    #[serde(skip)]
    pub opened: Option<Opened>,
    /// A menu that waits for a choice.
    #[serde(skip)]
    pub menu: Option<MenuTalk>,
    /// An order that waits for a yes; its token is nobody else's business.
    #[serde(skip)]
    pub checkout: Option<CheckoutTalk>,
    /// What was put into the cart in this turn, or counted anew there.
    #[serde(skip)]
    pub in_hand: Option<Sku>,
    /// What a sum was told of.
    pub summed: Vec<Summand>,
    /// Messages in a row that nobody was sure about, this one included.
    #[serde(skip)]
    pub unsure: u8,
    /// The desk has spoken in this turn.
    #[serde(skip)]
    pub desk_spoke: bool,
    /// What the model wrote on the way.
    pub generated: Vec<Generated>,
    /// When the facts were read.
    pub now: Timestamp,
}

impl Outcome {
    /// What the client may offer to do.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for fact in &self.facts {
            let FactBody::Offer(offer) = &fact.body else { continue };
            let shown = self.moves.iter().any(|step| match step {
                Move::Offer { facts }
                | Move::Detail { facts }
                | Move::Compare { facts }
                | Move::Suggest { facts, .. } => facts.contains(&fact.id),
                Move::Prose { facts, .. } => facts.iter().flatten().any(|id| *id == fact.id),
                _ => false,
            });
            if shown {
                actions.push(Action::ShowProduct { sku: offer.offer.sku.0.clone(), url: None });
            }
        }
        if super::handover(&self.moves).is_some() {
            actions.push(Action::Handover);
        }
        if self.moves.contains(&Move::Ask { what: Ask::Photo }) {
            actions.push(Action::AttachPhoto);
        }
        actions
    }

    /// With what a further wish of the same message came to.
    pub(super) fn and(mut self, next: Outcome) -> Outcome {
        let mut all = Outcome { moves: Vec::new(), facts: Vec::new(), ..next };
        all.hits.splice(0..0, self.hits);
        all.asked.splice(0..0, self.asked);
        all.focus.splice(0..0, self.focus);
        all.generated.splice(0..0, self.generated);
        self.moves.extend(next.moves);
        self.moves.into_iter().for_each(|step| all.say(step));
        all.learn(self.facts);
        all.learn(next.facts);
        all.town = all.town.or(self.town);
        all.in_hand = all.in_hand.or(self.in_hand);
        all.code = all.code.or(self.code);
        all.opened = all.opened.or(self.opened);
        all.unsure = all.unsure.min(self.unsure);
        all.desk_spoke |= self.desk_spoke;
        all
    }

    pub(super) fn say(&mut self, step: Move) {
        if !self.moves.contains(&step) {
            self.moves.push(step);
        }
    }

    pub(super) fn learn(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            match self.facts.iter_mut().find(|known| known.id == fact.id) {
                Some(known) => tell_more(known, fact),
                None => self.facts.push(fact),
            }
        }
    }
}

/// One wish asks what another did not: an offer keeps what was looked up of it for each.
fn tell_more(known: &mut Fact, fact: Fact) {
    let (FactBody::Offer(known), FactBody::Offer(more)) = (&mut known.body, fact.body) else { return };
    let new: Vec<_> = more.details.into_iter().filter(|detail| !known.details.contains(detail)).collect();
    known.details.extend(new);
    if known.places.is_empty() {
        known.places = more.places;
    }
}

/// Answers every command in order.
pub(super) async fn respond(turn: &Turn<'_>, understanding: &Understanding, clock: &mut StageClock<'_>) -> Outcome {
    let now = turn.app.now();
    let mut outcome =
        Outcome { now, talk: turn.session.talk.clone(), checkout: turn.session.checkout.clone(), ..Outcome::default() };
    if turn.screened.pii.iter().any(|found| found.kind == PiiKind::Card) {
        outcome.say(Move::Smalltalk { kind: Courtesy::Card });
    }
    menu::begin(turn, &mut outcome);
    outcome.learn(vec![turn.app.shop.contact(now)]);
    let answered = stop::stopped(turn, &mut outcome).await
        || offers::wanted(turn, &mut outcome).await
        || code::said(turn, &mut outcome).await
        || contact::answered(turn, &mut outcome).await;
    let commands = if answered { Vec::new() } else { desk::with_proof(&understanding.commands, turn.session, now) };
    let said = outcome.moves.len();
    let commands = together::summed(turn, commands, &mut outcome).await;
    let summed = outcome.moves.len() > said;
    let commands = if summed { commands } else { quote::taken(turn, commands, &mut outcome).await };
    // "All right, and what about instalments?" wants no "all right" back.
    let beside = commands.len() > 1;
    for command in commands.iter().filter(|command| !(beside && agrees(command))) {
        outcome.town = command.slots.town.clone().or(outcome.town.take());
        clock.enter(Stage::Searching);
        if !desk::desk(turn, command, &mut outcome).await && !cart::cart(turn, command, &mut outcome).await {
            let mended = turn.session.complaints == 0 && commands.iter().any(mends);
            one(turn, (command, mended), &mut outcome, clock).await;
        }
        outcome.opened = desk::opened(turn, command, &outcome).or(outcome.opened.take());
    }
    menu::end(&commands, &mut outcome);
    if !turn.more_follows {
        desk::remind(turn, &mut outcome).await;
    }
    if outcome.moves.is_empty() {
        outcome.say(Move::NotFound { why: Absence::NothingFound });
    }
    person::call(turn, understanding, &mut outcome);
    outcome
}

/// True for a bare yes or no.
fn agrees(command: &Command) -> bool {
    matches!(command.name, CommandName::Confirm | CommandName::Deny)
}

/// True for a command that does something about an order.
fn mends(command: &Command) -> bool {
    use CommandName::*;
    matches!(command.name, OrderStatus | CancelOrder | ChangeOrder | ReturnItem)
}

async fn one(turn: &Turn<'_>, (command, mended): (&Command, bool), outcome: &mut Outcome, clock: &mut StageClock<'_>) {
    use CommandName::*;
    match command.name {
        FindProduct | Price | Stock | Compare => products(turn, command, outcome, clock).await,
        Correct if turn.session.pending.is_some() || !turn.session.focus.is_empty() => {
            products(turn, command, outcome, clock).await;
        }
        RestockNotice => {
            products(turn, command, outcome, clock).await;
            contact::restock(turn, command, outcome);
        }
        DeliveryInfo => policy::delivery(turn, command, outcome, clock).await,
        Policy => {
            policy::policy(turn, command, outcome, clock).await;
            desk::own_refund(turn, outcome).await;
        }
        OrderStatus | CancelOrder | ChangeOrder | ReturnItem => desk::status(turn, command, outcome).await,
        LeaveContact => contact::call(turn, command, outcome),
        Human => outcome.say(Move::Human { reason: HandoverReason::Asked }),
        // Who says what should be done about it, and complains for the first time, is helped with that.
        Complaint if mended => outcome.say(Move::Smalltalk { kind: Courtesy::Sorry }),
        Complaint => outcome.say(Move::Human { reason: HandoverReason::Complaint }),
        Menu => menu::menu(turn, outcome).await,
        Confirm | Deny | Correct | Smalltalk | OutOfScope | Spam | Unsafe => {
            outcome.say(Move::Smalltalk { kind: courtesy(command) });
        }
        // The till has answered these.
        CartAdd | Checkout => {}
    }
}

fn courtesy(command: &Command) -> Courtesy {
    match (command.name, command.slots.topic.as_deref()) {
        (CommandName::Correct, _) => Courtesy::Menu,
        (CommandName::Confirm, _) => Courtesy::Confirmed,
        (CommandName::Deny, _) => Courtesy::Denied,
        (CommandName::OutOfScope, _) => Courtesy::OutOfScope,
        (CommandName::Spam, _) => Courtesy::Spam,
        (CommandName::Unsafe, _) => Courtesy::Unsafe,
        (_, Some("thanks")) => Courtesy::Thanks,
        (_, Some("goodbye")) => Courtesy::Goodbye,
        (_, Some("who_are_you")) => Courtesy::WhoAreYou,
        _ => Courtesy::Greeting,
    }
}

/// "The second one" of no list, or of one: there is nothing to look for, and the reply asks what is meant.
pub(super) fn points_nowhere(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> bool {
    let named = command.slots.product.is_some() || command.slots.sku.is_some();
    let compares = command.name == CommandName::Compare && command.slots.names.len() < 2;
    let asks_of_nothing = (command.slots.detail.is_some() || compares) && turn.session.focus.is_empty();
    // The cheapest of nothing shown is the cheapest of all.
    let of_all = command.slots.wish == Some(Wish::Range)
        || matches!(command.slots.pick, Some(Pick::Price(_))) && turn.session.focus.is_empty();
    if named || of_all || turn.session.shows(&command.slots) && !asks_of_nothing {
        return false;
    }
    outcome.say(Move::Ask { what: Ask::Product });
    let command = Command { name: command.name, slots: Slots { pick: None, ..command.slots.clone() } };
    outcome.pending = Some(Pending { command, asked: Ask::Product, failed: 0 });
    true
}

/// What a command's words find, with the hits kept.
pub(super) async fn sought(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> Found {
    let app = turn.app;
    let sources = Sources { search: &*app.search, catalog: &*app.catalog, shop: &app.shop };
    let words = command.slots.product.as_deref().unwrap_or(&turn.screened.text);
    let vector = embed(app, words).await;
    let question = confirm::question(turn, command, vector.as_deref(), outcome.now);
    let limits = Limits { candidates: app.config.search.candidates, sure_name: app.config.search.sure_name };
    let retrieved = if command.name == CommandName::Compare {
        retrieval::products_to_compare(sources, &question, limits).await
    } else {
        retrieval::products(sources, &question, limits).await
    };
    outcome.hits.extend(retrieved.hits);
    retrieved.found
}

/// Answers a question about products.
pub(super) async fn products(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome, clock: &mut StageClock<'_>) {
    if points_nowhere(turn, command, outcome) {
        return;
    }
    let (found, moves) = confirm::planned(turn, command, outcome, clock).await;
    outcome.learn(found.facts.clone());
    outcome.focus.extend(focus::told(&moves, &outcome.facts));
    for step in moves {
        if let Move::Ask { what } = &step {
            outcome.pending = Some(Pending { command: command.clone(), asked: *what, failed: 0 });
        }
        outcome.say(step);
    }
    outcome.asked.push((command.clone(), found));
    confirm::call_back(outcome);
}

/// Another plan over the same facts, after the guard refused the first: the model judges anew; what did not come
/// from a product question stays as it was. Empty when there is nothing to judge.
pub(super) async fn second_plan(turn: &Turn<'_>, outcome: &mut Outcome) -> Vec<Move> {
    let asked = std::mem::take(&mut outcome.asked);
    let judged_anew = asked.iter().filter(|(_, found)| found.absence.is_none() && !found.candidates.is_empty());
    let mut moves = Vec::new();
    for (command, found) in judged_anew {
        let language = turn.screened.language;
        let offers = turn.app.config.search.offers;
        let brief = Brief { message: &turn.screened.text, language, command, found, offers };
        moves.extend(judged(turn, &brief, plan::Attempt::Second, outcome).await);
    }
    if !moves.is_empty() {
        let others = outcome.moves.iter().filter(|step| products_of(step, &outcome.facts).is_empty());
        moves.extend(others.cloned());
    }
    outcome.asked = asked;
    moves
}

/// The embedding of a question; without it the search is lexical.
pub(super) async fn embed(app: &App, text: &str) -> Option<Vec<f32>> {
    match app.embed.embed(EmbedInput::Query, vec![text.to_string()]).await {
        Ok(vectors) => vectors.into_iter().next(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the message could not be embedded; lexical search only");
            None
        }
    }
}

/// A reply in the model's own words, where the shop wants that and there is something to word.
pub(super) async fn composed(
    turn: &Turn<'_>,
    brief: &Brief<'_>,
    planned: Option<&[Move]>,
    outcome: &mut Outcome,
) -> Option<Vec<Move>> {
    let generate = turn.app.generate.as_deref()?;
    if !turn.app.config.generation.composition.is_prose() {
        return None;
    }
    match plan::compose(brief, planned, generate, plan::Attempt::First).await {
        Ok(choice) => {
            let choice = choice?;
            outcome.generated.push(choice.generated);
            Some(choice.moves)
        }
        Err(error) => {
            log(&error);
            None
        }
    }
}

/// The model's choice among the candidates; without a model, or when it is busy, the first candidates.
pub(super) async fn judged(
    turn: &Turn<'_>,
    brief: &Brief<'_>,
    attempt: plan::Attempt,
    outcome: &mut Outcome,
) -> Vec<Move> {
    let Some(generate) = turn.app.generate.as_deref() else { return plan::without_model(brief) };
    match plan::choose(brief, generate, turn.app.config.generation.max_tokens, attempt).await {
        Ok(choice) => {
            outcome.generated.push(choice.generated);
            choice.moves
        }
        Err(error) => {
            log(&error);
            plan::without_model(brief)
        }
    }
}

pub(super) fn log(error: &GenerateError) {
    tracing::warn!(%error, "the model was not heard; the plan follows the search alone");
}
