//! Numbers that are no prices: phones; numbers of facts and of policies; and what the rows of
//! `data/guard/allow.toml` let stand. Any other is refused.

use std::ops::Range;

use super::alias::Part;
use super::ledger::{Ledger, RowKind};
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
    let written = reading.words(number.tokens.clone());
    let after = around.items.get(around.index + 1);
    let names = || {
        around.items.iter().filter_map(|item| match item.kind {
            ItemKind::Name(row) => Some(row),
            _ => None,
        })
    };
    let attribute = names().filter_map(|row| ledger.rows.get(row)).any(|row| {
        row.attributes.iter().any(|known| holds(known, written))
            || row.quantity.is_some_and(|quantity| i128::from(quantity) * ONE == value)
    });
    let months = ledger.rows.iter().any(|row| {
        row.kind == RowKind::Instalment && row.months.is_some_and(|months| i128::from(months) * ONE == value)
    });
    if attribute || (months && around.priced) || (around.priced && per_unit(ledger, value, after)) {
        return true;
    }
    let counted = after.is_some_and(|item| item.is(Class::Counted) || noun(reading, ledger, item));
    if around.priced {
        // "1 kettle is 24.90": the price is that of one.
        let named = after.is_some_and(|item| matches!(item.kind, ItemKind::Name(_)));
        return value == ONE && (counted || named);
    }
    if quoted(reading, ledger, number, around) {
        return true;
    }
    let contradicted = after.is_some_and(|item| {
        let nameless = names().next().is_none();
        let told = |index: usize| nameless || names().any(|name| name == index);
        let rows = ledger.rows.iter().enumerate().filter(|(index, _)| told(*index));
        let mut attributes = rows.flat_map(|(_, row)| &row.attributes);
        let measure = reading.words(item.tokens.clone());
        let mut others = ledger.rows.iter().flat_map(|row| &row.attributes);
        (item.is(Class::Unit) || item.is(Class::Time))
            && !attributes.clone().any(|known| holds(known, written))
            && (attributes.any(|known| measures(around.lexicon, known, measure))
                // "The Heron holds 1.7 l", which the facts say of the Marlin.
                || others.any(|known| holds(known, written) && measures(around.lexicon, known, measure)))
    });
    if around.timed || contradicted {
        return false;
    }
    let has = |class: Class| around.items.iter().any(|item| item.is(class));
    if ledger.complete && has(Class::Stock) && counted {
        return names()
            .filter_map(|row| ledger.rows.get(row))
            .any(|row| row.stock.iter().any(|&count| i128::from(count) * ONE == value));
    }
    let promised = ledger.complete && (has(Class::Shipping) || has(Class::Promise));
    let terms = promised || has(Class::Terms);
    let few = after.is_some_and(|item| noun(reading, ledger, item)) && value <= MOST_NAMED * ONE;
    if few && !terms && value % ONE == 0 {
        return true;
    }
    around.lexicon.licences.iter().any(|licence| licence.allows(reading, (number, around), terms))
}

/// So many things of the facts' own nouns may be counted: "3 kettles".
const MOST_NAMED: i128 = 20;

/// True for a word of a product's name, but for its ending.
fn noun(reading: &Reading<'_>, ledger: &Ledger, item: &Item) -> bool {
    let word = reading.words(item.tokens.clone());
    item.kind == ItemKind::Word
        && item.bits == 0
        && word.chars().count() > 3
        && !word.starts_with(is_han)
        && ledger.rows.iter().any(|row| row.kind == RowKind::Product && row.names_word(word))
}

fn per_unit(ledger: &Ledger, value: i128, after: Option<&Item>) -> bool {
    let measured = after.is_some_and(|item| item.is(Class::Unit));
    measured && value == ONE && ledger.rows.iter().any(|row| row.per.as_deref().is_some_and(|per| per.starts_with('1')))
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
    let same = |part: &str| Part::new(part).is(word) || lexicon.same_unit(part, word) || lexicon.same_unit(word, part);
    let mut words = known.split(|c: char| !c.is_alphabetic()).filter(|part| !part.is_empty());
    known.contains(|c: char| c.is_ascii_digit()) && words.any(same)
}

/// True when a policy or a heading has the same number before the same word, and does not speak elsewhere of what the
/// number is told of: "30 days to exchange" is not how long delivery takes.
fn quoted(reading: &Reading<'_>, ledger: &Ledger, number: &Numeral, around: &Around<'_>) -> bool {
    let after = around.items.get(around.index + 1);
    let end = after.map_or(number.tokens.end, |item| item.tokens.end);
    let phrase = reading.words(number.tokens.start..end);
    let written = reading.words(number.tokens.clone());
    let measure = after.filter(|item| item.is(Class::Time)).map(|item| reading.words(item.tokens.clone()));
    let told = |part: &str| {
        holds(part, phrase) || measure.is_some_and(|measure| lasts(around.lexicon, part, (written, measure)))
    };
    if !ledger.texts.iter().any(|text| told(text)) {
        return false;
    }
    let Some(topic) = topic(reading, around) else { return true };
    let parts = ledger.texts.iter().flat_map(|text| text.split_inclusive(['.', '。', '!', '\n']));
    let spoken: Vec<&str> = parts.filter(|part| mentions(part, topic)).collect();
    spoken.is_empty() || spoken.into_iter().any(told)
}

/// The word of delivery, where that is the nearest word of delivery or of the shop's rules: before the number, else
/// behind it. Rules have too many names for one thing, as "return" and "refund", to be told apart by their words.
fn topic<'a>(reading: &'a Reading<'_>, around: &Around<'_>) -> Option<&'a str> {
    let rule = |item: &&Item| [Class::Terms, Class::Shipping, Class::Promise].iter().any(|&class| item.is(class));
    let before = around.items[..around.index].iter().rev().find(rule);
    let found = before.or_else(|| around.items[around.index + 1..].iter().find(rule))?;
    (!found.is(Class::Terms)).then(|| reading.words(found.tokens.clone()))
}

/// True when `part` has this word, perhaps with another ending.
fn mentions(part: &str, word: &str) -> bool {
    let known = Part::new(word);
    let mut words = part.split(|sign: char| !sign.is_alphabetic());
    if word.starts_with(is_han) { part.contains(word) } else { words.any(|other| known.is(other)) }
}

/// True when `text` gives this number of this measure of time in another case: `4 рабочих дня` of `4 рабочих дней`.
fn lasts(lexicon: &Lexicon, text: &str, (written, measure): (&str, &str)) -> bool {
    let same = |known: &str, word: &str| known == word || lexicon.same_unit(word, known);
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
