//! Text to search tokens: folded words, then one stemmer per language; Chinese is cut by jieba.
//! The same functions serve indexing and questions, so that both sides always agree. Codes keep their letters and digits.

use std::collections::{BTreeMap, HashSet};

use tantivy::tokenizer::{Language as Snowball, Stemmer, TextAnalyzer, TokenStream, Tokenizer, WhitespaceTokenizer};
use tantivy_jieba::JiebaTokenizer;
use unicode_normalization::UnicodeNormalization;

use crate::domain::Language;

use super::slovak;

const STOPWORDS: &str = include_str!("../../data/rules/stopwords.toml");

/// A word as it stands in a text, folded but not stemmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Lower case, without diacritics.
    pub text: String,
    /// A run of Chinese characters.
    pub han: bool,
    /// Two or more words that were written with a separator between them and hold a digit: `dv7-1211ea`.
    pub joined: bool,
}

/// Stemmers and stop words of all languages.
pub struct Analyzer {
    english: TextAnalyzer,
    russian: TextAnalyzer,
    chinese: JiebaTokenizer,
    stopwords: HashSet<String>,
}

impl Default for Analyzer {
    fn default() -> Self {
        Analyzer::new()
    }
}

impl Analyzer {
    /// Loads stemmers and stop words.
    pub fn new() -> Self {
        let stemmed =
            |language| TextAnalyzer::builder(WhitespaceTokenizer::default()).filter(Stemmer::new(language)).build();
        let lists: BTreeMap<Language, String> =
            toml::from_str(STOPWORDS).expect("invariant: data/rules/stopwords.toml is compiled in and tested");
        let stopwords = lists.values().flat_map(|list| list.split_whitespace()).map(fold).collect();
        Analyzer {
            english: stemmed(Snowball::English),
            russian: stemmed(Snowball::Russian),
            chinese: JiebaTokenizer::new(),
            stopwords,
        }
    }

    /// True for a word that says nothing about which product is meant.
    pub fn is_stopword(&self, word: &Word) -> bool {
        self.stopwords.contains(&word.text)
    }

    /// The tokens of a text in one language, in order.
    pub fn tokens(&self, language: Language, text: &str) -> Vec<String> {
        let words = words(text);
        let spaced: Vec<Word> = words.into_iter().flat_map(|word| self.cut(language, word)).collect();
        self.stem(language, &spaced)
    }

    /// The tokens of one word in one language; a Chinese run gives several in Chinese and none elsewhere.
    pub fn word_tokens(&self, language: Language, word: &Word) -> Vec<String> {
        let cut = self.cut(language, word.clone());
        self.stem(language, &cut)
    }

    /// A Chinese run as the words jieba sees in it.
    pub fn segments(&self, run: &str) -> Vec<Word> {
        let mut jieba = self.chinese.clone();
        let mut stream = jieba.token_stream(run);
        let mut words = Vec::new();
        stream.process(&mut |token| words.push(Word { text: token.text.clone(), han: true, joined: false }));
        words
    }

    fn cut(&self, language: Language, word: Word) -> Vec<Word> {
        match (word.han, language) {
            (false, _) => vec![word],
            (true, Language::Zh) => self.segments(&word.text),
            (true, _) => Vec::new(),
        }
    }

    fn stem(&self, language: Language, words: &[Word]) -> Vec<String> {
        let plain = || words.iter().map(|word| word.text.clone());
        let snowball = match language {
            Language::En => &self.english,
            Language::Ru => &self.russian,
            Language::Sk => return plain().map(|word| slovak::stem(&word).to_string()).collect(),
            Language::Zh => return plain().collect(),
        };
        let spaced = plain().collect::<Vec<_>>().join(" ");
        let mut analyzer = snowball.clone();
        let mut stream = analyzer.token_stream(&spaced);
        let mut tokens = Vec::with_capacity(words.len());
        stream.process(&mut |token| tokens.push(token.text.clone()));
        tokens
    }
}

/// Lower case, compatibility forms resolved, diacritics off Latin letters, `ё` as `е`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut base = ' ';
    for letter in text.nfkd().flat_map(char::to_lowercase) {
        if unicode_normalization::char::is_combining_mark(letter) {
            // `й` is a letter of its own; `ё` is written as `е` by most.
            if base == 'и' && letter == '\u{306}' {
                folded.pop();
                folded.push('й');
            }
            continue;
        }
        base = letter;
        match letter {
            'ß' => folded.push_str("ss"),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ø' => folded.push('o'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            _ => folded.push(letter),
        }
    }
    folded
}

/// The words of a text in order; after a compound such as `dv7-1211ea` its joined form.
pub fn words(text: &str) -> Vec<Word> {
    let letters: Vec<char> = fold(&text.replace(['™', '®', '©'], " ")).chars().collect();
    let mut words = Vec::new();
    let mut compound = Compound::default();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        if is_han(letter) {
            compound.close(&mut words);
            let end = run(&letters, at, is_han);
            words.push(Word { text: letters[at..end].iter().collect(), han: true, joined: false });
            at = end;
        } else if letter.is_alphanumeric() {
            let end = word_end(&letters, at);
            let text: String =
                letters[at..end].iter().map(|letter| if *letter == ',' { '.' } else { *letter }).collect();
            compound.push(&text);
            words.extend(split_unit(&text).into_iter().map(|text| Word { text, han: false, joined: false }));
            at = end;
        } else {
            if !matches!(letter, '-' | '/' | '_' | '.') {
                compound.close(&mut words);
            }
            at += 1;
        }
    }
    compound.close(&mut words);
    words
}

#[derive(Default)]
struct Compound {
    parts: Vec<String>,
}

impl Compound {
    fn push(&mut self, part: &str) {
        self.parts.push(part.to_string());
    }

    fn close(&mut self, words: &mut Vec<Word>) {
        let text = self.parts.concat();
        if self.parts.len() > 1 && text.len() >= 4 && text.chars().any(|letter| letter.is_ascii_digit()) {
            words.push(Word { text, han: false, joined: true });
        }
        self.parts.clear();
    }
}

fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

fn run(letters: &[char], from: usize, accept: impl Fn(char) -> bool) -> usize {
    letters[from..].iter().position(|letter| !accept(*letter)).map_or(letters.len(), |length| from + length)
}

/// The end of a word: a point or comma between two digits belongs to it.
fn word_end(letters: &[char], from: usize) -> usize {
    let in_word = |letter: char| letter.is_alphanumeric() && !is_han(letter);
    let mut end = run(letters, from, in_word);
    while end + 1 < letters.len()
        && matches!(letters[end], '.' | ',')
        && letters[end - 1].is_ascii_digit()
        && letters[end + 1].is_ascii_digit()
    {
        end = run(letters, end + 1, in_word);
    }
    end
}

/// `16gb` is written `16 GB` as often: a short number with a short unit is two words.
fn split_unit(text: &str) -> Vec<String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let is_unit = !unit.is_empty() && unit.chars().count() <= 3 && unit.chars().all(char::is_alphabetic);
    if is_unit && (1..=5).contains(&number.len()) {
        return vec![number.to_string(), unit.to_string()];
    }
    vec![text.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, text: &str, expected: &str) {
        assert_eq!(Analyzer::new().tokens(language, text).join(" "), expected, "{text}");
    }

    #[test]
    fn words_are_folded_and_stemmed_by_language() {
        check(Language::En, "Wireless Keyboards", "wireless keyboard");
        check(Language::Ru, "Чёрные ботинки", "черн ботинк");
        check(Language::Ru, "чайник", "чайник");
        check(Language::Sk, "Pánske topánky", "pansk topank");
        check(Language::Sk, "topanok", "topank");
        check(Language::Zh, "电热水壶 1.7升", "电热 热水 水壶 电热水壶 1.7 升");
    }

    #[test]
    fn numbers_units_and_codes_are_kept_exact() {
        check(Language::En, "16GB 1,7 l", "16 gb 1.7 l");
        check(Language::En, "HP dv7-1211ea", "hp dv7 1211 ea dv71211ea");
        check(Language::En, "Core™2 Duo", "core 2 duo");
        check(Language::Zh, "USB-C数据线", "usb c 数据 数据线");
    }

    #[test]
    fn question_frames_are_stop_words() {
        let analyzer = Analyzer::new();
        for text in ["how much is", "сколько стоит", "koľko stojí", "多少钱", "kolko stoji"] {
            for word in words(text) {
                assert!(analyzer.is_stopword(&word), "{text}: {}", word.text);
            }
        }
    }
}
