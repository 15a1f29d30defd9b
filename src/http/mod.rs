//! The HTTP edge: the only module that knows axum and JSON over the wire.
//! In: requests. Out: checked replies, problems and pages. It decides nothing about a conversation.

mod carriers;
mod cart;
mod catalog;
mod chat;
mod codes;
mod desk;
mod docs;
mod door;
pub mod error;
mod handover;
mod kpi;
mod measure;
mod messages;
mod openai;
mod ops;
mod page;
mod photos;
mod returns;
mod serve;
mod sources;
mod turns;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::http::door::auth::Keys;
use crate::http::door::queue::Queue;
use crate::http::door::{auth, passage};
use crate::http::openai::conversations::Conversations;

pub use chat::types::ChatReply;
pub use door::auth::Peer;
pub use serve::serve;

/// What the handlers share.
struct Gate {
    app: Arc<App>,
    keys: Keys,
    queue: Queue,
    conversations: Conversations,
    metrics: PrometheusHandle,
    words: page::Words,
    draining: AtomicBool,
}

/// Every route of the server.
///
/// # Errors
/// A key digest or a text of the page that cannot be read, by its setting or file.
pub fn router(app: Arc<App>) -> anyhow::Result<Router> {
    Ok(routes(Arc::new(Gate::new(app)?)))
}

impl Gate {
    fn new(app: Arc<App>) -> anyhow::Result<Gate> {
        Ok(Gate {
            keys: Keys::read(&app.config.server)?,
            queue: Queue::new(&app.config.server),
            conversations: Conversations::default(),
            metrics: measure::handle(),
            words: page::Words::load(&app.config.paths.data)?,
            draining: AtomicBool::new(false),
            app,
        })
    }
}

fn routes(gate: Arc<Gate>) -> Router {
    let keyed = Router::new()
        .route("/api/v1/chat", post(chat::chat))
        .route("/api/v1/catalog/patches", post(catalog::patch))
        .route("/api/v1/search", post(catalog::search))
        .route("/api/v1/tasks", post(desk::propose))
        .route("/api/v1/tasks/{id}", get(desk::task))
        .route("/api/v1/tasks/{id}", post(desk::confirm))
        .route("/api/v1/orders/find", post(desk::order))
        .route("/api/v1/codes", post(codes::ask))
        .route("/api/v1/codes/check", post(codes::check))
        .route("/api/v1/returns/{id}", post(returns::step))
        .route("/api/v1/cart", get(cart::show))
        .route("/api/v1/cart", post(cart::edit))
        .route("/api/v1/checkout", post(cart::propose))
        .route("/api/v1/checkout/{id}", post(cart::confirm))
        .route("/api/v1/payments/link", post(cart::payments::link))
        .route("/api/v1/handover", get(handover::queue))
        .route("/api/v1/handover/{id}", get(handover::packet))
        .route("/api/v1/handover/{id}", post(handover::step))
        .route("/api/v1/sessions/{id}/messages", get(handover::messages))
        .route("/api/v1/sessions/{id}/photos", post(photos::keep))
        .route("/api/v1/photos/{id}", get(photos::show))
        .route("/api/v1/consent", get(messages::consents))
        .route("/api/v1/consent", post(messages::consent))
        .route("/api/v1/messages", get(messages::messages))
        .route("/api/v1/carriers", get(carriers::show))
        .route("/api/v1/kpi", get(kpi::kpi))
        .route("/api/v1/feedback", post(kpi::feedback))
        .route("/v1/chat/completions", post(openai::completions))
        .route("/v1/embeddings", post(openai::embeddings::embeddings))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{id}", get(openai::model))
        .route("/api/v1/sources", get(sources::sources).route_layer(from_fn(auth::require_admin)))
        .route("/metrics", get(ops::metrics).route_layer(from_fn(auth::require_admin)))
        .route_layer(from_fn_with_state(Arc::clone(&gate), auth::require_key));
    let open = Router::new()
        .route("/api/v1/carriers/{name}/events", post(carriers::events))
        .route("/api/v1/payments/stripe", post(cart::payments::stripe))
        .route("/api/v1/payments/yookassa", post(cart::payments::yookassa))
        .route("/api/v1/returns/{id}", get(returns::show))
        .route("/api/v1/returns/{id}/label", get(returns::label))
        .route("/", get(page::chat))
        .route("/assets/{name}", get(page::asset))
        .route("/docs", get(page::docs))
        .route("/openapi.json", get(docs::openapi))
        .route("/health", get(ops::health))
        .route("/ready", get(ops::ready))
        .route("/version", get(ops::version));
    keyed
        .merge(open)
        .fallback(passage::nothing_here)
        .method_not_allowed_fallback(passage::wrong_method)
        .layer(CatchPanicLayer::custom(passage::panicked))
        .layer(from_fn(passage::pass))
        .with_state(gate)
}
