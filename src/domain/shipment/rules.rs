//! The merchant's carriers: `data/rules/carriers.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::ParcelState;

/// All of `data/rules/carriers.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierRules {
    /// Each carrier.
    #[serde(default)]
    pub carrier: Vec<CarrierRule>,
}

/// How a carrier's words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapter {
    /// JSON whose fields the rules name.
    Generic,
    /// CDEK's own.
    Cdek,
}

/// One carrier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierRule {
    /// Its name in addresses and settings: small letters, digits, hyphens.
    pub name: String,
    /// How its words are read.
    pub adapter: Adapter,
    /// What orders call it; the first is what customers are told.
    pub called: Vec<String>,
    /// Where a customer follows a parcel, with {tracking}; empty: nowhere.
    #[serde(default)]
    pub link: String,
    /// The header with the HMAC of an event's body; empty: events prove themselves with the key alone.
    #[serde(default)]
    pub signature: String,
    /// Minutes between two questions about one parcel; 0: it is never asked.
    #[serde(default)]
    pub ask_minutes: i64,
    /// The clock of a generic carrier's moments that name none (IANA); empty: the shop's.
    #[serde(default)]
    pub timezone: String,
    /// Where a generic carrier is asked, with {tracking}.
    #[serde(default)]
    pub ask: String,
    /// Where a generic carrier's JSON has what.
    #[serde(default)]
    pub fields: Option<Fields>,
    /// The carrier's words for each state.
    pub states: BTreeMap<ParcelState, Vec<String>>,
}

/// Where a generic carrier's JSON has what, as JSON pointers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// The list of events; empty: the whole body is one event, or a list of them.
    #[serde(default)]
    pub list: String,
    /// The parcel's number, in each event.
    pub tracking: String,
    /// The carrier's word for what happened.
    pub word: String,
    /// When: RFC 3339, date and time by the carrier's `timezone`, or seconds or milliseconds since 1970.
    pub at: String,
    /// Where.
    #[serde(default)]
    pub place: String,
    /// The day it is promised for.
    #[serde(default)]
    pub promised: String,
    /// The shop's order number.
    #[serde(default)]
    pub order: String,
    /// The event's own id; empty: what it says makes it.
    #[serde(default)]
    pub id: String,
}

impl CarrierRules {
    /// Looks at what no type can say.
    ///
    /// # Errors
    /// The first fault, by carrier and key.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for rule in &self.carrier {
            if !names.insert(&rule.name) {
                return Err(format!("carrier `{}` stands there twice", rule.name));
            }
            rule.check().map_err(|fault| format!("carrier `{}`: {fault}", rule.name))?;
        }
        Ok(())
    }
}

impl CarrierRule {
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("`name` is small letters, digits and hyphens".to_string());
        }
        if self.called.iter().all(|called| called.trim().is_empty()) {
            return Err("`called` needs a name".to_string());
        }
        let page = |link: &str| link.is_empty() || (link.starts_with("https://") && link.contains("{tracking}"));
        if !page(&self.link) {
            return Err("`link` is an https address with {tracking}, or empty".to_string());
        }
        if self.adapter == Adapter::Generic {
            let fields = self.fields.as_ref().ok_or("a generic carrier needs [carrier.fields]")?;
            fields.check()?;
            if self.ask_minutes > 0 && !self.ask.contains("{tracking}") {
                return Err("`ask` needs an address with {tracking} where ask_minutes is set".to_string());
            }
        }
        let mut words = BTreeSet::new();
        for word in self.states.values().flatten() {
            if !words.insert(word.trim().to_lowercase()) {
                return Err(format!("the word `{word}` stands for two states"));
            }
        }
        if self.ask_minutes < 0 { Err("`ask_minutes` counts from 0".to_string()) } else { Ok(()) }
    }

    /// What one of the carrier's words means.
    pub fn state(&self, word: &str) -> Option<ParcelState> {
        let said = word.trim();
        let is = |known: &String| known.trim().to_lowercase() == said.to_lowercase();
        self.states.iter().find(|(_, words)| words.iter().any(is)).map(|(state, _)| *state)
    }

    /// True when an order means this carrier by that name.
    pub fn is_called(&self, name: &str) -> bool {
        self.called.iter().any(|called| called.trim().to_lowercase() == name.trim().to_lowercase())
    }
}

impl Fields {
    fn check(&self) -> Result<(), String> {
        let own = [("tracking", &self.tracking), ("word", &self.word), ("at", &self.at)];
        if let Some((name, _)) = own.iter().find(|(_, pointer)| pointer.is_empty()) {
            return Err(format!("fields.{name} is empty"));
        }
        let all =
            [&self.list, &self.tracking, &self.word, &self.at, &self.place, &self.promised, &self.order, &self.id];
        match all.iter().find(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            Some(pointer) => Err(format!("`{pointer}` is no JSON pointer: it begins with /")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&mut CarrierRules), expected: Option<&str>) {
        let text = include_str!("../../../data/rules/carriers.toml");
        let mut rules: CarrierRules = toml::from_str(text).unwrap();
        change(&mut rules);
        let fault = rules.check().err();
        match expected {
            Some(part) => assert!(fault.as_ref().is_some_and(|fault| fault.contains(part)), "{fault:?}"),
            None => assert_eq!(fault, None),
        }
    }

    #[test]
    fn faults_are_named() {
        check(|_| {}, None);
        check(|rules| rules.carrier[1].name = rules.carrier[0].name.clone(), Some("twice"));
        check(|rules| rules.carrier[0].name = "A B".to_string(), Some("`name`"));
        check(|rules| rules.carrier[0].called.clear(), Some("`called`"));
        check(|rules| rules.carrier[0].link = "http://x/{tracking}".to_string(), Some("`link`"));
        check(|rules| rules.carrier[1].fields = None, Some("[carrier.fields]"));
        check(|rules| rules.carrier[1].fields.as_mut().unwrap().at = "at".to_string(), Some("no JSON pointer"));
        check(|rules| rules.carrier[1].fields.as_mut().unwrap().word.clear(), Some("fields.word"));
        check(|rules| rules.carrier[1].ask_minutes = 5, Some("`ask`"));
        let twice = |rules: &mut CarrierRules| {
            rules.carrier[0].states.insert(ParcelState::Registered, vec!["delivered".to_string()]);
        };
        check(twice, Some("two states"));
    }

    #[test]
    fn words_and_names_are_compared_without_case() {
        let rules: CarrierRules = toml::from_str(include_str!("../../../data/rules/carriers.toml")).unwrap();
        let cdek = &rules.carrier[0];
        assert_eq!(cdek.state("delivered"), Some(ParcelState::Delivered));
        assert_eq!(cdek.state("TELEPORTED"), None);
        assert!(cdek.is_called("сдэк") && !cdek.is_called("DPD"));
    }
}
