//! The rules as carts and orders ask for them.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Shop;
use crate::domain::fact::DeliveryFact;
use crate::domain::place::PlaceId;
use crate::domain::product::Loads;
use crate::domain::{Currency, FactBody, Localised};
use crate::engine::Terms;

impl Terms for Shop {
    fn colour(&self, colour: &str) -> Localised {
        self.colour_name(colour)
    }

    fn delivery_to(
        &self,
        (place, loads): (&PlaceId, Loads<'_>),
        currency: Currency,
        now: Timestamp,
    ) -> Option<DeliveryFact> {
        match self.delivery((place, loads), currency, now)?.body {
            // Terms in another currency are told, but no sum can be made of them.
            FactBody::Delivery(delivery) if delivery.cost.currency == currency => Some(delivery),
            _ => None,
        }
    }

    fn first_day(&self, place: &PlaceId, currency: Currency, now: Timestamp) -> Option<Date> {
        match self.delivery((place, Loads::Any), currency, now)?.body {
            FactBody::Delivery(delivery) => Some(delivery.earliest),
            _ => None,
        }
    }

    fn delivers_on(&self, day: Date) -> bool {
        self.delivery.works(day)
    }

    fn country(&self, place: &PlaceId) -> Option<String> {
        self.places.get(place)?.country.clone()
    }

    fn day(&self, now: Timestamp) -> Date {
        self.today(now)
    }
}
