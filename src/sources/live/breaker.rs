//! When a source is left alone: after failures in a row, when it asks for it, and when it has been asked often enough. Times are handed
//! in: nothing here has a clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::reading::Limit;

/// A source is never left alone for longer than this for its failures.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether a source may be asked now.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    limit: u32,
    first: Duration,
    pause: Duration,
    failures: u32,
    until: Option<Timestamp>,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(limit: u32, first: Duration) -> Breaker {
        Breaker { limit, first, pause: first, failures: 0, until: None, probing: false }
    }

    /// True when it may be asked; once a pause is over, by one caller alone.
    pub(super) fn may(&mut self, now: Timestamp) -> bool {
        match self.until {
            None => true,
            Some(until) if now < until || self.probing => false,
            Some(_) => {
                self.probing = true;
                true
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Breaker::new(self.limit, self.first);
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.probing || self.failures >= self.limit {
            self.until = Some(later(now, self.pause));
            self.pause = (self.pause * 2).min(LONGEST).max(self.first);
        }
        self.probing = false;
    }

    /// It asked to be left alone: that is no failure.
    pub(super) fn rest(&mut self, now: Timestamp, pause: Duration) {
        self.until = Some(later(now, pause).max(self.until.unwrap_or(now)));
        self.probing = false;
    }

    /// The probe was not sent after all: the next may be.
    pub(super) fn rest_of_probe(&mut self) {
        self.probing = false;
    }

    pub(super) fn open(&self) -> bool {
        self.until.is_some()
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

/// How often a source may be asked: so many times a second, and within what it says of its own limit.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    per_second: f64,
    left: f64,
    seen: Option<Timestamp>,
    told: Option<(Timestamp, Limit)>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Pace {
        let per_second = f64::from(per_second);
        Pace { per_second, left: per_second, seen: None, told: None }
    }

    /// Takes a turn: after how long it may be used.
    pub(super) fn take(&mut self, now: Timestamp) -> Duration {
        let passed = self.seen.map_or(0.0, |seen| seconds(seen, now));
        self.seen = Some(now);
        self.left = (self.left + passed * self.per_second).min(self.per_second) - 1.0;
        let own = if self.left >= 0.0 { 0.0 } else { -self.left / self.per_second };
        let theirs = self.told.map_or(0.0, |(at, limit)| {
            let missing = limit.cost - (limit.available + seconds(at, now) * limit.restored);
            if missing <= 0.0 || limit.restored <= 0.0 { 0.0 } else { missing / limit.restored }
        });
        Duration::from_secs_f64(own.max(theirs).min(60.0))
    }

    /// Gives back a turn that was not used.
    pub(super) fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(self.per_second);
    }

    pub(super) fn told(&mut self, now: Timestamp, limit: Limit) {
        self.told = Some((now, limit));
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn it_opens_probes_alone_and_closes() {
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        breaker.failed(at(0));
        assert!(breaker.may(at(0)) && !breaker.open());
        breaker.failed(at(0));
        assert!(breaker.open() && !breaker.may(at(9)));
        assert!(breaker.may(at(10)) && !breaker.may(at(10)), "one probe");
        breaker.failed(at(10));
        assert!(!breaker.may(at(29)) && breaker.may(at(30)), "the pause has doubled");
        breaker.succeeded();
        assert!(breaker.may(at(30)) && breaker.may(at(30)) && breaker.failures() == 0);
        breaker.rest(at(30), Duration::from_secs(7));
        assert!(!breaker.may(at(36)) && breaker.may(at(37)) && breaker.failures() == 0);
    }

    #[test]
    fn turns_are_spread_and_a_told_limit_is_kept() {
        let mut pace = Pace::new(2);
        assert_eq!((pace.take(at(0)), pace.take(at(0))), (Duration::ZERO, Duration::ZERO));
        assert_eq!(pace.take(at(0)), Duration::from_millis(500));
        pace.give_back();
        assert_eq!(pace.take(at(1)), Duration::ZERO);
        let mut pace = Pace::new(100);
        pace.told(at(0), Limit { available: 10.0, restored: 50.0, cost: 60.0 });
        assert_eq!(pace.take(at(0)), Duration::from_secs(1));
        assert_eq!(pace.take(at(1)), Duration::ZERO);
    }
}
