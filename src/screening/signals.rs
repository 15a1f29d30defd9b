//! Weighted patterns over folded text: the engine behind the scores of injection and spam.

use std::collections::HashMap;

use regex::{RegexSet, RegexSetBuilder};
use serde::Deserialize;

use super::ScreeningError;
use crate::domain::language::fold;

/// One rule of the data file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    name: String,
    weight: f32,
    any: Vec<String>,
}

/// Compiled rules.
pub(super) struct Signals {
    patterns: RegexSet,
    /// For each pattern, the rule it belongs to.
    rule_of: Vec<usize>,
    weights: Vec<f32>,
}

impl Signals {
    pub(super) fn new(rules: &[Rule], macros: &HashMap<String, String>) -> Result<Self, ScreeningError> {
        let mut sources = Vec::new();
        let mut rule_of = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for pattern in &rule.any {
                sources.push(without_marks(&expand(pattern, macros)));
                rule_of.push(index);
            }
        }
        let patterns = RegexSetBuilder::new(&sources)
            .size_limit(64 << 20)
            .dfa_size_limit(16 << 20)
            .build()
            .map_err(|together| culprit(rules, &rule_of, &sources, together))?;
        Ok(Signals { patterns, rule_of, weights: rules.iter().map(|rule| rule.weight).collect() })
    }

    /// The weights of the rules that fire, each once.
    pub(super) fn fired(&self, folded: &str) -> Vec<f32> {
        let mut fired: Vec<usize> =
            self.patterns.matches(folded).into_iter().map(|pattern| self.rule_of[pattern]).collect();
        fired.sort_unstable();
        fired.dedup();
        fired.into_iter().map(|rule| self.weights[rule]).collect()
    }
}

/// Independent signs together: 1 - (1-a)(1-b)..
pub(super) fn combine(weights: impl IntoIterator<Item = f32>) -> f32 {
    let innocent: f32 = weights.into_iter().map(|weight| 1.0 - weight.clamp(0.0, 1.0)).product();
    1.0 - innocent
}

/// The set does not say which pattern failed, so each is tried.
fn culprit(rules: &[Rule], rule_of: &[usize], sources: &[String], together: regex::Error) -> ScreeningError {
    let failed = sources.iter().zip(rule_of).find_map(|(source, rule)| Some((*rule, regex::Regex::new(source).err()?)));
    let (rule, source) =
        failed.map_or(("all rules together".to_string(), together), |(rule, error)| (rules[rule].name.clone(), error));
    ScreeningError::Pattern { rule, source: Box::new(source) }
}

fn expand(pattern: &str, macros: &HashMap<String, String>) -> String {
    macros.iter().fold(pattern.to_string(), |text, (name, body)| text.replace(&format!("{{{name}}}"), body))
}

/// Patterns are compared with folded text; only their letters are folded, as upper case means something in `\W`.
fn without_marks(pattern: &str) -> String {
    pattern.chars().map(|c| if c.is_ascii() { c.to_string() } else { fold(&c.to_string()) }).collect()
}
