//! Which products a reply is about, so that the next message may point at them. In: moves and facts. Out: products, in order.

use crate::domain::{Fact, FactBody, FactId, Move, ProductId};

/// The products of an answer; where nothing but what is similar was told, "the second one" is one of those.
pub(super) fn told(moves: &[Move], facts: &[Fact]) -> Vec<ProductId> {
    let focus: Vec<ProductId> = moves.iter().flat_map(|step| products_of(step, facts)).collect();
    if focus.is_empty() { moves.iter().flat_map(|step| similar_of(step, facts)).collect() } else { focus }
}

/// Products a move shows as the answer itself.
pub(super) fn products_of(step: &Move, facts: &[Fact]) -> Vec<ProductId> {
    let ids: Vec<&FactId> = match step {
        Move::Offer { facts }
        | Move::Stock { facts }
        | Move::Detail { facts }
        | Move::Compare { facts }
        | Move::Suggest { facts, .. } => facts.iter().collect(),
        Move::Prose { facts, .. } => facts.iter().flatten().collect(),
        _ => Vec::new(),
    };
    products_behind(ids, facts)
}

/// The products a step calls similar.
fn similar_of(step: &Move, facts: &[Fact]) -> Vec<ProductId> {
    match step {
        Move::Alternatives { facts: ids } => products_behind(ids.iter().collect(), facts),
        _ => Vec::new(),
    }
}

fn products_behind(ids: Vec<&FactId>, facts: &[Fact]) -> Vec<ProductId> {
    let mut products: Vec<ProductId> = Vec::new();
    for id in ids {
        let Some(FactBody::Offer(offer)) = facts.iter().find(|fact| fact.id == *id).map(|fact| &fact.body) else {
            continue;
        };
        if !products.contains(&offer.product) {
            products.push(offer.product.clone());
        }
    }
    products
}
