//! What became of carts after the shop reminded of them: an order that was paid, an order nobody saw paid, or nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::domain::outreach::Outgoing;

/// An order that comes later has other reasons.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Carts of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Reminders that were sent.
    pub reminded: usize,
    /// Reminders followed by an order that was paid.
    pub verified: usize,
    /// Reminders followed by an order whose payment nobody saw.
    pub assumed: usize,
}

/// What is read of an event.
#[derive(Deserialize)]
struct Told {
    event: String,
    order: String,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    customer: String,
    #[serde(default)]
    unexpected: bool,
}

impl Recovery {
    /// Counts reminders by the events of orders, oldest first; an order counts for one reminder.
    pub fn of(reminders: &[Outgoing], events: &[(Timestamp, String)]) -> Recovery {
        let read = |(at, document): &(Timestamp, String)| Some((*at, serde_json::from_str::<Told>(document).ok()?));
        let events: Vec<(Timestamp, Told)> = events.iter().filter_map(read).collect();
        let paid: BTreeSet<&str> = events
            .iter()
            .filter(|(_, told)| told.event == "order_paid" && !told.unexpected)
            .map(|(_, told)| told.order.as_str())
            .collect();
        let mut counted = BTreeSet::new();
        let mut recovery = Recovery { reminded: reminders.len(), ..Recovery::default() };
        for reminder in reminders {
            let from = reminder.settled.unwrap_or(reminder.decided);
            let follows = |(at, told): &&(Timestamp, Told)| {
                told.event == "order_placed" && from <= *at && *at <= from + PATIENCE && same(reminder, told)
            };
            let orders = events.iter().filter(follows).map(|(_, told)| told.order.as_str());
            let free: Vec<&str> = orders.filter(|order| !counted.contains(order)).collect();
            let Some(order) = free.iter().find(|order| paid.contains(**order)).or(free.first()) else { continue };
            counted.insert(*order);
            if paid.contains(order) {
                recovery.verified += 1;
            } else {
                recovery.assumed += 1;
            }
        }
        recovery
    }
}

/// True when whoever was reminded placed the order.
fn same(reminder: &Outgoing, told: &Told) -> bool {
    let session = reminder.session.map(|session| session.to_string());
    let customer = reminder.customer.as_ref().is_some_and(|customer| *customer == told.customer);
    customer || (session.is_some() && session == told.session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + hours * 3_600).unwrap()
    }

    fn reminder(customer: &str, hours: i64) -> Outgoing {
        let at = at(hours);
        let line = format!(
            r#"{{"id":"m","cause":"c","kind":"abandoned_cart","person":"customer:{customer}","customer":"{customer}","session":null,
            "contact":{{}},"language":"en","subject":{{"about":"cart","owner":"customer:{customer}","version":1,"since":"{at}"}},
            "decided":"{at}","until":"{at}","stage":"sent","settled":"{at}","why":null,"text":"x","promotion":null}}"#
        );
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn event(name: &str, (order, customer): (&str, &str), hours: i64) -> (Timestamp, String) {
        (at(hours), format!(r#"{{"event":"{name}","order":"{order}","customer":"{customer}"}}"#))
    }

    #[test]
    fn paid_and_only_placed_are_told_apart_and_an_order_counts_once() {
        let check = |reminders: &[Outgoing], events: &[(Timestamp, String)], expected: (usize, usize, usize)| {
            let found = Recovery::of(reminders, events);
            assert_eq!((found.reminded, found.verified, found.assumed), expected, "{events:?}");
        };
        let placed = |hours| event("order_placed", ("T-1", "C-1"), hours);
        let paid = |hours| event("order_paid", ("T-1", "C-1"), hours);
        let anna = || reminder("C-1", 10);
        check(&[anna()], &[], (1, 0, 0));
        check(&[anna()], &[placed(12)], (1, 0, 1));
        check(&[anna()], &[placed(12), paid(13)], (1, 1, 0));
        check(&[anna()], &[placed(9), paid(13)], (1, 0, 0));
        check(&[anna()], &[placed(10 + 7 * 24 + 1)], (1, 0, 0));
        check(&[anna(), reminder("C-1", 11)], &[placed(12), paid(13)], (2, 1, 0));
        check(&[anna(), reminder("C-2", 11)], &[placed(12), paid(13)], (2, 1, 0));
        let other = event("order_placed", ("T-2", "C-1"), 13);
        check(&[anna()], &[placed(12), other, event("order_paid", ("T-2", "C-1"), 14)], (1, 1, 0));
        check(
            &[anna()],
            &[placed(12), (at(13), r#"{"event":"order_paid","order":"T-1","unexpected":true}"#.into())],
            (1, 0, 1),
        );
    }
}
