//! Claims about price without an amount: comparisons, equality, and talk of a price that is not stated.
//! In: a sentence and the ledger. Out: the fault, or nothing when the facts say so.

use std::cmp::Ordering;

use crate::domain::Money;

use super::ledger::{Row, RowKind};
use super::lexicon::Class;
use super::money::{Item, ItemKind};
use super::numeral::ONE;
use super::sentence::Sentence;
use super::text::{Checker, Fault};
use super::verdict::Code;

impl Checker<'_> {
    /// "The same price" is true of two products when their facts say so.
    pub(super) fn equality(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let Some(index) = sentence.first(Class::Same) else { return Ok(()) };
        let mut rows: Vec<usize> = sentence
            .items
            .iter()
            .filter_map(|item| match item.kind {
                ItemKind::Name(row) => Some(row),
                _ => None,
            })
            .collect();
        rows.dedup();
        let prices: Vec<_> = rows.iter().filter_map(|&row| self.row(row).and_then(|row| row.now)).collect();
        let equal = prices.len() == rows.len() && rows.len() > 1 && prices.iter().all(|price| *price == prices[0]);
        let asked = sentence.question && rows.is_empty();
        if equal || asked {
            Ok(())
        } else {
            Err(sentence.fault(Code::Comparison, index, "prices said to be equal that are not"))
        }
    }

    /// Which costs less, and which least: true only when the facts say so.
    pub(super) fn comparison(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let found = [sentence.first(Class::Compare), sentence.first(Class::Dearer)].into_iter().flatten().min();
        let Some(index) = found else { return Ok(()) };
        if sentence.items[index].is(Class::From) && sentence.nameless() && !sentence.priced() && !sentence.told {
            // "More than we sell": more of what is not said, and no price is near.
            return Ok(());
        }
        let fail = |why: &str| Err(sentence.fault(Code::Comparison, index, why));
        let dearer = sentence.items[index].is(Class::Dearer);
        let rows: Vec<(usize, &Row)> = sentence
            .names()
            .filter_map(|at| match sentence.items[at].kind {
                ItemKind::Name(row) => self.row(row).map(|row| (at, row)),
                _ => None,
            })
            .collect();
        let refused = sentence.has(Class::Commit) || sentence.has(Class::Discount);
        if rows.is_empty() && refused && sentence.has(Class::Negation) && !sentence.has_amount() {
            // "I can't promise a lower price": no price is compared.
            return Ok(());
        }
        if sentence.has(Class::Negation) {
            return fail("a comparison beside a negation");
        }
        let price = |row: &Row| row.now.map(|money| (money.currency, money.minor));
        if sentence.items[index].is(Class::Superlative) {
            let behind = rows.iter().find(|(at, _)| *at > index);
            let named = behind.or(rows.iter().rfind(|(at, _)| *at < index));
            return match named {
                Some((_, row)) if self.foremost(row, dearer) => Ok(()),
                None if sentence.question => Ok(()),
                _ => fail("not true of the facts"),
            };
        }
        let theirs = (0..sentence.items.len()).find(|&at| self.theirs(sentence, at));
        match rows.as_slice() {
            [] if sentence.question => Ok(()),
            [(_, row), rest @ ..] if rest.iter().all(|(_, other)| other.names == row.names) && theirs.is_some() => {
                match theirs.and_then(|at| self.beside(sentence, at, row)) {
                    Some(order) if order == (if dearer { Ordering::Greater } else { Ordering::Less }) => Ok(()),
                    _ => fail("not true of the shopper's own amount"),
                }
            }
            [(_, first), (_, second)] => match (price(first), price(second)) {
                (Some((a, low)), Some((b, high))) if a == b && (if dearer { low > high } else { low < high }) => Ok(()),
                _ => fail("not true of the facts"),
            },
            _ => fail("a comparison without its two products"),
        }
    }

    /// How a product's price stands to the shopper's own amount.
    fn beside(&self, sentence: &Sentence<'_>, index: usize, row: &Row) -> Option<Ordering> {
        let value = match &sentence.items[index].kind {
            ItemKind::Money(amount) => amount.value,
            ItemKind::Number(number) => number.value,
            _ => None,
        };
        let now = row.now?;
        let price = i128::from(now.minor).checked_mul(ONE)?;
        Some(price.cmp(&value?.checked_mul(10_i128.pow(now.currency.exponent()))?))
    }

    /// True for the cheapest (or dearest) of all products of the facts.
    fn foremost(&self, row: &Row, dearer: bool) -> bool {
        let price = |row: &Row| row.now.map(|money| (money.currency, money.minor));
        let rivals: Vec<_> = self.rows().filter(|row| row.kind == RowKind::Product).filter_map(price).collect();
        let best = if dearer { rivals.iter().max() } else { rivals.iter().min() };
        let one_currency = rivals.iter().all(|rival| Some(rival.0) == rivals.first().map(|first| first.0));
        rivals.len() > 1 && one_currency && best.copied() == price(row)
    }

    /// "Fits your budget": true when the shopper named one, and no product named costs more.
    pub(super) fn budget(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        // The other words of the class ("you have") mean the shopper's money only beside an amount.
        let spoken = |item: &Item| item.is(Class::Budget) && item.is(Class::Neutral);
        let Some(index) = sentence.items.iter().position(spoken) else { return Ok(()) };
        // "Over your budget" says the other thing.
        let other = [Class::Negation, Class::From, Class::Dearer, Class::Compare];
        if sentence.question || sentence.nameless() || other.iter().any(|&class| sentence.has(class)) {
            return Ok(());
        }
        let fits = |money: Money| self.said().covers(money, self.lexicon);
        let mut prices = sentence.names().filter_map(|at| match sentence.items[at].kind {
            ItemKind::Name(row) => self.row(row).and_then(|row| row.now),
            _ => None,
        });
        if prices.all(fits) { Ok(()) } else { Err(sentence.fault(Code::Comparison, index, "a budget no fact holds")) }
    }

    /// A product with a word of price and no amount: the amount may stand in another sentence.
    pub(super) fn price_talk(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let Some(index) = sentence.first(Class::Price) else { return Ok(()) };
        let settled = sentence.has_amount()
            || sentence.has(Class::Defer)
            || sentence.has(Class::Compare)
            || sentence.has(Class::Dearer);
        let of_another = sentence.nameless() && !(sentence.of_the_amount() && sentence.focus.is_some());
        if settled || of_another || sentence.question {
            return Ok(());
        }
        Err(sentence.fault(Code::PriceTalk, index, "a price is spoken of but not stated"))
    }
}
