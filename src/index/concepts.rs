//! Words for the same thing across languages, and which of them name a thing that only goes with another.
//! In: the words of a question or a name. Out: further words to look for. Its vocabulary is `data/rules/concepts.toml`.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use crate::domain::Language;

use super::analysis::{Analyzer, Word, words};

const CONCEPTS: &str = include_str!("../../data/rules/concepts.toml");
/// The most words one concept is written with.
const LONGEST: usize = 4;
/// The most characters a Chinese concept is written with.
const LONGEST_HAN: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    things: BTreeMap<String, BTreeMap<Language, String>>,
    parts: BTreeMap<String, BTreeMap<Language, String>>,
    qualities: BTreeMap<String, BTreeMap<Language, String>>,
}

/// One way to say a concept: its language and tokens.
pub type Phrase = (Language, Vec<String>);

/// A concept met in a question.
#[derive(Debug, PartialEq)]
pub struct Met<'a> {
    /// The first of the question's words that say it.
    pub from: usize,
    /// How many words say it.
    pub length: usize,
    /// Every way to say it.
    pub phrases: Vec<&'a Phrase>,
}

/// The table of concepts.
pub struct Concepts {
    phrases: Vec<Vec<Phrase>>,
    by_key: HashMap<String, Vec<usize>>,
    /// Tokens of one-word accessories and the concepts they stand for.
    parts: HashMap<(Language, String), usize>,
}

impl Concepts {
    /// Reads the compiled-in table.
    pub fn new(analyzer: &Analyzer) -> Self {
        let file: File =
            toml::from_str(CONCEPTS).expect("invariant: data/rules/concepts.toml is compiled in and tested");
        let mut concepts = Concepts { phrases: Vec::new(), by_key: HashMap::new(), parts: HashMap::new() };
        for (is_part, list) in [(false, file.things), (true, file.parts), (false, file.qualities)] {
            for (_, said) in list {
                concepts.add(&said, is_part, analyzer);
            }
        }
        concepts
    }

    fn add(&mut self, said: &BTreeMap<Language, String>, is_part: bool, analyzer: &Analyzer) {
        let number = self.phrases.len();
        let mut phrases = Vec::new();
        for (language, list) in said {
            for text in list.split(';') {
                let tokens = key_tokens(*language, text, analyzer);
                let numbers = self.by_key.entry(key(*language, &tokens)).or_default();
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
                if is_part && tokens.len() == 1 {
                    self.parts.insert((*language, tokens[0].clone()), number);
                }
                phrases.push((*language, tokens));
            }
        }
        self.phrases.push(phrases);
    }

    /// The concepts that stand in a question, in the order met; one word may belong to several.
    pub fn in_question(&self, kept: &[Word], analyzer: &Analyzer) -> Vec<Met<'_>> {
        let mut met = Vec::new();
        for from in 0..kept.len() {
            for length in 1..=LONGEST.min(kept.len() - from) {
                let span = &kept[from..from + length];
                let numbers = self.numbers(span, analyzer);
                if !numbers.is_empty() {
                    let phrases = numbers.iter().flat_map(|number| &self.phrases[*number]).collect();
                    met.push(Met { from, length, phrases });
                }
            }
        }
        met
    }

    /// Chinese concepts that the cut into words runs across: `笔记本电脑包` may be cut so that the bag is lost. Each
    /// with the characters that say it and the words it touches; the longest from the left wins.
    pub fn across_words(&self, kept: &[Word]) -> Vec<(String, Met<'_>)> {
        let letters: Vec<(usize, char)> =
            kept.iter().enumerate().flat_map(|(at, word)| word.text.chars().map(move |letter| (at, letter))).collect();
        let starts = |at: usize| at == 0 || at == letters.len() || letters[at - 1].0 != letters[at].0;
        let mut met = Vec::new();
        let mut from = 0;
        while from < letters.len() {
            let longest = (1..=LONGEST_HAN.min(letters.len() - from)).rev().find_map(|length| {
                let span = &letters[from..from + length];
                let said: String = span.iter().map(|(_, letter)| letter).collect();
                let numbers = self.by_key.get(&key(Language::Zh, std::slice::from_ref(&said)))?;
                span.iter().all(|(at, _)| kept[*at].han).then_some((length, said, numbers))
            });
            let Some((length, said, numbers)) = longest else {
                from += 1;
                continue;
            };
            if !starts(from) || !starts(from + length) {
                let (first, last) = (letters[from].0, letters[from + length - 1].0);
                let phrases = numbers.iter().flat_map(|number| &self.phrases[*number]).collect();
                met.push((said, Met { from: first, length: last + 1 - first, phrases }));
            }
            from += length;
        }
        met
    }

    /// A phrase is read in every language: `monitor` is a word of three.
    fn numbers(&self, span: &[Word], analyzer: &Analyzer) -> Vec<usize> {
        let mut numbers: Vec<usize> = Vec::new();
        for language in Language::ALL {
            let tokens: Vec<String> = match language {
                Language::Zh if span.iter().all(|word| word.han) => {
                    vec![span.iter().map(|word| word.text.as_str()).collect()]
                }
                // Other languages have no token for a Chinese word: the rest would stand for the whole.
                Language::En | Language::Ru | Language::Sk if span.iter().any(|word| word.han) => continue,
                _ => span.iter().flat_map(|word| analyzer.word_tokens(language, word)).collect(),
            };
            let known = self.by_key.get(&key(language, &tokens)).into_iter().flatten();
            numbers.extend(known.copied());
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The accessories that a name or a question speaks of.
    pub fn parts<'t>(&self, language: Language, tokens: impl Iterator<Item = &'t String>) -> HashSet<usize> {
        tokens.filter_map(|token| self.parts.get(&(language, token.clone())).copied()).collect()
    }
}

/// The tokens a phrase is looked up by: Chinese in one piece, as shoppers' words are cut elsewhere each time.
fn key_tokens(language: Language, text: &str, analyzer: &Analyzer) -> Vec<String> {
    let all: Vec<Word> = words(text).into_iter().filter(|word| !word.joined).collect();
    if language == Language::Zh && all.iter().all(|word| word.han) {
        return vec![all.iter().map(|word| word.text.as_str()).collect()];
    }
    all.iter().flat_map(|word| analyzer.word_tokens(language, word)).collect()
}

fn key(language: Language, tokens: &[String]) -> String {
    format!("{language} {}", tokens.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, expected: &str) {
        let analyzer = Analyzer::new();
        let concepts = Concepts::new(&analyzer);
        let cut = |word: Word| if word.han { analyzer.segments(&word.text) } else { vec![word] };
        let kept: Vec<Word> = words(question).into_iter().flat_map(cut).collect();
        let met = concepts.in_question(&kept, &analyzer);
        let english = |met: &Met<'_>| met.phrases.iter().find(|phrase| phrase.0 == Language::En).map(|p| p.1.join(" "));
        assert_eq!(met.iter().filter_map(english).collect::<Vec<_>>().join(", "), expected, "{question}");
    }

    #[test]
    fn one_thing_in_every_language() {
        check("laptops", "laptop");
        check("чехлы для ноутбука", "case, laptop");
        check("bezdrotova mys", "wireless, mous");
        check("无线鼠标", "wireless, mous");
        check("笔记本电脑", "comput, laptop, laptop");
        check("карта памяти 32gb", "memori card, memori");
        check("qwerty", "");
    }

    #[test]
    fn a_chinese_concept_across_words_is_found() {
        let concepts = Concepts::new(&Analyzer::new());
        let cut = |parts: &[&str]| -> Vec<String> {
            let word = |text: &&str| Word { text: text.to_string(), han: true, joined: false };
            concepts.across_words(&parts.iter().map(word).collect::<Vec<_>>()).into_iter().map(|met| met.0).collect()
        };
        let check = |parts: &[&str], expected: &[&str]| assert_eq!(cut(parts), expected, "{parts:?}");
        check(&["笔记本", "电脑包"], &["笔记本电脑", "包"]);
        check(&["笔记本电脑", "包"], &[]);
        check(&["无线", "鼠标"], &[]);
    }

    #[test]
    fn accessories_are_known() {
        let analyzer = Analyzer::new();
        let concepts = Concepts::new(&analyzer);
        let parts = |text: &str| concepts.parts(Language::En, analyzer.tokens(Language::En, text).iter()).len();
        assert_eq!(parts("Universal laptop charger"), 1);
        assert_eq!(parts("Gaming laptop 15 inch"), 0);
    }
}
