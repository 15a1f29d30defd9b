//! What a reply may say of an operation on an order. Its amounts are worked out again from the order itself: the desk's
//! own figure must agree, or there is none.

use crate::domain::desk::{Operation, Payment, Piece, TaskFact, TaskState};
use crate::domain::order::{Order, OrderState};
use crate::domain::{Money, Role, Sku};

/// The amount of a task in a role.
pub(super) fn amount(fact: &TaskFact, role: Role) -> Option<Money> {
    let money = |minor: i64| Money::new(minor, fact.order.currency);
    match (role, &fact.task.operation) {
        (Role::Refund, Operation::CancelOrder { .. }) => agreed(fact, all_back(fact)?),
        (Role::Refund, Operation::ReturnItems { items, .. }) => agreed(fact, prices(&fact.order, items)?),
        (Role::Refund, _) => difference(fact).filter(|minor| *minor < 0).map(|minor| money(-minor)),
        (Role::Due, _) => difference(fact).filter(|minor| *minor > 0).map(money),
        _ => None,
    }
}

/// The money of an order that went back: refunds that were paid, else the pieces that were returned, else all of it.
pub(super) fn refunded(order: &Order) -> Option<Money> {
    let ended = matches!(order.state, OrderState::Refunded | OrderState::Cancelled);
    let refunds = order.payments.iter().filter(|payment| payment.refund);
    if let Some(minor) = sum(refunds).filter(|minor| *minor > 0) {
        return ended.then(|| Money::new(minor, order.currency));
    }
    let returned = &order.changes.returned;
    match order.state {
        OrderState::Refunded if !order.changes.wanted.is_empty() => None,
        OrderState::Refunded if returned.is_empty() => Money::parse(&order.total, order.currency).ok(),
        OrderState::Refunded => prices(order, returned),
        _ => None,
    }
}

/// True when so many pieces stand in the order under this name.
pub(super) fn counted(fact: &TaskFact, name: &str, count: &str) -> bool {
    let named = |piece: &&Piece| piece.name.all().any(|(_, known)| known == name);
    fact.pieces.iter().chain(&fact.wanted).filter(named).any(|piece| piece.quantity.to_string() == count)
}

fn agreed(fact: &TaskFact, money: Money) -> Option<Money> {
    let effect = fact.task.effect.as_ref()?;
    (effect.refund == Some(money)).then_some(money)
}

fn all_back(fact: &TaskFact) -> Option<Money> {
    let TaskFact { task, order, .. } = fact;
    let money = |minor: i64| (minor > 0).then(|| Money::new(minor, order.currency));
    if order.payments.is_empty() {
        let total = Money::parse(&order.total, order.currency).ok()?;
        return (order.state != OrderState::AwaitingPayment).then_some(total);
    }
    let told = &task.effect.as_ref()?.money;
    if task.state == TaskState::Done {
        // Read back: every refund that was told must stand in the order.
        let there = |refund: &Payment| refund.refund && order.payments.contains(refund);
        return told.iter().all(there).then(|| sum(told.iter())).flatten().and_then(money);
    }
    let paid = sum(order.payments.iter().filter(|payment| !payment.refund))?;
    let back = sum(order.payments.iter().filter(|payment| payment.refund))?;
    money(paid.checked_sub(back)?)
}

fn sum<'a>(mut payments: impl Iterator<Item = &'a Payment>) -> Option<i64> {
    payments.try_fold(0_i64, |sum, payment| sum.checked_add(payment.amount.minor))
}

fn prices(order: &Order, items: &[Sku]) -> Option<Money> {
    let mut left: Vec<(&Sku, u32, Money)> = Vec::new();
    for item in &order.items {
        left.push((&item.sku, item.quantity, Money::parse(&item.price, order.currency).ok()?));
    }
    let mut sum = 0_i64;
    for sku in items {
        let line = left.iter_mut().find(|(known, count, _)| *known == sku && *count > 0)?;
        line.1 -= 1;
        sum = sum.checked_add(line.2.minor)?;
    }
    Some(Money::new(sum, order.currency))
}

/// New prices less the prices that were paid.
fn difference(fact: &TaskFact) -> Option<i64> {
    let (Operation::ExchangeItems { items, .. } | Operation::ChangeItems { items, .. }) = &fact.task.operation else {
        return None;
    };
    let mut new = 0_i64;
    for piece in &fact.wanted {
        let price = piece.price.filter(|price| price.currency == fact.order.currency)?;
        new = new.checked_add(price.minor.checked_mul(i64::from(piece.quantity))?)?;
    }
    new.checked_sub(prices_before(fact, items)?.minor)
}

/// A swap of pieces that are still in the order, or were before it was done.
fn prices_before(fact: &TaskFact, items: &[Sku]) -> Option<Money> {
    prices(&fact.order, items).or_else(|| {
        let told = |piece: &Piece| piece.price?.minor.checked_mul(i64::from(piece.quantity));
        let sum = fact.pieces.iter().try_fold(0_i64, |sum, piece| sum.checked_add(told(piece)?))?;
        Some(Money::new(sum, fact.order.currency))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::desk::{Effect, Task};

    pub(in crate::guard) fn fact(payments: &str, state: OrderState, operation: &str, told: i64) -> TaskFact {
        let order = format!(
            r#"{{"number":"TT-1","customer":"C","name":"N","phone":"","email":"n@example.sk","language":"sk","place":"nitra","placed":"2026-11-01","state":"processing","currency":"EUR","items":[{{"sku":"A","quantity":2,"price":"5.00"}},{{"sku":"B","quantity":1,"price":"1.50"}}],"shipping":"1.00","total":"12.50"{payments}}}"#
        );
        let order = Order { state, ..serde_json::from_str(&order).unwrap() };
        let refund = Some(Money::new(told, order.currency));
        let effect = Effect { state: None, money: Vec::new(), refund, pays: None, clause: String::new() };
        let task = Task {
            id: "t".to_string(),
            customer: "C".to_string(),
            operation: serde_json::from_str(operation).unwrap(),
            state: TaskState::AwaitingConfirmation,
            token: String::new(),
            effect: Some(effect),
            refusal: None,
            order_version: 1,
            created: jiff::Timestamp::UNIX_EPOCH,
        };
        TaskFact { task, order, pieces: Vec::new(), wanted: Vec::new(), rma: None, label: None, first_day: None }
    }

    fn check(payments: &str, state: OrderState, operation: &str, (told, expected): (i64, Option<i64>)) {
        let fact = fact(payments, state, operation, told);
        assert_eq!(amount(&fact, Role::Refund).map(|money| money.minor), expected, "{operation} {told}");
    }

    #[test]
    fn the_refund_is_the_orders_own() {
        const CANCEL: &str = r#"{"do":"cancel_order","order":"TT-1","reason":"x"}"#;
        let back = |items: &str| format!(r#"{{"do":"return_items","order":"TT-1","items":{items}}}"#);
        let paid = r#","payments":[{"amount":{"minor":1250,"currency":"EUR"},"method":"card"},{"refund":true,"amount":{"minor":250,"currency":"EUR"},"method":"card"}]"#;
        check("", OrderState::Processing, CANCEL, (1250, Some(1250)));
        check("", OrderState::Processing, CANCEL, (1251, None));
        check("", OrderState::AwaitingPayment, CANCEL, (1250, None));
        check(paid, OrderState::Processing, CANCEL, (1000, Some(1000)));
        check(paid, OrderState::Processing, CANCEL, (1250, None));
        check("", OrderState::Delivered, &back(r#"["A"]"#), (500, Some(500)));
        check("", OrderState::Delivered, &back(r#"["A","A","B"]"#), (1150, Some(1150)));
        check("", OrderState::Delivered, &back(r#"["A","A","A"]"#), (1500, None));
        check("", OrderState::Delivered, &back(r#"["A"]"#), (1250, None));
    }

    /// A done cancellation pays what was told, as far as the order shows it; one to come, what was paid and is not back.
    #[test]
    fn what_is_not_paid_back_is_not_told() {
        const CANCEL: &str = r#"{"do":"cancel_order","order":"TT-1","reason":"x"}"#;
        let payment = |refund: bool, minor: i64| {
            format!(r#"{{"refund":{refund},"amount":{{"minor":{minor},"currency":"EUR"}},"method":"card"}}"#)
        };
        let paid = |all: &[(bool, i64)]| {
            let all: Vec<String> = all.iter().map(|(refund, minor)| payment(*refund, *minor)).collect();
            format!(r#","payments":[{}]"#, all.join(","))
        };
        check(&paid(&[(false, 1250), (true, 1250)]), OrderState::Processing, CANCEL, (0, None));
        let done = |payments: &str, told: &[(bool, i64)]| {
            let sum = told.iter().map(|(_, minor)| minor).sum();
            let mut fact = fact(payments, OrderState::Cancelled, CANCEL, sum);
            fact.task.state = TaskState::Done;
            let read = |&(refund, minor): &(bool, i64)| serde_json::from_str(&payment(refund, minor)).unwrap();
            fact.task.effect.as_mut().unwrap().money = told.iter().map(read).collect();
            amount(&fact, Role::Refund).map(|money| money.minor)
        };
        let there = paid(&[(false, 1250), (true, 1000), (true, 250)]);
        assert_eq!(done(&there, &[(true, 1000), (true, 250)]), Some(1250));
        assert_eq!(done(&there, &[(true, 1000)]), Some(1000));
        assert_eq!(done(&there, &[(true, 999)]), None);
        assert_eq!(done(&there, &[(false, 1250)]), None);
    }

    #[test]
    fn an_exchange_is_settled_by_the_new_prices_less_the_old() {
        let check = |operation: &str, wanted: &[(u32, Option<i64>)], (back, due): (Option<i64>, Option<i64>)| {
            let mut fact = fact("", OrderState::Delivered, operation, 0);
            let money = |minor: i64| Money::new(minor, fact.order.currency);
            let piece = |&(quantity, minor): &(u32, Option<i64>)| Piece {
                sku: "N".into(),
                name: Default::default(),
                quantity,
                price: minor.map(money),
            };
            fact.wanted = wanted.iter().map(piece).collect();
            let said = |role: Role| amount(&fact, role).map(|money| money.minor);
            assert_eq!((said(Role::Refund), said(Role::Due)), (back, due), "{operation} {wanted:?}");
        };
        for verb in ["exchange_items", "change_items"] {
            let swap = |items: &str| format!(r#"{{"do":"{verb}","order":"TT-1","items":{items},"wanted":["N"]}}"#);
            check(&swap(r#"["A"]"#), &[(1, Some(350))], (Some(150), None));
            check(&swap(r#"["A"]"#), &[(1, Some(501))], (None, Some(1)));
            check(&swap(r#"["A"]"#), &[(1, Some(499))], (Some(1), None));
            check(&swap(r#"["A"]"#), &[(1, Some(500))], (None, None));
            check(&swap(r#"["A","A"]"#), &[(2, Some(600)), (1, Some(10))], (None, Some(210)));
            check(&swap(r#"["A"]"#), &[(1, None)], (None, None));
            check(&swap(r#"["C"]"#), &[(1, Some(350))], (None, Some(350)));
        }
        check(r#"{"do":"cancel_order","order":"TT-1","reason":"x"}"#, &[(1, Some(900))], (None, None));
    }

    #[test]
    fn a_swap_that_is_done_is_priced_by_the_pieces_it_took() {
        const SWAP: &str = r#"{"do":"exchange_items","order":"TT-1","items":["C"],"wanted":["N"]}"#;
        let mut fact = fact("", OrderState::Delivered, SWAP, 0);
        let piece = |quantity, minor: Option<i64>| Piece {
            sku: "C".into(),
            name: Default::default(),
            quantity,
            price: minor.map(|minor| Money::new(minor, "EUR".parse().unwrap())),
        };
        fact.pieces = vec![piece(2, Some(300))];
        fact.wanted = vec![piece(1, Some(700))];
        assert_eq!(amount(&fact, Role::Due).map(|money| money.minor), Some(100));
        fact.pieces = vec![piece(2, None)];
        assert_eq!(amount(&fact, Role::Due), None);
    }

    #[test]
    fn what_went_back_of_an_order() {
        let check = |payments: &str, state: OrderState, (returned, wanted): (&str, &str), expected: Option<i64>| {
            let lists = format!(r#"{payments},"changes":{{"returned":{returned},"wanted":{wanted}}}"#);
            let fact = fact(&lists, state, r#"{"do":"cancel_order","order":"TT-1","reason":"x"}"#, 0);
            assert_eq!(refunded(&fact.order).map(|money| money.minor), expected, "{payments} {state:?} {returned}");
        };
        let paid = r#","payments":[{"amount":{"minor":1250,"currency":"EUR"},"method":"card"},{"refund":true,"amount":{"minor":250,"currency":"EUR"},"method":"card"}]"#;
        let nothing = r#","payments":[{"refund":true,"amount":{"minor":0,"currency":"EUR"},"method":"card"}]"#;
        check(paid, OrderState::Cancelled, ("[]", "[]"), Some(250));
        check(paid, OrderState::Refunded, (r#"["A"]"#, r#"["N"]"#), Some(250));
        check(paid, OrderState::Processing, ("[]", "[]"), None);
        check(nothing, OrderState::Refunded, (r#"["A"]"#, "[]"), Some(500));
        check("", OrderState::Refunded, (r#"["A"]"#, r#"["N"]"#), None);
        check("", OrderState::Refunded, ("[]", r#"["N"]"#), None);
        check("", OrderState::Cancelled, ("[]", "[]"), None);
    }
}
