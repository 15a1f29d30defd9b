//! The word lists of `data/guard`, compiled once into one trie: what a word or phrase of any language means.
//! All languages are active at once, so a Slovak number in a Russian sentence is still a number.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Language;

use super::allowed::Licence;
pub(super) use super::class::{Class, LOCAL, Term};
use super::norm::fold;
use super::shape::{Next, Shape};
use super::trie::{Node, Trie, insert};
pub(super) use super::trie::{is_han, mark, spaced_letter, word_end};
use super::unit::Units;

/// Why the word lists cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LexiconError {
    /// Not TOML, or not the shape of this file.
    #[error("data/guard/{file}: {source}")]
    Toml {
        /// The file.
        file: &'static str,
        /// What and where.
        source: toml::de::Error,
    },
    /// A table, language or value nobody knows.
    #[error("data/guard/{file}:{line}: unknown {what} `{name}`; {fix}")]
    Unknown {
        /// The file.
        file: &'static str,
        /// The line.
        line: usize,
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// How to mend it.
        fix: &'static str,
    },
}

/// The compiled word lists.
#[derive(Debug)]
pub(super) struct Lexicon {
    nodes: Vec<Node>,
    numbers: Vec<Node>,
    words: Trie,
    parts: Trie,
    /// ISO codes by index, their letters in one number.
    pub currencies: Vec<u32>,
    /// What lets a number stand that is no price.
    pub licences: Vec<Licence>,
    /// Numbers known by how they are written.
    pub shapes: Vec<Shape>,
    /// What may stand behind the first figures of one.
    pub behind: Next,
    months: Vec<Vec<String>>,
    /// Which names of units mean the same.
    pub units: Units,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MonthFile {
    stems: [Vec<String>; 12],
}

type WordTable = BTreeMap<String, BTreeMap<String, Vec<String>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyFile {
    major: Vec<MoneyRow>,
    minor: Vec<MoneyRow>,
    tenth: Vec<MoneyRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyRow {
    codes: Vec<String>,
    words: Vec<String>,
}

const CLASS_FILES: [(&str, &str); 3] = [
    ("claims.toml", include_str!("../../data/guard/claims.toml")),
    ("licences.toml", include_str!("../../data/guard/licences.toml")),
    ("neutral.toml", include_str!("../../data/guard/neutral.toml")),
];
const NUMBER_FILES: [(&str, &str); 2] = [
    ("numbers.toml", include_str!("../../data/guard/numbers.toml")),
    ("numbers_extra.toml", include_str!("../../data/guard/numbers_extra.toml")),
];
const LONGEST_COMPOSITE: usize = 160;
const MONEY_FILE: &str = include_str!("../../data/guard/money.toml");

const MONTH_FILE: &str = include_str!("../../data/guard/months.toml");

impl Lexicon {
    /// Compiles the files of `data/guard`.
    pub fn load() -> Result<Lexicon, LexiconError> {
        let (licences, shapes) = super::allowed::load()?;
        let mut lexicon = Lexicon {
            nodes: vec![Node::default()],
            numbers: vec![Node::default()],
            words: Trie::default(),
            parts: Trie::default(),
            currencies: Vec::new(),
            licences,
            behind: Next::of(&shapes),
            shapes,
            months: Vec::new(),
            units: Units::default(),
        };
        for (file, text) in NUMBER_FILES {
            lexicon.add_numbers(file, text)?;
        }
        // German puts units before tens: `neunundneunzig` is recognised, and refused as out of order.
        insert(&mut lexicon.numbers, "und", Term { bits: Class::Number.bit(), ..Term::default() });
        for (file, text) in CLASS_FILES {
            lexicon.add_classes(file, text)?;
        }
        lexicon.add_money()?;
        let file = "months.toml";
        let months: MonthFile = toml::from_str(MONTH_FILE).map_err(|source| LexiconError::Toml { file, source })?;
        lexicon.months = months.stems.iter().map(|stems| stems.iter().map(|stem| fold(stem)).collect()).collect();
        let file = "units.toml";
        lexicon.units = Units::load().map_err(|source| LexiconError::Toml { file, source })?;
        lexicon.words = Trie::freeze(&std::mem::take(&mut lexicon.nodes));
        lexicon.parts = Trie::freeze(&std::mem::take(&mut lexicon.numbers));
        Ok(lexicon)
    }

    fn add_numbers(&mut self, file: &'static str, text: &str) -> Result<(), LexiconError> {
        let table: WordTable = toml::from_str(text).map_err(|source| LexiconError::Toml { file, source })?;
        for (language, rows) in table {
            for (value, words) in rows {
                let value = value
                    .parse()
                    .map_err(|_| unknown(file, text, &value, ("value", "the key is the number in figures")))?;
                let class = if language == "short" { Class::Short } else { Class::Number };
                for word in words {
                    let term = Term { bits: class.bit(), value, ..Term::default() };
                    insert(&mut self.nodes, &fold(&word), term);
                    if class == Class::Number && fold(&word).chars().count() >= 3 {
                        insert(&mut self.numbers, &fold(&word), term);
                    }
                }
            }
        }
        Ok(())
    }

    fn add_classes(&mut self, file: &'static str, text: &str) -> Result<(), LexiconError> {
        let table: WordTable = toml::from_str(text).map_err(|source| LexiconError::Toml { file, source })?;
        for (name, rows) in table {
            for (language, words) in rows {
                let code: Language = language
                    .parse()
                    .map_err(|_| unknown(file, text, &language, ("language", "use en, ru, sk or zh")))?;
                let term = match (name.as_str(), Class::named(&name)) {
                    ("local", _) => Term { bits: 1 << (LOCAL + code as u32), ..Term::default() },
                    (_, Some(class)) => Term { bits: class.bit(), ..Term::default() },
                    (_, None) => return Err(unknown(file, text, &name, ("class", "see src/guard/lexicon.rs"))),
                };
                for word in words {
                    insert(&mut self.nodes, &fold_entry(&word), term);
                }
            }
        }
        Ok(())
    }

    fn add_money(&mut self) -> Result<(), LexiconError> {
        let file = "money.toml";
        let table: MoneyFile = toml::from_str(MONEY_FILE).map_err(|source| LexiconError::Toml { file, source })?;
        let groups = [(Class::Currency, table.major), (Class::Minor, table.minor), (Class::Tenth, table.tenth)];
        for (class, rows) in groups {
            for row in rows {
                let currencies = row.codes.iter().fold(0, |mask, code| mask | self.currency_bit(code));
                let term = Term { bits: class.bit(), currencies, ..Term::default() };
                for word in row.words {
                    insert(&mut self.nodes, &fold_entry(&word), term);
                }
            }
        }
        Ok(())
    }

    fn currency_bit(&mut self, code: &str) -> u64 {
        let index = self.currencies.iter().position(|known| *known == letters(code)).unwrap_or_else(|| {
            self.currencies.push(letters(code));
            self.currencies.len() - 1
        });
        1 << (index as u64 & 63)
    }

    /// The mask of one currency; 0 for one that is never written.
    pub fn currency_mask(&self, code: &str) -> u64 {
        let code = letters(code);
        self.currencies.iter().position(|known| *known == code).map_or(0, |index| 1 << (index as u64 & 63))
    }

    /// The month, 1 to 12, whose name begins a word of `text`, when exactly one does.
    pub fn month_in(&self, text: &str) -> Option<u8> {
        let mut found = 0_u16;
        for word in text.split(|c: char| !(c.is_ascii_alphabetic() || (!c.is_ascii() && c.is_alphabetic()))) {
            let Some(&first) = word.as_bytes().first() else { continue };
            let begins = |stem: &String| stem.as_bytes().first() == Some(&first) && word.starts_with(stem.as_str());
            for (month, stems) in self.months.iter().enumerate() {
                found |= u16::from(stems.iter().any(begins)) << month;
            }
        }
        (found.count_ones() == 1).then(|| found.trailing_zeros() as u8 + 1)
    }

    /// The longest entry at `at`, with its end; `None` when no entry begins there.
    pub fn longest(&self, text: &str, at: usize) -> Option<(usize, Term)> {
        self.words.longest(text, at)
    }

    /// True when `word` is built of several number words, or of one with a currency or percent word behind it.
    pub fn composite(&self, word: &str) -> Option<Composite> {
        // No number of the declared range is longer; without a bound a hostile word could exhaust the stack.
        if word.len() > LONGEST_COMPOSITE {
            return Some(Composite::Priced);
        }
        // Most words begin with no number, and most that do go on with none: "стоит" is no sum of a hundred.
        let first = self.endings(word, 0).last()?.0;
        if self.endings(word, 0).all(|(end, _)| self.ending(word, end).is_none()) {
            return self.priced(&word[first..]);
        }
        // The others are read from their end, each place once.
        let mut best = vec![None; word.len()];
        for at in (0..word.len()).rev().filter(|&at| word.is_char_boundary(at)) {
            best[at] = self.morpheme(word, at, &best);
        }
        let mut values = Vec::new();
        let mut rest = 0;
        while let Some(&Some(Morpheme { end, value, .. })) = best.get(rest) {
            values.push(value);
            rest = end;
        }
        let tail = &word[rest..];
        if tail.is_empty() {
            return (values.len() > 1).then_some(Composite::Number(values));
        }
        self.priced(tail)
    }

    /// What a number with this word behind it is, inside one word.
    fn priced(&self, tail: &str) -> Option<Composite> {
        const MONEY: u64 = Class::Currency.bit() | Class::Percent.bit() | Class::Minor.bit();
        let (_, term) = self.longest(tail, 0).filter(|_| tail.chars().nth(2).is_some())?;
        (term.bits & MONEY != 0).then_some(Composite::Priced)
    }

    /// The shortest number word at byte `at`, with its end.
    fn ending(&self, word: &str, at: usize) -> Option<usize> {
        self.endings(word, at).next().map(|(end, _)| end)
    }

    /// The number words that begin at byte `at`, shortest first: where each ends, and its value.
    fn endings(&self, word: &str, at: usize) -> impl Iterator<Item = (usize, u64)> {
        let mut node = 0;
        let nodes = word.as_bytes()[at..].iter().map_while(move |&byte| {
            node = self.parts.child(node, byte)?;
            Some(node)
        });
        nodes.zip(at + 1..).filter_map(|(node, end)| self.parts.ending(node).map(|term| (end, term.value)))
    }

    /// The number word at byte `at` that lets most of the word be read: the longest behind which all of it is made of
    /// numbers, else the longest. `best` knows what may follow.
    fn morpheme(&self, word: &str, at: usize, best: &[Option<Morpheme>]) -> Option<Morpheme> {
        let reach = |end: usize| best.get(end).copied().flatten().map_or(end, |next: Morpheme| next.reach);
        let read = self.endings(word, at).map(|(end, value)| Morpheme { end, value, reach: reach(end) });
        read.reduce(
            |shorter, longer| {
                if shorter.reach == word.len() && longer.reach < word.len() { shorter } else { longer }
            },
        )
    }
}

/// One number word inside a word: where it ends, its value, and how far numbers go on behind it.
#[derive(Clone, Copy, Debug)]
struct Morpheme {
    end: usize,
    value: u64,
    reach: usize,
}

/// A word with numbers inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Composite {
    /// Nothing but numbers: `dvadsaťštyri`.
    Number(Vec<u64>),
    /// A number with a currency or percent: `пятисотрублёвый`.
    Priced,
}

fn letters(code: &str) -> u32 {
    code.bytes().fold(0, |letters, byte| letters << 8 | u32::from(byte))
}

/// Phrases keep their stars; `fold` would take them for markup.
fn fold_entry(entry: &str) -> String {
    entry.split('*').map(fold).collect::<Vec<_>>().join("*")
}

fn unknown(file: &'static str, text: &str, name: &str, (what, fix): (&'static str, &'static str)) -> LexiconError {
    let line = text.lines().position(|line| line.contains(name)).map_or(0, |index| index + 1);
    LexiconError::Unknown { file, line, what, name: name.to_string(), fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        Lexicon::load().unwrap()
    }

    #[test]
    fn files_of_data_guard_compile() {
        let lexicon = lexicon();
        assert!(lexicon.currencies.len() < 64, "the currency mask has 64 bits");
    }

    /// The longest entry wins, so a harmless phrase must not take in a word that claims something.
    #[test]
    fn no_neutral_phrase_hides_a_claim() {
        const CLAIMS: [Class; 4] = [Class::Discount, Class::Zero, Class::Commit, Class::Slang];
        let lexicon = lexicon();
        let (_, neutral) = CLASS_FILES[2];
        let table: WordTable = toml::from_str(neutral).unwrap();
        let entries = table["neutral"].values().flatten().map(|entry| fold_entry(entry).replace('*', ""));
        let own = |word: &str| match lexicon.longest(word, 0) {
            Some((end, term)) if end == word.len() => term.bits,
            _ => 0,
        };
        let hides = |phrase: &String| {
            let bits = phrase.split(' ').fold(0, |bits, word| bits | own(word));
            // "Without a promo code".
            let denies = bits & Class::Negation.bit() != 0;
            !denies && CLAIMS.iter().any(|class| bits & !own(phrase) & class.bit() != 0)
        };
        let hiding: Vec<String> = entries.filter(|entry| entry.contains(' ')).filter(hides).collect();
        assert!(hiding.is_empty(), "{hiding:?}");
    }

    #[test]
    fn a_superlative_is_a_comparison_too() {
        let lexicon = lexicon();
        for word in [
            "cheapest",
            "least expensive",
            "самый дешевый",
            "самая дешевая",
            "najlacnejšia",
            "najdrahší",
            "最便宜",
            "最贵",
            "дешевейший",
        ] {
            let (_, term) = lexicon.longest(&fold(word), 0).unwrap();
            assert!(
                term.is(Class::Superlative) && (term.is(Class::Compare) || term.is(Class::Dearer)),
                "{word}: {term:?}"
            );
        }
    }

    #[test]
    fn words_and_phrases_are_found() {
        let lexicon = lexicon();
        let check = |text: &str, end: usize, class: Class| {
            let folded = fold(text);
            let (found, term) = lexicon.longest(&folded, 0).unwrap();
            assert!(found == end && term.is(class), "{text}: {found} {term:?}");
        };
        check("eighty-nine", 6, Class::Number);
        check("бесплатно", 18, Class::Zero);
        check("free of charge.", 14, Class::Zero);
        check("половина цены", 25, Class::Zero);
        check("eur", 3, Class::Currency);
        check("päť", 3, Class::Number);
        assert_eq!(lexicon.longest("europe", 0).filter(|(_, term)| term.is(Class::Currency)), None);
    }

    #[test]
    fn composite_numbers_are_taken_apart() {
        let lexicon = lexicon();
        let check =
            |word: &str, expected: Option<Composite>| assert_eq!(lexicon.composite(&fold(word)), expected, "{word}");
        check("dvadsaťštyri", Some(Composite::Number(vec![20, 4])));
        check("deväťstodeväťdesiatdeväť", Some(Composite::Number(vec![900, 90, 9])));
        check("stotisíc", Some(Composite::Number(vec![100, 1000])));
        check("пятисотрублевый", Some(Composite::Priced));
        check("стоит", None);
        check("stone", None);
        check("often", None);
    }

    #[test]
    fn unknown_names_are_reported_with_their_line() {
        let error = unknown("claims.toml", "[a]\n[nonsense]\n", "nonsense", ("class", "see"));
        assert!(error.to_string().starts_with("data/guard/claims.toml:2: unknown class `nonsense`"), "{error}");
    }
}
