//! Times that can be booked: opening hours in the shop's time zone, less what lies in the past, too near, or on a closed day.
//! Plain data and arithmetic: `store` knows what is taken.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Deserializer};

/// Times are looked for no further ahead than this.
const FURTHEST_DAYS: u16 = 90;

/// `data/rules/booking.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingRules {
    /// How long a visit takes.
    pub minutes: u32,
    /// How many visits there may be side by side.
    pub seats: u32,
    /// How far ahead times are offered.
    pub days: u16,
    /// Nothing is offered sooner than this.
    pub notice_minutes: u32,
    /// How long a chosen time waits for its yes.
    pub hold_minutes: u32,
    /// How many times are offered at once.
    pub offered: usize,
    /// Days without visits.
    #[serde(default)]
    pub closed: Vec<Date>,
    /// Opening hours: `mon = ["09:00-12:00", "13:00-17:00"]`.
    pub open: BTreeMap<Day, Vec<Hours>>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    fn of(weekday: Weekday) -> Day {
        match weekday {
            Weekday::Monday => Day::Mon,
            Weekday::Tuesday => Day::Tue,
            Weekday::Wednesday => Day::Wed,
            Weekday::Thursday => Day::Thu,
            Weekday::Friday => Day::Fri,
            Weekday::Saturday => Day::Sat,
            Weekday::Sunday => Day::Sun,
        }
    }
}

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The first moment.
    pub from: Time,
    /// The moment after the last.
    pub to: Time,
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hours, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = text.split_once('-').and_then(|(from, to)| {
            let (from, to): (Time, Time) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            (from < to).then_some(Hours { from, to })
        });
        read.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no hours such as 09:00-17:00")))
    }
}

impl BookingRules {
    /// Refuses what offers nothing or never ends.
    ///
    /// # Errors
    /// A number of nought, more than nine times at once, too many days.
    pub fn check(&self) -> Result<(), String> {
        if self.minutes == 0 || self.seats == 0 || self.hold_minutes == 0 {
            return Err("minutes, seats and hold_minutes are at least 1".to_string());
        }
        if !(1..=9).contains(&self.offered) {
            return Err("offered is 1 to 9: a digit chooses".to_string());
        }
        if self.days == 0 || self.days > FURTHEST_DAYS {
            return Err(format!("days is 1 to {FURTHEST_DAYS}"));
        }
        Ok(())
    }

    /// Every time there is from now on, in order. A day on which clocks change keeps its wall-clock hours; a time that such a day
    /// skips is left out.
    pub fn starts(&self, now: Timestamp, zone: &TimeZone) -> Vec<Timestamp> {
        let earliest = now + SignedDuration::from_mins(i64::from(self.notice_minutes));
        let today = now.to_zoned(zone.clone()).date();
        let mut starts = Vec::new();
        for ahead in 0..=i64::from(self.days) {
            let Ok(day) = today.checked_add(ahead.days()) else { break };
            if self.closed.contains(&day) {
                continue;
            }
            for hours in self.open.get(&Day::of(day.weekday())).into_iter().flatten() {
                starts.extend(self.within(day, *hours, zone).into_iter().filter(|start| *start >= earliest));
            }
        }
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    fn within(&self, day: Date, hours: Hours, zone: &TimeZone) -> Vec<Timestamp> {
        let length = i64::from(self.minutes);
        let minute = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
        let (from, to) = (minute(hours.from), minute(hours.to));
        let begins = (0..).map(|step| from + step * length).take_while(|start| start + length <= to);
        let moment = |start: i64| {
            let time = Time::new(i8::try_from(start / 60).ok()?, i8::try_from(start % 60).ok()?, 0, 0).ok()?;
            zone.to_ambiguous_timestamp(day.to_datetime(time)).unambiguous().ok()
        };
        begins.filter_map(moment).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(open: &str) -> BookingRules {
        let text = format!(
            "minutes = 60\nseats = 1\ndays = 7\nnotice_minutes = 30\nhold_minutes = 15\noffered = 5\nclosed = [\"2026-11-25\"]\n[open]\n{open}"
        );
        toml::from_str(&text).unwrap()
    }

    fn check(now: &str, open: &str, expected: &[&str]) {
        let zone = TimeZone::get("Europe/Bratislava").unwrap();
        let starts = rules(open).starts(now.parse().unwrap(), &zone);
        let told: Vec<String> =
            starts.iter().map(|start| start.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string()).collect();
        assert_eq!(told, expected, "{now} {open}");
    }

    #[test]
    fn times_lie_within_the_hours_of_coming_days() {
        // Monday, ten in the morning in Bratislava.
        let now = "2026-11-23T09:00:00Z";
        check(now, "mon = [\"09:00-12:30\"]", &["11-23 11:00", "11-30 09:00", "11-30 10:00", "11-30 11:00"]);
        check(now, "tue = [\"09:00-10:00\", \"15:00-16:59\"]", &["11-24 09:00", "11-24 15:00"]);
        check(now, "wed = [\"09:00-12:00\"]", &[]);
        check(now, "sun = [\"23:00-23:59\"]", &[]);
    }

    #[test]
    fn a_night_without_an_hour_has_no_times_in_it() {
        check("2026-03-28T09:00:00Z", "sun = [\"01:00-04:00\"]", &["03-29 01:00", "03-29 03:00"]);
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        let wrong = |text: &str| toml::from_str::<Hours>(text).is_err();
        assert!(wrong("x = 1"));
        assert!(toml::from_str::<BTreeMap<Day, Vec<Hours>>>("mon = [\"12:00-09:00\"]").is_err());
        assert!(toml::from_str::<BTreeMap<Day, Vec<Hours>>>("day = [\"09:00-12:00\"]").is_err());
        assert!(BookingRules { offered: 10, ..rules("") }.check().is_err());
        assert!(BookingRules { days: 400, ..rules("") }.check().is_err());
        assert!(rules("").check().is_ok());
    }
}
