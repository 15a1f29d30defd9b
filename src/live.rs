//! The index that serves, exchanged while it serves: search and catalog of one generation, always together.
//! In: a way to open the generation that `index/current` names. A new one that does not open leaves the old one serving.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::fact::Passage;
use crate::domain::{Currency, Language, Offer, Product, ProductId, Sku};
use crate::engine::{
    Catalog, Familiar, GenerationInfo, PassageHit, PassageQuery, PriceRange, ProductHit, ProductQuery, Search,
};
use crate::generation;

/// Search and catalog of one generation.
#[derive(Clone)]
pub struct Serving {
    /// The folder of the generation.
    pub folder: PathBuf,
    /// Its search.
    pub search: Arc<dyn Search>,
    /// Its catalog.
    pub catalog: Arc<dyn Catalog>,
}

/// Opens the generation that should serve.
#[async_trait]
pub trait Open: Send + Sync {
    /// Opens it, whole and checked.
    async fn open(&self) -> anyhow::Result<Serving>;
}

/// Serves one generation and follows `index/current`.
pub struct Live {
    index: PathBuf,
    open: Box<dyn Open>,
    serving: RwLock<Serving>,
    /// The folder that could not be opened: it is not tried again and again.
    failed: Mutex<Option<PathBuf>>,
}

impl Live {
    /// Opens the generation that serves now.
    ///
    /// # Errors
    /// When there is none, or it does not open.
    pub async fn start(index: PathBuf, open: Box<dyn Open>) -> anyhow::Result<Self> {
        let serving = RwLock::new(open.open().await?);
        Ok(Live { index, open, serving, failed: Mutex::new(None) })
    }

    /// Looks whether another generation should serve, and lets it; true when it does from now on.
    ///
    /// # Errors
    /// When it does not open: the one before goes on serving, and this one is not tried again.
    pub async fn follow(&self) -> anyhow::Result<bool> {
        let wanted = generation::current(&self.index)?;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if wanted == self.serving().folder || failed.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        match self.open.open().await {
            Ok(serving) => {
                *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
                Ok(true)
            }
            Err(error) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
                Err(error)
            }
        }
    }

    /// Follows for ever, looking every `pause`.
    pub async fn keep_following(&self, pause: Duration) {
        let mut tick = tokio::time::interval(pause);
        loop {
            tick.tick().await;
            match self.follow().await {
                Ok(true) => tracing::info!(generation = self.generation().id, "another generation serves"),
                Ok(false) => {}
                Err(error) => tracing::error!("the generation before goes on serving: {error:#}"),
            }
        }
    }

    fn serving(&self) -> Serving {
        self.serving.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Search for Live {
    async fn products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        self.serving().search.products(query).await
    }

    async fn familiar(&self, query: &ProductQuery) -> anyhow::Result<Familiar> {
        self.serving().search.familiar(query).await
    }

    async fn passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        self.serving().search.passages(query).await
    }

    fn generation(&self) -> GenerationInfo {
        self.serving().search.generation()
    }

    fn least_standing(&self, language: Language) -> Option<f32> {
        self.serving().search.least_standing(language)
    }

    fn degraded(&self) -> Option<String> {
        self.serving().search.degraded()
    }

    fn clause(&self, clause: &str, language: Language) -> Option<(String, Passage)> {
        self.serving().search.clause(clause, language)
    }
}

#[async_trait]
impl Catalog for Live {
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        self.serving().catalog.products(ids).await
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        self.serving().catalog.offers(ids, currency).await
    }

    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>> {
        self.serving().catalog.reduced(currency, limit).await
    }

    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        self.serving().catalog.by_price(range).await
    }

    async fn kinds(&self, limit: usize) -> anyhow::Result<Vec<String>> {
        self.serving().catalog.kinds(limit).await
    }

    async fn known(&self, skus: &[Sku]) -> anyhow::Result<Vec<bool>> {
        self.serving().catalog.known(skus).await
    }

    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        self.serving().catalog.by_code(code).await
    }
}
