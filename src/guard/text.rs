//! The checker of free text: one sentence at a time, every number, amount and claim must hold a licence.

use std::ops::Range;

use crate::domain::Language;

use super::bind;
use super::ledger::{Ledger, Row, RowKind};
use super::lex::{self, Kind, Token};
use super::lexicon::{Class, Lexicon};
use super::licence::{self, Around};
use super::money::{Amount, Item, ItemKind, Reading};
use super::norm::{self, Normal};
use super::numeral::{ONE, roman, roman_from_twenty};
use super::sentence::Sentence;
use super::verdict::{Code, Violation};

/// A fault before its place is known in the original text.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Which rule.
    pub code: Code,
    /// The tokens at fault.
    pub tokens: Range<usize>,
    /// What stands there.
    pub why: String,
}

/// One text against one ledger.
pub(super) struct Checker<'a> {
    pub lexicon: &'a Lexicon,
    pub ledger: &'a Ledger,
    reading: Reading<'a>,
}

/// Checks `text`; the first fault in reading order of the rules.
pub(super) fn check(lexicon: &Lexicon, ledger: &Ledger, (language, text): (Language, &str)) -> Result<(), Violation> {
    let normal = norm::normalise(text, &[]);
    if let Some(at) = normal.bidi.clone().filter(|_| normal.text.contains(|c: char| c.is_ascii_digit())) {
        let detail = "a direction control in a text with figures".to_string();
        return Err(Violation { code: Code::BidiControl, segment: 0, at, detail });
    }
    let names = ledger.aliases.find(&normal.text);
    let tokens = lex::tokens(lexicon, &normal, language, &names);
    let reading = Reading { text: &normal.text, tokens: &tokens, language };
    let checker = Checker { lexicon, ledger, reading };
    checker.run(text, &normal).map_err(|fault| place(fault, &normal, &tokens))
}

fn place(fault: Fault, normal: &Normal, tokens: &[Token]) -> Violation {
    let start = tokens.get(fault.tokens.start).map_or(0, |token| token.range().start);
    let end = tokens.get(fault.tokens.end.saturating_sub(1)).map_or(start, |token| token.range().end);
    let at = normal.original(start..end.max(start));
    Violation { code: fault.code, segment: 0, at, detail: fault.why }
}

/// The sentences of a text, as ranges of tokens.
pub(super) fn sentences(tokens: &[Token], original: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        let ends = match token.kind {
            Kind::Newline | Kind::Sign('!' | '?' | '。' | '…') => true,
            // A point ends a sentence before a capital or a figure that does not follow an abbreviated unit.
            Kind::Sign('.') => next.is_none_or(|next| {
                let unit = index > 0 && tokens[index - 1].term.bits & ABBREVIATED != 0 && next.kind == Kind::Figures;
                let listed = index > 0 && tokens[index - 1].kind == Kind::Figures && index - 1 == start;
                next.spaced && original(next.range().start) && !unit && !listed
            }),
            _ => false,
        };
        if ends {
            found.push(start..index + 1);
            start = index + 1;
        }
    }
    if start < tokens.len() {
        found.push(start..tokens.len());
    }
    found
}

const ABBREVIATED: u64 = Class::Currency.bit() | Class::Minor.bit() | Class::Identifier.bit() | Class::Phone.bit();

impl<'a> Checker<'a> {
    fn run(&self, original: &str, normal: &Normal) -> Result<(), Fault> {
        let opens = |at: usize| {
            let byte = normal.original(at..at + 1).start;
            original.get(byte..).and_then(|rest| rest.chars().next()).is_none_or(|c| !c.is_lowercase())
        };
        let (mut focus, mut told) = (None, false);
        for range in sentences(self.reading.tokens, opens) {
            let sentence = Sentence::new(&self.reading, range.clone(), (focus, told));
            if !self.verbatim(range) {
                self.sentence(&sentence)?;
            }
            told |= sentence.has_amount();
            if sentence.items.iter().any(|item| item.kind != ItemKind::Word || item.bits == 0) {
                focus = sentence.only_product(self).or(focus.filter(|_| sentence.items.is_empty()));
            }
        }
        Ok(())
    }

    /// A sentence that stands word for word in a policy.
    fn verbatim(&self, range: Range<usize>) -> bool {
        let words = self.reading.words(range.clone()).trim_end_matches(['.', '。', '!', '\n']);
        range.len() > 3 && words.len() > 12 && self.ledger.texts.iter().any(|text| text.contains(words))
    }

    fn sentence(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        if sentence.claims() {
            for (index, item) in sentence.items.iter().enumerate() {
                self.item(sentence, index, item)?;
            }
        }
        if self.alone(sentence) {
            return Err(sentence.fault(
                Code::UnlicensedNumber,
                0,
                "a measure of nothing, or an amount in a currency of elsewhere",
            ));
        }
        if sentence.has_amount() {
            bind::amounts(self, sentence)?;
        }
        let numbered = if sentence.has_value() { sentence.items.as_slice() } else { &[] };
        for (index, item) in numbered.iter().enumerate() {
            if let ItemKind::Number(number) = &item.kind {
                let priced = sentence.priced();
                let licences = &self.lexicon.licences;
                let around = Around { items: &sentence.items, index, priced, licences };
                if !licence::licensed(&self.reading, self.ledger, number, &around) {
                    let code = match (number.value, number.words) {
                        (None, _) => Code::MalformedNumber,
                        (_, true) => Code::NumberWord,
                        _ => Code::UnlicensedNumber,
                    };
                    return Err(sentence.fault(code, index, "no fact and no licence allows this number"));
                }
            }
        }
        if let Some(index) = numbered.iter().position(|item| matches!(item.kind, ItemKind::Currency)) {
            return Err(sentence.fault(Code::PriceTalk, index, "a currency without a readable amount"));
        }
        self.equality(sentence)?;
        self.comparison(sentence)?;
        self.price_talk(sentence)
    }

    /// The whole text is a number and a measure: `1 KM` and `1 L` are prices in other countries.
    fn alone(&self, sentence: &Sentence<'_>) -> bool {
        let whole = sentence.items.first().is_some_and(|item| item.tokens.start == 0)
            && sentence.items.last().is_some_and(|item| item.tokens.end == self.reading.tokens.len());
        whole
            && matches!(sentence.items.as_slice(), [number, measure]
            if matches!(number.kind, ItemKind::Number(_)) && measure.kind == ItemKind::Word)
    }

    /// "The same price" is true of two products when their facts say so.
    fn equality(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
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

    /// Faults a single item shows by itself.
    fn item(&self, sentence: &Sentence<'_>, index: usize, item: &Item) -> Result<(), Fault> {
        let fail = |code: Code, why: &str| Err(sentence.fault(code, index, why));
        match &item.kind {
            ItemKind::Odd => fail(Code::MixedToken, "a sign or word that could hide a number"),
            ItemKind::Mixed if !self.known_code(item) => {
                fail(Code::MixedToken, "letters and digits that are no known code")
            }
            ItemKind::Percent(value) if !self.percent(sentence, index, *value) => {
                fail(Code::Discount, "a percentage no fact allows")
            }
            ItemKind::Word if item.is(Class::Percent) => fail(Code::Discount, "a percentage without its number"),
            ItemKind::Sign('%' | '‰') => fail(Code::Discount, "a percentage without its number"),
            ItemKind::Word if item.is(Class::Slang) => fail(Code::Slang, "an amount in slang"),
            ItemKind::Word if item.is(Class::Commit) && !sentence.negated(index, 4) => {
                fail(Code::Commitment, "a promise that binds the shop")
            }
            ItemKind::Word if item.is(Class::Zero) && !self.free(sentence, index) => {
                fail(Code::ZeroPrice, "free or half price without a fact")
            }
            ItemKind::Word if item.is(Class::Discount) && !self.discount(sentence, index) => {
                fail(Code::Discount, "a reduction without a fact")
            }
            ItemKind::Pattern if self.hides_amount(sentence, index) => {
                fail(Code::UnlicensedNumber, "a time or day that could be an amount")
            }
            ItemKind::Word if item.is(Class::Less) && sentence.of_the_amount() => {
                fail(Code::PriceTalk, "an amount told before is taken back")
            }
            ItemKind::Word if item.is(Class::NumberLike) && (sentence.priced() || sentence.of_the_amount()) => {
                fail(Code::PriceTalk, "a share of a price")
            }
            ItemKind::Word if item.bits == 0 && roman_from_twenty(self.reading.words(item.tokens.clone())) => {
                fail(Code::MixedToken, "a Roman numeral")
            }
            ItemKind::Word
                if sentence.roman_amount(index) && roman(self.reading.words(item.tokens.clone())).is_some() =>
            {
                fail(Code::MixedToken, "a Roman numeral as an amount")
            }
            _ => Ok(()),
        }
    }

    /// `24.10.` and `14:50` are a day and a time only where a word says so, or no product and no price is near.
    fn hides_amount(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let words = self.reading.words(sentence.items[index].tokens.clone());
        let short = words.contains([':', '.']) && words.bytes().filter(u8::is_ascii_digit).count() <= 4;
        let listed = words.strip_suffix(['.', ')']).is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let dated = [Class::Clock, Class::Time, Class::Shipping, Class::Promise, Class::Phone]
            .iter()
            .any(|&class| sentence.has(class));
        let spoken = sentence.items.iter().any(|item| item.kind == ItemKind::Word && !item.is(Class::Neutral));
        short && !listed && !dated && (sentence.priced() || !spoken || !sentence.names().is_empty())
    }

    fn known_code(&self, item: &Item) -> bool {
        let words = self.reading.words(item.tokens.clone());
        words.len() >= 4
            && self.ledger.rows.iter().any(|row| {
                norm::fold(&row.code).eq_ignore_ascii_case(words) || row.attributes.iter().any(|known| known == words)
            })
    }

    fn percent(&self, sentence: &Sentence<'_>, index: usize, value: Option<i64>) -> bool {
        let Some(value) = value.map(i128::from) else { return false };
        let written = |text: &str| text.parse::<i128>().is_ok_and(|percent| percent * ONE == value);
        let promo = self.rows().any(|row| row.percent.as_deref().is_some_and(written));
        let named = sentence.has(Class::Discount) || sentence.items.iter().any(|item| matches!(item.kind, ItemKind::Name(row) if self.row(row).is_some_and(|row| row.kind == RowKind::Promo)));
        let zh_off = sentence.items[index].tokens.len() > 1
            && self.reading.words(sentence.items[index].tokens.clone()).ends_with('折');
        let material =
            sentence.items[index + 1..].iter().take(2).any(|item| item.is(Class::Material)) && !sentence.priced();
        let figure = (value / ONE).to_string();
        let listed = self
            .ledger
            .texts
            .iter()
            .any(|text| text.contains(&format!("{figure}%")) || text.contains(&format!("{figure} %")));
        !zh_off && ((promo && named) || material || (listed && !sentence.priced()))
    }

    /// "Free" is true of delivery that costs nothing, or beside its threshold.
    fn free(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        if sentence.negated(index, 2) || sentence.denied_after(index) {
            return true;
        }
        let words = self.reading.words(sentence.items[index].tokens.clone());
        let about_delivery =
            sentence.has(Class::Shipping) || words.contains("shipping") || words.contains(['运', '邮']);
        let product = sentence.items.iter().any(|item| matches!(item.kind, ItemKind::Name(_)));
        let costs_nothing =
            self.rows().any(|row| row.kind == RowKind::Shipping && row.now.is_some_and(|money| money.minor == 0));
        let threshold = self.rows().any(|row| row.kind == RowKind::FreeFrom) && sentence.has_amount();
        about_delivery && !product && (costs_nothing || threshold)
    }

    /// A reduction is true of a product with an old price, or of a promotion named beside it.
    fn discount(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let percent = sentence.items.iter().any(|item| matches!(item.kind, ItemKind::Percent(_)));
        let facts = sentence.items.iter().any(|item| match item.kind {
            ItemKind::Name(row) => self.row(row).is_some_and(|row| row.kind == RowKind::Promo || row.old.is_some()),
            _ => false,
        });
        let denied = sentence.items.iter().any(|item| item.is(Class::Negation)) && !sentence.has_amount() && !percent;
        percent
            || facts
            || denied
            || (sentence.question && sentence.names().is_empty() && !sentence.has_amount())
            || sentence.negated(index, 2)
    }

    fn comparison(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let found = [sentence.first(Class::Compare), sentence.first(Class::Dearer)].into_iter().flatten().min();
        let Some(index) = found else {
            return Ok(());
        };
        let fail = |why: &str| Err(sentence.fault(Code::Comparison, index, why));
        let dearer = sentence.items[index].is(Class::Dearer);
        let rows: Vec<(usize, &Row)> = sentence
            .names()
            .into_iter()
            .filter_map(|at| match sentence.items[at].kind {
                ItemKind::Name(row) => self.row(row).map(|row| (at, row)),
                _ => None,
            })
            .collect();
        if sentence.has_amount() || sentence.has(Class::Negation) {
            return fail("a comparison beside an amount or a negation");
        }
        let price = |row: &Row| row.now.map(|money| (money.currency, money.minor));
        match rows.as_slice() {
            [] if sentence.question => Ok(()),
            [(_, first), (_, second)] => match (price(first), price(second)) {
                (Some((a, low)), Some((b, high))) if a == b && (if dearer { low > high } else { low < high }) => Ok(()),
                _ => fail("not true of the facts"),
            },
            [(_, only)] => {
                let rivals: Vec<_> = self.rows().filter(|row| row.kind == RowKind::Product).filter_map(price).collect();
                let best = if dearer { rivals.iter().max() } else { rivals.iter().min() };
                let one_currency = rivals.iter().all(|rival| Some(rival.0) == rivals.first().map(|first| first.0));
                let superlative = sentence.items[index].is(Class::Superlative);
                if superlative && rivals.len() > 1 && one_currency && best.copied() == price(only) {
                    Ok(())
                } else {
                    fail("not true of the facts")
                }
            }
            _ => fail("a comparison without its two products"),
        }
    }

    /// A product with a word of price and no amount: the amount may stand in another sentence.
    fn price_talk(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let Some(index) = sentence.first(Class::Price) else { return Ok(()) };
        let settled = sentence.has_amount()
            || sentence.has(Class::Defer)
            || sentence.has(Class::Compare)
            || sentence.has(Class::Dearer);
        let of_another = sentence.names().is_empty() && !(sentence.of_the_amount() && sentence.focus.is_some());
        if settled || of_another || sentence.question {
            return Ok(());
        }
        Err(sentence.fault(Code::PriceTalk, index, "a price is spoken of but not stated"))
    }

    /// The rows of the ledger.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.ledger.rows.iter()
    }

    /// One row of the ledger.
    pub fn row(&self, index: usize) -> Option<&'a Row> {
        self.ledger.rows.get(index)
    }

    /// True when the shopper's message holds this very amount.
    pub fn shopper_said(&self, written: &Amount) -> bool {
        let normal = norm::normalise(&self.ledger.shopper, &[]);
        let tokens = lex::tokens(self.lexicon, &normal, self.reading.language, &[]);
        let reading = Reading { text: &normal.text, tokens: &tokens, language: self.reading.language };
        written.value.is_some()
            && reading.items(0..tokens.len()).iter().any(|item| match &item.kind {
                ItemKind::Money(said) => said.value == written.value && said.currencies & written.currencies != 0,
                ItemKind::Number(said) => said.value == written.value,
                _ => false,
            })
    }

    /// True for a word that stands in a name or attribute of the ledger.
    pub fn ledger_word(&self, item: &Item) -> bool {
        let word = self.reading.words(item.tokens.clone());
        let length = word.chars().count();
        // Endings differ: `чайники` is the noun of `чайник «Волна»`.
        let keep = if length >= 6 { length - 2 } else { length };
        let word = word.char_indices().nth(keep).map_or(word, |(end, _)| &word[..end]);
        (length > 2 || word.starts_with(super::lexicon::is_han))
            && self.rows().any(|row| {
                row.folded.iter().any(|name| name.contains(word))
                    || row.attributes.iter().any(|known| known.contains(word))
            })
    }
}
