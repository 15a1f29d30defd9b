//! One live source: asked for what somebody is about to be told, once for all who wait for the same, within a deadline. An answer counts
//! for a while; without one nothing is confirmed, whatever was known before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use metrics::{counter, gauge, histogram};
use serde_json::Value;
use tokio::sync::watch;

use crate::domain::breaker::Breaker;
use crate::domain::source::LiveSource;
use crate::domain::{Currency, Sku};
use crate::engine::LiveState;
use crate::sources::address::Address;
use crate::sources::web::{self, Question, Trouble};

use super::Clock;
use super::mapping::{Mapping, Method, Scheme};
use super::pace::Pace;
use super::reading::{self, Told};

/// A longer answer is no answer.
const LARGEST: u64 = 2 << 20;
/// Variants asked for in one go; who wants more gets no confirmation for the rest.
const MOST: usize = 200;
/// Answers kept.
const KEPT: usize = 20_000;
/// Seconds the currency of a shop counts.
const CURRENCY_S: i64 = 3600;

/// What is known, and what is on its way.
struct State {
    answers: HashMap<Sku, (Timestamp, Option<Told>)>,
    flights: HashMap<Sku, watch::Receiver<bool>>,
    currency: Option<(Timestamp, Currency)>,
    breaker: Breaker,
    pace: Pace,
    answered_at: Option<Timestamp>,
    failed: Option<String>,
}

/// A source.
pub(super) struct Source {
    pub(super) settings: LiveSource,
    mapping: Mapping,
    address: Address,
    credentials: Option<(String, String)>,
    agent: ureq::Agent,
    clock: Clock,
    state: Mutex<State>,
}

/// Why there is no answer.
enum Failure {
    /// It does not answer, or not as it should: too many of these and it is left alone.
    Down(String),
    /// It would rather not be asked for so long.
    Busy(Duration),
}

impl Source {
    /// A source of the settings.
    ///
    /// # Errors
    /// An environment variable is not set.
    pub(super) fn open(settings: &LiveSource, mapping: Mapping, clock: Clock) -> anyhow::Result<Source> {
        let base = settings.url.trim_end_matches('/');
        let address = Address::parse(base).with_context(|| format!("sources.live: `{base}` is no address"))?;
        let secret = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("sources.live `{}`: the environment has no {name}: set it", settings.name))
        };
        let credentials = match (&mapping.credentials, settings.secret_env.as_str()) {
            (None, _) | (_, "") => None,
            (Some(how), name) => {
                let value = match how.scheme {
                    Scheme::Plain => secret(name)?,
                    Scheme::Bearer => format!("Bearer {}", secret(name)?),
                    Scheme::Basic => {
                        let user = &settings.user_env;
                        ensure!(!user.is_empty(), "sources.live `{}`: set user_env too", settings.name);
                        format!("Basic {}", STANDARD.encode(format!("{}:{}", secret(user)?, secret(name)?)))
                    }
                };
                Some((how.header.clone(), value))
            }
        };
        let state = State {
            answers: HashMap::new(),
            flights: HashMap::new(),
            currency: None,
            breaker: Breaker::new(settings.failures, Duration::from_secs(settings.pause_s)),
            pace: Pace::new(settings.per_second),
            answered_at: None,
            failed: None,
        };
        let (settings, agent) = (settings.clone(), web::agent());
        Ok(Source { settings, mapping, address, credentials, agent, clock, state: Mutex::new(state) })
    }

    /// What an answer that still counts says of variants; those without one are left out.
    pub(super) fn known(&self, skus: &[Sku]) -> HashMap<Sku, (Timestamp, Told)> {
        let (now, state) = ((self.clock)(), self.state());
        let fresh = skus.iter().filter_map(|sku| {
            let (at, told) = state.answers.get(sku).filter(|(at, _)| self.counts(*at, now))?;
            Some((sku.clone(), (*at, told.clone()?)))
        });
        fresh.collect()
    }

    /// The same, once the source was asked for what is not known; at the latest after the deadline.
    pub(super) async fn confirmed(self: &Arc<Self>, skus: &[Sku]) -> HashMap<Sku, (Timestamp, Told)> {
        let until = tokio::time::Instant::now() + Duration::from_millis(self.settings.deadline_ms);
        for mut flight in self.embark(skus) {
            let landed = flight.wait_for(|landed| *landed);
            if tokio::time::timeout_at(until, landed).await.is_err() {
                break;
            }
        }
        self.known(skus)
    }

    pub(super) fn stands(&self) -> LiveState {
        let state = self.state();
        LiveState {
            name: self.settings.name.clone(),
            kind: self.mapping.name.clone(),
            open: !state.breaker.open(),
            failures: state.breaker.failures(),
            answered_at: state.answered_at,
            failed: state.failed.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self, at: Timestamp, now: Timestamp) -> bool {
        let age = now.duration_since(at).as_secs();
        (0..i64::try_from(self.settings.cache_s).unwrap_or(i64::MAX)).contains(&age)
    }

    /// Sends for what is neither known nor on its way; everything there is to wait for.
    fn embark(self: &Arc<Self>, skus: &[Sku]) -> Vec<watch::Receiver<bool>> {
        let now = (self.clock)();
        let mut state = self.state();
        let (mut waits, mut own): (Vec<watch::Receiver<bool>>, Vec<Sku>) = (Vec::new(), Vec::new());
        for sku in skus.iter().filter(|sku| self.mapping.asks(sku)).take(MOST) {
            let fresh = state.answers.get(sku).is_some_and(|(at, _)| self.counts(*at, now));
            match state.flights.get(sku) {
                _ if fresh || own.contains(sku) => {}
                Some(flight) => waits.push(flight.clone()),
                None => own.push(sku.clone()),
            }
        }
        for batch in own.chunks(self.mapping.batch) {
            let (landing, flight) = watch::channel(false);
            state.flights.extend(batch.iter().map(|sku| (sku.clone(), flight.clone())));
            waits.push(flight);
            let landing = Landing { source: Arc::clone(self), skus: batch.to_vec(), landing };
            // It goes on when the shopper has left: others wait for it.
            tokio::spawn(async move { landing.source.ask(&landing.skus).await });
        }
        waits
    }

    /// One batch: asked, once more after a hiccup, and what came of it kept.
    async fn ask(self: &Arc<Self>, skus: &[Sku]) {
        let (start, now) = (Instant::now(), (self.clock)());
        let until = start + Duration::from_millis(self.settings.deadline_ms);
        let turn = {
            let mut state = self.state();
            if !state.breaker.may(now) {
                return self.count("left_alone");
            }
            state.pace.take(now)
        };
        if start + turn >= until {
            let mut state = self.state();
            state.pace.give_back();
            // A probe that was not sent has shown nothing.
            state.breaker.rest_of_probe();
            drop(state);
            return self.count("too_often");
        }
        tokio::time::sleep(turn).await;
        let mut result = self.call(skus, until).await;
        if matches!(&result, Err(Failure::Down(_))) && start.elapsed() * 2 < until - start {
            result = self.call(skus, until).await;
        }
        histogram!("truetill_live_seconds", "source" => self.settings.name.clone())
            .record(start.elapsed().as_secs_f64());
        self.keep(skus, result);
    }

    fn keep(&self, skus: &[Sku], result: Result<HashMap<Sku, Told>, Failure>) {
        let (now, mut state) = ((self.clock)(), self.state());
        let outcome = match result {
            Ok(mut told) => {
                if state.answers.len() + skus.len() > KEPT {
                    state.answers.retain(|_, (at, _)| self.counts(*at, now));
                }
                if state.answers.len() + skus.len() > KEPT {
                    state.answers.clear();
                }
                state.answers.extend(skus.iter().map(|sku| (sku.clone(), (now, told.remove(sku)))));
                state.breaker.succeeded();
                (state.answered_at, state.failed) = (Some(now), None);
                "answered"
            }
            Err(Failure::Busy(pause)) => {
                state.breaker.rest(now, pause);
                state.failed = Some(format!("it asked to be left alone for {} s", pause.as_secs()));
                "busy"
            }
            Err(Failure::Down(reason)) => {
                tracing::warn!(source = self.settings.name, reason, "a live source confirms nothing");
                state.breaker.failed(now);
                state.failed = Some(reason);
                "failed"
            }
        };
        let open = if state.breaker.open() { 0.0 } else { 1.0 };
        drop(state);
        gauge!("truetill_live_open", "source" => self.settings.name.clone()).set(open);
        self.count(outcome);
    }

    fn count(&self, outcome: &'static str) {
        counter!("truetill_live_asked_total", "source" => self.settings.name.clone(), "result" => outcome).increment(1);
    }

    async fn call(self: &Arc<Self>, skus: &[Sku], until: Instant) -> Result<HashMap<Sku, Told>, Failure> {
        let (source, skus) = (Arc::clone(self), skus.to_vec());
        let blocking = tokio::task::spawn_blocking(move || source.blocking(&skus, until));
        blocking.await.unwrap_or_else(|error| Err(Failure::Down(format!("asking broke off: {error}"))))
    }

    fn blocking(&self, skus: &[Sku], until: Instant) -> Result<HashMap<Sku, Told>, Failure> {
        let currency = self.currency(until)?;
        let body = match self.mapping.method {
            Method::Get => None,
            Method::Post => Some(self.mapping.body_for(skus, &self.settings.country)),
        };
        let answer = self.json(&self.mapping.path_for(skus, &self.settings), body.as_deref(), until)?;
        let (limit, throttled) = reading::limit(&answer, self.mapping.answer.limit.as_ref());
        if let Some(limit) = limit {
            self.state().pace.told((self.clock)(), limit);
        }
        if throttled {
            return Err(Failure::Busy(Duration::from_secs(1)));
        }
        reading::read(&answer, &self.mapping.answer, (skus, currency)).map_err(Failure::Down)
    }

    /// The currency of prices that name none: of the settings, else as the shop says.
    fn currency(&self, until: Instant) -> Result<Option<Currency>, Failure> {
        let Some(at) = &self.mapping.currency else { return Ok(self.settings.currency) };
        if let Some(set) = self.settings.currency {
            return Ok(Some(set));
        }
        let now = (self.clock)();
        let known = self.state().currency;
        if let Some((told, currency)) = known
            && (0..CURRENCY_S).contains(&now.duration_since(told).as_secs())
        {
            return Ok(Some(currency));
        }
        let answer = self.json(&at.path, None, until)?;
        let code = answer.pointer(&at.at).and_then(Value::as_str).unwrap_or_default();
        let currency = code.parse().map_err(|error| Failure::Down(format!("the shop's currency: {error}")))?;
        self.state().currency = Some((now, currency));
        Ok(Some(currency))
    }

    fn json(&self, path: &str, body: Option<&str>, until: Instant) -> Result<Value, Failure> {
        let down = |reason: String| Failure::Down(reason);
        let address = self.address.below(path).ok_or_else(|| down(format!("`{path}` is no path")))?;
        let mut headers = vec![("Accept".to_string(), "application/json".to_string())];
        headers.extend(self.mapping.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let question = Question {
            address: &address,
            headers: &headers,
            credentials: self.credentials.as_ref().map(|(name, value)| (name.as_str(), value.as_str())),
            body,
            patience: until.saturating_duration_since(Instant::now()),
            redirects: 0,
        };
        if question.patience.is_zero() {
            return Err(down("no answer in time".to_string()));
        }
        let mut response = web::ask(&self.agent, &question).map_err(|trouble| match trouble {
            Trouble::Passing(reason) | Trouble::Lasting(reason) => down(reason),
        })?;
        match response.status().as_u16() {
            200 => {}
            429 | 430 | 503 => {
                let pause = web::retry_after(response.headers(), (self.clock)());
                return Err(pause.map_or_else(|| down(format!("it answers {}", response.status())), Failure::Busy));
            }
            status => return Err(down(format!("it answers {status}"))),
        }
        let bytes = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let bytes = bytes.map_err(|error| down(format!("its answer broke off: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| down(format!("its answer is no JSON: {error}")))
    }
}

/// Tells those who wait, whatever became of a batch.
struct Landing {
    source: Arc<Source>,
    skus: Vec<Sku>,
    landing: watch::Sender<bool>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut state = self.source.state();
        for sku in &self.skus {
            state.flights.remove(sku);
        }
        drop(state);
        let _ = self.landing.send(true);
    }
}
