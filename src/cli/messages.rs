//! `messages`: what the shop writes first, looked at and run by hand.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::config::Config;
use crate::domain::outreach::Outgoing;
use crate::outreach;
use crate::store::outreach::Listed;

use super::open;

/// Options of `messages`.
#[derive(Debug, Args)]
pub struct MessagesArgs {
    /// Show what could be decided now; nothing is written.
    #[arg(long, conflicts_with = "run")]
    pub due: bool,
    /// Decide what is due and carry what waits, once, as `serve` does all the time.
    #[arg(long)]
    pub run: bool,
    /// Without the others: list so many, newest first.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: u32,
}

/// Lists messages, shows what is due, or does one round now.
pub(super) async fn messages(config: Config, args: &MessagesArgs, json: bool) -> anyhow::Result<ExitCode> {
    if !args.due && !args.run {
        let state = open::state(&config).await?;
        let wanted = Listed { limit: i64::from(args.limit), ..Listed::default() };
        let messages = state.outgoing_listed(&wanted).await?;
        messages.iter().for_each(|message| line(message, json));
        let (waiting, given_up) = state.events_left().await?;
        if !json {
            println!("{} messages; events waiting {waiting}, given up {given_up}", messages.len());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let app = open::app(config).await?;
    let now = Timestamp::now();
    if args.due {
        let due = outreach::due(&app, now).await?;
        due.iter().for_each(|message| line(message, json));
        if !json {
            println!("{} due; caps are looked at when they are decided", due.len());
            if let Some(end) = outreach::quiet_until(&app, now) {
                println!("quiet hours until {}", end.to_zoned(app.shop.time_zone()).strftime("%F %H:%M"));
            }
            if app.courier.is_none() {
                println!("outbox.url is empty: nothing leaves, and nothing is decided");
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if app.courier.is_none() {
        anyhow::bail!("outbox.url is empty: set the address that takes events (src/config.toml lists the settings)");
    }
    let round = outreach::round(&app, now).await?;
    if json {
        println!("{}", serde_json::to_string(&round)?);
    } else {
        println!(
            "decided {}, held back by caps {}, carried {}, withdrawn {}, not taken {}",
            round.decided, round.held, round.carried, round.withdrawn, round.failed
        );
    }
    Ok(if round.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn line(message: &Outgoing, json: bool) {
    if json {
        println!("{}", serde_json::to_string(message).unwrap_or_default());
        return;
    }
    let why = message.why.map(|why| format!(" ({why:?})")).unwrap_or_default();
    let at = message.settled.unwrap_or(message.decided);
    println!("{at:.0}  {:<10}{:<16}{}{why}", message.stage.as_str(), message.kind.as_str(), message.cause);
}
