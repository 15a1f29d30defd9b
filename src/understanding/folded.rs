//! A message's text as the rules compare it: lower case, no diacritics, no apostrophes, single spaces.
//! Every byte of it knows where it stood, so that slots can be cut from the words as typed.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A folded text with its way back.
pub(super) struct Folded {
    /// What rules are compared with.
    pub(super) text: String,
    /// For each byte of `text`, where its letter stands in the source; one more for the end.
    origin: Vec<usize>,
}

impl Folded {
    pub(super) fn new(source: &str) -> Self {
        let mut folded =
            Folded { text: String::with_capacity(source.len()), origin: Vec::with_capacity(source.len() + 1) };
        for (at, c) in source.char_indices() {
            folded.push(source, at, c);
        }
        while folded.text.ends_with(' ') {
            folded.text.pop();
            folded.origin.pop();
        }
        let end = folded.origin.last().map_or(0, |at| at + source[*at..].chars().next().map_or(0, char::len_utf8));
        folded.origin.push(end);
        folded
    }

    fn push(&mut self, source: &str, at: usize, c: char) {
        if matches!(c, '\'' | '’' | '`') {
            return;
        }
        if !keeps(source, at, c) {
            if !self.text.is_empty() && !self.text.ends_with(' ') {
                self.text.push(' ');
                self.origin.push(at);
            }
            return;
        }
        for letter in c.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)) {
            self.text.push(letter);
            self.origin.extend(std::iter::repeat_n(at, letter.len_utf8()));
        }
    }

    /// Where a stretch of the folded text stands in the source.
    pub(super) fn source_range(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin[range.start.min(self.origin.len() - 1)];
        let end = if range.end + 1 >= self.origin.len() {
            self.origin[self.origin.len() - 1]
        } else {
            self.origin[range.end]
        };
        start..end.max(start)
    }
}

/// Letters and digits stay; of punctuation what holds a code, a number or a currency together.
fn keeps(source: &str, at: usize, c: char) -> bool {
    if c.is_alphanumeric()
        || is_combining_mark(c)
        || matches!(c, '€' | '$' | '£' | '¥' | '₽' | '#' | '№' | '[' | ']' | '%' | '×' | '+' | '²' | '½')
    {
        return true;
    }
    let before = source[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    let after = source[at + c.len_utf8()..].chars().next().is_some_and(char::is_alphanumeric);
    match c {
        '-' | '/' | '*' => before && after || c == '/' && at == 0,
        '.' | ',' => {
            let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            digit(source[..at].chars().next_back()) && digit(source[at + 1..].chars().next())
        }
        _ => false,
    }
}

/// The folded form of a phrase or word of the data.
pub(super) fn fold(text: &str) -> String {
    Folded::new(text).text
}

/// True for Chinese characters, which are written without spaces between words.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// True when a stretch is not cut out of a longer word.
pub(super) fn whole_words(text: &str, range: &Range<usize>) -> bool {
    let joined = |inner: Option<char>, outer: Option<char>| match (inner, outer) {
        (Some(inner), Some(outer)) => {
            inner.is_alphanumeric() && outer.is_alphanumeric() && !is_han(inner) && !is_han(outer)
        }
        _ => false,
    };
    let inside = &text[range.clone()];
    !joined(inside.chars().next(), text[..range.start].chars().next_back())
        && !joined(inside.chars().next_back(), text[range.end..].chars().next())
}

/// Many phrases looked up in one pass, each with a value.
pub(super) struct Lexicon<T> {
    phrases: AhoCorasick,
    values: Vec<T>,
}

/// A phrase found.
pub(super) struct Hit<'a, T> {
    /// Where, in the folded text.
    pub(super) range: Range<usize>,
    /// What it means.
    pub(super) value: &'a T,
}

impl<T> Lexicon<T> {
    /// Phrases are folded here; empty ones are left out.
    pub(super) fn new(entries: impl IntoIterator<Item = (String, T)>) -> Self {
        let entries =
            entries.into_iter().map(|(phrase, value)| (fold(&phrase), value)).filter(|(phrase, _)| !phrase.is_empty());
        let (phrases, values): (Vec<String>, Vec<T>) = entries.unzip();
        let phrases = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&phrases)
            .expect("invariant: the data file is far below the automaton's limits");
        Lexicon { phrases, values }
    }

    /// Whole-word hits, the longer of two that overlap, in the order of the text.
    pub(super) fn find<'a>(&'a self, text: &str) -> Vec<Hit<'a, T>> {
        let mut hits: Vec<Hit<'a, T>> = self
            .phrases
            .find_overlapping_iter(text)
            .filter(|found| whole_words(text, &found.range()))
            .map(|found| Hit { range: found.range(), value: &self.values[found.pattern().as_usize()] })
            .collect();
        hits.sort_by_key(|hit| (std::cmp::Reverse(hit.range.len()), hit.range.start));
        let mut kept: Vec<Hit<'a, T>> = Vec::new();
        for hit in hits {
            // Equal stretches are kept: one word can mean two things.
            if kept.iter().all(|other| {
                other.range == hit.range || other.range.end <= hit.range.start || hit.range.end <= other.range.start
            }) {
                kept.push(hit);
            }
        }
        kept.sort_by_key(|hit| hit.range.start);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(fold(text), expected, "{text}");
    }

    #[test]
    fn folding_keeps_words_and_codes() {
        check("What's the PRICE?!", "whats the price");
        check("Koľko stojí kanvica 1,7 l?", "kolko stoji kanvica 1,7 l");
        check("Ещё трек-номер!", "еще трек-номер");
        check("SKU AX-905/2, ok.", "sku ax-905/2 ok");
        check("这双鞋，多少钱？", "这双鞋 多少钱");
        check("  до 30.000 ₽ ", "до 30.000 ₽");
        check("call [phone].", "call [phone]");
    }

    #[test]
    fn stretches_lead_back_to_the_source() {
        let source = "Koľko stojí Čierna KANVICA?";
        let folded = Folded::new(source);
        let at = folded.text.find("cierna kanvica").unwrap();
        assert_eq!(&source[folded.source_range(&(at..at + "cierna kanvica".len()))], "Čierna KANVICA");
    }

    #[test]
    fn the_longest_whole_phrase_wins() {
        let lexicon = Lexicon::new([("red".to_string(), 1), ("dark red".to_string(), 2), ("多少钱".to_string(), 3)]);
        let values = |text: &str| lexicon.find(&fold(text)).into_iter().map(|hit| *hit.value).collect::<Vec<_>>();
        assert_eq!(values("dark red hundred red"), [2, 1]);
        assert_eq!(values("iPhone多少钱呢"), [3]);
    }
}
