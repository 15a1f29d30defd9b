//! Where parcels are. In: what carriers send by themselves, and the moment to ask them. Out: events kept once, orders that know their
//! parcel's newest word. A carrier that does not answer is left alone for a while; nothing here waits for one twice.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::app::App;
use crate::carriers::Followed;
use crate::domain::order::OrderState;
use crate::domain::shipment::{CarrierRule, ParcelEvent};
use crate::engine::AskError;
use crate::store::asking::Due;
use crate::store::parcels::{Heard, Kept};

/// Parcels looked at in one round; the rest waits for the next.
const ROUND: i64 = 200;
/// A round ends after this; the rest waits for the next.
const LONGEST_ROUND: Duration = Duration::from_secs(30);
/// A parcel that is not asked about now is looked at again after this.
const LATER: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait between two questions about a parcel that its carrier does not know.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Questions that were answered.
    pub asked: usize,
    /// Events that moved a parcel.
    pub moved: usize,
    /// Parcels their carrier does not know.
    pub unknown: usize,
    /// Questions without an answer.
    pub failed: usize,
}

/// Keeps what a carrier told; what became of each event, in order.
///
/// # Errors
/// The store does not answer: what came before is kept, and may be told again.
pub async fn heard(app: &App, rule: &CarrierRule, events: &[ParcelEvent]) -> anyhow::Result<Vec<Kept>> {
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        let heard = Heard { called: &rule.called, day: app.shop.today(event.at), now: app.now() };
        let became = app.state.keep_parcel_event(event, heard).await?;
        metrics::counter!("truetill_parcel_events_total", "carrier" => rule.name.clone(), "result" => became.as_str())
            .increment(1);
        kept.push(became);
    }
    Ok(kept)
}

/// What a server does from time to time: takes up events whose parcel was unknown when they came, and asks about the parcels whose
/// time has come.
///
/// # Errors
/// The store does not answer.
pub async fn tick(app: &App, now: Timestamp) -> anyhow::Result<Round> {
    let mut round = Round::default();
    for event in app.state.strays(ROUND).await? {
        if let Some(followed) = app.carriers.named(&event.carrier) {
            round.moved += moved(&heard(app, &followed.rule, &[event]).await?);
        }
    }
    if !app.carriers.iter().any(|followed| followed.asked) {
        return Ok(round);
    }
    let begun = Instant::now();
    for due in app.state.parcels_due(now, ROUND).await? {
        if begun.elapsed() > LONGEST_ROUND {
            break;
        }
        one(app, &due, now, &mut round).await?;
    }
    Ok(round)
}

async fn one(app: &App, due: &Due, now: Timestamp, round: &mut Round) -> anyhow::Result<()> {
    let Some(followed) = app.carriers.of(&due.order).filter(|followed| followed.asked) else {
        app.state.take_parcel(due, Some(now + LATER)).await?;
        return Ok(());
    };
    if !under_way(due) {
        app.state.take_parcel(due, (!ended(due)).then_some(now + LATER)).await?;
        return Ok(());
    }
    let rests = app.state.carrier_rests(&followed.rule.name).await?;
    if rests > now {
        app.state.take_parcel(due, Some(rests)).await?;
        return Ok(());
    }
    // It is taken before it is asked: who dies in between costs one interval, and two servers never ask for the same.
    if app.state.take_parcel(due, Some(now + wait(&followed.rule, due.failures))).await? {
        ask(app, followed, (due, now), round).await?;
    }
    Ok(())
}

async fn ask(app: &App, followed: &Followed, (due, now): (&Due, Timestamp), round: &mut Round) -> anyhow::Result<()> {
    let name = &followed.rule.name;
    let outcome = match followed.ask(&due.tracking).await {
        Ok(events) => {
            app.state.carrier_answered(name, true, now).await?;
            app.state.parcel_known(due).await?;
            round.asked += 1;
            round.moved += moved(&heard(app, &followed.rule, &events).await?);
            "answered"
        }
        Err(AskError::Unknown) => {
            app.state.carrier_answered(name, true, now).await?;
            app.state.parcel_unknown(due, now + wait(&followed.rule, due.failures + 1)).await?;
            round.unknown += 1;
            "unknown"
        }
        Err(AskError::Down(error)) => {
            tracing::warn!(carrier = %name, error = format!("{error:#}"), "a carrier did not say where a parcel is");
            app.state.carrier_answered(name, false, now).await?;
            round.failed += 1;
            "failed"
        }
    };
    metrics::counter!("truetill_carrier_questions_total", "carrier" => name.clone(), "outcome" => outcome).increment(1);
    Ok(())
}

/// True while its carrier has something new to tell.
fn under_way(due: &Due) -> bool {
    let order = &due.order;
    let sent = matches!(order.state, OrderState::Processing | OrderState::Shipped | OrderState::ReadyForPickup);
    sent && !order.parcel.as_ref().is_some_and(|parcel| parcel.state.ends())
}

/// True when no word about it can change the order any more; one that waits for its payment may be sent later.
fn ended(due: &Due) -> bool {
    due.order.state != OrderState::AwaitingPayment
}

fn wait(rule: &CarrierRule, failures: i64) -> SignedDuration {
    let own = SignedDuration::from_mins(rule.ask_minutes.max(1));
    let doubled = own.checked_mul(1 << failures.clamp(0, 12)).unwrap_or(LONGEST_WAIT);
    doubled.min(LONGEST_WAIT.max(own))
}

fn moved(kept: &[Kept]) -> usize {
    kept.iter().filter(|kept| **kept == Kept::Moved).count()
}
