//! `bench outputs`: what the language model says when it may answer freely from numbered facts, without grammar and guard.
//! In: the data folder's products and `data/eval/guard/questions.toml`. Out: one JSON line an answer, its facts in the
//! notation of case files, for the guard to be tried on. Nothing of it ever reaches a shopper.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::product::Loads;
use crate::domain::{Currency, FactBody, Language, Product};
use crate::engine::{Generate, Job, PromptTurn, Speaker};
use crate::inference::Generator;
use crate::shop::Shop;

use super::open;

const SYSTEM: &str = include_str!("../../data/prompts/free.txt");
/// Attributes of a product shown to the model.
const ATTRIBUTES: usize = 3;
const LONGEST: usize = 96;

#[derive(Deserialize)]
struct Questions {
    delivery: BTreeMap<Language, [String; 2]>,
    ask: BTreeMap<Language, Vec<String>>,
}

/// A fact as case files write it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    sku: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_price: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attrs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// A question with the facts the model is shown.
pub(super) struct Case {
    pub(super) language: Language,
    facts: Vec<Row>,
    pub(super) question: String,
}

/// Asks every question `rounds` times, each time of other products, and writes the answers.
pub(super) async fn run(config: &Config, (model, rounds): (&str, usize), out: &Path) -> anyhow::Result<()> {
    let cases = cases(config, rounds)?;
    let generator = Generator::load(&open::language_model(config, model)?, open::generator_settings(config)?)?;
    let file = File::create(out).with_context(|| format!("writing {}", out.display()))?;
    let mut file = BufWriter::new(file);
    for case in &cases {
        let generated = generator.generate(case.job()).await?;
        let line = serde_json::json!({
            "lang": case.language, "facts": case.facts, "question": case.question, "text": generated.text.trim(),
        });
        writeln!(file, "{line}")?;
        file.flush()?;
    }
    eprintln!("{} answers of {} in {}", cases.len(), generator.model().name, out.display());
    Ok(())
}

impl Case {
    /// The products the model is shown.
    pub(super) fn products(&self) -> impl Iterator<Item = &Row> {
        self.facts.iter().filter(|row| !row.sku.starts_with('@'))
    }

    /// The job of answering freely.
    pub(super) fn job(&self) -> Job {
        let mut text = String::new();
        let shown = self.facts.iter().filter(|row| !row.sku.starts_with("@user"));
        for (number, row) in shown.enumerate() {
            text.push_str(&format!("{}. {}", number + 1, row.name));
            if let (Some(price), Some(currency)) = (&row.price, &row.currency) {
                text.push_str(&format!(" - {price} {currency}"));
            }
            if let (Some(old), Some(currency)) = (&row.old_price, &row.currency) {
                text.push_str(&format!(", before {old} {currency}"));
            }
            row.attrs.iter().for_each(|attribute| text.push_str(&format!("; {attribute}")));
            text.push('\n');
        }
        text.push_str(&format!("Customer ({}): {}", self.language, self.question));
        Job {
            system: SYSTEM.to_string(),
            turns: vec![PromptTurn { speaker: Speaker::User, text }],
            grammar: None,
            max_tokens: LONGEST,
            temperature: 0.0,
            seed: 0,
        }
    }
}

/// The questions of `eval/guard/questions.toml`, each `rounds` times of other products.
pub(super) fn cases(config: &Config, rounds: usize) -> anyhow::Result<Vec<Case>> {
    let path = config.paths.data.join("eval/guard/questions.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let questions: Questions = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let path = config.paths.data.join("catalog/products.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let products: Vec<Product> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .with_context(|| format!("in {}", path.display()))?;
    let shop = Shop::load(&config.paths.data)?;
    let mut cases = Vec::new();
    for (language, frames) in &questions.ask {
        let currency = config.shop.currency_of(*language);
        let triples = triples(&products, (*language, currency));
        anyhow::ensure!(!triples.is_empty(), "no three products of one category have a price in {}", currency.code());
        let delivery = delivery(&shop, currency, questions.delivery.get(language));
        for (at, frame) in (0..rounds).flat_map(|_| frames).enumerate() {
            // A stride that meets every category before it comes back to one.
            let mut facts = triples[at * 7 % triples.len()].clone();
            let name = |nth: usize| facts[nth].name.clone();
            let question = frame.replace("{a}", &name(0)).replace("{b}", &name(1)).replace("{c}", &name(2));
            facts.extend(delivery.clone());
            let own = Row { sku: "@user".into(), name: "user message".into(), ..Row::default() };
            facts.push(Row { text: Some(question.clone()), ..own });
            cases.push(Case { language: *language, facts, question });
        }
    }
    Ok(cases)
}

/// Neighbours within a category, three by three, that have a price in the currency.
fn triples(products: &[Product], (language, currency): (Language, Currency)) -> Vec<Vec<Row>> {
    let mut shelves: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for product in products {
        let Some(variant) = product.variants.first() else { continue };
        let Some(price) = variant.prices.iter().find(|price| price.currency == currency) else { continue };
        let attributes = product.attributes.values().map(|text| text.get(language).to_string());
        shelves.entry(&product.category).or_default().push(Row {
            sku: variant.sku.to_string(),
            name: product.name.get(language).to_string(),
            price: Some(price.amount.clone()),
            currency: Some(currency.code().to_string()),
            old_price: price.old.clone(),
            attrs: attributes.take(ATTRIBUTES).collect(),
            text: None,
        });
    }
    shelves.values().flat_map(|rows| rows.chunks_exact(3).map(<[Row]>::to_vec)).collect()
}

/// What delivery to the first town costs, and from which value on it costs nothing.
fn delivery(shop: &Shop, currency: Currency, names: Option<&[String; 2]>) -> Vec<Row> {
    let Some([cost, free]) = names else { return Vec::new() };
    let fact = shop.places().find_map(|place| shop.delivery((place, Loads::Any), currency, Timestamp::UNIX_EPOCH));
    let Some(FactBody::Delivery(delivery)) = fact.map(|fact| fact.body) else { return Vec::new() };
    let row = |sku: &str, name: &String, amount: String| Row {
        sku: sku.to_string(),
        name: name.clone(),
        price: Some(amount),
        currency: Some(currency.code().to_string()),
        ..Row::default()
    };
    let mut rows = vec![row("@ship", cost, delivery.cost.amount())];
    rows.extend(delivery.free_from.map(|from| row("@free_ship_from", free, from.amount())));
    rows
}
