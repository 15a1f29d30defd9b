//! Carrying what waits in the outbox: each event is taken by one server for one try, and tried again, less and less often, until it was
//! taken or is too old. A message is written anew at every try, from what is true then.

use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::app::App;
use crate::courier::{Courier, Parcel};
use crate::domain::outreach::{Outgoing, Stage, Withdrawn};
use crate::store::outreach::Due;

use super::Round;
use super::ready::{Ready, ready};

/// Events carried in one round.
const ROUND: i64 = 200;
/// Nobody else takes an event for so long after the first try; it doubles with each.
const FIRST_S: i64 = 60;
/// A round ends before the first event it took could be taken by somebody else; the rest waits for the next.
const LONGEST_ROUND: Duration = Duration::from_secs(30);
/// The longest wait between two tries.
const LONGEST_S: i64 = 3_600;

/// Carries every event that waits.
///
/// # Errors
/// The store or the catalog does not answer.
pub async fn carry(app: &App, now: Timestamp, round: &mut Round) -> anyhow::Result<()> {
    let Some(courier) = app.courier.as_deref() else { return Ok(()) };
    let begun = Instant::now();
    for due in app.state.events_due(now, ROUND).await? {
        if begun.elapsed() > LONGEST_ROUND {
            break;
        }
        let id = due.event.id.clone();
        if is_too_old(app, &due, now) {
            tracing::error!(event = id, attempts = due.attempts, "an event was given up: outbox.url did not take it");
            app.state.end_event(&id, "given_up").await?;
            round.failed += 1;
            continue;
        }
        if !app.state.take_event(&due, now, patience(due.attempts)).await? {
            continue;
        }
        match one(app, courier, (&due, now)).await {
            Ok(Came::Carried) => round.carried += 1,
            Ok(Came::Withdrawn) => round.withdrawn += 1,
            Ok(Came::PutOff) => {}
            Err(error) => {
                tracing::warn!(event = id, error = format!("{error:#}"), "an event was not taken; it is tried again");
                round.failed += 1;
            }
        }
    }
    Ok(())
}

fn patience(attempts: i64) -> SignedDuration {
    let doubled = FIRST_S << attempts.clamp(0, 6);
    SignedDuration::from_secs(doubled.min(LONGEST_S))
}

/// Messages have a time of their own.
fn is_too_old(app: &App, due: &Due, now: Timestamp) -> bool {
    now.duration_since(due.at) > SignedDuration::from_hours(app.config.outbox.give_up_h) && message_id(due).is_none()
}

/// What became of a try.
enum Came {
    Carried,
    Withdrawn,
    PutOff,
}

fn message_id(due: &Due) -> Option<String> {
    let document: Value = serde_json::from_str(&due.event.document).ok()?;
    (document["event"] == "message").then(|| document["id"].as_str().map(str::to_string))?
}

async fn one(app: &App, courier: &dyn Courier, (due, now): (&Due, Timestamp)) -> anyhow::Result<Came> {
    let Some(id) = message_id(due) else {
        let parcel = Parcel { id: due.event.id.clone(), body: due.event.document.clone() };
        courier.carry(&parcel, now).await?;
        app.state.end_event(&due.event.id, "done").await?;
        return Ok(Came::Carried);
    };
    let message = app.state.outgoing(&id).await?.with_context(|| format!("message {id} is gone"))?;
    match ready(app, &message, now).await? {
        Ready::Send { reply, promotion } => {
            let text = reply.text();
            let parcel = Parcel { id: message.id.clone(), body: envelope(&message, (&text, &promotion)).to_string() };
            courier.carry(&parcel, now).await?;
            let sent = Outgoing { text: Some(text), promotion, ..ended(message, Stage::Sent, now) };
            app.state.end_outgoing(&sent).await?;
            metrics::counter!("truetill_messages_sent_total", "kind" => sent.kind.as_str()).increment(1);
            Ok(Came::Carried)
        }
        Ready::Withdraw(why) => {
            app.state.end_outgoing(&withdrawn(message, why, now)).await?;
            Ok(Came::Withdrawn)
        }
        Ready::Later(until) => {
            app.state.put_off_event(&due.event.id, until).await?;
            Ok(Came::PutOff)
        }
    }
}

fn ended(message: Outgoing, stage: Stage, now: Timestamp) -> Outgoing {
    Outgoing { stage, settled: Some(now), ..message }
}

fn withdrawn(message: Outgoing, why: Withdrawn, now: Timestamp) -> Outgoing {
    Outgoing { why: Some(why), ..ended(message, Stage::Withdrawn, now) }
}

/// What the merchant's system gets.
fn envelope(message: &Outgoing, (text, promotion): (&str, &Option<String>)) -> Value {
    json!({
        "event": "message",
        "id": message.id,
        "kind": message.kind,
        "to": message.contact,
        "customer": message.customer,
        "session": message.session,
        "language": message.language,
        "text": text,
        "promotion": promotion,
    })
}
