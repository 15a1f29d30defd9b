//! Any carrier whose JSON the rules explain: which field is what, and which of its words means which state.

use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::wire::{self, Ask};
use super::{Word, event, text};
use crate::config::CarrierKeys;
use crate::domain::shipment::{CarrierRule, Fields, ParcelEvent, plain};
use crate::engine::{AskError, Carrier};

/// Events of one body.
const MOST: usize = 500;
/// Greater numbers are milliseconds.
const SECONDS_END: i64 = 100_000_000_000;

/// The client.
pub(super) struct Generic {
    rule: Arc<CarrierRule>,
    fields: Fields,
    secret: String,
    zone: TimeZone,
}

impl Generic {
    pub fn new(rule: &Arc<CarrierRule>, keys: &CarrierKeys, zone: TimeZone) -> Generic {
        let fields = rule.fields.clone().unwrap_or_default();
        Generic { rule: Arc::clone(rule), fields, secret: keys.secret.0.clone(), zone }
    }

    fn events(&self, body: &Value) -> Result<Vec<ParcelEvent>, String> {
        let listed = if self.fields.list.is_empty() { Some(body) } else { body.pointer(&self.fields.list) };
        let listed = listed.ok_or_else(|| format!("`{}` is missing", self.fields.list))?;
        let events = listed.as_array().map_or_else(|| std::slice::from_ref(listed), Vec::as_slice);
        if events.len() > MOST {
            return Err(format!("more than {MOST} events"));
        }
        events.iter().map(|one| self.event(one)).collect()
    }

    fn event(&self, one: &Value) -> Result<ParcelEvent, String> {
        let fields = &self.fields;
        let found = |pointer: &str| one.pointer(pointer).filter(|_| !pointer.is_empty());
        let needed = |pointer: &str| text(found(pointer)).ok_or_else(|| format!("`{pointer}` is missing"));
        let at = found(&fields.at).and_then(|at| self.moment(at));
        let tracking = plain(&needed(&fields.tracking)?);
        if tracking.is_empty() {
            return Err(format!("`{}` is no parcel's number", fields.tracking));
        }
        let word = Word {
            tracking,
            order: text(found(&fields.order)),
            word: needed(&fields.word)?,
            place: found(&fields.place).and_then(Value::as_str),
            at: at.ok_or_else(|| format!("`{}` is no moment", fields.at))?,
            promised: found(&fields.promised).and_then(|day| self.day(day)),
            id: text(found(&fields.id)),
        };
        Ok(event(&self.rule, word))
    }

    fn moment(&self, value: &Value) -> Option<Timestamp> {
        if let Some(number) = value.as_i64() {
            let seconds = if number >= SECONDS_END { number / 1_000 } else { number };
            return Timestamp::from_second(seconds).ok();
        }
        let said = value.as_str()?.trim();
        let own = || said.parse::<DateTime>().ok()?.to_zoned(self.zone.clone()).ok();
        said.parse().ok().or_else(|| Some(own()?.timestamp()))
    }

    fn day(&self, value: &Value) -> Option<Date> {
        let said = value.as_str()?.trim();
        let moment = said.parse::<Timestamp>().ok().map(|at| at.to_zoned(self.zone.clone()).date());
        moment.or_else(|| said.parse().ok())
    }
}

#[async_trait]
impl Carrier for Generic {
    fn read(&self, body: &[u8]) -> Result<Vec<ParcelEvent>, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
        self.events(&body)
    }

    async fn ask(&self, tracking: &str) -> Result<Vec<ParcelEvent>, AskError> {
        let url = self.rule.ask.replace("{tracking}", tracking);
        let asked = Ask { url, bearer: self.secret.clone(), form: None };
        match wire::ask(asked).await.map_err(AskError::Down)? {
            (200, answer) => {
                let mut events = self.events(&answer).map_err(|fault| AskError::Down(anyhow!(fault)))?;
                events.retain(|event| event.tracking == tracking);
                Ok(events)
            }
            (404, _) => Err(AskError::Unknown),
            (status, _) => Err(AskError::Down(anyhow!("the carrier answered {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shipment::{CarrierRules, ParcelState};

    fn generic(at: usize) -> Generic {
        let rules: CarrierRules = toml::from_str(include_str!("../../data/rules/carriers.toml")).unwrap();
        let rule = Arc::new(rules.carrier[at].clone());
        Generic::new(&rule, &CarrierKeys::default(), TimeZone::get("Europe/Bratislava").unwrap())
    }

    fn check(at: usize, body: &str, expected: Result<&[(Option<ParcelState>, &str)], &str>) {
        match (generic(at).read(body.as_bytes()), expected) {
            (Ok(events), Ok(expected)) => {
                let read: Vec<_> = events.iter().map(|event| (event.state, event.at.to_string())).collect();
                let read: Vec<_> = read.iter().map(|(state, at)| (*state, at.as_str())).collect();
                assert_eq!(read, expected, "{body}");
            }
            (Err(fault), Err(part)) => assert!(fault.contains(part), "{fault}"),
            (got, _) => panic!("{body}: {got:?}"),
        }
    }

    #[test]
    fn fields_and_words_are_the_rules() {
        let one = |at: &str, status: &str| {
            format!(
                r#"{{"events":[{{"id":7,"parcel":"Z 402 024","status":"{status}","at":{at},"place":"Nitra","promised":"2026-11-27"}}]}}"#
            )
        };
        let transit = Some(ParcelState::InTransit);
        check(1, &one("\"2026-11-23T10:00:00+01:00\"", "In transit"), Ok(&[(transit, "2026-11-23T09:00:00Z")]));
        check(1, &one("\"2026-11-23 10:00:00\"", "in transit"), Ok(&[(transit, "2026-11-23T09:00:00Z")]));
        check(1, &one("1795428000", "lost"), Ok(&[(None, "2026-11-23T10:00:00Z")]));
        check(1, &one("1795428000000", "lost"), Ok(&[(None, "2026-11-23T10:00:00Z")]));
        check(1, &one("\"soon\"", "in transit"), Err("no moment"));
        check(1, &one("1", "in transit").replace("parcel", "x"), Err("/parcel"));
        check(1, "{}", Err("/events"));
        check(1, "nothing", Err("not JSON"));
        let bare = r#"{"parcelNumber":"1","status":"DELIVERED","dateTime":"2026-11-23T10:00:00Z"}"#;
        check(2, bare, Ok(&[(Some(ParcelState::Delivered), "2026-11-23T10:00:00Z")]));
        check(2, &format!("[{bare},{bare}]"), Ok(&[(Some(ParcelState::Delivered), "2026-11-23T10:00:00Z"); 2]));
    }

    #[test]
    fn an_event_has_its_own_id_or_the_digest_of_what_it_says() {
        let own = r#"{"events":[{"id":7,"parcel":"Z-1","status":"x","at":1}]}"#;
        assert_eq!(generic(1).read(own.as_bytes()).unwrap()[0].id, "packeta:7");
        let said = r#"{"parcelNumber":"1","status":"DELIVERED","dateTime":"2026-11-23T10:00:00Z"}"#;
        let id = |body: &str| generic(2).read(body.as_bytes()).unwrap()[0].id.clone();
        assert_eq!(id(said), id(said));
        assert_ne!(id(said), id(&said.replace("23T", "24T")));
    }
}
