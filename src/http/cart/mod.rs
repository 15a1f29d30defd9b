//! Carts and checkouts over HTTP, and what payment providers tell. The rules live in `tasks`; an edit is done once for its key.

pub mod payments;
pub mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::app::App;
use crate::domain::cart::{Checkout, CheckoutState, Owner};
use crate::domain::session::Session;
use crate::http::Gate;
use crate::http::desk::types::ConfirmRequest;
use crate::http::door::auth::Caller;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::{self, Queried};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::tasks::cart::{Cashier, Till, Visit};
use crate::tasks::desk::Wrong;
use types::{CartBody, CartQuery, CheckoutBody, CheckoutRequest, EditRequest, Whose};

/// What lies in a cart and what it costs now.
#[utoipa::path(
    get, path = "/api/v1/cart", tag = "cart", params(CartQuery),
    responses(
        (status = 200, description = "The cart, priced from the catalog now", body = CartBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 422, description = "Neither session_id nor customer", body = ProblemBody),
    )
)]
pub async fn show(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    Queried(query): Queried<CartQuery>,
) -> Result<Json<CartBody>, Problem> {
    let whose = query.whose();
    let app = &gate.app;
    let owner = whose.owner(app, &caller).await?;
    let language = whose.language()?;
    let visit = Visit { owner: &owner, currency: app.config.shop.currency_of(language), language };
    let priced = till(app).show(visit).await.map_err(inside("the cart"))?;
    Ok(Json(CartBody::new(&owner, priced)))
}

/// Makes one change of a cart: `add`, `set`, `remove`, `clear`, `coupon`, `no_coupon`, `place`.
///
/// Without `session_id` and `customer` a new conversation is begun and its id told. With `Idempotency-Key` a change is made once,
/// also over restarts. There is never more in a cart than there is in stock.
#[utoipa::path(
    post, path = "/api/v1/cart", tag = "cart", request_body = EditRequest,
    params(Keyed),
    responses(
        (status = 200, description = "The cart as it was read back, or why it stays as it is", body = CartBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn edit(call: Call<EditRequest>) -> Result<Response, Problem> {
    let whose = call.body.whose();
    let (language, operation, caller) = (whose.language()?, call.keyed.operation(), call.caller.clone());
    let operation = operation.unwrap_or_else(|| format!("call:{}", Uuid::now_v7()));
    call.once(move |app, request| async move {
        let owner = whose.owner_or_new(&app, &caller).await?;
        let visit = Visit { owner: &owner, currency: app.config.shop.currency_of(language), language };
        let done = till(&app).edit(visit, &request.edit, &operation).await.map_err(inside("the cart"))?;
        let body = match done {
            Ok(priced) => CartBody::new(&owner, priced),
            Err(denied) => {
                let priced = till(&app).show(visit).await.map_err(inside("the cart"))?;
                CartBody::new(&owner, priced).denied(denied)
            }
        };
        Ok((StatusCode::OK, body))
    })
    .await
}

/// Shows what would be ordered, with a token that confirms exactly that. No order is written yet.
#[utoipa::path(
    post, path = "/api/v1/checkout", tag = "cart", request_body = CheckoutRequest,
    params(Keyed),
    responses(
        (status = 201, description = "The proposal, or why there is none", body = CheckoutBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 404, description = "Unknown conversation", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn propose(call: Call<CheckoutRequest>) -> Result<Response, Problem> {
    let whose = call.body.whose();
    let (language, caller) = (whose.language()?, call.caller.clone());
    call.once(move |app, request| async move {
        let owner = whose.owner(&app, &caller).await?;
        let visit = Visit { owner: &owner, currency: app.config.shop.currency_of(language), language };
        let proposed = till(&app).propose(visit, request.buyer).await.map_err(inside("the checkout"))?;
        Ok((StatusCode::CREATED, CheckoutBody::proposed(proposed)))
    })
    .await
}

/// Confirms a checkout with its token, or withdraws it. Repeating a confirmation orders nothing twice.
///
/// `placed` is said only after the written order was read again; `payment` is where it is paid. `refused` with `changed` means
/// that the cart or a price is no longer what was shown: propose anew.
#[utoipa::path(
    post, path = "/api/v1/checkout/{id}", tag = "cart", request_body = ConfirmRequest,
    params(
        ("id" = String, Path, description = "The checkout"),
        Keyed,
    ),
    responses(
        (status = 200, description = "How the checkout ended", body = CheckoutBody),
        (status = 404, description = "Unknown checkout", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "The token is not this proposal's; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn confirm(Path(id): Path<String>, call: Call<ConfirmRequest>) -> Result<Response, Problem> {
    let id = shape::id(&id, "a checkout's")?;
    call.once(move |app, ConfirmRequest { token, confirm }| async move {
        let till = till(&app);
        let ended = if confirm { till.confirm(&id, &token).await } else { till.withdraw(&id, &token).await };
        match ended.map_err(inside("the checkout"))? {
            Ok(checkout) => Ok((StatusCode::OK, with_payment(&app, checkout).await?)),
            Err(Wrong::Task) => {
                Err(Problem::of_field(Code::UnknownCheckout, "id", format!("There is no checkout {id}.")))
            }
            Err(Wrong::Token) => {
                Err(Problem::of_field(Code::InvalidField, "token", "It does not stand for this proposal."))
            }
        }
    })
    .await
}

/// The end of a checkout with the link its order is paid by. A provider that does not answer delays the link, not the order.
async fn with_payment(app: &App, checkout: Checkout) -> Result<CheckoutBody, Problem> {
    let number = checkout.order.clone().filter(|_| checkout.state == CheckoutState::Placed);
    let body = CheckoutBody::ended(checkout);
    let Some(number) = number else { return Ok(body) };
    let till = till(app);
    let order = till.book.placed(&number).await.map_err(inside("the checkout"))?;
    let Some(order) = order else { return Err(inside("the checkout")(anyhow::anyhow!("order {number} is gone"))) };
    let cashier = Cashier { book: &app.state, links: &*app.payments, now: app.now() };
    match cashier.link(&order).await {
        Ok(link) => Ok(body.with_payment(link)),
        Err(error) => {
            tracing::error!("a payment link could not be made: {error:#}");
            Ok(body)
        }
    }
}

fn till(app: &App) -> Till<'_> {
    Till { book: &app.state, catalog: &*app.catalog, terms: &app.shop, rules: &app.cart_rules, now: app.now() }
}

impl Whose {
    /// The owner, as far as the caller may say.
    async fn owner(&self, app: &App, caller: &Caller) -> Result<Owner, Problem> {
        let customer = self.customer(caller)?;
        let session = self.session()?;
        if customer.is_none() && session.is_none() {
            return Err(Problem::of_field(Code::MissingField, "session_id", "Send `session_id` or `customer`."));
        }
        let known = match session {
            Some(id) => Some(shape::known(app, id, "the cart").await?),
            None => None,
        };
        let held = known.as_ref().and_then(|session| session.customer_at(app.now()));
        let owned_by = known.as_ref().and_then(|session| session.customer.as_ref());
        match (&customer, session, owned_by) {
            (Some(customer), Some(id), Some(other)) if customer != other => return Err(shape::unknown(id)),
            (Some(customer), Some(id), None) => {
                // Who logs in takes along what they chose before.
                let anonymous = Owner { customer: None, session: Some(id) };
                let own = Owner { customer: Some(customer.clone()), session: Some(id) };
                app.state.merge_carts(&anonymous.key(), &own.key()).await.map_err(inside("the cart"))?;
            }
            _ => {}
        }
        // A conversation whose customer is known has that customer's cart, whoever asks.
        let customer = customer.or(held.map(str::to_string));
        Ok(Owner { customer, session })
    }

    /// The same; whoever has neither begins a conversation.
    async fn owner_or_new(&self, app: &App, caller: &Caller) -> Result<Owner, Problem> {
        if self.customer(caller)?.is_some() || self.session()?.is_some() {
            return self.owner(app, caller).await;
        }
        let session = Session { language: self.language()?, ..Session::default() };
        app.state.begin(&session).await.map_err(inside("the cart"))?;
        Ok(Owner { customer: None, session: Some(session.id) })
    }
}
