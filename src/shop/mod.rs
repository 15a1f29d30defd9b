//! What the shop is: its towns, colours, contact and delivery terms, from `data/rules`.
//! In: TOML files. Out: names in the shopper's language and a delivery promise for a moment in time.

mod delivery;
mod details;
mod kinds;
mod narrowing;
mod terms;
mod wanted;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::fact::ContactFact;
use crate::domain::place::PlaceId;
use crate::domain::product::Loads;
use crate::domain::{Currency, Fact, FactBody, FactId, Localised};

pub use delivery::Delivery;
use delivery::Destination;
pub use details::Details;
pub use kinds::Kinds;
pub use narrowing::{Narrowings, Property};
use wanted::Turns;
pub use wanted::{Wanted, Wish};

/// A word of the shop's vocabulary: a town or a colour.
#[derive(Clone, Debug, Deserialize)]
pub struct Term {
    /// Its name per language, in the nominative.
    pub name: Localised,
    /// The country's code, of a town.
    #[serde(default)]
    pub country: Option<String>,
    /// The colour that a shade is taken for, of a colour.
    #[serde(default)]
    pub within: Option<String>,
}

/// The shop's name and how to reach its people.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// The shop's name.
    pub name: String,
    /// Phone, as printed.
    pub phone: String,
    /// E-mail.
    pub email: String,
    /// Opening hours per language.
    pub hours: Localised,
    /// IANA time zone of the shop: cut-offs and reductions follow it.
    pub timezone: String,
}

/// The shop's rules.
pub struct Shop {
    info: Info,
    zone: TimeZone,
    places: BTreeMap<PlaceId, Term>,
    colours: BTreeMap<String, Term>,
    /// Empty where the shop has no such file: its feed's own words are told.
    categories: BTreeMap<String, Term>,
    delivery: Delivery,
    details: Details,
    narrowings: Narrowings,
    turns: Turns,
    kinds: Kinds,
}

/// Of `search.toml`; the rest of it is understanding's.
#[derive(Default, Deserialize)]
struct Searching {
    #[serde(default)]
    kind: Kinds,
    #[serde(default)]
    turns: Turns,
}

impl Shop {
    /// Reads `rules/{shop,places,colours,details,delivery}.toml` below `data`, `narrowing.toml` and `search.toml`
    /// where there is one.
    ///
    /// # Errors
    /// A missing file, a syntax error, an unknown time zone, currency or town: by file.
    pub fn load(data: &Path) -> anyhow::Result<Shop> {
        let rules = data.join("rules");
        let info: Info = read(&rules.join("shop.toml"))?;
        let zone = TimeZone::get(&info.timezone)
            .with_context(|| format!("{}: timezone `{}`", rules.join("shop.toml").display(), info.timezone))?;
        let places: BTreeMap<PlaceId, Term> = read(&rules.join("places.toml"))?;
        let colours = read(&rules.join("colours.toml"))?;
        let categories = rules.join("categories.toml");
        let categories = if categories.exists() { read(&categories)? } else { BTreeMap::new() };
        let details = read(&rules.join("details.toml"))?;
        let path = rules.join("narrowing.toml");
        let narrowings: Narrowings = if path.exists() { read(&path)? } else { Narrowings::default() };
        narrowings.check().with_context(|| format!("in {}", path.display()))?;
        let path = rules.join("search.toml");
        let Searching { kind: kinds, turns } = if path.exists() { read(&path)? } else { Searching::default() };
        let path = rules.join("delivery.toml");
        let delivery: Delivery = read(&path)?;
        delivery.check(|place| places.contains_key(place)).with_context(|| format!("in {}", path.display()))?;
        Ok(Shop { info, zone, places, colours, categories, delivery, details, narrowings, turns, kinds })
    }

    /// Which words name the kind of a thing.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The shop's own name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The shop's time zone.
    pub fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// The calendar day in the shop at `now`.
    pub fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// Every town of the rules.
    pub fn places(&self) -> impl Iterator<Item = &PlaceId> {
        self.places.keys()
    }

    /// A town's name; the id itself when the rules do not know it.
    pub fn place_name(&self, place: &PlaceId) -> Localised {
        let known = self.places.get(place).map(|term| term.name.clone());
        known.unwrap_or_else(|| Localised::only(crate::domain::Language::En, place.0.as_str()))
    }

    /// A colour's name; the feed's own word when the rules do not know it.
    pub fn colour_name(&self, colour: &str) -> Localised {
        let known = self.colours.get(colour).map(|term| term.name.clone());
        known.unwrap_or_else(|| Localised::only(crate::domain::Language::En, colour))
    }

    /// The colour that a shade is taken for: navy for blue.
    pub fn shade_of(&self, colour: &str) -> Option<&str> {
        self.colours.get(colour)?.within.as_deref()
    }

    /// The name of a kind of products; the feed's own word when the rules do not know it, of a path its last part.
    pub fn category_name(&self, category: &str) -> Localised {
        let known = self.categories.get(category).map(|term| term.name.clone());
        let last = || category.rsplit(['>', '/', '|']).map(str::trim).find(|part| !part.is_empty()).unwrap_or(category);
        known.unwrap_or_else(|| Localised::only(crate::domain::Language::En, last()))
    }

    /// What can be asked of a product.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// Properties by which goods are chosen.
    pub fn narrowings(&self) -> &Narrowings {
        &self.narrowings
    }

    /// What a message whose words `named` name a thing wants of it; none where it wants nothing in particular.
    pub fn wanted(&self, message: &str, named: &str) -> Option<Wanted<'_>> {
        self.narrowings.wanted(message, named, &self.turns)
    }

    /// True for a thing that a message says it does not want.
    pub fn turned_down(&self, message: &str, thing: &str) -> bool {
        self.turns.down(message, thing)
    }

    /// How to reach a person, as a fact.
    pub fn contact(&self, now: Timestamp) -> Fact {
        let Info { phone, email, hours, .. } = &self.info;
        let contact = ContactFact { phone: phone.clone(), email: email.clone(), hours: hours.clone() };
        Fact {
            id: FactId("contact".to_string()),
            body: FactBody::Contact(contact),
            source: "rules/shop.toml".to_string(),
            as_of: now,
        }
    }

    /// Delivery to a town for an order of `loads` placed at `now`; none when the shop does not deliver there.
    pub fn delivery(&self, (place, loads): (&PlaceId, Loads<'_>), currency: Currency, now: Timestamp) -> Option<Fact> {
        let country = self.places.get(place).and_then(|known| known.country.as_deref());
        let to = Destination { place, country };
        let promise = self.delivery.promise((to, loads), currency, &now.to_zoned(self.zone.clone()))?;
        let name = self.place_name(place);
        Some(Fact {
            id: FactId(format!("delivery:{place}")),
            body: FactBody::Delivery(promise.named(name)),
            source: "rules/delivery.toml".to_string(),
            as_of: now,
        })
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}
