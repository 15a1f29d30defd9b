//! How often a source is asked: so many times a second, and within what it says of its own limit. Times are handed in: nothing here has
//! a clock.

use std::time::Duration;

use jiff::Timestamp;

use super::reading::Limit;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
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
