//! Money as whole minor units with its currency; the one parser of amounts. Never a float.
//! How an amount looks in a language is the renderer's business (`data/replies/*.toml`, `[format]`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: 2 for EUR, 0 for JPY (ISO 4217).
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        // Feeds still write RUR, the code of the rouble before 1998.
        let code = if code.eq_ignore_ascii_case("RUR") { "RUB" } else { code };
        iso_currency::Currency::from_code(&code.trim().to_ascii_uppercase())
            .map(Currency)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_string()))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("unknown currency `{0}`: use an ISO 4217 code such as EUR")]
    UnknownCurrency(String),
    /// Not digits with at most one decimal point.
    #[error("`{0}` is not an amount: write digits with a point before the minor units, as in 24.90")]
    NotAnAmount(String),
    /// More decimals than the currency has.
    #[error("`{0}` has more decimals than {1} has")]
    TooPrecise(String, &'static str),
    /// Does not fit.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// An exact amount: `minor` units of `currency` (2490 EUR minor = 24.90 EUR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; never negative for a price.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of `minor` units.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Money { minor, currency }
    }

    /// Parses an unsigned machine-written amount: digits, one optional `.`, no grouping.
    ///
    /// # Errors
    /// Anything else, including a decimal comma, signs and more decimals than the currency has.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let trimmed = text.trim();
        let not_an_amount = || MoneyError::NotAnAmount(trimmed.to_string());
        let (whole, fraction) = trimmed.split_once('.').unwrap_or((trimmed, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || trimmed.ends_with('.') {
            return Err(not_an_amount());
        }
        let exponent = currency.exponent() as usize;
        let significant = fraction.trim_end_matches('0');
        if significant.len() > exponent {
            return Err(MoneyError::TooPrecise(trimmed.to_string(), currency.code()));
        }
        let minor = format!("{whole}{significant:0<exponent$}");
        let minor = minor.parse().map_err(|_| MoneyError::TooLarge(trimmed.to_string()))?;
        Ok(Money { minor, currency })
    }

    /// The amount as digits with a point, `24.90`; what [`Money::parse`] reads back.
    pub fn amount(&self) -> String {
        let exponent = self.currency.exponent();
        let scale = 10_i64.pow(exponent);
        if exponent == 0 {
            return self.minor.to_string();
        }
        let width = exponent as usize;
        format!("{}.{:0width$}", self.minor / scale, self.minor % scale)
    }

    /// `self * quantity`, or `None` when it does not fit.
    pub fn times(&self, quantity: u32) -> Option<Money> {
        let minor = self.minor.checked_mul(i64::from(quantity))?;
        Some(Money { minor, currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// Machine form, `24.90 EUR`: for logs and reports, never for a customer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, expected: Result<i64, ()>) {
        let currency = code.parse().unwrap();
        let got = Money::parse(text, currency).map(|money| money.minor).map_err(|_| ());
        assert_eq!(got, expected, "{text} {code}");
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        check("24.90", "EUR", Ok(2490));
        check("24.9", "EUR", Ok(2490));
        check("24", "EUR", Ok(2400));
        check("0.05", "EUR", Ok(5));
        check("14990", "JPY", Ok(14990));
        check("24.900", "EUR", Ok(2490));
        check("24.905", "EUR", Err(()));
        check("24,90", "EUR", Err(()));
        check("1 000", "EUR", Err(()));
        check("-5", "EUR", Err(()));
        check("24.", "EUR", Err(()));
        check("", "EUR", Err(()));
        check("99999999999999999999", "EUR", Err(()));
    }

    #[test]
    fn printed_amount_reads_back() {
        for minor in [0, 5, 99, 100, 2490, 1_234_567] {
            let money = Money::new(minor, "EUR".parse().unwrap());
            assert_eq!(Money::parse(&money.amount(), money.currency), Ok(money));
        }
    }
}
