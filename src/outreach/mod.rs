//! Messages the shop starts: what is due, whether it may go, what it says, and that it goes once. In: the assistant and a moment. Out:
//! messages in the hands of the merchant's own system, or the reason why not. Every text is rendered from facts read in that very
//! moment and sealed by the guard. A message is decided first, with its event, in one write; before it is carried everything it rests
//! on is looked at again.

mod carry;
mod due;
mod incentive;
mod people;
mod ready;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::app::App;
use crate::domain::outreach::{Kind, Outgoing};
use crate::store::outreach::{Caps, Decided};

pub use carry::carry;
pub use due::due;
pub use people::{Heard, Named, heard, keep, language};
pub use ready::{Ready, ready};

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Messages decided.
    pub decided: usize,
    /// Messages that must wait because their person got enough.
    pub held: usize,
    /// Events carried, messages among them.
    pub carried: usize,
    /// Messages withdrawn before they went.
    pub withdrawn: usize,
    /// Events that nobody took this time.
    pub failed: usize,
}

/// Decides what is due and carries what waits.
///
/// # Errors
/// The store or the catalog does not answer.
pub async fn round(app: &App, now: Timestamp) -> anyhow::Result<Round> {
    let mut round = Round::default();
    if app.courier.is_none() {
        return Ok(round);
    }
    (round.decided, round.held) = decide(app, now).await?;
    carry(app, now, &mut round).await?;
    Ok(round)
}

/// What a server does at every tick: carries what waits, and looks from time to time at what is due.
///
/// # Errors
/// The store or the catalog does not answer.
pub async fn tick(app: &App, now: Timestamp, looked: &mut Option<Timestamp>) -> anyhow::Result<Round> {
    let pause = SignedDuration::from_mins(app.message_rules.look_minutes);
    if looked.is_none_or(|before| now.duration_since(before) >= pause) {
        *looked = Some(now);
        return round(app, now).await;
    }
    let mut round = Round::default();
    carry(app, now, &mut round).await?;
    Ok(round)
}

/// Decides what is due; nothing in quiet hours. How many were decided, and how many must wait.
///
/// # Errors
/// The store does not answer.
pub async fn decide(app: &App, now: Timestamp) -> anyhow::Result<(usize, usize)> {
    if quiet_until(app, now).is_some() {
        return Ok((0, 0));
    }
    let (mut decided, mut held) = (0, 0);
    for message in due(app, now).await? {
        match app.state.decide(&message, caps(app, message.kind)).await? {
            Decided::Now => {
                metrics::counter!("truetill_messages_decided_total", "kind" => message.kind.as_str()).increment(1);
                decided += 1;
            }
            Decided::Held => held += 1,
            Decided::Before => {}
        }
    }
    Ok((decided, held))
}

/// When the quiet hours that run now end.
pub fn quiet_until(app: &App, now: Timestamp) -> Option<Timestamp> {
    app.message_rules.quiet.ends(&now.to_zoned(app.shop.time_zone()))
}

fn caps(app: &App, kind: Kind) -> Caps {
    let rules = &app.message_rules;
    let own = rules.of(kind).map(|rule| (rule.cap, rule.capped));
    let (kind, capped) = own.unwrap_or((rules.cap, true));
    Caps { all: capped.then_some(rules.cap), kind }
}

/// Whether a decided message still may be sent, by kind and time alone.
fn in_time(app: &App, message: &Outgoing, now: Timestamp) -> Result<(), crate::domain::outreach::Withdrawn> {
    use crate::domain::outreach::Withdrawn::{SwitchedOff, TooLate};
    if app.message_rules.of(message.kind).is_none() {
        return Err(SwitchedOff);
    }
    if now > message.until { Err(TooLate) } else { Ok(()) }
}
