//! Personal data in a message: e-mail addresses, bank accounts, payment cards, numbers of persons and phones, as byte ranges.
//! Numbers a shop needs (prices, dates, order numbers, product codes) stay.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::ScreeningError;
use super::identity::IdentityFinder;
use super::phone::PhoneFinder;
use crate::domain::message::{Pii, PiiKind};

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[\p{L}\p{N}--\p{Han}][[\p{L}\p{N}._%+'-]--\p{Han}]{0,63}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}--\p{Han}][[\p{L}\p{N}-]--\p{Han}]{0,61}[[\p{L}\p{N}]--\p{Han}]").expect("invariant: a constant pattern")
});
static IBAN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[A-Z]{2}[ -]?\d{2}(?:[ -]?[A-Z0-9]){11,30}").expect("invariant: a constant pattern")
});
static CARD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d(?:[ -]{0,2}\d){11,18}").expect("invariant: a constant pattern"));

/// Rules of personal data, section `pii`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PiiRules {
    pub(super) regions: Vec<String>,
    pub(super) phone_cues: String,
    pub(super) mobile_patterns: Vec<String>,
    pub(super) amount_before: String,
    pub(super) amount_after: String,
    iban_lengths: String,
    id_cues: String,
}

pub(super) struct PiiFinder {
    iban_lengths: HashMap<String, usize>,
    identities: IdentityFinder,
    phones: PhoneFinder,
}

impl PiiFinder {
    pub(super) fn new(rules: PiiRules) -> Result<Self, ScreeningError> {
        Ok(PiiFinder {
            iban_lengths: iban_lengths(&rules.iban_lengths)?,
            identities: IdentityFinder::new(&rules.id_cues)?,
            phones: PhoneFinder::new(&rules)?,
        })
    }

    /// What is found, in the order of the text, without overlaps. The surer kind wins a stretch.
    pub(super) fn find(&self, text: &str) -> Vec<Pii> {
        let mut found: Vec<Pii> = Vec::new();
        add(&mut found, PiiKind::Email, EMAIL.find_iter(text).map(|hit| hit.range()));
        add(&mut found, PiiKind::Iban, IBAN.find_iter(text).filter_map(|hit| self.iban(text, hit.range())));
        add(&mut found, PiiKind::Card, CARD.find_iter(text).filter_map(|hit| card(text, hit.range())));
        add(&mut found, PiiKind::Id, self.identities.find(text).into_iter());
        add(&mut found, PiiKind::Phone, self.phones.find(text).into_iter());
        found.sort_by_key(|pii| pii.range.start);
        found
    }

    fn iban(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        if text[..range.start].chars().next_back().is_some_and(is_glue) {
            return None;
        }
        let wanted = *self.iban_lengths.get(&text[range.start..range.start + 2].to_ascii_uppercase())?;
        let of_length = |wanted: usize| {
            let (compact, end) = take_alphanumerics(&text[range.clone()], wanted)?;
            let closed = !text[range.start + end..].starts_with(is_glue);
            (closed && mod_97(&compact) == Some(1)).then_some(range.start..range.start + end)
        };
        // Two check digits that fit say more than a length that was typed wrong.
        let typed = text[range.clone()].chars().take_while(char::is_ascii_alphanumeric).count();
        of_length(wanted).or_else(|| (15..=34).contains(&typed).then(|| of_length(typed)).flatten())
    }
}

/// The text with each stretch of personal data replaced by its mask.
pub(super) fn mask(text: &str, pii: &[Pii]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Pii { kind, range } in pii {
        out.push_str(&text[from..range.start]);
        out.push_str(kind.mask());
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}

fn add(found: &mut Vec<Pii>, kind: PiiKind, ranges: impl Iterator<Item = Range<usize>>) {
    for range in ranges {
        if found.iter().all(|other| other.range.end <= range.start || range.end <= other.range.start) {
            found.push(Pii { kind, range });
        }
    }
}

/// A letter or digit that makes one word with a number beside it. Chinese stands without spaces: it does not.
fn is_glue(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn card(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    if before.is_some_and(|c| is_glue(c) || c == '+') || after.is_some_and(is_glue) {
        return None;
    }
    let digits: Vec<u32> = text[range.clone()].chars().filter_map(|c| c.to_digit(10)).collect();
    // A product's barcode has thirteen bare digits and a check digit of its own.
    let barcode = digits.len() == range.len() && digits.len() == 13 && is_barcode(&digits);
    let varied = digits.iter().any(|digit| *digit != digits[0]);
    (varied && !barcode && is_issued(&digits) && luhn(&digits)).then_some(range)
}

/// First digits and lengths that card networks give out; twelve digits only by Maestro.
fn is_issued(digits: &[u32]) -> bool {
    let head = digits[..4].iter().fold(0, |sum, digit| sum * 10 + digit);
    let maestro = matches!(head, 604 | 5018 | 5020 | 5038 | 5600..=5899 | 6304 | 6390 | 6759 | 6761..=6763);
    let union_pay = head / 100 == 81 && digits.len() >= 16;
    maestro || union_pay || digits.len() > 12 && matches!(digits[0], 1..=6)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// True when the GTIN check digit fits (EAN-8, UPC-A, EAN-13, GTIN-14).
pub(super) fn is_barcode(digits: &[u32]) -> bool {
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 3 }).sum();
    matches!(digits.len(), 8 | 12 | 13 | 14) && sum.is_multiple_of(10)
}

/// The first `wanted` letters and digits, compact, and the byte where they end.
fn take_alphanumerics(text: &str, wanted: usize) -> Option<(String, usize)> {
    let mut compact = String::with_capacity(wanted);
    for (at, c) in text.char_indices() {
        if c.is_ascii_alphanumeric() {
            compact.push(c.to_ascii_uppercase());
        }
        if compact.len() == wanted {
            return Some((compact, at + c.len_utf8()));
        }
    }
    None
}

fn mod_97(iban: &str) -> Option<u32> {
    let (head, tail) = iban.split_at_checked(4)?;
    tail.chars().chain(head.chars()).try_fold(0_u32, |rest, c| {
        let value = c.to_digit(36)?;
        Some(if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 })
    })
}

fn iban_lengths(text: &str) -> Result<HashMap<String, usize>, ScreeningError> {
    let wanted = "a country code and a length, as in SK24";
    let parse =
        |item: &str| item.get(2..).and_then(|length| length.parse().ok()).map(|length| (item[..2].to_string(), length));
    text.split_whitespace()
        .map(|item| {
            parse(item).ok_or_else(|| ScreeningError::Value {
                rule: "pii.iban_lengths",
                value: item.to_string(),
                wanted,
            })
        })
        .collect()
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
    fn addresses_cards_and_accounts_are_masked() {
        check(&[
            ("write to jana.novakova@example.sk please", "write to [email] please"),
            ("почта: ivan@пример.рф", "почта: [email]"),
            ("我的邮箱是li.wei@example.cn谢谢", "我的邮箱是[email]谢谢"),
            ("我的邮箱是li.wei@example.cn。", "我的邮箱是[email]。"),
            ("karta 4111 1111 1111 1111 platí", "karta [card] platí"),
            ("4111-1111-1111-1111", "[card]"),
            ("IBAN SK31 1200 0000 1987 4263 7541, prosím", "IBAN [iban], prosím"),
            ("DE89370400440532013000", "[iban]"),
            ("GB29 NWBK 6016 1331 9268 19 ok", "[iban] ok"),
        ]);
    }

    #[test]
    fn what_fails_its_check_digits_stays() {
        check(&[
            ("4111 1111 1111 1112", "4111 1111 1111 1112"),
            ("SK31 1200 0000 1987 4263 7542", "SK31 1200 0000 1987 4263 7542"),
            ("0000 0000 0000 0000", "0000 0000 0000 0000"),
            ("EAN 4006381333931", "EAN 4006381333931"),
        ]);
    }
}
