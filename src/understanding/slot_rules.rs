//! The shape of `data/rules/slots.toml` and its compiled patterns. Text in, patterns out; a pattern that does not compile is
//! an error that names its entry. What the patterns find in a message is for `slots.rs`.

use std::collections::HashMap;

use regex::Regex;
use serde::Deserialize;

use super::definitions::RulesError;
use crate::domain::Language;
use crate::domain::command::Pick;

/// `data/rules/slots.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotRules {
    order_pattern: String,
    order_near: Vec<String>,
    sku: Vec<String>,
    size: Vec<String>,
    bare_size: String,
    budget: Vec<String>,
    not_budget_after: String,
    /// What stands behind a number that counts no pieces.
    not_quantity_after: String,
    quantity: Vec<String>,
    /// A bare number in a message about an order.
    bare_order: String,
    /// A message that only adds to the one before.
    follow_up: String,
    /// The same, when it names another product.
    follow_up_named: String,
    /// How many of a thing that is put into the cart.
    bare_quantity: String,
    /// What a correction turns down: "not black", "вместо красного".
    negated: Vec<String>,
    /// Kinds of things with a colour in their name.
    coloured: Vec<String>,
    pub(super) words: NumberWords,
    pointers: Pointers,
    /// Places in the list shown last, by what they are called; as keys, for TOML has no others.
    list_places: HashMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberWords {
    pub(super) number: HashMap<String, u32>,
    /// The only language in which a word is a number.
    pub(super) native: HashMap<String, Language>,
    pub(super) scale: HashMap<String, u64>,
    pub(super) currency: HashMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pointers {
    /// Which of the words point in Slovak alone.
    slovak: String,
    words: String,
    frame: String,
    edges: String,
    han_before: String,
    han_after: String,
    han_alone: String,
}

impl SlotRules {
    /// Kinds of things with a colour in their name.
    pub(super) fn coloured(&self) -> &[String] {
        &self.coloured
    }

    /// Places in the list shown last with what they are called.
    ///
    /// # Errors
    /// A key is no such place.
    pub(super) fn places_in_list(&self) -> Result<Vec<(String, Pick)>, String> {
        let place = |(place, names): (&String, &Vec<String>)| {
            let place: Pick = place.parse()?;
            Ok(names.iter().map(|name| (name.clone(), place)).collect::<Vec<_>>())
        };
        let places: Result<Vec<_>, String> = self.list_places.iter().map(place).collect();
        Ok(places?.into_iter().flatten().collect())
    }

    /// Words that point at something shown before.
    /// Those that point in Slovak alone, folded.
    pub(super) fn slovak_pointers(&self) -> Vec<String> {
        self.pointers.slovak.split_whitespace().map(String::from).collect()
    }

    pub(super) fn pointer_words(&self) -> Vec<String> {
        self.pointers.words.split_whitespace().map(String::from).collect()
    }

    /// Words that no product's name starts or ends with.
    pub(super) fn edge_words(&self) -> Vec<String> {
        self.pointers.edges.split_whitespace().map(String::from).collect()
    }

    /// The same in Chinese.
    pub(super) fn han_edges(&self) -> HanEdges {
        let longest_first = |words: &str| {
            let mut words: Vec<String> = words.split_whitespace().map(String::from).collect();
            words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
            words
        };
        let Pointers { han_before, han_after, han_alone, .. } = &self.pointers;
        HanEdges {
            before: longest_first(han_before),
            after: longest_first(han_after),
            alone: han_alone.split_whitespace().map(String::from).collect(),
        }
    }

    /// Words that name no product, beyond the stop words.
    pub(super) fn frame_words(&self) -> Vec<String> {
        self.pointers.words.split_whitespace().chain(self.pointers.frame.split_whitespace()).map(String::from).collect()
    }
}

/// Chinese words that no product's name starts or ends with: no spaces part them from it.
pub(super) struct HanEdges {
    before: Vec<String>,
    after: Vec<String>,
    alone: Vec<String>,
}

impl HanEdges {
    pub(super) fn strip(&self, word: &str) -> String {
        let mut rest = word;
        loop {
            if self.alone.iter().any(|edge| edge == rest) {
                return String::new();
            }
            let shorter = self.before.iter().find_map(|edge| rest.strip_prefix(edge.as_str()));
            match shorter.or_else(|| self.after.iter().find_map(|edge| rest.strip_suffix(edge.as_str()))) {
                Some(shorter) => rest = shorter,
                None => return rest.to_string(),
            }
        }
    }
}

/// Compiled slot patterns.
pub(super) struct SlotTable {
    pub(super) order: Regex,
    pub(super) order_near: Vec<Regex>,
    pub(super) sku: Vec<Regex>,
    pub(super) size: Vec<Regex>,
    pub(super) bare_size: Regex,
    pub(super) budget: Vec<Regex>,
    pub(super) not_budget_after: Regex,
    pub(super) not_quantity_after: Regex,
    pub(super) quantity: Vec<Regex>,
    pub(super) bare_order: Regex,
    pub(super) follow_up: Regex,
    pub(super) follow_up_named: Regex,
    pub(super) bare_quantity: Regex,
    pub(super) negated: Vec<Regex>,
    pub(super) words: NumberWords,
}

impl SlotTable {
    pub(super) fn new(rules: SlotRules) -> Result<Self, RulesError> {
        let macros = macros(&rules.words);
        let one = |rule: &'static str, pattern: &str| {
            let source = macros.iter().fold(pattern.to_string(), |text, (name, body)| text.replace(name, body));
            Regex::new(&source).map_err(|source| RulesError::Pattern { rule, source: Box::new(source) })
        };
        let many = |rule: &'static str, patterns: &[String]| {
            patterns.iter().map(|pattern| one(rule, pattern)).collect::<Result<Vec<_>, _>>()
        };
        Ok(SlotTable {
            order: one("order_pattern", &rules.order_pattern)?,
            order_near: many("order_near", &rules.order_near)?,
            sku: many("sku", &rules.sku)?,
            size: many("size", &rules.size)?,
            bare_size: one("bare_size", &rules.bare_size)?,
            budget: many("budget", &rules.budget)?,
            not_budget_after: one("not_budget_after", &rules.not_budget_after)?,
            not_quantity_after: one("not_quantity_after", &rules.not_quantity_after)?,
            quantity: many("quantity", &rules.quantity)?,
            bare_order: one("bare_order", &rules.bare_order)?,
            follow_up: one("follow_up", &rules.follow_up)?,
            follow_up_named: one("follow_up_named", &rules.follow_up_named)?,
            bare_quantity: one("bare_quantity", &rules.bare_quantity)?,
            negated: many("negated", &rules.negated)?,
            words: rules.words,
        })
    }
}

impl SlotTable {
    /// What a message adds to the one before, when it opens like one that does.
    pub(super) fn after_opening(&self, folded: &str) -> Option<String> {
        let found = self.follow_up.captures(folded)?;
        found.name("v").or_else(|| found.name("w")).map(|rest| rest.as_str().trim().to_string())
    }

    /// True for "what about X", "а если X", "X呢".
    pub(super) fn names_another(&self, folded: &str) -> bool {
        self.follow_up_named.is_match(folded)
    }
}

/// `{num}` and the other names that patterns use.
fn macros(words: &NumberWords) -> Vec<(&'static str, String)> {
    // Longer words first: `руб` must not end `рублей` early.
    let any = |mut words: Vec<String>| {
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let bounded = |word: &String| {
            if word.chars().all(|c| c.is_alphabetic() && c < '\u{2e80}') {
                format!(r"{}\b", regex::escape(word))
            } else {
                regex::escape(word)
            }
        };
        format!("(?:{})", words.iter().map(bounded).collect::<Vec<_>>().join("|"))
    };
    vec![
        ("{num}", r"(?:\d{1,3}(?:[ .,]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?)".to_string()),
        ("{zh}", "[零一二两三四五六七八九十百千万]{1,8}".to_string()),
        ("{scale}", any(words.scale.keys().cloned().collect())),
        ("{cur}", any(words.currency.keys().cloned().collect())),
        ("{word}", any(words.number.keys().cloned().collect())),
    ]
}
