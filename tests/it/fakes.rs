//! What stands behind the seams in tests: the repository's catalog in memory, an embedder of letters, a model
//! that says what it is told to.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use truetill::domain::fact::Passage;
use truetill::domain::product::{Price, Quote, StockLine};
use truetill::domain::{Currency, Language, Money, Offer, Product, ProductId, Sku};
use truetill::engine::{
    Catalog, Embed, EmbedInput, Familiar, Generate, GenerateError, Generated, GenerationInfo, Job, ModelId, PassageHit,
    PassageQuery, PriceRange, ProductHit, ProductQuery, Search,
};

/// Vectors of letter trigrams: alike texts are close, and no model is needed.
pub struct HashedLetters;

const DIMENSIONS: usize = 128;

#[async_trait]
impl Embed for HashedLetters {
    async fn embed(&self, _: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| letters(text)).collect())
    }

    fn model(&self) -> ModelId {
        ModelId { name: "hashed-letters".to_string(), sha256: "0".repeat(64) }
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
}

fn letters(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; DIMENSIONS];
    let letters: Vec<char> = format!(" {} ", text.to_lowercase()).chars().collect();
    for window in letters.windows(3) {
        let hash = window.iter().fold(17_usize, |hash, letter| hash.wrapping_mul(31).wrapping_add(*letter as usize));
        vector[hash % DIMENSIONS] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.iter().map(|x| x / length).collect()
}

/// The demo shop, read from its files and searched by the words of names.
pub struct ShopFront {
    products: Vec<Product>,
    stock: Vec<StockLine>,
    passages: Vec<(String, Passage)>,
}

impl ShopFront {
    pub fn load(data: &Path) -> ShopFront {
        let lines = |file: &str| std::fs::read_to_string(data.join("catalog").join(file)).expect("data/catalog");
        let products = lines("products.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stock = lines("stock.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        ShopFront { products, stock, passages: passages(&data.join("policies")) }
    }

    /// One more product, as a line of `products.jsonl`.
    pub fn with_product(mut self, line: &str) -> ShopFront {
        self.products.push(serde_json::from_str(line).unwrap());
        self
    }

    /// So many pieces of a variant, all in one place.
    pub fn stocked(mut self, sku: &str, count: u32) -> ShopFront {
        self.stock.retain(|line| line.sku.as_str() != sku);
        self.stock.push(StockLine { sku: sku.into(), place: "bratislava".into(), count });
        self
    }

    /// One more product, called what no reply may hold: its name turns the direction of writing.
    pub fn with_unspeakable_mug(mut self) -> ShopFront {
        let line = r#"{"id":"X-1","name":{"en":"Zebra mug\u202e"},"category":"mugs","variants":[{"sku":"X-1","prices":[{"currency":"EUR","amount":"5.00"}]}]}"#;
        self.products.push(serde_json::from_str(line).unwrap());
        self
    }

    fn product(&self, id: &ProductId) -> Option<&Product> {
        self.products.iter().find(|product| product.id == *id)
    }
}

fn passages(folder: &Path) -> Vec<(String, Passage)> {
    let mut passages = Vec::new();
    for entry in std::fs::read_dir(folder).expect("data/policies").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let [document, language, "md"] = name.split('.').collect::<Vec<_>>()[..] else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for (index, section) in text.split("\n## ").skip(1).enumerate() {
            let (heading, body) = section.split_once('\n').unwrap();
            // The questions that stand with it are no part of what is told.
            let body = body.split_once("-->").map_or(body, |(_, told)| told);
            let passage = Passage {
                document: document.to_string(),
                section: heading.trim().to_string(),
                language: language.parse().unwrap(),
                version: "2026-09".to_string(),
                text: body.trim().to_string(),
            };
            passages.push((format!("{document}.{language}#{}", index + 1), passage));
        }
    }
    passages
}

fn words(text: &str) -> HashSet<String> {
    let separate = |c: char| !c.is_alphanumeric();
    text.to_lowercase().split(separate).filter(|word| !word.is_empty()).map(str::to_string).collect()
}

fn share(of: &HashSet<String>, within: &HashSet<String>) -> f32 {
    if of.is_empty() { 0.0 } else { of.intersection(within).count() as f32 / of.len() as f32 }
}

#[async_trait]
impl Search for ShopFront {
    async fn products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let asked = words(&query.text);
        let mut hits: Vec<ProductHit> = Vec::new();
        for product in &self.products {
            let name = words(product.name.get(query.language));
            let (name_in_query, query_in_name) = (share(&name, &asked), share(&asked, &name));
            if query_in_name > 0.0 {
                let score = name_in_query + query_in_name;
                let id = product.id.clone();
                hits.push(ProductHit {
                    id,
                    sku: None,
                    score,
                    lexical: None,
                    vector: None,
                    name_in_query,
                    query_in_name,
                });
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits.truncate(query.limit);
        Ok(hits)
    }

    async fn familiar(&self, query: &ProductQuery) -> anyhow::Result<Familiar> {
        let asked = words(&query.text);
        let names: HashSet<String> =
            self.products.iter().flat_map(|product| words(product.name.get(query.language))).collect();
        let known = asked.intersection(&names).count();
        Ok(Familiar { words: asked.len(), known, last: known == asked.len(), guessed: 0, nearest: None })
    }

    async fn passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let asked = words(&query.text);
        let mut hits: Vec<PassageHit> = self
            .passages
            .iter()
            .filter(|(_, passage)| passage.language == query.language)
            .filter(|(_, passage)| query.document.as_ref().is_none_or(|document| *document == passage.document))
            .map(|(id, passage)| {
                let score = share(&asked, &words(&format!("{} {}", passage.section, passage.text)));
                PassageHit { id: id.clone(), passage: passage.clone(), score, vector: None, standing: None }
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits.truncate(query.limit);
        Ok(hits)
    }

    fn clause(&self, clause: &str, language: Language) -> Option<(String, Passage)> {
        let (document, section) = clause.split_once('#')?;
        let id = format!("{document}.{language}#{section}");
        self.passages.iter().find(|(known, _)| *known == id).cloned()
    }

    fn generation(&self) -> GenerationInfo {
        GenerationInfo {
            id: "test".to_string(),
            products: self.products.len(),
            passages: self.passages.len(),
            built: Timestamp::UNIX_EPOCH,
            embedder: HashedLetters.model(),
        }
    }
}

#[async_trait]
impl Catalog for ShopFront {
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        Ok(ids.iter().filter_map(|id| self.product(id).cloned()).collect())
    }

    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        let mut offers = Vec::new();
        for product in ids.iter().filter_map(|id| self.product(id)) {
            for variant in &product.variants {
                offers.push(Offer {
                    product: product.id.clone(),
                    sku: variant.sku.clone(),
                    size: variant.size.clone(),
                    colour: variant.colour.clone(),
                    price: quote(&variant.prices, currency),
                    stock: self.stock.iter().filter(|line| line.sku == variant.sku).cloned().collect(),
                    as_of: Timestamp::UNIX_EPOCH,
                });
            }
        }
        Ok(offers)
    }

    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>> {
        let reduced = |product: &&Product| {
            let prices = product.variants.iter().flat_map(|variant| &variant.prices);
            prices.into_iter().any(|price| price.currency == currency && price.old.is_some())
        };
        Ok(self.products.iter().filter(reduced).take(limit).map(|product| product.id.clone()).collect())
    }

    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        Ok(self.products.iter().take(range.limit).map(|product| product.id.clone()).collect())
    }

    async fn kinds(&self, _: usize) -> anyhow::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        let is = |text: &str| text.eq_ignore_ascii_case(code);
        if let Some(product) = self.products.iter().find(|product| is(product.id.as_str())) {
            return Ok(Some((product.id.clone(), None)));
        }
        let variants = self.products.iter().flat_map(|product| product.variants.iter().map(move |one| (product, one)));
        let found = variants.into_iter().find(|(_, variant)| is(variant.sku.as_str()));
        Ok(found.map(|(product, variant)| (product.id.clone(), Some(variant.sku.clone()))))
    }
}

fn quote(prices: &[Price], currency: Currency) -> Quote {
    let Some(price) = prices.iter().find(|price| price.currency == currency).or(prices.first()) else {
        return Quote::Missing;
    };
    let money = |amount: &str| Money::parse(amount, price.currency).unwrap();
    Quote::Known { now: money(&price.amount), old: price.old.as_deref().map(money), until: price.until }
}

/// A model that answers from a script, whatever it is asked; with an empty script it is too busy.
#[derive(Default)]
pub struct Scripted {
    answers: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<Job>>,
}

impl Scripted {
    pub fn saying(answers: &[&'static str]) -> Scripted {
        Scripted { answers: Mutex::new(answers.iter().rev().copied().collect()), asked: Mutex::default() }
    }

    /// Everything it was asked, as one text.
    pub fn heard(&self) -> String {
        let asked = self.asked.lock().unwrap();
        asked.iter().flat_map(|job| job.turns.iter().map(|turn| turn.text.clone())).collect::<Vec<_>>().join("\n")
    }
}

#[async_trait]
impl Generate for Scripted {
    async fn generate(&self, job: Job) -> Result<Generated, GenerateError> {
        self.asked.lock().unwrap().push(job);
        let answer = self.answers.lock().unwrap().pop().ok_or(GenerateError::Busy { waiting: 8, retry_after_s: 3 })?;
        Ok(Generated {
            text: answer.to_string(),
            prompt_tokens: 0,
            generated_tokens: 0,
            finished: true,
            queue_ms: 0.0,
            first_token_ms: 0.0,
            total_ms: 0.0,
        })
    }

    fn model(&self) -> ModelId {
        ModelId { name: "scripted".to_string(), sha256: "0".repeat(64) }
    }
}

/// Languages with a price question and the answer's price, over the demo shop.
pub fn kettle() -> BTreeMap<Language, (&'static str, &'static str)> {
    BTreeMap::from([
        (Language::En, ("How much is the Volna electric kettle 1.7 l?", "€39.90")),
        (Language::Ru, ("Сколько стоит чайник «Волна» 1,7 л?", "3\u{a0}490\u{a0}₽")),
        (Language::Sk, ("Koľko stojí rýchlovarná kanvica Volna 1,7 l?", "39,90\u{a0}€")),
        (Language::Zh, ("“浪花”电热水壶 1.7升多少钱？", "¥249")),
    ])
}
