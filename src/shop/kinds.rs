//! Which of the words that name a thing name its kind: `[kind]` of `data/rules/search.toml`. In: the words. Out: those that do.

use serde::Deserialize;

/// Where the words of a kind end and begin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    /// Words of their own behind which stands what a thing is for, or has.
    ends: Vec<String>,
    /// Signs before which that stands, in languages without spaces.
    begins: Vec<String>,
}

impl Kinds {
    /// "A pan for induction" is a pan; 浪漫的串灯 is 串灯.
    pub fn named<'a>(&self, words: &'a str) -> &'a str {
        let begun = self.begins.iter().filter_map(|sign| words.rfind(sign.as_str()).map(|at| at + sign.len())).max();
        let words = begun.map(|at| words[at..].trim()).filter(|rest| !rest.is_empty()).unwrap_or(words);
        let mut at = 0;
        for word in words.split_inclusive(char::is_whitespace) {
            let lower = word.trim().to_lowercase();
            if at > 0 && self.ends.contains(&lower) {
                return words[..at].trim_end();
            }
            at += word.len();
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_stands_before_its_purpose() {
        let kinds = Kinds { ends: ["for", "для", "na"].map(String::from).to_vec(), begins: vec!["的".to_string()] };
        let check = |words: &str, expected: &str| assert_eq!(kinds.named(words), expected, "{words}");
        check("pan for induction", "pan");
        check("soft pillow  For side sleepers", "soft pillow");
        check("нож для овощей", "нож");
        check("nôž na zeleninu", "nôž");
        check("浪漫的串灯", "串灯");
        check("红的", "红的");
        check("coffee tables", "coffee tables");
        check("for two", "for two");
        check("", "");
    }
}
