//! What customers buy together: the merchant's rules for it, and what came of the orders. Plain data; `together` counts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::product::ProductId;

/// Which orders count, and what is put forward beside a product: `data/rules/together.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TogetherRules {
    /// Orders placed within so many days count.
    pub days: u16,
    /// Orders that must hold both products.
    pub least_orders: u32,
    /// Buyers those orders must come from.
    pub least_buyers: u32,
    /// How much oftener than by chance both stand in one order, in percent: 100 is chance.
    pub least_lift: u32,
    /// The dearest it may be beside the product, in percent of that one's price.
    pub most_percent: u32,
    /// Companions kept of each product; 0 switches it off.
    pub companions: u32,
    /// Minutes between two counts.
    pub every_minutes: u32,
}

impl TogetherRules {
    /// The rules, when they make sense.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), String> {
        if self.least_orders < 2 || self.least_buyers < 1 {
            return Err("`least_orders` must be at least 2, `least_buyers` at least 1: less is chance".to_string());
        }
        if self.days == 0 || self.every_minutes == 0 {
            return Err("`days` and `every_minutes` must be at least 1; `companions = 0` switches it off".to_string());
        }
        Ok(())
    }
}

/// A product that is bought with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// It.
    pub product: ProductId,
    /// Orders that held both.
    pub orders: u32,
    /// How much oftener than by chance, in percent.
    pub lift: u32,
}

/// A product that is bought often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popular {
    /// It.
    pub product: ProductId,
    /// Orders that held it.
    pub orders: u32,
}

/// What was counted over the orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What is bought with each product, the surest first.
    pub companions: BTreeMap<ProductId, Vec<Companion>>,
    /// What is bought most, the oftenest first.
    pub popular: Vec<Popular>,
}

/// What orders say of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// What is bought with it, the surest first.
    pub companions: Vec<Companion>,
    /// The dearest that may be put forward unasked, in percent of its price.
    pub most_percent: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_without_sense_are_refused() {
        let shipped: TogetherRules = toml::from_str(include_str!("../../data/rules/together.toml")).unwrap();
        assert_eq!(shipped.check(), Ok(()));
        assert!(TogetherRules { least_orders: 1, ..shipped }.check().is_err());
        assert!(TogetherRules { days: 0, ..shipped }.check().is_err());
        assert_eq!(TogetherRules { companions: 0, ..shipped }.check(), Ok(()));
    }
}
