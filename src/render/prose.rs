//! Words of the model around slots: each slot is filled by the same code and the same formats as the templates' slots.

use crate::domain::{FactId, SegmentKind};

use super::Page;
use super::phrasebook::Template;
use super::segment::Values;

impl Page<'_> {
    /// Fills the slots of `text`; false when a slot has no value: then nothing is said.
    pub(super) fn prose(&mut self, kind: SegmentKind, text: &str, products: &[Vec<FactId>]) -> bool {
        let Ok(template) = Template::parse(text) else { return false };
        let products: Vec<Values> = products.iter().map(|facts| self.product_values(facts)).collect();
        let known = |slot: &str| {
            let (word, number) = numbered(slot)?;
            products.get(number.checked_sub(1)?)?.known(word)
        };
        let whole = template.slots().all(|slot| known(slot).is_some());
        if whole {
            self.segments.push(template.fill_with(kind, |slot| known(slot).unwrap_or_default()));
        }
        whole
    }

    /// What may be said of one product: the values of its cheapest offer, "from" before a price that is not all offers'.
    fn product_values(&self, facts: &[FactId]) -> Values {
        let groups = self.groups(facts);
        let Some(group) = groups.first() else { return Values::default() };
        let ((id, fact), uniform) = group.cheapest();
        let values = self.offer_values(id, fact);
        match uniform {
            true => values,
            false => values.around("price", self.book.around("price_from", "price")),
        }
    }
}

/// `price2` is `price` and 2.
fn numbered(slot: &str) -> Option<(&str, usize)> {
    let (word, number) = slot.split_at(slot.find(|sign: char| sign.is_ascii_digit())?);
    let word = if word == "old" { "old_price" } else { word };
    Some((word, number.parse().ok()?))
}
