//! What the order desk reads and answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::desk::{Effect, Operation, Refusal, Task, TaskState};
use crate::domain::order::Order;
use crate::http::door::auth::Caller;
use crate::http::error::{Code, Problem};

/// Who asks: a customer the shop's own server vouches for, or somebody who knows an order's phone or e-mail.
#[derive(Clone, Debug)]
pub struct Who {
    /// The customer's id.
    pub customer: Option<String>,
    /// The order's phone.
    pub phone: Option<String>,
    /// The order's e-mail.
    pub email: Option<String>,
    /// The conversation in which one of them was proved.
    pub session_id: Option<String>,
    /// Who sent the request: wrong proofs are counted for each.
    pub caller: String,
    /// The client behind it; empty when clients cannot be told apart.
    pub client: String,
}

impl Who {
    /// Lets pass who may be who they say.
    ///
    /// # Errors
    /// `customer` from an untrusted caller; nothing at all.
    pub fn checked(self, caller: &Caller) -> Result<Who, Problem> {
        let customer = caller.customer(self.customer.as_deref())?;
        if customer.is_none() && self.phone.is_none() && self.email.is_none() && self.session_id.is_none() {
            let detail =
                "Send `customer`, or `phone` or `email` of the order, or a `session_id` in which it was proved.";
            return Err(Problem::of_field(Code::MissingField, "customer", detail));
        }
        Ok(Who { customer, ..self })
    }
}

/// An operation and who asks for it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRequest {
    /// The customer's id, from the shop's own server only.
    customer: Option<String>,
    /// The order's phone.
    phone: Option<String>,
    /// The order's e-mail.
    email: Option<String>,
    /// A conversation in which the customer or the contact was proved.
    session_id: Option<String>,
    /// `do` with its fields: `cancel_order` {order, reason}; `return_items` {order, items, method?, reason? (`changed_mind`, `defective`), photos? (addresses)};
    /// `exchange_items` and `change_items` {order, items, wanted, method?}; `change_address` {order, address}; `change_date` {order, day};
    /// `change_payment` {order, method}; `change_profile` {address}. Two pieces of a kind stand twice in `items`.
    #[schema(value_type = Object)]
    pub operation: Operation,
}

impl TaskRequest {
    /// Who asks.
    pub fn who(&self, caller: &Caller) -> Who {
        let TaskRequest { customer, phone, email, session_id, .. } = self.clone();
        Who { customer, phone, email, session_id, caller: caller.name(), client: caller.client() }
    }
}

/// Yes or no to a proposal.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The proposal's token.
    pub token: String,
    /// False withdraws it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub confirm: bool,
}

fn yes() -> bool {
    true
}

/// Which order, and who asks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The order's number.
    pub number: String,
    /// The customer's id, from the shop's own server only.
    customer: Option<String>,
    /// The order's phone.
    phone: Option<String>,
    /// The order's e-mail.
    email: Option<String>,
    /// A conversation in which the customer or the contact was proved.
    session_id: Option<String>,
}

impl OrderRequest {
    /// Who asks.
    pub fn who(&self, caller: &Caller) -> Who {
        let OrderRequest { customer, phone, email, session_id, .. } = self.clone();
        Who { customer, phone, email, session_id, caller: caller.name(), client: caller.client() }
    }
}

/// A task.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TaskBody {
    /// Its id.
    id: String,
    /// `awaiting_confirmation`, `done`, `refused` or `withdrawn`.
    #[schema(value_type = String)]
    state: TaskState,
    /// What confirms it; told once, with the proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What was asked.
    #[schema(value_type = Object)]
    operation: Operation,
    /// `state` of the order afterwards, `money` that moves (amounts in minor units), `clause` it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    effect: Option<Effect>,
    /// `code`, `clause` of the policies and `version` of the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    refusal: Option<Refusal>,
}

impl TaskBody {
    /// A task over the wire, with its token only where it is proposed.
    pub fn new(task: Task, with_token: bool) -> Self {
        let waiting = with_token && task.state == TaskState::AwaitingConfirmation;
        TaskBody {
            id: task.id,
            state: task.state,
            token: waiting.then_some(task.token),
            operation: task.operation,
            effect: task.effect,
            refusal: task.refusal,
        }
    }
}

/// An order as its customer may see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderBody {
    /// The order, as in `data/orders`, with what was asked of it since, `parcel` (what its carrier told last: `state`, `place`, `at`,
    /// `promised`) and `tracking_link`.
    #[schema(value_type = Object)]
    order: Order,
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        OrderBody { order }
    }
}
