//! The merchant's rules for orders, as `data/rules/returns.toml` has them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::order::OrderState;

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
    /// Where the policies say so.
    pub clause: String,
    /// Where the policies name what cannot be sent back.
    pub clause_excluded: String,
}
