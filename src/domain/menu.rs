//! Menus and quizzes of the shop: questions with numbered choices, which lead to the next question, to a command, or to a call.
//! The merchant's data; nothing here decides what is said about a product.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::CommandName;
use super::language::{Language, Localised};
use super::money::{Currency, Money};
use jiff::Timestamp;

/// `data/rules/menus.toml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menus {
    /// The step that the `menu` command opens.
    pub first: String,
    /// Every step, by its id.
    pub step: BTreeMap<String, Step>,
}

/// A question with its choices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The question.
    pub ask: Localised,
    /// What opens it besides a choice of another step: words, per language.
    #[serde(default)]
    pub open: BTreeMap<Language, Vec<String>>,
    /// The choices, in the order of their numbers.
    #[serde(default)]
    pub choice: Vec<Choice>,
    /// Instead of choices: free times of `booking.toml`. The chosen one is held while a contact is left, and booked with its yes.
    #[serde(default)]
    pub slots: bool,
    /// Before the question the sum of what the choices so far cost at least is told.
    #[serde(default)]
    pub estimate: bool,
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is shown behind its number.
    pub label: Localised,
    /// Other words that mean it.
    #[serde(default)]
    pub words: BTreeMap<Language, Vec<String>>,
    /// The step that comes next.
    #[serde(default)]
    pub go: Option<String>,
    /// Or what is done as if it had been asked for in words.
    #[serde(default)]
    pub command: Option<CommandName>,
    /// The topic of a policy.
    #[serde(default)]
    pub topic: Option<String>,
    /// Words to look for, gathered over the steps.
    #[serde(default)]
    pub find: Localised,
    /// What it costs at least, per currency: summed over the steps.
    #[serde(default)]
    pub adds: BTreeMap<Currency, String>,
    /// The most to be spent, per currency.
    #[serde(default)]
    pub budget: BTreeMap<Currency, String>,
}

impl Menus {
    /// Refuses what leads nowhere.
    ///
    /// # Errors
    /// A step that is not there, a choice that neither goes on nor does something, more than nine choices.
    pub fn check(&self) -> Result<(), String> {
        if !self.step.contains_key(&self.first) {
            return Err(format!("first = `{}`: there is no such step", self.first));
        }
        for (id, step) in &self.step {
            if step.slots && !step.choice.is_empty() {
                return Err(format!("step `{id}`: either slots or choices"));
            }
            if !step.slots && (step.choice.is_empty() || step.choice.len() > 9) {
                return Err(format!("step `{id}`: give one to nine choices"));
            }
            for choice in &step.choice {
                let label = choice.label.get(Language::En);
                if choice.go.is_some() == choice.command.is_some() {
                    return Err(format!("step `{id}`, `{label}`: give either go or command"));
                }
                for (currency, amount) in &choice.adds {
                    let read = Money::parse(amount, *currency);
                    read.map_err(|fault| format!("step `{id}`, `{label}`, adds: {fault}"))?;
                }
                if let Some(next) = choice.go.as_ref().filter(|next| !self.step.contains_key(*next)) {
                    return Err(format!("step `{id}`, `{label}`: there is no step `{next}`"));
                }
            }
        }
        Ok(())
    }

    /// Every text of it with where it stands, for the guard's check at start-up.
    pub fn texts(&self) -> impl Iterator<Item = (Language, &str, &str)> {
        self.step.iter().flat_map(|(id, step)| {
            let labels = step.choice.iter().flat_map(|choice| choice.label.all());
            step.ask.all().chain(labels).map(move |(language, text)| (language, id.as_str(), text))
        })
    }
}

/// A question as it may be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MenuFact {
    /// The question.
    pub ask: Localised,
    /// The choices.
    pub choices: Vec<Localised>,
    /// What was chosen so far costs at least this, choice by choice; told as their sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Money>,
}

impl MenuFact {
    /// The sum of its parts; none when there are none, or of several currencies.
    pub fn estimate(&self) -> Option<Money> {
        let (first, rest) = self.parts.split_first()?;
        rest.iter().try_fold(*first, |sum, part| {
            let minor = sum.minor.checked_add(part.minor)?;
            (part.currency == sum.currency).then_some(Money { minor, ..sum })
        })
    }

    /// The line of a choice as it is shown, with its number.
    pub fn line(at: usize, label: &str) -> String {
        format!("{}. {label}", at + 1)
    }
}

/// A menu that waits for a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuTalk {
    /// The step whose choices stand there.
    pub step: String,
    /// What was chosen so far: step and label, as they were shown.
    pub chosen: Vec<(String, String)>,
    /// Words to look for.
    #[serde(default)]
    pub find: Vec<String>,
    /// The most to be spent.
    #[serde(default)]
    pub budget: Option<(String, Currency)>,
    /// What the choices so far cost at least.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Money>,
    /// The times that were offered last, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Timestamp>,
    /// The time that is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
}

impl MenuTalk {
    /// The beginning of one.
    pub fn at(step: String) -> MenuTalk {
        let (chosen, find, parts, slots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        MenuTalk { step, chosen, find, budget: None, parts, slots, slot: None }
    }
}
