//! The merchant's rules for messages the shop starts: `data/rules/messages.toml`.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Deserialize;

use super::Kind;
use crate::domain::language::Language;
use crate::domain::product::Product;

/// All of `data/rules/messages.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRules {
    /// Minutes between two looks at what is due.
    pub look_minutes: i64,
    /// When nobody is written to.
    pub quiet: Quiet,
    /// The most one person gets of all kinds together.
    pub cap: Cap,
    /// Each kind.
    pub kind: BTreeMap<Kind, KindRule>,
    /// What a promotion may cost.
    pub margin: Margin,
    /// What is heard as a wish to be left alone.
    pub stop: StopWords,
    /// What is heard as a yes to messages the shop starts; it is asked about once more before it counts.
    pub start: StopWords,
}

/// Hours of the shop's clock in which nothing goes out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// The first quiet minute.
    pub from: Time,
    /// The first minute that is not; the same as `from`: no hour is quiet.
    pub until: Time,
}

impl Quiet {
    /// When the quiet hours that run at a moment end; none when none run.
    pub fn ends(&self, now: &Zoned) -> Option<Timestamp> {
        let time = now.time();
        let over_midnight = self.from > self.until;
        let quiet =
            if over_midnight { time >= self.from || time < self.until } else { time >= self.from && time < self.until };
        if !quiet {
            return None;
        }
        let today = now.date();
        let day = if time < self.until { today } else { today.tomorrow().unwrap_or(today) };
        // A time that the clocks leave out is the moment after the gap.
        let end = day.to_datetime(self.until).to_zoned(now.time_zone().clone()).ok()?.timestamp();
        // In the hour that comes twice the wall clock may be past its end and quiet again: then an hour on.
        if end > now.timestamp() { Some(end) } else { now.timestamp().checked_add(1.hour()).ok() }
    }
}

/// At most so many messages in so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// So many.
    pub messages: i64,
    /// In so many days.
    pub days: i64,
}

/// The rules of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRule {
    /// Whether there are such messages at all.
    pub enabled: bool,
    /// So long after what it is about.
    pub after_hours: i64,
    /// Not later than that.
    pub until_hours: i64,
    /// The most one person gets of this kind.
    pub cap: Cap,
    /// Whether the cap over all kinds holds it back. It counts there in any case.
    pub capped: bool,
    /// The promotion it may offer, where the margin allows it.
    #[serde(default)]
    pub promotion: Option<String>,
}

/// What is earned, in hundredths of the price, and how much of it must be left. Where nothing is said nothing is offered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// So many hundredths of the reduced price must be left.
    pub keep: i64,
    /// Of a product that neither list names.
    #[serde(default)]
    pub default: Option<i64>,
    /// By category.
    #[serde(default)]
    pub category: BTreeMap<String, i64>,
    /// By product.
    #[serde(default)]
    pub product: BTreeMap<String, i64>,
}

impl Margin {
    /// What is earned with a product, in hundredths of its price.
    pub fn of(&self, product: &Product) -> Option<i64> {
        let own = self.product.get(product.id.as_str()).or_else(|| self.category.get(&product.category));
        own.copied().or(self.default)
    }

    /// True when enough is left of a line after a share of a promotion is taken off. All in minor units.
    pub fn allows(&self, (price, off): (i64, i64), margin: i64) -> bool {
        let (price, off) = (i128::from(price), i128::from(off));
        let left = price * i128::from(margin) - off * 100;
        off >= 0 && left >= i128::from(self.keep) * (price - off)
    }
}

/// Words that ask to be left alone, or not to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopWords {
    /// Heard always.
    pub always: BTreeMap<Language, Vec<String>>,
    /// Heard where no question is open: there they are an answer.
    pub alone: BTreeMap<Language, Vec<String>>,
    /// Words that change nothing beside them.
    pub filler: BTreeMap<Language, Vec<String>>,
}

impl MessageRules {
    /// The rules of a kind; none when there are no such messages.
    pub fn of(&self, kind: Kind) -> Option<&KindRule> {
        self.kind.get(&kind).filter(|rule| rule.enabled)
    }

    /// Refuses rules that cannot be meant. `promotion` says whether there is a promotion of this code.
    ///
    /// # Errors
    /// What cannot be meant, by kind and key.
    pub fn check(&self, promotion: impl Fn(&str) -> bool) -> Result<(), String> {
        let sound = |cap: &Cap| cap.messages >= 0 && (1..=3650).contains(&cap.days);
        if !sound(&self.cap) {
            return Err("[cap]: messages is 0 or more, days 1 to 3650".to_string());
        }
        if self.look_minutes < 1 {
            return Err("look_minutes is at least 1".to_string());
        }
        for (kind, rule) in &self.kind {
            let kind = kind.as_str();
            if rule.after_hours < 0 || rule.until_hours <= rule.after_hours {
                return Err(format!("[kind.{kind}]: until_hours comes after after_hours"));
            }
            if !sound(&rule.cap) {
                return Err(format!("[kind.{kind}] cap: messages is 0 or more, days 1 to 3650"));
            }
            if let Some(code) = rule.promotion.as_deref().filter(|code| !promotion(code)) {
                return Err(format!("[kind.{kind}] promotion `{code}`: there is none in promotions.toml"));
            }
        }
        let margins = self.margin.category.values().chain(self.margin.product.values()).chain(&self.margin.default);
        match margins.chain([&self.margin.keep]).find(|percent| !(0..=100).contains(*percent)) {
            Some(percent) => Err(format!("[margin]: {percent} is not 0 to 100 hundredths of the price")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    const NIGHT: Quiet = Quiet { from: time(20, 0, 0, 0), until: time(9, 0, 0, 0) };

    fn check(quiet: Quiet, now: &str, expected: Option<&str>) {
        let now: Zoned = now.parse().unwrap();
        let ends = quiet.ends(&now);
        assert_eq!(ends.map(|end| end.to_string()).as_deref(), expected, "{now}");
        if let Some(end) = ends {
            assert!(end > now.timestamp(), "{now}");
        }
    }

    #[test]
    fn quiet_hours_follow_the_shops_clock() {
        check(NIGHT, "2026-11-23T10:00[Europe/Bratislava]", None);
        check(NIGHT, "2026-11-23T09:00[Europe/Bratislava]", None);
        check(NIGHT, "2026-11-23T08:59[Europe/Bratislava]", Some("2026-11-23T08:00:00Z"));
        check(NIGHT, "2026-11-23T20:00[Europe/Bratislava]", Some("2026-11-24T08:00:00Z"));
        let noon = Quiet { from: time(12, 0, 0, 0), until: time(13, 0, 0, 0) };
        check(noon, "2026-11-23T12:30[Europe/Bratislava]", Some("2026-11-23T12:00:00Z"));
        check(noon, "2026-11-23T20:30[Europe/Bratislava]", None);
        let never = Quiet { from: time(9, 0, 0, 0), until: time(9, 0, 0, 0) };
        check(never, "2026-11-23T09:00[Europe/Bratislava]", None);
    }

    #[test]
    fn the_night_is_an_hour_shorter_or_longer_when_the_clocks_change() {
        // 29 March 2026: 02:00 becomes 03:00; nine o'clock is at seven UTC again.
        check(NIGHT, "2026-03-28T21:00[Europe/Bratislava]", Some("2026-03-29T07:00:00Z"));
        check(NIGHT, "2026-03-27T21:00[Europe/Bratislava]", Some("2026-03-28T08:00:00Z"));
        // 25 October 2026: 03:00 becomes 02:00.
        check(NIGHT, "2026-10-24T21:00[Europe/Bratislava]", Some("2026-10-25T08:00:00Z"));
        check(NIGHT, "2026-10-23T21:00[Europe/Bratislava]", Some("2026-10-24T07:00:00Z"));
        // An end that the clocks leave out is the moment after the gap.
        let gap = Quiet { from: time(22, 0, 0, 0), until: time(2, 30, 0, 0) };
        check(gap, "2026-03-29T01:30[Europe/Bratislava]", Some("2026-03-29T01:30:00Z"));
        // In the hour that comes twice, quiet again the second time: looked at an hour later.
        check(gap, "2026-10-25T02:10+01:00[Europe/Bratislava]", Some("2026-10-25T02:10:00Z"));
    }

    #[test]
    fn a_promotion_leaves_what_must_be_left() {
        let margin = Margin { keep: 15, ..Margin::default() };
        let check =
            |price, off, earned, expected| assert_eq!(margin.allows((price, off), earned), expected, "{earned}");
        check(10_000, 1_000, 30, true); // 2,000 of 9,000 left
        check(10_000, 1_000, 24, true); // 1,400 of 9,000: 15.6 %
        check(10_000, 1_000, 23, false); // 1,300 of 9,000: 14.4 %
        check(10_000, 10_000, 100, true);
        check(10_000, -1, 100, false);
    }
}
