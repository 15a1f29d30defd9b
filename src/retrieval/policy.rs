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

/// How far ahead of the second the first cosine must be to need no judge.
const CLEAR: f32 = 0.02;

impl Passages {
    /// True when the first passage stands out by meaning as well as by words.
    pub fn clear(&self) -> bool {
        match self.hits.as_slice() {
            [first, second, ..] => match (first.vector, second.vector) {
                (Some(a), Some(b)) => a - b >= CLEAR,
                _ => false,
            },
            _ => true,
        }
    }
}

/// A document's first section answers the question that asks for no more than its topic, unless another is nearer by this much.
const NEARER: f32 = 0.03;

impl Passages {
    /// Where the first section of a document stands among them, if nothing is much nearer to the question.
    pub fn general(&self) -> Option<usize> {
        let best = self.hits.iter().filter_map(|hit| hit.vector).fold(f32::NEG_INFINITY, f32::max);
        let first = |hit: &PassageHit| hit.id.ends_with("#1") && hit.vector.is_some_and(|near| best - near < NEARER);
        self.hits.iter().position(first)
    }
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
