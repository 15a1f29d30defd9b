//! Delivery terms and the promise they make at a moment: what it costs and the first and last day. In: the town, the moment, and where
//! the pieces lie. Out: days that count the cut-off, weekends, holidays, and the way to where parcels leave from.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use jiff::Zoned;
use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Deserializer};

use crate::domain::fact::DeliveryFact;
use crate::domain::place::PlaceId;
use crate::domain::product::{Load, Loads};
use crate::domain::{Currency, Localised, Money};

/// `data/rules/delivery.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    #[serde(default, rename = "delivery")]
    terms: Vec<Terms>,
    #[serde(default)]
    holidays: Holidays,
    #[serde(default)]
    transfer: Transfer,
}

/// Working days that pieces take to where their parcel leaves from, the fewest and the most.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    days: [u8; 2],
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holidays {
    dates: Vec<Date>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    /// The town they are for ...
    place: Option<PlaceId>,
    /// ... or the code of a country: every town of it that has none of its own.
    country: Option<String>,
    #[serde(deserialize_with = "time_of_day")]
    cutoff: Time,
    days: [u8; 2],
    cost: BTreeMap<Currency, String>,
    #[serde(default)]
    free_from: BTreeMap<Currency, String>,
    /// Where its parcels leave from; empty: from wherever the pieces lie.
    #[serde(default)]
    from: Vec<PlaceId>,
}

/// A town as terms know it: itself, and its country where that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination<'a> {
    /// The town.
    pub(super) place: &'a PlaceId,
    /// The code of its country.
    pub(super) country: Option<&'a str>,
}

fn time_of_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    Time::strptime("%H:%M", &text).map_err(serde::de::Error::custom)
}

/// A delivery promise that still lacks the town's name.
pub struct Promise(DeliveryFact);

impl Promise {
    /// The fact, with the town's name.
    pub fn named(mut self, name: Localised) -> DeliveryFact {
        self.0.name = name;
        self.0
    }
}

impl Delivery {
    /// Checks amounts, days and towns.
    pub(super) fn check(&self, known: impl Fn(&PlaceId) -> bool) -> anyhow::Result<()> {
        for terms in &self.terms {
            let to = match (&terms.place, &terms.country) {
                (Some(place), None) => place.to_string(),
                (None, Some(country)) => country.clone(),
                _ => bail!("terms of delivery are for a `place` or for a `country`: one of both"),
            };
            if let Some(unknown) = terms.from.iter().chain(&terms.place).find(|place| !known(place)) {
                bail!("town `{unknown}` is not in places.toml");
            }
            if let Some(days) = [terms.days, self.transfer.days].iter().find(|days| days[0] > days[1]) {
                bail!("{}: days = {days:?} go backwards", to);
            }
            for (currency, amount) in terms.cost.iter().chain(&terms.free_from) {
                Money::parse(amount, *currency).with_context(|| to.clone())?;
            }
        }
        Ok(())
    }

    /// The terms of a town, else of its country.
    fn terms(&self, to: Destination<'_>) -> Option<&Terms> {
        let of_country = |terms: &&Terms| terms.country.is_some() && terms.country.as_deref() == to.country;
        let of_place = |terms: &&Terms| terms.place.as_ref() == Some(to.place);
        self.terms.iter().find(of_place).or_else(|| self.terms.iter().find(of_country))
    }

    /// What delivery to a town costs and when an order placed at `now` arrives. Whoever has not said which of several variants is
    /// promised the first day of the nearest and the last day of the furthest.
    pub(super) fn promise(
        &self,
        (to, loads): (Destination<'_>, Loads<'_>),
        currency: Currency,
        now: &Zoned,
    ) -> Option<Promise> {
        let terms = self.terms(to)?;
        let (&currency, cost) = terms.cost.get_key_value(&currency).or_else(|| terms.cost.iter().next())?;
        let cost = Money::parse(cost, currency).ok()?;
        let free_from = terms.free_from.get(&currency).and_then(|amount| Money::parse(amount, currency).ok());
        let dispatch = self.dispatch_day(now, terms.cutoff);
        let far = |load: &Load<'_>| !load.lies_in(&terms.from);
        let (first_far, last_far) = match loads {
            Loads::Any => (false, false),
            Loads::Together(all) => (all.iter().any(far), all.iter().any(far)),
            Loads::OneOf(all) => (!all.is_empty() && all.iter().all(far), all.iter().any(far)),
        };
        let way = |far: bool, days: u8| if far { days } else { 0 };
        let [first_way, last_way] = self.transfer.days;
        Some(Promise(DeliveryFact {
            place: to.place.clone(),
            name: Localised::default(),
            cost,
            free_from,
            cutoff: terms.cutoff,
            earliest: self.after_working_days(dispatch, terms.days[0].saturating_add(way(first_far, first_way))),
            latest: self.after_working_days(dispatch, terms.days[1].saturating_add(way(last_far, last_way))),
        }))
    }

    /// The day the parcel leaves: today before the cut-off of a working day, else the next working day.
    fn dispatch_day(&self, now: &Zoned, cutoff: Time) -> Date {
        let today = now.date();
        if self.works(today) && now.time() < cutoff { today } else { self.after_working_days(today, 1) }
    }

    fn after_working_days(&self, from: Date, days: u8) -> Date {
        let mut day = from;
        let mut left = days;
        while left > 0 {
            let Ok(next) = day.tomorrow() else { return day };
            day = next;
            left -= u8::from(self.works(day));
        }
        day
    }

    /// True on days on which something is dispatched and arrives.
    pub(super) fn works(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.holidays.dates.contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::product::StockLine;

    const TERMS: &str = r#"
        [[delivery]]
        place = "bratislava"
        cutoff = "14:00"
        days = [1, 2]
        cost = { EUR = "3.90" }
        free_from = { EUR = "60" }
        from = ["bratislava", "kosice"]
        [transfer]
        days = [2, 3]
        [holidays]
        dates = ["2026-12-24", "2026-12-25"]
    "#;

    fn check(now: &str, expected: Option<(&str, &str)>) {
        check_loads((now, Loads::Any), expected);
    }

    fn check_loads((now, loads): (&str, Loads<'_>), expected: Option<(&str, &str)>) {
        let delivery: Delivery = toml::from_str(TERMS).unwrap();
        let now: Zoned = format!("{now}[Europe/Bratislava]").parse().unwrap();
        let to = Destination { place: &"bratislava".into(), country: Some("SK") };
        let promise = delivery.promise((to, loads), "EUR".parse().unwrap(), &now);
        let days = promise.map(|Promise(fact)| (fact.earliest.to_string(), fact.latest.to_string()));
        assert_eq!(days.as_ref().map(|(a, b)| (a.as_str(), b.as_str())), expected, "{now}");
    }

    #[test]
    fn cut_off_weekends_and_holidays_move_the_promise() {
        check("2026-11-16T10:00", Some(("2026-11-17", "2026-11-18"))); // Monday morning
        check("2026-11-16T14:00", Some(("2026-11-18", "2026-11-19"))); // Monday at the cut-off
        check("2026-11-21T10:00", Some(("2026-11-24", "2026-11-25"))); // Saturday: leaves on Monday
        check("2026-12-23T10:00", Some(("2026-12-28", "2026-12-29"))); // over the holidays and the weekend
    }

    #[test]
    fn pieces_that_lie_elsewhere_come_later() {
        let line = |place: &str, count: u32| StockLine { sku: "S".into(), place: place.into(), count };
        let stocks = [vec![line("kosice", 2), line("praha", 9)], vec![line("praha", 9)], vec![line("", 1)], Vec::new()];
        let [near, far, anywhere, unknown] = stocks.each_ref().map(|stock| Load { stock, pieces: 1 });
        let monday = "2026-11-16T10:00";
        let (soon, late) = (Some(("2026-11-17", "2026-11-18")), Some(("2026-11-19", "2026-11-23")));
        check_loads((monday, Loads::Together(&[near, anywhere, unknown])), soon);
        check_loads((monday, Loads::Together(&[Load { pieces: 3, ..near }])), late);
        check_loads((monday, Loads::Together(&[near, far])), late);
        check_loads((monday, Loads::OneOf(&[far])), late);
        check_loads((monday, Loads::OneOf(&[near, far])), Some(("2026-11-17", "2026-11-23")));
        check_loads((monday, Loads::OneOf(&[])), soon);
    }

    #[test]
    fn a_town_has_its_own_terms_or_its_countrys_or_none() {
        let country = "[[delivery]]\ncountry = \"SK\"\ncutoff = \"14:00\"\ndays = [2, 4]\ncost = { EUR = \"4.50\" }\n";
        let delivery: Delivery = toml::from_str(&format!("{country}{TERMS}")).unwrap();
        let now: Zoned = "2026-11-16T10:00[Europe/Bratislava]".parse().unwrap();
        let check = |place: &str, country: Option<&str>, expected: Option<&str>| {
            let to = Destination { place: &place.into(), country };
            let promise = delivery.promise((to, Loads::Any), "EUR".parse().unwrap(), &now);
            let day = promise.map(|Promise(fact)| fact.earliest.to_string());
            assert_eq!(day.as_deref(), expected, "{place}");
        };
        check("bratislava", Some("SK"), Some("2026-11-17"));
        check("martin", Some("SK"), Some("2026-11-18"));
        check("london", Some("GB"), None);
        check("nowhere", None, None);
    }

    #[test]
    fn terms_that_cannot_be_right_are_refused() {
        let check = |from: &str, to: &str, part: &str| {
            let delivery: Delivery = toml::from_str(&TERMS.replace(from, to)).unwrap();
            let error = delivery.check(|place| ["bratislava", "kosice"].contains(&place.0.as_str())).unwrap_err();
            assert!(format!("{error:#}").contains(part), "{error:#}");
        };
        check("\"bratislava\"", "\"atlantis\"", "atlantis");
        check("[1, 2]", "[3, 2]", "backwards");
        check("[2, 3]", "[3, 2]", "backwards");
        check("\"kosice\"", "\"atlantis\"", "atlantis");
        check("3.90", "3,90", "3,90");
        check("cutoff =", "country = \"SK\"\ncutoff =", "one of both");
        check("place = \"bratislava\"", "", "one of both");
    }
}
