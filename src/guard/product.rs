//! What two offers of a draft share: the product they belong to, the price they quote.

use crate::domain::{Currency, Fact, FactBody};

/// True unless the two facts are known to be of different products.
pub(super) fn same_product(fact: &Fact, name: Option<&Fact>) -> bool {
    match (&fact.body, name.map(|name| &name.body)) {
        (FactBody::Offer(own), Some(FactBody::Offer(named))) => own.product == named.product,
        _ => true,
    }
}

/// True when both are offers at one price.
pub(super) fn same_price(fact: &Fact, name: &Fact) -> bool {
    match (&fact.body, &name.body) {
        (FactBody::Offer(own), FactBody::Offer(named)) => own.offer.price == named.offer.price,
        _ => false,
    }
}

/// The price an offer quotes now, with its currency.
pub(super) fn price(fact: &Fact) -> Option<(Currency, i64)> {
    match &fact.body {
        FactBody::Offer(offer) => offer.offer.price.now().map(|money| (money.currency, money.minor)),
        _ => None,
    }
}
