//! The third tier: the language model names commands, under a grammar of the closed set. It never fills slots.

use super::Input;
use super::definitions::CommandRules;
use crate::domain::CommandName;
use crate::engine::{Generate, GenerateError, Job, PromptTurn, Speaker};

/// A message hardly ever wants more than this many things.
const MOST_COMMANDS: usize = 3;

/// Why the model's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModelError {
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("`{0}` is no list of commands")]
    Unreadable(String),
}

/// What the tier before knows of a message.
#[derive(Clone, Debug)]
pub(super) struct Hints {
    /// Labelled messages like it, the nearest last.
    pub(super) shots: Vec<(String, CommandName)>,
    /// Commands it may hold; the others cannot be named.
    pub(super) candidates: Vec<CommandName>,
}

/// Asks the model which commands the message holds.
pub(super) async fn ask(
    rules: &CommandRules,
    hints: Hints,
    input: Input<'_>,
    generate: &dyn Generate,
) -> Result<Vec<CommandName>, ModelError> {
    let job = Job {
        system: system(rules),
        turns: turns(hints.shots, &input.message.text),
        grammar: Some(grammar(&hints.candidates)),
        max_tokens: 24,
        temperature: 0.0,
        seed: 0,
    };
    parse(&generate.generate(job).await?.text)
}

fn system(rules: &CommandRules) -> String {
    let commands: Vec<String> = rules.specs.iter().map(|spec| format!("{}: {}", spec.name, spec.about)).collect();
    format!(
        "You label a shopper's message with what it asks a shop for. Answer with command names only, separated by commas, at most {MOST_COMMANDS}.\n{}",
        commands.join("\n")
    )
}

fn turns(shots: Vec<(String, CommandName)>, text: &str) -> Vec<PromptTurn> {
    let mut turns: Vec<PromptTurn> = shots
        .into_iter()
        .flat_map(|(text, name)| {
            [
                PromptTurn { speaker: Speaker::User, text },
                PromptTurn { speaker: Speaker::Assistant, text: name.to_string() },
            ]
        })
        .collect();
    turns.push(PromptTurn { speaker: Speaker::User, text: text.to_string() });
    turns
}

/// Lark: one to three names of the candidates, separated by commas.
fn grammar(candidates: &[CommandName]) -> String {
    let names: Vec<String> = candidates.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "start: command | command \",\" command | command \",\" command \",\" command\ncommand: {}\n",
        names.join(" | ")
    )
}

fn parse(text: &str) -> Result<Vec<CommandName>, ModelError> {
    let mut names: Vec<CommandName> = Vec::new();
    for part in text.trim().split(',') {
        let name = part.trim().parse().map_err(|_| ModelError::Unreadable(text.chars().take(80).collect()))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(MOST_COMMANDS);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused() {
        assert_eq!(parse("price,stock").unwrap(), [CommandName::Price, CommandName::Stock]);
        assert_eq!(parse(" price, price ").unwrap(), [CommandName::Price]);
        assert!(parse("the price").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn the_grammar_names_the_candidates_and_no_others() {
        let grammar = grammar(&[CommandName::Price, CommandName::Stock]);
        assert!(grammar.ends_with("command: \"price\" | \"stock\"\n"), "{grammar}");
    }
}
