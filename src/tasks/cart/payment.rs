//! Where an order is paid: one link per order while it is fresh, its amount from the order alone.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use crate::domain::Money;
use crate::domain::cart::{Bill, PaymentLink, PaymentRecord};
use crate::domain::order::Order;
use crate::engine::{Carts, PaymentLinks};

/// Providers close their pages after a day; a little earlier a new one is made.
const FRESH_H: i64 = 23;

/// Who makes links to pay by.
#[derive(Clone, Copy)]
pub struct Cashier<'a> {
    /// Payments as they are kept.
    pub book: &'a dyn Carts,
    /// Who takes the money.
    pub links: &'a dyn PaymentLinks,
    /// Now.
    pub now: Timestamp,
}

impl Cashier<'_> {
    /// Where an order is paid; a second question gets the same page.
    ///
    /// # Errors
    /// The order's total is no money, the provider does not answer, the link cannot be kept.
    pub async fn link(&self, order: &Order) -> anyhow::Result<PaymentLink> {
        let amount = Money::parse(&order.total, order.currency).context("the order's total")?;
        let known = self.book.payment(&order.number).await?;
        let attempt = match known {
            Some((payment, _)) if self.is_fresh(&payment) && payment.amount == amount => return Ok(payment.link),
            Some((_, before)) => before + 1,
            None => 0,
        };
        let bill = Bill {
            order: order.number.clone(),
            amount,
            key: format!("truetill-{}-{}-{attempt}", order.number, amount.minor),
            language: order.language,
            email: Some(order.email.clone()).filter(|email| !email.is_empty()),
        };
        let link = self.links.link(&bill).await.context("asking for a payment link")?;
        let payment = PaymentRecord { order: bill.order, link, amount, paid: false, made: self.now };
        self.book.keep_payment(&payment).await?;
        Ok(payment.link)
    }

    fn is_fresh(&self, payment: &PaymentRecord) -> bool {
        payment.link.provider == self.links.provider()
            && self.now.duration_since(payment.made) < SignedDuration::from_hours(FRESH_H)
    }
}
