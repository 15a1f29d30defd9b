//! A catalog many times over, for measuring how search grows: the same products under other ids, each copy with a few words of
//! another product and a vector a little beside the first's. In: products of an index. Out: a generation of its own. Never served.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::ensure;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{Product, ProductId, Sku};
use crate::engine::{Embed, EmbedInput, ModelId};
use crate::generation::{Building, Manifest, SCHEMA};

use super::builder::layout;
use super::vectors::{Reuse, key_of};
use super::{Analyzer, Builder, Kinds, Progress, Tools};

/// How far a copy's vector lies from its first's, as a share of its length.
const BESIDE: f32 = 0.35;

/// Builds `size` products out of those of a generation, below `index`.
///
/// # Errors
/// When there is no product, or the files cannot be written.
pub async fn multiply(
    (products, from): (&[Product], &Path),
    (index, size): (&Path, usize),
    embed: &dyn Embed,
    progress: Progress<'_>,
) -> anyhow::Result<()> {
    ensure!(!products.is_empty(), "the index holds no product with a price");
    let analyzer = Analyzer::new();
    let known = Reuse::open(from, layout::VECTORS, embed.dimensions())?;
    let copies = Copies { embed, known, made: AtomicU64::new(1) };
    let building = Building::begin(index, Timestamp::now())?;
    let tools = Tools { analyzer: &analyzer, embed: &copies, kinds: Kinds::new(), others: Vec::new(), progress };
    let mut builder = Builder::create(building.folder(), None, tools)?;
    for at in 0..size {
        builder.add_product(&copy(products, at)).await?;
    }
    let built = builder.finish(Vec::new()).await?;
    let manifest = Manifest {
        schema: SCHEMA,
        generation: building.id().to_string(),
        built: Timestamp::now(),
        embedder: embed.model(),
        dimensions: embed.dimensions(),
        products: built.products,
        passages: 0,
        sealed: true,
        files: Default::default(),
    };
    building.switch(manifest)?;
    Ok(())
}

fn copy(products: &[Product], at: usize) -> Product {
    let mut product = products[at % products.len()].clone();
    let number = at / products.len();
    if number == 0 {
        return product;
    }
    let other = &products[(at * 31 + number * 7) % products.len()];
    product.id = ProductId(format!("{}-{number}", product.id));
    for variant in &mut product.variants {
        variant.sku = Sku(format!("{}-{number}", variant.sku));
    }
    product.codes.clear();
    product.attributes.insert("copy".to_string(), other.name.clone());
    product
}

/// Vectors of the products as they were embedded, each a little aside.
struct Copies<'a> {
    embed: &'a dyn Embed,
    known: Reuse,
    made: AtomicU64,
}

impl Copies<'_> {
    fn aside(&self, mut vector: Vec<f32>) -> Vec<f32> {
        let mut state = self.made.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        // Numbers of this spread make a vector of about length 1.
        let spread = BESIDE * (3.0 / vector.len() as f32).sqrt();
        for value in &mut vector {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *value += ((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0) * spread;
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }
}

#[async_trait]
impl Embed for Copies<'_> {
    async fn embed(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut vectors: Vec<Option<Vec<f32>>> = texts.iter().map(|text| self.known.get(&key_of(text))).collect();
        let missing = texts.into_iter().zip(&vectors).filter(|(_, known)| known.is_none()).map(|(text, _)| text);
        let missing: Vec<String> = missing.collect();
        let mut made =
            if missing.is_empty() { Vec::new() } else { self.embed.embed(input, missing).await? }.into_iter();
        vectors.iter_mut().filter(|known| known.is_none()).for_each(|known| *known = made.next());
        Ok(vectors.into_iter().flatten().map(|vector| self.aside(vector)).collect())
    }

    fn model(&self) -> ModelId {
        self.embed.model()
    }

    fn dimensions(&self) -> usize {
        self.embed.dimensions()
    }
}
