//! Menus and quizzes in a turn: a choice goes on to the next question or becomes a command; whoever asks something else is
//! answered and the menu is let go.

use crate::app::App;
use crate::domain::command::Budget;
use crate::domain::menu::{Choice, MenuFact, MenuTalk};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move, Screened, Slots};

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
    if let Some(next) = &choice.go {
        talk.step.clone_from(next);
    }
    outcome.menu = Some(talk);
}

/// Asks the question of the step that is reached, or opens the menu the message names.
pub(super) fn menu(turn: &Turn<'_>, outcome: &mut Outcome) {
    let app = turn.app;
    if picked(app, turn.session, turn.screened).is_none() {
        let first = app.menu_words.opens(&turn.screened.text).unwrap_or_else(|| app.menus.first.clone());
        outcome.menu = Some(MenuTalk { step: first, chosen: Vec::new(), find: Vec::new(), budget: None });
    }
    let Some((id, step)) = outcome.menu.as_ref().and_then(|talk| app.menus.step.get_key_value(&talk.step)) else {
        return;
    };
    let choices = step.choice.iter().map(|choice| choice.label.clone()).collect();
    let body = FactBody::Menu(MenuFact { ask: step.ask.clone(), choices });
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
