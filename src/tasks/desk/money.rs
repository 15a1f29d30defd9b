//! Whose money moves where: refunds, differences, gift cards. Whole minor units only.

use crate::domain::Money;
use crate::domain::desk::{Customer, Decision, MethodKind, Payment, PaymentMethod, RefusalCode};
use crate::domain::order::{Order, OrderState};

use super::decide::{No, World, decision, still_open};

/// Every payment of the order, turned round.
pub(super) fn paid(order: &Order) -> Vec<Payment> {
    let mut back: Vec<Payment> = Vec::new();
    for payment in order.payments.iter().filter(|payment| !payment.refund) {
        back.push(Payment { refund: true, ..payment.clone() });
    }
    for refund in order.payments.iter().filter(|payment| payment.refund) {
        if let Some(at) = back.iter().position(|other| other == refund) {
            back.remove(at);
        }
    }
    back
}

/// What comes back when all of an order does: the payments turned round; the order's total where the merchant's
/// system tells of no payment and the order is no longer waiting for one.
pub(super) fn due_back(order: &Order, refunds: &[Payment]) -> Option<Money> {
    if order.payments.is_empty() {
        let unpaid = order.state == OrderState::AwaitingPayment;
        return Money::parse(&order.total, order.currency).ok().filter(|total| !unpaid && total.minor > 0);
    }
    let sum = refunds.iter().try_fold(0_i64, |sum, refund| sum.checked_add(refund.amount.minor))?;
    (sum > 0).then(|| Money::new(sum, order.currency))
}

/// The method the order was paid with.
pub(super) fn first_method(order: &Order) -> Option<String> {
    order.payments.iter().find(|payment| !payment.refund).map(|payment| payment.method.clone())
}

/// False when a gift card does not hold so much.
pub(super) fn covers(method: &PaymentMethod, amount: Money) -> bool {
    method.kind != MethodKind::GiftCard
        || method.balance.is_some_and(|balance| balance.currency == amount.currency && balance.minor >= amount.minor)
}

/// Moves the amount onto a gift card, or off it; other methods are the payment provider's business.
pub(super) fn credit(customer: &mut Customer, payment: &Payment) {
    let Some(method) = customer.methods.iter_mut().find(|method| method.id == payment.method) else { return };
    if let (MethodKind::GiftCard, Some(balance)) = (method.kind, &mut method.balance) {
        balance.minor += if payment.refund { payment.amount.minor } else { -payment.amount.minor };
    }
}

/// Where a refund may go: the method paid with, or a gift card where the rules allow it. None when the
/// merchant's system does not tell how the order was paid; the money then goes the way it came.
pub(super) fn refund_method(order: &Order, asked: Option<&str>, world: &World<'_>) -> Result<Option<String>, No> {
    let rule = &world.rules.r#return;
    let no = |code| (code, rule.clause.clone());
    let original = first_method(order);
    let Some(asked) = asked else { return Ok(original) };
    let known = world.customer.method(asked).ok_or(no(RefusalCode::UnknownMethod))?;
    let gift_card = rule.gift_card && known.kind == MethodKind::GiftCard;
    if original.as_deref() == Some(asked) || gift_card {
        return Ok(Some(asked.to_string()));
    }
    Err(no(RefusalCode::MethodNotAllowed))
}

/// Pays the order by another method and gives the first one its money back.
pub(super) fn change_payment(mut order: Order, method: &str, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.change;
    let no = |code| (code, rule.clause.clone());
    let states = if rule.payment { rule.states.as_slice() } else { &[] };
    still_open(&order, states, &rule.clause)?;
    let [first] = order.payments.as_slice() else { return Err(no(RefusalCode::MethodNotAllowed)) };
    let known = world.customer.method(method).ok_or(no(RefusalCode::UnknownMethod))?;
    if first.method == method {
        return Err(no(RefusalCode::MethodNotAllowed));
    }
    if !covers(known, first.amount) {
        return Err(no(RefusalCode::BalanceTooLow));
    }
    let back = Payment { refund: true, ..first.clone() };
    let new = Payment { refund: false, method: method.to_string(), ..first.clone() };
    let mut customer = world.customer.clone();
    credit(&mut customer, &new);
    credit(&mut customer, &back);
    order.payments.extend([new.clone(), back.clone()]);
    Ok(decision(order, customer, world, (vec![new, back], &rule.clause)))
}
