//! Filling the collection of a generation, naming the one that serves, and deleting those nobody keeps. Rows are sent in batches
//! under their numbers, so that a batch that is sent twice changes nothing.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use qdrant_client::Payload;
use qdrant_client::qdrant::{
    BinaryQuantizationBuilder, CollectionStatus, CreateAliasBuilder, CreateCollection, CreateCollectionBuilder,
    CreateFieldIndexCollectionBuilder, Distance, FieldType, PointStruct, ScalarQuantizationBuilder,
    UpsertPointsBuilder, VectorParamsBuilder,
};

use crate::domain::vectors::Quantisation;
use crate::index::builder::layout;
use crate::index::names::NameEntry;

use super::Server;

/// Rows sent at once: under a megabyte.
const BATCH: usize = 512;
/// How long the server may build its own index before the generation serves without it.
const SETTLE: Duration = Duration::from_secs(1800);
/// How often it is asked whether it has.
const LOOK: Duration = Duration::from_millis(500);

/// Told how far the work is: rows sent, rows in all.
pub type UploadProgress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl Server {
    /// Puts the vectors of a generation's folder into its collection, unless they are there; how many there are.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or holds fewer vectors in the end: the collection is deleted then.
    pub async fn put(
        &self,
        (generation, folder): (&str, &Path),
        dimensions: usize,
        progress: UploadProgress<'_>,
    ) -> anyhow::Result<u64> {
        self.version().await?;
        let collection = self.collection(generation);
        let rows = Rows::open(folder, dimensions)?;
        let total = rows.total;
        if self.held(&collection).await? == Some(total) {
            return Ok(total);
        }
        let filled = self.fill(&collection, rows, progress).await;
        if filled.is_err() {
            // What is half there would only take room; the next run deletes it too.
            let _ = self.client.delete_collection(&collection).await;
        }
        filled.with_context(|| format!("putting {total} vectors into {collection} at {}", self.url()))?;
        Ok(total)
    }

    /// Lets the shop's alias name a generation's collection, in one step.
    ///
    /// # Errors
    /// When the server cannot be reached or has no such collection.
    pub async fn name(&self, generation: &str) -> anyhow::Result<()> {
        let (collection, alias) = (self.collection(generation), self.settings.collection.clone());
        let step = || self.client.create_alias(CreateAliasBuilder::new(&collection, &alias));
        self.persistently(&format!("naming {collection} `{alias}`"), step).await.map(drop)
    }

    /// Deletes the shop's collections of generations that are not kept; their names.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn forget(&self, kept: &[String]) -> anyhow::Result<Vec<String>> {
        let kept: HashSet<String> = kept.iter().map(|generation| self.collection(generation)).collect();
        let listed = self.persistently("listing the collections", || self.client.list_collections()).await?;
        let own = |name: &String| {
            let generation = name.strip_prefix(&self.settings.collection).and_then(|rest| rest.strip_prefix('-'));
            // A generation's name begins with its date: other collections are not ours, whatever they are called.
            generation.is_some_and(|id| id.len() >= 16 && id.as_bytes()[..8].iter().all(u8::is_ascii_digit))
        };
        let names = listed.collections.into_iter().map(|one| one.name);
        let spare: Vec<String> = names.filter(own).filter(|name| !kept.contains(name)).collect();
        for name in &spare {
            let step = || self.client.delete_collection(name);
            self.persistently(&format!("deleting {name}"), step).await?;
        }
        Ok(spare)
    }

    /// How many rows a collection holds; none when there is no such collection.
    async fn held(&self, collection: &str) -> anyhow::Result<Option<u64>> {
        let exists =
            self.persistently("looking for the collection", || self.client.collection_exists(collection)).await?;
        if !exists {
            return Ok(None);
        }
        let info = self.persistently("counting", || self.client.collection_info(collection)).await?;
        Ok(info.result.and_then(|info| info.points_count))
    }

    async fn fill(&self, collection: &str, mut rows: Rows, progress: UploadProgress<'_>) -> anyhow::Result<()> {
        self.persistently("deleting what a broken run left", || self.client.delete_collection(collection)).await?;
        let wanted = self.described(collection, rows.dimensions);
        let created = self.persistently("creating the collection", || self.client.create_collection(wanted.clone()));
        match created.await {
            Ok(_) => {}
            // The answer of an earlier try was lost on its way.
            Err(_) if self.held(collection).await? == Some(0) => {}
            Err(error) => return Err(error),
        }
        for field in FIELDS {
            let index = || CreateFieldIndexCollectionBuilder::new(collection, field, FieldType::Keyword).wait(true);
            self.persistently("indexing a field", || self.client.create_field_index(index())).await?;
        }
        let (mut sent, total) = (0, rows.total);
        loop {
            let batch = rows.next(BATCH)?;
            if batch.is_empty() {
                break;
            }
            sent += batch.len() as u64;
            let step = || self.client.upsert_points(UpsertPointsBuilder::new(collection, batch.clone()).wait(true));
            self.persistently("sending vectors", step).await?;
            progress(sent, total);
        }
        let held = self.held(collection).await?.unwrap_or_default();
        ensure!(held == total, "{held} of {total} vectors arrived");
        self.settled(collection).await
    }

    /// Waits until the server has built its own index; until then it answers too, only more slowly.
    async fn settled(&self, collection: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let info = self.persistently("waiting", || self.client.collection_info(collection)).await?;
            let state = info.result.map(|info| info.status()).unwrap_or_default();
            ensure!(
                state != CollectionStatus::Red,
                "the server at {} cannot build its index of {collection}: its log says why",
                self.url()
            );
            if matches!(state, CollectionStatus::Green | CollectionStatus::Grey) {
                return Ok(());
            }
            if start.elapsed() > SETTLE {
                tracing::warn!(collection, "the server is still building its index; it answers more slowly until then");
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn described(&self, collection: &str, dimensions: usize) -> CreateCollection {
        let whole = self.settings.quantisation != Quantisation::None;
        // With a smaller copy in memory the whole vectors stay on disk: only the best rows are read from there.
        let vectors = VectorParamsBuilder::new(dimensions as u64, Distance::Cosine).on_disk(whole);
        let described = CreateCollectionBuilder::new(collection).vectors_config(vectors);
        match self.settings.quantisation {
            Quantisation::None => described,
            Quantisation::Int8 => described.quantization_config(ScalarQuantizationBuilder::default().always_ram(true)),
            Quantisation::Binary => described.quantization_config(BinaryQuantizationBuilder::new(true)),
        }
        .build()
    }
}

/// What can be filtered by, besides the vectors: the product, and what its variants are to be had in.
const FIELDS: [&str; 3] = ["product", "colour", "size"];

/// The rows of a generation's folder, in order.
struct Rows {
    names: std::io::Lines<BufReader<File>>,
    vectors: BufReader<File>,
    dimensions: usize,
    total: u64,
    next: u64,
    /// The product whose vectors are being read, and how many of them are left.
    product: Option<(Payload, usize)>,
}

impl Rows {
    fn open(folder: &Path, dimensions: usize) -> anyhow::Result<Self> {
        let open = |name: &str| {
            let path = folder.join(name);
            File::open(&path).with_context(|| format!("reading {}", path.display()))
        };
        let vectors = open(&format!("{}.f32", layout::VECTORS))?;
        let total = vectors.metadata()?.len() / (dimensions * size_of::<f32>()).max(1) as u64;
        let names = BufReader::new(open(layout::NAMES)?).lines();
        Ok(Rows { names, vectors: BufReader::new(vectors), dimensions, total, next: 0, product: None })
    }

    fn next(&mut self, most: usize) -> anyhow::Result<Vec<PointStruct>> {
        let mut points = Vec::with_capacity(most);
        while points.len() < most && self.next < self.total {
            let payload = self.payload()?;
            let mut bytes = vec![0; self.dimensions * size_of::<f32>()];
            self.vectors.read_exact(&mut bytes).context("reading a vector")?;
            let (values, _) = bytes.as_chunks::<4>();
            let vector: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
            points.push(PointStruct::new(self.next, vector, payload));
            self.next += 1;
        }
        Ok(points)
    }

    /// What is told of the product of the next row.
    fn payload(&mut self) -> anyhow::Result<Payload> {
        while self.product.as_ref().is_none_or(|(_, left)| *left == 0) {
            let line = self.names.next().context("the folder holds more vectors than names")?;
            let entry: NameEntry = serde_json::from_str(&line?).context("reading a name")?;
            let mut payload = Payload::new();
            payload.insert("product", entry.id.0);
            payload.insert("colour", entry.colours);
            payload.insert("size", entry.sizes);
            self.product = Some((payload, entry.vectors));
        }
        let (payload, left) = self.product.as_mut().context("invariant: a product was just read")?;
        *left -= 1;
        Ok(payload.clone())
    }
}
