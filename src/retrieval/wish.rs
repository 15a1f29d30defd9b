//! Questions that stand to a product at hand or to the whole range: something cheaper, what goes with it, what is on
//! sale. In: the wish and the products the talk is about. Out: candidates that fulfil it, or its own kind of absence.

use crate::domain::command::PriceEnd;
use crate::domain::found::{Candidate, Found};
use crate::domain::plan::Absence;
use crate::domain::product::Quote;
use crate::domain::{Currency, FactBody, FactId, Money, ProductId, Wish};
use crate::engine::{Only, ProductHit, ProductQuery};
use crate::shop::Kinds;

use super::{Limits, Question, Retrieved, Sources, by_words, facts, query, range};

/// Hits among which others of the same kind are looked for.
pub(super) const SAME_KIND: usize = 60;
/// Reduced products read for one answer.
const REDUCED: usize = 40;

/// What fulfils the wish; nothing when it does not say beside which product it is meant.
pub(super) async fn look_up(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
    wish: Wish,
) -> anyhow::Result<Option<Retrieved>> {
    if wish == Wish::Range {
        return range::of_all(sources, question, limits).await;
    }
    if wish == Wish::OnSale {
        return on_sale(sources, question, limits).await.map(Some);
    }
    if wish == Wish::Popular {
        return popular(sources, question, limits).await;
    }
    let (base, hits) = match &question.slots.product {
        Some(_) => {
            let (chosen, hits) = by_words(sources, question, (limits, Only::default())).await?;
            if chosen.sure == 0 && wish != Wish::GoesWith {
                // "Cheap shoes": there is nothing at hand that others could be cheaper than.
                return Ok(None);
            }
            (chosen.order.into_iter().take(chosen.sure.max(1)).collect(), hits)
        }
        None => (question.focus.to_vec(), Vec::new()),
    };
    if base.is_empty() {
        return Ok(None);
    }
    let mut found = match wish {
        Wish::GoesWith => going_with(sources, question, &base).await?,
        _ => same_kind(sources, question, limits, (&base, wish)).await?,
    };
    found.candidates.retain(|candidate| candidate.in_stock != Some(0) && !candidate.matching.is_empty());
    Ok(Some(settled(found, wish, hits)))
}

/// Everything was chosen by rule: nothing is left to judge.
pub(super) fn settled(mut found: Found, wish: Wish, hits: Vec<ProductHit>) -> Retrieved {
    found.wish = Some(wish);
    found.sure = found.candidates.len();
    found.near.clear();
    found.absence = found.candidates.is_empty().then_some(Absence::Unfulfilled(wish));
    Retrieved { found, hits }
}

async fn going_with(sources: Sources<'_>, question: &Question<'_>, base: &[ProductId]) -> anyhow::Result<Found> {
    let mut ids: Vec<ProductId> = Vec::new();
    for product in sources.catalog.products(base).await? {
        let new = product.accessories.into_iter().filter(|id| !base.contains(id));
        for id in new {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    facts::gather(sources, question, &ids).await
}

/// Others of the same category, below the least or above the most that those at hand cost, nearest in price first.
async fn same_kind(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
    (base, wish): (&[ProductId], Wish),
) -> anyhow::Result<Found> {
    let at_hand = facts::gather(sources, question, base).await?;
    let prices = || {
        at_hand
            .candidates
            .iter()
            .chain(&at_hand.near)
            .filter_map(|candidate| least(&at_hand, candidate, question.currency))
    };
    let bound = if wish == Wish::Cheaper { prices().min() } else { prices().max() };
    let products = sources.catalog.products(base).await?;
    let (Some(bound), Some(first)) = (bound, products.first()) else { return Ok(Found::default()) };
    // The name's own words lead to others of its kind; the question's embedding is about something else.
    let named =
        ProductQuery { vector: None, limit: SAME_KIND, ..query(question, first.name.get(question.language), limits) };
    let ids: Vec<ProductId> = sources.search.products(&named).await?.into_iter().map(|hit| hit.id).collect();
    let alike = sources.catalog.products(&ids).await?;
    let alike = alike.into_iter().filter(|other| other.category == first.category && !base.contains(&other.id));
    let alike: Vec<ProductId> = alike.map(|other| other.id).collect();
    let mut found = facts::gather(sources, question, &alike).await?;
    let beyond = |money: Money| match wish {
        Wish::Cheaper => money.minor < bound,
        _ => money.minor > bound,
    };
    let mut kept: Vec<(i64, Candidate)> = Vec::new();
    for candidate in std::mem::take(&mut found.candidates) {
        if let Some(price) = least(&found, &candidate, question.currency)
            .filter(|minor| beyond(Money { minor: *minor, currency: question.currency }))
        {
            kept.push((price, candidate));
        }
    }
    kept.sort_by_key(|(price, _)| if wish == Wish::Cheaper { -price } else { *price });
    found.candidates = kept.into_iter().map(|(_, candidate)| candidate).collect();
    Ok(found)
}

/// Leaves the candidates whose names hold most of the question's words and that can be had: those are of the kind asked for.
pub(super) fn fitting(found: &mut Found) {
    let most = found.candidates.iter().map(|candidate| candidate.covers).fold(0.0_f32, f32::max);
    found.candidates.retain(|candidate| candidate.covers >= most);
    if found.candidates.iter().any(|candidate| candidate.in_stock != Some(0)) {
        found.candidates.retain(|candidate| candidate.in_stock != Some(0));
    }
}

/// Of "the cheapest headphones" the tips for headphones are none: where the words stand in what some names are for, and in what others
/// are, the latter are meant.
pub(super) fn of_a_kind(kinds: &Kinds, question: &Question<'_>, found: &mut Found) {
    let Some(words) = question.slots.product.as_deref() else { return };
    let is_such = |candidate: &Candidate| {
        let name = candidate.product.name.get(question.language).to_lowercase();
        let kind = kinds.named(&name, &name);
        let words = words.to_lowercase();
        words.split_whitespace().all(|word| kind.split_whitespace().any(|part| alike(part, word)))
    };
    if found.candidates.iter().any(is_such) {
        found.candidates.retain(is_such);
    }
}

/// Two forms of one word, as far as their beginnings tell.
fn alike(one: &str, other: &str) -> bool {
    let shared = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let shorter = one.chars().count().min(other.chars().count());
    shared >= 3 && shared + 2 >= shorter
}

/// Leaves the candidates at one end by price; all of them where no price is known.
pub(super) fn at_the_end(found: &mut Found, (end, currency): (PriceEnd, Currency)) {
    let prices: Vec<Option<i64>> = found.candidates.iter().map(|candidate| least(found, candidate, currency)).collect();
    let known = prices.iter().flatten();
    let wanted = match end {
        PriceEnd::Cheapest => known.min(),
        PriceEnd::Dearest => known.max(),
    };
    let Some(wanted) = wanted.copied() else { return };
    let mut prices = prices.into_iter();
    found.candidates.retain(|_| prices.next() == Some(Some(wanted)));
    found.sure = found.candidates.len();
}

/// The least price of a candidate in one currency, in minor units: amounts in two are not compared.
fn least(found: &Found, candidate: &Candidate, currency: Currency) -> Option<i64> {
    let prices = candidate.matching.iter().filter_map(|id| price(found, id));
    prices.filter(|money| money.currency == currency).map(|money| money.minor).min()
}

fn price(found: &Found, id: &FactId) -> Option<Money> {
    let fact = found.facts.iter().find(|fact| fact.id == *id)?;
    match &fact.body {
        FactBody::Offer(offer) => offer.offer.price.now(),
        _ => None,
    }
}

/// What is bought most: among what the words name, else of the whole range. None where nobody has counted what the words name: what
/// there is of it is told then, and not as bought most.
async fn popular(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<Option<Retrieved>> {
    let most = sources.catalog.popular();
    let (ids, hits) = match &question.slots.product {
        Some(words) => {
            let wide = ProductQuery { limit: SAME_KIND, ..query(question, words, limits) };
            let hits = sources.search.products(&wide).await?;
            let meant = |id: &&ProductId| hits.iter().any(|hit| hit.id == **id && hit.query_in_name > 0.0);
            let ids: Vec<ProductId> = most.iter().filter(meant).cloned().collect();
            (ids, hits)
        }
        None => (most.into_iter().take(SAME_KIND).collect(), Vec::new()),
    };
    if ids.is_empty() && question.slots.product.is_some() {
        return Ok(None);
    }
    let mut found = facts::gather(sources, question, &ids).await?;
    found.candidates.retain(|candidate| candidate.in_stock != Some(0) && !candidate.matching.is_empty());
    if found.candidates.is_empty() {
        let kinds = range::instead(sources, question).await?;
        let found = Found { absence: Some(Absence::Unfulfilled(Wish::Popular)), ..kinds };
        return Ok(Some(Retrieved { found, hits }));
    }
    Ok(Some(settled(found, Wish::Popular, hits)))
}

/// Products below an older price: among those the words name, else of the whole range.
async fn on_sale(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<Retrieved> {
    let reduced = sources.catalog.reduced(question.currency, REDUCED).await?;
    let (ids, hits) = match &question.slots.product {
        Some(words) => {
            let wide = ProductQuery { limit: SAME_KIND, ..query(question, words, limits) };
            let hits = sources.search.products(&wide).await?;
            let ids = hits.iter().map(|hit| hit.id.clone()).filter(|id| reduced.contains(id)).collect();
            (ids, hits)
        }
        None => (reduced, Vec::new()),
    };
    let mut found = facts::gather(sources, question, &ids).await?;
    let facts = std::mem::take(&mut found.facts);
    let below = |id: &FactId| {
        facts.iter().any(|fact| match &fact.body {
            FactBody::Offer(offer) => fact.id == *id && matches!(offer.offer.price, Quote::Known { old: Some(_), .. }),
            _ => false,
        })
    };
    for candidate in &mut found.candidates {
        candidate.matching.retain(below);
    }
    found.candidates.retain(|candidate| !candidate.matching.is_empty() && candidate.in_stock != Some(0));
    found.facts = facts;
    Ok(settled(found, Wish::OnSale, hits))
}
