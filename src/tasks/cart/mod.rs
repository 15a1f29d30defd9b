//! Carts: what is put in, what it costs now, and the order it becomes. In: explicit edits of whoever owns the cart. Out: the
//! cart as it was read back, priced from the catalog in this turn, or why it stays as it is. No price is ever kept.

mod again;
mod checkout;
mod payment;
mod price;

use anyhow::bail;
use jiff::Timestamp;

use crate::domain::cart::{Cart, CartFact, CartNo, CartRules, Coupon, Edit, Held, Line, Owner};
use crate::domain::desk::Versioned;
use crate::domain::product::{Load, Loads, Quote};
use crate::domain::{Currency, Fact, FactBody, FactId, Language, Localised, Offer, Product, ProductId, Sku};
use crate::engine::{Applied, Carts, Catalog, Terms};

use super::naming;

pub use payment::Cashier;

/// A write that keeps meeting other writes is given up after so many tries.
const TRIES: usize = 6;

/// Where carts are filled and paid, and what it works with.
#[derive(Clone, Copy)]
pub struct Till<'a> {
    /// Carts and checkouts.
    pub book: &'a dyn Carts,
    /// Prices and stock.
    pub catalog: &'a dyn Catalog,
    /// Colours, towns, delivery.
    pub terms: &'a dyn Terms,
    /// The merchant's rules.
    pub rules: &'a CartRules,
    /// Now.
    pub now: Timestamp,
}

/// Who stands at the till.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Whose cart it is.
    pub owner: &'a Owner,
    /// The currency they are quoted in.
    pub currency: Currency,
    /// Their language.
    pub language: Language,
}

/// A cart with what it costs now.
#[derive(Clone, Debug)]
pub struct Priced {
    /// The cart.
    pub cart: Versioned<Cart>,
    /// What may be said of it.
    pub fact: CartFact,
}

impl Priced {
    /// As a fact of the turn.
    pub fn into_fact(self, now: Timestamp) -> Fact {
        fact(self.fact, self.cart.version, now)
    }
}

/// A priced cart as a fact of the turn.
pub fn fact(cart: CartFact, version: i64, now: Timestamp) -> Fact {
    let as_of = cart.lines.iter().map(|line| line.offer.as_of).min().unwrap_or(now);
    let id = cart.order.as_deref().map_or_else(|| format!("cart:{version}"), |number| format!("cart:{number}"));
    Fact { id: FactId(id), body: FactBody::Cart(Box::new(cart)), source: format!("cart@{version}"), as_of }
}

/// A cart that stays as it is.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Why.
    pub why: CartNo,
    /// The line it is about with its stock, where there is one.
    pub line: Option<Line>,
}

impl Denied {
    fn plain(why: CartNo) -> Denied {
        Denied { why, line: None }
    }
}

impl Till<'_> {
    /// The cart as it stands now.
    ///
    /// # Errors
    /// The book or the catalog does not answer.
    pub async fn show(&self, visit: Visit<'_>) -> anyhow::Result<Priced> {
        let cart = self.book.cart(&visit.owner.key()).await?;
        let fact = self.priced(&cart.value, visit.currency).await?;
        Ok(Priced { cart, fact })
    }

    /// What a cart would cost now, whoever keeps it: nothing is written.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn quote(&self, cart: &Cart, currency: Currency) -> anyhow::Result<CartFact> {
        self.priced(cart, currency).await
    }

    /// Makes one change, once for each `operation`, and reads it back.
    ///
    /// # Errors
    /// The book or the catalog does not answer, or does not hold what was written.
    pub async fn edit(&self, visit: Visit<'_>, edit: &Edit, operation: &str) -> anyhow::Result<Result<Priced, Denied>> {
        let owner = visit.owner.key();
        for _ in 0..TRIES {
            if self.book.edited(&owner, operation).await? {
                return Ok(Ok(self.about(edit, self.show(visit).await?)));
            }
            let before = self.book.cart(&owner).await?;
            let (version, mut value) = (before.version, before.value);
            (value.session, value.language) = (visit.owner.session.or(value.session), Some(visit.language));
            let changed = match self.changed(value, edit, visit).await? {
                Ok(cart) => Versioned { value: cart, version },
                Err(denied) => return Ok(Err(denied)),
            };
            if self.book.write_cart(&owner, &changed, operation).await? != Applied::Written {
                continue;
            }
            let priced = self.show(visit).await?;
            let fits = priced.cart.version > version + 1 || priced.cart.value == changed.value;
            anyhow::ensure!(fits, "the cart does not read as it was written");
            return Ok(Ok(self.about(edit, priced)));
        }
        bail!("a cart was written by others {TRIES} times in a row; try again")
    }

    fn about(&self, edit: &Edit, mut priced: Priced) -> Priced {
        if let Edit::Add { sku, .. } | Edit::Set { sku, .. } = edit {
            priced.fact.about = Some(sku.clone());
        }
        priced
    }

    async fn changed(&self, mut cart: Cart, edit: &Edit, visit: Visit<'_>) -> anyhow::Result<Result<Cart, Denied>> {
        match edit {
            Edit::Add { sku, quantity } => {
                let line = match self.variant(sku, visit.currency).await? {
                    Ok(line) => line,
                    Err(denied) => return Ok(Err(denied)),
                };
                let wanted = cart.held(&line.sku).saturating_add(*quantity);
                Ok(self.put(cart, line, wanted))
            }
            Edit::Set { sku, quantity: 0 } | Edit::Remove { sku } => Ok(taken_out(cart, sku)),
            Edit::Set { sku, quantity } => {
                if cart.held(sku) == 0 {
                    return Ok(Err(Denied::plain(CartNo::NotInCart)));
                }
                let line = self.variant(sku, visit.currency).await?;
                Ok(line.and_then(|line| self.put(cart, line, *quantity)))
            }
            Edit::Clear => {
                (cart.lines, cart.coupon) = (Vec::new(), None);
                Ok(Ok(cart))
            }
            Edit::Coupon { code } => self.coupon(cart, code, visit.currency).await,
            Edit::NoCoupon => {
                cart.coupon = None;
                Ok(Ok(cart))
            }
            Edit::Place { town } => {
                cart.place = Some(town.clone());
                let served = self.terms.delivery_to((town, Loads::Any), visit.currency, self.now).is_some();
                Ok(if served { Ok(cart) } else { Err(Denied::plain(CartNo::NoDelivery)) })
            }
        }
    }

    /// Never more than there is, nor than one order may hold.
    fn put(&self, mut cart: Cart, mut line: Line, wanted: u32) -> Result<Cart, Denied> {
        line.quantity = wanted.max(1);
        if matches!(line.offer.price, Quote::Missing) {
            return Err(Denied { why: CartNo::NoPrice, line: Some(line) });
        }
        if line.short() {
            return Err(Denied { why: CartNo::NotEnough, line: Some(line) });
        }
        if wanted > self.rules.most_pieces {
            return Err(Denied { why: CartNo::TooMany, line: Some(line) });
        }
        match cart.lines.iter_mut().find(|held| held.sku == line.sku) {
            Some(held) => held.quantity = line.quantity,
            None => cart.lines.push(Held {
                sku: line.sku.clone(),
                product: line.offer.product.clone(),
                quantity: line.quantity,
            }),
        }
        Ok(cart)
    }

    /// The variant behind a code, or behind a product that has only one.
    async fn variant(&self, code: &Sku, currency: Currency) -> anyhow::Result<Result<Line, Denied>> {
        let Some((product, sku)) = self.catalog.by_code(code.as_str()).await? else {
            return Ok(Err(Denied::plain(CartNo::UnknownProduct)));
        };
        let products = self.catalog.products(std::slice::from_ref(&product)).await?;
        let Some(product) = products.first() else { return Ok(Err(Denied::plain(CartNo::UnknownProduct))) };
        let sku = match (sku, product.variants.as_slice()) {
            (Some(sku), _) => sku,
            (None, [only]) => only.sku.clone(),
            (None, _) => return Ok(Err(Denied::plain(CartNo::WhichVariant))),
        };
        let offers = self.catalog.offers(std::slice::from_ref(&product.id), currency).await?;
        let line = self.line(&Held { sku, product: product.id.clone(), quantity: 1 }, &products, &offers);
        Ok(Ok(line))
    }

    async fn coupon(&self, mut cart: Cart, code: &str, currency: Currency) -> anyhow::Result<Result<Cart, Denied>> {
        let today = self.terms.day(self.now);
        let known = self.rules.promotion(code).filter(|promotion| promotion.holds(today));
        let Some(promotion) = known.filter(|promotion| promotion.reduction(currency).is_some()) else {
            return Ok(Err(Denied::plain(CartNo::NoSuchCode)));
        };
        let fact = self.priced(&cart, currency).await?;
        let Some(goods) = price::goods(&fact) else { return Ok(Err(Denied::plain(CartNo::NoPrice))) };
        if promotion.minimum(currency).is_some_and(|minimum| goods < minimum.minor) {
            return Ok(Err(Denied::plain(CartNo::BelowMinimum)));
        }
        cart.coupon = Some(promotion.code.clone());
        Ok(Ok(cart))
    }

    /// Reads every price and count anew.
    async fn priced(&self, cart: &Cart, currency: Currency) -> anyhow::Result<CartFact> {
        let mut ids: Vec<ProductId> = cart.lines.iter().map(|line| line.product.clone()).collect();
        ids.dedup();
        let products = self.catalog.products(&ids).await?;
        let offers = self.catalog.offers(&ids, currency).await?;
        let lines: Vec<Line> = cart.lines.iter().map(|held| self.line(held, &products, &offers)).collect();
        let loads: Vec<Load<'_>> =
            lines.iter().map(|line| Load { stock: &line.offer.stock, pieces: line.quantity }).collect();
        let promise = |place| self.terms.delivery_to((place, Loads::Together(&loads)), currency, self.now);
        let delivery = cart.place.as_ref().and_then(promise);
        let tax_rate = cart.place.as_ref().and_then(|place| self.terms.country(place));
        let mut fact = CartFact {
            lines,
            coupon: None,
            delivery,
            tax_rate: tax_rate.and_then(|country| self.rules.tax.get(&country).copied()),
            currency,
            sums: None,
            about: None,
            address: None,
            order: None,
            link: None,
        };
        fact.coupon = cart.coupon.as_deref().and_then(|code| self.applies(code, &fact));
        fact.sums = price::sums(&fact).filter(|_| !fact.lines.is_empty());
        Ok(fact)
    }

    /// The promotion, while it holds for this cart.
    fn applies(&self, code: &str, fact: &CartFact) -> Option<Coupon> {
        let promotion = self.rules.promotion(code)?;
        let minimum = promotion.minimum(fact.currency);
        let enough = price::goods(fact).is_some_and(|goods| minimum.is_none_or(|minimum| goods >= minimum.minor));
        let reduction = promotion.reduction(fact.currency)?;
        let holds = enough && promotion.holds(self.terms.day(self.now));
        holds.then(|| Coupon { code: promotion.code.clone(), reduction, minimum })
    }

    fn line(&self, held: &Held, products: &[Product], offers: &[Offer]) -> Line {
        let product = products.iter().find(|product| product.id == held.product);
        let variant = product.and_then(|product| product.variants.iter().find(|variant| variant.sku == held.sku));
        let name = match product {
            Some(product) => naming::of_variant(product, variant, &|colour| self.terms.colour(colour)),
            None => Localised::only(Language::En, held.sku.as_str()),
        };
        // What is no longer in the catalog has neither price nor stock.
        let gone = || Offer {
            product: held.product.clone(),
            sku: held.sku.clone(),
            size: None,
            colour: None,
            price: Quote::Missing,
            stock: Vec::new(),
            as_of: self.now,
        };
        let offer = offers.iter().find(|offer| offer.sku == held.sku).cloned().unwrap_or_else(gone);
        Line { sku: held.sku.clone(), name, quantity: held.quantity, offer }
    }
}

fn taken_out(mut cart: Cart, sku: &Sku) -> Result<Cart, Denied> {
    let before = cart.lines.len();
    cart.lines.retain(|line| line.sku != *sku);
    if cart.lines.len() == before { Err(Denied::plain(CartNo::NotInCart)) } else { Ok(cart) }
}
