//! Numbers that are no prices: phones; numbers of facts and of policies; and what the rows of
//! `data/guard/allow.toml` let stand. Any other is refused.

use std::ops::Range;

use super::alias::Part;
use super::ledger::{Ledger, Row, RowKind};
use super::lex::Kind;
use super::lexicon::{Class, Lexicon, is_han};
use super::money::{Item, ItemKind, Reading};
use super::numeral::{Numeral, ONE};
use super::shape::{self, Form};

/// The end of a phone or of a shape of `allow.toml` that begins at token `at`, and which it is.
pub(super) fn pattern(reading: &Reading<'_>, at: usize, sentence: &Range<usize>) -> Option<(usize, Form)> {
    let token = &reading.tokens[at];
    if !matches!(token.kind, Kind::Figures | Kind::Sign('+')) {
        return None;
    }
    let called = phone(reading, at, sentence).map(|end| (end, Form::Phone));
    let (end, form) = called.or_else(|| shape::find(reading, at, sentence.start))?;
    // A currency before it has taken the figures already; `к 21.11.2026` is no thousand.
    let touches = reading.tokens.get(end).is_some_and(|token| {
        [Class::Currency, Class::Minor, Class::Percent, Class::Short].iter().any(|&class| token.is(class))
    });
    (end <= sentence.end && !touches).then_some((end, form))
}

/// Fifteen figures, each a group of its own with a sign before it, are no longer than this.
const LONGEST_PHONE: usize = 32;

/// Nine to fifteen figures in groups, with a plus or a zero in front, or a word for calling.
fn phone(reading: &Reading<'_>, at: usize, sentence: &Range<usize>) -> Option<usize> {
    let called = (sentence.start..at).rev().take(4).any(|index| reading.tokens[index].is(Class::Phone));
    let first = &reading.text[reading.tokens[at].range()];
    if !(first.starts_with(['+', '0']) || called) {
        return None;
    }
    let (mut end, mut figures, mut index) = (at, 0, at);
    let longest = sentence.end.min(at + LONGEST_PHONE);
    while let Some(token) = reading.tokens.get(index).filter(|_| index < longest && figures <= 15) {
        match token.kind {
            Kind::Figures => {
                let written = &reading.text[token.range()];
                if written.contains(['.', ',']) {
                    break;
                }
                figures += written.bytes().filter(u8::is_ascii_digit).count();
                end = index + 1;
            }
            Kind::Sign('-' | '/' | '(' | ')' | '+') => {}
            _ => break,
        }
        index += 1;
    }
    (9..=15).contains(&figures).then_some(end)
}

/// The sentence a number stands in.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Its items.
    pub items: &'a [Item],
    /// Which of them the number is.
    pub index: usize,
    /// True when the sentence speaks of prices or holds an amount.
    pub priced: bool,
    /// True for a length of time, or a part of a date, where the facts' texts tell others.
    pub timed: bool,
    /// The words and the licences.
    pub lexicon: &'a Lexicon,
}

/// True when something in the ledger or beside the number lets it stand.
pub(super) fn licensed(reading: &Reading<'_>, ledger: &Ledger, number: &Numeral, around: &Around<'_>) -> bool {
    let Some(value) = number.value else { return false };
    let asked = Asked { reading, ledger, number, value, written: reading.words(number.tokens.clone()), around };
    if around.priced {
        return asked.attribute() || asked.months() || asked.per_unit() || asked.one();
    }
    if asked.attribute() || asked.quoted() {
        return true;
    }
    if around.timed || asked.contradicted() {
        return false;
    }
    if asked.of_stock() {
        return asked.in_stock();
    }
    let terms = asked.terms();
    (!terms && asked.few()) || around.lexicon.licences.iter().any(|row| row.allows(reading, (number, around), terms))
}

/// A number that asks to stand.
struct Asked<'a> {
    reading: &'a Reading<'a>,
    ledger: &'a Ledger,
    number: &'a Numeral,
    /// What it is worth.
    value: i128,
    /// How it is written.
    written: &'a str,
    around: &'a Around<'a>,
}

/// So many things of the facts' own nouns may be counted: "3 kettles".
const MOST_NAMED: i128 = 20;

impl<'a> Asked<'a> {
    /// The item right behind it.
    fn after(&self) -> Option<&'a Item> {
        self.around.items.get(self.around.index + 1)
    }

    /// The rows its sentence names.
    fn names(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.around.items.iter().filter_map(|item| match item.kind {
            ItemKind::Name(row) => Some(row),
            _ => None,
        })
    }

    fn named(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        let rows = &self.ledger.rows;
        self.names().filter_map(|row| rows.get(row))
    }

    fn is(&self, number: u32) -> bool {
        i128::from(number) * ONE == self.value
    }

    fn has(&self, class: Class) -> bool {
        self.around.items.iter().any(|item| item.is(class))
    }

    /// An attribute or the quantity of a product that its sentence names.
    fn attribute(&self) -> bool {
        self.named().any(|row| {
            row.attributes.iter().any(|known| holds(known, self.written))
                || row.quantity.is_some_and(|quantity| self.is(quantity))
        })
    }

    /// The months of a plan.
    fn months(&self) -> bool {
        let plans = self.ledger.rows.iter().filter(|row| row.kind == RowKind::Instalment);
        plans.filter_map(|row| row.months).any(|months| self.is(months))
    }

    /// The one of "for 1 kg", where that is what a price is for.
    fn per_unit(&self) -> bool {
        let per = |row: &Row| row.per.as_deref().is_some_and(|per| per.starts_with('1'));
        self.value == ONE && self.after().is_some_and(|item| item.is(Class::Unit)) && self.ledger.rows.iter().any(per)
    }

    /// "1 kettle is 24.90": the price is that of one.
    fn one(&self) -> bool {
        let named = self.after().is_some_and(|item| matches!(item.kind, ItemKind::Name(_)));
        self.value == ONE && (named || self.counts())
    }

    /// True where things are counted.
    fn counts(&self) -> bool {
        self.after().is_some_and(|item| item.is(Class::Counted) || self.noun(item))
    }

    /// True for a word of a product's name, but for its ending.
    fn noun(&self, item: &Item) -> bool {
        let word = self.reading.words(item.tokens.clone());
        item.kind == ItemKind::Word
            && item.bits == 0
            && word.chars().count() > 3
            && !word.starts_with(is_han)
            && self.ledger.rows.iter().any(|row| row.kind == RowKind::Product && row.names_word(word))
    }

    /// True when the facts measure the thing that is spoken of otherwise, or measure another one so.
    fn contradicted(&self) -> bool {
        let Some(item) = self.after().filter(|item| item.is(Class::Unit) || item.is(Class::Time)) else { return false };
        let nameless = self.names().next().is_none();
        let told = |index: usize| nameless || self.names().any(|name| name == index);
        let rows = self.ledger.rows.iter().enumerate().filter(|(index, _)| told(*index));
        let mut attributes = rows.flat_map(|(_, row)| &row.attributes);
        let mut others = self.ledger.rows.iter().flat_map(|row| &row.attributes);
        let measure = self.reading.words(item.tokens.clone());
        let held = |known: &String| holds(known, self.written);
        let measured = |known: &String| measures(self.around.lexicon, known, measure);
        // "The Heron holds 1.7 l", which the facts say of the Marlin.
        !attributes.clone().any(held)
            && (attributes.any(measured) || others.any(|known| held(known) && measured(known)))
    }

    /// True for a count of what the shop has, where the facts would tell it.
    fn of_stock(&self) -> bool {
        self.ledger.complete && self.has(Class::Stock) && self.counts()
    }

    fn in_stock(&self) -> bool {
        self.named().any(|row| row.stock.iter().any(|&count| self.is(count)))
    }

    /// True where the shop's rules are spoken of, or a delivery the facts would tell.
    fn terms(&self) -> bool {
        let promised = self.has(Class::Shipping) || self.has(Class::Promise);
        (self.ledger.complete && promised) || self.has(Class::Terms)
    }

    /// A few of what the facts name.
    fn few(&self) -> bool {
        let noun = self.after().is_some_and(|item| self.noun(item));
        noun && self.value <= MOST_NAMED * ONE && self.value % ONE == 0
    }

    /// True when a policy or a heading has the same number before the same word, and does not speak elsewhere of what
    /// the number is told of: "30 days to exchange" is not how long delivery takes.
    fn quoted(&self) -> bool {
        let after = self.after();
        let phrase =
            self.reading.words(self.number.tokens.start..after.map_or(self.number.tokens.end, |item| item.tokens.end));
        let measure = after.filter(|item| item.is(Class::Time)).map(|item| self.reading.words(item.tokens.clone()));
        let lasting = |part: &str, measure: &str| lasts(self.around.lexicon, part, (self.written, measure));
        let told = |part: &str| holds(part, phrase) || measure.is_some_and(|measure| lasting(part, measure));
        let texts = &self.ledger.texts;
        if !texts.iter().any(|text| told(text)) {
            return false;
        }
        let Some(topic) = self.topic() else { return true };
        let parts = texts.iter().flat_map(|text| text.split_inclusive(['.', '。', '!', '\n']));
        let mut spoken = parts.filter(|part| mentions(part, topic)).peekable();
        spoken.peek().is_none() || spoken.any(told)
    }

    /// The word of delivery, where that is the nearest word of delivery or of the shop's rules: before the number, else
    /// behind it. Rules have too many names for one thing, as "return" and "refund", to be told apart by their words.
    fn topic(&self) -> Option<&'a str> {
        let rule = |item: &&Item| [Class::Terms, Class::Shipping, Class::Promise].iter().any(|&class| item.is(class));
        let (before, behind) = self.around.items.split_at(self.around.index);
        let found = before.iter().rev().find(rule).or_else(|| behind[1..].iter().find(rule))?;
        (!found.is(Class::Terms)).then(|| self.reading.words(found.tokens.clone()))
    }
}

/// True when `known` holds `written` as a whole number: `1.7 l` holds no 7.
pub(super) fn holds(known: &str, written: &str) -> bool {
    let digit = |sign: char| sign.is_ascii_digit();
    let point = |sign: char| matches!(sign, '.' | ',');
    let stands = |known: &str, written: &str| {
        known.match_indices(written).any(|(at, _)| {
            let (before, behind) = (&known[..at], &known[at + written.len()..]);
            let begun = before.ends_with(digit) || before.strip_suffix(point).is_some_and(|rest| rest.ends_with(digit));
            let goes_on =
                behind.starts_with(digit) || behind.strip_prefix(point).is_some_and(|rest| rest.starts_with(digit));
            !begun && !(goes_on && written.ends_with(digit))
        })
    };
    // `1,7 l` where the fact has `1.7 l`: one writes the point, the other the comma.
    let other = |from: char, to: &str| written.contains(from) && stands(known, &written.replace(from, to));
    stands(known, written) || other(',', ".") || other('.', ",")
}

/// True when `known` gives a number in the unit `word`: a fact weighs the thing, another weight is not its own.
fn measures(lexicon: &Lexicon, known: &str, word: &str) -> bool {
    let same = |part: &str| Part::new(part).is(word) || lexicon.units.same(part, word);
    let mut words = known.split(|c: char| !c.is_alphabetic()).filter(|part| !part.is_empty());
    known.contains(|c: char| c.is_ascii_digit()) && words.any(same)
}

/// True when `part` has this word, perhaps with another ending.
fn mentions(part: &str, word: &str) -> bool {
    let known = Part::new(word);
    let mut words = part.split(|sign: char| !sign.is_alphabetic());
    if word.starts_with(is_han) { part.contains(word) } else { words.any(|other| known.is(other)) }
}

/// True when `text` gives this number of this measure of time in another case: `4 рабочих дня` of `4 рабочих дней`.
fn lasts(lexicon: &Lexicon, text: &str, (written, measure): (&str, &str)) -> bool {
    let same = |known: &str, word: &str| lexicon.units.same(word, known);
    let digit = |sign: char| sign.is_ascii_digit();
    text.match_indices(written).any(|(at, _)| {
        let rest = text[at + written.len()..].strip_prefix(' ').unwrap_or_default();
        let mut known = rest.split(|sign: char| !sign.is_alphabetic());
        !text[..at].ends_with(digit)
            && measure.split(' ').all(|word| known.next().is_some_and(|known| same(known, word)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::tests::GUARD;
    use crate::domain::Language;

    #[test]
    fn facts_let_their_own_numbers_stand() {
        let guard = &GUARD;
        let check = |facts: &str, text: &str, expected: bool| {
            let found = guard.check_text(Language::En, &Ledger::from_case(facts).unwrap(), text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        const LAMPS: &str = r#"[{"sku":"LA","name":"Harbor lamp","price":"49","currency":"EUR","qty":2,"attrs":["41","E27 socket"]},
            {"sku":"LB","name":"Quay lamp","price":"60","currency":"EUR"}]"#;
        const PLAN: &str = r#"[{"sku":"SC","name":"Nimbus scooter","price":"720","currency":"EUR"},
            {"sku":"@instalment:SC","name":"plan","price":"60","currency":"EUR","months":12}]"#;
        const COFFEE: &str = r#"[{"sku":"CO","name":"Ridge coffee","price":"24","currency":"EUR","per":"1 kg"}]"#;
        check(LAMPS, "Harbor lamp 41 is here.", true);
        check(LAMPS, "Harbor lamp 42 is here.", false);
        check(LAMPS, "Quay lamp 41 is here.", false);
        check(LAMPS, "Harbor lamp, 2, is here.", true);
        check(LAMPS, "Harbor lamp, 3, is here.", false);
        check(LAMPS, "There are 3 lamps.", true);
        check(LAMPS, "There are 20 lamps.", true);
        check(LAMPS, "There are 21 lamps.", false);
        check(LAMPS, "There are 2.5 lamps.", false);
        check(LAMPS, "Return 3 lamps for a refund.", false);
        check(LAMPS, "There are 3 socks of felt.", false);
        check(LAMPS, "Quay lamp is 60 euros for 1 lamp.", true);
        check(LAMPS, "Quay lamp is 60 euros for 1 year.", false);
        check(PLAN, "Nimbus scooter costs 60 euros a month for 12 months.", true);
        check(PLAN, "Nimbus scooter costs 60 euros a month for 13 months.", false);
        check(PLAN, "Nimbus scooter: take 12.", false);
        check(COFFEE, "Ridge coffee is 24 euros for 1 kg.", true);
        check(COFFEE, "Ridge coffee is 24 euros for 2 kg.", false);
    }

    #[test]
    fn phones_are_known_by_their_beginning_or_a_word() {
        let guard = &GUARD;
        let check = |facts: &str, text: &str, expected: bool| {
            let found = guard.check_text(Language::En, &Ledger::from_case(facts).unwrap(), text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        const OWN: &str = r#"[{"sku":"@phone","name":"hotline","text":"+421 2 5555 0199"}]"#;
        check("[]", "Our number is +421 2 5555 0199.", true);
        check("[]", "Our number is 02/5555 0199.", true);
        check("[]", "Please call 800 123 456.", true);
        check("[]", "Please take 800 123 456.", false);
        check("[]", "Please call 800 123.", false);
        check("[]", "Please call 800 123 456 789 012 345.", false);
        check("[]", "Please call 800 123 45\n6 is all.", false);
        check("[]", "Please call 800 123 456 euros.", false);
        check("[]", "Please call 800.123.456.", false);
        check(OWN, "Our number is 02 5555 0199.", true);
        check(OWN, "Our number is 02 5555 0198.", false);
    }
}
