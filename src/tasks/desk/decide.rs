//! What the rules say to an operation: refused with a clause, or exactly what will be written. Pure.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::domain::desk::{
    Address, Customer, Decision, Effect, Operation, OrderRules, Payment, Refusal, RefusalCode, ReturnReason,
};
use crate::domain::order::{Order, OrderState};
use crate::domain::{Money, Offer, Product, Sku};

use super::{items, money};

/// All that a decision may look at.
pub(super) struct World<'a> {
    /// The order, when it is this customer's.
    pub order: Option<Order>,
    /// Who asks.
    pub customer: Customer,
    /// The products the operation names.
    pub products: Vec<Product>,
    /// All variants of those products.
    pub offers: Vec<Offer>,
    /// The days to which its arrival can be moved.
    pub days: Vec<Date>,
    /// The country the order goes to.
    pub country: Option<String>,
    /// The merchant's rules.
    pub rules: &'a OrderRules,
    /// Now.
    pub now: Timestamp,
}

/// A refusal before its version is known.
pub(super) type No = (RefusalCode, String);

/// Pieces to be swapped, the pieces wanted instead, and who settles the difference.
pub(super) struct Swap<'a> {
    /// Which pieces.
    pub items: &'a [Sku],
    /// For which.
    pub wanted: &'a [Sku],
    /// By which method.
    pub method: Option<&'a str>,
}

/// Pieces that are sent back, and why.
struct Back<'a> {
    items: &'a [Sku],
    method: Option<&'a str>,
    reason: ReturnReason,
    /// There are photos of them.
    photos: bool,
}

/// Decides.
pub(super) fn decide(operation: &Operation, world: &World<'_>) -> Result<Decision, Refusal> {
    let version = world.rules.version.clone();
    decide_by_clause(operation, world).map_err(|(code, clause)| Refusal { code, clause, version })
}

fn decide_by_clause(operation: &Operation, world: &World<'_>) -> Result<Decision, No> {
    if let Operation::ChangeProfile { address } = operation {
        return profile(address, world);
    }
    let order = world.order.clone().ok_or((RefusalCode::NoOrder, String::new()))?;
    match operation {
        Operation::CancelOrder { reason, .. } => cancel(order, reason, world),
        Operation::ReturnItems { items, method, reason, photos, .. } => {
            let back = Back { items, method: method.as_deref(), reason: *reason, photos: !photos.is_empty() };
            send_back(order, &back, world)
        }
        Operation::ExchangeItems { items, wanted, method, .. } => {
            exchange(order, &Swap { items, wanted, method: method.as_deref() }, world)
        }
        Operation::ChangeItems { items, wanted, method, .. } => {
            change_items(order, &Swap { items, wanted, method: method.as_deref() }, world)
        }
        Operation::ChangeAddress { address, .. } => change_address(order, address, world),
        Operation::ChangeDate { day, .. } => change_day(order, *day, world),
        Operation::ChangePayment { method, .. } => money::change_payment(order, method, world),
        Operation::ChangeProfile { .. } => Err((RefusalCode::NoOrder, String::new())),
    }
}

/// Refuses an order that is not in one of the states.
pub(super) fn in_state(order: &Order, states: &[OrderState], clause: &str) -> Result<(), No> {
    if states.contains(&order.state) { Ok(()) } else { Err((RefusalCode::WrongState, clause.to_string())) }
}

/// Refuses an order that is not in one of the states or that is final before it leaves.
pub(super) fn still_open(order: &Order, states: &[OrderState], clause: &str) -> Result<(), No> {
    in_state(order, states, clause)?;
    if order.changes.items_changed {
        return Err((RefusalCode::AlreadyChanged, clause.to_string()));
    }
    Ok(())
}

fn cancel(mut order: Order, reason: &str, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.cancel;
    still_open(&order, &rule.states, &rule.clause)?;
    if !rule.reasons.is_empty() && !rule.reasons.iter().any(|known| known == reason) {
        return Err((RefusalCode::WrongReason, rule.clause.clone()));
    }
    let refunds: Vec<Payment> = money::paid(&order);
    let mut customer = world.customer.clone();
    for refund in &refunds {
        money::credit(&mut customer, refund);
    }
    let refund = money::due_back(&order, &refunds);
    order.payments.extend(refunds.iter().cloned());
    order.state = OrderState::Cancelled;
    order.changes.cancel_reason = Some(reason.to_string());
    Ok(decision(order, customer, world, (refunds, &rule.clause)).refunding(refund))
}

fn send_back(mut order: Order, back: &Back<'_>, world: &World<'_>) -> Result<Decision, No> {
    let (rule, wanted) = (&world.rules.r#return, back.items);
    in_state(&order, &rule.states, &rule.clause)?;
    items::held(&order, wanted, &rule.clause)?;
    let (mut pays, mut clause, mut wants_photo) = (None, rule.clause.clone(), None);
    for sku in wanted {
        let unknown = || (RefusalCode::UnknownProduct, rule.clause.clone());
        let product = items::product_of(sku, world).ok_or_else(unknown)?;
        let terms = rule.terms(&product.category, (back.reason, world.country.as_deref()));
        if terms.excludes && !product.returnable {
            return Err((RefusalCode::NotReturnable, rule.clause_excluded.clone()));
        }
        if terms.days.is_some_and(|days| !within(&order, days, world.now)) {
            return Err((RefusalCode::TooLate, terms.clause));
        }
        if terms.photo && !back.photos {
            wants_photo.get_or_insert_with(|| terms.clause.clone());
        }
        (pays, clause) = (pays.or(terms.pays), terms.clause);
    }
    let method = money::refund_method(&order, back.method, world)?;
    let amount = items::old_prices(&order, wanted, &rule.clause)?;
    // Last of all: nobody takes a photo of what cannot be sent back anyway.
    if let Some(clause) = wants_photo {
        return Err((RefusalCode::PhotoNeeded, clause));
    }
    order.state = OrderState::ReturnRequested;
    order.changes.returned = sorted(wanted);
    order.changes.method = method.clone();
    let money = method.map(|method| Payment { refund: true, amount, method });
    let mut decided = decision(order, world.customer.clone(), world, (money.into_iter().collect(), &clause));
    decided.effect.pays = pays;
    Ok(decided.refunding(Some(amount)))
}

/// True while the days after delivery run. A day is not over before it is over everywhere.
fn within(order: &Order, days: u16, now: Timestamp) -> bool {
    let today = now.to_zoned(TimeZone::UTC).date();
    let last = order.delivered.and_then(|day| day.checked_add(i32::from(days).days()).ok());
    last.is_some_and(|last| today <= last)
}

fn exchange(mut order: Order, swap: &Swap<'_>, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.exchange;
    in_state(&order, &rule.states, &rule.clause)?;
    let settled = items::settle(&order, swap, world, &rule.clause)?;
    order.state = OrderState::ExchangeRequested;
    order.changes.returned = sorted(swap.items);
    order.changes.wanted = sorted(swap.wanted);
    order.changes.method = Some(settled.payment.method.clone());
    order.changes.difference = Some(settled.difference);
    Ok(decision(order, world.customer.clone(), world, (vec![settled.payment], &rule.clause)))
}

fn change_items(mut order: Order, swap: &Swap<'_>, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.change;
    let states = if rule.items { rule.states.as_slice() } else { &[] };
    still_open(&order, states, &rule.clause)?;
    let settled = items::settle(&order, swap, world, &rule.clause)?;
    let mut customer = world.customer.clone();
    money::credit(&mut customer, &settled.payment);
    items::replace(&mut order, swap, world, &rule.clause)?;
    order.payments.push(settled.payment.clone());
    order.changes.items_changed = true;
    Ok(decision(order, customer, world, (vec![settled.payment], &rule.clause)))
}

fn change_address(mut order: Order, address: &Address, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.change;
    still_open(&order, &rule.states, &rule.clause)?;
    whole(address, &rule.clause)?;
    order.address = Some(address.clone());
    Ok(decision(order, world.customer.clone(), world, (Vec::new(), &rule.clause)))
}

fn change_day(mut order: Order, day: Date, world: &World<'_>) -> Result<Decision, No> {
    let rule = &world.rules.change;
    let states = if rule.days.is_some() { rule.states.as_slice() } else { &[] };
    still_open(&order, states, &rule.clause)?;
    if !world.days.contains(&day) {
        return Err((RefusalCode::NoDelivery, rule.clause.clone()));
    }
    order.promised = Some(day);
    Ok(decision(order, world.customer.clone(), world, (Vec::new(), &rule.clause)))
}

fn profile(address: &Address, world: &World<'_>) -> Result<Decision, No> {
    let clause = &world.rules.change.clause;
    whole(address, clause)?;
    let customer = Customer { address: Some(address.clone()), ..world.customer.clone() };
    let effect = Effect { state: None, money: Vec::new(), refund: None, pays: None, clause: clause.clone() };
    Ok(Decision { effect, order: None, customer: Some(customer) })
}

fn whole(address: &Address, clause: &str) -> Result<(), No> {
    let empty = [&address.line1, &address.city, &address.postcode].iter().any(|part| part.trim().is_empty());
    if empty { Err((RefusalCode::Incomplete, clause.to_string())) } else { Ok(()) }
}

/// The decision over an order; the customer is written only when something about them changed.
pub(super) fn decision(
    order: Order,
    customer: Customer,
    world: &World<'_>,
    (money, clause): (Vec<Payment>, &str),
) -> Decision {
    let effect = Effect { state: Some(order.state), money, refund: None, pays: None, clause: clause.to_string() };
    let customer = (customer != world.customer).then_some(customer);
    Decision { effect, order: Some(order), customer }
}

impl Decision {
    /// The same, telling what comes back in all.
    fn refunding(mut self, refund: Option<Money>) -> Decision {
        self.effect.refund = refund;
        self
    }
}

fn sorted(skus: &[Sku]) -> Vec<Sku> {
    let mut skus = skus.to_vec();
    skus.sort();
    skus
}
