//! `bench`: figures as JSON, each with what it is compared to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::app::App;
use crate::config::Config;
use crate::domain::{FactId, Language, Message, Product, ProductId};
use crate::inference::{self, bench::BenchSettings};
use crate::shop::Shop;
use crate::turn::{self, Answer, CheckStatus, CheckSummary, Watcher};

use super::{Bench, bench_drafts, bench_guard, bench_masks, bench_outputs, bench_retrieval, load, open};

/// Runs a measurement.
pub(super) async fn run(config: Config, what: Bench, json: bool) -> anyhow::Result<ExitCode> {
    match what {
        Bench::Load(args) => return load::run(&config, &args, json).await,
        Bench::Inference { model, prompt_tokens, gen_tokens, threads, runs, sessions, compare } => {
            let model = open::language_model(&config, &model)?;
            if threads > 0 {
                inference::threads::restart_with(threads).context("setting --threads")?;
            }
            let generator = open::generator_settings(&config)?;
            let settings = BenchSettings { prompt_tokens, gen_tokens, runs, sessions, compare, generator };
            let report = inference::bench::bench(&model, &settings)?;
            println!("{}", serde_json::to_string(&report)?);
        }
        Bench::Guard { cases } => bench_guard::run(&config, &cases, json)?,
        Bench::Masks { model, steps } => bench_masks::run(&config, &model, steps)?,
        Bench::Drafts { model, rounds } => bench_drafts::drafts(&config, (&model, rounds))?,
        Bench::Quality { model, tokens } => bench_drafts::weights(&config, (&model, tokens))?,
        Bench::Outputs { model, rounds, out } => bench_outputs::run(&config, (&model, rounds), &out).await?,
        Bench::Retrieval { sizes, questions } => bench_retrieval::run(&config, &sizes, questions).await?,
        Bench::Prices { questions, seed, table } => {
            let asking = match table {
                Some(path) => tabled(&path)?,
                None => drawn(&config, (questions, seed)).await?,
            };
            prices(config, asking, json).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of one price question.
#[derive(Serialize)]
struct Asked {
    language: Language,
    products: Vec<ProductId>,
    question: String,
    reply: String,
    check: CheckSummary,
    /// The asked product's own price was told.
    right: bool,
    /// Prices of other products told beside or instead of it.
    others: usize,
    generated: bool,
    total_ms: f64,
}

/// The whole measurement.
#[derive(Default, Serialize)]
struct Prices {
    questions: usize,
    right: usize,
    /// Right and nothing else.
    only_right: usize,
    /// No price at all.
    none: usize,
    /// Prices of other products, without the right one.
    other_only: usize,
    /// Amounts that are not the price of the product they stand with: the guard's promise is 0.
    untrue: usize,
    /// Drafts the guard refused; something else was said instead.
    refused_drafts: usize,
    by_language: BTreeMap<Language, (usize, usize)>,
    without_generation_ms: Spread,
    with_generation_ms: Spread,
}

#[derive(Default, Serialize)]
struct Spread {
    turns: usize,
    p50: f64,
    p95: f64,
}

/// A price question and the products whose price would be an answer.
struct Asking {
    language: Language,
    products: Vec<ProductId>,
    text: String,
}

/// Questions about products of the catalog, spread over the languages.
async fn drawn(config: &Config, (questions, seed): (usize, u64)) -> anyhow::Result<Vec<Asking>> {
    let path = config.paths.data.join("eval/price_questions.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let frames: BTreeMap<Language, String> = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let catalog = {
        let embed = open::embedder(config)?;
        let index = open::index(config, &*embed).await?;
        open::catalog(config, index.folder(), &Shop::load(&config.paths.data)?).await?
    };
    let sample = catalog.sample(questions, seed).await?;
    let asking = |(product, (language, frame)): (&Product, (&Language, &String))| Asking {
        language: *language,
        products: vec![product.id.clone()],
        text: frame.replace("{title}", product.name.get(*language)),
    };
    Ok(sample.iter().zip(frames.iter().cycle()).map(asking).collect())
}

/// The questions of a table, with every product that would be an answer.
fn tabled(path: &Path) -> anyhow::Result<Vec<Asking>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let row = |(at, line): (usize, &str)| -> anyhow::Result<Asking> {
        let place = || format!("{} row {}: expected lang, products, text", path.display(), at + 1);
        let [language, products, text] = line.split('\t').collect::<Vec<_>>()[..] else { anyhow::bail!(place()) };
        let products = products.split(',').map(ProductId::from).collect();
        Ok(Asking { language: language.parse().with_context(place)?, products, text: text.to_string() })
    };
    text.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()).map(row).collect()
}

async fn prices(config: Config, asking: Vec<Asking>, json: bool) -> anyhow::Result<()> {
    let app = open::app(config).await?;
    let mut report = Prices { questions: asking.len(), ..Prices::default() };
    let (mut plain, mut generated) = (Vec::new(), Vec::new());
    for one in asking {
        let asked = ask(&app, one, &mut report).await?;
        if asked.generated {
            generated.push(asked.total_ms)
        } else {
            plain.push(asked.total_ms)
        }
        let entry = report.by_language.entry(asked.language).or_default();
        entry.0 += usize::from(asked.right);
        entry.1 += 1;
        report.right += usize::from(asked.right);
        report.only_right += usize::from(asked.right && asked.others == 0);
        report.none += usize::from(!asked.right && asked.others == 0);
        report.other_only += usize::from(!asked.right && asked.others > 0);
        if json || !asked.right {
            println!("{}", serde_json::to_string(&asked)?);
        }
    }
    report.without_generation_ms = spread(&mut plain);
    report.with_generation_ms = spread(&mut generated);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn ask(app: &App, Asking { language, products, text }: Asking, report: &mut Prices) -> anyhow::Result<Asked> {
    let message = Message {
        session: None,
        customer: None,
        text: text.clone(),
        locale: Some(language),
        channel: "bench".to_string(),
    };
    let answer = turn::answer(app, message, &Watcher::none()).await?;
    let told = told_prices(app, &answer).await?;
    report.refused_drafts += usize::from(!answer.check.rejected.is_empty());
    report.untrue += told.iter().filter(|(_, true_price)| !true_price).count();
    Ok(Asked {
        language,
        right: told.iter().any(|(told, _)| products.contains(told)),
        others: told.iter().filter(|(told, _)| !products.contains(told)).count(),
        products,
        question: text,
        reply: answer.reply.text(),
        check: answer.check.clone(),
        generated: answer.timings.generated,
        total_ms: answer.timings.total_ms,
    })
}

/// Every price the reply told: whose it claims to be, and whether the catalog, read again, says the same.
async fn told_prices(app: &App, answer: &Answer) -> anyhow::Result<Vec<(ProductId, bool)>> {
    let record = app.state.turn(answer.turn_id).await?.context("the turn was not recorded")?;
    let draft: crate::domain::Draft = serde_json::from_value(record["draft"].clone())?;
    let mut told = Vec::new();
    if answer.check.status != CheckStatus::Accepted {
        // The record keeps the first draft; what was said instead names its facts, each read back by the guard.
        let facts = answer.reply.segments().iter().flat_map(|segment| segment.facts());
        told.extend(facts.filter_map(|fact| Some((product_of(&record, fact)?, true))));
        return Ok(told);
    }
    for segment in &draft.segments {
        for span in segment.spans.iter().filter(|span| span.role == crate::domain::Role::Price) {
            let Some(sku) = span.fact.0.strip_prefix("offer:") else { continue };
            let product = product_of(&record, &span.fact).with_context(|| format!("no fact {}", span.fact))?;
            let currency = app.config.shop.currency_of(answer.language);
            let offers = app.catalog.offers(std::slice::from_ref(&product), currency).await?;
            let price = offers.iter().find(|offer| offer.sku.as_str() == sku).and_then(|offer| offer.price.now());
            let text = &segment.text[span.range.clone()];
            let digits = |text: &str| {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                // 0.95 is 95 minor units.
                digits.trim_start_matches('0').to_string()
            };
            let same = price.is_some_and(|price| {
                let minor = price.minor.to_string();
                // A language may drop zero minor units; nothing else may differ.
                digits(text) == minor || format!("{}00", digits(text)) == minor
            });
            told.push((product, same));
        }
    }
    Ok(told)
}

/// Whose offer a fact of the record is. Not by its code: a product's number may be another's part number.
fn product_of(record: &serde_json::Value, id: &FactId) -> Option<ProductId> {
    let facts = record["outcome"]["facts"].as_array()?;
    let fact = facts.iter().find(|fact| fact["id"].as_str() == Some(&id.0))?;
    fact["body"]["product"].as_str().map(ProductId::from)
}

fn spread(values: &mut [f64]) -> Spread {
    Spread { turns: values.len(), p50: percentile(values, 0.5), p95: percentile(values, 0.95) }
}

/// The value below which `share` of the values lie; 0 when there is none.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    // Indices are small: the rounding is exact.
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(0.0)
}
