//! The licences of `data/guard/allow.toml`: each row says beside which words a number may stand without a fact.
//! In: rows and a number with its sentence. Out: yes or no. It knows no ledger; what facts allow is not its business.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Language;

use super::lex::Kind;
use super::lexicon::{Class, LexiconError, spaced_letter};
use super::licence::Around;
use super::money::{Item, ItemKind, Reading};
use super::numeral::{Numeral, ONE};
use super::shape::{self, Shape};

const FILE: &str = "allow.toml";
const TEXT: &str = include_str!("../../data/guard/allow.toml");

/// One licence.
#[derive(Clone, Debug)]
pub(super) struct Licence {
    after: u64,
    before: u64,
    beside: u64,
    mark: u64,
    with: u64,
    row: Row,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    beside: Vec<String>,
    #[serde(default)]
    mark: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    signs: String,
    most: Option<u32>,
    least: Option<u32>,
    #[serde(default)]
    reach: bool,
    #[serde(default)]
    noun: bool,
    #[serde(default)]
    loose: bool,
    #[serde(default)]
    list: bool,
    #[serde(default)]
    figures: bool,
    #[serde(default)]
    nameless: bool,
    #[serde(default)]
    terms: bool,
    accept: BTreeMap<Language, String>,
    refuse: BTreeMap<Language, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    licence: Vec<Row>,
    shape: Vec<shape::Row>,
}

/// Reads the rows.
///
/// # Errors
/// Not the shape of the file, an unknown class, or a row that asks for nothing or lacks its examples.
pub(super) fn load() -> Result<(Vec<Licence>, Vec<Shape>), LexiconError> {
    let rows: Rows = toml::from_str(TEXT).map_err(|source| LexiconError::Toml { file: FILE, source })?;
    let shape = |row: shape::Row| {
        exampled(&row.name, [&row.accept, &row.refuse])?;
        Shape::compile(row).map_err(|name| unknown("form", &name, "write it as the head of the file says"))
    };
    let shapes = rows.shape.into_iter().map(shape).collect::<Result<_, _>>()?;
    Ok((rows.licence.into_iter().map(compile).collect::<Result<_, _>>()?, shapes))
}

/// A row nobody tries out is refused: it says in which languages it holds, Chinese alone may be missing.
fn exampled(name: &str, [accept, refuse]: [&BTreeMap<Language, String>; 2]) -> Result<(), LexiconError> {
    let needed = Language::ALL.into_iter().filter(|language| *language != Language::Zh);
    let all = needed.chain(accept.keys().copied()).all(|language| refuse.contains_key(&language));
    if !all || accept.len() != refuse.len() {
        return Err(unknown("licence", name, "give an accepted and a refused example in each language"));
    }
    Ok(())
}

fn compile(row: Row) -> Result<Licence, LexiconError> {
    let bits = |names: &[String]| {
        names.iter().try_fold(0, |bits, name| match Class::named(name) {
            Some(class) => Ok(bits | class.bit()),
            None => Err(unknown("class", name, "use a table of licences.toml or claims.toml")),
        })
    };
    let (after, before, beside) = (bits(&row.after)?, bits(&row.before)?, bits(&row.beside)?);
    let (mark, with) = (bits(&row.mark)?, bits(&row.with)?);
    if after | before | beside | mark == 0 && row.signs.is_empty() {
        return Err(unknown(
            "licence",
            &row.name,
            "name the words it stands beside: after, before, beside, mark or signs",
        ));
    }
    exampled(&row.name, [&row.accept, &row.refuse])?;
    Ok(Licence { after, before, beside, mark, with, row })
}

fn unknown(what: &'static str, name: &str, fix: &'static str) -> LexiconError {
    let line = TEXT.lines().position(|line| line.contains(name)).map_or(0, |index| index + 1);
    LexiconError::Unknown { file: FILE, line, what, name: name.to_string(), fix }
}

impl Licence {
    /// True when it lets `number` stand; `terms` says that the sentence speaks of the shop's rules.
    pub fn allows(&self, reading: &Reading<'_>, (number, around): (&Numeral, &Around<'_>), terms: bool) -> bool {
        let limit = |bound: u32| Some(i128::from(bound) * ONE);
        let over = self.row.most.is_some_and(|most| number.value > limit(most));
        let under = self.row.least.is_some_and(|least| number.value < limit(least));
        if (terms && !self.row.terms) || over || under {
            return false;
        }
        if self.row.figures && !plain(reading, number) {
            return false;
        }
        if self.row.nameless && around.items.iter().any(|item| matches!(item.kind, ItemKind::Name(_))) {
            return false;
        }
        let after = around.items.get(around.index + 1);
        let plain_word = |item: &Item| item.kind == ItemKind::Word && item.bits == 0 && spaced(reading, item);
        if self.row.noun && !after.is_some_and(plain_word) {
            return false;
        }
        let alone = || self.stands(reading, number, around);
        (alone() || (self.row.list && self.listed(reading, around))) && self.accompanied(around)
    }

    /// True when one of its words or signs stands where it must.
    fn stands(&self, reading: &Reading<'_>, number: &Numeral, around: &Around<'_>) -> bool {
        let before = around.index.checked_sub(1).and_then(|index| around.items.get(index));
        let after = around.items.get(around.index + 1);
        // "3 brightness levels": a word that means nothing else may stand between.
        let further = after
            .filter(|item| self.row.reach && item.kind == ItemKind::Word && item.bits == 0 && spaced(reading, item))
            .and_then(|_| around.items.get(around.index + 2));
        let earlier = before
            .filter(|item| self.row.loose && item.is(Class::Neutral))
            .and_then(|_| around.items.get(around.index.checked_sub(2)?));
        let has = |item: Option<&Item>, bits: u64| item.is_some_and(|item| item.plain_bits() & bits != 0);
        let sign = |item: Option<&Item>| match item.map(|item| &item.kind) {
            Some(ItemKind::Sign(sign)) => self.row.signs.contains(*sign),
            _ => false,
        };
        has(after, self.after)
            || has(further, self.after)
            || has(before, self.before)
            || has(earlier, self.before)
            || has(before, self.beside)
            || has(after, self.beside)
            || sign(before)
            || sign(after)
            || (self.mark != 0 && marked(reading, number, (self.mark, self.row.loose)))
    }

    /// True when the number goes on a list, or begins one, in which another stands by itself: "sizes 41, 42 and 43".
    fn listed(&self, reading: &Reading<'_>, around: &Around<'_>) -> bool {
        let number = |index: usize| match around.items.get(index).map(|item| &item.kind) {
            Some(ItemKind::Number(number)) => Some(number),
            _ => None,
        };
        let joined = |item: &Item| match item.kind {
            ItemKind::Sign(sign) => matches!(sign, ',' | '、' | '/'),
            _ => item.kind == ItemKind::Word && item.is(Class::Neutral),
        };
        let follows = |low: usize| match (number(low), around.items.get(low + 1), number(low + 2)) {
            (Some(low), Some(between), Some(high)) => {
                let step = high.value.zip(low.value).map_or(0, |(high, low)| high - low);
                joined(between) && (1..=STEP * ONE).contains(&step)
            }
            _ => false,
        };
        let stands = |index: usize| {
            let own = Around { index, ..*around };
            number(index).is_some_and(|number| self.stands(reading, number, &own))
        };
        let back = (1..=LONGEST).map_while(|step| around.index.checked_sub(2 * step).filter(|&low| follows(low)));
        let ahead = (0..LONGEST).map(|step| around.index + 2 * step).take_while(|&low| follows(low)).map(|low| low + 2);
        back.chain(ahead).any(stands)
    }

    /// A word of `with` somewhere else than the one the number stands behind.
    fn accompanied(&self, around: &Around<'_>) -> bool {
        let own = if self.before == 0 { usize::MAX } else { around.index.wrapping_sub(1) };
        let other = |(index, item): (usize, &Item)| index != own && item.plain_bits() & self.with != 0;
        self.with == 0 || around.items.iter().enumerate().any(other)
    }
}

/// True for a word of a writing that puts spaces between words.
fn spaced(reading: &Reading<'_>, item: &Item) -> bool {
    reading.words(item.tokens.clone()).starts_with(spaced_letter)
}

/// The members of a list are near one another, as sizes are, and it is no longer than this.
const STEP: i128 = 6;
const LONGEST: usize = 12;

fn plain(reading: &Reading<'_>, number: &Numeral) -> bool {
    !number.words && reading.words(number.tokens.clone()).bytes().all(|byte| byte.is_ascii_digit())
}

/// A word of `bits` right before the number, or with a sign between: `order: 1042`, `no. 7`. A loose one may stand
/// before a dash or "is" too.
fn marked(reading: &Reading<'_>, number: &Numeral, (bits, loose): (u64, bool)) -> bool {
    let start = number.tokens.start;
    (1..=2).any(|back| {
        start.checked_sub(back).is_some_and(|index| {
            let token = &reading.tokens[index];
            let between = &reading.tokens[start - 1];
            let bridged = back == 1
                || matches!(between.kind, Kind::Sign(':' | '#' | '№' | '.'))
                || (loose && (matches!(between.kind, Kind::Sign('—' | '–' | '-')) || between.is(Class::Neutral)));
            bridged && token.term.bits & bits != 0
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::GUARD;
    use super::super::{Guard, Ledger};
    use super::*;

    type Examples = BTreeMap<Language, String>;

    /// A row that is not exemplified in each language, refused or accepted, is none; the fault names its line.
    #[test]
    fn a_row_needs_its_examples() {
        let texts = |languages: &[Language]| languages.iter().map(|&language| (language, String::new())).collect();
        let check = |accept: &[Language], refuse: &[Language], expected: bool| {
            let (accept, refuse): (BTreeMap<_, _>, BTreeMap<_, _>) = (texts(accept), texts(refuse));
            assert_eq!(exampled("measure", [&accept, &refuse]).is_ok(), expected, "{accept:?} {refuse:?}");
        };
        use Language::{En, Ru, Sk, Zh};
        check(&[En, Ru, Sk], &[En, Ru, Sk], true);
        check(&[En, Ru, Sk, Zh], &[En, Ru, Sk, Zh], true);
        check(&[En, Ru, Sk, Zh], &[En, Ru, Sk], false);
        check(&[En, Ru, Sk], &[En, Ru, Sk, Zh], false);
        check(&[En, Ru], &[En, Ru], false);
        let line = TEXT.lines().position(|line| line == "name = \"measure\"").unwrap() + 1;
        let error = unknown("licence", "name = \"measure\"", "fix").to_string();
        assert!(error.starts_with(&format!("data/guard/allow.toml:{line}: ")), "{error}");
    }

    /// Each row lets its own examples through, they need it, and what it must refuse is refused.
    #[test]
    fn each_row_is_tested_and_needed() {
        let passes = |guard: &Guard, language: Language, text: &str| {
            guard.check_text(language, &Ledger::default(), text).map_err(|fault| format!("{text}: {}", fault.detail))
        };
        let tried = |name: &str, (accept, refuse): (&Examples, &Examples), without: &Guard| {
            for (language, text) in accept {
                passes(&GUARD, *language, text).unwrap_or_else(|why| panic!("{name}: {why}"));
                assert!(passes(without, *language, text).is_err(), "{name}: {text} needs no such row");
            }
            for (language, text) in refuse {
                assert!(passes(&GUARD, *language, text).is_err(), "{name}: {text} is let through");
            }
        };
        let mut without = Guard::new();
        for index in 0..without.lexicon.licences.len() {
            let licence = without.lexicon.licences.remove(index);
            tried(&licence.row.name, (&licence.row.accept, &licence.row.refuse), &without);
            without.lexicon.licences.insert(index, licence);
        }
        for index in 0..without.lexicon.shapes.len() {
            let shape = without.lexicon.shapes.remove(index);
            tried(&shape.row.name, (&shape.row.accept, &shape.row.refuse), &without);
            without.lexicon.shapes.insert(index, shape);
        }
    }
}
