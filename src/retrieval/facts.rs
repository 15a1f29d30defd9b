//! Candidates become facts: price and stock are read from the catalog store by id, now.

use std::collections::BTreeMap;

use crate::domain::fact::{OfferFact, TotalFact};
use crate::domain::found::{Candidate, Found};
use crate::domain::place::PlaceId;
use crate::domain::product::{colour_fits, size_fits, size_key};
use crate::domain::{Fact, FactBody, FactId, Localised, Money, Offer, Product, ProductId};

use crate::engine::Only;

use super::{Question, Sources};

/// Longer descriptions are specifications, not a sentence to say.
const LONGEST_SUMMARY: usize = 200;

/// Reads the products and the offers of all their variants and sorts them by the shopper's conditions.
pub(super) async fn gather(sources: Sources<'_>, question: &Question<'_>, ids: &[ProductId]) -> anyhow::Result<Found> {
    let products = sources.catalog.products(ids).await?;
    let offers = sources.catalog.told(ids, question.currency).await?;
    let mut by_product: BTreeMap<ProductId, Vec<Offer>> = BTreeMap::new();
    for offer in offers {
        by_product.entry(offer.product.clone()).or_default().push(offer);
    }
    let mut found = Found::default();
    let source = format!("catalog@{}", sources.search.generation().id);
    for product in products {
        let Some(mut offers) = by_product.remove(&product.id) else { continue };
        offers.sort_by_key(|offer| offer.price.now().map_or(i64::MAX, |money| money.minor));
        let mut conditions = Conditions::of(question);
        conditions.size = conditions.size.or_else(|| named_size(question.text, &product, &offers));
        let conditions = &conditions;
        let exact = |wanted: &str, has: &str| colour_fits(wanted, has);
        let shade = |wanted: &str, has: &str| sources.shop.shade_of(has) == Some(wanted);
        let (matching, others): (Vec<&Offer>, Vec<&Offer>) =
            offers.iter().partition(|offer| conditions.met(offer, &exact));
        let (matching, others): (Vec<&Offer>, Vec<&Offer>) = match matching.is_empty() {
            // Who asks for blue, and there is none, may take navy for one.
            true => offers.iter().partition(|offer| conditions.met(offer, &shade)),
            false => (matching, others),
        };
        let id_of = |offer: &&Offer| fact_id(offer);
        let total = total(question, &matching, &source);
        let candidate = Candidate {
            total: total.as_ref().map(|fact| fact.id.clone()),
            matching: matching.iter().map(id_of).collect(),
            all: matching.iter().chain(&others).map(id_of).collect(),
            covers: 0.0,
            in_stock: pieces(&matching),
            product: product.clone(),
        };
        found.facts.extend(total);
        let told = |offer: &Offer| fact(sources, &product, offer, (&conditions.place, question.details, &source));
        found.facts.extend(offers.iter().map(told));
        if candidate.matching.is_empty() { found.near.push(candidate) } else { found.candidates.push(candidate) }
    }
    Ok(found)
}

/// What the asked number of pieces costs together, when there is one price to multiply.
fn total(question: &Question<'_>, matching: &[&Offer], source: &str) -> Option<Fact> {
    let quantity = question.slots.quantity.filter(|quantity| *quantity > 1)?;
    let first = matching.first()?;
    let price = first.price.now()?;
    if matching.iter().any(|offer| offer.price.now() != Some(price)) {
        return None;
    }
    let total = TotalFact { offer: fact_id(first), quantity, total: price.times(quantity)? };
    Some(Fact {
        id: FactId(format!("total:{}x{quantity}", first.sku)),
        body: FactBody::Total(total),
        source: source.to_string(),
        as_of: first.as_of,
    })
}

/// Adds the first accessory of the first candidate that is in stock and has a price.
pub(super) async fn accessory(sources: Sources<'_>, question: &Question<'_>, found: &mut Found) -> anyhow::Result<()> {
    let Some(first) = found.candidates.first() else { return Ok(()) };
    let ids = first.product.accessories.clone();
    let products = sources.catalog.products(&ids).await?;
    let offers = sources.catalog.told(&ids, question.currency).await?;
    let bought = sources.catalog.together(&first.product.id);
    let bought = bought.filter(|bought| bought.companions.iter().map(|companion| &companion.product).eq(&ids));
    let most = bought.as_ref().map(|bought| dearest(first, &found.facts, bought.most_percent));
    let sellable = |offer: &&Offer| {
        let price = offer.price.now();
        let small = |most: Option<Money>| match (most, price) {
            (Some(most), Some(price)) => most.currency == price.currency && price.minor <= most.minor,
            _ => false,
        };
        price.is_some() && offer.in_stock() != Some(0) && most.is_none_or(small)
    };
    let Some(offer) = offers.iter().find(sellable) else { return Ok(()) };
    found.bought_together = bought.is_some();
    let Some(product) = products.iter().find(|product| product.id == offer.product) else { return Ok(()) };
    let source = format!("catalog@{}", sources.search.generation().id);
    found.accessory = Some(fact_id(offer));
    if !found.facts.iter().any(|fact| fact.id == fact_id(offer)) {
        found.facts.push(fact(sources, product, offer, (&None, None, &source)));
    }
    Ok(())
}

/// What something may cost at most to be put forward unasked beside a product; none where no price of that one is known.
fn dearest(beside: &Candidate, facts: &[Fact], percent: u32) -> Option<Money> {
    let price = |id: &FactId| match &facts.iter().find(|fact| fact.id == *id)?.body {
        FactBody::Offer(offer) => offer.offer.price.now(),
        _ => None,
    };
    let least = beside.matching.iter().filter_map(price).min_by_key(|price| price.minor)?;
    let minor = i128::from(least.minor) * i128::from(percent) / 100;
    Some(Money::new(i64::try_from(minor).ok()?, least.currency))
}

fn pieces(offers: &[&Offer]) -> Option<u32> {
    let known: Vec<u32> = offers.iter().filter_map(|offer| offer.in_stock()).collect();
    (!known.is_empty()).then(|| known.iter().fold(0_u32, |sum, count| sum.saturating_add(*count)))
}

/// What of a question's conditions an index knows of.
pub(super) fn only(question: &Question<'_>) -> Only {
    let Conditions { size, colour, .. } = Conditions::of(question);
    Only { colour: colour.map(str::to_string), size: size.as_deref().map(size_key) }
}

/// The most the shopper wants to pay.
pub(super) fn most(question: &Question<'_>) -> Option<Money> {
    let budget = question.slots.budget.as_ref()?;
    Money::parse(&budget.amount, budget.currency.unwrap_or(question.currency)).ok()
}

/// Whether what is wanted fits what is there.
type Fits<'a> = &'a dyn Fn(&str, &str) -> bool;

/// The hard conditions of a question.
struct Conditions<'a> {
    size: Option<String>,
    colour: Option<&'a str>,
    most: Option<Money>,
    place: Option<PlaceId>,
}

impl<'a> Conditions<'a> {
    fn of(question: &'a Question<'_>) -> Self {
        let slots = question.slots;
        let most = most(question);
        Conditions {
            size: slots.size.clone(),
            colour: slots.colour.as_deref(),
            most,
            place: slots.town.as_deref().map(PlaceId::from),
        }
    }

    fn met(&self, offer: &Offer, colour: Fits<'_>) -> bool {
        let same = |wanted: Option<&str>, has: &Option<String>, fits: Fits<'_>| match (wanted, has) {
            (Some(wanted), Some(has)) => fits(wanted, has),
            // A condition says nothing about a product that has no such property.
            _ => true,
        };
        let affordable = match (self.most, offer.price.now()) {
            (Some(most), Some(price)) => most.currency == price.currency && price.minor <= most.minor,
            (Some(_), None) => false,
            (None, _) => true,
        };
        affordable && same(self.size.as_deref(), &offer.size, &size_fits) && same(self.colour, &offer.colour, colour)
    }
}

/// The one size of a product that stands in the message beside its name: `1kg`, `200x220`. A bare number is left
/// to understanding, which knows whether it is a size.
fn named_size(message: &str, product: &Product, offers: &[Offer]) -> Option<String> {
    let message = size_key(message);
    let in_name = |size: &str| product.name.all().any(|(_, name)| size_key(name).contains(&size_key(size)));
    let telling = |size: &&String| {
        let digits = size.chars().any(|c| c.is_ascii_digit());
        digits
            && size.chars().any(|c| c.is_alphabetic() || c == '×')
            && !in_name(size)
            && message.contains(&size_key(size))
    };
    let mut named: Vec<&String> = offers.iter().filter_map(|offer| offer.size.as_ref()).filter(telling).collect();
    named.dedup();
    // The longest: in `10kg` stands also `0kg`.
    named.into_iter().max_by_key(|size| size.len()).cloned()
}

fn fact_id(offer: &Offer) -> FactId {
    FactId(format!("offer:{}", offer.sku))
}

fn fact(
    sources: Sources<'_>,
    product: &Product,
    offer: &Offer,
    (place, asked, source): (&Option<PlaceId>, Option<&str>, &str),
) -> Fact {
    let colour = offer.colour.as_deref().map(|colour| sources.shop.colour_name(colour)).unwrap_or_default();
    let places = places(sources, offer, place);
    let short = |(_, text): &(crate::domain::Language, &str)| text.chars().count() <= LONGEST_SUMMARY;
    let summary = product.description.all().filter(short).map(|(language, text)| (language, text.to_string()));
    Fact {
        id: fact_id(offer),
        as_of: offer.as_of,
        source: source.to_string(),
        body: FactBody::Offer(OfferFact {
            product: product.id.clone(),
            name: product.name.clone(),
            summary: Localised(summary.collect()),
            colour,
            offer: offer.clone(),
            places,
            details: asked.map(|asked| sources.shop.details().of(product, asked)).unwrap_or_default(),
        }),
    }
}

/// Where the stock of an offer is.
pub(super) fn places(sources: Sources<'_>, offer: &Offer, place: &Option<PlaceId>) -> Vec<(Localised, u32)> {
    let asked = |line: &&crate::domain::product::StockLine| place.as_ref().is_none_or(|place| line.place == *place);
    // Stock of no place in particular is told as a count alone, and says nothing about a town.
    let placed = || offer.stock.iter().filter(|line| !line.place.is_anywhere());
    let mut places: Vec<(Localised, u32)> =
        placed().filter(asked).map(|line| (sources.shop.place_name(&line.place), line.count)).collect();
    if let (Some(place), true, true) = (place, places.is_empty(), placed().next().is_some()) {
        // The town carries none: that is an answer too.
        places.push((sources.shop.place_name(place), 0));
    }
    places
}
