//! Phones in running text: candidates by shape, confirmed by the numbering plans, told from prices, dates and codes.

use std::ops::Range;
use std::str::FromStr;
use std::sync::LazyLock;

use phonenumber::country;
use regex::Regex;

use super::ScreeningError;
use super::pii::{PiiRules, is_barcode};
use crate::domain::language::fold;

static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:\+ ?|\()?\d(?:[ ().\-–/]{0,3}\d){5,17}(?: ?(?:ext\.?|x) ?\d{1,5})?")
        .expect("invariant: a constant pattern")
});
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:(?:19|20)\d{2}[-./ ]?(?:0?[1-9]|1[0-2])[-./ ]?(?:0?[1-9]|[12]\d|3[01])|\d{1,2}[-./] ?\d{1,2}[-./] ?(?:\d{4}|\d{2}))(?:\D.*)?$").expect("invariant: a constant pattern")
});
static THOUSANDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[1-9]\d{0,2}(?:[ .]\d{3})+$").expect("invariant: a constant pattern"));
/// How far before a number a word such as "call" still speaks of it, in bytes.
const CUE_WINDOW: usize = 48;

pub(super) struct PhoneFinder {
    regions: Vec<country::Id>,
    cues: Regex,
    mobiles: Vec<Regex>,
    amount_before: Regex,
    amount_after: Regex,
}

impl PhoneFinder {
    pub(super) fn new(rules: &PiiRules) -> Result<Self, ScreeningError> {
        let region = |code: &String| {
            let wanted = "a region such as SK";
            country::Id::from_str(code).map_err(|_| ScreeningError::Value {
                rule: "pii.regions",
                value: code.clone(),
                wanted,
            })
        };
        Ok(PhoneFinder {
            regions: rules.regions.iter().map(region).collect::<Result<_, _>>()?,
            cues: compile("pii.phone_cues", &cue_pattern(&rules.phone_cues))?,
            mobiles: rules
                .mobile_patterns
                .iter()
                .map(|pattern| compile("pii.mobile_patterns", pattern))
                .collect::<Result<_, _>>()?,
            amount_before: compile("pii.amount_before", &format!("(?i){}", rules.amount_before))?,
            amount_after: compile("pii.amount_after", &format!("(?i){}", rules.amount_after))?,
        })
    }

    /// Byte ranges of phones.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        CANDIDATE.find_iter(text).filter_map(|hit| self.within(text, hit.range())).collect()
    }

    /// The candidate itself, or else its longest head that is a phone: "0905 123 456 2 ks" joins two numbers.
    fn within(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        if attached(text, &range) {
            return None;
        }
        let candidate = &text[range.clone()];
        let heads =
            candidate.char_indices().rev().filter(|(_, c)| *c == ' ').map(|(at, _)| range.start..range.start + at);
        std::iter::once(range.clone()).chain(heads).take(4).find(|part| self.is_phone(text, part))
    }

    fn is_phone(&self, text: &str, range: &Range<usize>) -> bool {
        let candidate = text[range.clone()].trim();
        let digits: Vec<u32> = candidate.chars().filter_map(|c| c.to_digit(10)).collect();
        let international = candidate.starts_with('+');
        if digits.len() < 7 && !international || DATE.is_match(candidate) || self.is_amount(text, range) {
            return false;
        }
        if international {
            // Marked as international, it is a phone even where the numbering plans do not know it yet.
            return (8..=15).contains(&digits.len());
        }
        if candidate.strip_prefix("00").is_some_and(|rest| possible(None, &format!("+{rest}"))) {
            return true;
        }
        let bare = candidate.chars().all(|c| c.is_ascii_digit());
        let cue = self.has_cue(&text[..range.start]);
        if THOUSANDS.is_match(candidate) && digits.len() < 9 && !cue
            || bare && !self.bare_allowed(candidate, &digits, cue)
        {
            return false;
        }
        if !cue && reads_as_a_model(candidate, digits.len()) {
            return false;
        }
        self.regions.iter().any(|region| possible(Some(*region), candidate)) || bare_international(&digits)
    }

    fn bare_allowed(&self, candidate: &str, digits: &[u32], cue: bool) -> bool {
        let mobile = self.mobiles.iter().any(|pattern| pattern.is_match(candidate));
        (mobile && (digits.len() < 12 || !is_barcode(digits))) || cue && digits.len() >= 9 && !is_barcode(digits)
    }

    fn is_amount(&self, text: &str, range: &Range<usize>) -> bool {
        let before = tail(&text[..range.start], 32);
        self.amount_after.is_match(&text[range.end..]) || self.amount_before.is_match(before)
    }

    fn has_cue(&self, before: &str) -> bool {
        self.cues.is_match(&fold(tail(before, CUE_WINDOW)))
    }
}

/// True when letters or signs make the digits part of something longer: `TT-10231`, `A0905123456`, `#12345678`.
fn attached(text: &str, range: &Range<usize>) -> bool {
    let mut before = text[..range.start].chars().rev();
    let glued = match before.next() {
        Some('-' | '_' | '/') => before.next().is_some_and(char::is_alphanumeric),
        Some('#' | '№' | '.' | ',' | ':') => {
            before.next().is_some_and(|c| c.is_ascii_digit()) || text[..range.start].ends_with(['#', '№'])
        }
        Some(c) => c.is_ascii_alphanumeric(),
        None => false,
    };
    glued || text[range.end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '+')
}

/// Without a word that speaks of phones: up to eight digits that no trunk zero opens, or several strokes. Model numbers
/// ("6300/6350"), part numbers ("593-10239") and speeds ("10/100/1000") look so, and plans abroad would take them.
fn reads_as_a_model(candidate: &str, digits: usize) -> bool {
    let main = candidate.split(['x', 'e']).next().unwrap_or(candidate);
    let short = main.chars().filter(char::is_ascii_digit).count().min(digits) <= 8;
    short && !candidate.starts_with(['0', '(']) || main.matches('/').count() > 1
}

fn possible(region: Option<country::Id>, text: &str) -> bool {
    phonenumber::parse(region, text).is_ok_and(|number| phonenumber::is_valid(&number))
}

/// Eleven and more digits that start with a country code someone forgot to mark.
fn bare_international(digits: &[u32]) -> bool {
    let text: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
    digits.len() >= 11 && possible(None, &format!("+{text}"))
}

pub(super) fn tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

pub(super) fn cue_pattern(words: &str) -> String {
    let words: Vec<String> = words.split_whitespace().map(|word| regex::escape(&fold(word))).collect();
    // Chinese is written without spaces, so its words need no boundary.
    let (han, spaced): (Vec<String>, Vec<String>) =
        words.into_iter().partition(|word| word.starts_with(|c| c > '\u{2e80}'));
    format!(r"(?:\b(?:{})\b|{})", spaced.join("|"), han.join("|"))
}

fn compile(rule: &'static str, pattern: &str) -> Result<Regex, ScreeningError> {
    Regex::new(pattern).map_err(|source| ScreeningError::Pattern { rule: rule.to_string(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::screening;
    use crate::domain::Language;

    fn check(cases: &[(&str, &str)]) {
        let screening = screening();
        for (text, expected) in cases {
            assert_eq!(screening.screen(text, Language::En, None).text, *expected, "{text}");
        }
    }

    #[test]
    fn phones_are_masked_as_people_write_them() {
        check(&[
            ("+421 905 123 456", "[phone]"),
            ("00421905123456", "[phone]"),
            ("0905 123 456", "[phone]"),
            ("0905/123 456", "[phone]"),
            ("0905123456", "[phone]"),
            ("8 (916) 123-45-67", "[phone]"),
            ("+7 916 123 45 67", "[phone]"),
            ("89161234567", "[phone]"),
            ("мой номер 9161234567", "мой номер [phone]"),
            ("我的电话是13812345678", "我的电话是[phone]"),
            ("138 1234 5678", "[phone]"),
            ("+86 138-1234-5678", "[phone]"),
            ("(415) 666-7777", "[phone]"),
            ("call me on 07700 900123 or later", "call me on [phone] or later"),
            ("0905 123 456 2 ks", "[phone] 2 ks"),
        ]);
    }

    #[test]
    fn what_a_shop_needs_stays() {
        for text in [
            "order TT-10231",
            "TT-1023145678",
            "заказ 4156667777",
            "do 30 000 eur",
            "1 200 000 ₽",
            "12.10.2026",
            "2026-10-12 08:00",
            "10/12/82",
            "EAN 4006381333931",
            "4006381333931",
            "размер 42-44",
            "1 000 000",
            "3 за 2990 руб",
            "AX-90555-2211",
            "5000-7000 рублей",
            "от 10000 до 15000",
            "1920x1080",
            "16 GB 512 GB 15.6",
            "#20551234567",
            "Phaser 6300/6350",
            "drum 5225 / 5230",
            "DELL 593-10239 toner",
            "Switch 10/100/1000",
            "3770 1200 x 1200 DPI",
        ] {
            check(&[(text, text)]);
        }
    }
}
