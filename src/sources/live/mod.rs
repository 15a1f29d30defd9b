//! The catalog under live sources: an offer that is told was confirmed by its source in this moment, or it has no price. In: offers of the
//! catalog. Out: the same with the source's words, or `Quote::Stale`. For choosing among many, what was said before is good enough.

mod mapping;
mod pace;
mod reading;
mod source;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::config::Config;
use crate::domain::place::PlaceId;
use crate::domain::product::{Quote, StockLine};
use crate::domain::{Currency, Offer, Product, ProductId, Sku};
use crate::engine::{Catalog, LiveState, PriceRange};

use mapping::Mapping;
use reading::Told;
use source::Source;

/// Tells the time; tests pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A catalog whose prices live sources confirm.
pub struct LiveCatalog {
    inner: Arc<dyn Catalog>,
    sources: Vec<Arc<Source>>,
}

impl LiveCatalog {
    /// The catalog under the live sources of the settings; itself when there are none.
    ///
    /// # Errors
    /// A mapping that cannot be read, or credentials that are not there.
    pub fn over(inner: Arc<dyn Catalog>, config: &Config, clock: Clock) -> anyhow::Result<Arc<dyn Catalog>> {
        let folder = config.paths.data.join("sources");
        let open = |settings| {
            let settings: &crate::domain::source::LiveSource = settings;
            let mapping = Mapping::load(&folder, &settings.mapping);
            let mapping = mapping.with_context(|| format!("sources.live `{}`", settings.name))?;
            Source::open(settings, mapping, Arc::clone(&clock)).map(Arc::new)
        };
        let sources: Vec<Arc<Source>> = config.sources.live.iter().map(open).collect::<anyhow::Result<_>>()?;
        Ok(if sources.is_empty() { inner } else { Arc::new(LiveCatalog { inner, sources }) })
    }

    /// The offers by the source whose they are; those of none are left out.
    fn shared(&self, offers: &[Offer], currency: Currency) -> Vec<(usize, Vec<Sku>)> {
        let mut shares: Vec<(usize, Vec<Sku>)> = (0..self.sources.len()).map(|at| (at, Vec::new())).collect();
        for offer in offers {
            if let Some(at) = self.source_of(offer, currency) {
                shares[at].1.push(offer.sku.clone());
            }
        }
        shares.retain(|(_, skus)| !skus.is_empty());
        shares
    }

    fn source_of(&self, offer: &Offer, currency: Currency) -> Option<usize> {
        let quoted = offer.price.now().map_or(currency, |price| price.currency);
        self.sources.iter().position(|source| {
            let currencies = &source.settings.currencies;
            offer.sku.0.starts_with(&source.settings.prefix) && (currencies.is_empty() || currencies.contains(&quoted))
        })
    }
}

/// What a source says in the place of what was said before.
fn lay_over(offer: &mut Offer, (at, told): (Timestamp, Told)) -> bool {
    let before = offer.price.now();
    offer.price = match told.price {
        None => Quote::Missing,
        Some((now, old)) => {
            // Another currency than the shop sells this in is somebody's mistake.
            if before.is_some_and(|before| before.currency != now.currency) {
                return false;
            }
            Quote::Known { now, old, until: None }
        }
    };
    if let Some(count) = told.stock {
        offer.stock = vec![StockLine { sku: offer.sku.clone(), place: PlaceId::from(""), count }];
    }
    offer.as_of = at;
    true
}

/// Nobody has confirmed it: what was known before is not told.
fn withhold(offer: &mut Offer) {
    offer.price = Quote::Stale;
    offer.stock.clear();
}

#[async_trait]
impl Catalog for LiveCatalog {
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        self.inner.products(ids).await
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        let mut offers = self.inner.offers(ids, currency).await?;
        let shares = self.shared(&offers, currency);
        // All sources at once: nobody waits for two deadlines.
        let asked: Vec<_> = shares
            .into_iter()
            .map(|(at, skus)| {
                let source = Arc::clone(&self.sources[at]);
                tokio::spawn(async move { source.confirmed(&skus).await })
            })
            .collect();
        let mut told: HashMap<Sku, (Timestamp, Told)> = HashMap::new();
        for answers in asked {
            told.extend(answers.await.context("asking a live source")?);
        }
        for offer in &mut offers {
            if self.source_of(offer, currency).is_none() {
                continue;
            }
            let confirmed = told.remove(&offer.sku).is_some_and(|told| lay_over(offer, told));
            if !confirmed {
                withhold(offer);
            }
        }
        Ok(offers)
    }

    async fn told(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        let mut offers = self.inner.told(ids, currency).await?;
        for (at, skus) in self.shared(&offers, currency) {
            let mut known = self.sources[at].known(&skus);
            for offer in &mut offers {
                if self.source_of(offer, currency) == Some(at)
                    && let Some(told) = known.remove(&offer.sku)
                {
                    lay_over(offer, told);
                }
            }
        }
        Ok(offers)
    }

    fn live(&self) -> Vec<LiveState> {
        self.sources.iter().map(|source| source.stands()).collect()
    }

    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>> {
        self.inner.reduced(currency, limit).await
    }

    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        self.inner.by_price(range).await
    }

    async fn kinds(&self, limit: usize) -> anyhow::Result<Vec<String>> {
        self.inner.kinds(limit).await
    }

    async fn known(&self, skus: &[Sku]) -> anyhow::Result<Vec<bool>> {
        self.inner.known(skus).await
    }

    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        self.inner.by_code(code).await
    }
}
