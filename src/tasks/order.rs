//! Orders: status, cancelling, changing, returning. A foreign order looks exactly like a missing one.

use jiff::Timestamp;

use crate::domain::order::Order;
use crate::domain::plan::{Absence, Ask, HandoverReason};
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move};
use crate::engine::Orders;

use super::Outcome;

/// What the shopper has proved or claims about who they are.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// A customer whose identity the shop has checked.
    pub customer: Option<String>,
    /// A phone number from this message, E.164.
    pub phone: Option<String>,
    /// An e-mail address from this message.
    pub email: Option<String>,
    /// Wrong proofs given before in this conversation for this request.
    pub failed: u8,
}

/// Wrong proofs after which the question is closed.
const MOST_FAILED: u8 = 3;

impl Identity {
    /// True when the order is theirs. An order without phone or e-mail cannot be proved by the lack of one.
    pub fn owns(&self, order: &Order) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let same = |mine: String, theirs: String| !theirs.is_empty() && mine == theirs;
        let email = |text: &str| text.trim().to_ascii_lowercase();
        self.customer.as_ref().is_some_and(|customer| same(customer.clone(), order.customer.clone()))
            || self.phone.as_deref().is_some_and(|phone| same(digits(phone), digits(&order.phone)))
            || self.email.as_deref().is_some_and(|mine| same(email(mine), email(&order.email)))
    }

    fn is_unknown(&self) -> bool {
        self.customer.is_none() && self.phone.is_none() && self.email.is_none()
    }
}

/// Answers a command about an order.
///
/// # Errors
/// The merchant's system does not answer.
pub async fn order(command: &Command, who: &Identity, orders: &dyn Orders, now: Timestamp) -> anyhow::Result<Outcome> {
    let found = match (&command.slots.order_number, &who.customer) {
        (Some(number), _) => orders.find(number).await?,
        (None, Some(customer)) => orders.of_customer(customer).await?.into_iter().next(),
        (None, None) => return Ok(ask(command, Ask::OrderNumber)),
    };
    if who.is_unknown() {
        // Asked before the order is looked at: whether it exists is not told to strangers.
        return Ok(ask(command, Ask::Identity));
    }
    Ok(match found.filter(|order| who.owns(order)) {
        Some(order) => tell(command.name, order, now),
        None => refused(command, who),
    })
}

fn ask(command: &Command, what: Ask) -> Outcome {
    Outcome {
        moves: vec![Move::Ask { what }],
        pending: Some(Pending { command: command.clone(), asked: what, failed: 0 }),
        ..Outcome::default()
    }
}

/// A slip may be mended with the next message, but not for ever.
fn refused(command: &Command, who: &Identity) -> Outcome {
    let failed = who.failed.saturating_add(1);
    let mut command = command.clone();
    (command.slots.phone, command.slots.email) = (None, None);
    let pending = Pending { command, asked: Ask::Identity, failed };
    Outcome {
        moves: vec![Move::NotFound { why: Absence::NoOrder }],
        pending: (failed < MOST_FAILED && who.customer.is_none()).then_some(pending),
        ..Outcome::default()
    }
}

fn tell(name: CommandName, order: Order, now: Timestamp) -> Outcome {
    let id = FactId(format!("order:{}", order.number));
    let mut moves = vec![Move::Order { fact: id.clone() }];
    match name {
        CommandName::CancelOrder => {
            moves.push(Move::CancelRule { fact: id.clone() });
            moves.push(Move::Human { reason: HandoverReason::Task });
        }
        CommandName::ChangeOrder | CommandName::ReturnItem => {
            moves.push(Move::Human { reason: HandoverReason::Task });
        }
        _ => {}
    }
    let fact = Fact { id, body: FactBody::Order(Box::new(order)), source: "orders".to_string(), as_of: now };
    Outcome { moves, facts: vec![fact], pending: None }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    struct One(Order);

    #[async_trait]
    impl Orders for One {
        async fn find(&self, number: &str) -> anyhow::Result<Option<Order>> {
            Ok((number == self.0.number).then(|| self.0.clone()))
        }
        async fn of_customer(&self, customer: &str) -> anyhow::Result<Vec<Order>> {
            Ok((customer == self.0.customer).then(|| self.0.clone()).into_iter().collect())
        }
    }

    fn one() -> One {
        let line = r#"{"number":"TT-1","customer":"C-1","name":"N","phone":"+421900000000","email":"n@example.sk","language":"sk","place":"bratislava","placed":"2026-11-01","state":"processing","currency":"EUR","items":[],"shipping":"3.90","total":"8.90"}"#;
        One(serde_json::from_str(line).unwrap())
    }

    async fn check(name: CommandName, number: Option<&str>, who: Identity, expected: &[&str]) {
        let mut command = Command { name, slots: Default::default() };
        command.slots.order_number = number.map(str::to_string);
        let outcome = order(&command, &who, &one(), Timestamp::UNIX_EPOCH).await.unwrap();
        let moves: Vec<String> = outcome
            .moves
            .iter()
            .map(|step| match step {
                Move::Ask { what } => format!("ask {what:?}"),
                Move::NotFound { why } => format!("not found {why:?}"),
                Move::Order { .. } => "order".to_string(),
                Move::CancelRule { .. } => "cancel rule".to_string(),
                Move::Human { .. } => "human".to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(moves, expected);
    }

    #[tokio::test]
    async fn a_slip_may_be_mended_but_not_for_ever() {
        let mut command = Command { name: CommandName::OrderStatus, slots: Default::default() };
        command.slots.order_number = Some("TT-1".to_string());
        for (failed, open) in [(0, true), (1, true), (2, false)] {
            let who = Identity { phone: Some("+421911111111".to_string()), failed, ..Identity::default() };
            let outcome = order(&command, &who, &one(), Timestamp::UNIX_EPOCH).await.unwrap();
            assert_eq!(outcome.pending.map(|pending| pending.failed), open.then_some(failed + 1));
        }
    }

    #[tokio::test]
    async fn only_the_owner_is_told() {
        let stranger = Identity::default;
        let phone = |number: &str| Identity { phone: Some(number.to_string()), ..Identity::default() };
        let customer = |id: &str| Identity { customer: Some(id.to_string()), ..Identity::default() };
        let status = CommandName::OrderStatus;
        check(status, None, stranger(), &["ask OrderNumber"]).await;
        check(status, Some("TT-1"), stranger(), &["ask Identity"]).await;
        check(status, Some("TT-9"), stranger(), &["ask Identity"]).await;
        check(status, Some("TT-1"), phone("+421 900 000 000"), &["order"]).await;
        check(status, Some("TT-1"), phone("+421900000001"), &["not found NoOrder"]).await;
        check(status, Some("TT-9"), phone("+421900000000"), &["not found NoOrder"]).await;
        check(status, None, customer("C-1"), &["order"]).await;
        check(status, Some("TT-1"), customer("C-2"), &["not found NoOrder"]).await;
        check(CommandName::CancelOrder, None, customer("C-1"), &["order", "cancel rule", "human"]).await;
    }
}
