//! How well the words of messages are told apart, over messages marked by hand. In: a table `lang`, `marked`, where {names of goods} and
//! [what they should be like] are marked. Out: of the words that say something of goods how many are kept, and how many of the others are
//! left out. In Chinese each character counts as a word.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Serialize;

use super::cases::Batch;
use super::folded::is_han;
use super::of_goods::may_speak_of_goods;
use crate::domain::Language;

/// First line of such a table.
pub const HEADER: &str = "lang\tmarked";

/// Words of one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Words that say something of goods.
    pub of_goods: usize,
    /// Of those, kept.
    pub kept: usize,
    /// Other words.
    pub aside: usize,
    /// Of those, left out.
    pub left_out: usize,
}

/// Measures every message.
///
/// # Errors
/// A row that is none, by number.
pub async fn run(batch: &Batch<'_>, table: &str) -> anyhow::Result<BTreeMap<Language, Told>> {
    let mut all: BTreeMap<Language, Told> = BTreeMap::new();
    for (at, line) in table.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
        let row = || format!("row {}", at + 1);
        let (language, marked) = line.split_once('\t').with_context(row)?;
        let (text, of_goods) = unmarked(marked).with_context(row)?;
        let message = batch.message(&text).await;
        let told = all.entry(language.parse().with_context(row)?).or_default();
        for word in words(&text) {
            let aside = !may_speak_of_goods(&text[word.clone()], &message.marks.chances(&text[word.clone()]));
            match of_goods[word].contains(&true) {
                true => (told.of_goods, told.kept) = (told.of_goods + 1, told.kept + usize::from(!aside)),
                false => (told.aside, told.left_out) = (told.aside + 1, told.left_out + usize::from(aside)),
            }
        }
    }
    Ok(all)
}

/// A text without its marks, and for each of its bytes whether it stood in one.
fn unmarked(marked: &str) -> anyhow::Result<(String, Vec<bool>)> {
    let (mut text, mut of_goods, mut open) = (String::new(), Vec::new(), None);
    for sign in marked.chars() {
        match (sign, open) {
            ('{', None) => open = Some('}'),
            ('[', None) => open = Some(']'),
            (close, Some(awaited)) if close == awaited => open = None,
            ('{' | '[' | '}' | ']', _) => bail!("a mark opens or closes out of turn: {marked}"),
            (letter, _) => {
                text.push(letter);
                of_goods.resize(text.len(), open.is_some());
            }
        }
    }
    if open.is_some() {
        bail!("a mark is not closed: {marked}");
    }
    Ok((text, of_goods))
}

/// Where the words of a text stand, and each Chinese character.
fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut words: Vec<std::ops::Range<usize>> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match words.last_mut() {
            Some(word) if open && c.is_alphanumeric() && !is_han(c) => word.end = end,
            _ if c.is_alphanumeric() => words.push(at..end),
            _ => {}
        }
        open = c.is_alphanumeric() && !is_han(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_off() {
        let check = |marked: &str, text: &str, of_goods: &[&str]| {
            let (plain, marks) = unmarked(marked).unwrap();
            let goods: Vec<&str> = words(&plain)
                .into_iter()
                .filter(|word| marks[word.clone()].contains(&true))
                .map(|word| &plain[word])
                .collect();
            assert_eq!((plain.as_str(), goods.as_slice()), (text, of_goods));
        };
        check("hm, a {wool hat} [for rain]?", "hm, a wool hat for rain?", &["wool", "hat", "for", "rain"]);
        check("有[防水]的{包}吗", "有防水的包吗", &["防", "水", "包"]);
        check("thanks", "thanks", &[]);
        for broken in ["{a", "a}", "{a [b]}", "[a}"] {
            assert!(unmarked(broken).is_err(), "{broken}");
        }
    }
}
