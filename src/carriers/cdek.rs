//! CDEK, API 2: webhooks of type ORDER_STATUS, and questions about an order by its number at CDEK. Webhooks are not signed, so their
//! address bears the key; a parcel that comes back has the number of its order too and is left alone.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::wire::{self, Ask};
use super::{Word, event, text};
use crate::config::CarrierKeys;
use crate::domain::shipment::{CarrierRule, ParcelEvent, plain};
use crate::engine::{AskError, Carrier};

const BASE: &str = "https://api.cdek.ru";
/// A token is given back so long before its end.
const EARLY: Duration = Duration::from_secs(60);

/// The client.
pub(super) struct Cdek {
    rule: Arc<CarrierRule>,
    base: String,
    account: String,
    secret: String,
    token: Mutex<Option<(String, Instant)>>,
}

impl Cdek {
    pub fn new(rule: &Arc<CarrierRule>, keys: &CarrierKeys) -> Cdek {
        let base = if keys.base.is_empty() { BASE } else { keys.base.trim_end_matches('/') };
        Cdek {
            rule: Arc::clone(rule),
            base: base.to_string(),
            account: keys.account.clone(),
            secret: keys.secret.0.clone(),
            token: Mutex::new(None),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<(String, Instant)>> {
        self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A token that is worth something still, or a fresh one.
    async fn token(&self) -> anyhow::Result<String> {
        let held = self.held().clone();
        if let Some((token, _)) = held.filter(|(_, until)| *until > Instant::now()) {
            return Ok(token);
        }
        let form = vec![
            ("grant_type", "client_credentials".to_string()),
            ("client_id", self.account.clone()),
            ("client_secret", self.secret.clone()),
        ];
        let url = format!("{}/v2/oauth/token", self.base);
        let (status, answer) = wire::ask(Ask { url, bearer: String::new(), form: Some(form) }).await?;
        let token = answer["access_token"].as_str().filter(|_| status == 200);
        let token = token.with_context(|| format!("CDEK gives no token ({status}): look at [carriers.cdek]"))?;
        let lasts = Duration::from_secs(answer["expires_in"].as_u64().unwrap_or(0)).saturating_sub(EARLY);
        *self.held() = Some((token.to_string(), Instant::now() + lasts));
        Ok(token.to_string())
    }

    async fn order(&self, tracking: &str) -> anyhow::Result<(u16, Value)> {
        let url = format!("{}/v2/orders?cdek_number={tracking}", self.base);
        wire::ask(Ask { url, bearer: self.token().await?, form: None }).await
    }
}

#[async_trait]
impl Carrier for Cdek {
    fn read(&self, body: &[u8]) -> Result<Vec<ParcelEvent>, String> {
        let told: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
        let attributes = &told["attributes"];
        if told["type"] != "ORDER_STATUS" || attributes["is_return"] == true {
            return Ok(Vec::new());
        }
        let missing = |name: &str| format!("`attributes.{name}` is missing");
        let tracking = text(attributes.get("cdek_number")).ok_or_else(|| missing("cdek_number"))?;
        // `status_code` is the older field; where both are told it may be a number.
        let word = text(attributes.get("code")).or_else(|| text(attributes.get("status_code")));
        let at = moment(&attributes["status_date_time"]).or_else(|| moment(&told["date_time"]));
        let word = Word {
            tracking: plain(&tracking),
            order: text(attributes.get("number")),
            word: word.ok_or_else(|| missing("code"))?,
            place: attributes["city_name"].as_str(),
            at: at.ok_or_else(|| missing("status_date_time"))?,
            promised: None,
            id: None,
        };
        Ok(vec![event(&self.rule, word)])
    }

    async fn ask(&self, tracking: &str) -> Result<Vec<ParcelEvent>, AskError> {
        let (mut status, mut answer) = self.order(tracking).await.map_err(AskError::Down)?;
        if status == 401 {
            *self.held() = None;
            (status, answer) = self.order(tracking).await.map_err(AskError::Down)?;
        }
        match status {
            200 => Ok(self.events(tracking, &answer)),
            400 | 404 => Err(AskError::Unknown),
            _ => Err(AskError::Down(anyhow!("CDEK answered {status}"))),
        }
    }
}

impl Cdek {
    /// Every status of an order; the newest bears the day it is planned for.
    fn events(&self, tracking: &str, answer: &Value) -> Vec<ParcelEvent> {
        let entity = &answer["entity"];
        if entity["is_return"] == true {
            return Vec::new();
        }
        let planned = entity["planned_delivery_date"].as_str().and_then(|day| day.get(..10)?.parse().ok());
        let statuses = entity["statuses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let newest = statuses.iter().filter_map(|status| moment(&status["date_time"])).max();
        let read = |status: &Value| {
            let at = moment(&status["date_time"])?;
            let word = Word {
                tracking: plain(tracking),
                order: text(entity.get("number")),
                word: text(status.get("code"))?,
                place: status["city"].as_str(),
                at,
                promised: planned.filter(|_| Some(at) == newest),
                id: None,
            };
            Some(event(&self.rule, word))
        };
        let mut events: Vec<ParcelEvent> = statuses.iter().filter_map(read).collect();
        events.sort_by_key(|event| event.at);
        events
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shipment::{CarrierRules, ParcelState};

    fn cdek() -> Cdek {
        let rules: CarrierRules = toml::from_str(include_str!("../../data/rules/carriers.toml")).unwrap();
        Cdek::new(&Arc::new(rules.carrier[0].clone()), &CarrierKeys::default())
    }

    fn notice(attributes: &str) -> String {
        format!(
            r#"{{"type":"ORDER_STATUS","date_time":"2026-11-22T10:00:00+0000","uuid":"72753031-5ab0-4f65-ab5b-5a1f5ca3b3d1",
            "attributes":{{{attributes}}}}}"#
        )
    }

    fn check(body: &str, expected: Result<&[(&str, Option<ParcelState>)], &str>) {
        let read = cdek().read(body.as_bytes());
        match (read, expected) {
            (Ok(events), Ok(expected)) => {
                let read: Vec<_> = events.iter().map(|event| (event.tracking.as_str(), event.state)).collect();
                assert_eq!(read, expected, "{body}");
            }
            (Err(fault), Err(part)) => assert!(fault.contains(part), "{fault}"),
            (got, _) => panic!("{body}: {got:?}"),
        }
    }

    #[test]
    fn notices_are_read_as_documented() {
        let status = |code: &str| {
            let fields = format!(
                r#""is_return":false,"cdek_number":1540107718,"number":"TT-1","status_code":"{code}",
                "status_date_time":"2026-11-22T09:30:00+0000","city_name":"Новосибирск","city_code":"270""#
            );
            notice(&fields)
        };
        check(&status("TAKEN_BY_COURIER"), Ok(&[("1540107718", Some(ParcelState::OutForDelivery))]));
        let both = status("4").replace("\"city_code\"", "\"code\":\"DELIVERED\",\"city_code\"");
        check(&both, Ok(&[("1540107718", Some(ParcelState::Delivered))]));
        check(&status("REMOVED"), Ok(&[("1540107718", None)]));
        check(&status("DELIVERED").replace("\"is_return\":false", "\"is_return\":true"), Ok(&[]));
        check(&status("DELIVERED").replace("ORDER_STATUS", "PRINT_FORM"), Ok(&[]));
        check(&status("DELIVERED").replace("cdek_number", "x"), Err("cdek_number"));
        check(&status("DELIVERED").replace("status_code", "x"), Err("attributes.code"));
        check("[", Err("not JSON"));
        let event = cdek().read(status("DELIVERED").as_bytes()).unwrap().remove(0);
        assert_eq!((event.at.to_string().as_str(), event.order.as_deref()), ("2026-11-22T09:30:00Z", Some("TT-1")));
        assert_eq!(event.place.as_deref(), Some("Новосибирск"));
    }

    #[test]
    fn an_answer_is_all_its_statuses_and_a_day() {
        let answer = serde_json::json!({"entity": {"is_return": false, "number": "TT-1", "planned_delivery_date": "2026-11-27",
        "statuses": [
            {"code": "SENT_TO_RECIPIENT_CITY", "date_time": "2026-11-22T09:30:00+0000", "city": "Москва"},
            {"code": "CREATED", "date_time": "2026-11-20T09:30:00+0300", "city": "Москва"},
            {"code": "NONSENSE"},
        ]}});
        let events = cdek().events("1540107718", &answer);
        let states: Vec<_> =
            events.iter().map(|event| (event.state, event.promised.map(|day| day.to_string()))).collect();
        let day = Some("2026-11-27".to_string());
        assert_eq!(states, [(Some(ParcelState::Registered), None), (Some(ParcelState::InTransit), day)]);
    }
}
