//! When somebody outside is left alone: after failures in a row, and when it asks for it. Times are handed in: nothing here has a clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Nobody is left alone for longer than this for its failures.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether somebody outside may be asked now.
#[derive(Clone, Debug)]
pub struct Breaker {
    limit: u32,
    first: Duration,
    pause: Duration,
    failures: u32,
    until: Option<Timestamp>,
    probing: bool,
}

impl Breaker {
    /// So many failures in a row open it, for so long at first.
    pub fn new(limit: u32, first: Duration) -> Breaker {
        Breaker { limit, first, pause: first, failures: 0, until: None, probing: false }
    }

    /// True when it may be asked; once a pause is over, by one caller alone.
    pub fn may(&mut self, now: Timestamp) -> bool {
        match self.until {
            None => true,
            Some(until) if now < until || self.probing => false,
            Some(_) => {
                self.probing = true;
                true
            }
        }
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Breaker::new(self.limit, self.first);
    }

    /// It did not answer, or not in a way that can be used.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.probing || self.failures >= self.limit {
            self.until = Some(later(now, self.pause));
            self.pause = (self.pause * 2).min(LONGEST).max(self.first);
        }
        self.probing = false;
    }

    /// It asked to be left alone: that is no failure.
    pub fn rest(&mut self, now: Timestamp, pause: Duration) {
        self.until = Some(later(now, pause).max(self.until.unwrap_or(now)));
        self.probing = false;
    }

    /// The probe was not sent after all: the next may be.
    pub fn rest_of_probe(&mut self) {
        self.probing = false;
    }

    /// True while it is left alone.
    pub fn open(&self) -> bool {
        self.until.is_some()
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
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
}
