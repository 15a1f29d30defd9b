//! What the model wrote under the prose grammar: an exit, or sentences around slots; cut where its last sentence ends.

use crate::domain::Language;

use super::grammar::{EXITS, ends};

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// None of the products is meant.
    None,
    /// It cannot be told what is wanted.
    Ask,
    /// A person is wanted.
    Human,
    /// Sentences around slots.
    Text {
        /// The text; its slots are numbered by `named`.
        text: String,
        /// The products it names, by their place among those shown, in the order of their first mention.
        named: Vec<usize>,
    },
}

/// Reads the model's answer; none when it holds no whole sentence that names a product.
pub fn read(text: &str, language: Language) -> Option<Said> {
    let text = text.trim();
    if let Some((_, said)) = EXITS.iter().find(|(word, _)| text == format!("{{{word}}}")) {
        return Some(said.clone());
    }
    let (end, sign) = text.char_indices().rev().find(|(_, sign)| ends(language, *sign))?;
    let (text, named) = renumbered(&text[..end + sign.len_utf8()])?;
    (!named.is_empty()).then_some(Said::Text { text, named })
}

/// The text with its products numbered from 1 in the order of their mention.
fn renumbered(text: &str) -> Option<(String, Vec<usize>)> {
    let mut named: Vec<usize> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (slot, after) = behind.split_once('}')?;
        let digits = slot.find(|sign: char| sign.is_ascii_digit())?;
        let index = slot[digits..].parse::<usize>().ok()?.checked_sub(1)?;
        let place = named.iter().position(|known| *known == index).unwrap_or_else(|| {
            named.push(index);
            named.len() - 1
        });
        out.push_str(&format!("{before}{{{}{}}}", &slot[..digits], place + 1));
        rest = after;
    }
    out.push_str(rest);
    Some((out, named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &[usize])>) {
        let expected = expected.map(|(text, named)| Said::Text { text: text.to_string(), named: named.to_vec() });
        assert_eq!(read(text, Language::En), expected, "{text}");
    }

    #[test]
    fn whole_sentences_are_read_and_what_was_cut_off_is_left_out() {
        check("We have {name3} for {price3}.", Some(("We have {name1} for {price1}.", &[2])));
        check(
            "{name2} is {price2}. And {name1} is {price1}!",
            Some(("{name1} is {price1}. And {name2} is {price2}!", &[1, 0])),
        );
        check("{name1} costs {price1}. It is a ve", Some(("{name1} costs {price1}.", &[0])));
        check("{name1} costs", None);
        check("Yes, of course.", None);
        assert_eq!(read("{none}", Language::Ru), Some(Said::None));
        assert_eq!(read(" {human}", Language::Zh), Some(Said::Human));
    }
}
