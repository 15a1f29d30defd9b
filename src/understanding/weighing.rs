//! What speaks for each command, weighed together: how the labelled examples vote, what the words of the message say, and a cue. In: signs of each
//! command, and the weights of `data/rules/weighing.toml`. Out: the likeliest command with its chance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::examples::Vote;
use super::rules::{Firm, Sure};
use super::{ABOUT, same_question};
use crate::domain::CommandName;
use crate::engine::Stretch;

/// Words say nothing against a command beyond this chance, as a logarithm.
const LEAST: f32 = -8.0;

/// `data/rules/weighing.toml`, which `scripts/fit_weighing.py` writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighing {
    /// The examples' score.
    examples: f32,
    /// The same where nothing is known of the words.
    examples_alone: f32,
    /// The logarithm of the chance that the words give.
    words: f32,
    /// A cue.
    cue: f32,
    /// What shoppers want more or less often than the examples have it.
    #[serde(default)]
    leaning: BTreeMap<CommandName, f32>,
}

/// What is known of a message, or of one wish of it.
pub(super) struct Evidence<'a> {
    pub(super) vote: &'a Vote,
    pub(super) words: Option<&'a Stretch>,
    pub(super) cue: Option<&'a Sure>,
}

/// What speaks for each command, in the order of [`CommandName::ALL`].
#[derive(Clone, Debug, Serialize)]
pub struct Signs {
    /// How the examples score it.
    pub examples: Vec<f32>,
    /// How likely the words make it, as a logarithm; absent where they could not be read.
    pub words: Option<Vec<f32>>,
    /// Whether a cue names it.
    pub cue: Vec<bool>,
}

impl Evidence<'_> {
    pub(super) fn signs(&self) -> Signs {
        let cue = self.cue.filter(|sure| sure.firm == Firm::Cued);
        let cued = |name| cue.is_some_and(|sure| sure.commands.iter().any(|command| same_question(command, name)));
        let all = || CommandName::ALL.iter().copied();
        Signs {
            examples: all().map(|name| self.vote.score(name)).collect(),
            words: self.words.map(|words| all().map(|name| said(words, name)).collect()),
            cue: all().map(cued).collect(),
        }
    }
}

impl Weighing {
    /// The likeliest command and its chance, 0 to 1.
    pub(super) fn likeliest(&self, signs: &Signs) -> (CommandName, f32) {
        let scores: Vec<f32> = (0..CommandName::ALL.len()).map(|at| self.score(signs, at)).collect();
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
        let all: f32 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
        (CommandName::ALL[best], 1.0 / all)
    }

    fn score(&self, signs: &Signs, at: usize) -> f32 {
        let vote = signs.examples[at];
        let heard = match &signs.words {
            Some(words) => self.examples * vote + self.words * words[at],
            None => self.examples_alone * vote,
        };
        let cue = if signs.cue[at] { self.cue } else { 0.0 };
        heard + cue + self.leaning.get(&CommandName::ALL[at]).copied().unwrap_or_default()
    }
}

/// The chance that the words want a command, as a logarithm.
fn said(words: &Stretch, name: CommandName) -> f32 {
    let own = words.chances.iter().filter(|(label, _)| means(label, name));
    own.map(|(_, chance)| chance).sum::<f32>().ln().max(LEAST)
}

/// The labels of the words know fewer kinds than the examples: asking for a call is leaving a contact, spam is out of scope.
fn means(label: &str, name: CommandName) -> bool {
    use CommandName as C;
    if label == ABOUT {
        return name == C::FindProduct;
    }
    label == name.as_str()
        || matches!(name, C::Spam | C::Unsafe) && label == C::OutOfScope.as_str()
        || name == C::LeaveContact && label == C::Human.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: &str = "examples = 1.0\nexamples_alone = 2.0\nwords = 1.0\ncue = 1.0\n[leaning]\nmenu = -9.0";

    fn check(
        votes: &[(CommandName, f32)],
        words: Option<&[(&str, f32)]>,
        cue: Option<CommandName>,
        expected: CommandName,
    ) {
        let weighing: Weighing = toml::from_str(WEIGHTS).unwrap();
        let words = words.map(|chances| Stretch {
            range: 0..1,
            wish: String::new(),
            sure: 1.0,
            chances: chances.iter().map(|(label, chance)| ((*label).to_string(), *chance)).collect(),
        });
        let of = |name: &CommandName| votes.iter().find(|(other, _)| other == name).map_or(-1.0, |(_, score)| *score);
        let signs = Signs {
            examples: CommandName::ALL.iter().map(of).collect(),
            words: words.map(|words| CommandName::ALL.iter().map(|name| said(&words, *name)).collect()),
            cue: CommandName::ALL.iter().map(|name| Some(*name) == cue).collect(),
        };
        let (name, chance) = weighing.likeliest(&signs);
        assert_eq!(name, expected);
        assert!((0.0..=1.0).contains(&chance), "{chance}");
    }

    #[test]
    fn what_most_speaks_for_is_taken() {
        use CommandName::{FindProduct, LeaveContact, Menu, Price, Stock};
        check(&[(Price, 1.0), (Stock, 0.8)], None, None, Price);
        check(&[(Price, 1.0), (Stock, 0.8)], None, Some(Stock), Stock);
        check(&[(Price, 1.0), (Stock, 0.8)], Some(&[("stock", 0.9), ("price", 0.1)]), None, Stock);
        // A question about a property is one about a product, and asking for a call leaves a contact.
        check(&[(Price, 1.0), (FindProduct, 0.8)], Some(&[("about", 0.6), ("find_product", 0.3)]), None, FindProduct);
        check(&[(LeaveContact, 1.0)], Some(&[("human", 0.9)]), None, LeaveContact);
        check(&[(Menu, 1.0), (Price, 0.0)], None, None, Price);
    }
}
