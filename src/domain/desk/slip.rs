//! A parcel that comes back: its number, what opens its label, and how far it is.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::rules::LabelRule;

/// How far a return is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnState {
    /// Known; the parcel is on its way or not sent yet.
    Registered,
    /// In the shop, being looked at.
    Received,
    /// The money went back.
    Refunded,
    /// It was not what the rules allow: a person has written why.
    Refused,
}

impl ReturnState {
    /// Its name in the store and over the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ReturnState::Registered => "registered",
            ReturnState::Received => "received",
            ReturnState::Refunded => "refunded",
            ReturnState::Refused => "refused",
        }
    }

    /// True when this may follow: forward, and nothing after an end.
    pub fn may_become(self, next: ReturnState) -> bool {
        self < next && self < ReturnState::Refunded
    }
}

/// How far an order's return is, as its customer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// The number of the return.
    pub rma: String,
    /// How far it is.
    pub state: ReturnState,
    /// The day of its last step in the shop.
    pub day: Date,
}

/// A parcel that comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// What it bears: `RMA-TT-10436`. An order comes back once, so its number is enough.
    pub rma: String,
    /// The order it comes from.
    pub order: String,
    /// What opens its label: nobody can guess it.
    pub secret: String,
    /// How far it is.
    pub state: ReturnState,
    /// When it was registered.
    pub at: Timestamp,
    /// When it last went a step.
    pub changed: Timestamp,
}

impl Slip {
    /// The number of an order's return.
    pub fn number(order: &str) -> String {
        format!("RMA-{order}")
    }

    /// Where its label is fetched, where the shop says so.
    pub fn link(&self, rule: &LabelRule) -> Option<String> {
        let link = rule.link.replace("{rma}", &self.rma).replace("{key}", &self.secret);
        (!link.is_empty()).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::ReturnState::*;

    #[test]
    fn a_return_goes_forward_and_ends_once() {
        for (from, to, may) in [
            (Registered, Received, true),
            (Registered, Refunded, true),
            (Received, Refused, true),
            (Received, Registered, false),
            (Received, Received, false),
            (Refunded, Refused, false),
            (Refused, Refunded, false),
        ] {
            assert_eq!(from.may_become(to), may, "{from:?} {to:?}");
        }
    }
}
