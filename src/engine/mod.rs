//! The seams: one trait per outside thing, so that each stage can be shown a fake.
//! The real ones live in `index`, `inference` and `store`.

mod carriers;
mod codes;
mod live;
mod payments;
mod search;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::cart::{Cart, Checkout, Paid, PaymentRecord, Settled};
use crate::domain::desk::{Customer, Decision, Slip, Task, Versioned};
use crate::domain::fact::DeliveryFact;
use crate::domain::identity::Contact;
pub use crate::domain::message::{Mark, Stretch};
use crate::domain::order::Order;
use crate::domain::place::PlaceId;
use crate::domain::product::Loads;
use crate::domain::together::Together;
use crate::domain::{Currency, Localised, Offer, Product, ProductId, Sku};

pub use carriers::{AskError, Carrier};
pub use codes::{CodeBook, CodeCounts, CodeLetter, CodeSender, CodeTried, NewCode, Proofs, WrongProofs};
pub use live::LiveState;
pub use payments::{Notice, NoticeError, PaymentLinks};
pub use search::{
    Familiar, GenerationInfo, Only, PassageHit, PassageQuery, ProductHit, ProductQuery, Search, SearchMode,
};

/// Which model produced something; part of an index generation's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelId {
    /// The name in `models/manifest.toml`.
    pub name: String,
    /// The sha256 of its weights, in hex.
    pub sha256: String,
}

/// Turns text into vectors.
#[async_trait]
pub trait Embed: Send + Sync {
    /// One unit-length vector per text.
    async fn embed(&self, input: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>>;
    /// Reads messages for what they want. An embedder without tuned layers has no opinion.
    async fn read(&self, texts: Vec<String>) -> anyhow::Result<Vec<Reading>> {
        let vectors = self.embed(EmbedInput::Query, texts).await?;
        Ok(vectors.into_iter().map(|vector| Reading { vector, ..Reading::default() }).collect())
    }
    /// What its opinions are about, when it has any.
    fn tuned(&self) -> Option<&Tuned> {
        None
    }
    /// Which model.
    fn model(&self) -> ModelId;
    /// The length of its vectors.
    fn dimensions(&self) -> usize;
    /// How many tokens a text has, also past the limit; about its words where the embedder does not say.
    fn tokens(&self, _input: EmbedInput, text: &str) -> usize {
        text.split_whitespace().count()
    }
    /// How many tokens of one text are read.
    fn max_tokens(&self) -> usize {
        512
    }
}

/// What a text is to the embedder; E5 models want a prefix for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// A question.
    Query,
    /// Something to be found.
    Passage,
}

/// A message as the embedder reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its vector as a question, of length 1.
    pub vector: Vec<f32>,
    /// The natural logarithm of the chance of each label of [`Tuned`]; empty where nothing is tuned.
    pub opinion: Vec<f32>,
    /// What its words are, in their order; empty where the embedder cannot tell.
    pub marks: Vec<Mark>,
    /// Its wishes, in their order; empty where the embedder cannot tell.
    pub wishes: Vec<Stretch>,
}

/// Layers of an embedder that were tuned for telling wishes apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The names of commands, in the order of an opinion.
    pub labels: Vec<String>,
    /// SHA-256 of their file.
    pub sha256: String,
}

/// Writes text, under a grammar when one is given.
#[async_trait]
pub trait Generate: Send + Sync {
    /// Runs one job. Dropping the future cancels it within a token.
    async fn generate(&self, job: Job) -> Result<Generated, GenerateError>;
    /// Which model.
    fn model(&self) -> ModelId;
}

/// One request to the model.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the model is told to be.
    pub system: String,
    /// The conversation, oldest first; the last is the shopper's.
    pub turns: Vec<PromptTurn>,
    /// A Lark grammar the answer must follow.
    pub grammar: Option<String>,
    /// At most so many tokens.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time.
    pub temperature: f64,
    /// The seed of sampling.
    pub seed: u64,
}

/// One turn of a prompt. Its text can never become a control token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTurn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
}

/// Who speaks in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The shopper.
    User,
    /// The assistant.
    Assistant,
}

/// What the model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The text, without control tokens.
    pub text: String,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub generated_tokens: usize,
    /// True when it stopped by itself, false at `max_tokens`.
    pub finished: bool,
    /// Milliseconds waiting in the queue.
    pub queue_ms: f64,
    /// Milliseconds until the first token was known.
    pub first_token_ms: f64,
    /// Milliseconds in all, the queue excepted.
    pub total_ms: f64,
}

/// Why the model wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The queue is full.
    #[error("the model's queue is full ({waiting} waiting); try again in {retry_after_s} s")]
    Busy {
        /// Jobs waiting.
        waiting: usize,
        /// A fair guess.
        retry_after_s: u64,
    },
    /// The prompt does not fit: nothing was cut.
    #[error("the prompt has {tokens} tokens, the model takes {limit} with the answer")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// What fits.
        limit: usize,
    },
    /// The grammar does not compile or cannot be followed.
    #[error("grammar: {0}")]
    Grammar(String),
    /// The engine failed.
    #[error("generation failed: {0}")]
    Failed(String),
}

/// The merchant's products, prices and stock at the moment of asking.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The products with these ids, in the order asked; unknown ids are left out.
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>>;
    /// All variants of these products with price in `currency` when there is one, else in the feed's own.
    async fn offers(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>>;
    /// The same for choosing among many, without asking anybody: such a price may not be told before `offers` has told it too.
    async fn told(&self, ids: &[ProductId], currency: Currency) -> anyhow::Result<Vec<Offer>> {
        self.offers(ids, currency).await
    }
    /// The sources that confirm what `offers` tells; none where the catalog's own words are the truth.
    fn live(&self) -> Vec<LiveState> {
        Vec::new()
    }
    /// Products with a variant that has an older, higher price in `currency`; what is true of it now, `offers` tells.
    async fn reduced(&self, currency: Currency, limit: usize) -> anyhow::Result<Vec<ProductId>>;
    /// Products by their least price in `currency`, the dearest first or the cheapest, none above `most` minor units.
    async fn by_price(&self, range: PriceRange) -> anyhow::Result<Vec<ProductId>>;
    /// The kinds of products there are, as the feed calls them, the most frequent first.
    async fn kinds(&self, limit: usize) -> anyhow::Result<Vec<String>>;
    /// Which of these SKUs are in the catalog, written exactly so.
    async fn known(&self, skus: &[Sku]) -> anyhow::Result<Vec<bool>> {
        let mut known = Vec::with_capacity(skus.len());
        for sku in skus {
            known.push(self.by_code(sku.as_str()).await?.is_some_and(|(_, found)| found.as_ref() == Some(sku)));
        }
        Ok(known)
    }
    /// What orders say is bought most, the oftenest first; none where nobody counts.
    fn popular(&self) -> Vec<ProductId> {
        Vec::new()
    }
    /// What orders say is bought with a product; none where nobody counts.
    fn together(&self, _product: &ProductId) -> Option<Together> {
        None
    }
    /// The product and variant behind a product id, SKU or other code, compared without case and separators.
    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>>;
}

/// A stretch of the whole range by price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    /// The currency of the prices.
    pub currency: Currency,
    /// The most a product may cost, in minor units.
    pub most: Option<i64>,
    /// From the top, not from the bottom.
    pub dearest_first: bool,
    /// At most so many.
    pub limit: usize,
}

/// The merchant's orders.
#[async_trait]
pub trait Orders: Send + Sync {
    /// The order with this number, compared without case and separators.
    async fn find(&self, number: &str) -> anyhow::Result<Option<Order>>;
    /// A customer's orders, newest first.
    async fn of_customer(&self, customer: &str) -> anyhow::Result<Vec<Order>>;
    /// The orders that name a phone or an e-mail, newest first.
    async fn of_contact(&self, _contact: &Contact) -> anyhow::Result<Vec<Order>> {
        Ok(Vec::new())
    }
}

/// Orders, customers and tasks with their writes: the desk's own book.
#[async_trait]
pub trait OrderDesk: Send + Sync {
    /// The order with this number, compared without case and separators.
    async fn order(&self, number: &str) -> anyhow::Result<Option<Versioned<Order>>>;
    /// A customer; one the shop tells nothing about has neither address nor methods.
    async fn customer(&self, id: &str) -> anyhow::Result<Versioned<Customer>>;
    /// A task.
    async fn task(&self, id: &str) -> anyhow::Result<Option<Task>>;
    /// Keeps a new task.
    async fn propose(&self, task: &Task) -> anyhow::Result<()>;
    /// Ends a task without a write; false when it had ended before.
    async fn close(&self, task: &Task) -> anyhow::Result<bool>;
    /// What is known of the parcel that comes back from an order.
    async fn slip(&self, _order: &str) -> anyhow::Result<Option<Slip>> {
        Ok(None)
    }
    /// Ends a task with its writes and the event about it: all of it or nothing. A return gets its number in the same write.
    async fn apply(&self, task: &Task, decision: &Decision, seen: Seen) -> anyhow::Result<Applied>;
}

/// The versions a decision was made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The order's; 0 when none is touched.
    pub order: i64,
    /// The customer's.
    pub customer: i64,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Written now.
    Written,
    /// The task had ended before: nothing was written again.
    EndedBefore,
    /// Something changed since it was read: nothing was written.
    Outdated,
}

/// Carts and the orders they become. Every write is one transaction on the version that was seen.
#[async_trait]
pub trait Carts: Send + Sync {
    /// A cart; one nobody has put anything into is empty, in version 0.
    async fn cart(&self, owner: &str) -> anyhow::Result<Versioned<Cart>>;
    /// Writes a cart on the version it was read in. The same operation of the same owner is done once.
    async fn write_cart(&self, owner: &str, cart: &Versioned<Cart>, operation: &str) -> anyhow::Result<Applied>;
    /// True when an operation was done before.
    async fn edited(&self, owner: &str, operation: &str) -> anyhow::Result<bool>;
    /// A checkout.
    async fn checkout(&self, id: &str) -> anyhow::Result<Option<Checkout>>;
    /// Keeps a new checkout.
    async fn keep_checkout(&self, checkout: &Checkout) -> anyhow::Result<()>;
    /// Ends a checkout without an order; false when it had ended before.
    async fn close_checkout(&self, checkout: &Checkout) -> anyhow::Result<bool>;
    /// Ends a checkout with its order, which gets the next number, empties the cart and keeps the event.
    async fn place(&self, checkout: &Checkout, order: &Order, numbers: Numbers<'_>) -> anyhow::Result<Applied>;
    /// The order with this number.
    async fn placed(&self, number: &str) -> anyhow::Result<Option<Order>>;
    /// The latest payment of an order, and how many there were before it.
    async fn payment(&self, order: &str) -> anyhow::Result<Option<(PaymentRecord, i64)>>;
    /// Keeps a payment's link.
    async fn keep_payment(&self, payment: &PaymentRecord) -> anyhow::Result<()>;
    /// Writes that money came in: the payment, its order and the event at once, and once.
    async fn settle(&self, provider: &str, paid: &Paid) -> anyhow::Result<Settled>;
}

/// How orders are numbered.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// What stands before the number.
    pub prefix: &'a str,
    /// The first one.
    pub first: i64,
}

/// What the shop's rules say about a place or a word.
pub trait Terms: Send + Sync {
    /// A colour's name per language.
    fn colour(&self, colour: &str) -> Localised;
    /// Delivery of these to a place for an order placed now.
    fn delivery_to(&self, what: (&PlaceId, Loads<'_>), currency: Currency, now: Timestamp) -> Option<DeliveryFact>;
    /// The first day on which what leaves now can arrive, whatever it costs there.
    fn first_day(&self, place: &PlaceId, currency: Currency, now: Timestamp) -> Option<jiff::civil::Date>;
    /// True on days on which parcels arrive.
    fn delivers_on(&self, day: jiff::civil::Date) -> bool;
    /// The country a place lies in.
    fn country(&self, place: &PlaceId) -> Option<String>;
    /// The day in the shop.
    fn day(&self, now: Timestamp) -> jiff::civil::Date;
}
