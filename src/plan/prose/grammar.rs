//! The language in which a reply in the model's own words is written: sentences of letters around slots.
//! In: the slots there are. Out: a Lark grammar in which no digit, no currency or percent sign and no other slot can
//! be written, and an amount only follows the name of its own product, in the same sentence.
//! It owns characters, not words: number words of languages with an alphabet are the guard's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Language;

const ALPHABETS: &str = include_str!("../../../data/prompts/alphabets.toml");
/// Characters of a run between slots, and of a sentence without any.
const RUN: usize = 60;
const SENTENCE: usize = 90;
/// Products named in a sentence.
const NAMES: usize = 3;
/// Sentences of a reply.
pub const SENTENCES: usize = 3;

/// What may be said of a product besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The price now, or the lowest of its variants'.
    Price,
    /// The price before a reduction.
    Old,
    /// Pieces in stock.
    Stock,
}

impl Slot {
    /// As the model writes it, before the product's number.
    pub fn word(self) -> &'static str {
        match self {
            Slot::Price => "price",
            Slot::Old => "old",
            Slot::Stock => "stock",
        }
    }
}

/// What the grammar is made for.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// The language of the reply.
    pub language: Language,
    /// Of each product, in its order: the slots it has.
    pub products: &'a [Vec<Slot>],
    /// Whether the model may also say that none of them is meant, or ask, or call a person.
    pub exits: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alphabet {
    letters: String,
    without: String,
    inside: String,
    apart: String,
    ends: String,
}

static BY_LANGUAGE: LazyLock<BTreeMap<Language, Alphabet>> = LazyLock::new(|| {
    toml::from_str(ALPHABETS).expect("invariant: data/prompts/alphabets.toml is compiled in, a test reads it")
});

/// Whether a character ends a sentence of the language.
pub fn ends(language: Language, sign: char) -> bool {
    BY_LANGUAGE.get(&language).is_some_and(|alphabet| alphabet.ends.contains(sign))
}

impl Alphabet {
    fn ranges(&self) -> Vec<(char, char)> {
        let letters: Vec<char> = self.letters.chars().collect();
        let mut ranges = Vec::new();
        let mut at = 0;
        while let Some(&first) = letters.get(at) {
            let last = match letters.get(at + 1..at + 3) {
                Some(&['-', last]) => last,
                _ => first,
            };
            at += if last == first { 1 } else { 3 };
            ranges.extend(self.allowed(first, last));
        }
        ranges
    }

    /// A range in pieces between the letters that may not be written.
    fn allowed(&self, first: char, last: char) -> Vec<(char, char)> {
        let mut pieces: Vec<(char, char)> = Vec::new();
        let mut open: Option<(char, char)> = None;
        for letter in first..=last {
            if self.without.contains(letter) {
                pieces.extend(open.take());
            } else {
                open = Some(open.map_or((letter, letter), |(from, _)| (from, letter)));
            }
        }
        pieces.extend(open);
        pieces
    }

    /// A regular expression's class of letters and the signs within sentences.
    fn class(&self) -> String {
        let ranges: String = self.ranges().iter().map(|(a, b)| format!("{}-{}", escaped(*a), escaped(*b))).collect();
        format!("[{ranges}{}]", signs(&self.inside))
    }

    /// The runs of text: before the first slot, between two, after the last, a sentence without any.
    fn runs(&self) -> [String; 4] {
        let (any, ends) = (self.class(), format!("[{}]", signs(&self.ends)));
        if self.apart.is_empty() {
            return [
                format!("{any}{{1,{RUN}}}"),
                format!("{any}{{1,{RUN}}}"),
                format!("{any}{{0,{RUN}}}{ends}"),
                format!("{any}{{2,{SENTENCE}}}{ends}"),
            ];
        }
        let apart = format!("[{}]", signs(&self.apart));
        [
            format!("({any}{{0,{RUN}}} )"),
            format!("({apart}{any}{{0,{RUN}}} | )"),
            format!("({apart}{any}{{0,{RUN}}})?{ends}"),
            format!("{any}{{2,{SENTENCE}}}{ends}"),
        ]
    }
}

fn escaped(sign: char) -> String {
    format!("\\u{{{:x}}}", u32::from(sign))
}

fn signs(text: &str) -> String {
    text.chars().map(escaped).collect()
}

/// The grammar for these slots. The first sentence names a product, and its price first when it has one.
pub fn grammar(shape: Shape<'_>) -> String {
    let alphabet = &BY_LANGUAGE[&shape.language];
    let [lead, between, tail, plain] = alphabet.runs();
    let more = ["", " more", " more more"][..SENTENCES].iter().map(|more| format!("said{more}"));
    let exits = shape.exits.then(|| EXITS.iter().map(|(word, _)| format!("\"{{{word}}}\""))).into_iter().flatten();
    let start: Vec<String> = more.chain(exits).collect();
    let names: Vec<String> = (1..=shape.products.len()).map(|number| format!("g{number}")).collect();
    let mut text = format!(
        "start: {}\nmore: said | PLAIN\nsaid: LEAD? group (BETWEEN group){{0,{}}} TAIL\ngroup: {}\n",
        start.join(" | "),
        NAMES - 1,
        names.join(" | ")
    );
    for (index, slots) in shape.products.iter().enumerate() {
        product(&mut text, index + 1, slots);
    }
    // Infallible: writing to a String.
    let _ = write!(text, "LEAD: /{lead}/\nBETWEEN: /{between}/\nTAIL: /{tail}/\nPLAIN: /{plain}/\n");
    text
}

/// What the model may say instead of a reply, and what it means.
pub static EXITS: [(&str, super::Said); 3] =
    [("none", super::Said::None), ("ask", super::Said::Ask), ("human", super::Said::Human)];

fn product(text: &mut String, number: usize, slots: &[Slot]) {
    let slot = |slot: &Slot| format!("\"{{{}{number}}}\"", slot.word());
    let others: Vec<String> = slots.iter().filter(|other| **other != Slot::Price).map(slot).collect();
    let price = match slots.contains(&Slot::Price) {
        true => format!(" BETWEEN {}", slot(&Slot::Price)),
        false => String::new(),
    };
    let rest = if others.is_empty() { String::new() } else { format!(" (BETWEEN f{number}){{0,{}}}", others.len()) };
    let _ = writeln!(text, "g{number}: \"{{name{number}}}\"{price}{rest}");
    if !others.is_empty() {
        let _ = writeln!(text, "f{number}: {}", others.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_alphabet_holds_a_number_or_a_sign_of_money() {
        for (language, alphabet) in BY_LANGUAGE.iter() {
            let letters = alphabet.ranges().into_iter().flat_map(|(first, last)| first..=last);
            let signs = [&alphabet.inside, &alphabet.apart, &alphabet.ends];
            for sign in letters.chain(signs.iter().flat_map(|signs| signs.chars())) {
                let harmless = !sign.is_numeric() && !sign.is_control() && !"%‰$€£¥₽₸{}<>#*&\\|+=~/^_".contains(sign);
                assert!(harmless, "{language}: {sign:?}");
                assert!(!"一二三四五六七八九十百千万亿零两".contains(sign), "{language}: {sign:?}");
            }
        }
        assert_eq!(BY_LANGUAGE.len(), Language::ALL.len());
    }

    #[test]
    fn only_the_slots_at_hand_are_words() {
        let products = [vec![Slot::Price, Slot::Old], vec![]];
        let text = grammar(Shape { language: Language::En, products: &products, exits: false });
        for there in ["\"{name1}\" BETWEEN \"{price1}\"", "f1: \"{old1}\"", "g2: \"{name2}\"\n"] {
            assert!(text.contains(there), "{there} is missing in {text}");
        }
        for absent in ["price2", "old2", "stock", "name3", "{none}"] {
            assert!(!text.contains(absent), "{absent} stands in {text}");
        }
    }
}
