//! Numbers of persons in running text: Chinese identity cards, Slovak and Czech birth numbers, Russian SNILS by their check
//! digits; passports, tax and other numbers of persons where a word before them says so.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::ScreeningError;
use super::phone::{cue_pattern, tail};
use crate::domain::language::fold;

/// How far before a number a word such as "passport" still speaks of it, in bytes.
const CUE_WINDOW: usize = 40;

static CANDIDATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d(?:[ /-]?\d){7,16}[\dXx]").expect("invariant: a constant pattern"));

pub(super) struct IdentityFinder {
    cues: Regex,
}

impl IdentityFinder {
    pub(super) fn new(cues: &str) -> Result<Self, ScreeningError> {
        let cues = Regex::new(&cue_pattern(cues))
            .map_err(|source| ScreeningError::Pattern { rule: "pii.id_cues".to_string(), source: Box::new(source) })?;
        Ok(IdentityFinder { cues })
    }

    /// Byte ranges of numbers of persons.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let tells = |range: &Range<usize>| self.is_one(text, range);
        CANDIDATE.find_iter(text).map(|hit| hit.range()).filter(tells).collect()
    }

    fn is_one(&self, text: &str, range: &Range<usize>) -> bool {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '+');
        if word(text[..range.start].chars().next_back()) || word(text[range.end..].chars().next()) {
            return false;
        }
        let typed = &text[range.clone()];
        let digits: Vec<u32> = typed.chars().filter_map(|c| c.to_digit(10)).collect();
        let named = || self.cues.is_match(&fold(tail(&text[..range.start], CUE_WINDOW)));
        is_chinese(typed) || is_birth_number(typed) || is_snils(typed, &digits) || digits.len() >= 9 && named()
    }
}

/// Eighteen places: region, date of birth, order, and a check digit by ISO 7064.
fn is_chinese(typed: &str) -> bool {
    const CHECKS: &[u8] = b"10X98765432";
    let bytes = typed.to_ascii_uppercase().into_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: Range<usize>| bytes[range].iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let born =
        (1900..2100).contains(&number(6..10)) && (1..13).contains(&number(10..12)) && (1..32).contains(&number(12..14));
    let weight = |at: usize| (0..17 - at).fold(1_u32, |weight, _| weight * 2 % 11);
    let sum: u32 = bytes[..17].iter().enumerate().map(|(at, digit)| u32::from(digit - b'0') * weight(at)).sum();
    born && CHECKS[(sum % 11) as usize] == bytes[17]
}

/// `905512/1234`: date of birth with 50 added to women's months, and a number that eleven divides.
fn is_birth_number(typed: &str) -> bool {
    let Some((born, order)) = typed.split_once('/') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if born.len() != 6 || !matches!(order.len(), 3 | 4) || !digits(born) || !digits(order) {
        return false;
    }
    let part = |range: Range<usize>| born[range].parse::<u32>().unwrap_or(0);
    let month = part(2..4) % 50;
    let month = if month > 20 { month - 20 } else { month };
    let whole: u64 = format!("{born}{order}").parse().unwrap_or(1);
    let divides = order.len() == 3 || whole.is_multiple_of(11) || whole / 10 % 11 == 10 && whole.is_multiple_of(10);
    (1..13).contains(&month) && (1..32).contains(&part(4..6)) && divides
}

/// `112-233-445 95`: nine digits and their weighted sum.
fn is_snils(typed: &str, digits: &[u32]) -> bool {
    let shaped = typed.len() == 14 && typed.as_bytes()[3] == b'-' && typed.as_bytes()[7] == b'-';
    if !shaped || digits.len() != 11 {
        return false;
    }
    let sum: u32 = digits[..9].iter().zip((1..=9).rev()).map(|(digit, weight)| digit * weight).sum();
    sum % 101 % 100 == digits[9] * 10 + digits[10]
}

#[cfg(test)]
mod tests {
    use super::super::tests::screening;
    use crate::domain::Language;

    fn check(text: &str, expected: &str) {
        assert_eq!(screening().screen(text, Language::En, None).text, expected, "{text}");
    }

    #[test]
    fn numbers_of_persons_are_masked() {
        check("我的身份证号是11010519491231002X", "我的身份证号是[id]");
        check("11010519491231002X", "[id]");
        check("moje rodné číslo je 736028/5163", "moje rodné číslo je [id]");
        check("СНИЛС 112-233-445 95", "СНИЛС [id]");
        check("паспорт 4510 123456 выдан в Москве", "паспорт [id] выдан в Москве");
        check("ИНН 500100732259", "ИНН [id]");
        check("ИИН 900101300123", "ИИН [id]");
    }

    #[test]
    fn numbers_of_things_stay() {
        for text in ["11010519491231002", "EAN 4006381333931", "заказ 123456789", "736028/5164 ks", "art. 112-233-445"]
        {
            check(text, text);
        }
    }
}
