//! What a reply may state of a cart: lines with their live prices, the promotion, the delivery, and the sums worked out of them.

use serde::{Deserialize, Serialize};

use super::rules::Reduction;
use crate::domain::desk::Address;
use crate::domain::fact::DeliveryFact;
use crate::domain::language::Localised;
use crate::domain::money::{Currency, Money};
use crate::domain::product::{Offer, Sku};

/// A cart as it stands now, priced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartFact {
    /// Its lines.
    pub lines: Vec<Line>,
    /// The promotion that applies.
    pub coupon: Option<Coupon>,
    /// Delivery, once it is known where to.
    pub delivery: Option<DeliveryFact>,
    /// Tax contained in the prices, in hundredths of a percent, of the country it goes to.
    pub tax_rate: Option<u32>,
    /// The currency of every amount.
    pub currency: Currency,
    /// The sums; none while a price is not known.
    pub sums: Option<Sums>,
    /// The line that was changed, or that something is said of.
    pub about: Option<Sku>,
    /// Where exactly it goes, once that is asked.
    pub address: Option<Address>,
    /// The order it became.
    pub order: Option<String>,
    /// Where that is paid.
    pub link: Option<String>,
}

impl CartFact {
    /// What may be said of an order that waits for its payment, beside the order itself.
    pub fn of_order(number: String, currency: Currency, link: String) -> CartFact {
        CartFact {
            lines: Vec::new(),
            coupon: None,
            delivery: None,
            tax_rate: None,
            currency,
            sums: None,
            about: None,
            address: None,
            order: Some(number),
            link: Some(link),
        }
    }
}

/// So many of a variant at its live price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The variant.
    pub sku: Sku,
    /// Its name per language, with size and colour.
    pub name: Localised,
    /// How many.
    pub quantity: u32,
    /// Price and stock, read in this turn.
    pub offer: Offer,
}

impl Line {
    /// Pieces there are not, of those wanted; none where the merchant gives no stock.
    pub fn short(&self) -> bool {
        self.offer.in_stock().is_some_and(|there| there < self.quantity)
    }
}

/// A promotion's code and terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// The code, as the shop writes it.
    pub code: String,
    /// What it takes off.
    pub reduction: Reduction,
    /// From which value of the goods.
    pub minimum: Option<Money>,
}

/// What it all comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// The goods.
    pub goods: Money,
    /// Taken off by the promotion.
    pub discount: Option<Money>,
    /// Delivery.
    pub delivery: Option<Money>,
    /// All of it.
    pub total: Money,
    /// Tax contained in the total.
    pub tax: Option<Money>,
}
