//! Questions to the whole range: its cheapest, its dearest, all up to a budget, or what there is at all. In: a question that names no
//! product. Out: the candidates by price, or the kinds of things the shop sells.

use crate::domain::command::{Pick, PriceEnd};
use crate::domain::fact::RangeFact;
use crate::domain::plan::Absence;
use crate::domain::{Fact, FactBody, FactId, ProductId, Wish};
use crate::engine::{PriceRange, ProductQuery, SearchMode};

use super::{Limits, Question, Retrieved, Sources, facts, query, wish};
use crate::domain::found::Found;

/// More kinds than this are a catalog, not an answer.
const KINDS: usize = 12;

/// True for "the cheapest thing you have", before anything was shown: only the whole range can be meant.
pub(super) fn of_nothing_named(question: &Question<'_>) -> bool {
    let slots = question.slots;
    let named = slots.product.is_some() || slots.sku.is_some() || slots.wish.is_some() || slots.detail.is_some();
    !named && question.focus.is_empty() && (matches!(slots.pick, Some(Pick::Price(_))) || slots.budget.is_some())
}

/// What the whole range has to offer; nothing when the question names a product after all.
pub(super) async fn of_all(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
) -> anyhow::Result<Option<Retrieved>> {
    let slots = question.slots;
    if slots.product.is_some() || slots.sku.is_some() {
        return Ok(None);
    }
    let end = match slots.pick {
        Some(Pick::Price(end)) => Some(end),
        _ => None,
    };
    let found = match (end, facts::most(question)) {
        (None, None) => kinds(sources, question).await?,
        (end, most) => {
            let range = PriceRange {
                currency: question.currency,
                most: most.map(|most| most.minor),
                // Who names a budget wants to make use of it.
                dearest_first: end != Some(PriceEnd::Cheapest),
                limit: limits.candidates,
            };
            let ids = sources.catalog.by_price(range).await?;
            let mut found = facts::gather(sources, question, &ids).await?;
            found.candidates.retain(|candidate| candidate.in_stock != Some(0) && !candidate.matching.is_empty());
            if let Some(end) = end {
                wish::at_the_end(&mut found, (end, question.currency));
            }
            found
        }
    };
    let kinds = found.kinds.clone();
    let mut retrieved = wish::settled(found, Wish::Range, Vec::new());
    if kinds.is_some() {
        retrieved.found.absence = None;
    }
    Ok(Some(retrieved))
}

/// "A gift for somebody who likes to cook": of the whole range, what lies nearest in meaning and within the budget. None where
/// meaning cannot be asked, or has nothing to be had.
pub(super) async fn in_meaning(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
) -> anyhow::Result<Option<Retrieved>> {
    if question.vector.is_none() {
        return Ok(None);
    }
    let nearest = ProductQuery { mode: SearchMode::Vector, ..query(question, question.text, limits) };
    let hits = sources.search.products(&nearest).await?;
    let ids: Vec<ProductId> = hits.iter().map(|hit| hit.id.clone()).collect();
    let mut found = facts::gather(sources, question, &ids).await?;
    found.candidates.retain(|candidate| candidate.in_stock != Some(0) && !candidate.matching.is_empty());
    Ok((!found.candidates.is_empty()).then(|| wish::settled(found, Wish::Range, hits)))
}

/// What is told beside "we have no such thing": the kinds of things that there are.
pub(super) async fn instead(sources: Sources<'_>, question: &Question<'_>) -> anyhow::Result<Found> {
    Ok(Found { absence: Some(Absence::NothingFound), ..kinds(sources, question).await? })
}

async fn kinds(sources: Sources<'_>, question: &Question<'_>) -> anyhow::Result<Found> {
    let kinds = sources.catalog.kinds(KINDS).await?;
    if kinds.is_empty() {
        return Ok(Found::default());
    }
    let id = FactId("range".to_string());
    let kinds = kinds.iter().map(|kind| sources.shop.category_name(kind)).collect();
    let source = format!("catalog@{}", sources.search.generation().id);
    let fact = Fact { id: id.clone(), body: FactBody::Range(RangeFact { kinds }), source, as_of: question.now };
    Ok(Found { kinds: Some(id), facts: vec![fact], ..Found::default() })
}
