//! One plain form of a text: entities decoded, marks and invisible signs gone, compatibility forms unified,
//! every script's digits as 0-9, lower case, no diacritics; with the way back to the original offsets.
//! It never drops a sign that could carry a number: what it does not know becomes [`UNKNOWN`], which is refused.

use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::markup::{entity, tag};

/// Stands for a numeral-like sign that is no plain digit: ², ½, Ⅳ, ⑤.
pub(super) const ODD: char = '\u{1}';
/// Stands for a sign nobody can vouch for: a broken entity, a private-use code point.
pub(super) const UNKNOWN: char = '\u{2}';
const ISLAND_BASE: u32 = 0xF_0000;

/// A text in plain form.
#[derive(Debug)]
pub(super) struct Normal {
    /// The plain text.
    pub text: String,
    /// Where the plain text stops running in step with the original: the byte of each.
    breaks: Vec<(u32, u32)>,
    /// A direction control, when there is one.
    pub bidi: Option<Range<usize>>,
}

impl Normal {
    /// The original range behind a range of the plain text.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.origin(range.start);
        start..self.origin(range.end).max(start)
    }

    /// The original byte behind a byte of the plain text.
    pub fn origin(&self, index: usize) -> usize {
        let known = self.breaks.partition_point(|(plain, _)| *plain as usize <= index);
        let (plain, origin) = known.checked_sub(1).map_or((0, 0), |before| self.breaks[before]);
        origin as usize + index.min(self.text.len()) - plain as usize
    }
}

/// Which island a sign of the plain text stands for.
pub(super) fn island(sign: char) -> Option<usize> {
    let index = (sign as u32).checked_sub(ISLAND_BASE)?;
    (index < 0xFFF0).then_some(index as usize)
}

/// The plain form of `text`, in which each of `islands` (ascending, on character boundaries) is one sign.
pub(super) fn normalise(text: &str, islands: &[Range<usize>]) -> Normal {
    let breaks = Vec::with_capacity(8 + text.len() / 16);
    let mut out = Writer { text: String::with_capacity(text.len()), breaks, ahead: 0, bidi: None };
    let mut at = 0;
    let mut next_island = 0;
    while at < text.len() {
        if let Some(range) = islands.get(next_island).filter(|range| range.start == at) {
            let sign = char::from_u32(ISLAND_BASE + next_island as u32).unwrap_or(UNKNOWN);
            out.push(sign, at);
            at = range.end.max(at);
            next_island += 1;
            continue;
        }
        let stop = islands.get(next_island).map_or(text.len(), |range| range.start);
        let run = plain_run(&text.as_bytes()[at..stop], out.text.ends_with([' ', '\n']));
        out.copy(&text[at..at + run], at);
        at += run;
        if at < stop {
            at += out.step(&text[at..stop], at);
        }
    }
    out.mark(text.len());
    Normal { text: out.text, breaks: out.breaks, bidi: out.bidi }
}

/// The letters, figures and signs that stand as they are, but for capitals.
const PLAIN_ASCII: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 0x80 {
        let sign = byte as u8;
        plain[byte] = sign.is_ascii_alphanumeric()
            || matches!(sign, b',' | b'.' | b'-' | b'!' | b'?' | b':' | b';' | b'(' | b')' | b'"');
        byte += 1;
    }
    plain
};

/// The bytes at the start that stand as they are, or in small letters: most of most texts, copied in one go.
fn plain_run(bytes: &[u8], spaced: bool) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = || bytes.get(at + 1).copied().unwrap_or(0);
        at += match byte {
            _ if PLAIN_ASCII[usize::from(byte)] => 1,
            b' ' if !at.checked_sub(1).map_or(spaced, |before| bytes[before] == b' ') => 1,
            0xD0 if matches!(next(), 0xB0..=0xBF) => 2,
            0xD1 if matches!(next(), 0x80..=0x8F) => 2,
            // U+4E00 to U+9FFF.
            0xE4 if next() >= 0xB8 => 3,
            0xE5..=0xE9 => 3,
            _ => break,
        };
    }
    at
}

/// Lexicon entries take the same form as the text they are looked for in.
pub(super) fn fold(text: &str) -> String {
    normalise(text, &[]).text
}

struct Writer {
    text: String,
    breaks: Vec<(u32, u32)>,
    /// How far the original is ahead of the plain text, or behind.
    ahead: isize,
    bidi: Option<Range<usize>>,
}

impl Writer {
    /// Reads one sign, entity or tag at the start of `rest`; returns the bytes it took.
    fn step(&mut self, rest: &str, at: usize) -> usize {
        let Some(sign) = rest.chars().next() else { return 1 };
        match sign {
            '&' => {
                let (decoded, length) = entity(rest);
                match decoded {
                    UNKNOWN => self.push(UNKNOWN, at),
                    _ => self.sign(decoded, at),
                }
                length
            }
            '<' => match tag(rest) {
                Some(length) => length,
                None => {
                    self.push('<', at);
                    1
                }
            },
            '*' | '_' | '`' | '\\' | '\'' | '’' => {
                self.mark_between(sign, rest, at);
                sign.len_utf8()
            }
            _ => {
                self.sign(sign, at);
                sign.len_utf8()
            }
        }
    }

    /// Marks of markup go; between two figures they stand for a separator: `4_990` is nobody's way to write a number.
    fn mark_between(&mut self, sign: char, rest: &str, at: usize) {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        if digit(self.text.as_bytes().last()) && digit(rest.as_bytes().get(sign.len_utf8())) {
            self.push(if matches!(sign, '\'' | '’') { ',' } else { UNKNOWN }, at);
        }
    }

    fn sign(&mut self, sign: char, at: usize) {
        match sign {
            ' '..='~' => self.ascii(sign, at),
            '\n' => self.newline(at),
            'а'..='я' | '\u{4E00}'..='\u{9FFF}' => self.push(sign, at),
            _ => match listed(sign) {
                Some(plain) => self.push(plain, at),
                None => self.unlisted(sign, at),
            },
        }
    }

    fn unlisted(&mut self, sign: char, at: usize) {
        match sign {
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => self.newline(at),
            'А'..='Я' | 'Ѐ'..='Џ' | 'ѐ'..='џ' => self.cyrillic(sign, at),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{61C}' | '\u{200E}' | '\u{200F}' => {
                self.bidi.get_or_insert(at..at + sign.len_utf8());
            }
            _ if invisible(sign) => {}
            _ if sign.is_whitespace() => self.space(at),
            _ => self.other(sign, at),
        }
    }

    fn ascii(&mut self, sign: char, at: usize) {
        match sign {
            ' ' => self.space(at),
            _ => self.push(sign.to_ascii_lowercase(), at),
        }
    }

    fn cyrillic(&mut self, sign: char, at: usize) {
        if let Some(lower) = char::from_u32(sign as u32 + 0x20).filter(|_| matches!(sign, 'А'..='Я')) {
            return self.push(lower, at);
        }
        for lower in sign.to_lowercase() {
            self.push(if matches!(lower, 'ё' | 'ѐ') { 'е' } else { lower }, at);
        }
    }

    fn other(&mut self, sign: char, at: usize) {
        match sign {
            '\u{2212}' | '\u{2012}' | '\u{2010}' | '\u{2011}' | '\u{FE63}' | '\u{FF0D}' => return self.push('-', at),
            '\u{66B}' => return self.push('.', at),
            '\u{66C}' => return self.push(',', at),
            '’' | '‘' | 'ʼ' | '´' | '`' | '\u{2BB}' => return,
            // Ten, a hundred, dice, Braille, cards: signs that show a number.
            '\u{1F51F}'
            | '\u{1F4AF}'
            | '\u{2680}'..='\u{2685}'
            | '\u{2800}'..='\u{28FF}'
            | '\u{1F000}'..='\u{1F0FF}' => {
                return self.push(ODD, at);
            }
            '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. => return self.push(UNKNOWN, at),
            '²' | '³' if self.text.ends_with('m') || self.text.ends_with('м') => return self.push(sign, at),
            '〇' | '°' | '№' => return self.push(sign, at),
            _ => {}
        }
        if let Some(digit) = foreign_digit(sign) {
            return self.push(digit, at);
        }
        let odd = sign.is_numeric() && !decimal(sign);
        if odd {
            return self.push(ODD, at);
        }
        decompose_compatible(sign, |part| self.part(part, at));
    }

    fn part(&mut self, part: char, at: usize) {
        match part {
            '\u{306}' if self.text.ends_with('и') => {
                self.pop();
                self.push('й', at);
            }
            'ł' | 'Ł' => self.push('l', at),
            'đ' | 'Đ' => self.push('d', at),
            'ø' | 'Ø' => self.push('o', at),
            'ß' => {
                self.push('s', at);
                self.push('s', at);
            }
            ' ' => self.space(at),
            // What is struck through is not said.
            '\u{335}'..='\u{338}' => self.push(UNKNOWN, at),
            _ if is_combining_mark(part) || invisible(part) => {}
            _ => {
                for lower in part.to_lowercase().filter(|&c| !is_combining_mark(c)) {
                    self.push(lower, at);
                }
            }
        }
    }

    fn space(&mut self, at: usize) {
        if !self.text.ends_with([' ', '\n']) {
            self.push(' ', at);
        }
    }

    fn newline(&mut self, at: usize) {
        if self.text.ends_with(' ') {
            self.pop();
        }
        self.push('\n', at);
    }

    fn push(&mut self, sign: char, at: usize) {
        self.mark(at);
        self.text.push(sign);
    }

    fn copy(&mut self, plain: &str, at: usize) {
        if !plain.is_empty() {
            self.mark(at);
            let start = self.text.len();
            self.text.push_str(plain);
            self.text[start..].make_ascii_lowercase();
        }
    }

    /// Notes that what is written next came from byte `at`.
    fn mark(&mut self, at: usize) {
        let ahead = at as isize - self.text.len() as isize;
        if ahead != self.ahead {
            self.breaks.push((self.text.len() as u32, at as u32));
            self.ahead = ahead;
        }
    }

    fn pop(&mut self) {
        self.text.pop();
        while self.breaks.last().is_some_and(|(plain, _)| *plain as usize >= self.text.len()) {
            self.breaks.pop();
        }
        self.ahead = self.breaks.last().map_or(0, |&(plain, origin)| origin as isize - plain as isize);
    }
}

/// Blocks whose signs are looked up: accented Latin, punctuation, currency signs, full-width forms.
const LISTED: [Range<u32>; 4] = [0xA1..0x180, 0x2010..0x2100, 0x3001..0x3040, 0xFF01..0xFF70];

/// The plain form of the signs of [`LISTED`] that are always one and the same plain sign.
static PLAIN: LazyLock<Vec<Option<char>>> = LazyLock::new(|| {
    let plain = |code: u32| {
        let sign = char::from_u32(code).filter(|sign| !matches!(sign, '²' | '³'))?;
        let mut out = Writer { text: String::new(), breaks: Vec::new(), ahead: 0, bidi: None };
        out.unlisted(sign, 0);
        let mut signs = out.text.chars().filter(|sign| !sign.is_whitespace() && out.bidi.is_none());
        Some((signs.next()?, signs.next())).filter(|(_, more)| more.is_none()).map(|(sign, _)| sign)
    };
    LISTED.into_iter().flatten().map(plain).collect()
});

fn listed(sign: char) -> Option<char> {
    let code = sign as u32;
    let mut before = 0;
    for block in LISTED {
        if block.contains(&code) {
            return PLAIN.get(before + (code - block.start) as usize).copied().flatten();
        }
        before += block.len();
    }
    None
}

fn decimal(sign: char) -> bool {
    let mut digit = false;
    decompose_compatible(sign, |part| digit = part.is_ascii_digit());
    // Compatibility digits that are plain figures: full-width, mathematical, segmented.
    digit && matches!(sign as u32, 0xFF10..=0xFF19 | 0x1D7CE..=0x1D7FF | 0x1FBF0..=0x1FBF9)
}

fn invisible(sign: char) -> bool {
    matches!(sign as u32,
        0xAD | 0x34F | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x2060..=0x2065 | 0x206A..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
        | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0x20DD..=0x20E4 | 0xE0000..=0xE0FFF
        | 0x0..=0x8 | 0xE..=0x1F | 0x7F..=0x84 | 0x86..=0x9F)
}

/// The digit 0-9 behind a decimal digit of another script.
fn foreign_digit(sign: char) -> Option<char> {
    let code = sign as u32;
    let zero = match ZEROS.binary_search(&code) {
        Ok(index) => ZEROS[index],
        Err(0) => return None,
        Err(index) => ZEROS[index - 1],
    };
    char::from_digit(code - zero, 10)
}

/// The zero of each script with decimal digits of its own (Unicode category Nd).
const ZEROS: [u32; 58] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450,
    0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50,
    0x1E140, 0x1E2F0, 0x1E950,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(fold(text), expected, "{text:?}");
    }

    #[test]
    fn one_form_for_many_writings() {
        check("１４\u{a0}９９０", "14 990");
        check("𝟏𝟑", "13");
        check("٨٩٫٩٨", "89.98");
        check("1\u{fe0f}⃣3\u{fe0f}⃣", "13");
        check("&#36;79&period;99", "$79.99");
        check("&amp;#36;7", "$7");
        check("&bogus;7", "\u{2}7");
        check("**Voda** `7`", "voda 7");
        check("ČAJNÍK päť", "cajnik pat");
        check("и\u{306}ёЁЙ", "йеей");
        check("1\u{200d}8", "18");
        check("89⁹ ½ Ⅳ", "89\u{1} \u{1} \u{1}");
        check("<b>7</b>", "7");
        check("5 < 7", "5 < 7");
        check("12 m²", "12 m²");
        check("\u{e000}", "\u{2}");
    }

    #[test]
    fn offsets_lead_back() {
        let normal = normalise("Ča &#36;7", &[]);
        assert_eq!(normal.original(3..4), 4..9);
        let island = normalise("a 99 b", std::slice::from_ref(&(2..4)));
        assert_eq!(island.original(2..6), 2..4);
    }
}
