//! Pieces of an order: held, priced, swapped. Two of a kind are two pieces.

use crate::domain::desk::{Payment, RefusalCode};
use crate::domain::order::{Order, OrderItem};
use crate::domain::{Money, Offer, Product, Sku};

use super::decide::{No, Swap, World};
use super::money;

/// What a swap comes to in money.
pub(super) struct Settled {
    /// New price less old price, minor units.
    pub difference: i64,
    /// The money that moves; nothing when the prices are equal.
    pub payment: Payment,
}

/// Refuses pieces the order does not hold, so many times as named.
pub(super) fn held(order: &Order, skus: &[Sku], clause: &str) -> Result<(), No> {
    if skus.is_empty() {
        return Err((RefusalCode::WrongItems, clause.to_string()));
    }
    for sku in skus {
        let named = skus.iter().filter(|other| *other == sku).count();
        let pieces: usize = order.items.iter().filter(|item| item.sku == *sku).map(|item| item.quantity as usize).sum();
        if named > pieces {
            return Err((RefusalCode::NotInOrder, clause.to_string()));
        }
    }
    Ok(())
}

/// The product that has this variant.
pub(super) fn product_of<'a>(sku: &Sku, world: &'a World<'_>) -> Option<&'a Product> {
    world.products.iter().find(|product| product.variants.iter().any(|variant| variant.sku == *sku))
}

fn offer_of<'a>(sku: &Sku, world: &'a World<'_>) -> Option<&'a Offer> {
    world.offers.iter().find(|offer| offer.sku == *sku)
}

/// What the pieces cost when they were bought.
pub(super) fn old_prices(order: &Order, skus: &[Sku], clause: &str) -> Result<Money, No> {
    let mut pieces = pieces(order);
    let mut sum = 0_i64;
    for sku in skus {
        let missing = || (RefusalCode::NotInOrder, clause.to_string());
        let at = pieces.iter().position(|item| item.sku == *sku).ok_or_else(missing)?;
        let price = Money::parse(&pieces.swap_remove(at).price, order.currency).map_err(|_| missing())?;
        sum = sum.checked_add(price.minor).ok_or_else(missing)?;
    }
    Ok(Money::new(sum, order.currency))
}

/// Every piece as a line of its own.
fn pieces(order: &Order) -> Vec<OrderItem> {
    let single = |item: &OrderItem| OrderItem { quantity: 1, ..item.clone() };
    order.items.iter().flat_map(|item| vec![single(item); item.quantity as usize]).collect()
}

/// Checks a swap and works out the difference.
pub(super) fn settle(order: &Order, swap: &Swap<'_>, world: &World<'_>, clause: &str) -> Result<Settled, No> {
    let no = |code| (code, clause.to_string());
    if swap.items.len() != swap.wanted.len() {
        return Err(no(RefusalCode::WrongItems));
    }
    held(order, swap.items, clause)?;
    let mut new = 0_i64;
    for (old, wanted) in swap.items.iter().zip(swap.wanted) {
        new = new.checked_add(price_instead(old, wanted, world).map_err(no)?).ok_or(no(RefusalCode::WrongItems))?;
    }
    let difference = new - old_prices(order, swap.items, clause)?.minor;
    let method = match swap.method {
        Some(method) => method.to_string(),
        None => money::first_method(order).ok_or(no(RefusalCode::UnknownMethod))?,
    };
    let known = world.customer.method(&method).ok_or(no(RefusalCode::UnknownMethod))?;
    let amount = Money::new(difference.abs(), order.currency);
    if difference > 0 && !money::covers(known, amount) {
        return Err(no(RefusalCode::BalanceTooLow));
    }
    Ok(Settled { difference, payment: Payment { refund: difference <= 0, amount, method } })
}

/// The price of `wanted`, when it may stand in for `old`.
fn price_instead(old: &Sku, wanted: &Sku, world: &World<'_>) -> Result<i64, RefusalCode> {
    if old == wanted {
        return Err(RefusalCode::SameItem);
    }
    let (Some(offer), Some(product)) = (offer_of(wanted, world), product_of(old, world)) else {
        return Err(RefusalCode::OtherProduct);
    };
    if offer.product != product.id {
        return Err(RefusalCode::OtherProduct);
    }
    let price = offer.price.now().filter(|_| offer.in_stock().is_some_and(|count| count > 0));
    price.map(|price| price.minor).ok_or(RefusalCode::NotAvailable)
}

/// Puts the new pieces in the old ones' places and makes the total right.
pub(super) fn replace(order: &mut Order, swap: &Swap<'_>, world: &World<'_>, clause: &str) -> Result<(), No> {
    let no = || (RefusalCode::NotAvailable, clause.to_string());
    let mut items = pieces(order);
    let mut taken = vec![false; items.len()];
    for (old, wanted) in swap.items.iter().zip(swap.wanted) {
        let at = items.iter().enumerate().position(|(at, item)| !taken[at] && item.sku == *old).ok_or_else(no)?;
        let price = offer_of(wanted, world).and_then(|offer| offer.price.now()).ok_or_else(no)?;
        (items[at].sku, items[at].price, taken[at]) = (wanted.clone(), price.amount(), true);
    }
    order.items = items;
    let goods = order
        .items
        .iter()
        .try_fold(0_i64, |sum, item| sum.checked_add(Money::parse(&item.price, order.currency).ok()?.minor));
    let shipping = Money::parse(&order.shipping, order.currency).map_err(|_| no())?.minor;
    let total = goods.and_then(|goods| goods.checked_add(shipping)).ok_or_else(no)?;
    order.total = Money::new(total, order.currency).amount();
    Ok(())
}
