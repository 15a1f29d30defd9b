//! What a cart comes to: goods, promotion, delivery, total, tax. Whole minor units; nothing is rounded in the shop's favour twice.

use crate::domain::Money;
use crate::domain::cart::{CartFact, Reduction, Sums};
use crate::domain::order::OrderItem;

/// The sums of a cart; none while a price is not known or does not fit.
pub(super) fn sums(cart: &CartFact) -> Option<Sums> {
    let money = |minor: i64| Money::new(minor, cart.currency);
    let goods = goods(cart)?;
    let discount = match cart.coupon.as_ref().map(|coupon| coupon.reduction) {
        Some(Reduction::Percent(percent)) => Some(goods.checked_mul(i64::from(percent))? / 100),
        Some(Reduction::Amount(amount)) => Some(amount.minor.min(goods)),
        None => None,
    };
    let left = goods.checked_sub(discount.unwrap_or(0))?;
    let delivery = cart.delivery.as_ref().map(|delivery| match delivery.free_from {
        Some(threshold) if left >= threshold.minor => 0,
        _ => delivery.cost.minor,
    });
    let total = left.checked_add(delivery.unwrap_or(0))?;
    let tax = match cart.tax_rate.map(i64::from) {
        // Half a unit is rounded up.
        Some(rate) => Some((total.checked_mul(2 * rate)? + 10_000 + rate) / (2 * (10_000 + rate))),
        None => None,
    };
    Some(Sums {
        goods: money(goods),
        discount: discount.map(money),
        delivery: delivery.map(money),
        total: money(total),
        tax: tax.map(money),
    })
}

/// What the goods cost together; none while a price is not known.
pub(super) fn goods(cart: &CartFact) -> Option<i64> {
    cart.lines.iter().try_fold(0_i64, |sum, line| {
        let price = line.offer.price.now().filter(|price| price.currency == cart.currency)?;
        sum.checked_add(price.times(line.quantity)?.minor)
    })
}

/// The lines of the order: each piece at the price that is paid for it, the promotion's share taken off, so that what is
/// given back for a piece later is what was paid for it.
pub(super) fn items(cart: &CartFact) -> Option<Vec<OrderItem>> {
    let sums = cart.sums?;
    let (goods, paid) =
        (i128::from(sums.goods.minor), i128::from(sums.goods.minor - sums.discount.map_or(0, |d| d.minor)));
    let (mut before, mut told) = (0_i128, 0_i128);
    let mut items: Vec<OrderItem> = Vec::new();
    for line in &cart.lines {
        let price = line.offer.price.now()?;
        for _ in 0..line.quantity {
            before += i128::from(price.minor);
            let until = if goods == 0 { 0 } else { before * paid / goods };
            let own = Money::new(i64::try_from(until - told).ok()?, cart.currency).amount();
            told = until;
            match items.iter_mut().find(|item| item.sku == line.sku && item.price == own) {
                Some(item) => item.quantity += 1,
                None => items.push(OrderItem { sku: line.sku.clone(), quantity: 1, price: own }),
            }
        }
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cart::{Coupon, Line};
    use crate::domain::fact::DeliveryFact;
    use crate::domain::product::{Offer, Quote};
    use crate::domain::{Currency, Language, Localised};

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse::<Currency>().unwrap())
    }

    fn cart(lines: &[(i64, u32)], reduction: Option<Reduction>, free_from: Option<i64>) -> CartFact {
        let line = |(at, (price, quantity)): (usize, &(i64, u32))| Line {
            sku: format!("S{at}").as_str().into(),
            name: Localised::only(Language::En, "x"),
            quantity: *quantity,
            offer: Offer {
                product: "P".into(),
                sku: format!("S{at}").as_str().into(),
                size: None,
                colour: None,
                price: Quote::Known { now: eur(*price), old: None, until: None },
                stock: Vec::new(),
                as_of: jiff::Timestamp::UNIX_EPOCH,
            },
        };
        let day = jiff::civil::date(2026, 11, 23);
        CartFact {
            lines: lines.iter().enumerate().map(line).collect(),
            coupon: reduction.map(|reduction| Coupon { code: "C".to_string(), reduction, minimum: None }),
            delivery: Some(DeliveryFact {
                place: "nitra".into(),
                name: Localised::default(),
                cost: eur(390),
                free_from: free_from.map(eur),
                cutoff: jiff::civil::time(14, 0, 0, 0),
                earliest: day,
                latest: day,
            }),
            tax_rate: Some(2300),
            currency: "EUR".parse().unwrap(),
            sums: None,
            about: None,
            address: None,
            order: None,
            link: None,
        }
    }

    fn check(cart: &CartFact, expected: [i64; 5]) {
        let sums = sums(cart).unwrap();
        let minor = |money: Option<Money>| money.map_or(0, |money| money.minor);
        let got = [sums.goods.minor, minor(sums.discount), minor(sums.delivery), sums.total.minor, minor(sums.tax)];
        assert_eq!(got, expected);
    }

    #[test]
    fn everything_is_summed_in_whole_units() {
        check(&cart(&[(3990, 2)], None, Some(6000)), [7980, 0, 0, 7980, 1492]);
        check(&cart(&[(3990, 1), (500, 3)], None, Some(6000)), [5490, 0, 390, 5880, 1100]);
        check(&cart(&[(3333, 1)], Some(Reduction::Percent(10)), None), [3333, 333, 390, 3390, 634]);
        // The promotion counts before the threshold of free delivery.
        check(&cart(&[(6100, 1)], Some(Reduction::Percent(10)), Some(6000)), [6100, 610, 390, 5880, 1100]);
        check(&cart(&[(300, 1)], Some(Reduction::Amount(eur(500))), None), [300, 300, 390, 390, 73]);
    }

    #[test]
    fn an_unknown_price_has_no_sum() {
        let mut stale = cart(&[(3990, 1)], None, None);
        stale.lines[0].offer.price = Quote::Stale;
        assert_eq!(sums(&stale), None);
    }

    #[test]
    fn a_promotion_is_shared_out_to_the_last_unit() {
        let mut cart = cart(&[(1000, 3), (777, 1)], Some(Reduction::Amount(eur(100))), None);
        cart.sums = sums(&cart);
        let items = items(&cart).unwrap();
        let sum: i64 = items
            .iter()
            .map(|item| Money::parse(&item.price, cart.currency).unwrap().minor * i64::from(item.quantity))
            .sum();
        assert_eq!(sum, 3677);
        assert_eq!(items.iter().map(|item| item.quantity).sum::<u32>(), 4);
    }
}
