//! Idempotency-Key: the same key with the same body gets the first answer again. Kept in memory, bounded, for a day.
//! A request that ends without an answer frees its key, so that a retry is a new attempt.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::http::chat::types::ChatReply;
use crate::http::door::auth::{Caller, KeyDigest};
use crate::http::error::{Code, Problem};

const KEPT: Duration = Duration::from_secs(24 * 3600);
const MOST: usize = 10_000;

/// Caller and key: another caller's key is another key.
type Key = (Option<KeyDigest>, String);

/// What was asked under which key, and what was answered.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    oldest: VecDeque<(Instant, Key)>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    body: [u8; 32],
    answer: Option<Arc<ChatReply>>,
}

/// What to do with a request.
pub enum Claim {
    /// It carries no key.
    Free,
    /// It is the first; tell the reservation the answer.
    First(Reservation),
    /// It was answered before.
    Again(Arc<ChatReply>),
}

impl Ledger {
    /// Looks the request's key up and reserves it.
    ///
    /// # Errors
    /// A key that is malformed, stands for another body, or whose first request still runs.
    pub fn claim(&self, headers: &HeaderMap, caller: &Caller, body: &[u8]) -> Result<Claim, Problem> {
        let Some(key) = read(headers)? else { return Ok(Claim::Free) };
        let key = (caller.key, key);
        let body: [u8; 32] = Sha256::digest(body).into();
        let mut entries = self.entries();
        entries.forget(Instant::now());
        match entries.by_key.get(&key) {
            Some(entry) if entry.body != body => {
                Err(Problem::new(Code::IdempotencyKeyReused, "The first request with this key had another body."))
            }
            Some(Entry { answer: Some(answer), .. }) => Ok(Claim::Again(Arc::clone(answer))),
            Some(_) => Err(Problem {
                retry_after_s: Some(1),
                ..Problem::new(Code::IdempotencyInFlight, "Its answer is not there yet.")
            }),
            None => {
                entries.insert(key.clone(), body);
                Ok(Claim::First(Reservation { ledger: self.clone(), key: Some(key) }))
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Each change is one insert or remove: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn insert(&mut self, key: Key, body: [u8; 32]) {
        let since = Instant::now();
        self.oldest.push_back((since, key.clone()));
        self.by_key.insert(key, Entry { since, body, answer: None });
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, _)) = self.oldest.front() {
            if now.duration_since(*since) < KEPT && self.oldest.len() < MOST {
                return;
            }
            let Some((since, key)) = self.oldest.pop_front() else { return };
            // The key may have been freed and taken again meanwhile.
            if self.by_key.get(&key).is_some_and(|entry| entry.since == since) {
                self.by_key.remove(&key);
            }
        }
    }
}

/// The key of a request, when it carries one.
///
/// # Errors
/// It is empty, too long or not plain ASCII.
pub fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=200).contains(&text.len()));
    let bad = || Problem::new(Code::IdempotencyKeyInvalid, "It is empty, too long or not plain ASCII.");
    text.map(|text| Some(text.to_string())).ok_or_else(bad)
}

/// A reserved key. Dropped without an answer it is free again.
pub struct Reservation {
    ledger: Ledger,
    key: Option<Key>,
}

impl Reservation {
    /// Stores the answer.
    pub fn answered(mut self, reply: Arc<ChatReply>) {
        if let Some(key) = self.key.take()
            && let Some(entry) = self.ledger.entries().by_key.get_mut(&key)
        {
            entry.answer = Some(reply);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.ledger.entries().by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(ledger: &Ledger, caller: &Caller, key: &str, body: &str) -> Result<Claim, Code> {
        let headers = HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())]);
        ledger.claim(&headers, caller, body.as_bytes()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_is_reserved_and_freed() {
        let ledger = Ledger::default();
        let caller = Caller::default();
        let other = Caller { key: Some([1; 32]), ..Caller::default() };
        let first = claim(&ledger, &caller, "a", "one");
        assert!(matches!(first, Ok(Claim::First(_))));
        assert_eq!(claim(&ledger, &caller, "a", "one").err(), Some(Code::IdempotencyInFlight));
        assert_eq!(claim(&ledger, &caller, "a", "two").err(), Some(Code::IdempotencyKeyReused));
        assert!(matches!(claim(&ledger, &other, "a", "two"), Ok(Claim::First(_))));
        drop(first);
        assert!(matches!(claim(&ledger, &caller, "a", "two"), Ok(Claim::First(_))));
        assert_eq!(claim(&ledger, &caller, "", "two").err(), Some(Code::IdempotencyKeyInvalid));
    }

    #[test]
    fn the_ledger_is_bounded() {
        let ledger = Ledger::default();
        let caller = Caller::default();
        for n in 0..MOST + 50 {
            let Ok(Claim::First(reservation)) = claim(&ledger, &caller, &n.to_string(), "x") else { panic!("{n}") };
            std::mem::forget(reservation);
        }
        assert!(ledger.entries().by_key.len() <= MOST);
    }
}
