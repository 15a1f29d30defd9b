//! Whether a message asks about the products that were just shown ("can it go in the oven?", «малышу подойдёт?», 带盖子吗), which its words
//! alone rarely tell. In: a message's features. Out: on which side of the line it lies that was drawn between the two kinds of messages of
//! `data/rules/shown.toml`, and some of the labelled examples that never ask about products.

use crate::domain::CommandName;
use crate::learnt::linear::{Features, Linear, Training};

/// Of the labelled examples that ask for something else every n-th is learnt from.
const EVERY: usize = 4;
/// The place of the messages that ask about what was shown; there is no other class.
const SHOWN: usize = 0;
const OTHER: usize = 1;

/// The line; empty where there is nothing to learn it from.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(Linear);

impl Shown {
    /// Draws it between messages that ask about what was shown, and others.
    pub(super) fn fit(rows: &[(Features, bool)], vocabulary: usize) -> Self {
        if rows.is_empty() {
            return Shown::default();
        }
        let labels: Vec<usize> = rows.iter().map(|(_, shown)| if *shown { SHOWN } else { OTHER }).collect();
        let rows: Vec<Features> = rows.iter().map(|(features, _)| features.clone()).collect();
        Shown(Linear::fit(&Training { rows: &rows, labels: &labels, classes: 1, vocabulary }, &|_| true))
    }

    /// How far a message lies on the side of those that ask about what was shown; below 0 it lies on the other. None without a line.
    pub(super) fn side(&self, features: &Features) -> Option<f32> {
        (self.0.classes > 0).then(|| self.0.scores(features)[SHOWN])
    }
}

/// True for a labelled example that asks about no product, of which a few are learnt from: `at` is its place among all.
pub(super) fn elsewhere(name: CommandName, at: usize) -> bool {
    use CommandName as C;
    let other = matches!(
        name,
        C::Price
            | C::DeliveryInfo
            | C::OrderStatus
            | C::CancelOrder
            | C::ChangeOrder
            | C::ReturnItem
            | C::CartAdd
            | C::Checkout
            | C::RestockNotice
            | C::LeaveContact
            | C::Confirm
            | C::Deny
            | C::Policy
    );
    other && at.is_multiple_of(EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lie_on_the_side_of_those_they_are_like() {
        let row = |x: f32, y: f32| Features { meaning: vec![x, y], wording: Vec::new() };
        let rows: Vec<_> = (0..40_u8)
            .map(|at| (row(if at % 2 == 0 { 1.0 } else { -1.0 }, f32::from(at) / 40.0), at % 2 == 0))
            .collect();
        let line = Shown::fit(&rows, 0);
        assert!(line.side(&row(0.9, 0.3)).unwrap() > 0.5);
        assert!(line.side(&row(-0.9, 0.3)).unwrap() < -0.5);
        assert_eq!(Shown::fit(&[], 0).side(&row(1.0, 1.0)), None);
    }
}
