//! The description of the API, made from the handlers themselves.

use axum::Json;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::http::error::Code;
use crate::http::{
    carriers, cart, catalog, chat, codes, desk, handover, kpi, messages, openai, ops, photos, returns, sources,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "truetill", description = "A shop assistant that cannot quote a wrong price."),
    paths(
        carriers::events, carriers::show, chat::chat, cart::show, cart::edit, cart::propose, cart::confirm, cart::payments::stripe,
        cart::payments::yookassa, cart::payments::link, catalog::patch, catalog::search, codes::ask, codes::check, desk::propose, desk::confirm, desk::task, desk::order, handover::queue,
        handover::packet, handover::step, handover::messages, kpi::kpi, kpi::feedback, messages::consent, messages::consents, messages::messages, photos::keep, photos::show, openai::completions, openai::models, returns::show, returns::label, returns::step,
        openai::model,
        openai::embeddings::embeddings,
        ops::health, ops::ready, ops::metrics, ops::version, sources::sources, openapi,
    ),
    components(schemas(Code)),
    security((), ("key" = [])),
    modifiers(&Keyed),
    tags(
        (name = "chat", description = "The native API."),
        (name = "catalog", description = "Prices and stock of this moment; search."),
        (name = "cart", description = "Carts, the orders they become, and how those are paid."),
        (name = "desk", description = "Orders: what may be done, proposed, confirmed, done once."),
        (name = "carriers", description = "Where parcels are: what carriers tell, and what of it could not be used."),
        (name = "handover", description = "A person takes over: queue, packet, steps, messages."),
        (name = "messages", description = "Messages the shop starts: consent, and what was sent."),
        (name = "openai", description = "For clients of the OpenAI API."),
        (name = "operation", description = "For operators."),
    )
)]
struct Description;

struct Keyed;

impl Modify for Keyed {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of server.keys")).build();
        openapi.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Describes this API.
#[utoipa::path(get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "This document", content_type = "application/json")))]
pub async fn openapi() -> impl IntoResponse {
    Json(describe())
}

fn describe() -> Value {
    let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
    let codes = Code::ALL.iter().map(|code| {
        let meaning = json!({ "status": code.status().as_u16(), "title": code.title(), "fix": code.fix() });
        (code.as_str().to_string(), meaning)
    });
    document["x-error-codes"] = Value::Object(codes.collect());
    document
}
