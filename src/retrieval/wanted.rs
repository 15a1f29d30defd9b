//! Goods with a property: a glass kettle, a pan for induction, a quiet vacuum cleaner, bedding that is not linen. In: a question. Out: of
//! the kind it names, what has the property, by its own attributes; where nothing has it, what there is of the kind as near misses. Each
//! tells the property. It says nothing where the question names no kind, or the kind tells nothing of the property.

use crate::domain::found::{Candidate, Found};
use crate::domain::plan::Absence;
use crate::domain::{FactBody, Product, ProductId, Slots};
use crate::engine::{ProductHit, ProductQuery};
use crate::shop::{Wanted, Wish};

use super::{Limits, Question, Retrieved, Sources, carried, finish, query, select, wish};

/// The share of the best name's words from which a product is of the kind.
const ALIKE: f32 = 0.5;
/// Near misses that are told of.
const NEAR: usize = 5;

/// What meets the wishes of a question; none where it has none, or they are no matter of what it looks for.
pub(super) async fn look_up(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
) -> anyhow::Result<Option<Retrieved>> {
    let shop = sources.shop;
    let Some(named) = question.slots.product.as_deref() else { return Ok(None) };
    let Some(mut wanted) = shop.wanted(question.text, named) else {
        return Ok(None);
    };
    // "Anything in cotton?" after bedding was shown looks for bedding; what asks whether that is cotton is no search.
    let of_those = wanted.kind.is_empty() && !question.focus.is_empty();
    let of_kind = match (of_those, wanted.kind.is_empty()) {
        (true, _) => like_those(sources, question, limits).await?,
        (false, true) => of_any_kind(sources, question, limits).await?,
        (false, false) => of_the_kind(sources, question, (limits, &wanted.kind)).await?,
    };
    let details = shop.details();
    // Nobody says how loud a kettle is: a quiet one is looked for like any.
    wanted.wishes.retain_mut(|wish| wish.told_by(details, &of_kind.products));
    if wanted.wishes.is_empty() {
        return Ok(None);
    }
    let meets = |product: &Product| wanted.wishes.iter().all(|wish| wish.allows(details, product));
    if !of_those && named_in_full(sources, question, (limits, &of_kind.products, &meets)).await? {
        return Ok(None);
    }
    let nearest = match of_those {
        true => Vec::new(),
        false => sources.search.products(&query(question, named, limits)).await?,
    };
    let place = |id: &ProductId| nearest.iter().position(|hit| hit.id == *id).unwrap_or(usize::MAX);
    let mut order: Vec<&Product> = of_kind.products.iter().collect();
    order.sort_by_key(|product| place(&product.id));
    let mut fitting: Vec<&Product> = order.iter().copied().filter(|product| meets(product)).collect();
    for wish in wanted.wishes.iter().rev() {
        let measure = |product: &Product| wish.measure(details, product).unwrap_or(f64::MAX);
        fitting.sort_by(|a, b| measure(a).total_cmp(&measure(b)));
    }
    let ids = |products: &[&Product]| products.iter().map(|product| product.id.clone()).collect::<Vec<_>>();
    if fitting.is_empty() && wanted.kind.is_empty() && !of_those {
        return Ok(None);
    }
    let mut retrieved = match fitting.is_empty() {
        false => {
            let sure = usize::from(fitting.len() == 1);
            finish(sources, question, &ids(&fitting), (sure, of_kind.hits)).await?
        }
        true => {
            // No child's running shoes: sneakers for children are nearer to that than running shoes for grown-ups.
            let others = other_kinds(sources, &of_kind.products, (&nearest, &meets)).await?;
            let near = if others.is_empty() { ids(&order) } else { others };
            nothing_but(finish(sources, question, &near[..near.len().min(NEAR)], (0, of_kind.hits)).await?)
        }
    };
    // They are what was looked for: the words of the property are no words of a name.
    retrieved.found.candidates.iter_mut().for_each(|candidate| candidate.covers = 1.0);
    tell(sources, &wanted, &mut retrieved.found);
    Ok(Some(retrieved))
}

/// The words of a question without those that only say what is not wanted, where the shop's goods tell nothing of that: who wants a hat
/// without wool is not shown wool. None where there are no such words.
pub(super) fn without_refused(sources: Sources<'_>, question: &Question<'_>) -> Option<Slots> {
    let wanted = sources.shop.wanted(question.text, question.slots.product.as_deref()?)?;
    let kind = Some(wanted.kind.clone()).filter(|kind| wanted.only_turns_down() && !kind.is_empty())?;
    Some(Slots { product: Some(kind), names: Vec::new(), ..question.slots.clone() })
}

/// Of goods that are compared, puts first what has most of the property that the question is about: "which one is quieter?" Nothing changes
/// where fewer than two tell it.
pub(super) fn put_first(sources: Sources<'_>, question: &Question<'_>, found: &mut Found) {
    let details = sources.shop.details();
    let Some(mut wanted) = sources.shop.wanted(question.text, "") else { return };
    let compared = &mut found.candidates;
    let told = |wish: &Wish<'_>| compared.iter().filter(|one| wish.measure(details, &one.product).is_some()).count();
    let Some(at) = wanted.wishes.iter().position(|wish| told(wish) > 1) else { return };
    wanted.wishes = vec![wanted.wishes.swap_remove(at)];
    let measure = |one: &Candidate| wanted.wishes[0].measure(details, &one.product).unwrap_or(f64::MAX);
    if found.sure < compared.len() {
        return;
    }
    compared.sort_by(|a, b| measure(a).total_cmp(&measure(b)));
    found.best = matches!(compared.as_slice(), [first, second, ..] if measure(first) < measure(second));
    tell(sources, &wanted, found);
}

/// "A kettle for green tea" is looked for among kettles, though a tea is called like the rest of it. What was found stays where the best of it
/// is of the kind, and where the shop has nothing of that kind.
pub(super) async fn of_the_kind_named(
    sources: Sources<'_>,
    question: &Question<'_>,
    limits: Limits,
    (chosen, hits): (select::Chosen, Vec<ProductHit>),
) -> anyhow::Result<(select::Chosen, Vec<ProductHit>)> {
    let words = question.slots.product.as_deref().unwrap_or_default();
    let kind = question.kind(sources.shop, words);
    // 洗澡时候能听的防水: what stands last is a property, and no kind.
    let property = || sources.shop.wanted(&kind, &kind).is_some_and(|wanted| wanted.kind.is_empty());
    if kind == words || sources.shop.kinds().open(question.text) || property() {
        return Ok((chosen, hits));
    }
    let of_kind = of_the_kind(sources, question, (limits, &kind)).await?;
    // A part of the words is in some name nearly always.
    let whole = of_kind.hits.iter().any(|hit| hit.query_in_name >= 1.0);
    let is = |id: &ProductId| of_kind.products.iter().any(|product| product.id == *id);
    if !whole || of_kind.products.is_empty() || chosen.order.first().is_some_and(is) {
        return Ok((chosen, hits));
    }
    let mut order: Vec<ProductId> = hits.iter().map(|hit| hit.id.clone()).filter(is).collect();
    let further = of_kind.hits.iter().map(|hit| hit.id.clone()).filter(|id| is(id) && !order.contains(id));
    let further: Vec<ProductId> = further.collect();
    order.extend(further);
    Ok((select::Chosen { order, sure: 0, led: false }, of_kind.hits))
}

/// Goods of one kind, and how they were found.
#[derive(Default)]
struct OfKind {
    products: Vec<Product>,
    hits: Vec<ProductHit>,
}

/// Whether a product meets all that is wanted.
type Meets<'a> = &'a (dyn Fn(&Product) -> bool + Sync);

/// True when the message gives a product's full name, and that is as wanted or of another kind.
async fn named_in_full(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, of_kind, meets): (Limits, &[Product], Meets<'_>),
) -> anyhow::Result<bool> {
    let whole = sources.search.products(&query(question, question.whole, limits)).await?;
    let Some(chosen) = select::full_name(&whole, limits.sure_name) else { return Ok(false) };
    let known = |id: &ProductId| of_kind.iter().find(|product| product.id == *id);
    Ok(chosen.order[..chosen.sure].iter().all(|id| known(id).is_none_or(meets)))
}

/// The products whose names hold words of the kind, and that are filed beside those that hold most of them.
async fn of_the_kind(
    sources: Sources<'_>,
    question: &Question<'_>,
    (limits, kind): (Limits, &str),
) -> anyhow::Result<OfKind> {
    let kind = question.kind(sources.shop, kind);
    let slots = Slots { product: Some(kind.clone()), ..Slots::default() };
    if !carried(sources, &Question { slots: &slots, ..question.clone() }, limits).await? {
        return Ok(OfKind::default());
    }
    let wide = ProductQuery { limit: wish::SAME_KIND, ..query(question, &kind, limits) };
    let mut hits = sources.search.products(&wide).await?;
    hits.retain(|hit| hit.name_in_query > 0.0 && hit.query_in_name > 0.0);
    let best = hits.iter().map(|hit| hit.query_in_name).fold(0.0_f32, f32::max);
    if best < ALIKE {
        return Ok(OfKind::default());
    }
    let ids: Vec<ProductId> = hits.iter().map(|hit| hit.id.clone()).collect();
    let mut products = sources.catalog.products(&ids).await?;
    let covers = |product: &Product| hits.iter().find(|hit| hit.id == product.id).map_or(0.0, |hit| hit.query_in_name);
    let filed: Vec<String> =
        products.iter().filter(|one| covers(one) >= best).map(|one| one.category.clone()).collect();
    products.retain(|one| filed.contains(&one.category));
    Ok(OfKind { products, hits })
}

/// "Something woollen", "a present for a child": whatever lies nearest to the words.
async fn of_any_kind(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<OfKind> {
    let gift = question.slots.wish == Some(crate::domain::Wish::Range);
    if !question.focus.is_empty() || !gift && !sources.shop.kinds().open(question.text) {
        return Ok(OfKind::default());
    }
    let words = question.slots.product.as_deref().unwrap_or(question.text);
    let wide = ProductQuery { limit: wish::SAME_KIND, ..query(question, words, limits) };
    let hits = sources.search.products(&wide).await?;
    let ids: Vec<ProductId> = hits.iter().map(|hit| hit.id.clone()).collect();
    Ok(OfKind { products: sources.catalog.products(&ids).await?, hits })
}

/// The products of the kind that is spoken of.
async fn like_those(sources: Sources<'_>, question: &Question<'_>, limits: Limits) -> anyhow::Result<OfKind> {
    let shown = sources.catalog.products(question.focus).await?;
    let Some(first) = shown.first() else { return Ok(OfKind::default()) };
    let mut of_kind = of_the_kind(sources, question, (limits, first.name.get(question.language))).await?;
    of_kind.products.retain(|product| product.category == first.category);
    // Its own name is no word of the question.
    of_kind.hits.iter_mut().for_each(|hit| hit.query_in_name = 1.0);
    Ok(of_kind)
}

/// Of what lies nearest, what is filed where the kind is and meets the wishes.
async fn other_kinds(
    sources: Sources<'_>,
    of_kind: &[Product],
    (nearest, meets): (&[ProductHit], Meets<'_>),
) -> anyhow::Result<Vec<ProductId>> {
    let Some(first) = of_kind.first() else { return Ok(Vec::new()) };
    let ids: Vec<ProductId> = nearest.iter().map(|hit| hit.id.clone()).collect();
    let products = sources.catalog.products(&ids).await?;
    let such = products.into_iter().filter(|product| product.category == first.category && meets(product));
    Ok(such.map(|product| product.id).collect())
}

/// What was found does not meet the wishes.
fn nothing_but(mut retrieved: Retrieved) -> Retrieved {
    let found = &mut retrieved.found;
    let near: Vec<Candidate> = found.candidates.drain(..).chain(found.near.drain(..)).collect();
    found.near = near;
    found.sure = 0;
    found.accessory = None;
    found.absence = Some(if found.near.is_empty() { Absence::NothingFound } else { Absence::FilteredOut });
    retrieved
}

/// Each offer tells the properties that were asked for, where the feed does.
fn tell(sources: Sources<'_>, wanted: &Wanted<'_>, found: &mut Found) {
    found.by_property = true;
    for fact in &mut found.facts {
        let FactBody::Offer(offer) = &mut fact.body else { continue };
        let of = |candidate: &&Candidate| candidate.product.id == offer.product;
        let Some(candidate) = found.candidates.iter().chain(&found.near).find(of) else { continue };
        let details = sources.shop.details();
        let told = wanted.wishes.iter().flat_map(|wish| wish.told(details, &candidate.product));
        offer.details = told.collect();
    }
}
