//! The lexer: a plain text as a row of tokens. It is total: every byte of the text is in exactly one token
//! or is a single space between two, and a token that is neither word, number nor known sign is still a token.

use std::cell::Cell;
use std::ops::Range;

use crate::domain::Language;

use super::alias::Found;
use super::lexicon::{Class, Composite, Lexicon, Term, is_han, mark, spaced_letter, word_end};
use super::norm::{self, Normal};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Figures with their inner separators: `14 990`, `24,90`.
    Figures,
    /// A word or phrase, known or not.
    Word,
    /// One word made of numbers: its parts.
    Composite(Box<[u64]>),
    /// Letters and digits in one word.
    Mixed,
    /// A numeral-like sign, or one nobody can vouch for.
    Odd,
    /// Any other sign.
    Sign(char),
    /// A line break.
    Newline,
    /// A stretch rendered from a fact.
    Island(usize),
    /// A product's or promotion's name: its row in the ledger.
    Name(usize),
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Kind,
    start: u32,
    end: u32,
    /// What its word means.
    pub term: Term,
    /// True after a space or at the start.
    pub spaced: bool,
}

impl Token {
    /// Its bytes in the plain text.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// True when its word has this class.
    pub fn is(&self, class: Class) -> bool {
        self.term.is(class)
    }

    /// True for this sign.
    pub fn sign(&self, sign: char) -> bool {
        matches!(self.kind, Kind::Sign(own) if own == sign)
    }
}

/// Cuts `normal` into tokens; `names` are the ranges already known to be names.
pub(super) fn tokens(lexicon: &Lexicon, normal: &Normal, language: Language, names: &[Found]) -> Vec<Token> {
    let mut names = names.iter().peekable();
    let text = normal.text.as_str();
    let mut lexer = Lexer { lexicon, text, language, at: 0, spaced: true, hyphened: Cell::new((0, false)) };
    let mut found = Vec::with_capacity(text.len() / 4);
    while lexer.at < text.len() {
        if text.as_bytes()[lexer.at] == b' ' {
            lexer.at += 1;
            lexer.spaced = true;
            continue;
        }
        while names.next_if(|name| name.range.start < lexer.at).is_some() {}
        let token = match names.next_if(|name| name.range.start == lexer.at) {
            Some(name) => lexer.token(Kind::Name(name.row), name.range.end, Term::default()),
            None => lexer.next(),
        };
        lexer.at = token.range().end;
        lexer.spaced = false;
        found.push(token);
    }
    found
}

struct Lexer<'a> {
    lexicon: &'a Lexicon,
    text: &'a str,
    language: Language,
    at: usize,
    spaced: bool,
    /// Where the stretch of words and hyphens ahead ends, and whether a figure stands there.
    hyphened: Cell<(usize, bool)>,
}

impl Lexer<'_> {
    /// True when a digit comes before the next space: `kt-13990`, not `low-cost`. Each stretch is read once.
    fn code_follows(&self, at: usize) -> bool {
        let (end, found) = self.hyphened.get();
        if at < end {
            return found;
        }
        let part = |c: char| spaced_letter(c) || c == '-';
        let end = self.text[at..].find(|c| !part(c)).map_or(self.text.len(), |index| at + index);
        let found = self.text[end..].starts_with(|c: char| c.is_ascii_digit());
        self.hyphened.set((end, found));
        found
    }

    fn next(&self) -> Token {
        let sign = self.text[self.at..].chars().next().unwrap_or(norm::UNKNOWN);
        let end = self.at + sign.len_utf8();
        match sign {
            '\n' => self.token(Kind::Newline, end, Term::default()),
            '0'..='9' => self.figures(),
            norm::ODD | norm::UNKNOWN => self.token(Kind::Odd, end, Term::default()),
            _ if norm::island(sign).is_some() => {
                self.token(Kind::Island(norm::island(sign).unwrap_or_default()), end, Term::default())
            }
            // Kana spell numbers too; only the possessive stands in Chinese names of brands.
            '\u{3041}'..='\u{30FA}' if sign != 'の' => {
                self.known().unwrap_or_else(|| self.token(Kind::Odd, end, Term::default()))
            }
            _ if is_han(sign) => self.known().unwrap_or_else(|| self.token(Kind::Word, end, Term::default())),
            _ if spaced_letter(sign) => self.word(),
            _ => self.known().unwrap_or_else(|| self.token(Kind::Sign(sign), end, Term::default())),
        }
    }

    fn token(&self, kind: Kind, end: usize, term: Term) -> Token {
        // Texts are kilobytes: 32 bits hold every place, and a token fits a cache line.
        let (start, end) = (self.at as u32, end as u32);
        Token { kind, start, end, term: term.localised(self.language), spaced: self.spaced }
    }

    /// A sign, Han word or phrase the lexicon has here.
    fn known(&self) -> Option<Token> {
        let (end, term) = self.lexicon.longest(self.text, self.at)?;
        let kind = match self.text[self.at..end].chars().next() {
            Some(sign) if end == self.at + sign.len_utf8() && mark(sign) => Kind::Sign(sign),
            _ => Kind::Word,
        };
        Some(self.token(kind, end, term))
    }

    fn figures(&self) -> Token {
        let digits = digit_run(self.text, self.at);
        let end = grouped(self.text, digits);
        let Some(next) = self.text[end..].chars().next().filter(|&c| spaced_letter(c)) else {
            return self.token(Kind::Figures, end, Term::default());
        };
        if times(self.text, end) && !self.text[self.at..end].starts_with('0') {
            return self.token(Kind::Figures, end, Term::default());
        }
        let suffix = word_end(self.text, end);
        let known = self.lexicon.longest(self.text, end).filter(|(stop, _)| *stop >= suffix);
        let measures = [Class::Short, Class::Unit, Class::Currency, Class::Minor, Class::Time, Class::Counted];
        let number = known.is_some_and(|(_, term)| measures.iter().any(|&c| term.is(c)) || big(&term));
        let glued = self.text[suffix..].chars().next().is_some_and(|c| c.is_ascii_digit());
        // `2.4w` and `500g` are a number and its measure; `7e1`, `0x3a` and `24x7` are nobody's.
        if number && !glued && !matches!(next, 'e' | 'x') {
            return self.token(Kind::Figures, end, Term::default());
        }
        self.token(Kind::Mixed, mixed_end(self.text, suffix), Term::default())
    }

    fn word(&self) -> Token {
        let end = word_end(self.text, self.at);
        let digits_before = || self.text[..self.at].trim_end_matches(' ').ends_with(|c: char| c.is_ascii_digit());
        if times(self.text, self.at) && digits_before() {
            return self.token(Kind::Sign('×'), end, Term::default());
        }
        let known = self.lexicon.longest(self.text, self.at).filter(|(stop, _)| *stop >= end);
        let stop = known.map_or(end, |(stop, _)| stop);
        let term = known.map(|(_, term)| term).unwrap_or_default();
        if self.text[stop..].starts_with(|c: char| c.is_ascii_digit()) && !term.is(Class::Currency) {
            return self.token(Kind::Mixed, mixed_end(self.text, stop), Term::default());
        }
        if stop == end && end - self.at <= 8 && self.text[stop..].starts_with('-') && self.code_follows(stop + 1) {
            return self.token(Kind::Mixed, mixed_end(self.text, stop), Term::default());
        }
        let word = &self.text[self.at..end];
        if term.bits == 0 && (mixed_scripts(word) || foreign(word)) {
            return self.token(Kind::Odd, end, Term::default());
        }
        if stop == end && !term.is(Class::Number) && word.len() >= 6 {
            match self.lexicon.composite(word) {
                Some(Composite::Number(parts)) => return self.token(Kind::Composite(parts.into()), end, term),
                Some(Composite::Priced) => return self.token(Kind::Odd, end, term),
                None => {}
            }
        }
        self.token(Kind::Word, stop, term)
    }
}

/// A letter x between figures: `30 x 20`, `30x20`, in Latin or Cyrillic.
fn times(text: &str, at: usize) -> bool {
    let behind = text[at..].strip_prefix(['x', 'х']).map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
    behind.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn big(term: &Term) -> bool {
    term.is(Class::Number) && term.value >= 1000
}

fn digit_run(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Extends figures over the separators inside them: `14` to `14 990`, `24` to `24,90`.
fn grouped(text: &str, mut end: usize) -> usize {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let first = text[..end].bytes().rev().take_while(u8::is_ascii_digit).count();
    let mut group_open = first <= 3;
    loop {
        match bytes.get(end) {
            Some(b' ') if group_open && digit(end + 1) && digit_run(text, end + 1) == end + 4 => end += 4,
            // A space beside the point is no locale's way to write a number: keep it in sight as one.
            Some(b' ') if matches!(bytes.get(end + 1), Some(b'.' | b',')) && digit(end + 2) => {
                end = digit_run(text, end + 2)
            }
            Some(b'.' | b',') if digit(end + 1) => {
                end = digit_run(text, end + 1);
                group_open = false;
            }
            _ => return end,
        }
    }
}

/// A code goes on over hyphens, points and underscores as long as letters or digits follow.
fn mixed_end(text: &str, at: usize) -> usize {
    let part = |c: char| c.is_ascii_digit() || spaced_letter(c);
    let mut end = at;
    loop {
        end += text[end..].char_indices().find(|(_, c)| !part(*c)).map_or(text.len() - end, |(index, _)| index);
        let mut rest = text[end..].chars();
        match (rest.next(), rest.next()) {
            (Some('-' | '.'), Some(next)) if part(next) => end += 1,
            _ => return end,
        }
    }
}

/// Letters of a writing none of the four languages uses: their number words are in no list.
fn foreign(word: &str) -> bool {
    !word.is_ascii() && word.chars().any(|sign| !sign.is_ascii() && !matches!(sign, 'а'..='я'))
}

fn mixed_scripts(word: &str) -> bool {
    let latin = || word.bytes().any(|byte| byte.is_ascii_alphabetic());
    !word.is_ascii() && latin() && word.chars().any(|sign| matches!(sign as u32, 0x370..=0x52F))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::load().unwrap());

    fn lex(text: &str) -> (Normal, Vec<Token>) {
        let normal = norm::normalise(text, &[]);
        let found = tokens(&LEXICON, &normal, Language::En, &[]);
        (normal, found)
    }

    fn check(text: &str, expected: &[&str]) {
        let (normal, found) = lex(text);
        let parts: Vec<&str> = found.iter().map(|token| &normal.text[token.range()]).collect();
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn numbers_words_and_codes() {
        check("стоит 14 990 ₸.", &["стоит", "14 990", "₸", "."]);
        check("$ 79 .99", &["$", "79 .99"]);
        check("sizes 42, 43", &["sizes", "42", ",", "43"]);
        check("KT-13990, 0x3A8E 7.999e1", &["kt-13990", ",", "0x3a8e", "7.999e1"]);
        check("2.4w 500g $1.5k", &["2.4", "w", "500", "g", "$", "1.5", "k"]);
        check("US$89.99", &["us$", "89.99"]);
        check("一百九十九元", &["一", "百", "九", "十", "九", "元"]);
        check("tyranny-45", &["tyranny-45"]);
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_token(text in "\\PC{0,60}") {
            let (normal, found) = lex(&text);
            let mut at = 0;
            for token in &found {
                prop_assert!(normal.text[at..token.range().start].chars().all(|c| c == ' '));
                prop_assert!(token.range().end > token.range().start);
                at = token.range().end;
            }
            prop_assert!(normal.text[at..].chars().all(|c| c == ' '));
        }
    }
}
