//! `bench retrieval`: how long finding products takes as a catalog grows, each part by itself, beside what reading the vectors'
//! memory alone would take. In: the index that serves. Out: a line of JSON for each size. The shop's own index is only read.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::config::Config;
use crate::domain::{Language, Product, ProductId};
use crate::engine::{Embed, EmbedInput, Only, ProductQuery, Search, SearchMode};
use crate::index::{Index, multiplied};
use crate::inference::bench::read_gb_s;
use crate::inference::threads;
use crate::shop::Shop;

use super::bench::percentile;
use super::open;

/// Products searched for at each size.
const LIMIT: usize = 20;
/// Questions whose vectors are compared with every row: it takes a while.
const COMPARED: usize = 25;
/// Products the copies are made of.
const FIRSTS: usize = 50_000;

/// Figures of one size.
#[derive(Serialize)]
struct Figures {
    products: usize,
    vectors: usize,
    questions: usize,
    build_s: f64,
    embed_ms: Spread,
    lexical_ms: Spread,
    vector_ms: Spread,
    hybrid_ms: Spread,
    /// Embedding and hybrid search together: what a question waits.
    retrieval_ms: Spread,
    /// Share of the nearest twenty by exact floats that the vector search finds.
    found_of_nearest: f64,
    /// What one core reads in the same minute.
    read_gb_s: f64,
    /// Reading every int8 row once at that speed.
    int8_pass_ms: f64,
    /// A vector search beside that: below 1 where sketches spare most of the reading.
    vector_of_int8_pass: f64,
}

#[derive(Serialize)]
struct Spread {
    p50: f64,
    p95: f64,
}

/// Measures each size in turn.
pub(super) async fn run(config: &Config, sizes: &[usize], questions: usize) -> anyhow::Result<()> {
    threads::restart_with(1).context("measuring on one core")?;
    let embed = open::embedder(config)?;
    let folder = crate::generation::current(&config.paths.index)?;
    let products = {
        let catalog = open::catalog(config, &folder, &Shop::load(&config.paths.data)?).await?;
        catalog.sample(FIRSTS, 1).await?
    };
    let questions: Vec<(Language, String)> = products.iter().cycle().take(questions).enumerate().map(asked).collect();
    for size in sizes {
        let scratch = config.paths.state.join("bench-retrieval");
        let measured = measure((&products, &folder), (&scratch, *size), &*embed, &questions).await;
        let _ = std::fs::remove_dir_all(&scratch);
        println!("{}", serde_json::to_string(&measured?)?);
    }
    Ok(())
}

/// A few words of a product's name, in one language after another.
fn asked((at, product): (usize, &Product)) -> (Language, String) {
    let names: Vec<(Language, &str)> = product.name.all().collect();
    let (language, name) = names[at % names.len()];
    let words: Vec<&str> = name.split_whitespace().take(2 + at % 4).collect();
    (language, words.join(" "))
}

async fn measure(
    (products, from): (&[Product], &Path),
    (scratch, size): (&Path, usize),
    embed: &dyn Embed,
    questions: &[(Language, String)],
) -> anyhow::Result<Figures> {
    let start = Instant::now();
    multiplied::multiply((products, from), (scratch, size), embed, &|_, _| {}).await?;
    let build_s = start.elapsed().as_secs_f64();
    let index = Index::open(scratch, &embed.model())?;
    let (mut found, mut nearest) = (0, 0);
    let mut times: [Vec<f64>; 5] = Default::default();
    let mut bandwidth: f64 = 0.0;
    for (at, (language, text)) in questions.iter().enumerate() {
        let start = Instant::now();
        let vector = embed.embed(EmbedInput::Query, vec![text.clone()]).await?.pop().context("no vector")?;
        let embedded = milliseconds(start);
        times[0].push(embedded);
        for (mode, into) in [(SearchMode::Lexical, 1), (SearchMode::Vector, 2), (SearchMode::Hybrid, 3)] {
            let (text, vector, language) = (text.clone(), Some(vector.clone()), *language);
            let query = ProductQuery { text, vector, language, mode, only: Only::default(), limit: LIMIT };
            let start = Instant::now();
            let hits = index.products(&query).await?;
            times[into].push(milliseconds(start));
            if into == 2 && at < COMPARED {
                let exact: Vec<ProductId> =
                    index.compared_with_every_row(query.vector.as_deref().unwrap_or(&[]), LIMIT)?;
                nearest += exact.len();
                found += exact.iter().filter(|id| hits.iter().any(|hit| hit.id == **id)).count();
            }
        }
        let hybrid = times[3].last().copied().unwrap_or_default();
        times[4].push(embedded + hybrid);
        if at % 50 == 0 {
            bandwidth = bandwidth.max(read_gb_s(1));
        }
    }
    let [embed_ms, lexical_ms, vector_ms, hybrid_ms, retrieval_ms] = times.map(spread);
    let vectors = index.vectors();
    let int8_pass_ms = (vectors * (embed.dimensions() + 4)) as f64 / (bandwidth * 1e6);
    Ok(Figures {
        products: size,
        vectors,
        questions: questions.len(),
        build_s,
        vector_of_int8_pass: vector_ms.p50 / int8_pass_ms,
        embed_ms,
        lexical_ms,
        vector_ms,
        hybrid_ms,
        retrieval_ms,
        found_of_nearest: f64::from(found as u32) / f64::from(nearest.max(1) as u32),
        read_gb_s: bandwidth,
        int8_pass_ms,
    })
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn spread(mut times: Vec<f64>) -> Spread {
    Spread { p50: percentile(&mut times, 0.5), p95: percentile(&mut times, 0.95) }
}
