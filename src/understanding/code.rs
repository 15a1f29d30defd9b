//! A one-time code in a message, and the wish for another one. In: a message while a code is waited for. Out: the digits as they
//! stand there, or nothing. Phones, order numbers and amounts are not codes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::folded::{Lexicon, fold};
use crate::domain::Language;

/// More words than this speak of something else.
const MOST_WORDS: usize = 8;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedCode {
    /// Six digits, as they stand in the message.
    Six(String),
    /// Nothing but digits, but not six.
    Other(String),
}

/// Words for another code, `data/rules/identity.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    again: BTreeMap<Language, Vec<String>>,
}

/// The compiled words.
pub struct CodeWords(Lexicon<()>);

impl CodeWords {
    /// Reads `data/rules/identity.toml`.
    ///
    /// # Errors
    /// Not its shape, with the line.
    pub fn parse(text: &str) -> Result<CodeWords, toml::de::Error> {
        let Raw { again } = toml::from_str(text)?;
        let words: std::collections::BTreeSet<String> = again.into_values().flatten().map(|word| fold(&word)).collect();
        Ok(CodeWords(Lexicon::new(words.into_iter().map(|word| (word, ())))))
    }

    /// True when another code is wanted.
    pub fn again(&self, text: &str) -> bool {
        let folded = fold(text);
        let short = folded.split(' ').count() <= MOST_WORDS && !folded.chars().any(|c| c.is_ascii_digit());
        short && !self.0.find(&folded).is_empty()
    }
}

/// The code in a message: the only six digits of a short message, alone or split in two halves. Digits of another count are a
/// slip only where the code was asked for last and nothing else was written.
pub fn typed_code(text: &str, asked: bool) -> Option<TypedCode> {
    let runs = runs(text);
    let short = text.split_whitespace().count() <= if asked { MOST_WORDS } else { 2 };
    let [run] = runs.as_slice() else { return None };
    let count = run.chars().filter(char::is_ascii_digit).count();
    match count {
        6 if short => Some(TypedCode::Six(run.to_string())),
        3..=8 if asked && run.len() == text.trim().len() => Some(TypedCode::Other(run.to_string())),
        _ => None,
    }
}

/// Stretches of digits that no letter, sign or decimal belongs to. One space or hyphen may stand inside.
fn runs(text: &str) -> Vec<&str> {
    let joins = |before: Option<char>, c: char, after: Option<char>| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        matches!(c, ' ' | '-') && digit(before) && digit(after)
    };
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let at = |index: Option<usize>| index.and_then(|index| chars.get(index)).map(|(_, c)| *c);
    let mut runs = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        if !chars[index].1.is_ascii_digit() {
            index += 1;
            continue;
        }
        let from = index;
        while at(Some(index))
            .is_some_and(|c| c.is_ascii_digit() || joins(at(index.checked_sub(1)), c, at(Some(index + 1))))
        {
            index += 1;
        }
        let end = chars.get(index).map_or(text.len(), |(at, _)| *at);
        let glued = |c: Option<char>| {
            c.is_some_and(|c| {
                c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '№' | '€' | '$' | '¥' | '₽' | '%' | '_')
            })
        };
        let fraction =
            matches!(at(Some(index)), Some('.' | ',')) && at(Some(index + 1)).is_some_and(|c| c.is_ascii_digit());
        let before = at(from.checked_sub(1));
        let coded = before == Some('-') || glued(before);
        if coded || glued(at(Some(index))) || fraction {
            // Part of something else: no other digits of this message are a code then.
            return Vec::new();
        }
        runs.push(&text[chars[from].0..end]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, asked: bool, expected: Option<&str>) {
        let got = match typed_code(text, asked) {
            Some(TypedCode::Six(typed)) => Some(typed),
            Some(TypedCode::Other(typed)) => Some(format!("?{typed}")),
            None => None,
        };
        assert_eq!(got.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_code_is_six_digits_and_nothing_else() {
        for (text, expected) in [
            ("482913", "482913"),
            (" 482 913 ", "482 913"),
            ("482-913", "482-913"),
            ("код 482913", "482913"),
            ("Kód: 004211.", "004211"),
            ("验证码是482913", "482913"),
            ("my code is 482913, thanks", "482913"),
            ("48291", "?48291"),
            ("4829134", "?4829134"),
        ] {
            check(text, true, Some(expected));
        }
        for text in [
            "TT-104270",
            "+421 900 000 102",
            "0905 123 456",
            "482913 или 482914",
            "482913.50",
            "€482913",
            "it costs 482913 in your shop I think, can you please check",
            "nothing came",
        ] {
            check(text, true, None);
        }
    }

    #[test]
    fn after_another_question_only_the_bare_code_is_one() {
        check("482913", false, Some("482913"));
        check("48291", false, None);
        check("how much is article 482913", false, None);
    }

    #[test]
    fn another_code_is_wished_for_in_words() {
        let words = CodeWords::parse(include_str!("../../data/rules/identity.toml")).unwrap();
        for text in ["new code", "пришлите ещё раз", "Nič mi neprišlo", "没收到", "The code did not arrive"]
        {
            assert!(words.again(text), "{text}");
        }
        assert!(!words.again("where is my parcel"));
        assert!(!words.again("482913"));
    }
}
