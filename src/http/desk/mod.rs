//! The order desk over HTTP: propose an operation, see what it would do, confirm it. The rules live in `tasks`.
//! A task is ended once, whatever a client repeats; with `Idempotency-Key` it also gets the first answer again.

pub mod types;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::domain::desk::{Operation, Task};
use crate::domain::order::Order;
use crate::engine::OrderDesk;
use crate::http::Gate;
use crate::http::door::auth::Caller;
use crate::http::door::body::Body;
use crate::http::door::call::{Call, inside};
use crate::http::door::once::Keyed;
use crate::http::door::shape::{self, Admin, conversation};
use crate::http::error::{Code, Problem, ProblemBody};
use crate::tasks::desk::{Desk, Wrong};
use crate::tasks::{Door, Identity};
use types::{ConfirmRequest, OrderBody, OrderRequest, TaskBody, TaskRequest, Who};

/// What failed, for the log and the answer.
const DESK: &str = "The order desk";

/// Proposes an operation on an order and says what it would do. Nothing is written to the order yet.
///
/// `customer` is taken from the shop's own server only; everybody else proves with the order's phone or e-mail.
/// An order of somebody else is refused like one that does not exist: `no_order`.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "desk", request_body = TaskRequest,
    params(Keyed),
    responses(
        (status = 201, description = "The proposal, or the rule that forbids it", body = TaskBody),
        (status = 401, description = "A key is needed", body = ProblemBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "A field is unknown, missing or unusable; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn propose(call: Call<TaskRequest>) -> Result<Response, Problem> {
    let who = call.body.who(&call.caller).checked(&call.caller)?;
    call.once(move |app, request| async move {
        let customer = known_customer(&app, &who, &request.operation).await?;
        let task = desk(&app).propose(&customer, request.operation).await.map_err(inside(DESK))?;
        Ok((StatusCode::CREATED, TaskBody::new(task, true)))
    })
    .await
}

/// Confirms a proposal with its token, or withdraws it. Repeating a confirmation does nothing twice.
///
/// `done` is said only after the written order was read again. `refused` with `changed` means that the order is no
/// longer what was shown: propose anew.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}", tag = "desk", request_body = ConfirmRequest,
    params(
        ("id" = String, Path, description = "The task"),
        Keyed,
    ),
    responses(
        (status = 200, description = "How the task ended", body = TaskBody),
        (status = 401, description = "A key is needed", body = ProblemBody),
        (status = 404, description = "Unknown task", body = ProblemBody),
        (status = 409, description = "The first request with this key still runs", body = ProblemBody),
        (status = 422, description = "The token is not this proposal's; or the key stands for another body", body = ProblemBody),
    )
)]
pub async fn confirm(Path(id): Path<String>, call: Call<ConfirmRequest>) -> Result<Response, Problem> {
    let id = task_id(&id)?;
    call.once(move |app, ConfirmRequest { token, confirm }| async move {
        let desk = desk(&app);
        let ended = if confirm { desk.confirm(&id, &token).await } else { desk.withdraw(&id, &token).await };
        match ended.map_err(inside(DESK))? {
            Ok(task) => Ok((StatusCode::OK, TaskBody::new(task, false))),
            Err(Wrong::Task) => Err(unknown_task(&id)),
            Err(Wrong::Token) => {
                Err(Problem::of_field(Code::InvalidField, "token", "It does not stand for this proposal."))
            }
        }
    })
    .await
}

/// Shows a task to the back office.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "desk", params(("id" = String, Path, description = "The task")),
    responses(
        (status = 200, description = "The task", body = TaskBody),
        (status = 403, description = "An admin key is needed", body = ProblemBody),
        (status = 404, description = "Unknown task", body = ProblemBody),
    )
)]
pub async fn task(_: Admin, State(gate): State<Arc<Gate>>, Path(id): Path<String>) -> Result<Json<TaskBody>, Problem> {
    let id = task_id(&id)?;
    let task: Option<Task> = gate.app.state.task(&id).await.map_err(inside(DESK))?;
    task.map(|task| Json(TaskBody::new(task, false))).ok_or_else(|| unknown_task(&id))
}

/// An order for whoever may see it. Somebody else's order is missing.
#[utoipa::path(
    post, path = "/api/v1/orders/find", tag = "desk", request_body = OrderRequest,
    responses(
        (status = 200, description = "The order", body = OrderBody),
        (status = 403, description = "`customer` from an untrusted caller", body = ProblemBody),
        (status = 404, description = "No such order of this customer", body = ProblemBody),
        (status = 422, description = "Neither customer nor phone nor e-mail", body = ProblemBody),
    )
)]
pub async fn order(
    State(gate): State<Arc<Gate>>,
    caller: Caller,
    body: Body<OrderRequest>,
) -> Result<Json<OrderBody>, Problem> {
    let who = body.value.who(&caller).checked(&caller)?;
    let number = body.value.number;
    let owned = owned(&gate.app, &who, &number).await?;
    let missing = || Problem::of_field(Code::UnknownOrder, "number", "No order of this customer has this number.");
    let mut order = owned.ok_or_else(missing)?;
    gate.app.carriers.link(&mut order);
    Ok(Json(OrderBody::from(order)))
}

fn desk(app: &App) -> Desk<'_> {
    Desk { book: &app.state, catalog: &*app.catalog, rules: &app.order_rules, terms: &app.shop, now: app.now() }
}

/// Who is served: the customer a trusted caller names, or the owner of the order that was proved. A wrong proof gets
/// a customer without orders, so that the answer is the one for a missing order.
async fn known_customer(app: &App, who: &Who, operation: &Operation) -> Result<String, Problem> {
    if let Some(customer) = &identity(app, who).await?.customer {
        return Ok(customer.clone());
    }
    let Some(number) = operation.order() else {
        return Err(Problem::of_field(Code::MissingField, "customer", "A profile is changed by its customer alone."));
    };
    Ok(owned(app, who, number).await?.map(|order| order.customer).unwrap_or_default())
}

/// The order, when it is theirs. A caller who names the customer needs no proof, and none is looked at.
async fn owned(app: &App, who: &Who, number: &str) -> Result<Option<Order>, Problem> {
    let identity = identity(app, who).await?;
    let (caller, client) = (who.caller.as_str(), who.client.as_str());
    let prefix = app.cart_rules.order_prefix.as_str();
    let door = Door { orders: &app.state, proofs: &app.state, caller, client, prefix, now: app.now() };
    door.owned(&identity, number).await.map_err(inside(DESK))
}

/// What is proved about who asks: by the caller, or in a conversation before.
async fn identity(app: &App, who: &Who) -> Result<Identity, Problem> {
    if let Some(customer) = &who.customer {
        return Ok(Identity { customer: Some(customer.clone()), ..Identity::default() });
    }
    let claimed = Identity { phone: who.phone.clone(), email: who.email.clone(), ..Identity::default() };
    let Some(id) = &who.session_id else { return Ok(claimed) };
    let session = conversation(app, id, DESK).await?;
    let customer = session.customer_at(app.now()).map(str::to_string);
    Ok(Identity { customer, proved: session.login.contact(app.now()).cloned(), ..claimed })
}

fn task_id(text: &str) -> Result<String, Problem> {
    shape::id(text, "a task's")
}

fn unknown_task(id: &str) -> Problem {
    Problem::of_field(Code::UnknownTask, "id", format!("There is no task {id}."))
}
