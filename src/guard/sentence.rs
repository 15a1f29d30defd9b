//! One sentence as the rules see it: which words stand where, what is negated, asked, counted or limited.
//! In: the items of a sentence. Out: answers to the questions of the checker; it decides nothing itself.

use std::ops::Range;

use crate::domain::Language;

use super::ledger::{Row, RowKind};
use super::lexicon::Class;
use super::money::{Item, ItemKind, Reading};
use super::numeral::{ONE, roman_from_twenty};
use super::text::{Checker, Fault};
use super::verdict::Code;

/// A sentence with what is known from the one before.
pub(super) struct Sentence<'a> {
    /// Its items.
    pub items: Vec<Item>,
    /// The classes of all its words together.
    bits: u64,
    /// True when it holds an amount.
    amount: bool,
    /// True when it holds a number, an amount or a currency.
    value: bool,
    /// True when it holds a percentage, a code or a sign nobody can vouch for.
    doubt: bool,
    /// The only product the sentence before named.
    pub focus: Option<usize>,
    /// The text it stands in.
    pub reading: &'a Reading<'a>,
    /// True when it asks.
    pub question: bool,
    /// True when an amount was told before it.
    pub told: bool,
}

impl<'a> Sentence<'a> {
    /// The sentence made of `tokens`.
    pub fn new(reading: &'a Reading<'a>, tokens: Range<usize>, (focus, told): (Option<usize>, bool)) -> Sentence<'a> {
        let question = reading.tokens[tokens.end - 1].sign('?');
        let items = reading.items(tokens);
        let roman = |item: &Item| roman_from_twenty(reading.words(item.tokens.clone()));
        let (mut bits, mut amount, mut value, mut doubt) = (0, false, false, false);
        for item in &items {
            bits |= item.plain_bits();
            match item.kind {
                ItemKind::Money(_) => (amount, value) = (true, true),
                ItemKind::Number(_) | ItemKind::Currency => value = true,
                ItemKind::Word => doubt |= item.bits == 0 && !doubt && roman(item),
                ItemKind::Odd | ItemKind::Mixed | ItemKind::Percent(_) | ItemKind::Pattern(_) => doubt = true,
                ItemKind::Sign('%' | '‰') => doubt = true,
                ItemKind::Sign(_) | ItemKind::Name(_) | ItemKind::Island(_) => {}
            }
        }
        Sentence { items, bits, amount, value, doubt, focus, reading, question, told }
    }

    /// True when some item could be at fault by itself.
    pub fn claims(&self) -> bool {
        const CLAIMS: u64 = Class::Percent.bit()
            | Class::Slang.bit()
            | Class::Commit.bit()
            | Class::Zero.bit()
            | Class::Discount.bit()
            | Class::Gives.bit()
            | Class::NumberLike.bit()
            | Class::Time.bit()
            | Class::Instalment.bit()
            | Class::Ordinal.bit();
        let day = self.has(Class::Vague) && self.has(Class::Promise);
        self.doubt || self.value || self.told || day || self.bits & CLAIMS != 0
    }

    /// True when it holds a number, an amount or a currency.
    pub fn has_value(&self) -> bool {
        self.value
    }

    /// A sentence behind an amount that names nothing and measures nothing speaks of that amount.
    pub fn of_the_amount(&self) -> bool {
        const OTHER: u64 = Class::Unit.bit() | Class::Time.bit() | Class::Counted.bit() | Class::Defer.bit();
        // A lone letter, as the Slovak preposition `v`, measures nothing.
        let measures = |item: &Item| item.bits & OTHER != 0 && self.reading.words(item.tokens.clone()).len() > 1;
        self.told && !self.amount && !self.question && self.nameless() && !self.items.iter().any(measures)
    }

    /// The first word of a class.
    pub fn first(&self, class: Class) -> Option<usize> {
        self.has(class).then(|| self.items.iter().position(|item| item.is(class))).flatten()
    }

    /// A fault at one item.
    pub fn fault(&self, code: Code, index: usize, why: &str) -> Fault {
        let tokens = self.items[index].tokens.clone();
        let why = ["`", self.reading.words(tokens.clone()), "`: ", why].concat();
        Fault { code, tokens, why }
    }

    /// True when a word of this class stands in it.
    pub fn has(&self, class: Class) -> bool {
        self.bits & class.bit() != 0
    }

    /// True when it holds an amount.
    pub fn has_amount(&self) -> bool {
        self.amount
    }

    /// True when it speaks of price or holds an amount.
    pub fn priced(&self) -> bool {
        self.has_amount() || self.has(Class::Price) || self.has(Class::Payment) || self.has(Class::Instalment)
    }

    /// The indices of its names.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        (0..self.items.len()).filter(|&index| matches!(self.items[index].kind, ItemKind::Name(_)))
    }

    /// True when it names nothing.
    pub fn nameless(&self) -> bool {
        self.names().next().is_none()
    }

    /// The one product it names.
    pub fn only_product(&self, checker: &Checker<'_>) -> Option<usize> {
        let mut rows = self.items.iter().filter_map(|item| match item.kind {
            ItemKind::Name(row) if checker.row(row).is_some_and(|row| row.kind == RowKind::Product) => Some(row),
            _ => None,
        });
        let first = rows.next()?;
        rows.all(|row| row == first).then_some(first)
    }

    /// A negation among the `reach` items before, or right behind.
    pub fn negated(&self, index: usize, reach: usize) -> bool {
        let before = self.items[index.saturating_sub(reach)..index].iter();
        before.chain(self.items.get(index + 1)).any(|item| item.is(Class::Negation))
    }

    /// "There is none" right behind, with nothing but words between.
    pub fn denied_after(&self, index: usize) -> bool {
        let words = self.items[index + 1..].iter().take(3).take_while(|item| item.kind == ItemKind::Word);
        words.into_iter().any(|item| item.is(Class::Denial))
    }

    /// True for the measure or counted noun of a licensed number.
    pub fn after_number(&self, index: usize) -> bool {
        let before = index.checked_sub(1).map(|index| &self.items[index].kind);
        let measure =
            [Class::Unit, Class::Time, Class::Counted, Class::Size].iter().any(|&class| self.items[index].is(class));
        measure && matches!(before, Some(ItemKind::Number(_) | ItemKind::Money(_) | ItemKind::Sign('/')))
    }

    /// A word of a former price between this amount and what comes before it.
    pub fn old_before(&self, index: usize) -> bool {
        self.since_last(index).any(|item| item.is(Class::Old))
    }

    /// A word of this class right behind, or behind one neutral word.
    pub fn followed_by(&self, index: usize, class: Class) -> bool {
        let mut behind = self.items[index + 1..].iter();
        let next = behind.next();
        next.is_some_and(|item| item.is(class))
            || (next.is_some_and(|item| item.is(Class::Neutral)) && behind.next().is_some_and(|item| item.is(class)))
    }

    /// "Budget" right behind an amount, in Chinese with 的 between.
    pub fn budget_behind(&self, index: usize) -> bool {
        let budget = |at: usize| self.items.get(at).is_some_and(|item| item.is(Class::Budget));
        let joined = self.items.get(index + 1).is_some_and(|item| self.reading.words(item.tokens.clone()) == "的");
        budget(index + 1) || (joined && budget(index + 2))
    }

    /// "Less than" right before an amount.
    pub fn limited(&self, index: usize) -> bool {
        self.items[index.saturating_sub(2)..index].iter().any(|item| item.is(Class::Less))
    }

    /// True when a product with an amount of its own comes behind this one: "for 80 you could take the stool at 75".
    pub fn then_priced(&self, index: usize) -> bool {
        let mut behind = self.items[index + 1..].iter().skip_while(|item| !matches!(item.kind, ItemKind::Name(_)));
        behind.any(|item| matches!(item.kind, ItemKind::Money(_)))
    }

    /// "Your" right before an amount.
    pub fn yours_before(&self, index: usize) -> bool {
        index.checked_sub(1).is_some_and(|before| self.items[before].is(Class::Yours))
    }

    /// True when a product is named right behind this word, or behind one word more.
    pub fn names_next(&self, index: usize) -> bool {
        let quote = |item: &&Item| matches!(item.kind, ItemKind::Sign('"' | '«' | '“' | '”' | '「' | '《'));
        let mut behind = self.items[index + 1..].iter().filter(|item| !quote(item)).take(2);
        behind.any(|item| matches!(item.kind, ItemKind::Name(_)))
    }

    /// The row named right before this word.
    pub fn behind_name(&self, index: usize) -> Option<usize> {
        match index.checked_sub(1).map(|before| &self.items[before].kind) {
            Some(ItemKind::Name(row)) => Some(*row),
            _ => None,
        }
    }

    /// True when delivery is spoken of together with this amount: between it and the amount before, or behind it
    /// and not with an amount of its own.
    pub fn shipped(&self, index: usize) -> bool {
        let behind = self.items[index + 1..].iter();
        let mut shipping = false;
        for item in behind {
            match item.kind {
                ItemKind::Money(_) => return self.shipping_since(index),
                ItemKind::Name(_) if shipping => return true,
                // "24.90 plus delivery": that is not what delivery costs.
                _ if item.is(Class::Adds) => break,
                _ => shipping |= item.is(Class::Shipping),
            }
        }
        shipping || self.shipping_since(index)
    }

    /// A word of delivery between this amount and the one before, but for one that is told of that one.
    fn shipping_since(&self, index: usize) -> bool {
        let last = self.items[..index].iter().rposition(|item| matches!(item.kind, ItemKind::Money(_)));
        !last.is_some_and(|last| self.then_shipping(last))
            && self.since_last(index).any(|item| item.is(Class::Shipping))
    }

    /// A product, then delivery without a sign between: "the mug with delivery".
    pub fn joined_shipping(&self, index: usize) -> bool {
        let from = self.items[..index].iter().rposition(|item| matches!(item.kind, ItemKind::Money(_))).unwrap_or(0);
        let before = &self.items[from..index];
        let named = before.iter().position(|item| matches!(item.kind, ItemKind::Name(_)));
        let shipping = before.iter().position(|item| item.is(Class::Shipping));
        match (named, shipping) {
            (Some(named), Some(shipping)) if named < shipping => !before[named..shipping]
                .iter()
                .any(|item| matches!(item.kind, ItemKind::Sign(',' | ':' | ';' | '—' | '–' | '|'))),
            _ => false,
        }
    }

    /// "Left" in the sentence of an amount, or "we have" right before it.
    pub fn in_stock(&self, index: usize) -> bool {
        let before = index.checked_sub(1).is_some_and(|before| self.items[before].is(Class::Stock));
        self.has(Class::Left) || before
    }

    /// True for an amount from which on delivery is free, not for its cost.
    pub fn threshold(&self, index: usize) -> bool {
        self.from_before(index)
            || self.since_last(index).any(|item| item.is(Class::Zero))
            || (self.has(Class::Zero) && !self.items[..index].iter().any(|item| item.is(Class::Shipping)))
    }

    /// True when the word of "free" at `index` is said of delivery: what stands nearest before it, else behind it.
    pub fn free_delivery(&self, index: usize) -> bool {
        let says = |item: &Item| match item.kind {
            ItemKind::Name(_) => Some(false),
            _ => (item.is(Class::Shipping) || item.is(Class::Promise)).then_some(true),
        };
        let before = self.items[..index].iter().rev().find_map(says);
        before.or_else(|| self.items[index + 1..].iter().find_map(says)).unwrap_or(false)
    }

    fn since_last(&self, index: usize) -> impl Iterator<Item = &Item> {
        self.items[..index].iter().rev().take_while(|item| !matches!(item.kind, ItemKind::Money(_)))
    }

    /// "From" or "up to" right before an amount, or 起 right behind it.
    pub fn from_before(&self, index: usize) -> bool {
        let limit = |item: Option<&Item>| item.is_some_and(|item| item.is(Class::From) || item.is(Class::To));
        let behind =
            self.items.get(index + 1).filter(|item| self.reading.words(item.tokens.clone()).starts_with(['起', '以']));
        let more = self
            .items
            .get(index + 1)
            .filter(|item| item.is(Class::From) && self.reading.words(item.tokens.clone()).starts_with(['a', 'o']));
        limit(index.checked_sub(1).and_then(|before| self.items.get(before))) || limit(behind) || more.is_some()
    }

    /// A word of monthly payments right behind an amount, or anywhere before it with a number of months.
    pub fn instalment_near(&self, index: usize) -> bool {
        let mut behind = self.items[index + 1..].iter().take(2);
        let behind = behind.find(|item| item.kind == ItemKind::Sign(',') || item.is(Class::Instalment));
        behind.is_some_and(|item| item.is(Class::Instalment))
            || self.since_last(index).any(|item| item.is(Class::Instalment))
    }

    /// A number other than one before a name: `two kettles`.
    pub fn counted(&self, checker: &Checker<'_>, row: &Row) -> Option<usize> {
        self.items.iter().enumerate().position(|(index, item)| match &item.kind {
            ItemKind::Number(_) if checker.told_apart(self, index) => false,
            ItemKind::Number(number) => {
                let attribute = self.reading.words(number.tokens.clone());
                // A plan's length is no number of pieces, in the plan's own sentence.
                let months = checker
                    .rows()
                    .filter(|plan| plan.code == row.code)
                    .any(|plan| plan.months.is_some_and(|months| number.value == Some(i128::from(months) * ONE)));
                !months
                    && number.value != Some(ONE)
                    && !row.attributes.iter().any(|known| known.contains(attribute))
                    && row.per.is_none()
            }
            _ => false,
        })
    }

    /// The words that say what the price is for, when there are any.
    pub fn per_words(&self, checker: &Checker<'_>) -> Option<&str> {
        // "For 6 months" is a plan's length, not what the price is for.
        let lasting =
            |at: usize| self.has(Class::Instalment) && self.items.get(at + 2).is_some_and(|item| item.is(Class::Time));
        let index = self.items.iter().position(|item| item.is(Class::Per)).or_else(|| {
            self.items.windows(2).enumerate().position(|(at, pair)| {
                let slash = || {
                    matches!(pair[0].kind, ItemKind::Sign('/'))
                        || matches!(self.reading.words(pair[0].tokens.clone()), "за" | "za" | "a" | "for" | "每")
                };
                let number = matches!(pair[1].kind, ItemKind::Number(_));
                // `160 g/m²` is a measure itself.
                let compound = at > 1
                    && self.items[at - 1].is(Class::Unit)
                    && matches!(self.items[at - 2].kind, ItemKind::Number(_));
                let measure = pair[1].is(Class::Unit)
                    || pair[1].is(Class::Time)
                    || (number && !lasting(at) && checker.rows().any(|row| row.per.is_some()));
                measure && !compound && slash()
            })
        })?;
        let end = self.items[(index + 2).min(self.items.len() - 1)].tokens.end;
        Some(self.reading.words(self.items[index].tokens.start..end))
    }

    /// A scale word or currency right behind a Roman numeral. The Slovak `v` is a preposition.
    pub fn roman_amount(&self, index: usize) -> bool {
        let valued = |item: &Item| matches!(item.kind, ItemKind::Money(_) | ItemKind::Number(_) | ItemKind::Currency);
        let preposition =
            || self.reading.language == Language::Sk && self.reading.words(self.items[index].tokens.clone()) == "v";
        self.items.get(index + 1).is_some_and(valued) && !preposition()
    }
}
