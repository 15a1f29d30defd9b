//! Which of the words that name a thing name its kind: `[kind]` of `data/rules/search.toml`. In: a message and the words of it that name a
//! thing. Out: those that say what it is, without what it is for or has.

use serde::Deserialize;

use crate::domain::{Language, Localised};

/// Among so many first words stands what asks which of several.
const FIRST_WORDS: usize = 3;

/// Where the words of a kind end and begin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    /// Words of their own behind which stands what a thing is for, or has.
    ends: Vec<String>,
    /// Signs before which that stands, in languages without spaces.
    begins: Vec<String>,
    /// What says that any kind will do.
    #[serde(default)]
    any: Vec<String>,
    /// Words and signs behind which stands where something goes.
    #[serde(default)]
    towards: Vec<String>,
    /// Words and signs that ask which of several.
    #[serde(default)]
    which: Vec<String>,
    /// Words and signs for what variants of a product differ in.
    #[serde(default)]
    variants: Vec<String>,
    /// How the rules are asked where the shop delivers at all.
    #[serde(default)]
    elsewhere: Localised,
}

impl Kinds {
    /// True for "something for a picnic": no kind of thing is named that a shop might not have.
    pub fn open(&self, message: &str) -> bool {
        says_one_of(&self.any, message)
    }

    /// How the rules are asked where the shop delivers at all; nothing where the shop does not say.
    pub fn elsewhere(&self, language: Language) -> Option<&str> {
        self.elsewhere.0.get(&language).map(String::as_str)
    }

    /// True for "which of them is quieter?", 哪个更轻; not for "a cleaner which is quiet": who asks which begins so.
    pub fn which(&self, message: &str) -> bool {
        let beginning: Vec<&str> = message.split_whitespace().take(FIRST_WORDS).collect();
        says_one_of(&self.which, &beginning.join(" "))
    }

    /// True for "what colours does it come in?".
    pub fn variants(&self, message: &str) -> bool {
        says_one_of(&self.variants, message)
    }

    /// True for the Vienna of "delivery to Vienna": the words stand where a place stands.
    pub fn place(&self, message: &str, words: &str) -> bool {
        follow(&self.towards, message, words)
    }

    /// True for the espresso of "which is better for espresso?": the words say what something is for, and nothing says what it is.
    pub fn purpose(&self, message: &str, words: &str) -> bool {
        follow(&self.ends, message, words)
    }

    /// Of "a pan for induction", whose words are "pan induction", "pan"; of 浪漫的串灯 the 串灯. All words where nothing parts them.
    pub fn named(&self, message: &str, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        let begun = self.begins.iter().filter_map(|sign| message.rfind(sign.as_str()).map(|at| at + sign.len())).max();
        if let Some(rest) = begun.and_then(|at| message.get(at..)) {
            let kind: Vec<&str> = words.iter().filter(|word| rest.contains(**word)).copied().collect();
            if !kind.is_empty() {
                return kind.join(" ");
            }
        }
        let mut kind: Vec<&str> = Vec::new();
        for token in message.split_whitespace() {
            let token = token.trim_matches(|sign: char| !sign.is_alphanumeric()).to_lowercase();
            // "A kettle that's quiet": the verb hangs on the word.
            let stem = token.split(['\'', '’']).next().unwrap_or(&token);
            if !kind.is_empty() && self.ends.iter().any(|end| end == stem) {
                return kind.join(" ");
            }
            kind.extend(words.iter().find(|word| word.to_lowercase() == token));
        }
        words.join(" ")
    }
}

/// True when one of a list stands in a message: a word as a whole, signs of a language without spaces anywhere.
fn says_one_of(list: &[String], message: &str) -> bool {
    let message = message.to_lowercase();
    let words = || message.split(|sign: char| !sign.is_alphanumeric() && sign != '-');
    let han = |one: &str| one.contains(|sign: char| sign >= '\u{2e80}') && message.contains(one);
    list.iter().any(|one| han(one) || words().any(|word| word == one))
}

/// True when the first of some words stands right behind one of a list, or, without spaces, behind its signs.
fn follow(list: &[String], message: &str, words: &str) -> bool {
    let message = message.to_lowercase();
    let first = words.split_whitespace().next().unwrap_or_default().to_lowercase();
    let Some(before) = message.find(&first).and_then(|at| message.get(..at)).filter(|_| !first.is_empty()) else {
        return false;
    };
    let last = before.split_whitespace().next_back().unwrap_or_default();
    let spaced = before.ends_with(char::is_whitespace);
    list.iter().any(|one| match one.contains(|sign: char| sign >= '\u{2e80}') {
        true => before.trim_end().ends_with(one.as_str()),
        false => spaced && last == one,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_which_of_several_begins_so() {
        let which = ["which", "какой", "ktorý", "哪"].map(String::from).to_vec();
        let kinds = Kinds { which, ..Kinds::default() };
        let check = |message: &str, expected: bool| assert_eq!(kinds.which(message), expected, "{message}");
        check("Which one is quieter?", true);
        check("а какой из них тише", true);
        check("哪个功率更大", true);
        check("I want a vacuum cleaner which is quiet", false);
        check("chcem mať vysávač, ktorý je tichý", false);
        check("is it quiet?", false);
    }

    #[test]
    fn a_kind_stands_before_its_purpose() {
        let kinds = Kinds {
            ends: ["for", "as", "that", "для", "na"].map(String::from).to_vec(),
            begins: vec!["的".to_string()],
            ..Kinds::default()
        };
        let check = |message: &str, words: &str, expected: &str| {
            assert_eq!(kinds.named(message, words), expected, "{message}");
        };
        check("I need a pan for induction", "pan induction", "pan");
        check("a nice mug as a gift for my boss", "mug boss", "mug");
        check("Soft Pillow, for side sleepers", "Soft Pillow side sleepers", "Soft Pillow");
        check("нож для овощей", "нож овощей", "нож");
        check("nôž na zeleninu", "nôž zeleninu", "nôž");
        check("浪漫的串灯", "浪漫 串灯", "串灯");
        check("红色的", "红色", "红色");
        check("do you have a kettle that's quiet?", "kettle that's quiet", "kettle");
        check("coffee tables", "coffee tables", "coffee tables");
        check("something for the kitchen table", "kitchen table", "kitchen table");
        check("", "", "");
    }

    #[test]
    fn a_place_stands_behind_where_to() {
        let kinds = Kinds { towards: ["to", "do", "в", "送到"].map(String::from).to_vec(), ..Kinds::default() };
        let check = |message: &str, words: &str, expected: bool| {
            assert_eq!(kinds.place(message, words), expected, "{message}");
        };
        check("Delivery to Vienna?", "Vienna", true);
        check("doprava do Popradu", "Popradu", true);
        check("доставите в Тюмень", "тюмень", true);
        check("送到洛阳要几天", "洛阳", true);
        check("fast delivery", "fast", false);
        check("delivery into", "into", false);
        check("когда привезут чайник", "чайник", false);
        check("", "", false);
    }

    #[test]
    fn what_something_is_for_is_not_what_it_is() {
        let kinds = Kinds { ends: ["for", "для", "na"].map(String::from).to_vec(), ..Kinds::default() };
        let check = |message: &str, words: &str, expected: bool| {
            assert_eq!(kinds.purpose(message, words), expected, "{message}");
        };
        check("which one is better for espresso", "espresso", true);
        check("какая лучше для эспрессо?", "эспрессо", true);
        check("ktorý je lepší na espresso", "espresso", true);
        check("compare kettles for two", "kettles", false);
    }

    #[test]
    fn something_is_any_kind() {
        let any = ["something", "что-нибудь", "niečo", "什么东西"].map(String::from).to_vec();
        let kinds = Kinds { any, ..Kinds::default() };
        let check = |message: &str, expected: bool| assert_eq!(kinds.open(message), expected, "{message}");
        check("Something for a picnic?", true);
        check("ищу что-нибудь тёплое на зиму", true);
        check("niečo na grilovanie", true);
        check("有什么东西适合送长辈", true);
        check("do you have laptops", false);
        check("somethings", false);
        check("", false);
    }
}
