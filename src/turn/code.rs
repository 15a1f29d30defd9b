//! One-time codes in the chat: sent when an order is looked up by a phone or e-mail alone, read before anything else reads the
//! message, and told to nobody: neither the audit nor the model sees what was typed.

use crate::app::App;
use crate::domain::identity::{CodeLine, CodeTalk, Contact, Proof};
use crate::domain::plan::Ask;
use crate::domain::session::{Pending, Session};
use crate::domain::{Command, Move, Screened};
use crate::engine::CodeBook;
use crate::identity::{Asked, Asking, Checked};
use crate::tasks;
use crate::understanding::{TypedCode, typed_code};

use super::respond::{Outcome, Turn};

/// What stands in the place of a typed code.
const MASK: &str = "[code]";

/// What became of a message while a code was waited for.
pub(super) enum Entered {
    /// It was the code: the command that waited goes on. The text is what was typed.
    Proved(Box<Command>, String),
    /// It was not; the text is what was typed.
    Refused(CodeLine, String),
    /// Another code is wanted.
    Again,
}

impl Entered {
    /// The commands it stands for.
    pub(super) fn understood(&self) -> Vec<Command> {
        match self {
            Entered::Proved(command, _) => vec![Command::clone(command)],
            Entered::Refused(..) | Entered::Again => Vec::new(),
        }
    }
}

/// Reads the message as a code, when one is waited for. A right one proves its contact for this conversation.
pub(super) async fn entered(app: &App, session: &mut Session, screened: &Screened) -> Option<Entered> {
    let CodeTalk { contact, command, until } = session.login.code.clone()?;
    let asked = session.pending.as_ref().is_some_and(|pending| pending.asked == Ask::Code);
    if !asked && until <= app.now() {
        // Six digits may be anything again.
        session.login.code = None;
        return None;
    }
    if asked && app.code_words.again(&screened.text) {
        return Some(Entered::Again);
    }
    let typed = match typed_code(&screened.private, asked)? {
        TypedCode::Six(digits) => digits,
        TypedCode::Other(typed) => return Some(Entered::Refused(CodeLine::Wrong, typed)),
    };
    let spelt = typed.clone();
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let now = app.now();
    Some(match app.codes.check(&app.state, (session.id, &digits), now).await {
        Ok(Checked::Right) => {
            session.login.proved = Some(Proof { contact, until: app.codes.proof_until(now) });
            (session.login.code, session.pending) = (None, None);
            let mut command = command;
            (command.slots.phone, command.slots.email) = (None, None);
            Entered::Proved(Box::new(command), spelt)
        }
        Ok(Checked::Wrong) => Entered::Refused(CodeLine::Wrong, spelt),
        Ok(Checked::Over) => Entered::Refused(CodeLine::Over, spelt),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a code could not be looked at");
            Entered::Refused(CodeLine::Over, spelt)
        }
    })
}

/// The message without the code that was typed in it.
pub(super) fn veiled(screened: Screened, entered: Option<&Entered>) -> Screened {
    match entered {
        Some(Entered::Proved(_, typed) | Entered::Refused(_, typed)) => {
            Screened { text: screened.text.replace(typed.as_str(), MASK), ..screened }
        }
        _ => screened,
    }
}

/// Says what a code came to, when it was not the one; false when there is something else to answer.
pub(super) async fn said(turn: &Turn<'_>, outcome: &mut Outcome) -> bool {
    let line = match turn.entered {
        None | Some(Entered::Proved(..)) => return false,
        Some(Entered::Refused(line, _)) => *line,
        Some(Entered::Again) => match turn.session.login.code.clone() {
            Some(CodeTalk { contact, command, .. }) => send(turn, (&contact, &command), outcome).await,
            None => CodeLine::Over,
        },
    };
    outcome.say(Move::Code { say: line });
    let command = turn.session.login.code.as_ref().map(|code| code.command.clone());
    outcome.pending = command.map(|command| Pending { command, asked: Ask::Code, failed: 0 });
    true
}

/// What a task came to, after a code was sent where it asks for one.
pub(super) async fn wanted(
    turn: &Turn<'_>,
    (command, mut done): (&Command, tasks::Outcome),
    outcome: &mut Outcome,
) -> tasks::Outcome {
    let Some(contact) = done.unproved.take() else { return done };
    let waits = done.pending.as_ref().map_or(command, |pending| &pending.command).clone();
    let line = send(turn, (&contact, &waits), outcome).await;
    done.moves.retain(|step| !matches!(step, Move::Ask { what: Ask::Code }));
    done.moves.push(Move::Code { say: line });
    if outcome.code.is_none() && turn.session.login.code.is_none() {
        // Nothing was sent to this conversation: there is no code to wait for.
        done.pending = None;
    }
    done
}

async fn send(turn: &Turn<'_>, (contact, command): (&Contact, &Command), outcome: &mut Outcome) -> CodeLine {
    match asked(turn, contact, outcome).await {
        Ok(Asked::Sent { until }) => {
            outcome.code = Some(CodeTalk { contact: contact.clone(), command: command.clone(), until });
            CodeLine::Sent
        }
        Ok(Asked::TooSoon { .. }) => CodeLine::Wait,
        Ok(Asked::TooMany) => CodeLine::Many,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a code could not be made");
            CodeLine::Many
        }
    }
}

async fn asked(turn: &Turn<'_>, contact: &Contact, outcome: &Outcome) -> anyhow::Result<Asked> {
    let app = turn.app;
    let language = turn.screened.language;
    let known = !app.orders.of_contact(contact).await?.is_empty();
    let text = app.renderer.letter(language);
    let book: &dyn CodeBook = &app.state;
    let (session, client, now) = (turn.session.id, turn.visitor.client.as_str(), outcome.now);
    app.codes.ask(book, Asking { session, client, contact, known, text: &text, language, now }).await
}
