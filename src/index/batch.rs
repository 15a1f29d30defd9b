//! Many questions at once, for measuring from outside: a file of queries in, TREC run lines out.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::domain::Language;
use crate::engine::{Embed, EmbedInput, Only, PassageQuery, ProductQuery, Search, SearchMode};

/// How a batch is searched.
#[derive(Clone, Copy, Debug)]
pub struct BatchMode {
    /// Lexical, vector or both.
    pub mode: SearchMode,
    /// Hits per query.
    pub k: usize,
    /// Documents of the policies instead of products.
    pub policies: bool,
}

/// How a batch went.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatchSummary {
    /// Queries answered.
    pub queries: usize,
    /// Lines written.
    pub lines: usize,
    /// Queries without any hit.
    pub empty: usize,
    /// Median of the search alone, in milliseconds.
    pub search_p50_ms: f64,
    /// 95th percentile of the search alone.
    pub search_p95_ms: f64,
    /// Median of embedding one query.
    pub embed_p50_ms: f64,
    /// 95th percentile of embedding one query.
    pub embed_p95_ms: f64,
}

/// Answers a file of `qid<TAB>query` lines with TREC run lines `qid Q0 docid rank score truetill`.
///
/// # Errors
/// Names the line that is not `qid<TAB>query`; nothing is written then.
pub async fn search_batch(
    search: &dyn Search,
    embed: Option<&dyn Embed>,
    files: (&Path, &Path),
    how: BatchMode,
) -> anyhow::Result<BatchSummary> {
    let (queries, out) = files;
    let queries = read_queries(queries)?;
    let mut run = String::new();
    let (mut embedding, mut searching) = (Vec::new(), Vec::new());
    let (mut lines, mut empty) = (0, 0);
    for (qid, text) in &queries {
        let mut vector = None;
        if let (Some(embed), SearchMode::Vector | SearchMode::Hybrid) = (embed, how.mode) {
            let start = Instant::now();
            vector = embed.embed(EmbedInput::Query, vec![text.clone()]).await?.pop();
            embedding.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let start = Instant::now();
        let hits = hits(search, (text, vector), how).await?;
        searching.push(start.elapsed().as_secs_f64() * 1e3);
        empty += usize::from(hits.is_empty());
        for (rank, hit) in hits.iter().enumerate() {
            writeln!(run, "{qid} Q0 {} {} {} truetill", hit.0, rank + 1, hit.1)?;
            lines += 1;
        }
    }
    std::fs::write(out, run).with_context(|| format!("writing {}", out.display()))?;
    let [search_p50_ms, search_p95_ms] = percentiles(searching);
    let [embed_p50_ms, embed_p95_ms] = percentiles(embedding);
    let queries = queries.len();
    Ok(BatchSummary { queries, lines, empty, search_p50_ms, search_p95_ms, embed_p50_ms, embed_p95_ms })
}

/// What is found for one query, with its score: products, or documents by the best of their passages.
async fn hits(
    search: &dyn Search,
    (text, vector): (&str, Option<Vec<f32>>),
    how: BatchMode,
) -> anyhow::Result<Vec<(String, f32)>> {
    let (language, mode) = (script(text), how.mode);
    if !how.policies {
        let query = ProductQuery { text: text.into(), vector, language, mode, only: Only::default(), limit: how.k };
        let hits = search.products(&query).await?;
        return Ok(hits.into_iter().map(|hit| (hit.id.0, hit.score)).collect());
    }
    // Vectors alone: no word is looked for.
    let text = if mode == SearchMode::Vector { String::new() } else { text.to_string() };
    let query = PassageQuery { text, vector, language, document: None, limit: usize::MAX };
    let mut documents: Vec<(String, f32)> = Vec::new();
    for hit in search.passages(&query).await? {
        if !documents.iter().any(|(document, _)| *document == hit.passage.document) {
            documents.push((hit.passage.document, hit.score));
        }
    }
    documents.truncate(how.k);
    Ok(documents)
}

fn read_queries(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut queries = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = || format!("{}:{}: expected `qid<TAB>query`", path.display(), number + 1);
        let (qid, query) = line.split_once('\t').with_context(at)?;
        anyhow::ensure!(!qid.contains(char::is_whitespace) && !qid.is_empty(), "{}", at());
        queries.push((qid.to_string(), query.to_string()));
    }
    Ok(queries)
}

/// The language by its script alone; the search looks into all of them anyway.
fn script(text: &str) -> Language {
    if text.chars().any(|letter| matches!(letter, '\u{4e00}'..='\u{9fff}')) {
        Language::Zh
    } else if text.chars().any(|letter| matches!(letter, '\u{400}'..='\u{4ff}')) {
        Language::Ru
    } else {
        Language::En
    }
}

fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    [0.5, 0.95].map(|share| at(share).copied().unwrap_or(0.0))
}
