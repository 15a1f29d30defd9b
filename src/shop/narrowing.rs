//! Properties by which goods are chosen, and how they are asked for: `data/rules/narrowing.toml`. In: a product, or the words of an
//! answer. Out: the property's value that splits, or which of its values the words mean. What a message wants of them: `wanted.rs`.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Deserialize;

use crate::domain::{Language, Localised};

/// The table of properties.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Narrowings(BTreeMap<String, Property>);

/// A property by which goods are chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Property {
    /// The question; none of what is never asked for.
    pub ask: Option<Localised>,
    pub(super) also: Vec<String>,
    pub(super) any: Vec<String>,
    pub(super) but: Vec<String>,
    /// Beginnings of words that mean one value.
    pub alike: Vec<Vec<String>>,
    pub(super) has: bool,
    pub(super) in_text: bool,
    pub(super) least: Vec<String>,
    pub(super) most: Vec<String>,
    /// What one of each unit is worth.
    pub(super) units: BTreeMap<String, f64>,
    pub(super) never: Vec<String>,
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
            let lacks = |language: &Language| property.ask.as_ref().is_some_and(|ask| !ask.0.contains_key(language));
            if let Some(language) = Language::ALL.into_iter().find(lacks) {
                bail!("[{id}] ask: {language} is missing");
            }
        }
        Ok(())
    }
}

impl Property {
    /// True when each word is of a value that may be named in answer to it, whether or not anything has that value.
    pub fn may_mean(&self, words: &str) -> bool {
        let starts: Vec<String> =
            self.alike.iter().flatten().map(|start| start.trim_end_matches('=').to_lowercase()).collect();
        words.to_lowercase().split_whitespace().all(|word| starts.iter().any(|start| word.starts_with(start)))
    }

    /// True for a value that suits everybody.
    pub fn suits_all(&self, value: &Localised) -> bool {
        let holds = |text: &str| self.any.iter().any(|word| text.to_lowercase().contains(&word.to_lowercase()));
        value.all().any(|(_, text)| holds(text))
    }
}
