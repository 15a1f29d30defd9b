//! What payment providers tell: each in its own way, believed only when it can be nobody else, and written once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::cart::Settled;
use crate::engine::{Carts, Notice, NoticeError};
use crate::http::Gate;
use crate::http::door::body;
use crate::http::door::call::inside;
use crate::http::door::once::Keyed;
use crate::http::door::shape::Office;
use crate::http::error::{Code, Problem, ProblemBody};

/// What a notice came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticedBody {
    /// `paid`: the order is paid now; `known`: it was before; `ignored`: the notice says nothing about money that came in, or is not
    /// about an order of this shop; `amount`: another amount
    /// or currency than was asked for: the order stays unpaid, and an event `payment_mismatch` calls a person.
    result: &'static str,
}

/// A notice of Stripe, signed with the secret of `payments.webhook_secret`. Sending it again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/payments/stripe", tag = "cart", request_body(content = Object, description = "Stripe's event"),
    params(("Stripe-Signature" = String, Header, description = "t=...,v1=...; at most 300 s off")),
    responses(
        (status = 200, description = "Read", body = NoticedBody),
        (status = 400, description = "Not signed by Stripe", body = ProblemBody),
        (status = 503, description = "Cannot be looked at now; send it again", body = ProblemBody),
    )
)]
pub async fn stripe(State(gate): State<Arc<Gate>>, request: Request) -> Result<Json<NoticedBody>, Problem> {
    let signature = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok()).map(str::to_string);
    let bytes = body::whole(request, gate.app.config.server.body_bytes).await?.1;
    noticed(&gate.app, "stripe", (&bytes, signature.as_deref())).await.map(Json)
}

/// A notice of YooKassa. It is not signed, so the payment is read from YooKassa again before it is believed.
#[utoipa::path(
    post, path = "/api/v1/payments/yookassa", tag = "cart", request_body(content = Object, description = "YooKassa's notice"),
    responses(
        (status = 200, description = "Read", body = NoticedBody),
        (status = 400, description = "It names no payment", body = ProblemBody),
        (status = 503, description = "YooKassa could not be asked; send it again", body = ProblemBody),
    )
)]
pub async fn yookassa(State(gate): State<Arc<Gate>>, request: Request) -> Result<Json<NoticedBody>, Problem> {
    let bytes = body::whole(request, gate.app.config.server.body_bytes).await?.1;
    noticed(&gate.app, "yookassa", (&bytes, None)).await.map(Json)
}

/// The shop's own page tells that an order was paid: `order`, `amount`, `currency`. Admin keys only.
#[utoipa::path(
    post, path = "/api/v1/payments/link", tag = "cart", params(Keyed),
    request_body(content = Object, description = "`order`, `amount` as digits with a point, `currency`"),
    responses(
        (status = 200, description = "Read", body = NoticedBody),
        (status = 400, description = "It names no payment", body = ProblemBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "The key stands for another body", body = ProblemBody),
    )
)]
pub async fn link(
    _: Office,
    State(gate): State<Arc<Gate>>,
    keyed: Keyed,
    request: Request,
) -> Result<Response, Problem> {
    let app = Arc::clone(&gate.app);
    let bytes: Arc<[u8]> = body::whole(request, app.config.server.body_bytes).await?.1.into();
    let told = Arc::clone(&bytes);
    keyed.once(&bytes, async move { Ok((StatusCode::OK, noticed(&app, "link", (&told, None)).await?)) }).await
}

/// What a provider's word comes to: its body, and its signature where it signs.
async fn noticed(
    app: &App,
    provider: &'static str,
    (body, signature): (&[u8], Option<&str>),
) -> Result<NoticedBody, Problem> {
    if app.payments.provider() != provider {
        let detail = format!("payments.provider is {}, not {provider}.", app.payments.provider());
        return Err(Problem::new(Code::NoticeRefused, detail));
    }
    let notice = Notice { body, signature, now: app.now() };
    let paid = match app.payments.paid(notice).await {
        Ok(Some(paid)) => paid,
        Ok(None) => return Ok(NoticedBody { result: "ignored" }),
        Err(NoticeError::Refused(why)) => return Err(Problem::new(Code::NoticeRefused, format!("{why}."))),
        Err(NoticeError::Unknown(error)) => {
            tracing::error!("a payment could not be looked up: {error:#}");
            let problem = Problem::new(Code::Busy, "The payment could not be looked up.");
            return Err(Problem { retry_after_s: Some(30), ..problem });
        }
    };
    let result = match app.state.settle(provider, &paid).await.map_err(inside("the payment"))? {
        Settled::Now => "paid",
        Settled::Before => "known",
        Settled::Unknown => "ignored",
        Settled::WrongAmount => {
            tracing::error!(provider, reference = paid.reference, "a payment of another amount than its order's");
            "amount"
        }
    };
    Ok(NoticedBody { result })
}
