//! The checker of free text: one sentence at a time, every number, amount and claim must hold a licence.

use std::cell::OnceCell;
use std::ops::Range;

use crate::domain::Language;

use super::bind;
use super::ledger::{Ledger, Row, RowKind};
use super::lex::{self, Kind, Token};
use super::lexicon::{Class, Lexicon};
use super::licence::{self, Around};
use super::money::{Amount, Item, ItemKind, Reading};
use super::norm::{self, Normal};
use super::numeral::Numeral;
use super::sentence::Sentence;
use super::told::{self, Said};
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
    pub reading: Reading<'a>,
    days: OnceCell<Vec<(u8, u8)>>,
    hours: OnceCell<Vec<(u8, u8)>>,
    times: OnceCell<bool>,
    said: OnceCell<Said>,
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
    let reading = Reading::new(lexicon, (&normal.text, &tokens), language);
    let (days, hours, times, said) = (OnceCell::new(), OnceCell::new(), OnceCell::new(), OnceCell::new());
    let checker = Checker { lexicon, ledger, reading, days, hours, times, said };
    checker.run(text, &normal).map_err(|fault| place(fault, &normal, &tokens))
}

fn place(fault: Fault, normal: &Normal, tokens: &[Token]) -> Violation {
    let start = tokens.get(fault.tokens.start).map_or(0, |token| token.range().start);
    let end = tokens.get(fault.tokens.end.saturating_sub(1)).map_or(start, |token| token.range().end);
    let at = normal.original(start..end.max(start));
    Violation { code: fault.code, segment: 0, at, detail: fault.why }
}

/// The sentences of a text, as ranges of tokens; `original` says where one may begin.
pub(super) fn sentences(tokens: &[Token], original: impl Fn(usize) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let begin = start;
        let ends = |&index: &usize| ends(tokens, (begin, index), &original);
        start = (begin..tokens.len()).find(ends).map_or(tokens.len(), |index| index + 1);
        (begin < start).then_some(begin..start)
    })
}

/// True when token `index` ends the sentence that begins at token `start`.
fn ends(tokens: &[Token], (start, index): (usize, usize), original: impl Fn(usize) -> bool) -> bool {
    match tokens[index].kind {
        Kind::Newline | Kind::Sign('!' | '?' | '。' | '…') => true,
        // A point ends a sentence before a capital or a figure that does not follow an abbreviated unit.
        Kind::Sign('.') => tokens.get(index + 1).is_none_or(|next| {
            let unit = index > 0 && tokens[index - 1].term.bits & ABBREVIATED != 0 && next.kind == Kind::Figures;
            let listed = index > 0 && tokens[index - 1].kind == Kind::Figures && index - 1 == start;
            next.spaced && original(next.range().start) && !unit && !listed
        }),
        _ => false,
    }
}

/// The items of a sentence that can be judged; no honest one comes near.
pub(super) const LONGEST: usize = 400;

const ABBREVIATED: u64 = Class::Currency.bit() | Class::Minor.bit() | Class::Identifier.bit() | Class::Phone.bit();

impl<'a> Checker<'a> {
    fn run(&self, original: &str, normal: &Normal) -> Result<(), Fault> {
        let opens = |at: usize| {
            original.get(normal.origin(at)..).and_then(|rest| rest.chars().next()).is_none_or(|c| !c.is_lowercase())
        };
        let (mut focus, mut told) = (None, false);
        for range in sentences(self.reading.tokens, opens) {
            let sentence = Sentence::new(&self.reading, range.clone(), (focus, told));
            if let Err(fault) = self.sentence(&sentence)
                && !self.verbatim(range)
            {
                return Err(fault);
            }
            told |= sentence.has_amount();
            focus = sentence.only_product(self);
        }
        Ok(())
    }

    /// A sentence that stands word for word in a policy.
    fn verbatim(&self, range: Range<usize>) -> bool {
        let words = self.reading.words(range.clone()).trim_end_matches(['.', '。', '!', '\n']);
        range.len() > 3 && words.len() > 12 && self.ledger.texts.iter().any(|text| text.contains(words))
    }

    fn sentence(&self, sentence: &Sentence<'_>) -> Result<(), Fault> {
        let claims = sentence.claims();
        // Rules look at words near and far: that each sentence is bounded makes the whole text cost what its length says.
        if sentence.items.len() > LONGEST && claims {
            return Err(sentence.fault(Code::UnlicensedNumber, LONGEST, "a sentence too long to be judged"));
        }
        if claims {
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
        self.equality(sentence)?;
        if sentence.has_amount() {
            bind::amounts(self, sentence)?;
        }
        let numbered = if sentence.has_value() { sentence.items.as_slice() } else { &[] };
        for (index, item) in numbered.iter().enumerate() {
            if let ItemKind::Number(number) = &item.kind {
                self.number(sentence, index, number)?;
            }
        }
        if let Some(index) = numbered.iter().position(|item| matches!(item.kind, ItemKind::Currency)) {
            return Err(sentence.fault(Code::PriceTalk, index, "a currency without a readable amount"));
        }
        self.comparison(sentence)?;
        self.budget(sentence)?;
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

    /// The rows of the ledger.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.ledger.rows.iter()
    }

    /// One row of the ledger.
    pub fn row(&self, index: usize) -> Option<&'a Row> {
        self.ledger.rows.get(index)
    }

    /// The days the facts' texts speak of; read at the first question.
    pub fn days(&self) -> &[(u8, u8)] {
        self.days.get_or_init(|| told::days(self.lexicon, self.ledger, self.reading.language))
    }

    /// The times of day the facts' texts speak of; read at the first question.
    pub fn hours(&self) -> &[(u8, u8)] {
        self.hours.get_or_init(|| told::hours(self.lexicon, self.ledger, self.reading.language))
    }

    /// True when the facts' texts give a day or a length of time; read at the first question.
    pub fn times(&self) -> bool {
        *self.times.get_or_init(|| told::times(self.lexicon, self.ledger, self.reading.language))
    }

    /// What the shopper's message names; read at the first question.
    pub fn said(&self) -> &Said {
        self.said.get_or_init(|| Said::read(self.lexicon, &self.ledger.shopper, self.reading.language))
    }

    /// True when the shopper's message holds this very amount.
    pub fn shopper_said(&self, written: &Amount) -> bool {
        written.value.is_some() && self.said().names(written)
    }

    /// The shopper's own number, told as theirs beside a price: "155, so it is above the 120 you mentioned".
    pub fn theirs(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        if !sentence.said_by_shopper(index) || !sentence.set_against(index) || !sentence.priced_beside() {
            return false;
        }
        match &sentence.items[index].kind {
            ItemKind::Money(amount) => self.shopper_said(amount),
            ItemKind::Number(number) => self.shopper_said(&Amount { value: number.value, currencies: u64::MAX }),
            _ => false,
        }
    }

    /// A number that counts what the sentence lists or compares, or that is the shopper's own.
    pub fn told_apart(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        let products = || self.rows().filter(|row| row.kind == RowKind::Product).count();
        let counts = sentence.tally(index) || (sentence.has(Class::Superlative) && sentence.of_all(index, products()));
        counts || self.theirs(sentence, index)
    }

    /// True for a length of time, or a part of a day's date, where the facts tell others.
    fn another_time(&self, sentence: &Sentence<'_>, index: usize) -> bool {
        sentence.items.get(index + 1).is_some_and(|item| item.is(Class::Time)) && self.times()
    }

    /// A number must be a fact's, or a licence must let it stand.
    fn number(&self, sentence: &Sentence<'_>, index: usize, number: &Numeral) -> Result<(), Fault> {
        if self.told_apart(sentence, index) {
            return Ok(());
        }
        let (priced, lexicon) = (sentence.priced(), self.lexicon);
        let timed = self.another_time(sentence, index);
        let around = Around { items: &sentence.items, index, priced, timed, lexicon };
        if licence::licensed(&self.reading, self.ledger, number, &around) {
            return Ok(());
        }
        let code = match (number.value, number.words) {
            (None, _) => Code::MalformedNumber,
            (_, true) => Code::NumberWord,
            _ => Code::UnlicensedNumber,
        };
        Err(sentence.fault(code, index, "no fact and no licence allows this number"))
    }

    /// True for a word of this row's own names.
    pub fn names(&self, row: usize, item: &Item) -> bool {
        self.row(row).is_some_and(|row| row.names_word(self.reading.words(item.tokens.clone())))
    }

    /// True for a word that stands in a name or attribute of the ledger.
    pub fn ledger_word(&self, item: &Item) -> bool {
        let word = self.reading.words(item.tokens.clone());
        let long = word.chars().nth(2).is_some();
        self.rows().any(|row| row.names_word(word) || (long && row.attributes.iter().any(|known| known.contains(word))))
    }
}
