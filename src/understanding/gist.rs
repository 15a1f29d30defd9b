//! The gist of a long message: the things it looks for, as the language model reads them off it. In: a message. Out: words that stand in
//! it; what the model made up is dropped. Rules take every word they do not know for a word of the thing; told in a story, that hides it.

use std::sync::LazyLock;

use serde::Deserialize;

use super::folded::{fold, is_han};
use crate::engine::{Generate, GenerateError, Job, PromptTurn, Speaker};

static PROMPT: LazyLock<Prompt> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/prompts/gist.toml"))
        .expect("invariant: gist.toml is compiled in and tested")
});

/// More things are a list to be read by a person.
const MOST: usize = 3;
/// Words of one thing.
const LONGEST: usize = 5;
/// Tokens of an answer.
const TOKENS: usize = 32;
/// From so many words, or Chinese signs, on a message is long.
const MANY_WORDS: usize = 4;
const MANY_SIGNS: usize = 7;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    system: String,
    shot: Vec<Shot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shot {
    said: String,
    things: Vec<String>,
}

/// True when so much is left for the name of a thing that it hardly is one.
pub fn rambles(words: &str) -> bool {
    let signs = words.chars().filter(|sign| is_han(*sign)).count();
    signs >= MANY_SIGNS || signs == 0 && words.split_whitespace().count() >= MANY_WORDS
}

/// The things that a message names, in its own words; none when it names none.
///
/// # Errors
/// The model is busy, fails, or the grammar cannot be followed.
pub async fn gist(message: &str, generate: &dyn Generate) -> Result<Vec<String>, GenerateError> {
    let turn = |speaker, text: String| PromptTurn { speaker, text };
    let shots = PROMPT.shot.iter().flat_map(|shot| {
        let things = if shot.things.is_empty() { "-".to_string() } else { shot.things.join("\n") };
        [turn(Speaker::User, shot.said.clone()), turn(Speaker::Assistant, things)]
    });
    let job = Job {
        system: PROMPT.system.clone(),
        turns: shots.chain([turn(Speaker::User, message.to_string())]).collect(),
        grammar: grammar(message),
        max_tokens: TOKENS,
        temperature: 0.0,
        seed: 0,
    };
    Ok(read(message, &generate.generate(job).await?.text))
}

/// Words of the message, line by line; none where words are not parted, for what stands there is looked up behind.
fn grammar(message: &str) -> Option<String> {
    if message.chars().any(is_han) {
        return None;
    }
    let mut words: Vec<&str> = message.split(|sign: char| !sign.is_alphanumeric() && sign != '-').collect();
    words.retain(|word| word.chars().any(char::is_alphanumeric));
    words.sort_unstable();
    words.dedup();
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    (!words.is_empty()).then(|| {
        format!(
            "start: \"-\" | thing (\"\\n\" thing){{0,{}}}\nthing: word (\" \" word){{0,{}}}\nword: {}\n",
            MOST - 1,
            LONGEST - 1,
            words.join(" | ")
        )
    })
}

/// The lines of an answer whose words stand in the message.
fn read(message: &str, answer: &str) -> Vec<String> {
    let said = fold(message);
    let stands = |thing: &str| match thing.chars().any(is_han) {
        true => said.contains(&fold(thing)),
        false => fold(thing).split(' ').all(|word| said.split(' ').any(|own| own == word)),
    };
    let mut things: Vec<String> = Vec::new();
    for thing in answer.lines().map(str::trim).filter(|thing| thing.chars().any(char::is_alphabetic)) {
        if stands(thing) && !things.iter().any(|known| known == thing) {
            things.push(thing.to_string());
        }
    }
    things.truncate(MOST);
    things
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_made_up_is_dropped() {
        let check =
            |message: &str, answer: &str, expected: &[&str]| assert_eq!(read(message, answer), expected, "{answer}");
        check("I need a quiet vacuum, my cat hates noise", "quiet vacuum", &["quiet vacuum"]);
        check("I need a quiet vacuum, my cat hates noise", "robot vacuum\nvacuum\nvacuum", &["vacuum"]);
        check("нужны фонарь, кружка и носки", "фонарь\nкружка\nноски", &["фонарь", "кружка", "носки"]);
        check("想买个烧水壶，水开自动断电的", "烧水壶\n电水壶", &["烧水壶"]);
        check("can it go in the oven?", "-", &[]);
        check("", "", &[]);
    }

    #[test]
    fn only_words_of_the_message_can_be_written() {
        let grammar = grammar("Is the \"big\" pan ok?").unwrap();
        assert!(grammar.ends_with("word: \"Is\" | \"big\" | \"ok\" | \"pan\" | \"the\"\n"), "{grammar}");
        assert_eq!(super::grammar("水壶"), None);
        assert_eq!(super::grammar("?!"), None);
    }

    #[test]
    fn a_story_is_longer_than_a_name() {
        let check = |words: &str, expected: bool| assert_eq!(rambles(words), expected, "{words}");
        check("Volna electric kettle", false);
        check("warm coat wife works outdoors", true);
        check("玻璃水壶", false);
        check("租 房子插座少又没电梯 吸尘器", true);
    }
}
