//! Prices and stock from the merchant's systems, quoted from the next message on; and what a search finds.
//! A patch is kept before it is answered; it outlives the next index. Nothing here changes a product's texts.

pub mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::response::Response;

use crate::app::App;
use crate::domain::Sku;
use crate::engine::{EmbedInput, ProductQuery};
use crate::http::Gate;
use crate::http::door::auth::Caller;
use crate::http::door::body::{Body, Kind, whole};
use crate::http::door::once::Keyed;
use crate::http::error::{Code, Problem, ProblemBody};
use crate::store::{Batch, Patch, Patched};
use types::{Known, PatchReply, PatchRequest, PatchWord, Refused, SearchHit, SearchReply, SearchRequest};

/// Patches written in one go; others wait for one another no longer than that.
const BATCH: usize = 500;

/// Takes new prices and stock of variants: quoted from the next message on, without a new index.
///
/// Either one JSON object with `patches`, or `application/x-ndjson`: a patch per line, `source`, `as_of` and `max_age_s`
/// as query parameters. Of two words about a variant the newer `as_of` counts, whether it came here or with a feed.
/// A price that is older than `max_age_s` when somebody asks is not told. Patches that cannot be used are named; the
/// others count.
#[utoipa::path(
    post, path = "/api/v1/catalog/patches", tag = "catalog", request_body = PatchRequest,
    params(
        ("source" = Option<String>, Query, description = "Of NDJSON: who says so"),
        ("as_of" = Option<String>, Query, description = "Of NDJSON: when it was true, RFC 3339; default: now"),
        ("max_age_s" = Option<u64>, Query, description = "Of NDJSON: how long it may be told; default: the settings"),
        Keyed,
    ),
    responses(
        (status = 200, description = "All of it counts, or something newer does", body = PatchReply),
        (status = 207, description = "Some patches were refused", body = PatchReply),
        (status = 401, description = "A key is needed", body = ProblemBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 413, description = "The body is too large", body = ProblemBody),
        (status = 422, description = "No patch can be used", body = PatchReply),
    )
)]
pub async fn patch(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    keyed: Keyed,
    Query(word): Query<PatchWord>,
    request: Request,
) -> Result<Response, Problem> {
    if !caller.admin || !caller.trusted {
        return Err(Problem::new(Code::AdminOnly, "Prices are taken from the shop's own systems only."));
    }
    let (kind, bytes) = whole(request, gate.app.config.server.catalog_bytes).await?;
    let (word, lines) = match kind {
        Kind::Json => {
            let request: PatchRequest = crate::http::door::body::parse(&bytes)?;
            (request.word(), request.patches.into_iter().map(Ok).collect())
        }
        Kind::Lines => (word, lines(&bytes)),
    };
    let word = word.checked(gate.app.now())?;
    let app = Arc::clone(&gate.app);
    let work = async move {
        let reply = apply(&app, lines, &word).await.map_err(failed)?;
        Ok((reply.status(), reply))
    };
    keyed.once(&bytes, work).await
}

type Line = Result<Patch, String>;

fn lines(bytes: &[u8]) -> Vec<Line> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string())).collect()
}

async fn apply(app: &App, lines: Vec<Line>, word: &Known) -> anyhow::Result<PatchReply> {
    let batch = Batch { source: &word.source, word: word.word, now: app.now() };
    let mut reply = PatchReply::default();
    let mut readable: Vec<(usize, Patch)> = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        match line {
            Ok(patch) => readable.push((index + 1, patch)),
            Err(reason) => reply.refused.push(Refused::new(index + 1, "", ("-", reason, "send one patch per line"))),
        }
    }
    for chunk in readable.chunks(BATCH) {
        let skus: Vec<Sku> = chunk.iter().map(|(_, patch)| patch.sku.clone()).collect();
        let known = app.catalog.known(&skus).await?;
        let (mut places, mut patches): (Vec<usize>, Vec<Patch>) = Default::default();
        for ((line, patch), known) in chunk.iter().zip(known) {
            if known {
                places.push(*line);
                patches.push(patch.clone());
            } else {
                let why = ("sku", "no variant has this SKU".to_string(), "correct it, or index the product first");
                reply.refused.push(Refused::new(*line, patch.sku.as_str(), why));
            }
        }
        let outcomes = app.state.patch(&patches, &batch).await?;
        for ((line, patch), outcome) in places.into_iter().zip(&patches).zip(outcomes) {
            match outcome {
                Patched::Applied => reply.applied += 1,
                Patched::Older => reply.older += 1,
                Patched::Refused(field, reason, fix) => {
                    reply.refused.push(Refused::new(line, patch.sku.as_str(), (field, reason, fix)));
                }
            }
        }
    }
    reply.refused.sort_by_key(|refused| refused.line);
    Ok(reply)
}

/// Finds products by words, with the price and stock of this moment.
#[utoipa::path(
    post, path = "/api/v1/search", tag = "catalog", request_body = SearchRequest,
    responses(
        (status = 200, description = "Products, best first", body = SearchReply),
        (status = 401, description = "A key is needed", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable", body = ProblemBody),
    )
)]
pub async fn search(State(gate): State<Arc<Gate>>, body: Body<SearchRequest>) -> Result<Json<SearchReply>, Problem> {
    let asked = body.value.checked(&gate.app)?;
    find(&gate.app, asked).await.map(Json).map_err(failed)
}

async fn find(app: &App, (query, currency): (ProductQuery, crate::domain::Currency)) -> anyhow::Result<SearchReply> {
    let language = query.language;
    let vector = app.embed.embed(EmbedInput::Query, vec![query.text.clone()]).await?.into_iter().next();
    let hits = app.search.products(&ProductQuery { vector, ..query }).await?;
    let ids: Vec<_> = hits.iter().map(|hit| hit.id.clone()).collect();
    let (products, offers) = (app.catalog.products(&ids).await?, app.catalog.offers(&ids, currency).await?);
    let found = |hit: crate::engine::ProductHit| {
        let product = products.iter().find(|product| product.id == hit.id)?;
        let offers = offers.iter().filter(|offer| offer.product == hit.id);
        Some(SearchHit::new(&hit, product.name.get(language), offers))
    };
    Ok(SearchReply { generation: app.search.generation().id, hits: hits.into_iter().filter_map(found).collect() })
}

fn failed(error: anyhow::Error) -> Problem {
    tracing::error!("the catalog failed: {error:#}");
    Problem::new(Code::Internal, "The catalog could not be read or written.")
}
