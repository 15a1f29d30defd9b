//! What else one could put in the guard's place: nothing, the usual pattern for prices, every number in the facts.
//! Each is written as its users write it, not to look bad.

use std::collections::HashSet;

use regex::Regex;
use serde::Deserialize;

/// A filter of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// No filter.
    Unguarded,
    /// A number beside a currency sign must be a price of the facts.
    PricePattern,
    /// Every number must be a price of the facts.
    EveryNumber,
}

/// The prices of some facts as plain digits, and the patterns to look for others.
pub(super) struct Patterns {
    priced: Regex,
    number: Regex,
}

#[derive(Deserialize)]
struct Row {
    price: Option<serde_json::Value>,
    old_price: Option<serde_json::Value>,
}

impl Patterns {
    /// Compiles the patterns.
    pub(super) fn new() -> Patterns {
        const SIGN: &str = r"(?:[$€£¥₽₸₴元块]|руб\p{L}*\.?|тенге|тг|eur\p{L}*|usd|rub|kzt|cny|dollars?|kč)";
        const NUMBER: &str = r"\d+(?:[ \u{a0}\u{202f}.,]\d+)*";
        let compiled = |pattern: &str| Regex::new(pattern).expect("invariant: a test compiles the patterns");
        Patterns {
            priced: compiled(&format!(r"(?i){SIGN}\s*({NUMBER})|({NUMBER})\s*{SIGN}")),
            number: compiled(&format!("({NUMBER})")),
        }
    }

    /// True when `peer` lets `text` out.
    pub(super) fn passes(&self, peer: Peer, prices: &HashSet<String>, text: &str) -> bool {
        let pattern = match peer {
            Peer::Unguarded => return true,
            Peer::PricePattern => &self.priced,
            Peer::EveryNumber => &self.number,
        };
        pattern.captures_iter(text).all(|found| {
            let written = found.iter().skip(1).flatten().next().map_or("", |group| group.as_str());
            prices.contains(&plain(written))
        })
    }
}

/// The prices among the facts of a case file's row.
pub(super) fn prices(facts: &str) -> HashSet<String> {
    let rows: Vec<Row> = serde_json::from_str(facts).unwrap_or_default();
    let written = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    rows.into_iter().flat_map(|row| [row.price, row.old_price]).flatten().map(|value| plain(&written(value))).collect()
}

/// An amount without its separators: `1 299,90`, `1,299.9` and `1299.90` are one.
pub(super) fn plain(written: &str) -> String {
    let last = written.rfind(['.', ',']).filter(|at| written.len() - at <= 3);
    let (whole, fraction) = last.map_or((written, ""), |at| (&written[..at], &written[at + 1..]));
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let fraction = digits(fraction);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { digits(whole) } else { format!("{}.{fraction}", digits(whole)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_see_what_patterns_see() {
        let patterns = Patterns::new();
        let prices = prices(r#"[{"sku":"A","price":"1299.90","old_price":1500}]"#);
        let check = |peer: Peer, text: &str, expected: bool| {
            assert_eq!(patterns.passes(peer, &prices, text), expected, "{peer:?}: {text}");
        };
        check(Peer::PricePattern, "It costs $1,299.90, was 1 500 USD.", true);
        check(Peer::PricePattern, "It costs $1,199.90.", false);
        check(Peer::PricePattern, "It costs 99, size 43.", true);
        check(Peer::EveryNumber, "It costs 99.", false);
        check(Peer::EveryNumber, "1299,9", true);
        check(Peer::Unguarded, "$5", true);
    }
}
