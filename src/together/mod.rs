//! What customers buy together, and what they buy most. In: the orders, as often as the rules say. Out: a catalog that names companions of products whose
//! feed names no accessories. It reads no order in a turn: the counts stand in the state and are held in memory.

mod counting;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use crate::domain::order::{Order, OrderState};
use crate::domain::together::{Companion, Counted, Together, TogetherRules};
use crate::domain::{Currency, Offer, Product, ProductId, Sku};
use crate::engine::{Catalog, LiveState, PriceRange};
use crate::store::StateStore;

use counting::Counts;

/// Orders read at once.
const PAGE: i64 = 500;

/// The catalog with what is bought together.
pub struct Shelf {
    catalog: Arc<dyn Catalog>,
    rules: TogetherRules,
    known: RwLock<Arc<Counted>>,
}

impl Shelf {
    /// Over the shop's own catalog; nothing is known before [`Shelf::recall`] or [`Shelf::tick`].
    pub fn over(catalog: Arc<dyn Catalog>, rules: TogetherRules) -> Shelf {
        Shelf { catalog, rules, known: RwLock::default() }
    }

    /// Takes up what was counted last.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn recall(&self, state: &StateStore) -> anyhow::Result<()> {
        let counted = if self.rules.companions == 0 { Counted::default() } else { state.counted().await? };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(counted);
        Ok(())
    }

    /// Counts anew when it is time, else takes up what another program may have counted. True when it has counted.
    ///
    /// # Errors
    /// The state or the catalog cannot be read or written; what was known stays.
    pub async fn tick(&self, state: &StateStore, now: Timestamp) -> anyhow::Result<bool> {
        let every = SignedDuration::from_mins(i64::from(self.rules.every_minutes));
        // A clock that was set back does not put it off.
        let fresh = |last: Timestamp| last <= now && now.duration_since(last) < every;
        let due = self.rules.companions > 0 && !state.companions_counted().await?.is_some_and(fresh);
        if due {
            let counts = self.count(state, now).await?;
            state.keep_counted(&counts.by(&self.rules), now).await?;
        }
        self.recall(state).await?;
        Ok(due)
    }

    async fn count(&self, state: &StateStore, now: Timestamp) -> anyhow::Result<Counts> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let first = today.saturating_sub(i32::from(self.rules.days).days());
        let mut counts = Counts::default();
        let mut products: HashMap<Sku, Option<ProductId>> = HashMap::new();
        let mut after = (String::new(), String::new());
        loop {
            let (orders, last) = state.baskets_after(&after, PAGE).await?;
            let Some(last) = last else { return Ok(counts) };
            after = last;
            for order in orders.iter().filter(|order| order.placed >= first && is_bought(order)) {
                let mut kinds = BTreeSet::new();
                for item in &order.items {
                    if !products.contains_key(&item.sku) {
                        let found = self.catalog.by_code(item.sku.as_str()).await?;
                        products.insert(item.sku.clone(), found.map(|(product, _)| product));
                    }
                    kinds.extend(products.get(&item.sku).cloned().flatten());
                }
                counts.add(&order.customer, &kinds);
            }
        }
    }

    fn companions_of(&self, product: &ProductId) -> Option<Vec<Companion>> {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        known.companions.get(product).cloned()
    }
}

/// True for an order that somebody paid for and keeps.
fn is_bought(order: &Order) -> bool {
    !matches!(order.state, OrderState::AwaitingPayment | OrderState::Cancelled)
        && !order.comes_back()
        && order.changes.returned.is_empty()
}

#[async_trait]
impl Catalog for Shelf {
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        let mut products = self.catalog.products(ids).await?;
        // What the merchant's feed names is the merchant's word, and orders add nothing to it.
        for product in products.iter_mut().filter(|product| product.accessories.is_empty()) {
            let companions = self.companions_of(&product.id).unwrap_or_default();
            product.accessories = companions.into_iter().map(|companion| companion.product).collect();
        }
        Ok(products)
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        self.catalog.offers(ids, currency).await
    }

    async fn told(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        self.catalog.told(ids, currency).await
    }

    fn live(&self) -> Vec<LiveState> {
        self.catalog.live()
    }

    fn popular(&self) -> Vec<ProductId> {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        known.popular.iter().map(|one| one.product.clone()).collect()
    }

    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>> {
        self.catalog.reduced(currency, limit).await
    }

    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        self.catalog.by_price(range).await
    }

    async fn kinds(&self, limit: usize) -> anyhow::Result<Vec<String>> {
        self.catalog.kinds(limit).await
    }

    async fn known(&self, skus: &[Sku]) -> anyhow::Result<Vec<bool>> {
        self.catalog.known(skus).await
    }

    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        self.catalog.by_code(code).await
    }

    fn together(&self, product: &ProductId) -> Option<Together> {
        let companions = self.companions_of(product)?;
        Some(Together { companions, most_percent: self.rules.most_percent })
    }
}
