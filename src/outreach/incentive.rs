//! What may be offered beside a message: a promotion of `data/rules/promotions.toml` that holds today for these very goods, where the
//! margin of every line bears its share of it. Otherwise nothing.

use crate::app::App;
use crate::domain::cart::{Cart, CartFact};
use crate::domain::outreach::{Kind, Margin};
use crate::domain::{Currency, Product, ProductId};
use crate::tasks::cart::Till;

/// The goods with the promotion of their kind where it may be offered, else as they are; and its code.
pub(super) async fn offered(
    app: &App,
    till: &Till<'_>,
    (kind, cart, currency): (Kind, &Cart, Currency),
) -> anyhow::Result<(CartFact, Option<String>)> {
    let plain = till.quote(cart, currency).await?;
    let code = app.message_rules.of(kind).and_then(|rule| rule.promotion.clone());
    // A code the shopper has put in is theirs; another one would take its place.
    let Some(code) = code.filter(|_| cart.coupon.is_none()) else { return Ok((plain, None)) };
    let with = Cart { coupon: Some(code.clone()), ..cart.clone() };
    let reduced = till.quote(&with, currency).await?;
    if reduced.coupon.is_none() {
        return Ok((plain, None));
    }
    let ids: Vec<ProductId> = reduced.lines.iter().map(|line| line.offer.product.clone()).collect();
    let products = app.catalog.products(&ids).await?;
    if bears(&app.message_rules.margin, &reduced, &products) { Ok((reduced, Some(code))) } else { Ok((plain, None)) }
}

/// True when each line's margin is known and bears its share of the promotion.
fn bears(margin: &Margin, cart: &CartFact, products: &[Product]) -> bool {
    let Some(sums) = cart.sums else { return false };
    let Some(off) = sums.discount else { return false };
    let (goods, off) = (i128::from(sums.goods.minor), i128::from(off.minor));
    goods > 0
        && cart.lines.iter().all(|line| {
            let product = products.iter().find(|product| product.id == line.offer.product);
            let own = product.and_then(|product| margin.of(product));
            let price = line.offer.price.now().and_then(|price| price.times(line.quantity));
            let (Some(own), Some(price)) = (own, price) else { return false };
            // The share is rounded up: nothing is given away by rounding.
            let share = (i128::from(price.minor) * off + goods - 1) / goods;
            i64::try_from(share).is_ok_and(|share| margin.allows((price.minor, share), own))
        })
}
