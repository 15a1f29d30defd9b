//! A message that holds several wishes is answered wish by wish, each on what the one before has left, as if they had been sent one after the
//! other; what they come to is one reply. In: a screened message and its conversation. Out: what was understood and what is to be said.

use std::collections::VecDeque;
use std::ops::Range;

use crate::app::{App, Hold};
use crate::domain::session::{Pending, Session};
use crate::domain::{Command, CommandName, Move, Screened, Slots, Understanding};
use crate::engine::Stretch;
use crate::understanding::{ABOUT, is_han};

use super::answer::{Stage, TurnError};
use super::clock::StageClock;
use super::respond::{self, Outcome, Turn};
use super::{at_once, keep, order, stop, taken_back, taken_for, understand};

/// A part of a message that holds one wish.
pub(super) struct Part {
    pub screened: Screened,
    /// What code alone has understood of it.
    pub known: Option<Understanding>,
    /// What the words of the whole message say it wants.
    pub told: Option<Stretch>,
}

/// All wishes of a message.
pub(super) struct Heard {
    pub understanding: Understanding,
    pub outcome: Outcome,
}

/// The wishes of a message, their words marked.
pub(super) async fn parts(app: &App, screened: &Screened, session: &Session) -> Vec<Part> {
    let marked = app.understander.marked(screened.clone(), &*app.embed).await;
    // "Yes. And ..." answers first.
    let asked = session.talk.is_some() || session.checkout.is_some() || session.consent.is_some();
    let may_answer = asked || session.pending.is_some();
    let wishes = app.understander.stretches(&marked, may_answer, &*app.embed).await;
    let (wishes, taken_back) = taken_back::left(app, &marked, wishes);
    let wishes = joined(app, &marked, wishes);
    let ranges: Vec<Range<usize>> = wishes.iter().map(|wish| wish.range.clone()).collect();
    let cut = if ranges.len() > 1 { marked.parts(&ranges) } else { None };
    let mut parts: Vec<Part> = match cut {
        None => vec![Part { screened: marked, known: None, told: wishes.into_iter().next() }],
        Some(parts) => {
            let told = parts.into_iter().zip(wishes);
            told.map(|(screened, told)| Part { screened, known: None, told: Some(told) }).collect()
        }
    };
    if let Some(last) = parts.last_mut().filter(|_| taken_back) {
        let no = Command { name: CommandName::Deny, slots: Slots::default() };
        last.known = Some(taken_for(&last.screened, vec![no], "asks for something and takes it back"));
    }
    parts
}

/// The stretches with those made one that are answered as one.
fn joined(app: &App, message: &Screened, wishes: Vec<Stretch>) -> Vec<Stretch> {
    use CommandName as C;
    let text = message.text.as_str();
    let named = |wish: &Stretch, names: &[C]| names.iter().any(|name| name.as_str() == wish.wish);
    let words = &app.cart_words;
    // "I'll take the teapot and the tea, what is that with delivery to Prague?": what stands before the sum says what it is of.
    let sums = (words.sum(text) || words.together(text) || words.with_delivery(text)) && !words.says_cart(text);
    let of_sum = [C::CartAdd, C::Price, C::DeliveryInfo, C::FindProduct];
    // "If 43 is too small, can I have 44 instead?" is one question about the rules.
    let supposes = app.answers.what_if(text);
    let of_rules = [C::Policy, C::ReturnItem, C::ChangeOrder, C::Complaint, C::Stock];
    let both = |a: &Stretch, b: &Stretch, names: &[C]| named(a, names) && named(b, names);
    let of_goods = [C::FindProduct, C::Price, C::Stock, C::DeliveryInfo, C::Compare];
    let goods = |wish: &Stretch| wish.wish == ABOUT || named(wish, &of_goods);
    let as_one = |a: &Stretch, b: &Stretch| {
        // "The green scarf, how much?": a bare name before a question is what the question is about.
        let asks =
            !named(b, &[C::FindProduct, C::Policy, C::OrderStatus, C::CancelOrder, C::ChangeOrder, C::ReturnItem]);
        let bare = named(a, &[C::FindProduct]) && !app.understander.looks_for(&text[a.range.clone()]);
        let of_goods = b.wish == ABOUT || named(b, &[C::Price, C::Stock, C::DeliveryInfo, C::Compare, C::CartAdd]);
        let names_only = named(b, &[C::FindProduct]) && !app.understander.looks_for(&text[b.range.clone()]);
        sums && both(a, b, &of_sum)
            || supposes && both(a, b, &of_rules)
            || bare && asks && of_goods
            // "How much are the mugs and a kettle", "which is better, the stick or the robot".
            || names_only && named(a, &[C::Price, C::Compare])
            || goods(a) && goods(b) && !ends_a_sentence(&text[a.range.clone()])
                && (only_names(message, a) || only_names(message, b) || short(&text[b.range.clone()]))
            || both(a, b, &[C::Compare]) || both(a, b, &[C::Price])
    };
    let mut joined: Vec<Stretch> = Vec::with_capacity(wishes.len());
    for wish in wishes {
        match joined.pop_if(|last| as_one(last, &wish)) {
            Some(last) => joined.push(last.and(wish)),
            None => joined.push(wish),
        }
    }
    joined
}

fn ends_a_sentence(text: &str) -> bool {
    text.trim_end().ends_with(['.', '!', '?', '。', '！', '？', ';', '；'])
}

/// "To Bratislava?" is the end of a question, not one of its own.
fn short(text: &str) -> bool {
    text.split_whitespace().count() <= 2 && text.is_ascii()
}

/// True where nearly all words name goods or describe them: what is named belongs to the question beside it.
fn only_names(message: &Screened, wish: &Stretch) -> bool {
    // A single letter is a unit, a single sign of Chinese a word.
    let said = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1 || word.chars().any(is_han);
    let words = message.text[wish.range.clone()].split(|c: char| !c.is_alphanumeric()).filter(said);
    let mut chances = words.map(|word| {
        let all = message.marks.chances(word);
        all.iter().sum::<f32>() / all.len().max(1) as f32
    });
    chances.all(|chance| chance >= OF_GOODS)
}

/// From this chance on a word says something of goods.
const OF_GOODS: f32 = 0.5;

/// Answers each wish and keeps what the next one stands on; nothing where another turn of the conversation was faster.
///
/// # Errors
/// The database cannot be written.
pub(super) async fn answered(
    turn: &Turn<'_>,
    parts: Vec<Part>,
    (session, hold): (&mut Session, &mut Hold),
    clock: &mut StageClock<'_>,
) -> Result<Option<Heard>, TurnError> {
    let mut all: Option<Heard> = None;
    let (unsure, count) = (session.unsure, parts.len());
    let waited = std::mem::take(&mut session.waiting);
    let mut asked: Option<Pending> = None;
    let mut parts = VecDeque::from(parts);
    let mut first = true;
    while let Some(Part { screened: part, known, told }) = parts.pop_front() {
        clock.enter(Stage::Understanding);
        let mut understanding = match known {
            Some(known) => known,
            None => heard(turn.app, &part, session, (count > 1, told.as_ref())).await,
        };
        for command in of_further_orders(turn.app, &part, &mut understanding.commands).into_iter().rev() {
            let known = Some(taken_for(&part, vec![command], "the same of a further order"));
            parts.push_front(Part { screened: part.clone(), known, told: None });
        }
        if count > 1 {
            with_contact(turn.screened, &mut understanding.commands);
        }
        if first {
            session.waiting.clone_from(&waited);
        }
        if !order::take(hold, session, Some(&understanding)).await? {
            return Ok(None);
        }
        clock.enter(Stage::Searching);
        let before = session.clone();
        let more_follows = !parts.is_empty();
        let one = Turn { screened: &part, session: &before, more_follows, ..*turn };
        let mut outcome = respond::respond(&one, &understanding, clock).await;
        keep(session, &understanding.commands, &outcome);
        if std::mem::take(&mut first) {
            // They were heard with the first; what the others of this message add waits for the next.
            session.waiting.clear();
        }
        asked = still_asked(asked, &understanding.commands, (&mut outcome, session));
        let next = Heard { understanding, outcome };
        all = Some(match all {
            Some(all) => all.and(next),
            None => next,
        });
        session.unsure = unsure;
    }
    session.unsure = all.as_ref().map_or(unsure, |all| all.outcome.unsure);
    if let (Some(all), Some(asked)) = (&mut all, &asked) {
        // The question that stands is asked last.
        let question = Move::Ask { what: asked.asked };
        if all.outcome.moves.contains(&question) {
            all.outcome.moves.retain(|step| *step != question);
            all.outcome.moves.push(question);
        }
    }
    Ok(all)
}

/// The question that stands after a further wish: one asked before it in the same message stands until it is answered. Of two, the one about
/// an order or a purchase does; a second order waits for the same answer.
fn still_asked(
    before: Option<Pending>,
    commands: &[Command],
    (outcome, session): (&mut Outcome, &mut Session),
) -> Option<Pending> {
    let Some(before) = before else { return outcome.pending.clone() };
    let answered = commands.iter().any(|command| {
        command.name == before.command.name && command.slots.order_number == before.command.slots.order_number
    });
    let stands = match &outcome.pending {
        None => !answered,
        Some(next) if next.asked == before.asked && of_an_order(&next.command) && of_an_order(&before.command) => {
            if next.command != before.command {
                session.waiting.push(before.command);
            }
            return outcome.pending.clone();
        }
        Some(next) => buys_or_orders(&before.command) && !buys_or_orders(&next.command),
    };
    if stands {
        outcome.pending = Some(before);
        session.pending.clone_from(&outcome.pending);
    }
    outcome.pending.clone()
}

fn of_an_order(command: &Command) -> bool {
    use CommandName as C;
    matches!(command.name, C::OrderStatus | C::CancelOrder | C::ChangeOrder | C::ReturnItem)
}

fn buys_or_orders(command: &Command) -> bool {
    of_an_order(command) || matches!(command.name, CommandName::Checkout | CommandName::CartAdd)
}

/// "Where are TT-10411 and TT-10448?" asks the same of each; the first stays with its command.
fn of_further_orders(app: &App, part: &Screened, commands: &mut [Command]) -> Vec<Command> {
    let [command] = commands else { return Vec::new() };
    let numbers = app.understander.order_numbers(part);
    let [first, further @ ..] = numbers.as_slice() else { return Vec::new() };
    if !of_an_order(command) || further.is_empty() || command.slots.order_number.as_ref() != Some(first) {
        return Vec::new();
    }
    let of = |number: &String| Slots { order_number: Some(number.clone()), ..command.slots.clone() };
    further.iter().map(|number| Command { name: command.name, slots: of(number) }).collect()
}

/// A contact anywhere in a message proves who asks for an order in another part of it.
fn with_contact(whole: &Screened, commands: &mut [Command]) {
    let contact = stop::named(whole);
    for command in commands.iter_mut().filter(|command| of_an_order(command) || command.name == CommandName::Checkout) {
        let slots = &mut command.slots;
        if slots.phone.is_none() && slots.email.is_none() {
            (slots.phone, slots.email) = (contact.phone.clone(), contact.email.clone());
        }
    }
}

async fn heard(
    app: &App,
    part: &Screened,
    session: &Session,
    (one_of_several, told): (bool, Option<&Stretch>),
) -> Understanding {
    // Of the whole message this was asked before it was parted.
    if one_of_several && let Some(known) = at_once::at_once(app, part, session).await {
        return known;
    }
    match at_once::of_cart(app, part, session).await {
        Some(known) => known,
        None => understand(app, part, session, told).await,
    }
}

impl Heard {
    fn and(self, next: Heard) -> Heard {
        let Understanding { lang, mut commands, confidence, tier, mut notes } = self.understanding;
        commands.extend(next.understanding.commands);
        notes.extend(next.understanding.notes);
        let confidence = confidence.min(next.understanding.confidence);
        // The one that had to think most.
        let tier = [tier, next.understanding.tier].into_iter().max_by_key(|tier| *tier as u8).unwrap_or(tier);
        Heard {
            understanding: Understanding { lang, commands, confidence, tier, notes },
            outcome: self.outcome.and(next.outcome),
        }
    }
}
