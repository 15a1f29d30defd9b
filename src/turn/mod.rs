//! One customer turn, message in to checked reply out; the only module that knows the order of the stages.
//! `answer` is the order; `respond` sends each command to its stage; `settle` is the way past the guard.

mod answer;
mod at_once;
mod booking;
mod both;
mod cart;
mod checkout;
mod clock;
mod code;
mod confirm;
mod contact;
mod context;
mod desk;
mod detail;
mod focus;
mod known;
mod lacking;
mod login;
mod menu;
mod named;
mod narrow;
mod offers;
mod open;
mod order;
mod person;
mod policy;
mod quote;
mod respond;
mod ruled;
mod settle;
mod shown;
mod stop;
mod swap;
mod taken_back;
mod those;
mod together;
mod wishes;

use crate::app::{App, Hold};
use crate::audit::TurnRecord;
use crate::domain::handover::{Aside, Case};
use crate::domain::identity::Visitor;
use crate::domain::plan::Ask;
use crate::domain::session::{Exchange, Session, TurnId};
use crate::domain::{Command, CommandName, Draft, Language, Message, Move, Screened, Tier, Understanding};
use crate::engine::Stretch;
use crate::outreach;
use crate::plan;
use crate::understanding::Input;

pub use answer::{Answer, CheckStatus, CheckSummary, Event, Stage, Timings, TurnError, Watcher};
use clock::StageClock;
pub use respond::Outcome;

/// Answers one message. Whatever goes wrong behind the door, the customer gets a checked reply or a person.
///
/// # Errors
/// Only what the door refuses: see [`TurnError`].
pub async fn answer(app: &App, message: Message, watcher: &Watcher) -> Result<Answer, TurnError> {
    answer_visitor(app, (message, &Visitor::default()), watcher).await
}

/// The same for somebody the door knows more about than the customer's id.
///
/// # Errors
/// Only what the door refuses: see [`TurnError`].
pub async fn answer_visitor(
    app: &App,
    (message, visitor): (Message, &Visitor),
    watcher: &Watcher,
) -> Result<Answer, TurnError> {
    for attempt in 1..=order::TRIES {
        if let Some(answer) = attempted(app, (&message, visitor), watcher).await? {
            return Ok(answer);
        }
        order::step_aside(attempt).await;
    }
    Err(TurnError::Conflict)
}

/// One try; none when another turn of the conversation was faster and nothing was written.
async fn attempted(
    app: &App,
    (message, visitor): (&Message, &Visitor),
    watcher: &Watcher,
) -> Result<Option<Answer>, TurnError> {
    let mut clock = StageClock::start(watcher);
    let (mut session, mut hold) = open(app, message, visitor).await?;

    clock.enter(Stage::Screening);
    let screened = app.screening.screen(&message.text, session.language, message.locale);
    let language = if names_a_place(&session, &screened) { session.language } else { screened.language };
    let screened = Screened { language, ..screened };
    session.language = screened.language;
    if let Some(case) = person::taken(app, &session).await? {
        return leave_to_person(app, (session, hold), (message, &screened), (case, clock)).await;
    }

    clock.enter(Stage::Understanding);
    if !order::take(&mut hold, &session, None).await? {
        return Ok(None);
    }
    let entered = code::entered(app, &mut session, &screened).await;
    let screened = code::veiled(screened, entered.as_ref());
    let booked = match entered {
        Some(_) => None,
        None => booking::picked(app, &mut session, &screened).await,
    };
    let parted = match (&entered, &booked) {
        (None, None) => open::parted(app, &screened, &session).await,
        _ => None,
    };
    let known = match (entered.as_ref().map(code::Entered::understood), booked) {
        (Some(commands), _) => Some(taken_for(&screened, commands, "answers the question for the code")),
        (None, Some(booked)) => Some(taken_for(&screened, booked.understood(), "a time that was offered")),
        (None, None) if parted.is_some() => None,
        (None, None) => at_once::at_once(app, &screened, &session).await,
    };
    let parts = match (known, parted) {
        (Some(known), _) => vec![wishes::Part { screened: screened.clone(), known: Some(known), told: None }],
        (None, Some(parts)) => parts,
        // No model reads what is not needed to be read: a code was veiled before.
        (None, None) => wishes::parts(app, &screened, &session).await,
    };
    let turn = respond::Turn {
        app,
        screened: &screened,
        session: &session.clone(),
        entered: entered.as_ref(),
        booked,
        visitor,
        more_follows: false,
    };
    let Some(wishes::Heard { understanding, mut outcome }) =
        wishes::answered(&turn, parts, (&mut session, &mut hold), &mut clock).await?
    else {
        return Ok(None);
    };

    clock.enter(Stage::Checking);
    let settled = settle::settle(&turn, &mut outcome).await?;
    let timings = clock.stop(outcome.generated.len());

    let answer = Answer {
        session_id: session.id,
        turn_id: TurnId::fresh(),
        language: screened.language,
        reply: settled.reply,
        actions: outcome.actions(),
        commands: understanding.commands.clone(),
        tier: understanding.tier,
        check: settled.summary,
        handover: settled.handover,
        timings,
    };
    let record = TurnRecord::new(&answer, &message.channel, &screened, &understanding, &outcome, settled.draft);
    remember(app, &mut session, &answer, &screened);
    let aside = person::called(app, &session, &answer, &outcome).await.map_err(TurnError::Failed)?;
    if !write_down(hold, session, (answer.turn_id, record), aside).await {
        return Ok(None);
    }
    // Only now: a turn that is done again has told nothing.
    for segment in answer.reply.segments() {
        watcher.tell(Event::Segment(segment.clone()));
    }
    Ok(Some(answer))
}

/// A person has the chat: the message is kept for them, and nothing is answered.
async fn leave_to_person(
    app: &App,
    (mut session, hold): (Session, Hold),
    (message, screened): (&Message, &Screened),
    (case, clock): (Case, StageClock<'_>),
) -> Result<Option<Answer>, TurnError> {
    let understanding = person::unread(screened.language);
    let outcome = Outcome { now: app.now(), ..Outcome::default() };
    let answer = Answer {
        session_id: session.id,
        turn_id: TurnId::fresh(),
        language: screened.language,
        reply: person::silence(app, screened.language)?,
        actions: Vec::new(),
        commands: Vec::new(),
        tier: understanding.tier,
        check: CheckSummary::default(),
        handover: case.reasons.first().copied(),
        timings: clock.stop(0),
    };
    session.turns += 1;
    let draft = Draft { language: screened.language, segments: Vec::new() };
    let record = TurnRecord::new(&answer, &message.channel, screened, &understanding, &outcome, draft);
    let aside = person::heard(case, screened, &outcome);
    Ok(write_down(hold, session, (answer.turn_id, record), aside).await.then_some(answer))
}

/// Does once what the first shopper would otherwise wait for: pattern tables, the embedder's first pass, the model's
/// standing instructions. A failure is logged; the turns that need the part tell it better.
pub async fn warm_up(app: &App) {
    for language in Language::ALL {
        let words = app.renderer.disclosure(language).text;
        let screened = app.screening.screen(&words, language, Some(language));
        let session = Session { language, ..Session::default() };
        let input = Input { message: &screened, session: &session };
        app.understander.understand(input, Some(&*app.embed), None).await;
    }
    if let Some(generate) = app.generator()
        && let Err(error) = plan::warm_up(generate, app.config.generation.composition).await
    {
        tracing::warn!(%error, "the language model did not answer at start-up");
    }
}

/// True when the message answers where something goes: a foreign address does not change the language, nor the currency.
fn names_a_place(session: &Session, screened: &Screened) -> bool {
    let asked = session.pending.as_ref().map(|pending| pending.asked);
    match asked {
        Some(Ask::Address | Ask::Destination) => true,
        Some(Ask::Town) => screened.text.split_whitespace().count() <= 2,
        _ => false,
    }
}

async fn open(app: &App, message: &Message, visitor: &Visitor) -> Result<(Session, Hold), TurnError> {
    let limit = app.config.server.message_chars;
    let chars = message.text.chars().count();
    if chars > limit {
        return Err(TurnError::MessageTooLong { chars, limit });
    }
    if message.text.trim().is_empty() {
        return Err(TurnError::EmptyMessage);
    }
    let begun = |session: Session| (app.state.hold(session.id, 0), session);
    let (hold, session) = match message.session {
        Some(id) => order::read(app, id).await.map(|(session, hold)| (hold, session))?,
        None => {
            begun(Session { language: message.locale.unwrap_or(Session::default().language), ..Session::default() })
        }
    };
    let known = message.customer.clone().filter(|customer| session.customer.as_ref() != Some(customer));
    let mut session = login::entered(app, session, (message, visitor)).await.map_err(TurnError::Failed)?;
    if let (Some(customer), None) = (&known, message.locale) {
        // Whom the shop knows is spoken to in their own language until their words say otherwise.
        let own = outreach::language(app, customer).await.map_err(TurnError::Failed)?;
        session.language = own.unwrap_or(session.language);
    }
    // Another customer's message begins a conversation of its own.
    let hold = if hold.id() == session.id { hold } else { app.state.hold(session.id, 0) };
    Ok((session, hold))
}

async fn understand(app: &App, screened: &Screened, session: &Session, told: Option<&Stretch>) -> Understanding {
    let input = Input { message: screened, session };
    let (embed, generate) = (Some(&*app.embed), app.generate_for_understanding());
    let understood = match told {
        Some(told) => app.understander.understand_as((input, told), embed, generate).await,
        None => app.understander.understand(input, embed, generate).await,
    };
    let understood = named::or_named(app, session, screened, understood).await;
    let understood = detail::or_asked(app, session, screened, understood);
    let understood = context::in_context(app, session, screened, understood).await;
    ruled::or_ruled(app, session, screened, understood).await
}

/// What code alone has understood.
fn taken_for(screened: &Screened, commands: Vec<Command>, note: &str) -> Understanding {
    let notes = vec![note.to_string()];
    Understanding { lang: screened.language, commands, confidence: 0.99, tier: Tier::Rules, notes }
}

/// Writes the audit in a task of its own: a client that leaves now must not leave a hole in it. False when the conversation was
/// written since it was read.
async fn write_down(hold: Hold, session: Session, (turn, record): (TurnId, TurnRecord), aside: Aside) -> bool {
    let writing = tokio::spawn(async move { hold.record(session, (turn, &record), &aside).await });
    let written = writing.await.unwrap_or_else(|error| Err(error.into()));
    written.unwrap_or_else(|error| {
        // The customer has the answer; the operator must hear that its record is missing.
        tracing::error!(%turn, error = format!("{error:#}"), "the audit could not be written");
        true
    })
}

/// What the conversation keeps of the turn as a whole.
fn remember(app: &App, session: &mut Session, answer: &Answer, screened: &Screened) {
    session.turns += 1;
    // A yes answers the question that was sent, not one that the guard held back.
    if answer.check.status != CheckStatus::Accepted {
        session.talk.iter_mut().for_each(|talk| talk.open = false);
        session.checkout.iter_mut().for_each(|checkout| checkout.open = false);
        session.consent.iter_mut().for_each(|consent| consent.open = false);
    }
    session.handed_over |= answer.handover.is_some();
    session.recent.push(Exchange { message: screened.text.clone(), reply: answer.reply.text() });
    let surplus = session.recent.len().saturating_sub(app.config.session.recent);
    session.recent.drain(..surplus);
}

/// What the conversation keeps of one wish that was answered.
fn keep(session: &mut Session, commands: &[Command], outcome: &Outcome) {
    session.pending = outcome.pending.clone();
    session.login.code = outcome.code.clone().or(session.login.code.take());
    session.login.opened = outcome.opened.clone().or(session.login.opened.take());
    session.talk = outcome.talk.clone();
    if let Some(talk) = &mut session.talk {
        talk.open = desk::asks(&outcome.moves);
    }
    if !outcome.focus.is_empty() {
        session.focus = outcome.focus.clone();
        if session.focus.len() > 1 {
            session.listed = session.focus.clone();
        }
    }
    session.pushed.extend(known::pushed(outcome));
    session.narrowing = narrow::left(outcome);
    session.narrowed.extend(narrow::asked(outcome));
    let before = session.last.take();
    session.last = last_question(commands).map(|last| going_on(last, before.as_ref())).or(before);
    if !outcome.focus.is_empty() {
        let bought = commands.iter().rev().find(|command| command.name == CommandName::CartAdd);
        let said = bought.map(|command| command.slots.clone()).unwrap_or_default();
        // What was said of one thing is not said of another that is named now.
        let goes_on = last_question(commands).is_some() || said.product.is_none() && said.sku.is_none();
        let told = session.last.as_ref().filter(|_| goes_on).map(|last| last.slots.clone()).unwrap_or_default();
        let (size, colour) = (said.size.or(told.size), said.colour.or(told.colour));
        session.speaks_of(&outcome.focus, size.as_deref(), colour.as_deref());
    }
    let sum_still = std::mem::take(&mut session.summed);
    let turned_down = commands.iter().any(|command| command.name == CommandName::Deny);
    let spoken_of_still = outcome.focus.is_empty() && !turned_down && !cart::changed_or_shown(&outcome.moves);
    session.summed = if spoken_of_still { sum_still } else { outcome.summed.clone() };
    session.rules = policy::told(outcome).or(session.rules.take());
    session.town = outcome.town.clone().or(session.town.take());
    session.consent = outcome.consent.clone();
    let spoken_of_still = session.in_hand.take().filter(|_| outcome.focus.is_empty());
    session.in_hand = outcome.in_hand.clone().or(spoken_of_still);
    session.menu = outcome.menu.clone();
    session.checkout = outcome.checkout.clone();
    if let Some(checkout) = &mut session.checkout {
        checkout.open = cart::asks(&outcome.moves) && !desk::asks(&outcome.moves);
    }
    if let Some(consent) = &mut session.consent {
        consent.open = contact::asks(&outcome.moves);
    }
    let complains = commands.iter().any(|command| command.name == CommandName::Complaint);
    session.complaints = session.complaints.saturating_add(u8::from(complains));
}

/// The last product question of a message: what a bare addition such as "and in 41?" goes on with.
fn last_question(commands: &[Command]) -> Option<Command> {
    use CommandName as C;
    let asks = |command: &&Command| matches!(command.name, C::FindProduct | C::Price | C::Stock | C::DeliveryInfo);
    commands.iter().rev().find(asks).cloned()
}

/// The question that goes on with one before keeps the size and the colour told there: "and the delivery to Nitra?"
fn going_on(mut last: Command, before: Option<&Command>) -> Command {
    // The "long" of "how long is delivery to Nitra?" is no other thing.
    let of_goods = last.name != CommandName::DeliveryInfo;
    let slots = &mut last.slots;
    let named = slots.product.is_some() || slots.sku.is_some() || slots.pick.is_some() || slots.wish.is_some();
    let names = of_goods && named;
    if let Some(before) = before.filter(|_| !names) {
        slots.size = slots.size.take().or_else(|| before.slots.size.clone());
        slots.colour = slots.colour.take().or_else(|| before.slots.colour.clone());
    }
    last
}

/// True when the moves hand the conversation to a person.
fn handover(moves: &[Move]) -> Option<crate::domain::plan::HandoverReason> {
    moves.iter().find_map(|step| match step {
        Move::Human { reason } => Some(*reason),
        _ => None,
    })
}
