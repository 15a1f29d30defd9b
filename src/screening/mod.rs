//! Screening: a raw text in, a [`Screened`] message out, with personal data masked and signs of abuse scored.
//! Pure: it knows no model, clock, runtime or file; its rules are handed in as [`ScreeningConfig`].

use std::str::FromStr;

use serde::Deserialize;

use crate::domain::message::Marks;
use crate::domain::{Language, Screened};

pub mod cases;
mod identity;
mod injection;
mod language;
mod normalise;
mod phone;
mod pii;
mod signals;
mod spam;
mod weights;

pub use language::LanguageGuess;
pub use normalise::normalise;

/// The rules of screening, `data/rules/screening.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreeningConfig {
    language: language::LanguageRules,
    pii: pii::PiiRules,
    injection: injection::InjectionRules,
    spam: spam::SpamRules,
}

/// Why the rules of screening cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScreeningError {
    /// Not the file's shape.
    #[error("screening rules: {0}")]
    Shape(#[from] toml::de::Error),
    /// A pattern that does not compile.
    #[error("screening rules, `{rule}`: {source}; mend the pattern")]
    Pattern {
        /// The rule it stands in.
        rule: String,
        /// What the pattern engine says.
        source: Box<regex::Error>,
    },
    /// A value outside what the rule allows.
    #[error("screening rules, `{rule}`: `{value}` is not {wanted}")]
    Value {
        /// The rule it stands in.
        rule: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
}

impl FromStr for ScreeningConfig {
    type Err = ScreeningError;

    fn from_str(text: &str) -> Result<Self, ScreeningError> {
        Ok(toml::from_str(text)?)
    }
}

/// The stage, its rules compiled.
pub struct Screening {
    language: language::Detector,
    pii: pii::PiiFinder,
    injection: injection::InjectionScorer,
    spam: spam::SpamScorer,
}

impl Screening {
    /// Compiles the rules.
    ///
    /// # Errors
    /// A pattern, region or length that cannot be read, by rule.
    pub fn new(config: ScreeningConfig) -> Result<Self, ScreeningError> {
        Ok(Screening {
            language: language::Detector::new(config.language),
            pii: pii::PiiFinder::new(config.pii)?,
            injection: injection::InjectionScorer::new(config.injection)?,
            spam: spam::SpamScorer::new(config.spam)?,
        })
    }

    /// Screens one text. `fallback` is the session's language, `locale` the channel's.
    pub fn screen(&self, text: &str, fallback: Language, locale: Option<Language>) -> Screened {
        let private = normalise(text);
        let pii = self.pii.find(&private);
        // The letters of an address are words of no language.
        let spoken = private.char_indices().filter(|(at, _)| !pii.iter().any(|found| found.range.contains(at)));
        let guess = self.language.guess(&spoken.map(|(_, letter)| letter).collect::<String>());
        let language = self.language.decide(guess, fallback, locale);
        Screened {
            text: pii::mask(&private, &pii),
            language,
            injection: self.injection.score(text, &private),
            spam: self.spam.score(&private, language),
            pii,
            private,
            marks: Marks::default(),
        }
    }

    /// How much a text speaks to a model instead of a person, 0 to 1: for text that comes with a feed.
    pub fn injection(&self, text: &str) -> f32 {
        self.injection.score(text, &normalise(text))
    }

    /// The language of a text and how certain that is, 0 to 1.
    pub fn detect(&self, text: &str) -> LanguageGuess {
        self.language.guess(&normalise(text))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Compiling the rules takes a while, so the tests share one.
    pub(crate) fn screening() -> &'static Screening {
        static SHARED: std::sync::LazyLock<Screening> = std::sync::LazyLock::new(fresh);
        &SHARED
    }

    fn fresh() -> Screening {
        let config = include_str!("../../data/rules/screening.toml").parse().unwrap_or_else(|error| panic!("{error}"));
        Screening::new(config).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_message_keeps_its_private_form_and_shows_the_masked_one() {
        let screened = screening().screen("Volajte  +421 905 123 456,\u{200b} prosím", Language::En, None);
        assert_eq!(screened.private, "Volajte +421 905 123 456, prosím");
        assert_eq!(screened.text, "Volajte [phone], prosím");
        assert_eq!(screened.language, Language::Sk);
        assert_eq!(&screened.private[screened.pii[0].range.clone()], "+421 905 123 456");
    }

    #[test]
    fn a_broken_pattern_is_named_by_rule() {
        let text = include_str!("../../data/rules/screening.toml").replace("'\\bsystem prompt\\b'", "'('");
        let message = Screening::new(text.parse().unwrap()).err().map(|error| error.to_string());
        assert!(message.is_some_and(|message| message.contains("tell_the_secret")));
    }
}
