//! Parcels under way: what a carrier tells of one, and where its newest word leaves it. Pure: no clock, no store.

mod rules;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use rules::{Adapter, CarrierRule, CarrierRules, Fields};

/// A carrier's clock may be wrong by this; what lies further ahead would keep every later word out.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// Longer names of places are not told.
const PLACE_CHARS: usize = 80;

/// Where a parcel is in its life. Of two words about the same moment the greater one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParcelState {
    /// The carrier knows of it and has not got it.
    Registered,
    /// The carrier has got it.
    Accepted,
    /// Between the carrier's places.
    InTransit,
    /// A courier is on the way with it.
    OutForDelivery,
    /// It could not be handed over; it will be tried again or waits.
    Attempted,
    /// It waits at a pick-up point or in a locker.
    AtPickup,
    /// With the customer.
    Delivered,
    /// On its way back to the shop.
    Returning,
}

impl ParcelState {
    /// Every state.
    pub const ALL: [ParcelState; 8] = [
        ParcelState::Registered,
        ParcelState::Accepted,
        ParcelState::InTransit,
        ParcelState::OutForDelivery,
        ParcelState::Attempted,
        ParcelState::AtPickup,
        ParcelState::Delivered,
        ParcelState::Returning,
    ];

    /// Its name in the store, in events and in `data/rules/carriers.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            ParcelState::Registered => "registered",
            ParcelState::Accepted => "accepted",
            ParcelState::InTransit => "in_transit",
            ParcelState::OutForDelivery => "out_for_delivery",
            ParcelState::Attempted => "attempted",
            ParcelState::AtPickup => "at_pickup",
            ParcelState::Delivered => "delivered",
            ParcelState::Returning => "returning",
        }
    }

    /// True when nothing comes after it.
    pub fn ends(self) -> bool {
        self >= ParcelState::Delivered
    }
}

/// What a carrier says happened to a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelEvent {
    /// The same for the same word, however often it is told.
    pub id: String,
    /// The carrier, by its name in `data/rules/carriers.toml`.
    pub carrier: String,
    /// The parcel's number, as [`plain`] writes it.
    pub tracking: String,
    /// The shop's own order number, where the carrier tells it.
    pub order: Option<String>,
    /// The carrier's own word for what happened.
    pub word: String,
    /// What it means; none for a word the rules do not know: it is kept and never told.
    pub state: Option<ParcelState>,
    /// Where, if that can be told.
    pub place: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// The day it is promised for now.
    pub promised: Option<Date>,
}

/// What a carrier told last of an order's parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The carrier, by its name in the rules.
    pub carrier: String,
    /// The carrier's name for people.
    pub called: String,
    /// The parcel's number.
    pub tracking: String,
    /// Where it is in its life.
    pub state: ParcelState,
    /// Where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// When that was.
    pub at: Timestamp,
    /// The day of it in the shop.
    pub day: Date,
    /// The newest promise the carrier gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Date>,
}

impl ParcelEvent {
    /// True when its moment lies so far ahead that the carrier's clock must be wrong.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.at.duration_since(now) > AHEAD
    }
}

impl Shipment {
    /// Where a parcel is after one more word, `day` being the day of it in the shop; none when that changes nothing: what comes
    /// late moves nothing back, and nothing follows an end.
    pub fn after(before: Option<&Shipment>, event: &ParcelEvent, (called, day): (&str, Date)) -> Option<Shipment> {
        let state = event.state?;
        let before = before.filter(|before| before.tracking == event.tracking);
        if let Some(before) = before {
            let late = event.at < before.at || (event.at == before.at && state < before.state);
            if late || before.state.ends() {
                return None;
            }
        }
        let same = before.filter(|before| before.at == event.at && before.state == state);
        let next = Shipment {
            carrier: event.carrier.clone(),
            called: called.to_string(),
            tracking: event.tracking.clone(),
            state,
            place: event.place.clone().or_else(|| same.and_then(|same| same.place.clone())),
            at: event.at,
            day,
            promised: event.promised.or_else(|| before.and_then(|before| before.promised)),
        };
        (before != Some(&next)).then_some(next)
    }
}

/// A parcel's number without case and separators.
pub fn plain(tracking: &str) -> String {
    tracking.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// A place as it may be told to a customer: one line of words and house numbers, no address of the web, nothing that steers a
/// display. None for anything else: a carrier's text is somebody else's.
pub fn place(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = |c: char| c.is_alphanumeric() || " ,.-/()'\u{2019}\u{2116}".contains(c);
    let letters: Vec<char> = line.chars().collect();
    let web = letters
        .windows(3)
        .any(|three| three[1] == '.' && three[0].is_ascii_alphanumeric() && three[2].is_ascii_lowercase());
    let sound =
        line.chars().count() <= PLACE_CHARS && line.chars().all(plain) && line.chars().any(char::is_alphabetic) && !web;
    sound.then_some(line)
}

#[cfg(test)]
mod tests {
    use super::ParcelState::*;
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + hour * 3_600).unwrap()
    }

    fn event(state: ParcelState, hour: i64) -> ParcelEvent {
        ParcelEvent {
            id: String::new(),
            carrier: "c".to_string(),
            tracking: "Z1".to_string(),
            order: None,
            word: String::new(),
            state: Some(state),
            place: Some("Nitra".to_string()),
            at: at(hour),
            promised: None,
        }
    }

    fn told(events: &[ParcelEvent]) -> Option<Shipment> {
        let day = jiff::civil::date(2026, 11, 23);
        events.iter().fold(None, |before, event| Shipment::after(before.as_ref(), event, ("C", day)).or(before))
    }

    #[test]
    fn the_newest_word_counts_whatever_the_order_they_come_in() {
        let check = |events: &[(ParcelState, i64)], expected: ParcelState| {
            let events: Vec<ParcelEvent> = events.iter().map(|(state, hour)| event(*state, *hour)).collect();
            assert_eq!(told(&events).map(|told| told.state), Some(expected), "{events:?}");
        };
        check(&[(Accepted, 0), (InTransit, 1)], InTransit);
        check(&[(InTransit, 1), (Accepted, 0)], InTransit);
        check(&[(OutForDelivery, 2), (Attempted, 3), (InTransit, 4)], InTransit);
        check(&[(InTransit, 1), (Accepted, 1)], InTransit);
        check(&[(Delivered, 5), (InTransit, 6)], Delivered);
        check(&[(Delivered, 5), (Returning, 6)], Delivered);
        check(&[(Returning, 5), (Delivered, 6)], Returning);
    }

    #[test]
    fn the_same_word_twice_changes_nothing_but_a_new_promise_does() {
        let first = told(&[event(InTransit, 1)]);
        let day = jiff::civil::date(2026, 11, 23);
        let again = |event: &ParcelEvent| Shipment::after(first.as_ref(), event, ("C", day));
        assert_eq!(again(&event(InTransit, 1)), None);
        let promised = Some(jiff::civil::date(2026, 11, 30));
        let later = again(&ParcelEvent { promised, place: None, ..event(InTransit, 1) }).unwrap();
        assert_eq!((later.promised, later.place.as_deref()), (promised, Some("Nitra")));
        let moved = Shipment::after(Some(&later), &event(AtPickup, 2), ("C", day)).unwrap();
        assert_eq!(moved.promised, promised, "a promise stands until another is given");
        assert_eq!(again(&ParcelEvent { state: None, ..event(AtPickup, 3) }), None);
    }

    #[test]
    fn a_place_is_words_and_house_numbers() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(place(text).as_deref(), expected, "{text}");
        check(" Новосибирск,  ул. Ленина, 5 ", Some("Новосибирск, ул. Ленина, 5"));
        check("Praha 4 - Nusle", Some("Praha 4 - Nusle"));
        check("上海", Some("上海"));
        check("", None);
        check("12", None);
        check("see www.example.com", None);
        check("https://example.com", None);
        check("Nitra\u{202e}", None);
        check("50 % off", None);
        check(&"a".repeat(81), None);
    }

    #[test]
    fn names_of_states_are_what_serde_says() {
        for state in ParcelState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(plain("z 402-024"), "Z402024");
    }
}
