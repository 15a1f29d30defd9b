//! Orders: status, cancelling, changing, returning. A foreign order looks exactly like a missing one.

use jiff::Timestamp;

use super::Outcome;
use super::identity::{Door, Identity};
use crate::domain::order::Order;
use crate::domain::plan::{Absence, Ask, HandoverReason};
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move};

/// The topic of a question about a return or a refund.
const COMES_BACK: &str = "back";
/// Wrong proofs after which the question is closed.
const MOST_FAILED: u8 = 3;

/// Answers a command about an order.
///
/// # Errors
/// The merchant's system does not answer.
pub async fn order(command: &Command, who: &Identity, door: &Door<'_>) -> anyhow::Result<Outcome> {
    if command.slots.order_number.is_some() && who.is_unknown() {
        // Asked before the order is looked at: whether it exists is not told to strangers.
        return Ok(if who.lacks { by_a_person() } else { ask(command, Ask::Identity) });
    }
    let found = match (&command.slots.order_number, &who.customer) {
        (Some(number), _) => door.owned(who, number).await?,
        (None, Some(customer)) => meant(command, door.orders.of_customer(customer).await?),
        (None, None) => match (&who.proved, who.provable()) {
            (Some(contact), _) => meant(command, door.orders.of_contact(contact).await?),
            (None, Some(contact)) => return Ok(Outcome { unproved: Some(contact), ..ask(command, Ask::Code) }),
            (None, None) if who.lacks => return Ok(other_way(command, who)),
            (None, None) => return Ok(ask(command, number_of(who))),
        },
    };
    Ok(match found {
        Some(order) => tell(command.name, order, door.now),
        None => refused(command, who),
    })
}

/// The newest order; to a question about what was sent back the newest of which something was.
fn meant(command: &Command, mut orders: Vec<Order>) -> Option<Order> {
    let back = command.slots.topic.as_deref() == Some(COMES_BACK);
    let at = orders.iter().position(|order| back && order.comes_back()).unwrap_or(0);
    (at < orders.len()).then(|| orders.swap_remove(at))
}

/// Where codes are sent, a phone or an e-mail will do in place of the number.
fn number_of(who: &Identity) -> Ask {
    if who.codes { Ask::OrderOrContact } else { Ask::OrderNumber }
}

/// Where else the number stands, or what will do in its place: what to say, and what is waited for.
pub(super) fn instead(who: &Identity) -> (Ask, Ask) {
    if who.codes { (Ask::ContactInstead, Ask::OrderOrContact) } else { (Ask::NumberElsewhere, Ask::OrderNumber) }
}

/// Who does not have the number is shown the other way once; then a person helps.
fn other_way(command: &Command, who: &Identity) -> Outcome {
    if who.failed > 0 {
        return by_a_person();
    }
    let (say, asked) = instead(who);
    let pending = Pending { command: command.clone(), asked, failed: 1 };
    Outcome { moves: vec![Move::Ask { what: say }], pending: Some(pending), ..Outcome::default() }
}

/// There is no other way here: a person knows more.
fn by_a_person() -> Outcome {
    Outcome { moves: vec![Move::Human { reason: HandoverReason::Task }], ..Outcome::default() }
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
    let open = failed < MOST_FAILED && who.customer.is_none();
    let mut moves = vec![Move::NotFound { why: Absence::NoOrder }];
    if failed >= MOST_FAILED {
        moves.push(Move::Human { reason: HandoverReason::Task });
    }
    Outcome { moves, pending: open.then_some(pending), ..Outcome::default() }
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
    Outcome { moves, facts: vec![fact(order, now)], ..Outcome::default() }
}

/// An order as a fact.
pub(super) fn fact(order: Order, now: Timestamp) -> Fact {
    let id = FactId(format!("order:{}", order.number));
    Fact { id, body: FactBody::Order(Box::new(order)), source: "orders".to_string(), as_of: now }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::engine::{Orders, Proofs, WrongProofs};

    struct One(Order);

    /// Nobody ever guessed.
    #[async_trait]
    impl Proofs for One {
        async fn wrong(&self, _: &str, _: &str, _: Timestamp) -> anyhow::Result<WrongProofs> {
            Ok(WrongProofs::default())
        }
        async fn note(&self, _: &str, _: &str, _: Timestamp) -> anyhow::Result<()> {
            Ok(())
        }
    }

    fn door(one: &One) -> Door<'_> {
        Door { orders: one, proofs: one, caller: "", client: "", prefix: "TT-", now: Timestamp::UNIX_EPOCH }
    }

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
        let outcome = order(&command, &who, &door(&one())).await.unwrap();
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
            let outcome = order(&command, &who, &door(&one())).await.unwrap();
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
        check(status, Some("1"), phone("+421 900 000 000"), &["order"]).await;
        check(status, Some("1"), phone("+421900000001"), &["not found NoOrder"]).await;
        check(status, Some("TT-1"), phone("+421900000001"), &["not found NoOrder"]).await;
        check(status, Some("TT-9"), phone("+421900000000"), &["not found NoOrder"]).await;
        check(status, None, customer("C-1"), &["order"]).await;
        check(status, Some("TT-1"), customer("C-2"), &["not found NoOrder"]).await;
        check(CommandName::CancelOrder, None, customer("C-1"), &["order", "cancel rule", "human"]).await;
    }
}
