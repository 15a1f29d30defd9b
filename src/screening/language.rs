//! Which of the four languages a text is in: script first, then letters and words that tell, then statistics.
//! A text that does not tell (a model name, a size) keeps the language of the session.

use std::collections::{HashMap, HashSet};

use lingua::{LanguageDetector, LanguageDetectorBuilder};
use serde::Deserialize;

use crate::domain::Language;
use crate::domain::language::fold;

/// Rules of language detection, section `language`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageRules {
    certain: f32,
    hints: HashMap<Language, String>,
}

/// A language and how certain it is, 0 to 1; 0 when nothing tells.
pub type LanguageGuess = (Language, f32);

pub(super) struct Detector {
    certain: f32,
    hints: HashMap<Language, HashSet<String>>,
    statistics: LanguageDetector,
}

impl Detector {
    pub(super) fn new(rules: LanguageRules) -> Self {
        let words = |text: String| text.split_whitespace().map(fold).collect();
        Detector {
            certain: rules.certain,
            hints: rules.hints.into_iter().map(|(language, text)| (language, words(text))).collect(),
            statistics: LanguageDetectorBuilder::from_languages(&[lingua::Language::English, lingua::Language::Slovak])
                .with_preloaded_language_models()
                .build(),
        }
    }

    /// The likeliest language and its certainty.
    pub(super) fn guess(&self, text: &str) -> LanguageGuess {
        let scripts = Scripts::count(text);
        // A Chinese character says about as much as two letters, and brand names are Latin everywhere.
        if scripts.han > 0 && scripts.han * 2 >= scripts.cyrillic {
            return (Language::Zh, if scripts.kana > 0 { 0.6 } else { 0.99 });
        }
        if scripts.cyrillic > 0 {
            return (Language::Ru, if scripts.cyrillic * 6 >= scripts.latin { 0.99 } else { 0.8 });
        }
        if scripts.latin == 0 {
            return (Language::En, 0.0);
        }
        self.guess_latin(text)
    }

    fn guess_latin(&self, text: &str) -> LanguageGuess {
        let folded = fold(text);
        let words: Vec<&str> =
            folded.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
        let count = |language| {
            self.hints.get(&language).map_or(0, |hints| words.iter().filter(|word| hints.contains(**word)).count())
        };
        // "A" is a word in both; beside nothing else it tells neither.
        let articles = words.iter().filter(|word| **word == "a").count();
        let en = count(Language::En);
        let en = if en > articles { en as f32 } else { 0.0 };
        let sk = count(Language::Sk) as f32 + slovak_letters(text);
        let (ru, zh) = (count(Language::Ru) as f32, count(Language::Zh) as f32);
        if ru > 0.0 && ru > sk.max(en) {
            return (Language::Ru, 0.75);
        }
        if zh > 0.0 && zh > sk.max(en) {
            return (Language::Zh, 0.75);
        }
        if sk + en > 0.0 && sk != en {
            let (language, ours, other) = if sk > en { (Language::Sk, sk, en) } else { (Language::En, en, sk) };
            return (language, (0.55 + 0.4 * (ours - other) / (ours + other)).min(0.97));
        }
        // Names of towns and people, addresses and codes are the same in every language.
        let telling = |(at, word): &(usize, &str)| {
            let name = *at > 0 && word.starts_with(char::is_uppercase);
            !name && !word.contains(['@', '/', '_']) && !word.contains(|c: char| c.is_ascii_digit())
        };
        let text: Vec<&str> = text.split_whitespace().enumerate().filter(telling).map(|(_, word)| word).collect();
        self.guess_by_statistics(&text.join(" "), text.len())
    }

    /// Statistics see English in every brand name, so they count little before there is a sentence.
    fn guess_by_statistics(&self, text: &str, words: usize) -> LanguageGuess {
        let slovak = self.statistics.compute_language_confidence(text, lingua::Language::Slovak) as f32;
        let (language, confidence) = if slovak >= 0.5 { (Language::Sk, slovak) } else { (Language::En, 1.0 - slovak) };
        let trust = match (language, words) {
            (_, 0..=1) => 0.4,
            (Language::En, 2..=4) => 0.5,
            (_, 2..=4) => 0.75,
            (Language::En, 5..=6) => 0.7,
            _ => 0.95,
        };
        (language, confidence * trust)
    }

    /// What the message is answered in.
    pub(super) fn decide(&self, guess: LanguageGuess, fallback: Language, locale: Option<Language>) -> Language {
        let (language, confidence) = guess;
        let expected = confidence > 0.5 && locale == Some(language);
        if confidence >= self.certain || expected { language } else { fallback }
    }
}

/// Letters that English lacks, each worth as much as a word; accents that English borrows are worth less.
fn slovak_letters(text: &str) -> f32 {
    let strong = text.chars().filter(|c| "čďľĺňŕšťžôČĎĽĹŇŔŠŤŽÔ".contains(*c)).count() as f32;
    let weak = text.chars().filter(|c| "áíúýäÁÍÚÝÄ".contains(*c)).count() as f32;
    strong + weak * 0.6
}

#[derive(Default)]
struct Scripts {
    han: usize,
    kana: usize,
    cyrillic: usize,
    latin: usize,
}

impl Scripts {
    fn count(text: &str) -> Self {
        let mut scripts = Scripts::default();
        for c in text.chars() {
            match c {
                '\u{3400}'..='\u{4dbf}'
                | '\u{4e00}'..='\u{9fff}'
                | '\u{f900}'..='\u{faff}'
                | '\u{20000}'..='\u{3ffff}' => scripts.han += 1,
                '\u{3040}'..='\u{30ff}' => scripts.kana += 1,
                '\u{0400}'..='\u{052f}' => scripts.cyrillic += 1,
                _ if c.is_alphabetic() => scripts.latin += 1,
                _ => {}
            }
        }
        scripts
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::screening;
    use super::*;

    fn check(cases: &[(&str, Language, Language)]) {
        let screening = screening();
        for (text, fallback, expected) in cases {
            let guess = screening.detect(text);
            assert_eq!(screening.screen(text, *fallback, None).language, *expected, "{text}: {guess:?}");
        }
    }

    #[test]
    fn scripts_decide_at_once() {
        use Language::*;
        check(&[
            ("Сколько стоит iPhone 15 Pro Max?", En, Ru),
            ("Nike Air Max 多少钱", En, Zh),
            ("有没有42码", Ru, Zh),
            ("а чехол Samsung Galaxy S24 Ultra есть", Zh, Ru),
        ]);
    }

    #[test]
    fn short_words_tell_without_diacritics() {
        use Language::*;
        check(&[
            ("kolko stoji Air Max", En, Sk),
            ("mate cierne tenisky", Ru, Sk),
            ("kde je moja objednavka", En, Sk),
            ("dobry den", En, Sk),
            ("how much is it", Sk, En),
            ("do you have the black one", Sk, En),
            ("where is my order", Sk, En),
            ("Koľko stojí doprava do Košíc?", En, Sk),
            ("thanks", Sk, En),
            ("ďakujem", En, Sk),
            ("skolko stoit kurtka", En, Ru),
            ("Potrebovala by som poradiť s výberom topánok", En, Sk),
            ("a nepremokavé?", Sk, Sk),
            ("do you have a kettle", Sk, En),
        ]);
    }

    #[test]
    fn what_does_not_tell_keeps_the_session() {
        use Language::*;
        check(&[
            ("Nike Air Max 90", Ru, Ru),
            ("XL", Zh, Zh),
            ("42", Sk, Sk),
            ("iPhone 15 Pro", Zh, Zh),
            ("TT-10231", Ru, Ru),
            ("Bosch Serie 6", Sk, Sk),
            ("👍", Ru, Ru),
            ("to Bratislava", En, En),
            ("john@example.com", En, En),
            ("to Prague please", En, En),
            ("", Zh, Zh),
        ]);
    }
}
