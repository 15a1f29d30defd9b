//! What is about to be told is confirmed by its source; what is not confirmed loses its price and its count. In: what was found, and
//! the products a plan tells of. Out: the same with the source's words, and whether they are others than the plan was made on.

use crate::domain::place::PlaceId;
use crate::domain::product::Quote;
use crate::domain::{FactBody, FactId, Offer, ProductId};

use super::{Question, Sources, facts};
use crate::domain::found::Found;

/// Confirms the offers of `told`, and withholds all others; true when the source says something else than what was found.
///
/// # Errors
/// The catalog cannot be read.
pub async fn confirm(
    sources: Sources<'_>,
    question: &Question<'_>,
    (found, told): (&mut Found, &[ProductId]),
) -> anyhow::Result<bool> {
    let offers = sources.catalog.offers(told, question.currency).await?;
    let place = question.slots.town.as_deref().map(PlaceId::from);
    let (mut other, mut changed): (bool, Vec<FactId>) = (false, Vec::new());
    for fact in &mut found.facts {
        let FactBody::Offer(known) = &mut fact.body else { continue };
        let confirmed = offers.iter().find(|offer| offer.sku == known.offer.sku && offer.product == known.product);
        let now = confirmed.cloned().unwrap_or_else(|| withheld(&known.offer));
        let same = now.price == known.offer.price && now.in_stock() == known.offer.in_stock();
        other |= !same && now.price.now().is_some();
        if !same {
            changed.push(fact.id.clone());
        }
        known.places = facts::places(sources, &now, &place);
        fact.as_of = now.as_of;
        known.offer = now;
    }
    forget_sums(found, &changed);
    Ok(other)
}

fn withheld(offer: &Offer) -> Offer {
    Offer { price: Quote::Stale, stock: Vec::new(), ..offer.clone() }
}

/// A sum of prices that are others now is no sum.
fn forget_sums(found: &mut Found, changed: &[FactId]) {
    let sum = |body: &FactBody| matches!(body, FactBody::Total(total) if changed.contains(&total.offer));
    let gone: Vec<FactId> = found.facts.iter().filter(|fact| sum(&fact.body)).map(|fact| fact.id.clone()).collect();
    found.facts.retain(|fact| !gone.contains(&fact.id));
    for candidate in found.candidates.iter_mut().chain(&mut found.near) {
        candidate.total = candidate.total.take().filter(|total| !gone.contains(total));
    }
}
