//! The four languages of the shop's customers, and text that exists in several of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A language the assistant answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Russian.
    Ru,
    /// Slovak.
    Sk,
    /// Chinese, simplified.
    Zh,
}

impl Language {
    /// Every language, in a stable order.
    pub const ALL: [Language; 4] = [Language::En, Language::Ru, Language::Sk, Language::Zh];

    /// The ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Ru => "ru",
            Language::Sk => "sk",
            Language::Zh => "zh",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A language code that is none of the configured ones.
#[derive(Debug, thiserror::Error)]
#[error("unknown language `{0}`: use one of en, ru, sk, zh")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Reads `ru`, `ru-RU`, `zh_CN`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let primary = text.split(['-', '_']).next().unwrap_or(text);
        Language::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(primary))
            .ok_or_else(|| UnknownLanguage(text.to_string()))
    }
}

/// One text in the languages it was given in. Never empty once parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Localised(pub BTreeMap<Language, String>);

impl Localised {
    /// A text that exists in one language.
    pub fn only(language: Language, text: impl Into<String>) -> Self {
        Localised(BTreeMap::from([(language, text.into())]))
    }

    /// The text in `language`, else in English, else in whichever language there is; `""` when there is none.
    pub fn get(&self, language: Language) -> &str {
        self.0
            .get(&language)
            .or_else(|| self.0.get(&Language::En))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }

    /// All language versions.
    pub fn all(&self) -> impl Iterator<Item = (Language, &str)> {
        self.0.iter().map(|(language, text)| (*language, text.as_str()))
    }

    /// True when there is no text in any language.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|text| text.trim().is_empty())
    }
}

/// Lower case without diacritics, for matching: `Veľkosť` and `velkost` are one, so are `й` and `и`, `ё` and `е`.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).nfd().filter(|c| !is_combining_mark(*c)).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_forgets_marks() {
        assert_eq!(fold("Veľkosť ČIERNA"), "velkost cierna");
        assert_eq!(fold("Ещё йод"), "еще иод");
    }
}
