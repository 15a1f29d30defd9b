//! `ask` and `chat`: turns on the terminal.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use crate::config::Config;
use crate::domain::Message;
use crate::domain::session::SessionId;
use crate::http::ChatReply;
use crate::turn::{self, Answer, TurnError, Watcher};

use super::{Who, explain, open};

/// Answers one message.
pub(super) async fn ask(config: Config, text: String, who: &Who, print: (bool, bool)) -> anyhow::Result<ExitCode> {
    let app = open::app(config).await?;
    let answer = turn::answer(&app, message(text, who, None), &Watcher::none()).await?;
    show(&app, &answer, print).await?;
    Ok(ExitCode::SUCCESS)
}

/// Answers line after line until the input ends.
pub(super) async fn chat(config: Config, who: &Who, print: (bool, bool)) -> anyhow::Result<ExitCode> {
    let app = open::app(config).await?;
    let person = std::io::stdin().is_terminal();
    if person {
        eprintln!("Ready. An empty line or Ctrl-D ends the conversation.");
    }
    let mut session = None;
    loop {
        if person {
            eprint!("> ");
            std::io::stderr().flush()?;
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line)?;
        if read == 0 || (person && line.trim().is_empty()) {
            return Ok(ExitCode::SUCCESS);
        }
        match turn::answer(&app, message(line.trim().to_string(), who, session), &Watcher::none()).await {
            Ok(answer) => {
                session = Some(answer.session_id);
                show(&app, &answer, print).await?;
            }
            Err(error @ (TurnError::EmptyMessage | TurnError::MessageTooLong { .. })) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
}

fn message(text: String, who: &Who, session: Option<SessionId>) -> Message {
    Message { session, customer: who.customer.clone(), text, locale: who.lang, channel: "cli".to_string() }
}

async fn show(app: &crate::app::App, answer: &Answer, (explained, json): (bool, bool)) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(&ChatReply::from(answer))?);
        return Ok(());
    }
    if explained && let Some(record) = app.state.turn(answer.turn_id).await? {
        print!("{}", explain::record(&record));
        println!("---");
    }
    println!("{}", answer.reply.text());
    Ok(())
}
