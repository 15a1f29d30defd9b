//! Carriers: CDEK, and any other whose JSON the rules explain. In: what a carrier sends, with its proof, or a question about a
//! parcel. Out: events in the shop's words, and the page where a parcel is followed. It stores nothing and decides nothing.

mod cdek;
mod generic;
mod proof;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::config::CarrierKeys;
use crate::domain::order::Order;
use crate::domain::shipment::{self, Adapter, CarrierRule, CarrierRules, ParcelEvent};
use crate::engine::Carrier;

pub use proof::Proof;

/// Every carrier of the rules.
#[derive(Default)]
pub struct Carriers {
    all: Vec<Followed>,
}

/// A carrier with its rules.
pub struct Followed {
    /// Its rules.
    pub rule: Arc<CarrierRule>,
    /// True where parcels may be asked about.
    pub asked: bool,
    carrier: Box<dyn Carrier>,
    secret: String,
}

/// Why nothing of what was sent is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such carrier, or somebody else speaks in its name: the two look alike.
    Unproved,
    /// It is not what the carrier sends.
    Unreadable(String),
}

impl Carriers {
    /// The carriers of the rules with their keys; `zone` is the clock of moments that name none.
    ///
    /// # Errors
    /// Keys of a carrier the rules do not have, a time zone that is none: by the carrier's name.
    pub fn open(
        keys: &BTreeMap<String, CarrierKeys>,
        rules: CarrierRules,
        zone: &TimeZone,
    ) -> anyhow::Result<Carriers> {
        let known = |name: &String| rules.carrier.iter().any(|rule| rule.name == *name);
        let empty = |keys: &CarrierKeys| *keys == CarrierKeys::default();
        if let Some((name, _)) = keys.iter().find(|(name, keys)| !known(name) && !empty(keys)) {
            anyhow::bail!("[carriers.{name}]: data/rules/carriers.toml has no carrier of this name");
        }
        let none = CarrierKeys::default();
        let follow = |rule: CarrierRule| {
            let zone = match rule.timezone.as_str() {
                "" => zone.clone(),
                name => TimeZone::get(name).with_context(|| format!("rules/carriers.toml, carrier `{}`", rule.name))?,
            };
            let keys = keys.get(&rule.name).unwrap_or(&none);
            let rule = Arc::new(rule);
            let carrier: Box<dyn Carrier> = match rule.adapter {
                Adapter::Cdek => Box::new(cdek::Cdek::new(&rule, keys)),
                Adapter::Generic => Box::new(generic::Generic::new(&rule, keys, zone)),
            };
            let can = rule.adapter == Adapter::Generic || !keys.account.is_empty();
            let asked = rule.ask_minutes > 0 && can;
            Ok(Followed { asked, carrier, secret: keys.webhook_secret.0.clone(), rule })
        };
        Ok(Carriers { all: rules.carrier.into_iter().map(follow).collect::<anyhow::Result<_>>()? })
    }

    /// What a carrier sent by itself.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn read(&self, name: &str, proof: &Proof<'_>) -> Result<(&Followed, Vec<ParcelEvent>), Refused> {
        let found = self.named(name).ok_or(Refused::Unproved)?;
        if !proof.holds(&found.secret, !found.rule.signature.is_empty()) {
            return Err(Refused::Unproved);
        }
        Ok((found, found.carrier.read(proof.body).map_err(Refused::Unreadable)?))
    }

    /// A carrier by its name in the rules.
    pub fn named(&self, name: &str) -> Option<&Followed> {
        self.all.iter().find(|followed| followed.rule.name == name)
    }

    /// The carrier an order means.
    pub fn of(&self, order: &Order) -> Option<&Followed> {
        let called = order.carrier.as_deref()?;
        self.all.iter().find(|followed| followed.rule.is_called(called))
    }

    /// Every carrier.
    pub fn iter(&self) -> impl Iterator<Item = &Followed> {
        self.all.iter()
    }

    /// Notes on an order where its parcel is followed, unless the shop says it itself.
    pub fn link(&self, order: &mut Order) {
        if order.tracking_link.is_none()
            && let (Some(followed), Some(tracking)) = (self.of(order), &order.tracking)
        {
            order.tracking_link = followed.link(tracking);
        }
    }
}

impl Followed {
    /// What a carrier knows of a parcel now.
    ///
    /// # Errors
    /// It does not know the parcel, or does not answer.
    pub async fn ask(&self, tracking: &str) -> Result<Vec<ParcelEvent>, crate::engine::AskError> {
        self.carrier.ask(tracking).await
    }

    fn link(&self, tracking: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let sound = !tracking.is_empty() && tracking.chars().all(plain) && !self.rule.link.is_empty();
        sound.then(|| self.rule.link.replace("{tracking}", tracking))
    }
}

/// One word of a carrier, before it is an event.
struct Word<'a> {
    tracking: String,
    order: Option<String>,
    word: String,
    place: Option<&'a str>,
    at: jiff::Timestamp,
    promised: Option<jiff::civil::Date>,
    id: Option<String>,
}

/// The event behind a word: its state by the rules, its id the carrier's own, or the digest of what it says.
fn event(rule: &CarrierRule, word: Word<'_>) -> ParcelEvent {
    let place = word.place.and_then(shipment::place);
    let id = word.id.unwrap_or_else(|| {
        let said = format!("{}\n{}\n{}\n{place:?}\n{:?}", word.tracking, word.word, word.at, word.promised);
        hex::encode(&Sha256::digest(said)[..16])
    });
    ParcelEvent {
        id: format!("{}:{id}", rule.name),
        carrier: rule.name.clone(),
        state: rule.state(&word.word),
        tracking: word.tracking,
        order: word.order,
        word: word.word,
        place,
        at: word.at,
        promised: word.promised,
    }
}

/// A text or a number as text, within bounds.
fn text(value: Option<&serde_json::Value>) -> Option<String> {
    let text = match value? {
        serde_json::Value::String(text) => text.trim().to_string(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (1..=200).contains(&text.chars().count()).then_some(text)
}
