//! Which properties are asked for to narrow a search down, and how: `data/rules/narrowing.toml`. In: a product, or the words of an answer.
//! Out: the property's value that splits, or which of its values the words mean.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Deserialize;

use crate::domain::{Language, Localised};

/// The table of questions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Narrowings(BTreeMap<String, Property>);

/// A property that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// The question.
    pub ask: Localised,
    #[serde(default)]
    any: Vec<String>,
    /// Beginnings of words that mean one value.
    #[serde(default)]
    pub alike: Vec<Vec<String>>,
}

impl Narrowings {
    /// Every property with its id.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0.iter().map(|(id, property)| (id.as_str(), property))
    }

    /// One property.
    pub fn property(&self, id: &str) -> Option<&Property> {
        self.0.get(id)
    }

    /// Each question is asked in every language.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (id, property) in &self.0 {
            if let Some(language) = Language::ALL.into_iter().find(|language| !property.ask.0.contains_key(language)) {
                bail!("[{id}] ask: {language} is missing");
            }
        }
        Ok(())
    }
}

impl Property {
    /// True when each word is of a value that may be named in answer to it, whether or not anything has that value.
    pub fn may_mean(&self, words: &str) -> bool {
        let starts: Vec<String> = self.alike.iter().flatten().map(|start| start.to_lowercase()).collect();
        words.to_lowercase().split_whitespace().all(|word| starts.iter().any(|start| word.starts_with(start)))
    }

    /// True for a value that suits everybody.
    pub fn suits_all(&self, value: &Localised) -> bool {
        let holds = |text: &str| self.any.iter().any(|word| text.to_lowercase().contains(&word.to_lowercase()));
        value.all().any(|(_, text)| holds(text))
    }
}
