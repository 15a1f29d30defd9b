//! What Chinese words are at heart: the last sign of 煎锅, 炒锅 and 汤锅 says that each is a 锅. In: the words of the names of an index.
//! Out: for a word of one sign, or of one with 子 behind it, the longer ones that end in it.

use std::collections::HashMap;

use tantivy::Searcher;
use tantivy::schema::Field;

/// A longer word is a phrase.
const LONGEST: usize = 6;
/// So many kinds of one thing are looked for, the commonest ones.
const MOST: usize = 40;
/// A noun's ending that says nothing: 杯子 is a 杯.
const EMPTY: char = '子';

/// Words by their last sign.
#[derive(Debug, Default)]
pub struct Heads(HashMap<char, Vec<String>>);

impl Heads {
    /// Takes words with how many names hold each; others than Chinese ones are left out.
    pub fn new(words: impl IntoIterator<Item = (u32, String)>) -> Self {
        let mut by_last: HashMap<char, Vec<(u32, String)>> = HashMap::new();
        for (names, word) in words {
            let signs = word.chars().count();
            let Some(last) = word.chars().next_back().filter(|_| (2..=LONGEST).contains(&signs)) else { continue };
            if word.chars().all(is_han) {
                by_last.entry(last).or_default().push((names, word));
            }
        }
        let commonest = |(last, mut words): (char, Vec<(u32, String)>)| {
            words.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            words.truncate(MOST);
            (last, words.into_iter().map(|(_, word)| word).collect())
        };
        Heads(by_last.into_iter().map(commonest).collect())
    }

    /// Over the words of one field.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn of_names(searcher: &Searcher, field: Field) -> anyhow::Result<Self> {
        let mut words = Vec::new();
        for segment in searcher.segment_readers() {
            let inverted = segment.inverted_index(field)?;
            let mut stream = inverted.terms().stream()?;
            while stream.advance() {
                words.push((stream.value().doc_freq, String::from_utf8_lossy(stream.key()).into_owned()));
            }
        }
        Ok(Heads::new(words))
    }

    /// The words that are such a thing; none for a word that says more.
    pub fn of(&self, word: &str) -> &[String] {
        let mut signs = word.chars();
        let head = match (signs.next(), signs.next(), signs.next()) {
            (Some(head), None, _) | (Some(head), Some(EMPTY), None) => head,
            _ => return &[],
        };
        self.0.get(&head).map_or(&[], Vec::as_slice)
    }
}

fn is_han(sign: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sign_says_what_it_is() {
        let words = [(1, "煎锅"), (3, "炒锅"), (1, "马克杯"), (1, "锅"), (1, "24"), (1, "wok")];
        let heads = Heads::new(words.map(|(names, word)| (names, word.to_string())));
        let check = |word: &str, expected: &[&str]| assert_eq!(heads.of(word), expected, "{word}");
        check("锅", &["炒锅", "煎锅"]);
        check("杯", &["马克杯"]);
        check("杯子", &["马克杯"]);
        check("煎锅", &[]);
        check("锅具", &[]);
        check("k", &[]);
        check("", &[]);
    }
}
