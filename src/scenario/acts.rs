//! What happens in a scenario besides the shopper's words: a carrier tells something, the shop writes first.

use jiff::{SignedDuration, ToSpan};
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::domain::outreach::Kind;
use crate::domain::shipment::{ParcelEvent, place, plain};
use crate::outreach::{self, Ready};
use crate::tracking;

/// A carrier's word, by the moment of the run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The carrier, by its name in `data/rules/carriers.toml`.
    pub carrier: String,
    /// The parcel's number.
    pub tracking: String,
    /// The carrier's own word.
    pub word: String,
    /// Where.
    #[serde(default)]
    pub place: Option<String>,
    /// When it happened.
    #[serde(default)]
    pub hours_ago: i64,
    /// Days from today to the promised one, backwards too.
    #[serde(default)]
    pub promised_in_days: Option<i64>,
}

/// Lets a carrier tell something.
pub(super) async fn tell(app: &App, word: &Word) -> Result<(), String> {
    let followed = app.carriers.named(&word.carrier).ok_or_else(|| format!("no carrier `{}`", word.carrier))?;
    let today = app.shop.today(app.now());
    let promised = word.promised_in_days.map(|days| today.checked_add(days.days())).transpose();
    let event = ParcelEvent {
        id: format!("{}:{}", word.carrier, Uuid::now_v7()),
        carrier: word.carrier.clone(),
        tracking: plain(&word.tracking),
        order: None,
        word: word.word.clone(),
        state: followed.rule.state(&word.word),
        place: word.place.as_deref().and_then(place),
        at: app.now() - SignedDuration::from_hours(word.hours_ago),
        promised: promised.map_err(|error| error.to_string())?,
    };
    tracking::heard(app, &followed.rule, &[event]).await.map(|_| ()).map_err(|error| format!("{error:#}"))
}

/// What the shop would write to a customer now, or as soon as nobody sleeps; none when it would not.
pub(super) async fn started(app: &App, kind: Kind, customer: &str) -> anyhow::Result<Option<String>> {
    let now = outreach::quiet_until(app, app.now()).unwrap_or_else(|| app.now());
    let due = outreach::due(app, now).await?;
    let own = due.into_iter().find(|message| message.kind == kind && message.customer.as_deref() == Some(customer));
    let Some(message) = own else { return Ok(None) };
    Ok(match outreach::ready(app, &message, now).await? {
        Ready::Send { reply, .. } => Some(reply.text()),
        Ready::Withdraw(_) | Ready::Later(_) => None,
    })
}
