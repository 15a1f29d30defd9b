//! What a reply may say of a cart. Every sum is worked out again from lines, promotion, delivery and tax rate: the till's own
//! figure must agree, or there is none.

use crate::domain::cart::{CartFact, Line, Reduction};
use crate::domain::menu::MenuFact;
use crate::domain::{Money, Role};

/// The amount of a cart in a role.
pub(super) fn amount(cart: &CartFact, role: Role) -> Option<Money> {
    let told = cart.sums?;
    let goods: i128 = cart.lines.iter().map(|line| line_minor(cart, line)).sum::<Option<i128>>()?;
    let off = match cart.coupon.as_ref() {
        Some(coupon) if coupon.minimum.is_some_and(|minimum| !same(cart, minimum) || goods < minimum.minor.into()) => {
            return None;
        }
        Some(coupon) => match coupon.reduction {
            Reduction::Percent(percent) if percent <= 100 => goods * i128::from(percent) / 100,
            Reduction::Amount(amount) if same(cart, amount) => goods.min(amount.minor.into()),
            Reduction::Percent(_) | Reduction::Amount(_) => return None,
        },
        None => 0,
    };
    let left = goods - off;
    let carriage = match &cart.delivery {
        Some(delivery) if !same(cart, delivery.cost) => return None,
        Some(delivery) => match delivery.free_from {
            Some(from) if same(cart, from) && left >= i128::from(from.minor) => 0,
            _ => i128::from(delivery.cost.minor),
        },
        None => 0,
    };
    let total = left + carriage;
    let tax = cart.tax_rate.map(|rate| {
        let (part, whole) = (total * i128::from(rate), 10_000 + i128::from(rate));
        // Rounded to the nearest unit, half a unit up.
        part / whole + i128::from(2 * (part % whole) >= whole)
    });
    let agreed =
        |own: i128, told: Option<Money>| told.filter(|told| same(cart, *told) && i128::from(told.minor) == own);
    match role {
        Role::Goods => agreed(goods, Some(told.goods)),
        Role::Discount => cart.coupon.as_ref().and_then(|_| agreed(off, told.discount)),
        Role::DeliveryCost => cart.delivery.as_ref().and_then(|_| agreed(carriage, told.delivery)),
        // Said only where the delivery of this very cart costs nothing.
        Role::FreeFrom => {
            cart.delivery.as_ref()?.free_from.filter(|_| agreed(0, told.delivery).is_some() && carriage == 0)
        }
        Role::Total => agreed(total, Some(told.total)),
        Role::Tax => agreed(tax?, told.tax),
        _ => None,
    }
}

/// What the lines cost, each.
pub(super) fn line_totals(cart: &CartFact) -> Vec<Money> {
    cart.lines.iter().filter_map(|line| line_total(cart, line)).collect()
}

/// True when a line of this name holds so many pieces.
pub(super) fn counted(cart: &CartFact, name: &str, count: &str) -> bool {
    named(cart, name).any(|line| line.quantity.to_string() == count)
}

/// What the line of this name costs.
pub(super) fn total_of(cart: &CartFact, name: &str) -> Vec<Money> {
    named(cart, name).filter_map(|line| line_total(cart, line)).collect()
}

fn named<'a>(cart: &'a CartFact, name: &str) -> impl Iterator<Item = &'a Line> {
    cart.lines.iter().filter(move |line| line.name.all().any(|(_, known)| known == name))
}

fn line_total(cart: &CartFact, line: &Line) -> Option<Money> {
    Some(Money::new(i64::try_from(line_minor(cart, line)?).ok()?, cart.currency))
}

fn line_minor(cart: &CartFact, line: &Line) -> Option<i128> {
    let price = line.offer.price.now().filter(|price| same(cart, *price) && line.offer.sku == line.sku)?;
    Some(i128::from(price.minor) * i128::from(line.quantity))
}

fn same(cart: &CartFact, money: Money) -> bool {
    money.currency == cart.currency
}

/// What the choices of a quiz cost at least: added up again from the rules' own amounts.
pub(super) fn estimate(menu: &MenuFact) -> Option<Money> {
    let currency = menu.parts.first()?.currency;
    let same = menu.parts.iter().all(|part| part.currency == currency);
    let minor = menu.parts.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.minor))?;
    same.then_some(Money::new(minor, currency))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::cart::{Coupon, Sums};
    use crate::domain::fact::DeliveryFact;
    use crate::domain::product::{Offer, Quote};
    use crate::domain::{Currency, Language, Localised};

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse::<Currency>().unwrap())
    }

    pub(in crate::guard) fn cart() -> CartFact {
        let day = jiff::civil::date(2026, 11, 23);
        let line = |sku: &str, price, quantity| Line {
            sku: sku.into(),
            name: Localised::only(Language::En, sku),
            quantity,
            offer: Offer {
                product: "P".into(),
                sku: sku.into(),
                size: None,
                colour: None,
                price: Quote::Known { now: eur(price), old: None, until: None },
                stock: Vec::new(),
                as_of: jiff::Timestamp::UNIX_EPOCH,
            },
        };
        CartFact {
            lines: vec![line("kettle", 3990, 1), line("mug", 500, 3)],
            coupon: Some(Coupon { code: "C".to_string(), reduction: Reduction::Percent(10), minimum: Some(eur(5000)) }),
            delivery: Some(DeliveryFact {
                place: "nitra".into(),
                name: Localised::default(),
                cost: eur(390),
                free_from: Some(eur(6000)),
                cutoff: jiff::civil::time(14, 0, 0, 0),
                earliest: day,
                latest: day,
            }),
            tax_rate: Some(2300),
            currency: "EUR".parse().unwrap(),
            sums: Some(Sums {
                goods: eur(5490),
                discount: Some(eur(549)),
                delivery: Some(eur(390)),
                total: eur(5331),
                tax: Some(eur(997)),
            }),
            about: None,
            address: None,
            order: None,
            link: None,
        }
    }

    const SUMS: [Role; 5] = [Role::Goods, Role::Discount, Role::DeliveryCost, Role::Total, Role::Tax];

    fn check(change: impl Fn(&mut CartFact), expected: [Option<i64>; 5]) {
        let mut cart = cart();
        change(&mut cart);
        assert_eq!(SUMS.map(|role| amount(&cart, role).map(|money| money.minor)), expected);
    }

    #[test]
    fn a_sum_that_is_not_the_lines_own_does_not_exist() {
        check(|_| {}, [Some(5490), Some(549), Some(390), Some(5331), Some(997)]);
        let sums = |cart: &mut CartFact, change: &dyn Fn(&mut Sums)| change(cart.sums.as_mut().unwrap());
        check(|cart| sums(cart, &|sums| sums.total = eur(5330)), [Some(5490), Some(549), Some(390), None, Some(997)]);
        check(
            |cart| sums(cart, &|sums| sums.tax = Some(eur(998))),
            [Some(5490), Some(549), Some(390), Some(5331), None],
        );
        check(
            |cart| sums(cart, &|sums| sums.discount = Some(eur(550))),
            [Some(5490), None, Some(390), Some(5331), Some(997)],
        );
        check(
            |cart| sums(cart, &|sums| sums.delivery = Some(eur(0))),
            [Some(5490), Some(549), None, Some(5331), Some(997)],
        );
        check(|cart| cart.lines[1].quantity = 2, [None; 5]);
        check(|cart| cart.lines[0].offer.price = Quote::Stale, [None; 5]);
        check(|cart| cart.lines[0].offer.sku = "other".into(), [None; 5]);
        check(|cart| cart.coupon.as_mut().unwrap().minimum = Some(eur(5500)), [None; 5]);
        check(|cart| cart.coupon = None, [Some(5490), None, Some(390), None, None]);
        check(|cart| cart.sums = None, [None; 5]);
    }

    #[test]
    fn free_delivery_is_said_only_where_it_is() {
        let mut cart = cart();
        assert_eq!(amount(&cart, Role::FreeFrom), None);
        cart.delivery.as_mut().unwrap().free_from = Some(eur(4000));
        cart.sums.as_mut().unwrap().delivery = Some(eur(0));
        assert_eq!(amount(&cart, Role::FreeFrom), Some(eur(4000)));
    }

    #[test]
    fn counts_and_sums_belong_to_their_own_line() {
        let cart = cart();
        assert!(counted(&cart, "mug", "3") && !counted(&cart, "kettle", "3"));
        assert_eq!(total_of(&cart, "mug"), [eur(1500)]);
        assert_eq!(line_totals(&cart), [eur(3990), eur(1500)]);
    }
}
