//! A cart becomes an order: proposal, confirmation, one write, read-back. It never writes what was not shown, and never says
//! "placed" before the order was read again.

use anyhow::{Context, bail};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Denied, Till, Visit, price};
use crate::domain::cart::{Buyer, CartFact, CartNo, Checkout, CheckoutState};
use crate::domain::desk::Changes;
use crate::domain::order::{Order, OrderState};
use crate::engine::{Applied, Numbers};

use super::super::desk::Wrong;

/// Orders placed by nobody the shop knows belong to a customer of their own.
const GUEST: &str = "guest";

impl Till<'_> {
    /// Looks at what would be ordered and keeps it until it is confirmed. No order is written.
    ///
    /// # Errors
    /// The book or the catalog does not answer.
    pub async fn propose(&self, visit: Visit<'_>, buyer: Buyer) -> anyhow::Result<Result<Checkout, Denied>> {
        let priced = self.show(visit).await?;
        let mut shown = priced.fact;
        if let Some(denied) = incomplete(&shown, &buyer) {
            return Ok(Err(denied));
        }
        shown.address.clone_from(&buyer.address);
        let id = Uuid::now_v7().to_string();
        let checkout = Checkout {
            token: token(&shown)?,
            id,
            owner: visit.owner.key(),
            customer: visit.owner.customer.clone(),
            session: visit.owner.session,
            state: CheckoutState::AwaitingConfirmation,
            refusal: None,
            cart_version: priced.cart.version,
            shown,
            buyer,
            language: visit.language,
            order: None,
            created: self.now,
        };
        self.book.keep_checkout(&checkout).await?;
        Ok(Ok(checkout))
    }

    /// Places exactly what was shown, once: a second confirmation gets the first one's end.
    ///
    /// # Errors
    /// The book does not answer, or does not hold what was written.
    pub async fn confirm(&self, id: &str, token: &str) -> anyhow::Result<Result<Checkout, Wrong>> {
        for _ in 0..super::TRIES {
            let Some(checkout) = self.book.checkout(id).await? else { return Ok(Err(Wrong::Task)) };
            if checkout.token != token {
                return Ok(Err(Wrong::Token));
            }
            if checkout.state != CheckoutState::AwaitingConfirmation {
                return Ok(Ok(checkout));
            }
            if let Some(ended) = self.attempt(checkout).await? {
                return Ok(Ok(ended));
            }
        }
        bail!("checkout {id}: its cart was written by others again and again; confirm again")
    }

    /// Ends a proposal that is not wanted; an order that was placed stays placed.
    ///
    /// # Errors
    /// The book does not answer.
    pub async fn withdraw(&self, id: &str, token: &str) -> anyhow::Result<Result<Checkout, Wrong>> {
        let Some(checkout) = self.book.checkout(id).await? else { return Ok(Err(Wrong::Task)) };
        if checkout.token != token {
            return Ok(Err(Wrong::Token));
        }
        self.book.close_checkout(&Checkout { state: CheckoutState::Withdrawn, ..checkout }).await?;
        Ok(self.book.checkout(id).await?.ok_or(Wrong::Task))
    }

    /// One try at the write; none when it must be tried again.
    async fn attempt(&self, checkout: Checkout) -> anyhow::Result<Option<Checkout>> {
        if self.now.duration_since(checkout.created) > SignedDuration::from_mins(self.rules.confirm_minutes) {
            return self.refuse(checkout, CartNo::Expired).await;
        }
        let cart = self.book.cart(&checkout.owner).await?;
        let now = self.priced(&cart.value, checkout.shown.currency).await?;
        if cart.version != checkout.cart_version || !same(&now, &checkout.shown) {
            return self.refuse(checkout, CartNo::Changed).await;
        }
        let order = self.order(&checkout)?;
        let placed = Checkout { state: CheckoutState::Placed, ..checkout };
        let numbers = Numbers { prefix: &self.rules.order_prefix, first: self.rules.first_order };
        if self.book.place(&placed, &order, numbers).await? != Applied::Written {
            return Ok(None);
        }
        Ok(Some(self.read_back(&placed.id, order).await?))
    }

    async fn read_back(&self, id: &str, order: Order) -> anyhow::Result<Checkout> {
        let placed = self.book.checkout(id).await?.context("a checkout is gone after its order was written")?;
        let number = placed.order.clone().context("a placed checkout has no order")?;
        let found = self.book.placed(&number).await?.with_context(|| format!("order {number} is not there"))?;
        let wanted = Order { number: number.clone(), ..order };
        // Somebody may have paid or changed it meanwhile; its goods and its total stay.
        let fits = found.number == wanted.number && found.items == wanted.items && found.total == wanted.total;
        anyhow::ensure!(fits, "order {number} does not read as it was written");
        Ok(placed)
    }

    fn order(&self, checkout: &Checkout) -> anyhow::Result<Order> {
        let Checkout { shown, buyer, .. } = checkout;
        let sums = shown.sums.context("a proposal without sums")?;
        let delivery = shown.delivery.as_ref().context("a proposal without a place")?;
        let customer = checkout.customer.clone().unwrap_or_else(|| format!("{GUEST}:{}", checkout.id));
        Ok(Order {
            number: String::new(),
            customer,
            name: buyer.name.clone(),
            phone: buyer.phone.clone().unwrap_or_default(),
            email: buyer.email.clone().unwrap_or_default(),
            language: checkout.language,
            place: delivery.place.clone(),
            placed: self.terms.day(self.now),
            state: OrderState::AwaitingPayment,
            promised: Some(delivery.latest),
            delivered: None,
            carrier: None,
            tracking: None,
            tracking_link: None,
            parcel: None,
            back: None,
            currency: shown.currency,
            items: price::items(shown).context("a proposal whose prices are not known")?,
            shipping: sums.delivery.map_or_else(|| "0".to_string(), |money| money.amount()),
            total: sums.total.amount(),
            address: buyer.address.clone(),
            payments: Vec::new(),
            changes: Changes::default(),
        })
    }

    async fn refuse(&self, checkout: Checkout, why: CartNo) -> anyhow::Result<Option<Checkout>> {
        let refused = Checkout { state: CheckoutState::Refused, refusal: Some(why), ..checkout };
        Ok(self.book.close_checkout(&refused).await?.then_some(refused))
    }
}

/// What is missing for an order.
fn incomplete(cart: &CartFact, buyer: &Buyer) -> Option<Denied> {
    let short = cart.lines.iter().find(|line| line.short()).cloned();
    let unpriced = cart.lines.iter().find(|line| line.offer.price.now().is_none()).cloned();
    match () {
        () if cart.lines.is_empty() => Some(Denied::plain(CartNo::Empty)),
        () if short.is_some() => Some(Denied { why: CartNo::NotEnough, line: short }),
        () if cart.sums.is_none() => Some(Denied { why: CartNo::NoPrice, line: unpriced }),
        () if cart.delivery.is_none() => Some(Denied::plain(CartNo::NoPlace)),
        () if buyer.phone.is_none() && buyer.email.is_none() => Some(Denied::plain(CartNo::NoContact)),
        () => None,
    }
}

/// True when what was shown still holds: pieces, prices, promotion, delivery, sums. Stock may fall, but not too low.
fn same(now: &CartFact, shown: &CartFact) -> bool {
    let line = |cart: &CartFact| -> Vec<_> {
        cart.lines.iter().map(|line| (line.sku.clone(), line.quantity, line.offer.price.now())).collect()
    };
    line(now) == line(shown)
        && now.sums == shown.sums
        && now.coupon == shown.coupon
        && now.delivery == shown.delivery
        && !now.lines.iter().any(|line| line.short())
}

/// Stands for one proposal and what it was shown to be; nobody else can guess it.
fn token(shown: &CartFact) -> anyhow::Result<String> {
    let shown = serde_json::to_string(&(Uuid::now_v7(), Uuid::now_v7(), shown))?;
    Ok(hex::encode(&Sha256::digest(shown)[..16]))
}
