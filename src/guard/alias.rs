//! Finding the names of products in a text: inflected, quoted, shortened to what tells them apart.
//! Digits must match exactly; only the endings of words may differ.

use std::ops::Range;

use super::lexicon::{is_han, spaced_letter, word_end};
use super::norm::fold;

/// One way to write a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alias {
    /// The row of the ledger it names.
    pub row: usize,
    parts: Vec<Part>,
    exact: bool,
}

/// A word of a name, or one Chinese sign of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    text: String,
    /// How many signs it has.
    length: usize,
    /// True when it has a digit: then it must stand as it is.
    digits: bool,
}

impl Alias {
    /// The same way to write the name of another row.
    pub fn of(&self, row: usize) -> Alias {
        Alias { row, ..self.clone() }
    }
}

impl Part {
    /// A word in plain form.
    pub fn new(text: &str) -> Part {
        Part {
            length: text.chars().count(),
            digits: text.bytes().any(|byte| byte.is_ascii_digit()),
            text: text.to_string(),
        }
    }

    /// True for this word, with another ending perhaps.
    pub fn is(&self, word: &str) -> bool {
        self.text == word || self.inflected(word)
    }

    /// True when `word` is this one with another ending.
    fn inflected(&self, word: &str) -> bool {
        if self.digits || self.length < 4 {
            // `mug`, `mugs`: of a short word only the plural.
            return !self.digits && self.length == 3 && word.strip_suffix('s') == Some(&self.text);
        }
        let bytes = self.text.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
        let bytes = (0..=bytes).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
        let common = self.text[..bytes].chars().count();
        common >= 3
            && common + 2 >= self.length
            && word[bytes..].chars().count() <= 3
            && !word.bytes().any(|byte| byte.is_ascii_digit())
    }
}

/// A name found in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The row it names.
    pub row: usize,
    /// Where, in the plain text.
    pub range: Range<usize>,
}

/// Collects the ways to write `name`; `rivals` are the names of the other rows, taken apart.
pub(super) fn aliases(row: usize, name: &str, rivals: &[&[String]]) -> Vec<Alias> {
    let full = parts(name);
    let alias =
        |parts: &[String]| Alias { row, parts: parts.iter().map(|part| Part::new(part)).collect(), exact: false };
    let mut found = vec![alias(&full)];
    let mut offer = |candidate: Vec<String>, telling: bool| {
        let letters: usize = candidate.iter().map(|part| part.chars().filter(|c| c.is_alphabetic()).count()).sum();
        let shared = rivals.iter().any(|rival| contains(rival, &candidate));
        if telling && letters >= 2 && !shared && candidate != full {
            found.push(alias(&candidate));
        }
    };
    if let Some(core) = quoted(name) {
        offer(parts(core), true);
    } else if let Some(tail) = name.strip_prefix(is_han) {
        // 耳机Echo 7: the model alone, behind the Chinese noun.
        let tail = tail.trim_start_matches(is_han).trim_start();
        offer(parts(tail), !tail.contains(is_han) && distinctive(&tail.split_whitespace().collect::<Vec<_>>()));
    } else if !name.contains(is_han) {
        let words: Vec<&str> = name.split_whitespace().collect();
        // `stolová lampa Maják`: the proper noun alone. One that stands first may be a common noun in a capital.
        let front = words.iter().take_while(|word| common(word)).count();
        if (1..words.len()).contains(&front) {
            offer(parts(&words[front..].join(" ")), true);
        }
        // `Gora casserole 4 l`: without its measure, where no other has that name.
        if let [rest @ .., number, unit] = words.as_slice()
            && number.starts_with(|sign: char| sign.is_ascii_digit())
            && unit.chars().count() <= 3
            && rest.len() > 1
        {
            offer(parts(&rest.join(" ")), distinctive(rest));
        }
        if let [_, rest @ ..] = words.as_slice() {
            offer(parts(&rest.join(" ")), distinctive(rest));
        }
        // `Orion desk lamp`: where all that follows is common, the first word is the proper one.
        if let [first, rest @ ..] = words.as_slice()
            && rest.iter().all(|word| common(word))
        {
            offer(parts(first), distinctive(&[*first]));
        }
        if let [rest @ .., _] = words.as_slice() {
            offer(parts(&rest.join(" ")), distinctive(rest));
        }
    }
    found
}

/// A code, which must stand as it is.
pub(super) fn code(row: usize, code: &str) -> Alias {
    Alias { row, parts: parts(code).iter().map(|part| Part::new(part)).collect(), exact: true }
}

/// All ways to write the names of a ledger, ready to be looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// With the sign each begins with, in that order.
    aliases: Vec<(char, Alias)>,
    leads: Leads,
}

/// How names begin, so that most words are passed over without a look at any name: a bit for each byte that is one by
/// itself, and one for the first two bytes together, which another ending leaves alone.
#[derive(Clone, Debug, Default)]
struct Leads {
    lone: [u64; 4],
    pairs: [u64; 4],
}

impl Leads {
    fn pair(first: u8, second: u8) -> u8 {
        first.wrapping_mul(31) ^ second
    }

    fn add(&mut self, part: &[u8]) {
        let (bits, byte) = match part {
            [] => return,
            [lone] => (&mut self.lone, *lone),
            [first, second, ..] => (&mut self.pairs, Leads::pair(*first, *second)),
        };
        bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn fit(&self, first: u8, second: u8) -> bool {
        let holds = |bits: &[u64; 4], byte: u8| bits[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0;
        holds(&self.pairs, Leads::pair(first, second)) || holds(&self.lone, first)
    }
}

impl Names {
    /// Sorts `aliases` for the search.
    pub fn new(aliases: Vec<Alias>) -> Names {
        let first = |alias: &Alias| alias.parts.first().and_then(|part| part.text.chars().next());
        let mut aliases: Vec<(char, Alias)> =
            aliases.into_iter().filter_map(|alias| Some((first(&alias)?, alias))).collect();
        aliases.sort_by_key(|(sign, _)| *sign);
        let mut leads = Leads::default();
        aliases.iter().for_each(|(_, alias)| leads.add(alias.parts[0].text.as_bytes()));
        Names { aliases, leads }
    }

    /// The names in `text`, longest first where several begin, not overlapping.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut at = 0;
        let bytes = text.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() {
                at += 1;
                continue;
            }
            // U+4000 to U+9FFF: no word of letters begins there.
            let end = if matches!(byte, 0xE4..=0xE9) { at } else { word_run(text, at) };
            let leads = self.leads.fit(byte, bytes.get(at + 1).copied().unwrap_or_default());
            match leads.then(|| self.longest(text, (at, end))).flatten() {
                Some((end, row)) => {
                    found.push(Found { row, range: at..end });
                    at = end;
                }
                None if end > at => at = end,
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        found
    }

    /// The longest name that begins at `at`, where a word ends at `first`, with its end.
    fn longest(&self, text: &str, (at, first): (usize, usize)) -> Option<(usize, usize)> {
        let sign = text[at..].chars().next()?;
        let from = self.aliases.partition_point(|(known, _)| *known < sign);
        let alike = self.aliases[from..].iter().take_while(|(known, _)| *known == sign);
        alike.filter_map(|(_, alias)| matches(alias, text, (at, first)).map(|end| (end, alias.row))).max()
    }
}

fn word_sign(sign: char) -> bool {
    sign.is_ascii_digit() || spaced_letter(sign)
}

/// The words of a name in plain form, and each Chinese sign by itself.
pub(super) fn parts(name: &str) -> Vec<String> {
    let folded = fold(name);
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for sign in folded.chars() {
        match (word_sign(sign), is_han(sign)) {
            (true, _) if open => found.last_mut().into_iter().for_each(|part| part.push(sign)),
            (true, _) | (_, true) => found.push(sign.to_string()),
            _ => {}
        }
        open = word_sign(sign);
    }
    found
}

fn contains(whole: &[String], part: &[String]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

fn quoted(name: &str) -> Option<&str> {
    let (open, sign) = name.char_indices().find(|(_, c)| matches!(c, '«' | '“' | '"' | '„' | '「' | '《'))?;
    let rest = &name[open + sign.len_utf8()..];
    let close = rest.find(['»', '”', '"', '“', '」', '》'])?;
    Some(&rest[..close])
}

fn common(word: &str) -> bool {
    word.chars().all(|sign| !sign.is_uppercase() && !sign.is_numeric())
}

fn distinctive(words: &[&str]) -> bool {
    words.iter().any(|word| {
        word.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit())
            && word.chars().any(char::is_alphabetic)
    })
}

/// Where the letters and figures that begin at `at` end.
fn word_run(text: &str, at: usize) -> usize {
    let digits = |at: usize| text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = word_end(text, at);
    while let more @ 1.. = digits(end) {
        end = word_end(text, end + more);
    }
    end
}

/// The end of a name that begins at byte `at`, where a word ends at `first`.
fn matches(alias: &Alias, text: &str, (mut at, first): (usize, usize)) -> Option<usize> {
    for (index, part) in alias.parts.iter().enumerate() {
        if index > 0 {
            at = text[at..].find(|sign| !connector(sign)).map_or(text.len(), |index| at + index);
        }
        if part.text.starts_with(is_han) {
            at += text[at..].starts_with(part.text.as_str()).then_some(part.text.len())?;
            continue;
        }
        let end = if index == 0 { first } else { word_run(text, at) };
        let word = &text[at..end];
        if word != part.text && (alias.exact || !part.inflected(word)) {
            return None;
        }
        at = end;
    }
    (!alias.parts.is_empty()).then_some(at)
}

fn connector(sign: char) -> bool {
    matches!(sign, ' ' | '-' | '«' | '»' | '"' | '“' | '”' | '„' | '「' | '」' | '《' | '》' | ',' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, rival: &str, text: &str, expected: usize) {
        let found = Names::new(aliases(0, name, &[&parts(rival)])).find(&fold(text));
        assert_eq!(found.len(), expected, "{name} in {text}: {found:?}");
    }

    #[test]
    fn names_are_found_inflected_and_shortened() {
        check("чайник «Волна»", "чайник «Бриз»", "Цена чайника «Волна» и «Волны»", 2);
        check("чайник «Волна»", "чайник «Бриз»", "Чайник «Шторм», чайник", 0);
        check("hrnček Tatry", "hrnček Dunaj", "Hrnčeky Tatry, cena hrnčeka Tatry, Tatry", 3);
        check("Trailhead 45 backpack", "Summit 60 backpack", "Trailhead 45, Trailhead 46, Trailhead", 1);
        check("iPhone 15 128 GB", "", "iPhone 15 128 GB", 1);
        check("水壶“清风”", "水壶“云海”", "水壶“清风”和“清风”", 2);
        check("káva Orava", "", "kávy Orava, káva", 1);
    }

    #[test]
    fn only_endings_of_words_differ() {
        check("tea mug", "", "tea mug, tea mugs", 2);
        check("tea mug", "", "tea mugger, tea mu, tea cup, tea mux, tea bugs", 0);
        check("tea kettle", "", "tea kettles", 1);
        check("tea kettle", "", "tea kitchen, tea kettlemaker, tea kettle9", 0);
        check("чайник «Кремень»", "", "«Кремень», «Кремни»", 1);
        check("iPhone 128", "", "iPhone 128", 1);
        check("iPhone 128", "", "iPhone 128s, iPhone 12, iPhone 1289", 0);
        check("Pixel9 phone", "", "Pixel9 phones", 1);
        check("Pixel9 phone", "", "Pixel phone", 0);
        check("Alder mug", "", "xAlder mug, 5Alder", 0);
    }

    #[test]
    fn a_name_is_shortened_to_what_no_other_has() {
        check("slúchadlá Echo 7", "slúchadlá Echo 9", "slúchadlá Echo", 0);
        check("slúchadlá Echo 7", "slúchadlá Dunaj 9", "slúchadlá Echo", 1);
        check("Gora casserole 4 l", "", "Gora casserole", 1);
        check("Gora casserole 4 l", "Gora casserole 6 l", "Gora casserole", 0);
        check("Gora casserole 4 inch", "", "Gora casserole", 0);
        check("Pixel 4 GB", "", "Pixel", 0);
        check("耳机Echo 7", "", "Echo 7", 1);
        check("耳机echo", "", "echo", 0);
        check("耳机Echo红", "", "Echo红", 0);
        check("Echo 7 耳机", "", "Echo 7", 0);
        check("Orion desk lamp", "", "Orion", 1);
        check("Orion Desk lamp", "", "Orion", 0);
    }
}
