//! A question about products, and which of its words say what kind of thing is meant.

use jiff::Timestamp;

use crate::domain::message::Marks;
use crate::domain::{Currency, Language, ProductId, Slots};
use crate::shop::Shop;

/// A question about products.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The message, masked.
    pub text: &'a str,
    /// The message with nothing taken out: model numbers that look like phones stand here. Never logged or stored.
    pub whole: &'a str,
    /// Its embedding as a query.
    pub vector: Option<&'a [f32]>,
    /// What its words are.
    pub marks: &'a Marks,
    /// What understanding found in it.
    pub slots: &'a Slots,
    /// What facts tell of each product beside its price and stock: an id of `data/rules/details.toml`.
    pub details: Option<&'a str>,
    /// Products the conversation is about.
    pub focus: &'a [ProductId],
    /// The language of the message.
    pub language: Language,
    /// The currency of the shopper's market.
    pub currency: Currency,
    /// Now: facts carry it.
    pub now: Timestamp,
}

/// From this chance on a word is one that names goods.
const NAMES: f32 = 0.3;

impl Question<'_> {
    /// Of some words of the message those that say what kind of thing it is: "kettle" of "kettle green tea". All of them where nothing tells
    /// them apart.
    pub(super) fn kind(&self, shop: &Shop, words: &str) -> String {
        let chances: Option<Vec<(&str, f32)>> =
            words.split_whitespace().map(|word| Some((word, self.marks.naming(word)?))).collect();
        let chances = chances.unwrap_or_default();
        let naming: Vec<&str> = chances.iter().filter(|(_, chance)| *chance >= NAMES).map(|(word, _)| *word).collect();
        match naming.is_empty() || naming.len() == chances.len() {
            true => shop.kinds().named(self.text, words),
            false => naming.join(" "),
        }
    }
}
