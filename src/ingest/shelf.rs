//! What makes products findable, as this module sees it: the index proper stands behind it, tests put a list there.

use std::path::Path;

use async_trait::async_trait;

use crate::domain::Product;
use crate::engine::ModelId;

use super::IndexRequest;
use super::policies::NamedPassage;

/// Opens the searchable half of a generation.
#[async_trait]
pub trait Shelves: Send + Sync {
    /// Begins in the folder of the generation being built.
    ///
    /// # Errors
    /// When its files cannot be made.
    fn begin<'a>(&'a self, folder: &Path, request: &IndexRequest) -> anyhow::Result<Box<dyn Shelf + 'a>>;
    /// The embedder whose vectors stand on it, and their length.
    fn embedder(&self) -> (ModelId, usize);
    /// Puts what else a generation needs where it is searched, before it serves.
    ///
    /// # Errors
    /// When that fails: the generation does not serve then.
    async fn publish(&self, _generation: &str, _folder: &Path) -> anyhow::Result<()> {
        Ok(())
    }
    /// Told which generation serves now, and which are kept. Nothing that fails here keeps it from serving.
    async fn serves(&self, _generation: &str, _kept: &[String]) {}
}

/// The searchable half of one generation.
#[async_trait(?Send)]
pub trait Shelf {
    /// Adds a product.
    async fn add(&mut self, product: &Product) -> anyhow::Result<()>;
    /// Adds the policies and closes every file.
    async fn finish(self: Box<Self>, passages: Vec<NamedPassage>) -> anyhow::Result<Shelved>;
}

/// What was put up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shelved {
    /// Products.
    pub products: usize,
    /// Policy passages.
    pub passages: usize,
    /// Vectors computed.
    pub embedded: u64,
    /// Vectors kept from the generation before.
    pub reused: u64,
}

/// For a dry run: nothing is put up.
pub struct NoShelves;

#[async_trait]
impl Shelves for NoShelves {
    fn begin<'a>(&'a self, _: &Path, _: &IndexRequest) -> anyhow::Result<Box<dyn Shelf + 'a>> {
        Ok(Box::new(NoShelf::default()))
    }

    fn embedder(&self) -> (ModelId, usize) {
        (ModelId { name: "none".into(), sha256: String::new() }, 0)
    }
}

#[derive(Default)]
struct NoShelf(Shelved);

#[async_trait(?Send)]
impl Shelf for NoShelf {
    async fn add(&mut self, _: &Product) -> anyhow::Result<()> {
        self.0.products += 1;
        Ok(())
    }

    async fn finish(self: Box<Self>, passages: Vec<NamedPassage>) -> anyhow::Result<Shelved> {
        Ok(Shelved { passages: passages.len(), ..self.0 })
    }
}
