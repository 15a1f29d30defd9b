//! How the shop's own systems stand: feeds that are fetched, sources that confirm prices. For operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::LiveState;
use crate::http::Gate;
use crate::http::error::ProblemBody;
use crate::sources::status::{self, FeedStatus};

/// How the shop's own systems stand.
#[derive(Serialize, ToSchema)]
pub struct SourcesBody {
    /// Feeds of the settings, in their order.
    feeds: Vec<FeedBody>,
    /// Sources that are asked when a price is told.
    live: Vec<LiveBody>,
}

/// A feed.
#[derive(Serialize, ToSchema)]
pub struct FeedBody {
    /// Its name in the settings.
    name: String,
    /// `products` or `changes`.
    holds: &'static str,
    /// True when the last fetch succeeded and what came was taken.
    well: bool,
    /// Length of the kept file.
    bytes: u64,
    /// When the kept file came.
    #[schema(value_type = Option<String>, format = DateTime)]
    fetched_at: Option<jiff::Timestamp>,
    /// When the source last said that it is still so.
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<jiff::Timestamp>,
    /// When it is fetched next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<jiff::Timestamp>,
    /// The generation it is in; of changes `patches`.
    into: Option<String>,
    /// Why its file was not taken.
    refused: Option<String>,
    /// Failures in a row.
    failures: u32,
    /// The last of them.
    failed: Option<String>,
}

impl From<FeedStatus> for FeedBody {
    fn from(feed: FeedStatus) -> FeedBody {
        let well = feed.well();
        let FeedStatus { name, bytes, fetched_at, confirmed_at, next_at, into, refused, failures, failed, .. } = feed;
        let holds = feed.holds.name();
        FeedBody { name, holds, well, bytes, fetched_at, confirmed_at, next_at, into, refused, failures, failed }
    }
}

/// A source that is asked when a price is told.
#[derive(Serialize, ToSchema)]
pub struct LiveBody {
    /// Its name in the settings.
    name: String,
    /// What it is.
    kind: String,
    /// True while it is asked; false while it is left alone.
    open: bool,
    /// Failures in a row.
    failures: u32,
    /// When it last answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    answered_at: Option<jiff::Timestamp>,
    /// Why the last question had no answer.
    failed: Option<String>,
}

impl From<LiveState> for LiveBody {
    fn from(live: LiveState) -> LiveBody {
        let LiveState { name, kind, open, failures, answered_at, failed } = live;
        LiveBody { name, kind, open, failures, answered_at, failed }
    }
}

/// Feeds and live sources: when they last answered, what became of it, when they are asked next.
#[utoipa::path(get, path = "/api/v1/sources", tag = "operation", security(("key" = [])), responses(
    (status = 200, description = "How they stand", body = SourcesBody),
    (status = 401, description = "A key is needed", body = ProblemBody),
    (status = 403, description = "An admin key is needed", body = ProblemBody),
))]
pub async fn sources(State(gate): State<Arc<Gate>>) -> Json<SourcesBody> {
    let feeds = status::feeds(&gate.app.config).into_iter().map(FeedBody::from).collect();
    let live = gate.app.catalog.live().into_iter().map(LiveBody::from).collect();
    Json(SourcesBody { feeds, live })
}
