//! Which choice of a menu a message means: its number, its words, or nothing. In: `data/rules/menus.toml` and a message.

use std::collections::{BTreeMap, BTreeSet};

use super::folded::{Lexicon, fold, is_han};
use crate::domain::menu::{Choice, Menus};

/// A choice is named in a few words, or the message is about something else.
const MOST_WORDS: usize = 5;
const MOST_HAN: usize = 10;

/// The compiled words.
pub struct MenuWords {
    open: Lexicon<String>,
    steps: BTreeMap<String, Lexicon<usize>>,
}

impl MenuWords {
    /// Takes the words of every step.
    pub fn new(menus: &Menus) -> MenuWords {
        let open = menus
            .step
            .iter()
            .flat_map(|(id, step)| step.open.values().flatten().map(move |word| (word.clone(), id.clone())));
        let steps = menus.step.iter().map(|(id, step)| {
            let choices = step.choice.iter().enumerate();
            let words = choices.flat_map(|(at, choice)| words(choice).into_iter().map(move |word| (word, at)));
            (id.clone(), Lexicon::new(words))
        });
        MenuWords { steps: steps.collect(), open: Lexicon::new(open) }
    }

    /// The step a message opens by its words.
    pub fn opens(&self, text: &str) -> Option<String> {
        let folded = fold(text);
        short(&folded).then(|| self.open.find(&folded).first().map(|hit| hit.value.clone())).flatten()
    }

    /// The choice of a step that a message means, counted from nought.
    pub fn picks(&self, step: &str, choices: usize, text: &str) -> Option<usize> {
        let folded = fold(text);
        let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
        let rest = folded.chars().filter(|c| c.is_alphanumeric() && !c.is_ascii_digit()).count();
        if let (true, Ok(number)) = (rest == 0, digits.parse::<usize>()) {
            return (1..=choices).contains(&number).then(|| number - 1);
        }
        if !short(&folded) {
            return None;
        }
        let mut named: Vec<usize> = self.steps.get(step)?.find(&folded).into_iter().map(|hit| *hit.value).collect();
        named.dedup();
        match named.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// Every word that means a choice; spellings that fold to one stand once.
fn words(choice: &Choice) -> BTreeSet<String> {
    let labels = choice.label.all().map(|(_, label)| fold(label));
    labels.chain(choice.words.values().flatten().map(|word| fold(word))).collect()
}

fn short(folded: &str) -> bool {
    folded.split(' ').count() <= MOST_WORDS && folded.chars().filter(|c| is_han(*c)).count() <= MOST_HAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_its_number_or_its_words() {
        let menus: Menus = toml::from_str(include_str!("../../data/rules/menus.toml")).unwrap();
        menus.check().unwrap();
        let words = MenuWords::new(&menus);
        let first = menus.first.clone();
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(words.picks(&first, menus.step[&first].choice.len(), text), expected, "{text}");
        };
        check("1", Some(0));
        check(" 2. ", Some(1));
        check("9", None);
        check("0", None);
        check("delivery", Some(1));
        check("доставка", Some(1));
        check("Doručenie", Some(1));
        check("配送", Some(1));
        check("what would delivery of the big kettle to my office cost me tomorrow", None);
        check("1.7 l", None);
    }
}
