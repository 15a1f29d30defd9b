//! What a numeral is worth: figures by the strict grammar of a locale, number words of every language,
//! Chinese numerals. A numeral is either read exactly or refused; nothing is guessed.

use std::ops::Range;

use crate::domain::Language;

use super::lex::{Kind, Token};
use super::lexicon::{Class, is_han};

/// Amounts are held in millionths, so that 2.5万 and 24.90 stay exact.
pub(super) const ONE: i128 = 1_000_000;
const LIMIT: i128 = 1_000_000_000_000_000_000;

/// A numeral and the tokens that write it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numeral {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Its value in millionths; `None` when no locale writes it so, or two read it differently.
    pub value: Option<i128>,
    /// True when words write it.
    pub words: bool,
    /// True when it is one lone word that need not be a number at all: "one of", 一下.
    pub idle: bool,
}

/// The numeral that begins at token `at`.
pub(super) fn numeral(text: &str, tokens: &[Token], at: usize, language: Language) -> Option<Numeral> {
    let token = tokens.get(at)?;
    match &token.kind {
        Kind::Figures => Some(figures(text, tokens, at, language)),
        Kind::Word | Kind::Composite(_) if number_word(token) => Some(words(text, tokens, at)),
        _ => None,
    }
}

fn number_word(token: &Token) -> bool {
    token.is(Class::Number) || matches!(token.kind, Kind::Composite(_))
}

fn figures(text: &str, tokens: &[Token], at: usize, language: Language) -> Numeral {
    let mut value = parse_figures(&text[tokens[at].range()], language);
    let mut end = at + 1;
    // Nobody writes thousands of thousands so: 3000K is the colour of light.
    let scaled = |next: &&Token| scale(next) && !(next.is(Class::Short) && value >= Some(1000 * ONE));
    if let Some(next) = tokens.get(end).filter(scaled) {
        value = value.and_then(|value| value.checked_mul(i128::from(next.term.value))).filter(|value| *value < LIMIT);
        end += 1;
        if abbreviated(text, tokens, end) {
            end += 1;
        }
        if tokens.get(end).is_some_and(|next| number_word(next) || next.kind == Kind::Figures) {
            // `2 тыс 500`, `1万5`: colloquial sums are not read.
            return Numeral { tokens: at..end + 1, value: None, words: false, idle: false };
        }
    }
    Numeral { tokens: at..end, value, words: false, idle: false }
}

/// The point of `тыс.` or `tis.`, when the currency comes behind it.
fn abbreviated(text: &str, tokens: &[Token], end: usize) -> bool {
    let short = matches!(&text[tokens[end - 1].range()], "тыс" | "млн" | "млрд" | "tis" | "mil" | "mln" | "tys");
    let point = tokens.get(end).is_some_and(|token| token.sign('.') && !token.spaced);
    short && point && tokens.get(end + 1).is_some_and(|token| token.is(Class::Currency))
}

fn scale(token: &Token) -> bool {
    (token.is(Class::Short) && !token.spaced)
        || (token.is(Class::Number) && token.term.value >= 100 && token.kind == Kind::Word)
}

/// Reads figures. A comma or point before three digits is refused unless `language` groups so.
pub(super) fn parse_figures(written: &str, language: Language) -> Option<i128> {
    if written.len() > 20 || written.contains(" .") || written.contains(" ,") {
        return None;
    }
    let english = matches!(language, Language::En | Language::Zh);
    let (whole, fraction) = match written.rfind(['.', ',']) {
        None => (written, ""),
        Some(at) => {
            let (whole, rest) = (&written[..at], &written[at + 1..]);
            let comma = written.as_bytes()[at] == b',';
            match (comma, rest.len(), english) {
                (true, 3, true) => (written, ""),
                (false, 1..=2, _) | (true, 1..=2, false) => (whole, rest),
                // Nobody groups behind a lone zero: 0.699万 can only be a fraction.
                (false, 3..=6, _) | (true, 3..=6, false) if whole == "0" => (whole, rest),
                _ => return None,
            }
        }
    };
    let separator = if whole.contains(',') { b',' } else { b' ' };
    if separator == b',' && !english {
        return None;
    }
    let mut share = ONE;
    let mut cents = 0;
    for byte in fraction.bytes() {
        share /= 10;
        cents += i128::from(byte.is_ascii_digit().then(|| byte - b'0')?) * share;
    }
    ungrouped(whole, separator)?.checked_mul(ONE)?.checked_add(cents)
}

/// Whole figures, in threes where they are grouped at all.
fn ungrouped(whole: &str, separator: u8) -> Option<i128> {
    let (mut value, mut digits, mut grouped) = (0_i128, 0, false);
    let closed = |digits: usize, grouped: bool| digits == 3 || (!grouped && (1..3).contains(&digits));
    for byte in whole.bytes() {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i128::from(byte - b'0');
                digits += 1;
            }
            _ if byte == separator && closed(digits, grouped) => (digits, grouped) = (0, true),
            _ => return None,
        }
    }
    let padded = whole.len() > 1 && whole.starts_with('0');
    let complete = if grouped { digits == 3 } else { digits > 0 };
    (complete && !padded).then_some(value)
}

/// What Roman letters add up to, well formed or not.
pub(super) fn roman(word: &str) -> Option<i32> {
    let (mut total, mut highest) = (0, 0);
    for byte in word.bytes().rev() {
        let value = match byte {
            b'i' => 1,
            b'v' => 5,
            b'x' => 10,
            b'l' => 50,
            b'c' => 100,
            b'd' => 500,
            b'm' => 1000,
            _ => return None,
        };
        total += if value < highest { -value } else { value };
        highest = highest.max(value);
    }
    (!word.is_empty()).then_some(total)
}

/// True for the one way to write this value: Slovak `vidím` is a word.
fn well_formed(mut value: i32, word: &str) -> bool {
    const SIGNS: [(i32, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    let mut rest = word;
    for (worth, sign) in SIGNS {
        while value >= worth {
            let Some(shorter) = rest.strip_prefix(sign) else { return false };
            (rest, value) = (shorter, value - worth);
        }
    }
    rest.is_empty()
}

/// A Roman numeral of three letters at least, from twenty on: smaller ones count generations and parts.
pub(super) fn roman_from_twenty(word: &str) -> bool {
    const WORDS: [&str; 12] =
        ["mix", "dix", "mid", "dim", "mild", "mil", "mill", "civil", "vivid", "livid", "dvd", "lcd"];
    word.len() >= 3
        && roman(word).is_some_and(|value| value >= 20 && well_formed(value, word))
        && !WORDS.contains(&word)
}

fn words(text: &str, tokens: &[Token], at: usize) -> Numeral {
    let mut values: Vec<u64> = Vec::new();
    let mut end = at;
    let mut chinese = false;
    while let Some(token) = tokens.get(end) {
        if number_word(token) {
            match &token.kind {
                Kind::Composite(parts) => values.extend(parts.iter()),
                _ => values.push(token.term.value),
            }
            chinese |= text[token.range()].starts_with(is_han);
            end += 1;
        } else if end > at && joins(text, token) && tokens.get(end + 1).is_some_and(number_word) {
            end += 1;
        } else {
            break;
        }
    }
    let lone = end == at + 1;
    let idle = lone && tokens[at].is(Class::Benign);
    let mut value = if chinese { chinese_value(&values) } else { spelled_value(&values) };
    if tokens.get(end).is_some_and(|next| next.kind == Kind::Figures) {
        value = None;
        end += 1;
    }
    Numeral { tokens: at..end, value: value.map(|value| value * ONE), words: true, idle }
}

fn joins(text: &str, token: &Token) -> bool {
    token.sign('-') || matches!(&text[token.range()], "and" | "und" | "a")
}

/// Reads number words in strictly falling order: hundreds, tens, units, then the scale.
fn spelled_value(values: &[u64]) -> Option<i128> {
    let (mut total, mut current, mut below, mut last_scale) = (0_i128, 0_i128, 1000_u64, u64::MAX);
    for &value in values {
        match value {
            1000.. => {
                if value >= last_scale {
                    return None;
                }
                total += current.max(1).checked_mul(i128::from(value))?;
                (current, below, last_scale) = (0, 1000, value);
            }
            100 if (2..=9).contains(&current) => (current, below) = (current * 100, 100),
            100 if current == 1 => (current, below) = (100, 100),
            _ => {
                let room = if value >= 100 {
                    1000
                } else if value >= 20 {
                    100
                } else {
                    20
                };
                let fits = below >= room || (value < 10 && below == 10);
                if !fits || (value == 0 && values.len() > 1) {
                    return None;
                }
                current += i128::from(value);
                below = if value >= 100 {
                    100
                } else if value >= 20 {
                    10
                } else {
                    1
                };
            }
        }
    }
    let sum = total + current;
    (sum < LIMIT / ONE).then_some(sum)
}

/// Reads a Chinese numeral, with a last unit left out: 一百八 is 180, 两万五 is 25,000.
fn chinese_value(values: &[u64]) -> Option<i128> {
    let (mut total, mut section, mut digit, mut unit, mut zero) =
        (0_i128, 0_i128, None::<i128>, i128::from(u32::MAX), false);
    for (index, &value) in values.iter().enumerate() {
        let value = i128::from(value);
        match value {
            0 => {
                if digit.is_some() {
                    return None;
                }
                zero = true;
            }
            1..=9 => {
                if digit.replace(value).is_some() {
                    return None;
                }
            }
            20 | 30 if digit.is_none() => {
                section += value;
                unit = 10;
            }
            10 | 100 | 1000 => {
                if value >= unit || (digit.is_none() && !(value == 10 && (index == 0 || zero))) {
                    return None;
                }
                section += digit.take().unwrap_or(1) * value;
                (unit, zero) = (value, false);
            }
            10_000 | 100_000_000 => {
                let amount = section + digit.take().unwrap_or(0);
                if amount == 0 || (total != 0 && total < value) {
                    return None;
                }
                total = (total + amount).checked_mul(value)?;
                if value == 10_000 && total >= 100_000_000 * 10_000 {
                    return None;
                }
                (section, unit, zero) = (0, value, false);
            }
            _ => return None,
        }
    }
    let last = digit.unwrap_or(0);
    let elided = unit >= 100 && unit < i128::from(u32::MAX) && !zero && last > 0;
    Some(total + section + if elided { last * unit / 10 } else { last }).filter(|sum| *sum < LIMIT / ONE)
}

#[cfg(test)]
mod tests {
    use super::super::{lex, lexicon::Lexicon, norm};
    use super::*;

    fn check(text: &str, language: Language, expected: Option<i128>) {
        let lexicon = Lexicon::load().unwrap();
        let normal = norm::normalise(text, &[]);
        let tokens = lex::tokens(&lexicon, &normal, language, &[]);
        let found = numeral(&normal.text, &tokens, 0, language).unwrap();
        assert_eq!(found.tokens.end, tokens.len(), "{text}: {tokens:?}");
        assert_eq!(found.value, expected.map(|value| value * ONE / 100), "{text}");
    }

    #[test]
    fn figures_are_exact_or_refused() {
        use Language::{En, Ru, Sk, Zh};
        check("14\u{a0}990", Ru, Some(1_499_000));
        check("14990", Ru, Some(1_499_000));
        check("1 299,90", Sk, Some(129_990));
        check("24.90", Sk, Some(2490));
        check("1,500", En, Some(150_000));
        check("1,299.90", En, Some(129_990));
        check("1,500", Ru, None);
        check("1.500", En, None);
        check("1.500", Sk, None);
        check("15,00", En, None);
        check("79 .99", En, None);
        check("1,50,000", En, None);
        check("007", En, None);
        check("2.5万", Zh, Some(2_500_000));
        check("1.5k", En, Some(150_000));
        check("2 тыс 500", Ru, None);
    }

    #[test]
    fn words_are_exact_or_refused() {
        use Language::{En, Ru, Sk, Zh};
        check("eighty-nine", En, Some(8900));
        check("one thousand two hundred and five", En, Some(120_500));
        check("eighty nine ninety nine", En, None);
        check("seven nine nine nine", En, None);
        check("четырнадцать тысяч девятьсот девяносто", Ru, Some(1_499_000));
        check("тысяч тринадцать", Ru, Some(101_300));
        check("dvadsaťštyri", Sk, Some(2400));
        check("deväťstodeväťdesiatdeväť", Sk, Some(99_900));
        check("stotisíc", Sk, Some(10_000_000));
        check("一百九十九", Zh, Some(19_900));
        check("一百八", Zh, Some(18_000));
        check("两万五", Zh, Some(2_500_000));
        check("一百零八", Zh, Some(10_800));
        check("十五", Zh, Some(1500));
        check("壹佰玖拾玖", Zh, Some(19_900));
        check("九九", Zh, None);
    }
}
