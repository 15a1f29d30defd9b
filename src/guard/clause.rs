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
        let mut rows: Vec<usize> = Vec::new();
        for item in &self.items {
            match item.kind {
                ItemKind::Name(row) if !rows.contains(&row) => rows.push(row),
                _ => {}
            }
        }
        let opened = self.items[index + 1..].iter().take(3).any(|item| item.kind == ItemKind::Sign(':'));
        opened
            && rows.len() > 1
            && number.value == Some(rows.len() as i128 * ONE)
            && self.names().next() > Some(index)
            && self.amounts().next() > Some(index)
            && self.amounts().count() == rows.len()
    }

    /// Amounts of a reduction, "from 140 to 112": the one before, and the one now.
    pub fn reduction(&self) -> Option<(usize, usize)> {
        let mut amounts = self.amounts();
        let (Some(first), Some(second), None) = (amounts.next(), amounts.next(), amounts.next()) else { return None };
        let behind = |index: usize, words: &[&str]| {
            let word = |back: usize| index.checked_sub(back).map(|at| &self.items[at]);
            let is =
                |item: Option<&Item>| item.is_some_and(|item| words.contains(&self.reading.words(item.tokens.clone())));
            is(word(1)) || (word(1).is_some_and(|item| item.is(Class::Neutral)) && is(word(2)))
        };
        (self.has(Class::Discount) && behind(first, &FROM) && behind(second, &TO)).then_some((first, second))
    }

    /// "Your", "you said" or "you mentioned" beside a number.
    pub fn said_by_shopper(&self, index: usize) -> bool {
        let asked = |item: Option<&Item>| item.is_some_and(|item| item.is(Class::Asked));
        self.yours_before(index)
            || asked(index.checked_sub(1).map(|before| &self.items[before]))
            || asked(self.items.get(index + 1))
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
