//! Which of the hits the message names beyond doubt.

use crate::domain::{ProductId, Slots};
use crate::engine::{Catalog, ProductHit};

/// Candidates in the order to use them.
#[derive(Debug, PartialEq)]
pub(super) struct Chosen {
    /// Best first.
    pub order: Vec<ProductId>,
    /// How many of the first are sure.
    pub sure: usize,
    /// It is sure by its lead alone: not all of its name was said, nor was all that was said its name.
    pub led: bool,
}

/// Namesakes beyond this number are a category, not a name.
const MOST_NAMESAKES: usize = 3;

/// The product behind an exact code in the message.
pub(super) async fn by_code(catalog: &dyn Catalog, slots: &Slots) -> anyhow::Result<Option<ProductId>> {
    let Some(code) = &slots.sku else { return Ok(None) };
    Ok(catalog.by_code(code).await?.map(|(product, _)| product))
}

/// Words a name needs to be a name by itself: a one-word name may be a common word of the message.
const FULL_NAME_COVER: f32 = 0.4;

/// The hits whose whole name stands in the message and makes up a good part of it, if there are any.
pub(super) fn full_name(hits: &[ProductHit], sure_name: f32) -> Option<Chosen> {
    let full = |hit: &ProductHit| hit.name_in_query >= sure_name && hit.query_in_name >= FULL_NAME_COVER;
    hits.iter().any(full).then(|| sure(hits, sure_name)).filter(|chosen| chosen.sure > 0)
}

/// A name that makes up so much of the message leaves no room for another.
const WHOLE: f32 = 0.8;

/// True when the message is one name from end to end: "cable with connectors" is no cable and connectors.
pub(super) fn is_one_name(hits: &[ProductHit], sure_name: f32) -> bool {
    hits.iter().any(|hit| hit.name_in_query >= sure_name && hit.query_in_name >= WHOLE)
}

/// Puts the hits whose name the message gives in full first, else those that hold all of the message's words.
pub(super) fn sure(hits: &[ProductHit], sure_name: f32) -> Chosen {
    let lead = leader(hits);
    let class = |hit: &ProductHit| {
        // A code in the message beats a full name, which beats a part of a name nobody else shares.
        if hit.sku.is_some() {
            3
        } else if hit.name_in_query >= sure_name {
            2
        } else if (hit.query_in_name >= sure_name && hit.name_in_query > 0.0) || lead == Some(&hit.id) {
            1
        } else {
            0
        }
    };
    let best = hits.iter().map(class).max().unwrap_or(0);
    let named = || hits.iter().filter(|hit| class(hit) == best);
    // Of two full names, one inside the other, the message means the longer.
    let most = named().map(|hit| hit.query_in_name).fold(0.0_f32, f32::max);
    let meant = |hit: &&ProductHit| best > 0 && class(hit) == best && (best != 2 || hit.query_in_name >= most - 1e-3);
    let sure = hits.iter().filter(meant).count();
    let (first, rest): (Vec<&ProductHit>, Vec<&ProductHit>) = hits.iter().partition(|hit| meant(hit));
    let order = first.into_iter().chain(rest).map(|hit| hit.id.clone()).collect();
    let led = best == 1 && named().all(|hit| hit.query_in_name < sure_name);
    Chosen { order, sure: if sure <= MOST_NAMESAKES { sure } else { 0 }, led }
}

/// What one of several names in a message means: the product it names beyond doubt, else the first few that hold all of its words.
pub(super) fn named(hits: &[ProductHit], sure_name: f32) -> Vec<ProductId> {
    let Chosen { order, sure, .. } = sure(hits, sure_name);
    if sure > 0 {
        return order.into_iter().take(sure).collect();
    }
    holding(hits, sure_name).take(MOST_OF_A_KIND).collect()
}

/// The products whose names hold all of the words.
pub(super) fn holding(hits: &[ProductHit], sure_name: f32) -> impl Iterator<Item = ProductId> {
    let whole = hits.iter().filter(move |hit| hit.query_in_name >= sure_name && hit.name_in_query > 0.0);
    whole.map(|hit| hit.id.clone())
}

/// So many of one kind are told where several kinds were asked for.
const MOST_OF_A_KIND: usize = 2;

/// Name and words must cover one another by this much, both shares together ...
const LEAD: f32 = 0.75;
/// ... and no other product by more than this part of it.
const FOLLOWS: f32 = 0.6;

/// The one product whose name and the message cover one another far more than any other's: words were
/// misspelt or added, but nothing else can be meant.
fn leader(hits: &[ProductHit]) -> Option<&ProductId> {
    let cover = |hit: &ProductHit| hit.name_in_query + hit.query_in_name;
    let first = hits.iter().max_by(|a, b| cover(a).total_cmp(&cover(b)))?;
    let second = hits.iter().filter(|hit| hit.id != first.id).map(cover).fold(0.0, f32::max);
    (cover(first) >= LEAD && second <= FOLLOWS * cover(first)).then_some(&first.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, name_in_query: f32, query_in_name: f32) -> ProductHit {
        ProductHit { id: id.into(), sku: None, score: 1.0, lexical: None, vector: None, name_in_query, query_in_name }
    }

    fn check(hits: &[ProductHit], order: &[&str], expected: usize) {
        let chosen = sure(hits, 0.99);
        assert_eq!(chosen.order.iter().map(ProductId::as_str).collect::<Vec<_>>(), order);
        assert_eq!(chosen.sure, expected);
    }

    #[test]
    fn a_name_in_the_message_wins() {
        check(&[hit("a", 0.5, 0.5), hit("b", 1.0, 0.5)], &["b", "a"], 1);
        check(&[hit("short", 1.0, 0.4), hit("long", 1.0, 0.9)], &["long", "short"], 1);
        check(&[hit("twin", 1.0, 0.9), hit("twin2", 1.0, 0.9)], &["twin", "twin2"], 2);
    }

    #[test]
    fn words_one_product_alone_has_are_enough() {
        check(&[hit("volna", 0.5, 1.0), hit("briz", 0.3, 0.5)], &["volna", "briz"], 1);
    }

    #[test]
    fn one_of_several_names_means_a_product_or_a_few_of_a_kind() {
        let check = |hits: &[ProductHit], expected: &[&str]| {
            assert_eq!(named(hits, 0.99).iter().map(ProductId::as_str).collect::<Vec<_>>(), expected);
        };
        check(&[hit("volna", 0.5, 1.0), hit("briz", 0.3, 0.5)], &["volna"]);
        let toasters: Vec<_> = ["a", "b", "c", "d"].map(|id| hit(id, 0.3, 1.0)).into();
        check(&toasters, &["a", "b"]);
        check(&[hit("lamp", 0.1, 0.5)], &[]);
    }

    #[test]
    fn a_full_name_needs_no_further_look() {
        assert_eq!(full_name(&[hit("a", 1.0, 0.6), hit("b", 0.8, 0.8)], 0.99).map(|c| c.sure), Some(1));
        assert_eq!(full_name(&[hit("set", 1.0, 0.1)], 0.99), None);
        assert_eq!(full_name(&[hit("a", 0.9, 0.9)], 0.99), None);
    }

    #[test]
    fn one_name_fills_the_message() {
        assert!(is_one_name(&[hit("cable", 1.0, 0.95), hit("other", 0.5, 0.5)], 0.99));
        assert!(!is_one_name(&[hit("kettle", 1.0, 0.5), hit("toaster", 1.0, 0.4)], 0.99));
        assert!(!is_one_name(&[hit("half", 0.5, 0.95)], 0.99));
    }

    #[test]
    fn a_clear_lead_forgives_other_words() {
        check(&[hit("hmla", 0.6, 0.75), hit("other", 0.0, 0.0)], &["hmla", "other"], 1);
        check(&[hit("babushka", 0.4, 0.4), hit("other", 0.2, 0.2)], &["babushka", "other"], 1);
        check(&[hit("volna", 0.5, 0.5), hit("volna2", 0.5, 0.5)], &["volna", "volna2"], 0);
        check(&[hit("weak", 0.33, 0.33)], &["weak"], 0);
    }

    #[test]
    fn what_leads_alone_is_told_apart() {
        let check = |hits: &[ProductHit], expected: bool| assert_eq!(sure(hits, 0.99).led, expected, "{hits:?}");
        check(&[hit("winter boots", 0.5, 0.5), hit("other", 0.0, 0.0)], true);
        check(&[hit("volna", 0.5, 1.0), hit("briz", 0.3, 0.5)], false);
        check(&[hit("whole", 1.0, 0.5), hit("other", 0.2, 0.2)], false);
        check(&[hit("weak", 0.33, 0.33)], false);
    }

    #[test]
    fn a_category_is_not_a_name() {
        let kettles: Vec<_> = ["a", "b", "c", "d"].map(|id| hit(id, 0.3, 1.0)).into();
        check(&kettles, &["a", "b", "c", "d"], 0);
        check(&[hit("a", 0.3, 0.4)], &["a"], 0);
        check(&[], &[], 0);
    }
}
