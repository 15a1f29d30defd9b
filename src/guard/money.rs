//! Amounts of money in a row of tokens, and the sentence as a row of items: words, names, numbers, amounts.

use std::ops::Range;

use crate::domain::{Language, Money};

use super::lex::{Kind, Token};
use super::lexicon::{Class, Lexicon, spaced_letter};
use super::licence;
use super::numeral::{self, Numeral, ONE};
use super::shape::{Form, Next, Shape};
use super::verdict::Code;

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ItemKind {
    /// A word, known or not.
    Word,
    /// A sign.
    Sign(char),
    /// A name: its row in the ledger.
    Name(usize),
    /// An amount of money.
    Money(Box<Amount>),
    /// A number that is no amount.
    Number(Box<Numeral>),
    /// So many percent.
    Percent(Option<i64>),
    /// A phone, time, date or rating by its closed pattern.
    Pattern(Form),
    /// A currency without an amount.
    Currency,
    /// Letters and digits in one word.
    Mixed,
    /// A sign nobody can vouch for.
    Odd,
    /// A stretch rendered from a fact.
    Island(usize),
}

/// One item of a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its tokens.
    pub tokens: Range<usize>,
    /// The classes of its word.
    pub bits: u64,
}

impl Item {
    /// True for a word of this class that is not marked as harmless.
    pub fn is(&self, class: Class) -> bool {
        self.plain_bits() & class.bit() != 0
    }

    /// Its classes; of a word that is marked as harmless, that alone.
    pub fn plain_bits(&self) -> u64 {
        if self.bits & Class::Benign.bit() == 0 { self.bits } else { Class::Benign.bit() }
    }
}

/// An amount as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Amount {
    /// In millionths of the currency; `None` when it cannot be read exactly.
    pub value: Option<i128>,
    /// The currencies it may be in.
    pub currencies: u64,
}

impl Amount {
    /// Compares with a fact's money.
    pub fn equals(&self, money: Money, lexicon: &Lexicon) -> Result<(), Code> {
        let Some(value) = self.value else { return Err(Code::MalformedNumber) };
        if self.currencies & lexicon.currency_mask(money.currency.code()) == 0 {
            return Err(Code::CurrencyMismatch);
        }
        match value.checked_mul(10_i128.pow(money.currency.exponent())) {
            Some(scaled) if scaled == i128::from(money.minor) * ONE => Ok(()),
            _ => Err(Code::PriceMismatch),
        }
    }
}

/// The tokens of a text with what is needed to read them.
pub(super) struct Reading<'a> {
    /// The plain text.
    pub text: &'a str,
    /// Its tokens.
    pub tokens: &'a [Token],
    /// The language whose number formats hold.
    pub language: Language,
    /// Numbers known by how they are written.
    pub shapes: &'a [Shape],
    /// What may stand behind the first figures of one.
    pub behind: &'a Next,
}

impl<'a> Reading<'a> {
    /// The tokens of a plain text.
    pub fn new(lexicon: &'a Lexicon, (text, tokens): (&'a str, &'a [Token]), language: Language) -> Reading<'a> {
        Reading { text, tokens, language, shapes: &lexicon.shapes, behind: &lexicon.behind }
    }
}

impl Reading<'_> {
    /// The words of some tokens, as they stand in the plain text.
    pub fn words(&self, tokens: Range<usize>) -> &str {
        match (self.tokens.get(tokens.start), self.tokens.get(tokens.end.saturating_sub(1))) {
            (Some(first), Some(last)) if first.range().start <= last.range().end => {
                &self.text[first.range().start..last.range().end]
            }
            _ => "",
        }
    }

    /// The items of one sentence.
    pub fn items(&self, sentence: Range<usize>) -> Vec<Item> {
        let mut found: Vec<Item> = Vec::with_capacity(sentence.len());
        let mut at = sentence.start;
        while at < sentence.end {
            let item = self.item(at, &sentence);
            at = item.tokens.end.max(at + 1);
            found.push(item);
        }
        self.share_currency(&mut found);
        found
    }

    /// In `from 14 990 to 19 990 ₸` the first number is an amount too.
    fn share_currency(&self, items: &mut [Item]) {
        for index in 1..items.len().saturating_sub(2) {
            let limits = items[index - 1].is(Class::From)
                && (items[index + 1].is(Class::To) || self.words(items[index + 1].tokens.clone()) == "to");
            if let (true, ItemKind::Number(number), ItemKind::Money(money)) =
                (limits, &items[index].kind, &items[index + 2].kind)
            {
                let amount = Amount { value: number.value, currencies: money.currencies };
                items[index].kind = ItemKind::Money(Box::new(amount));
            }
        }
    }

    fn item(&self, at: usize, sentence: &Range<usize>) -> Item {
        const VALUED: u64 = Class::Number.bit()
            | Class::Currency.bit()
            | Class::Minor.bit()
            | Class::Tenth.bit()
            | Class::Percent.bit();
        let token = &self.tokens[at];
        let plain = match token.kind {
            Kind::Word => Some(ItemKind::Word),
            // A plus may begin a phone.
            Kind::Sign(sign) if sign != '+' => Some(ItemKind::Sign(sign)),
            _ => None,
        };
        if let Some(kind) = plain.filter(|_| token.term.bits & VALUED == 0) {
            return Item { kind, tokens: at..at + 1, bits: token.term.bits };
        }
        let item = |kind: ItemKind, end: usize| Item { kind, tokens: at..end, bits: token.term.bits };
        if let Some((end, form)) = licence::pattern(self, at, sentence) {
            return item(ItemKind::Pattern(form), end);
        }
        if token.is(Class::Currency)
            && let Some(number) = self.number(at + 1, sentence)
        {
            return self.amount(at, &number, sentence);
        }
        if token.is(Class::Percent)
            && self.words(at..at + 1) == "百分之"
            && let Some(number) = self.number(at + 1, sentence)
        {
            return item(percent(&number), number.tokens.end);
        }
        if let Some(number) = self.number(at, sentence) {
            return self.numbered(at, number, sentence);
        }
        match &token.kind {
            Kind::Name(row) => item(ItemKind::Name(*row), at + 1),
            Kind::Island(index) => item(ItemKind::Island(*index), at + 1),
            Kind::Mixed => item(ItemKind::Mixed, at + 1),
            Kind::Odd => item(ItemKind::Odd, at + 1),
            _ if self.currency(at) => item(ItemKind::Currency, at + 1),
            Kind::Sign(sign) => item(ItemKind::Sign(*sign), at + 1),
            Kind::Newline => item(ItemKind::Sign('\n'), at + 1),
            _ => item(ItemKind::Word, at + 1),
        }
    }

    fn number(&self, at: usize, sentence: &Range<usize>) -> Option<Numeral> {
        if at >= sentence.end {
            return None;
        }
        numeral::numeral(self.text, &self.tokens[..sentence.end], at, self.language)
    }

    fn currency(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let money = token.is(Class::Currency) || token.is(Class::Minor) || token.is(Class::Tenth);
        money && !token.is(Class::Benign) && !token.is(Class::Counted) && !token.is(Class::Neutral)
    }

    /// A number with what follows it: a currency, a percent sign, or nothing that makes it either.
    fn numbered(&self, at: usize, number: Numeral, sentence: &Range<usize>) -> Item {
        let end = number.tokens.end;
        let bits = self.tokens[at].term.bits;
        let next = self.tokens.get(end).filter(|_| end < sentence.end);
        let money = |token: &Token| token.is(Class::Currency) || token.is(Class::Minor) || token.is(Class::Tenth);
        match next {
            Some(token) if money(token) && !self.counts(&number, token) => self.amount(at, &number, sentence),
            Some(token) if token.is(Class::Percent) => Item { kind: percent(&number), tokens: at..end + 1, bits: 0 },
            _ if number.idle => Item { kind: ItemKind::Word, tokens: number.tokens, bits },
            _ => {
                let value = if self.negative(at) { None } else { number.value };
                let tokens = number.tokens.clone();
                Item { kind: ItemKind::Number(Box::new(Numeral { value, ..number })), tokens, bits: 0 }
            }
        }
    }

    /// `一块` of cake: a lone harmless phrase is no amount.
    fn counts(&self, number: &Numeral, token: &Token) -> bool {
        number.idle && number.tokens.len() == 1 && token.is(Class::Counted)
    }

    /// An amount that begins at token `at`, with its currencies on both sides and its minor part.
    fn amount(&self, at: usize, number: &Numeral, sentence: &Range<usize>) -> Item {
        let mut currencies = u64::MAX;
        let mut value = number.value;
        if number.tokens.start > at {
            currencies &= self.tokens[at].term.currencies;
        }
        let mut end = number.tokens.end;
        let mut major = number.tokens.start > at;
        while let Some(token) = self.tokens.get(end).filter(|_| end < sentence.end) {
            if token.is(Class::Currency)
                && !(major && token.is(Class::Neutral) && self.number(end + 1, sentence).is_some())
            {
                currencies &= token.term.currencies;
                major = true;
            } else if (token.is(Class::Minor) || token.is(Class::Tenth)) && !major {
                let share = if token.is(Class::Tenth) { 10 } else { 100 };
                value = value.map(|value| value / share);
                currencies &= token.term.currencies;
                major = true;
            } else {
                break;
            }
            end += 1;
            // `руб.` closes with a point that belongs to the word when more of the amount follows.
            if self.tokens.get(end).is_some_and(|token| token.sign('.')) && self.minor(end + 1, sentence).is_some() {
                end += 1;
            }
        }
        if let Some((stop, cents, mask)) = self.minor(end, sentence) {
            let share = if self.tokens[stop - 1].is(Class::Tenth) { 10 } else { 100 };
            value = value.and_then(|value| Some(value + cents? / share));
            currencies &= mask;
            end = stop;
        }
        if self.glued_letter(end) {
            return Item { kind: ItemKind::Mixed, tokens: at..end + 1, bits: 0 };
        }
        if self.negative(at) || self.glued(end) {
            value = None;
        }
        Item { kind: ItemKind::Money(Box::new(Amount { value, currencies })), tokens: at..end, bits: 0 }
    }

    /// The hundredths that follow an amount: "and ninety-nine cents".
    fn minor(&self, at: usize, sentence: &Range<usize>) -> Option<(usize, Option<i128>, u64)> {
        let joined = self.tokens.get(at).is_some_and(|token| {
            matches!(&self.text[token.range()], "and" | "a" | "и" | "," | "i" | "und" | "零" | "та" | "і")
        });
        let start = at + usize::from(joined);
        let number = self.number(start, sentence)?;
        let unit = self.tokens.get(number.tokens.end).filter(|_| number.tokens.end < sentence.end)?;
        if !unit.is(Class::Minor) && !unit.is(Class::Tenth) {
            return None;
        }
        let value = number.value.filter(|value| *value < 100 * ONE && !unit.is(Class::Tenth) || *value < 10 * ONE);
        Some((number.tokens.end + 1, value, unit.term.currencies))
    }

    fn negative(&self, at: usize) -> bool {
        let sign = at.checked_sub(1).map(|index| &self.tokens[index]);
        let glued = !self.tokens[at].spaced;
        let before = at.checked_sub(2).map(|index| &self.tokens[index].kind);
        let joins = before.is_some_and(|kind| matches!(kind, Kind::Figures | Kind::Word))
            && sign.is_some_and(|sign| !sign.spaced);
        glued && sign.is_some_and(|sign| sign.sign('-')) && !joins
    }

    /// True when figures or a number word stand right behind, as in 三块五.
    fn glued(&self, end: usize) -> bool {
        self.tokens.get(end).is_some_and(|token| {
            let digits = matches!(token.kind, Kind::Figures | Kind::Mixed | Kind::Odd) || token.is(Class::Number);
            !token.spaced && digits
        })
    }

    /// `$72,247.7l`: a letter glued to the figures can pass for one more of them.
    fn glued_letter(&self, end: usize) -> bool {
        let figures = end.checked_sub(1).is_some_and(|before| self.tokens[before].kind == Kind::Figures);
        let letter = |token: &Token| !token.spaced && self.text[token.range()].starts_with(spaced_letter);
        figures && self.tokens.get(end).is_some_and(letter)
    }
}

/// So many percent; a share nobody could mean has no value.
fn percent(number: &Numeral) -> ItemKind {
    ItemKind::Percent(number.value.and_then(|value| value.try_into().ok()))
}
