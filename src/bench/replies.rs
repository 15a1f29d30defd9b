//! Honest replies: what the assistant itself says over a catalog, every product with every move in every language.
//! In: the shop's data. Out: drafts with the facts they were rendered from, for the guard to judge.

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::domain::fact::{OfferFact, Passage, TotalFact};
use crate::domain::order::Order;
use crate::domain::plan::{Absence, Ask, Courtesy, HandoverReason};
use crate::domain::product::{Loads, Price, Quote, StockLine};
use crate::domain::{Currency, Draft, Fact, FactBody, FactId, Language, Localised, Money, Move, Offer, Product, Tone};
use crate::render::{Renderer, Scene};
use crate::shop::Shop;

/// The longest text the assistant tells as a summary, as in retrieval.
const LONGEST_SUMMARY: usize = 200;

/// A reply with the facts it was made of.
pub struct Reply {
    /// What the assistant would say.
    pub draft: Draft,
    /// All it was told.
    pub facts: Vec<Fact>,
}

/// A shop's data, read without index and store.
pub struct Shelf {
    products: Vec<Product>,
    stock: Vec<StockLine>,
    passages: Vec<Passage>,
    orders: Vec<Order>,
    shop: Shop,
    renderer: Renderer,
}

impl Shelf {
    /// Reads `catalog`, `policies`, `orders`, `rules` and `replies` below `data`.
    ///
    /// # Errors
    /// A file that is missing or cannot be read.
    pub fn load(data: &Path) -> anyhow::Result<Shelf> {
        let shop = Shop::load(data)?;
        let renderer = Renderer::load(data, shop.name())?;
        Ok(Shelf {
            products: lines(&data.join("catalog/products.jsonl"))?,
            stock: lines(&data.join("catalog/stock.jsonl"))?,
            passages: passages(&data.join("policies"))?,
            orders: lines(&data.join("orders/orders.jsonl"))?,
            shop,
            renderer,
        })
    }

    /// The same shop with other goods; its old stock is gone with the old ones.
    pub fn with_products(mut self, products: Vec<Product>) -> Shelf {
        (self.products, self.stock) = (products, Vec::new());
        self
    }

    /// Replies of all kinds; `currency` is each language's market.
    pub fn replies(&self, currency: impl Fn(Language) -> Currency, now: Timestamp) -> Vec<Reply> {
        let mut found = Vec::new();
        for language in Language::ALL {
            let teller = Teller { shelf: self, language, currency: currency(language), now };
            teller.products(&mut found);
            teller.rules(&mut found);
        }
        found.retain(|reply| !reply.draft.segments.is_empty());
        found
    }
}

fn lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(index, line)| {
        serde_json::from_str(line).with_context(|| format!("{} line {}", path.display(), index + 1))
    })
    .collect()
}

/// Every section of every policy.
fn passages(folder: &Path) -> anyhow::Result<Vec<Passage>> {
    let mut found = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?.flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        let [document, language, "md"] = name.split('.').collect::<Vec<_>>()[..] else { continue };
        let text = std::fs::read_to_string(file.path()).with_context(|| format!("reading {name}"))?;
        for (section, body) in text.split("\n## ").skip(1).filter_map(|part| part.split_once('\n')) {
            found.push(Passage {
                document: document.to_string(),
                section: section.trim().to_string(),
                language: language.parse()?,
                version: "2026-09".to_string(),
                text: body.trim().to_string(),
            });
        }
    }
    Ok(found)
}

/// Tells everything in one language.
struct Teller<'a> {
    shelf: &'a Shelf,
    language: Language,
    currency: Currency,
    now: Timestamp,
}

impl Teller<'_> {
    fn fact(&self, id: String, body: FactBody) -> Fact {
        Fact { id: FactId(id), body, source: "bench".to_string(), as_of: self.now }
    }

    fn say(&self, moves: &[Move], facts: &[&[Fact]], into: &mut Vec<Reply>) {
        let facts = facts.concat();
        let today = self.shelf.shop.today(self.now);
        // Every other reply is for a customer who comes first.
        let tone = if into.len().is_multiple_of(2) { Tone::Plain } else { Tone::Vip };
        let scene = Scene { language: self.language, facts: &facts, today, tone };
        let mut draft = self.shelf.renderer.render(moves, &scene);
        if into.len().is_multiple_of(5) && !draft.segments.is_empty() {
            draft.segments.push(self.shelf.renderer.disclosure(self.language));
        }
        into.push(Reply { draft, facts });
    }

    /// Each product alone, then beside its neighbours on the shelf.
    fn products(&self, into: &mut Vec<Reply>) {
        let all: Vec<Vec<Fact>> = self.shelf.products.iter().map(|product| self.offers(product)).collect();
        for (index, own) in all.iter().enumerate().filter(|(_, own)| !own.is_empty()) {
            let (next, third) = (&all[(index + 1) % all.len()], &all[(index + 7) % all.len()]);
            let ids = |facts: &[&[Fact]]| facts.concat().iter().map(|fact| fact.id.clone()).collect::<Vec<FactId>>();
            let one = ids(&[&own[..1]]);
            let (two, three) = (ids(&[own, next]), ids(&[own, next, third]));
            let out_of_stock = Move::NotFound { why: Absence::OutOfStock };
            self.say(&[Move::Offer { facts: ids(&[own]) }], &[own], into);
            self.say(&[Move::Offer { facts: one.clone() }], &[&own[..1]], into);
            self.say(&[Move::Stock { facts: ids(&[own]) }], &[own], into);
            self.say(&[Move::Stock { facts: one.clone() }], &[&own[..1]], into);
            self.say(&[Move::Compare { facts: two }], &[own, next], into);
            self.say(&[Move::Offer { facts: three }], &[own, next, third], into);
            self.say(&[out_of_stock, Move::Alternatives { facts: ids(&[next, third]) }], &[own, next, third], into);
            if let Some(accessory) = next.first() {
                let upsell = Move::Upsell { fact: accessory.id.clone() };
                self.say(&[Move::Offer { facts: ids(&[own]) }, upsell], &[own, next], into);
                let bought = Move::BoughtWith { fact: accessory.id.clone() };
                self.say(&[Move::Offer { facts: ids(&[own]) }, bought], &[own, next], into);
            }
            let quantity = 2 + index as u32 % 9;
            if let Some(total) = self.total(&own[0], quantity) {
                let told = Move::Total { fact: total.id.clone() };
                self.say(&[Move::Offer { facts: one }, told], &[&own[..1], &[total]], into);
            }
        }
    }

    fn offers(&self, product: &Product) -> Vec<Fact> {
        let short = |(_, text): &(Language, &str)| text.chars().count() <= LONGEST_SUMMARY;
        let summary = product.description.all().filter(short).map(|(language, text)| (language, text.to_string()));
        let summary = Localised(summary.collect());
        let variants = product.variants.iter().map(|variant| {
            let stock: Vec<StockLine> =
                self.shelf.stock.iter().filter(|line| line.sku == variant.sku).cloned().collect();
            let shop = &self.shelf.shop;
            let body = OfferFact {
                product: product.id.clone(),
                name: product.name.clone(),
                summary: summary.clone(),
                colour: variant.colour.as_deref().map(|colour| shop.colour_name(colour)).unwrap_or_default(),
                details: Vec::new(),
                places: stock.iter().map(|line| (shop.place_name(&line.place), line.count)).collect(),
                offer: Offer {
                    product: product.id.clone(),
                    sku: variant.sku.clone(),
                    size: variant.size.clone(),
                    colour: variant.colour.clone(),
                    price: quote(&variant.prices, self.currency),
                    stock,
                    as_of: self.now,
                },
            };
            self.fact(format!("offer:{}", variant.sku), FactBody::Offer(body))
        });
        variants.collect()
    }

    fn total(&self, offer: &Fact, quantity: u32) -> Option<Fact> {
        let FactBody::Offer(body) = &offer.body else { return None };
        let total = body.offer.price.now()?.times(quantity)?;
        let body = TotalFact { offer: offer.id.clone(), quantity, total };
        Some(self.fact(format!("total:{}x{quantity}", offer.id), FactBody::Total(body)))
    }

    /// What is told without a product: delivery, policies, orders, absences, questions, courtesies.
    fn rules(&self, into: &mut Vec<Reply>) {
        for place in self.shelf.shop.places() {
            if let Some(fact) = self.shelf.shop.delivery((place, Loads::Any), self.currency, self.now) {
                self.say(&[Move::Deliver { fact: fact.id.clone() }], &[&[fact]], into);
            }
        }
        for (index, passage) in self.shelf.passages.iter().enumerate() {
            if passage.language == self.language {
                let fact = self.fact(format!("passage:{index}"), FactBody::Passage(passage.clone()));
                self.say(&[Move::Policy { fact: fact.id.clone() }], &[&[fact]], into);
            }
        }
        for order in &self.shelf.orders {
            let fact = self.fact(format!("order:{}", order.number), FactBody::Order(Box::new(order.clone())));
            let told = [Move::Order { fact: fact.id.clone() }, Move::CancelRule { fact: fact.id.clone() }];
            self.say(&told, &[&[fact]], into);
        }
        let contact = self.shelf.shop.contact(self.now);
        for step in plain() {
            self.say(&[step], &[std::slice::from_ref(&contact)], into);
        }
    }
}

fn quote(prices: &[Price], currency: Currency) -> Quote {
    let Some(price) = prices.iter().find(|price| price.currency == currency).or(prices.first()) else {
        return Quote::Missing;
    };
    let money = |amount: &str| Money::parse(amount, price.currency).ok();
    match money(&price.amount) {
        Some(now) => Quote::Known { now, old: price.old.as_deref().and_then(money), until: price.until },
        None => Quote::Missing,
    }
}

/// Every move without a fact of its own.
fn plain() -> Vec<Move> {
    use Absence::*;
    use Courtesy::*;
    let absences =
        [NothingFound, FilteredOut, NoVariant, SourceDown, OutOfStock, NoPrice, NoPolicy, NoDelivery, NoOrder];
    let courtesies = [
        Greeting,
        Thanks,
        Goodbye,
        WhoAreYou,
        Menu,
        Confirmed,
        Denied,
        OutOfScope,
        Courtesy::Spam,
        Courtesy::Unsafe,
        Courtesy::Sorry,
        Courtesy::Card,
    ];
    let asked = [
        Ask::Product,
        Ask::Size,
        Ask::Colour,
        Ask::Town,
        Ask::OrderNumber,
        Ask::Identity,
        Ask::Phone,
        Ask::CallBack,
        Ask::Topic,
        Ask::OrderOrContact,
        Ask::Code,
        Ask::Photo,
        Ask::NumberElsewhere,
        Ask::ContactInstead,
    ];
    let reasons = [HandoverReason::Asked, HandoverReason::Complaint, HandoverReason::Task, HandoverReason::Failure];
    let absences = absences.into_iter().map(|why| Move::NotFound { why });
    let courtesies = courtesies.into_iter().map(|kind| Move::Smalltalk { kind });
    let asked = asked.into_iter().map(|what| Move::Ask { what });
    absences.chain(courtesies).chain(asked).chain(reasons.into_iter().map(|reason| Move::Human { reason })).collect()
}
