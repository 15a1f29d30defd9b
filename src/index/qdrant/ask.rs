//! Questions to the collection of one generation. A server that does not answer is left alone for a while, and questions are answered
//! by their words; that it is so can be seen at `/ready` and in `/metrics`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use qdrant_client::qdrant::{
    Condition, Filter, PointId, QuantizationSearchParams, Query, QueryPoints, ScoredPoint, SearchParams,
    point_id::PointIdOptions,
};
use tokio::runtime::Handle;

use crate::domain::vectors::Quantisation;
use crate::engine::Only;
use crate::index::fusion;
use crate::index::neighbours::{Hits, Neighbours, Wanted};

use super::{Server, passing};

/// So many times the rows asked for are scored again with whole vectors.
const OVERSAMPLING: f64 = 2.0;

/// The vectors of one generation, in a collection.
pub struct Asked {
    server: Server,
    collection: String,
    dimensions: usize,
    runtime: Handle,
    /// Until when nobody asks, and why.
    rest: Mutex<Option<(Instant, String)>>,
}

impl Server {
    /// The vectors of a generation. A server that cannot be reached now is asked later: questions are answered by words until then.
    ///
    /// # Errors
    /// When the server answers, but has not these vectors, or refuses.
    pub async fn vectors_of(&self, generation: &str, (rows, dimensions): (usize, usize)) -> anyhow::Result<Asked> {
        let collection = self.collection(generation);
        let found = self.client.collection_info(&collection).await;
        let mut rest = None;
        match found {
            Ok(info) => {
                let count = info.result.and_then(|info| info.points_count).unwrap_or_default();
                ensure!(
                    count == rows as u64,
                    "the collection {collection} at {} holds {count} of {rows} vectors: run `truetill index --to qdrant`",
                    self.url()
                );
            }
            Err(error) if passing(&error) => {
                let reason = self.reason(&error);
                tracing::warn!("questions are answered by words alone: {reason}");
                rest = Some((Instant::now() + self.patience.rest, reason));
            }
            Err(error) => return Err(self.told(&format!("opening the collection {collection}"), &error)),
        }
        mark(rest.is_some());
        let (server, runtime, rest) = (self.clone(), Handle::current(), Mutex::new(rest));
        Ok(Asked { server, collection, dimensions, runtime, rest })
    }

    fn question(&self, collection: &str, wanted: &Wanted<'_>) -> QueryPoints {
        let again =
            QuantizationSearchParams { ignore: Some(false), rescore: Some(true), oversampling: Some(OVERSAMPLING) };
        let quantization = (self.settings.quantisation != Quantisation::None).then_some(again);
        QueryPoints {
            collection_name: collection.to_string(),
            query: Some(Query::from(wanted.question.to_vec())),
            limit: Some(wanted.limit as u64),
            filter: wanted.only.map(|(only, _)| filter(only)),
            params: Some(SearchParams { quantization, ..SearchParams::default() }),
            with_payload: Some(false.into()),
            with_vectors: Some(false.into()),
            timeout: Some(self.settings.timeout_ms.div_ceil(1000)),
            ..QueryPoints::default()
        }
    }
}

impl Asked {
    fn resting(&self) -> bool {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.as_ref().is_some_and(|(until, _)| Instant::now() < *until)
    }

    fn note(&self, trouble: Option<String>) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match (&trouble, rest.is_some()) {
            (Some(reason), false) => tracing::warn!("questions are answered by words alone: {reason}"),
            (None, true) => tracing::info!(url = self.server.url(), "the Qdrant server answers again"),
            _ => {}
        }
        mark(trouble.is_some());
        *rest = trouble.map(|reason| (Instant::now() + self.server.patience.rest, reason));
    }

    async fn ask(&self, wanted: &Wanted<'_>) -> anyhow::Result<Option<Hits>> {
        let patience = Duration::from_millis(self.server.settings.timeout_ms);
        let asked = self.server.client.query(self.server.question(&self.collection, wanted));
        let answer = match tokio::time::timeout(patience, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.note(Some(self.server.reason(&error)));
                return Ok(None);
            }
            Err(_) => {
                let url = self.server.url();
                self.note(Some(format!(
                    "no answer from {url} within index.qdrant.timeout_ms = {}",
                    patience.as_millis()
                )));
                return Ok(None);
            }
        };
        self.note(None);
        let mut hits: Hits = answer.result.iter().map(hit).collect::<anyhow::Result<_>>()?;
        fusion::sort(&mut hits);
        Ok(Some(hits))
    }
}

impl Neighbours for Asked {
    fn nearest(&self, wanted: &Wanted<'_>) -> anyhow::Result<Option<Hits>> {
        let length = wanted.question.len();
        ensure!(length == self.dimensions, "a query vector of {length} instead of {} numbers", self.dimensions);
        if self.resting() {
            metrics::counter!("truetill_searches_by_words_total").increment(1);
            return Ok(None);
        }
        let found = self.runtime.block_on(self.ask(wanted))?;
        if found.is_none() {
            metrics::counter!("truetill_searches_by_words_total").increment(1);
        }
        Ok(found)
    }

    fn trouble(&self) -> Option<String> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.as_ref().map(|(_, reason)| format!("questions are answered by words alone: {reason}"))
    }
}

/// A product that does not tell of such a thing is not ruled out by it.
fn filter(only: &Only) -> Filter {
    let fields = [("colour", &only.colour), ("size", &only.size)];
    let told = fields.into_iter().filter_map(|(field, wanted)| Some((field, wanted.clone()?)));
    Filter::must(told.map(|(field, wanted)| {
        Condition::from(Filter::should([Condition::matches(field, wanted), Condition::is_empty(field)]))
    }))
}

fn mark(down: bool) {
    metrics::gauge!("truetill_vectors_down").set(if down { 1.0 } else { 0.0 });
}

fn hit(point: &ScoredPoint) -> anyhow::Result<(usize, f32)> {
    match &point.id {
        Some(PointId { point_id_options: Some(PointIdOptions::Num(row)) }) => Ok((usize::try_from(*row)?, point.score)),
        other => bail!("the collection holds a point that is no row of ours: {other:?}"),
    }
}
