//! A question becomes facts: candidates from the index, price and stock re-read from the catalog by id.
//! In: words, slots, the conversation's focus. Out: facts and a typed outcome; "nothing found", "filtered out",
//! "sold out" and "source down" are different answers. It never decides what to say.

mod carried;
mod confirm;
mod facts;
mod narrowing;
mod policy;
mod question;
mod range;
mod select;
mod wanted;
mod wish;

use crate::domain::command::Pick;
use crate::domain::found::{Candidate, Found};
use crate::domain::plan::Absence;
use crate::domain::{ProductId, Wish};
use crate::engine::{Catalog, Only, ProductHit, ProductQuery, Search, SearchMode};
use crate::shop::Shop;

pub use crate::domain::command::EVERY_DETAIL;
pub use confirm::confirm;
pub use policy::{Passages, passages};
pub use question::Question;

/// What retrieval reads from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The index.
    pub search: &'a dyn Search,
    /// Prices and stock.
    pub catalog: &'a dyn Catalog,
    /// Names of colours and towns, delivery terms.
    pub shop: &'a Shop,
}

/// How to choose among candidates.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Candidates fetched.
    pub candidates: usize,
    /// Share of a name that must stand in the message.
    pub sure_name: f32,
}

/// What was found, and the hits behind it.
#[derive(Clone, Debug, Default)]
pub struct Retrieved {
    /// Candidates and facts.
    pub found: Found,
    /// The hits, for `--explain`.
    pub hits: Vec<ProductHit>,
}

/// Finds the products a question is about.
pub async fn products(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> Retrieved {
    answered(look_up(sources, question, limits).await)
}

/// Finds the products a comparison names: each name is looked up by itself.
pub async fn products_to_compare(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> Retrieved {
    let details = question.details.or(Some(EVERY_DETAIL));
    let mut retrieved = answered(to_compare(sources, &Question { details, ..question.clone() }, limits).await);
    wanted::put_first(sources, question, &mut retrieved.found);
    retrieved
}

fn answered(result: anyhow::Result<Retrieved>) -> Retrieved {
    result.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "products could not be read");
        Retrieved { found: Found { absence: Some(Absence::SourceDown), ..Found::default() }, hits: Vec::new() }
    })
}

async fn look_up(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<Retrieved> {
    if question.slots.wish == Some(Wish::Range)
        && let Some(retrieved) = wanted::look_up(sources, question, limits).await?
    {
        return Ok(retrieved);
    }
    if let Some(wish) = question.slots.wish
        && let Some(retrieved) = wish::look_up(sources, question, limits, wish).await?
    {
        return Ok(retrieved);
    }
    if range::of_nothing_named(question)
        && let Some(retrieved) = range::of_all(sources, question, limits).await?
    {
        return Ok(retrieved);
    }
    let named = select::by_code(sources.catalog, question.slots).await?;
    if named.is_none()
        && let Some(retrieved) = wanted::look_up(sources, question, limits).await?
    {
        return Ok(narrowed(sources, question, retrieved, false));
    }
    let slots = wanted::without_refused(sources, question).filter(|_| named.is_none());
    let question = &Question { slots: slots.as_ref().unwrap_or(question.slots), ..question.clone() };
    let pointed = named.is_none() && question.slots.product.is_none() && !question.focus.is_empty();
    let sure_of = |order: Vec<ProductId>| select::Chosen { sure: order.len(), order, led: false };
    let (chosen, hits) = match named {
        Some(id) => (sure_of(vec![id]), Vec::new()),
        None if pointed => (sure_of(question.focus.to_vec()), Vec::new()),
        None => match by_names(sources, question, limits).await? {
            Some(each) => each,
            None => {
                let found = by_words(sources, question, (limits, Only::default())).await?;
                wanted::of_the_kind_named(sources, question, limits, found).await?
            }
        },
    };
    let select::Chosen { order: ids, sure, led } = chosen;
    let by_words_alone = sure == 0;
    // "Winter tyres" shares a word with winter boots and with nothing else.
    if (by_words_alone || led) && !pointed && !carried(sources, question, limits).await? {
        if question.slots.detail.is_some() && !question.focus.is_empty() {
            // "How long does the battery last?" names no product: it is about those shown.
            return finish(sources, question, question.focus, (question.focus.len(), Vec::new())).await;
        }
        if question.slots.wish == Some(Wish::Range)
            && let Some(retrieved) = range::in_meaning(sources, question, limits).await?
        {
            return Ok(retrieved);
        }
        return Ok(Retrieved { found: range::instead(sources, question).await?, hits });
    }
    let mut retrieved = finish(sources, question, &ids, (sure, hits)).await?;
    if by_words_alone && retrieved.found.absence == Some(Absence::FilteredOut) {
        retrieved = or_further(sources, question, limits, retrieved).await?;
    }
    Ok(narrowed(sources, question, retrieved, pointed))
}

/// What was found with what would narrow it down; of those the one at the end by price, where that was asked for.
fn narrowed(sources: Sources<'_>, question: &Question<'_>, mut retrieved: Retrieved, pointed: bool) -> Retrieved {
    if retrieved.found.sure == 0 || matches!(question.slots.pick, Some(Pick::Choice { .. })) {
        narrowing::splits(sources.shop, question, &mut retrieved.found);
    }
    if let Some(Pick::Price(end)) = question.slots.pick {
        if !pointed {
            wish::fitting(&mut retrieved.found);
            wish::of_a_kind(sources.shop.kinds(), question, &mut retrieved.found);
        }
        wish::at_the_end(&mut retrieved.found, (end, question.currency));
    }
    retrieved
}

/// None of the nearest is to be had in the colour or size asked for; one that is may lie further away.
async fn or_further(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
    nearest: Retrieved,
) -> anyhow::Result<Retrieved> {
    let only = facts::only(question);
    if only.is_empty() {
        return Ok(nearest);
    }
    let (chosen, hits) = by_words(sources, question, (limits, only)).await?;
    let further = finish(sources, question, &chosen.order, (chosen.sure, hits)).await?;
    let best = |all: &[Candidate]| all.iter().map(|one| one.covers).fold(0.0_f32, f32::max);
    let told = best(&further.found.candidates);
    // What is near and not as asked is told before what is far.
    Ok(if told > 0.0 && told >= best(&nearest.found.near) { further } else { nearest })
}

/// True unless the words name a kind of thing that the shop does not have.
async fn carried(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<bool> {
    let Some(words) = question.slots.product.as_deref() else { return Ok(true) };
    if sources.shop.kinds().open(question.text) {
        return Ok(true);
    }
    let kind = question.kind(sources.shop, words);
    let familiar = sources.search.familiar(&query(question, &kind, limits)).await?;
    tracing::debug!(?familiar, "how well the shop knows it");
    Ok(carried::carried(familiar, question.language))
}

/// "The Volna kettle and a toaster": every part names products of its own. None when one of them does not, for then the words
/// between may be part of a name.
async fn by_names(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
) -> anyhow::Result<Option<(select::Chosen, Vec<ProductHit>)>> {
    let names = &question.slots.names;
    if names.len() < 2 {
        return Ok(None);
    }
    let whole = sources.search.products(&query(question, question.whole, limits)).await?;
    if select::is_one_name(&whole, limits.sure_name) {
        return Ok(None);
    }
    let (mut order, mut all_holding): (Vec<ProductId>, Vec<ProductId>) = Default::default();
    let mut all_hits = Vec::new();
    for name in names {
        let part = ProductQuery { vector: None, ..query(question, name, limits) };
        let hits = sources.search.products(&part).await?;
        let mut meant = select::named(&hits, limits.sure_name);
        // "Salt and pepper mill" holds the words of both parts, and is one.
        let spans = hits.iter().any(|hit| hit.query_in_name >= limits.sure_name && all_holding.contains(&hit.id));
        meant.retain(|id| !order.contains(id));
        if meant.is_empty() || spans {
            return Ok(None);
        }
        order.extend(meant);
        all_holding.extend(select::holding(&hits, limits.sure_name));
        all_hits.extend(hits);
    }
    let sure = order.len();
    Ok(Some((select::Chosen { order, sure, led: false }, all_hits)))
}

/// A full name may hold what understanding takes for a colour, a size or a count, so the whole message is looked
/// through for one first; only then the words that are left of it.
async fn by_words(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, only): (Limits, Only),
) -> anyhow::Result<(select::Chosen, Vec<ProductHit>)> {
    let asked = |words| ProductQuery { only: only.clone(), ..query(question, words, limits) };
    let hits = sources.search.products(&asked(question.whole)).await?;
    if let Some(chosen) = select::full_name(&hits, limits.sure_name) {
        return Ok((chosen, hits));
    }
    let words = question.slots.product.as_deref().unwrap_or(question.text);
    let hits = sources.search.products(&asked(words)).await?;
    Ok((select::sure(&hits, limits.sure_name), hits))
}

async fn to_compare(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<Retrieved> {
    let words = question.slots.product.as_deref().unwrap_or(question.text);
    let code = question.slots.sku.clone();
    if let (Some(code), [shown], true) = (&code, question.focus, question.slots.names.is_empty()) {
        // "And how does it differ from the V-700?", "is it quieter than the V-500?"
        let third = match question.slots.product.as_deref() {
            Some(words) => named_alone(sources, question, (limits, words)).await?,
            None => None,
        };
        let other = named_alone(sources, question, (limits, code)).await?;
        if let Some(other) = other.filter(|other| other != shown && third.as_ref().is_none_or(|third| third == other)) {
            let both = [shown.clone(), other];
            return finish(sources, question, &both, (both.len(), Vec::new())).await;
        }
    }
    if question.slots.names.len() > 1 || code.is_some() && question.slots.product.is_some() {
        // "V-300 or V-500?": a code stands beside the names.
        let mut names = match question.slots.names.as_slice() {
            [] => code.into_iter().chain(question.slots.product.clone()).collect(),
            names => code.into_iter().chain(names.iter().cloned()).collect::<Vec<_>>(),
        };
        let model = |name: &String| name.contains(|sign: char| sign.is_ascii_digit());
        if names.iter().filter(|name| model(name)).count() > 1 {
            // "Vacuum cleaner V-300 or V-500": the kind beside them is no third.
            names.retain(model);
        }
        return look_up_each(sources, question, (limits, &names)).await;
    }
    if let (Some(words), [shown]) = (question.slots.product.as_deref(), question.focus)
        && let Some(other) = named_alone(sources, question, (limits, words)).await?
        && other != *shown
    {
        // "What is the difference between that and the windbreaker?"
        let both = [shown.clone(), other];
        return finish(sources, question, &both, (both.len(), Vec::new())).await;
    }
    if question.focus.len() > 1 && question.slots.product.is_some() {
        // "Which one is the quietest?", "which is better for espresso?" name a quality of those shown: one thing that is named is
        // compared with nothing. Several that share a name are a list of their own.
        let hits = sources.search.products(&query(question, words, limits)).await?;
        let named = hits.iter().filter(|hit| hit.query_in_name >= limits.sure_name && hit.name_in_query > 0.0).count();
        let purpose = sources.shop.kinds().purpose(question.text, words);
        if purpose || named < 2 || hits.iter().all(|hit| hit.query_in_name <= 0.0) {
            return finish(sources, question, question.focus, (question.focus.len(), Vec::new())).await;
        }
    }
    look_up(sources, question, limits).await
}

/// The one product that a name or a code means beyond doubt.
async fn named_alone(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, name): (Limits, &str),
) -> anyhow::Result<Option<ProductId>> {
    // "V-500 except the price" names it by its code, whatever stands beside it.
    let codes = name.split_whitespace().filter(|word| word.contains(|sign: char| sign.is_ascii_digit()));
    for code in std::iter::once(name).chain(codes) {
        if let Some((product, _)) = sources.catalog.by_code(code).await? {
            return Ok(Some(product));
        }
    }
    let part = ProductQuery { vector: None, ..query(question, name, limits) };
    let chosen = select::sure(&sources.search.products(&part).await?, limits.sure_name);
    Ok(chosen.order.into_iter().next().filter(|_| chosen.sure == 1))
}

async fn look_up_each(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, names): (Limits, &[String]),
) -> anyhow::Result<Retrieved> {
    let (mut ids, mut guessed, mut all_hits): (Vec<ProductId>, Vec<ProductId>, Vec<ProductHit>) = Default::default();
    for name in names {
        // The message's embedding is of all names together: each part is searched by its words.
        let part = ProductQuery { vector: None, ..query(question, name, limits) };
        let hits = sources.search.products(&part).await?;
        let chosen = select::sure(&hits, limits.sure_name);
        if (chosen.sure == 0 || chosen.led) && !known_by_a_word(sources, question, (limits, name)).await? {
            // Of laptops and tablets there are neither.
            continue;
        }
        let best = chosen.order.into_iter().find(|id| !ids.contains(id));
        guessed.extend(best.clone().filter(|_| chosen.sure == 0 || chosen.led));
        ids.extend(best);
        all_hits.extend(hits);
    }
    if ids.len() > guessed.len() + 1 {
        // "Which has the longer warranty, V-300 or V-500?": beside two that are named, "longer" is no third.
        ids.retain(|id| !guessed.contains(id));
    }
    let sure = ids.len();
    finish(sources, question, &ids, (sure, all_hits)).await
}

/// True when the shop knows one of the words of a name.
async fn known_by_a_word(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, name): (Limits, &str),
) -> anyhow::Result<bool> {
    let part = ProductQuery { vector: None, ..query(question, name, limits) };
    let familiar = sources.search.familiar(&part).await?;
    Ok(familiar.last || familiar.known > 0)
}

/// The share of the best score from which a product is of the kind that was looked for: filters for one come behind.
const FITS: f32 = 0.75;

/// Reads the facts of the chosen products and types the outcome.
async fn finish(
    sources: Sources<'_>,
    question: &Question<'_>,
    ids: &[ProductId],
    (sure, hits): (usize, Vec<ProductHit>),
) -> anyhow::Result<Retrieved> {
    let mut found = facts::gather(sources, question, ids).await?;
    // The talk may have been about one product in two variants: its id stands twice, the product once.
    let meant = &ids[..sure.min(ids.len())];
    found.sure = found.candidates.iter().take_while(|candidate| meant.contains(&candidate.product.id)).count();
    for candidate in found.candidates.iter_mut().chain(&mut found.near) {
        let hit = hits.iter().find(|hit| hit.id == candidate.product.id && hit.name_in_query > 0.0);
        candidate.covers = hit.map_or(0.0, |hit| hit.query_in_name);
    }
    let best = hits.first().map_or(0.0, |hit| hit.score);
    let fits = |candidate: &Candidate| {
        let hit = hits.iter().find(|hit| hit.id == candidate.product.id);
        candidate.covers > 0.0 && hit.is_some_and(|hit| hit.score >= FITS * best)
    };
    let had = |candidate: &Candidate| fits(candidate) && candidate.in_stock != Some(0);
    let only_near = found.near.iter().any(fits) && !found.candidates.iter().any(had);
    if (sure > 0 && found.sure == 0 && !found.near.is_empty()) || only_near {
        // What was named exists, but not as asked: the others are no answer.
        found.candidates.clear();
        found.near.sort_by(|a, b| b.covers.total_cmp(&a.covers));
        found.near.retain(|candidate| sure > 0 || candidate.covers > 0.0);
    }
    if found.sure == 1 {
        facts::accessory(sources, question, &mut found).await?;
    }
    if found.candidates.is_empty() {
        let filtered = !found.near.is_empty();
        found.absence = Some(if filtered { Absence::FilteredOut } else { Absence::NothingFound });
    }
    Ok(Retrieved { found, hits })
}

fn query(question: &Question<'_>, words: &str, limits: Limits) -> ProductQuery {
    ProductQuery {
        text: words.to_string(),
        vector: question.vector.map(<[f32]>::to_vec),
        language: question.language,
        mode: SearchMode::Hybrid,
        only: Only::default(),
        limit: limits.candidates,
    }
}
