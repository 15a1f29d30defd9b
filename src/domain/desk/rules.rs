//! The merchant's rules for orders, as `data/rules/returns.toml` has them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Payer, ReturnReason};
use crate::domain::order::OrderState;
use crate::domain::photo::PhotoRules;

/// The merchant's rules for orders: `data/rules/returns.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRules {
    /// The version cited with every refusal.
    pub version: String,
    /// Minutes a proposal waits for its confirmation.
    pub confirm_minutes: i64,
    /// Calling off.
    pub cancel: CancelRule,
    /// Changing items, address or payment before it leaves.
    pub change: ChangeRule,
    /// Sending back.
    pub r#return: ReturnRule,
    /// Swapping after delivery.
    pub exchange: StateRule,
    /// The label of a parcel that comes back; none when the shop sends its own.
    #[serde(default)]
    pub label: Option<LabelRule>,
    /// Limits of the photos that shoppers send.
    #[serde(default)]
    pub photos: PhotoRules,
}

/// The label of a parcel that comes back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// Where it is fetched, with {rma} and {key}; nothing is told of it when empty.
    pub link: String,
    /// Where the parcel goes, line by line, in Latin letters.
    pub to: Vec<String>,
}

/// When an order can be called off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelRule {
    /// In these states.
    pub states: Vec<OrderState>,
    /// For these reasons; any when empty.
    pub reasons: Vec<String>,
    /// Where the policies say so.
    pub clause: String,
}

/// When an order can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRule {
    /// In these states.
    pub states: Vec<OrderState>,
    /// Whether items can be swapped, once.
    pub items: bool,
    /// Whether the payment method can be.
    pub payment: bool,
    /// So many days after the first possible one the day of arrival can be moved; not at all when absent.
    #[serde(default)]
    pub days: Option<u16>,
    /// Where the policies say so.
    pub clause: String,
}

/// In which states something is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRule {
    /// These; never when empty.
    pub states: Vec<OrderState>,
    /// Where the policies say so.
    pub clause: String,
}

/// When something can be sent back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnRule {
    /// In these states.
    pub states: Vec<OrderState>,
    /// Days after delivery; no limit when absent.
    #[serde(default)]
    pub days: Option<u16>,
    /// Other numbers of days by category.
    #[serde(default)]
    pub days_of: BTreeMap<String, u16>,
    /// Whether the refund may go to another method, if that is a gift card.
    pub gift_card: bool,
    /// Who pays for the parcel; nothing is said of it when absent.
    #[serde(default)]
    pub pays: Option<Payer>,
    /// Where the policies say so.
    pub clause: String,
    /// Where the policies name what cannot be sent back.
    pub clause_excluded: String,
    /// Where the policies say when money goes back; who is known hears beside it how far their own is.
    #[serde(default)]
    pub clause_refund: Option<String>,
    /// Other terms for what is broken or not what was ordered; the same ones when absent.
    #[serde(default)]
    pub defective: Option<OtherTerms>,
    /// Other terms for orders that go to a country, by its code.
    #[serde(default)]
    pub country: BTreeMap<String, OtherTerms>,
}

/// Terms of a return where they are not the ordinary ones; what is absent is as ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtherTerms {
    /// Days after delivery, of whichever category.
    pub days: Option<u16>,
    /// Who pays for the parcel.
    pub pays: Option<Payer>,
    /// Whether photos are needed before it is registered.
    pub photo: bool,
    /// Where the policies say so.
    pub clause: Option<String>,
}

/// What holds for one piece that is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTerms {
    /// Days after delivery; no limit when none.
    pub days: Option<u16>,
    /// Who pays for the parcel.
    pub pays: Option<Payer>,
    /// Photos are needed first.
    pub photo: bool,
    /// What is excluded by law or hygiene is excluded.
    pub excludes: bool,
    /// Where the policies say so.
    pub clause: String,
}

impl ReturnRule {
    /// The terms for goods of a category out of an order that went to a country. A defect is told apart first, then the country.
    pub fn terms(&self, category: &str, (reason, country): (ReturnReason, Option<&str>)) -> ReturnTerms {
        let ordinary = ReturnTerms {
            days: self.days_of.get(category).copied().or(self.days),
            pays: self.pays,
            photo: false,
            excludes: true,
            clause: self.clause.clone(),
        };
        let there = country.and_then(|country| self.country.get(country));
        let terms = there.map_or(ordinary.clone(), |there| ordinary.with(there));
        match (reason, &self.defective) {
            (ReturnReason::Defective, Some(defective)) => ReturnTerms { excludes: false, ..terms.with(defective) },
            _ => terms,
        }
    }
}

impl ReturnTerms {
    fn with(self, other: &OtherTerms) -> ReturnTerms {
        ReturnTerms {
            days: other.days.or(self.days),
            pays: other.pays.or(self.pays),
            photo: other.photo || self.photo,
            excludes: self.excludes,
            clause: other.clause.clone().unwrap_or(self.clause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_and_a_country_have_terms_of_their_own() {
        let rule: ReturnRule = toml::from_str(
            r#"
            states = ["delivered"]
            days = 14
            days_of = { shoes = 30 }
            gift_card = false
            pays = "customer"
            clause = "returns#1"
            clause_excluded = "returns#3"
            [defective]
            days = 730
            pays = "shop"
            photo = true
            clause = "returns#8"
            [country.CZ]
            days = 60
            clause = "returns#9"
            "#,
        )
        .unwrap();
        let check = |category: &str, reason, country, expected: (u16, Payer, bool, &str)| {
            let terms = rule.terms(category, (reason, country));
            assert_eq!((terms.days.unwrap(), terms.pays.unwrap(), terms.photo, terms.clause.as_str()), expected);
            assert_eq!(terms.excludes, reason == ReturnReason::ChangedMind);
        };
        use ReturnReason::{ChangedMind, Defective};
        check("mugs", ChangedMind, None, (14, Payer::Customer, false, "returns#1"));
        check("shoes", ChangedMind, Some("SK"), (30, Payer::Customer, false, "returns#1"));
        check("shoes", ChangedMind, Some("CZ"), (60, Payer::Customer, false, "returns#9"));
        check("mugs", Defective, Some("CZ"), (730, Payer::Shop, true, "returns#8"));
    }
}
