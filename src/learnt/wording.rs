//! How a message is worded: runs of up to four letters within its words, its words and pairs of words, each weighed by how
//! few examples have it. Beside the embedding, which knows what a message is about, this knows how it is said.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest run of letters.
const LONGEST: usize = 4;
/// A run or word that fewer examples have says nothing.
const RAREST: u32 = 2;
/// Weight of all runs together and of all words together, beside an embedding of length 1.
const RUNS_WEIGHT: f32 = 1.3;
const WORDS_WEIGHT: f32 = 0.7;

/// Which runs and words are known, and what each weighs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    /// Digests, ascending.
    pub known: Vec<u64>,
    /// The logarithm of how rare each is, in the order of `known`.
    pub rarity: Vec<f32>,
}

/// Places in the vocabulary with their values.
pub type Wording = Vec<(u32, f32)>;

impl Vocabulary {
    /// What at least two of the texts have.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut having: HashMap<u64, u32> = HashMap::new();
        let mut count = 0_u32;
        for text in texts {
            let (runs, words) = pieces(text);
            runs.into_keys().chain(words.into_keys()).for_each(|piece| *having.entry(piece).or_default() += 1);
            count += 1;
        }
        let mut known: Vec<(u64, u32)> = having.into_iter().filter(|(_, having)| *having >= RAREST).collect();
        known.sort_unstable();
        let rarity = |having: u32| ((1.0 + f64::from(count)) / (1.0 + f64::from(having))).ln() as f32 + 1.0;
        let (known, rarity) = known.into_iter().map(|(piece, having)| (piece, rarity(having))).unzip();
        Vocabulary { known, rarity }
    }

    /// The wording of a text.
    pub fn wording(&self, text: &str) -> Wording {
        let (runs, words) = pieces(text);
        let mut wording = self.weighed(runs, RUNS_WEIGHT);
        wording.extend(self.weighed(words, WORDS_WEIGHT));
        wording
    }

    fn weighed(&self, pieces: HashMap<u64, u32>, weight: f32) -> Wording {
        let known = |(piece, times): (u64, u32)| {
            let at = self.known.binary_search(&piece).ok()?;
            Some((at as u32, (1.0 + (times as f32).ln()) * self.rarity[at]))
        };
        let mut values: Wording = pieces.into_iter().filter_map(known).collect();
        values.sort_unstable_by_key(|(at, _)| *at);
        let length = values.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        values.iter_mut().for_each(|(_, value)| *value *= weight / length.max(1e-6));
        values
    }
}

/// Digests of all runs, and of all words and pairs, with how often each occurs.
fn pieces(text: &str) -> (HashMap<u64, u32>, HashMap<u64, u32>) {
    let plain: String = text
        .to_lowercase()
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| if c.is_numeric() { '0' } else { c })
        .collect();
    let mut runs = HashMap::new();
    for word in plain.split_whitespace() {
        let letters: Vec<char> = format!(" {word} ").chars().collect();
        for length in 1..=LONGEST.min(letters.len()) {
            let blank = |run: &&[char]| run.iter().any(|c| *c != ' ');
            letters.windows(length).filter(blank).for_each(|run| *runs.entry(digest('r', run)).or_default() += 1);
        }
    }
    let words = words(&plain);
    let mut counted = HashMap::new();
    words.iter().for_each(|word| *counted.entry(digest('w', word)).or_default() += 1);
    words.windows(2).for_each(|pair| *counted.entry(digest('w', &pair.join(&' '))).or_default() += 1);
    (runs, counted)
}

/// Letters and digits that stand together, and single signs.
fn words(plain: &str) -> Vec<Vec<char>> {
    let mut words: Vec<Vec<char>> = Vec::new();
    let mut open = false;
    for c in plain.chars() {
        let letter = c.is_alphanumeric();
        match words.last_mut() {
            Some(word) if open && letter => word.push(c),
            _ if !c.is_whitespace() => words.push(vec![c]),
            _ => {}
        }
        open = letter;
    }
    words
}

/// FNV-1a: the same on every machine, which a stored vocabulary needs.
fn digest(kind: char, letters: &[char]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    std::iter::once(&kind)
        .chain(letters)
        .flat_map(|letter| u32::from(*letter).to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.into_iter().collect()).collect()
    }

    #[test]
    fn words_and_signs_stand_apart() {
        assert_eq!(split("how much, pls?"), ["how", "much", ",", "pls", "?"]);
        assert_eq!(split("a-3 b"), ["a", "-", "3", "b"]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn spelling_case_and_numbers_do_not_matter() {
        let vocabulary = Vocabulary::of(["Koľko stojí 25?", "kolko stoji 17?", "other words"].into_iter());
        let (one, other) = (vocabulary.wording("KOĽKO STOJÍ 25?"), vocabulary.wording("kolko stoji 99?"));
        assert!(!one.is_empty());
        assert_eq!(one, other);
        assert!(vocabulary.wording("zzz").is_empty(), "nothing of it is known");
    }

    #[test]
    fn runs_and_words_have_their_weights() {
        let vocabulary = Vocabulary::of(["how much is it", "how much is that"].into_iter());
        let length = vocabulary.wording("how much").iter().map(|(_, value)| value * value).sum::<f32>();
        assert!((length - (RUNS_WEIGHT * RUNS_WEIGHT + WORDS_WEIGHT * WORDS_WEIGHT)).abs() < 1e-3, "{length}");
    }
}
