//! Menus and quizzes in a turn: a choice goes on to the next question or becomes a command; whoever asks something else is
//! answered and the menu is let go.

use crate::app::App;
use crate::domain::command::Budget;
use crate::domain::menu::{Choice, MenuFact, MenuTalk};
use crate::domain::plan::{BookingLine, HandoverReason};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Localised, Money, Move, Screened, Slots};

use super::booking;
use super::respond::{Outcome, Turn};

/// The command a message stands for as a choice of the menu that waits, or as the words that open one.
pub(super) fn chosen(app: &App, session: &Session, screened: &Screened) -> Option<Command> {
    let menu = |name| Command { name, slots: Slots::default() };
    let Some((talk, choice)) = picked(app, session, screened) else {
        return app.menu_words.opens(&screened.text).map(|_| menu(CommandName::Menu));
    };
    let name = choice.command.unwrap_or(CommandName::Menu);
    let mut command = Command { slots: Slots { topic: choice.topic.clone(), ..Slots::default() }, name };
    if name == CommandName::FindProduct {
        let own = choice.find.get(screened.language).to_string();
        let words: Vec<String> = talk.find.iter().cloned().chain([own]).filter(|word| !word.is_empty()).collect();
        command.slots.product = Some(words.join(" ")).filter(|words| !words.is_empty());
        let currency = app.config.shop.currency_of(screened.language);
        let own = choice.budget.get(&currency).map(|amount| (amount.clone(), currency));
        let budget = own.or(talk.budget.clone());
        command.slots.budget = budget.map(|(amount, currency)| Budget { amount, currency: Some(currency) });
    }
    Some(command)
}

fn picked<'a>(app: &'a App, session: &'a Session, screened: &Screened) -> Option<(&'a MenuTalk, &'a Choice)> {
    let talk = session.menu.as_ref()?;
    let step = app.menus.step.get(&talk.step)?;
    let at = app.menu_words.picks(&talk.step, step.choice.len(), &screened.text)?;
    Some((talk, step.choice.get(at)?))
}

/// Takes down what was chosen, before anything is done about it.
pub(super) fn begin(turn: &Turn<'_>, outcome: &mut Outcome) {
    outcome.menu.clone_from(&turn.session.menu);
    let language = turn.screened.language;
    let Some((talk, choice)) = picked(turn.app, turn.session, turn.screened) else { return };
    let mut talk = talk.clone();
    let ask = turn.app.menus.step.get(&talk.step).map(|step| step.ask.get(language).to_string()).unwrap_or_default();
    talk.chosen.push((ask, choice.label.get(language).to_string()));
    let find = choice.find.get(language);
    if !find.is_empty() {
        talk.find.push(find.to_string());
    }
    let currency = turn.app.config.shop.currency_of(language);
    talk.budget = choice.budget.get(&currency).map(|amount| (amount.clone(), currency)).or(talk.budget);
    let adds = choice.adds.get(&currency).and_then(|amount| Money::parse(amount, currency).ok());
    talk.parts.extend(adds);
    if let Some(next) = &choice.go {
        talk.step.clone_from(next);
    }
    outcome.menu = Some(talk);
}

/// Asks the question of the step that is reached, or opens the menu the message names.
pub(super) async fn menu(turn: &Turn<'_>, outcome: &mut Outcome) {
    let app = turn.app;
    if turn.booked.is_some() {
        outcome.say(Move::Booking { say: BookingLine::Gone });
    } else if picked(app, turn.session, turn.screened).is_none() {
        let first = app.menu_words.opens(&turn.screened.text).unwrap_or_else(|| app.menus.first.clone());
        outcome.menu = Some(MenuTalk::at(first));
    }
    ask(turn, outcome).await;
}

/// Asks the question of the step that is reached, with its choices or the times that are free.
pub(super) async fn ask(turn: &Turn<'_>, outcome: &mut Outcome) {
    let (app, language) = (turn.app, turn.screened.language);
    let Some((id, step)) = outcome.menu.as_ref().and_then(|talk| app.menus.step.get_key_value(&talk.step)) else {
        return;
    };
    let mut choices: Vec<Localised> = step.choice.iter().map(|choice| choice.label.clone()).collect();
    let mut slots = Vec::new();
    if step.slots {
        slots = booking::free(app, outcome.now).await;
        choices = slots.iter().map(|start| booking::choice(app, language, *start)).collect();
        if slots.is_empty() {
            outcome.menu = None;
            outcome.say(Move::Booking { say: BookingLine::None });
            outcome.say(Move::Human { reason: HandoverReason::Task });
            return;
        }
    }
    let parts = outcome.menu.as_ref().filter(|_| step.estimate).map(|talk| talk.parts.clone()).unwrap_or_default();
    if let Some(talk) = &mut outcome.menu {
        (talk.slots, talk.slot) = (slots, None);
    }
    let body = FactBody::Menu(MenuFact { ask: step.ask.clone(), choices, parts });
    let id = FactId(format!("menu:{id}"));
    outcome.say(Move::Menu { fact: id.clone() });
    outcome.learn(vec![Fact { id, body, source: "rules/menus.toml".to_string(), as_of: outcome.now }]);
}

/// Lets the menu go when something else was asked; what was chosen stays while a contact is being left.
pub(super) fn end(commands: &[Command], outcome: &mut Outcome) {
    use CommandName::{Confirm, Deny, LeaveContact, Menu};
    let stays = |command: &Command| matches!(command.name, Menu | LeaveContact | Confirm | Deny);
    if !commands.iter().all(stays) {
        outcome.menu = None;
    }
}
