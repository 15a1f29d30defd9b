//! The merchant's rules for carts: promotions, taxes, limits. `data/rules/promotions.toml` and `data/rules/checkout.toml`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::money::{Currency, Money, MoneyError};

/// What a promotion takes off the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// So many hundredths.
    Percent(u8),
    /// So much.
    Amount(Money),
}

/// A promotion of `data/rules/promotions.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// The code.
    pub code: String,
    /// Hundredths taken off.
    #[serde(default)]
    pub percent: Option<u8>,
    /// Or an amount, per currency.
    #[serde(default)]
    pub amount: BTreeMap<Currency, String>,
    /// The least value of the goods, per currency.
    #[serde(default)]
    pub minimum: BTreeMap<Currency, String>,
    /// The first day, in the shop's time zone.
    #[serde(default)]
    pub from: Option<Date>,
    /// The last day, included.
    #[serde(default)]
    pub until: Option<Date>,
}

impl Promotion {
    /// What it takes off in a currency; none when it does not hold there.
    pub fn reduction(&self, currency: Currency) -> Option<Reduction> {
        match self.percent {
            Some(percent) => Some(Reduction::Percent(percent)),
            None => Some(Reduction::Amount(money(&self.amount, currency)?)),
        }
    }

    /// The least value of the goods in a currency.
    pub fn minimum(&self, currency: Currency) -> Option<Money> {
        money(&self.minimum, currency)
    }

    /// True on its days.
    pub fn holds(&self, today: Date) -> bool {
        self.from.is_none_or(|from| from <= today) && self.until.is_none_or(|until| today <= until)
    }
}

fn money(amounts: &BTreeMap<Currency, String>, currency: Currency) -> Option<Money> {
    Money::parse(amounts.get(&currency)?, currency).ok()
}

/// Limits, taxes and how orders are numbered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CartRules {
    /// The most pieces of one variant in an order.
    pub most_pieces: u32,
    /// A proposal that is not confirmed by then is dropped.
    pub confirm_minutes: i64,
    /// Order numbers begin so.
    pub order_prefix: String,
    /// The first number.
    pub first_order: i64,
    /// Tax contained in prices, in hundredths of a percent, by the country's code in `places.toml`.
    #[serde(default)]
    pub tax: BTreeMap<String, u32>,
    /// The promotions.
    #[serde(skip)]
    pub promotions: Vec<Promotion>,
}

impl CartRules {
    /// Refuses rules that cannot be meant.
    ///
    /// # Errors
    /// A promotion without a code, given twice, with neither or both kinds of reduction, or an amount that is none; a tax
    /// above the whole price.
    pub fn check(&self) -> Result<(), String> {
        for (at, promotion) in self.promotions.iter().enumerate() {
            let code = &promotion.code;
            let again = self.promotions[..at].iter().any(|other| other.code.eq_ignore_ascii_case(code));
            if code.trim().is_empty() || code.chars().any(char::is_whitespace) || again {
                return Err(format!("promotion `{code}`: a code is one word and stands once"));
            }
            if promotion.percent.is_some() != promotion.amount.is_empty() {
                return Err(format!("promotion `{code}`: give either percent or amount"));
            }
            if promotion.percent.is_some_and(|percent| percent == 0 || percent > 90) {
                return Err(format!("promotion `{code}`: percent is 1 to 90"));
            }
            for (currency, amount) in promotion.amount.iter().chain(&promotion.minimum) {
                Money::parse(amount, *currency).map_err(|error: MoneyError| format!("promotion `{code}`: {error}"))?;
            }
        }
        match self.tax.iter().find(|(_, rate)| **rate > 10_000) {
            Some((country, rate)) => Err(format!("tax of {country}: {rate} hundredths of a percent are too many")),
            None => Ok(()),
        }
    }

    /// The promotion behind a code.
    pub fn promotion(&self, code: &str) -> Option<&Promotion> {
        let code = code.trim().to_lowercase();
        self.promotions.iter().find(|promotion| promotion.code.to_lowercase() == code)
    }
}
