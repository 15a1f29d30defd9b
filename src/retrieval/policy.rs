//! Passages of the shop's rules for a question.

use jiff::Timestamp;

use crate::domain::plan::Absence;
use crate::domain::{Fact, FactBody, FactId, Language};
use crate::engine::{PassageHit, PassageQuery, Search};

/// Passages found, best first, each a fact.
#[derive(Clone, Debug, Default)]
pub struct Passages {
    /// The facts, best first.
    pub facts: Vec<Fact>,
    /// The hits, for `--explain`.
    pub hits: Vec<PassageHit>,
    /// Why there is none.
    pub absence: Option<Absence>,
}

/// Finds passages in the language of the question, else in English.
pub async fn passages(search: &dyn Search, mut query: PassageQuery, now: Timestamp) -> Passages {
    let mut hits = search.passages(&query).await;
    if matches!(&hits, Ok(found) if found.is_empty()) && query.language != Language::En {
        query.language = Language::En;
        hits = search.passages(&query).await;
    }
    match hits {
        Ok(hits) if hits.is_empty() => Passages { absence: Some(Absence::NoPolicy), ..Passages::default() },
        Ok(hits) => Passages { facts: hits.iter().map(|hit| fact(hit, now)).collect(), hits, absence: None },
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "policies could not be read");
            Passages { absence: Some(Absence::SourceDown), ..Passages::default() }
        }
    }
}

fn fact(hit: &PassageHit, now: Timestamp) -> Fact {
    Fact {
        id: FactId(format!("passage:{}", hit.id)),
        source: format!("{}@{}", hit.id, hit.passage.version),
        as_of: now,
        body: FactBody::Passage(hit.passage.clone()),
    }
}
