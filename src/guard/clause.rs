//! Parts of a sentence that mean something of their own: a count before a list, a refusal to haggle, a reduction from
//! one amount to another, the shopper's own number, delivery added to a price.
//! In: a sentence. Out: answers to the questions of the checker; like `sentence.rs` it decides nothing itself.

use super::lexicon::Class;
use super::money::{Item, ItemKind};
use super::numeral::ONE;
use super::sentence::Sentence;

const FROM: [&str; 7] = ["с", "со", "z", "zo", "from", "从", "由"];
const TO: [&str; 8] = ["до", "na", "to", "到", "至", "降到", "降至", "到了"];

fn money(item: &Item) -> bool {
    matches!(item.kind, ItemKind::Money(_))
}

impl Sentence<'_> {
    /// The indices of its amounts.
    fn amounts(&self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        (0..self.items.len()).filter(|&index| money(&self.items[index]))
    }

    /// "We have three: A at 10, B at 20 and C at 30": the number of the things that follow, each with its amount.
    pub fn tally(&self, index: usize) -> bool {
        let ItemKind::Number(number) = &self.items[index].kind else { return false };
        if !self.items[index + 1..].iter().take(5).any(|item| item.kind == ItemKind::Sign(':')) {
            return false;
        }
        let mut rows: Vec<usize> = Vec::new();
        for item in &self.items {
            match item.kind {
                ItemKind::Name(row) if !rows.contains(&row) => rows.push(row),
                _ => {}
            }
        }
        rows.len() > 1
            && number.value == Some(rows.len() as i128 * ONE)
            && self.names().next() > Some(index)
            && self.amounts().next() > Some(index)
            && self.amounts().count() == rows.len()
    }

    /// Amounts of a reduction, "from 140 to 112": the one before, and the one now.
    pub fn reduction(&self) -> Option<(usize, usize)> {
        if !self.has(Class::Discount) {
            return None;
        }
        let mut amounts = self.amounts();
        let (Some(first), Some(second), None) = (amounts.next(), amounts.next(), amounts.next()) else { return None };
        let behind = |index: usize, words: &[&str]| {
            let word = |back: usize| index.checked_sub(back).map(|at| &self.items[at]);
            let is =
                |item: Option<&Item>| item.is_some_and(|item| words.contains(&self.reading.words(item.tokens.clone())));
            is(word(1)) || (word(1).is_some_and(|item| item.is(Class::Neutral)) && is(word(2)))
        };
        (behind(first, &FROM) && behind(second, &TO)).then_some((first, second))
    }

    /// "Your", "you said" or "you mentioned" beside a number.
    pub fn said_by_shopper(&self, index: usize) -> bool {
        let asked = |item: Option<&Item>| item.is_some_and(|item| item.is(Class::Asked));
        self.yours_before(index)
            || asked(index.checked_sub(1).map(|before| &self.items[before]))
            || asked(self.items.get(index + 1))
    }

    /// "Above", "dearer than" right before a number, or 贵 right behind it: it is compared, not asked for.
    pub fn set_against(&self, index: usize) -> bool {
        const BETWEEN: u64 = Class::Neutral.bit() | Class::Yours.bit() | Class::Asked.bit() | Class::Benign.bit();
        let compares = |item: &Item| item.is(Class::Dearer) || item.is(Class::Compare) || item.is(Class::From);
        let before = self.items[..index].iter().rev().take(4);
        let nearest = before.into_iter().find(|item| compares(item) || item.bits & BETWEEN == 0);
        nearest.is_some_and(compares) || self.items.get(index + 1).is_some_and(|item| compares(item))
    }

    /// True when some amount is not told as the shopper's own.
    pub fn priced_beside(&self) -> bool {
        self.amounts().any(|index| !self.said_by_shopper(index))
    }

    /// "I cannot change the price: ...": the sign behind which the amounts begin. Before it nothing is named, and no
    /// amount stands but those that `theirs` knows as the shopper's own; behind it nothing is denied.
    pub fn refusal(&self, theirs: impl Fn(usize) -> bool) -> Option<usize> {
        let name = self.names().next()?;
        let sign = |item: &Item| matches!(item.kind, ItemKind::Sign(':' | ',' | ';' | '—' | '–'));
        let at = self.items[..name].iter().rposition(sign)?;
        let (before, behind) = self.items.split_at(at);
        let denied = |items: &[Item]| items.iter().any(|item| item.is(Class::Negation));
        let haggling = before.iter().any(|item| item.is(Class::Haggle)) || before.iter().any(money);
        let own = self.amounts().take_while(|&index| index < at).all(theirs);
        (haggling && own && denied(before) && !denied(behind) && behind.iter().any(money)).then_some(at)
    }

    /// "Plus delivery", "plus 5.90 for delivery": the word at `index` adds what delivery costs.
    pub fn adds_shipping(&self, index: usize) -> bool {
        let mut behind = self.items[index + 1..].iter().take(4);
        let next = behind.find(|item| !(money(item) || item.is(Class::Neutral)) || item.is(Class::Shipping));
        next.is_some_and(|item| item.is(Class::Shipping))
    }

    /// True for an amount that is added for delivery: "plus 5.90 for delivery".
    pub fn added(&self, index: usize) -> bool {
        let before = self.items[..index].iter().enumerate().rev().take(2);
        before.into_iter().any(|(at, item)| item.is(Class::Adds) && self.adds_shipping(at))
    }

    /// So many of the thing named right behind: "4 backpacks".
    pub fn counts(&self, count: u32) -> bool {
        let value = Some(i128::from(count) * ONE);
        self.names().any(|name| {
            self.items[name.saturating_sub(3)..name]
                .iter()
                .any(|item| matches!(&item.kind, ItemKind::Number(number) if number.value == value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Guard, Ledger};
    use crate::domain::Language;

    const SHOP: &str = r#"[{"sku":"A","name":"Cinder backpack","price":"64.50","currency":"USD"},
        {"sku":"B","name":"Tarn backpack","price":"89.00","currency":"USD","old_price":"110.00"},
        {"sku":"@ship","name":"delivery","price":"5.90","currency":"USD"},
        {"sku":"@user","name":"message","text":"would you take 50 dollars"}]"#;

    fn check(facts: &str, text: &str, expected: bool) {
        let found = Guard::new().check_text(Language::En, &Ledger::from_case(facts).unwrap(), text);
        assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
    }

    #[test]
    fn a_list_may_be_counted() {
        check(SHOP, "We have two: the Cinder backpack at $64.50 and the Tarn backpack at $89.00.", true);
        check(SHOP, "We have three: the Cinder backpack at $64.50 and the Tarn backpack at $89.00.", false);
        check(SHOP, "We have two the Cinder backpack at $64.50 and the Tarn backpack at $89.00.", false);
        check(SHOP, "The Cinder backpack at $64.50 and the Tarn backpack at $89.00 are two: nice.", false);
        check(SHOP, "Take two: the Cinder backpack and the Tarn backpack at $89.00.", false);
        check(SHOP, "Take two: the Cinder backpack at $64.50.", false);
    }

    #[test]
    fn a_reduction_goes_from_the_old_price_to_the_new() {
        check(SHOP, "The Tarn backpack is marked down from $110.00 to $89.00.", true);
        check(SHOP, "The Tarn backpack is reduced from $110.00 to $89.00.", true);
        check(SHOP, "The Tarn backpack has dropped in price from $89.00 to $110.00.", false);
        check(SHOP, "The Cinder backpack has a discount from $110.00 to $64.50.", false);
        check(SHOP, "The Tarn backpack goes from $89.00 to $110.00.", false);
    }

    #[test]
    fn the_shoppers_amount_is_set_against_the_price_and_never_taken() {
        check(SHOP, "The Cinder backpack is $64.50, so it is above the 50 dollars you mentioned.", true);
        check(SHOP, "The Cinder backpack is $64.50, more expensive than your 50 dollars.", true);
        check(SHOP, "The Cinder backpack is $64.50, cheaper than your 50 dollars.", false);
        check(SHOP, "The Cinder backpack is $64.50, more expensive than your 60 dollars.", false);
        check(SHOP, "The Cinder backpack is $64.50, but for you the 50 dollars you mentioned.", false);
        check(SHOP, "The Cinder backpack is the 50 dollars you mentioned.", false);
        check(SHOP, "The Cinder backpack is more expensive, take it for the 50 dollars you mentioned.", false);
    }

    #[test]
    fn a_refusal_to_haggle_claims_nothing() {
        check(SHOP, "Sadly I cannot change the price: the Cinder backpack is $64.50.", true);
        check(SHOP, "Sadly $50 is not possible: the Cinder backpack is $64.50.", true);
        check(SHOP, "Sadly $60 is not possible: the Cinder backpack is $64.50.", false);
        check(SHOP, "I can change the price: the Cinder backpack is $50.", false);
        check(SHOP, "That is not the case: the Cinder backpack is $64.50.", false);
        check(SHOP, "I cannot change the price: the Cinder backpack is not $64.50.", false);
        check(SHOP, "I cannot change the price: it is low.", true);
    }

    #[test]
    fn delivery_may_be_added() {
        check(SHOP, "The Cinder backpack is $64.50 plus $5.90 for delivery.", true);
        check(SHOP, "The Cinder backpack is $64.50 plus delivery.", true);
        check(SHOP, "The Cinder backpack is $64.50 plus $6.90 for delivery.", false);
        check(SHOP, "The Cinder backpack is $64.50 plus tax.", false);
        check(SHOP, "The Cinder backpack is $64.50 plus $5.90.", false);
        check(SHOP, "The Cinder backpack is $64.50 minus delivery.", false);
    }

    #[test]
    fn so_many_of_a_product_come_to_the_facts_total() {
        const CART: &str = r#"[{"sku":"A","name":"Cinder backpack","price":"64.50","currency":"USD","qty":4},
            {"sku":"@total","name":"total","price":"258.00","currency":"USD"}]"#;
        const OTHER: &str = r#"[{"sku":"A","name":"Cinder backpack","price":"64.50","currency":"USD","qty":4},
            {"sku":"@total","name":"total","price":"300.00","currency":"USD"}]"#;
        check(CART, "4 Cinder backpacks come to $258.00.", true);
        check(CART, "3 Cinder backpacks come to $258.00.", false);
        check(CART, "The Cinder backpack comes to $258.00.", false);
        check(CART, "4 Cinder backpacks come to $64.50.", false);
        check(OTHER, "4 Cinder backpacks come to $300.00.", false);
        check(OTHER, "4 Cinder backpacks come to $258.00.", false);
    }
}
