//! Parts of a sentence that mean something of their own: a count before a list, a refusal to haggle, a reduction from
//! one amount to another, the shopper's own number, delivery added to a price.
//! In: a sentence. Out: answers to the questions of the checker; like `sentence.rs` it decides nothing itself.

use super::lexicon::Class;
use super::money::{Item, ItemKind};
use super::numeral::ONE;
use super::sentence::Sentence;

const FROM: [&str; 7] = ["с", "со", "z", "zo", "from", "从", "由"];
const TO: [&str; 8] = ["до", "na", "to", "到", "至", "降到", "降至", "到了"];

/// A word stands no further before the name of what is advised.
const NEAR: usize = 16;

/// What is said before a product that is advised, in plain form.
const ADVICE: [&str; 13] = [
    "recommend",
    "suggest",
    "consider",
    "советую",
    "рекоменд",
    "подойд",
    "odporuc",
    "hodi",
    "navrhuj",
    "建议",
    "推荐",
    "适合",
    "选",
];

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
        number.value == Some(rows.len() as i128 * ONE)
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
            || asked(self.items[index + 1..].iter().find(|item| item.kind != ItemKind::Sign(',')))
    }

    /// "Above", "dearer than" right before a number, or 贵 right behind it: it is compared, not asked for.
    pub fn set_against(&self, index: usize) -> bool {
        const BETWEEN: u64 = Class::Neutral.bit() | Class::Yours.bit() | Class::Asked.bit() | Class::Benign.bit();
        let compares = |item: &Item| item.is(Class::Dearer) || item.is(Class::Compare) || item.is(Class::From);
        let before = self.items[..index].iter().rev().take(4);
        let nearest = before.into_iter().find(|item| compares(item) || item.bits & BETWEEN == 0);
        nearest.is_some_and(compares) || self.items.get(index + 1).is_some_and(compares)
    }

    /// True when some amount is not told as the shopper's own.
    pub fn priced_beside(&self) -> bool {
        self.amounts().any(|index| !self.said_by_shopper(index))
    }

    /// "I cannot change the price: ...": the first sign behind the denial, where the amounts begin. Before it no amount
    /// stands but those that `theirs` knows as the shopper's own; behind it nothing is denied.
    pub fn refusal(&self, theirs: impl Fn(usize) -> bool) -> Option<usize> {
        self.names().next()?;
        let sign = |item: &Item| matches!(item.kind, ItemKind::Sign(':' | ',' | ';' | '—' | '–'));
        let denial = self.items.iter().position(|item| item.is(Class::Negation))?;
        let haggle = self.first(Class::Haggle);
        let from = denial.max(haggle.unwrap_or_default());
        let at = from + self.items[from..].iter().position(sign)?;
        let (before, behind) = self.items.split_at(at);
        let haggling = haggle.is_some() || before.iter().any(money);
        let own = self.amounts().take_while(|&index| index < at).all(theirs);
        let denied = behind.iter().any(|item| item.is(Class::Negation));
        (haggling && own && !denied && behind.iter().any(money)).then_some(at)
    }

    /// "Of these three": as many as there are products, of which one is said to be the cheapest.
    pub fn of_all(&self, index: usize, products: usize) -> bool {
        let ItemKind::Number(number) = &self.items[index].kind else { return false };
        let joined = index.checked_sub(1).is_some_and(|before| self.items[before].kind == ItemKind::Word);
        let counts = matches!(self.items.get(index + 1).map(|item| &item.kind), Some(ItemKind::Name(_)));
        let all = number.value == Some(products as i128 * ONE);
        all && joined && !counts && self.has(Class::Superlative) && self.names().next() > Some(index)
    }

    /// "For long walks we recommend the Tarn ($89)": where each amount stands in brackets behind its name, a word that
    /// a verb of advice parts from the name, or that stands behind the whole and a plain word, is no part of it.
    pub fn recommends(&self, index: usize) -> bool {
        let sign = |at: usize, sign: char| self.items.get(at).is_some_and(|item| item.kind == ItemKind::Sign(sign));
        let named = |at: usize| matches!(self.items[at].kind, ItemKind::Name(_));
        let quote = |at: usize| usize::from(sign(at, '"') || sign(at, '”') || sign(at, '»'));
        // A name stands before the bracket, or before its own quotation mark.
        let bracketed = |at: usize| match at.checked_sub(2) {
            Some(before) if sign(at - 1, '(') && sign(at + 1, ')') => {
                before.checked_sub(quote(before)).is_some_and(named)
            }
            _ => false,
        };
        if !self.amounts().all(bracketed) {
            return false;
        }
        let words = |name: usize| self.reading.words(self.items[index].tokens.start..self.items[name].tokens.start);
        let name = self.names().find(|&name| name > index).filter(|name| name - index <= NEAR);
        let advised = name.is_some_and(|name| ADVICE.iter().any(|stem| words(name).contains(stem)));
        let last = self.names().next_back() < Some(index);
        let closed = (0..index).rev().find(|&at| sign(at, ')')).filter(|_| last);
        advised || closed.is_some_and(|at| self.items[at + 1].is(Class::Neutral))
    }

    /// "9.80 each", `po 9,80`, `每只62元`: the price of one, whatever is counted beside it.
    pub fn each(&self, index: usize) -> bool {
        let word = |item: Option<&Item>| item.map_or("", |item| self.reading.words(item.tokens.clone()));
        let before = word(index.checked_sub(1).map(|before| &self.items[before]));
        word(self.items.get(index + 1)) == "each" || matches!(before, "po" | "по") || before.starts_with('每')
    }

    /// "3.90 delivery" or "3.90 for delivery", and no more of it: the amount is the delivery's, whatever stands before.
    pub fn then_shipping(&self, index: usize) -> bool {
        let behind = &self.items[index + 1..];
        let joins = |item: &Item| matches!(self.reading.words(item.tokens.clone()), "for" | "за" | "za");
        let at = usize::from(behind.first().is_some_and(joins));
        let ends = |item: &Item| matches!(item.kind, ItemKind::Sign(',' | ';' | '.' | ')' | '。' | '\n'));
        behind.get(at).is_some_and(|item| item.is(Class::Shipping)) && behind.get(at + 1).is_none_or(ends)
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
    use super::super::Ledger;
    use super::super::tests::GUARD;
    use crate::domain::Language;

    const SHOP: &str = r#"[{"sku":"A","name":"Cinder backpack","price":"64.50","currency":"USD"},
        {"sku":"B","name":"Tarn backpack","price":"89.00","currency":"USD","old_price":"110.00"},
        {"sku":"@ship","name":"delivery","price":"5.90","currency":"USD"},
        {"sku":"@user","name":"message","text":"would you take 50 dollars"}]"#;

    fn check(facts: &str, text: &str, expected: bool) {
        let found = GUARD.check_text(Language::En, &Ledger::from_case(facts).unwrap(), text);
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
        check(SHOP, "We have 1: the Cinder backpack at $64.50.", true);
        check(
            SHOP,
            "We have 3: the Cinder backpack at $64.50, the Tarn backpack at $89.00 and the Cinder backpack at $64.50.",
            false,
        );
    }

    #[test]
    fn a_reduction_goes_from_the_old_price_to_the_new() {
        check(SHOP, "The Tarn backpack is marked down from $110.00 to $89.00.", true);
        check(SHOP, "The Tarn backpack is reduced from $110.00 to $89.00.", true);
        check(SHOP, "The Tarn backpack has dropped in price from $89.00 to $110.00.", false);
        check(SHOP, "The Cinder backpack has a discount from $110.00 to $64.50.", false);
        check(SHOP, "The Tarn backpack goes from $89.00 to $110.00.", false);
        check(SHOP, "The Tarn backpack is reduced $110.00 to $89.00.", false);
        check(SHOP, "The Tarn backpack is reduced from $110.00 $89.00.", false);
    }

    #[test]
    fn the_shoppers_amount_is_set_against_the_price_and_never_taken() {
        check(SHOP, "The Cinder backpack is $64.50, so it is above the 50 dollars you mentioned.", true);
        check(SHOP, "The Cinder backpack is $64.50, more expensive than your 50 dollars.", true);
        check(SHOP, "The Cinder backpack is $64.50, cheaper than your 50 dollars.", false);
        check(SHOP, "The Cinder backpack is $64.50, more expensive than your 60 dollars.", false);
        check(SHOP, "The Cinder backpack is $64.50, but for you the 50 dollars you mentioned.", false);
        check(SHOP, "The Cinder backpack is the 50 dollars you mentioned.", false);
        check(SHOP, "The Cinder backpack is $64.50, above: the 50 dollars you mentioned.", false);
        check(SHOP, "The Cinder backpack is $64.50; the Cinder backpack is above the 50 dollars you mentioned.", true);
        check(
            SHOP,
            "The Cinder backpack is $64.50, dearer than the Tarn backpack, above the 50 dollars you mentioned.",
            false,
        );
        check(SHOP, "The Cinder backpack is more expensive, take it for the 50 dollars you mentioned.", false);
    }

    #[test]
    fn a_refusal_to_haggle_claims_nothing() {
        check(SHOP, "Sadly I cannot change the price: the Cinder backpack is $64.50.", true);
        check(SHOP, "Sadly $50 is not possible: the Cinder backpack is $64.50.", true);
        check(SHOP, "Sadly $60 is not possible: the Cinder backpack is $64.50.", false);
        check(SHOP, "I can change the price: the Cinder backpack is $50.", false);
        check(SHOP, "That is not the case: the Cinder backpack is $64.50.", false);
        check(SHOP, "Sadly a total of $50 is not possible: the Cinder backpack is $64.50.", true);
        check(SHOP, "Sadly a total of $60 is not possible: the Cinder backpack is $64.50.", false);
        check(SHOP, "I cannot change the price: the Cinder backpack is not $64.50.", false);
        check(SHOP, "I cannot change the price: it is low.", true);
        check(SHOP, "I cannot lower the price of the Cinder backpack myself; it is $64.50.", true);
        check(SHOP, "I cannot lower the price of the Cinder backpack myself; it is $60.", false);
        check(SHOP, "I cannot lower the price: the strap of the Cinder backpack, is $64.50.", false);
    }

    #[test]
    fn delivery_may_be_added() {
        check(SHOP, "The Cinder backpack is $64.50 plus $5.90 for delivery.", true);
        check(SHOP, "The Cinder backpack is $64.50 plus delivery.", true);
        check(SHOP, "The Cinder backpack is $64.50 plus $5.90 for the delivery.", true);
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
        check(CART, "Yes. 4 Cinder backpacks come to $258.00.", true);
        check(CART, "3 Cinder backpacks come to $258.00.", false);
        check(CART, "The Cinder backpack comes to $258.00.", false);
        check(CART, "4 Cinder backpacks come to $64.50.", false);
        check(OTHER, "4 Cinder backpacks come to $300.00.", false);
        check(OTHER, "4 Cinder backpacks come to $258.00.", false);
    }
}
