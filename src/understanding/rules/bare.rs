//! Messages that are nothing but one value.

/// The digits of a message that is one number.
pub(super) fn number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let only = text
        .chars()
        .all(|c| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '#' | '№' | '-' | '+' | '(' | ')' | '.'));
    (only && (3..=15).contains(&digits.len())).then_some(digits)
}
