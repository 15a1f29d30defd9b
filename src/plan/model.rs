//! The model judges which numbered facts answer the message. It decodes under a grammar whose only words are
//! moves and the numbers of facts at hand; a price, a name or a promise cannot be written.

use std::fmt::Write;

use crate::config::Composition;
use crate::domain::found::Candidate;
use crate::domain::plan::{Ask, HandoverReason};
use crate::domain::{Command, CommandName, Fact, FactBody, Language, Move};
use crate::engine::{Generate, GenerateError, Generated, Job, PromptTurn, Speaker};

use super::Brief;
use super::rules::{about, nothing_but_similar};

/// Facts shown to the model: more cost more time than they are worth.
pub(super) const SHOWN: usize = 6;

const SYSTEM: &str = include_str!("../../data/prompts/plan.txt");
const PASSAGE_SYSTEM: &str = include_str!("../../data/prompts/passage.txt");

/// What the model chose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The moves.
    pub moves: Vec<Move>,
    /// What it wrote, for the audit.
    pub generated: Generated,
}

/// Which time the model is asked. The first is greedy; the second is sampled, or it would say the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The likeliest answer.
    First,
    /// Another one, after the guard refused the first reply.
    Second,
}

impl Attempt {
    pub(super) fn temperature(self) -> f64 {
        match self {
            Attempt::First => 0.0,
            Attempt::Second => 0.7,
        }
    }
}

/// Asks the model which of the candidates answer the message.
///
/// # Errors
/// The model is busy, fails, or the grammar cannot be followed.
pub async fn choose(
    brief: &Brief<'_>,
    generate: &dyn Generate,
    max_tokens: usize,
    attempt: Attempt,
) -> Result<Choice, GenerateError> {
    let shown = &brief.found.candidates[..brief.found.candidates.len().min(SHOWN)];
    let job = Job {
        system: SYSTEM.to_string(),
        turns: vec![PromptTurn { speaker: Speaker::User, text: question(brief, shown) }],
        grammar: Some(grammar(shown.len())),
        max_tokens,
        temperature: attempt.temperature(),
        seed: 0,
    };
    let generated = generate.generate(job).await?;
    let moves = read(brief, shown, &generated.text);
    Ok(Choice { moves, generated })
}

fn question(brief: &Brief<'_>, shown: &[Candidate]) -> String {
    let mut text = String::new();
    for (index, candidate) in shown.iter().enumerate() {
        let name = candidate.product.name.get(brief.language);
        let stock = if candidate.in_stock == Some(0) { "sold out" } else { "available" };
        // Infallible: writing to a String.
        let _ = writeln!(text, "{}. {name} [{}, {stock}]", index + 1, candidate.product.category);
    }
    let _ = write!(text, "Customer ({}): {}", brief.command.name, brief.message);
    text
}

/// `offer 1,3` | `compare 1,2` | `none` | `ask` | `human`.
pub fn grammar(shown: usize) -> String {
    let numbers: Vec<String> = (1..=shown).map(|number| format!("\"{number}\"")).collect();
    let number = numbers.join(" | ");
    format!(
        "start: offer | compare | \"none\" | \"ask\" | \"human\"\n\
         offer: \"offer \" number (\",\" number){{0,2}}\n\
         compare: \"compare \" number \",\" number (\",\" number)?\n\
         number: {number}\n"
    )
}

fn read(brief: &Brief<'_>, shown: &[Candidate], text: &str) -> Vec<Move> {
    let (verb, numbers) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let mut chosen: Vec<Candidate> = Vec::new();
    for number in numbers.split(',').filter_map(|number| number.trim().parse::<usize>().ok()) {
        let candidate = number.checked_sub(1).and_then(|index| shown.get(index));
        if let Some(candidate) = candidate
            && !chosen.iter().any(|known| known.product.id == candidate.product.id)
        {
            chosen.push(candidate.clone());
        }
    }
    match verb {
        "offer" | "compare" if !chosen.is_empty() => {
            let compares = verb == "compare" && chosen.len() > 1;
            let name = if compares { CommandName::Compare } else { brief.command.name };
            let command = Command { name, slots: brief.command.slots.clone() };
            about(&Brief { command: &command, ..*brief }, &chosen)
        }
        "ask" => vec![Move::Ask { what: Ask::Product }],
        "human" => vec![Move::Human { reason: HandoverReason::Asked }],
        _ => nothing_but_similar(brief),
    }
}

/// Characters of a passage shown to the model: the heading says what it is about, the opening confirms it.
const OPENING: usize = 120;

/// The first words of a passage, cut where a sentence ends if one does.
fn opening(text: &str) -> &str {
    let end = text.char_indices().nth(OPENING).map_or(text.len(), |(at, _)| at);
    let head = &text[..end];
    let ends =
        |(at, c): &(usize, char)| matches!(c, '。' | '\n') || *c == '.' && ends_sentence(&text[..*at], &text[at + 1..]);
    head.char_indices().find(ends).map_or(head, |(at, c)| &head[..at + c.len_utf8()])
}

/// True for a point that closes a sentence: not within "1.7 l" or "horizont.example", nor after "ul", "č", "14".
fn ends_sentence(before: &str, after: &str) -> bool {
    let mut rest = after.chars();
    let (next, then) = (rest.next(), rest.next());
    let word: Vec<char> = before.chars().rev().take_while(|c| c.is_alphanumeric()).collect();
    let abbreviated = word.len() <= 2 && then.is_some();
    next.is_none_or(char::is_whitespace) && then.is_none_or(|c| !c.is_lowercase() && !c.is_numeric()) && !abbreviated
}

/// Asks the model which passage answers the message; the index into `facts`, or none of them.
///
/// # Errors
/// The model is busy, fails, or the grammar cannot be followed.
pub async fn choose_passage(
    message: &str,
    language: Language,
    facts: &[Fact],
    generate: &dyn Generate,
) -> Result<(Option<usize>, Generated), GenerateError> {
    let mut text = String::new();
    for (index, fact) in facts.iter().enumerate() {
        let FactBody::Passage(passage) = &fact.body else { continue };
        let _ = writeln!(text, "{}. {}: {}", index + 1, passage.section, opening(&passage.text));
    }
    let _ = write!(text, "Customer ({language}): {message}");
    let numbers: Vec<String> = (1..=facts.len()).map(|number| format!("\"{number}\"")).collect();
    let job = Job {
        system: PASSAGE_SYSTEM.to_string(),
        turns: vec![PromptTurn { speaker: Speaker::User, text }],
        grammar: Some(format!("start: \"none\" | {}\n", numbers.join(" | "))),
        max_tokens: 4,
        temperature: 0.0,
        seed: 0,
    };
    let generated = generate.generate(job).await?;
    let chosen = generated.text.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    Ok((chosen.filter(|index| *index < facts.len()), generated))
}

/// Lets the model read its standing instructions once, so that the first shopper does not wait for it.
///
/// # Errors
/// The model is busy or fails.
pub async fn warm_up(generate: &dyn Generate, composition: Composition) -> Result<(), GenerateError> {
    let composing = match composition {
        Composition::Plan => SYSTEM,
        Composition::Prose => super::prose::SYSTEM,
    };
    for system in [PASSAGE_SYSTEM, composing] {
        let job = Job {
            system: system.to_string(),
            turns: vec![PromptTurn { speaker: Speaker::User, text: String::new() }],
            grammar: Some("start: \"none\"\n".to_string()),
            max_tokens: 1,
            temperature: 0.0,
            seed: 0,
        };
        generate.generate(job).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_ends_with_its_first_sentence() {
        let check = |text: &str, expected: &str| assert_eq!(opening(text), expected, "{text}");
        check("The kettle holds 1.7 l of water. It has two years.", "The kettle holds 1.7 l of water.");
        check(
            "Write to pomoc@horizont.example with ul. Dlhá 5. Then wait.",
            "Write to pomoc@horizont.example with ul. Dlhá 5. Then wait.",
        );
        check("Vrátenie trvá do 14. decembra. Potom nie.", "Vrátenie trvá do 14. decembra.");
        check("收货后14天内可以退货。运费自理。", "收货后14天内可以退货。");
        check("No point at all", "No point at all");
    }

    #[test]
    fn the_grammar_knows_only_the_facts_at_hand() {
        let grammar = grammar(2);
        assert!(grammar.contains(r#"number: "1" | "2""#), "{grammar}");
        assert!(!grammar.contains('3'));
    }
}
