//! What was sold through the assistant, from the events of orders: placed, paid, for how much. Whole minor units, currency by currency.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::report::Takings;
use crate::domain::order::{Order, OrderState};
use crate::domain::{Currency, Money};

/// Orders so far.
#[derive(Clone, Debug, Default)]
pub struct Sales {
    sessions: BTreeSet<String>,
    placed: BTreeMap<Currency, usize>,
    paid: BTreeMap<Currency, (usize, i64)>,
}

/// What is read of an event.
#[derive(Deserialize)]
struct Told {
    event: String,
    amount: Money,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    unexpected: bool,
}

impl Sales {
    /// One event; those about something else are passed over.
    pub fn add(&mut self, document: &str) {
        let Ok(told) = serde_json::from_str::<Told>(document) else { return };
        match told.event.as_str() {
            "order_placed" => {
                self.sessions.extend(told.session);
                *self.placed.entry(told.amount.currency).or_default() += 1;
            }
            // Paid twice or after it was called off: a person gives it back.
            "order_paid" if !told.unexpected => {
                let (orders, minor) = self.paid.entry(told.amount.currency).or_default();
                *orders += 1;
                *minor += told.amount.minor;
            }
            _ => {}
        }
    }

    /// Conversations in which an order was placed.
    pub(super) fn conversations(&self) -> &BTreeSet<String> {
        &self.sessions
    }

    /// Orders placed.
    pub(super) fn placed(&self) -> usize {
        self.placed.values().sum()
    }

    /// Orders paid.
    pub(super) fn paid(&self) -> usize {
        self.paid.values().map(|(orders, _)| orders).sum()
    }

    /// Currency by currency.
    pub(super) fn takings(&self) -> Vec<Takings> {
        takings(&self.paid)
    }
}

/// Orders that were placed elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Others(BTreeMap<Currency, (usize, i64)>);

impl Others {
    /// One order; what was called off or waits for its money brought nothing.
    pub(super) fn add(&mut self, order: &Order) {
        if matches!(order.state, OrderState::Cancelled | OrderState::AwaitingPayment) {
            return;
        }
        let Ok(total) = Money::parse(&order.total, order.currency) else { return };
        let (orders, minor) = self.0.entry(order.currency).or_default();
        *orders += 1;
        *minor = minor.saturating_add(total.minor);
    }

    /// Currency by currency.
    pub(super) fn takings(&self) -> Vec<Takings> {
        takings(&self.0)
    }
}

fn takings(paid: &BTreeMap<Currency, (usize, i64)>) -> Vec<Takings> {
    let taken = |(currency, (orders, minor)): (&Currency, &(usize, i64))| Takings {
        currency: currency.code(),
        orders: *orders,
        revenue: Money::new(*minor, *currency).amount(),
        order_value: i64::try_from(*orders)
            .ok()
            .and_then(|orders| minor.checked_div(orders))
            .map(|each| Money::new(each, *currency).amount()),
    };
    paid.iter().map(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_counted_once_it_is_there() {
        let mut sales = Sales::default();
        let event = |name: &str, minor: i64, currency: &str, more: &str| {
            format!(r#"{{"event":"{name}","order":"T-1","amount":{{"minor":{minor},"currency":"{currency}"}}{more}}}"#)
        };
        sales.add(&event("order_placed", 4380, "EUR", r#","session":"s-1""#));
        sales.add(&event("order_placed", 100, "EUR", r#","session":"s-1""#));
        sales.add(&event("order_paid", 4380, "EUR", ""));
        sales.add(&event("order_paid", 4381, "EUR", ""));
        sales.add(&event("order_paid", 9900, "EUR", r#","unexpected":true"#));
        sales.add(&event("order_paid", 300, "RUB", ""));
        sales.add(r#"{"id":"a task"}"#);
        assert_eq!((sales.conversations().len(), sales.placed(), sales.paid()), (1, 2, 3));
        let takings = sales.takings();
        assert_eq!((takings[0].currency, takings[0].revenue.as_str()), ("EUR", "87.61"));
        assert_eq!((takings[0].order_value.as_deref(), takings[1].orders), (Some("43.80"), 1));
    }
}
