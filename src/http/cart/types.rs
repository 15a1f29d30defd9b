//! What carts read and answer. Amounts are text with a point and their currency, as a machine reads them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::cart::{Buyer, CartFact, CartNo, Checkout, Edit, Owner, PaymentLink, Reduction};
use crate::domain::session::SessionId;
use crate::domain::{Language, Money};
use crate::http::door::auth::Caller;
use crate::http::error::{Code, Problem};
use crate::tasks::cart::{Denied, Priced};

/// Whose cart, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Whose {
    session_id: Option<String>,
    customer: Option<String>,
    locale: Option<String>,
}

impl Whose {
    /// The conversation.
    ///
    /// # Errors
    /// It is no UUID.
    pub fn session(&self) -> Result<Option<SessionId>, Problem> {
        let bad = |_| Problem::of_field(Code::InvalidField, "session_id", "It is not a UUID.");
        self.session_id.as_deref().map(|id| id.parse().map_err(bad)).transpose()
    }

    /// The customer.
    ///
    /// # Errors
    /// This caller may not say who that is.
    pub fn customer(&self, caller: &Caller) -> Result<Option<String>, Problem> {
        caller.customer(self.customer.as_deref())
    }

    /// The language; it decides the currency.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn language(&self) -> Result<Language, Problem> {
        let bad = |error| Problem::of_field(Code::InvalidField, "locale", format!("{error}."));
        self.locale.as_deref().map_or(Ok(Language::En), |locale| locale.parse().map_err(bad))
    }
}

/// Which cart.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CartQuery {
    /// The conversation.
    session_id: Option<String>,
    /// The customer's id, from the shop's own server only.
    customer: Option<String>,
    /// ru, sk, zh or en; it decides the currency.
    locale: Option<String>,
}

/// A change of a cart.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// The conversation; one is begun when neither it nor `customer` is there.
    session_id: Option<String>,
    /// The customer's id, from the shop's own server only.
    customer: Option<String>,
    /// ru, sk, zh or en; it decides the currency.
    locale: Option<String>,
    /// `do` with its fields: `add` {sku, quantity?}; `set` {sku, quantity}; `remove` {sku}; `clear`; `coupon` {code};
    /// `no_coupon`; `place` {town}.
    #[schema(value_type = Object)]
    pub edit: Edit,
}

/// An order to be made of a cart.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// The conversation.
    session_id: Option<String>,
    /// The customer's id, from the shop's own server only.
    customer: Option<String>,
    /// ru, sk, zh or en; it decides the currency.
    locale: Option<String>,
    /// Who orders: `name`, `phone` or `email` (or both), `address` {line1, line2?, city, region?, country?, postcode}.
    #[schema(value_type = Object)]
    pub buyer: Buyer,
}

macro_rules! whose {
    ($($type:ty),*) => {
        $(impl $type {
            /// Whose cart.
            pub fn whose(&self) -> Whose {
                let (session_id, customer, locale) = (&self.session_id, &self.customer, &self.locale);
                Whose { session_id: session_id.clone(), customer: customer.clone(), locale: locale.clone() }
            }
        })*
    };
}

whose!(CartQuery, EditRequest, CheckoutRequest);

/// An amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Amount {
    /// Digits with a point.
    #[schema(example = "83.70")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: &'static str,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Amount {
        Amount { amount: money.amount(), currency: money.currency.code() }
    }
}

/// A line of a cart.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineBody {
    /// The variant.
    sku: String,
    /// How many.
    quantity: u32,
    /// What one costs now; absent when that cannot be confirmed.
    price: Option<Amount>,
    /// What all of them cost.
    total: Option<Amount>,
    /// Pieces in stock; absent where the merchant gives none.
    in_stock: Option<u32>,
}

/// What it all comes to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SumsBody {
    /// The goods.
    goods: Amount,
    /// Taken off by the promotion.
    discount: Option<Amount>,
    /// Delivery, once it is known where to.
    delivery: Option<Amount>,
    /// All of it.
    total: Amount,
    /// Tax contained in the total.
    tax: Option<Amount>,
}

/// A promotion that applies.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CouponBody {
    /// Its code.
    code: String,
    /// Hundredths taken off the goods.
    percent: Option<u8>,
    /// Or an amount.
    amount: Option<Amount>,
}

/// Why a cart stays as it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeniedBody {
    /// `unknown_product`, `which_variant`, `not_enough`, `too_many`, `not_in_cart`, `no_such_code`, `below_minimum`, `no_delivery`,
    /// `empty`, `no_price`, `no_contact`, `no_place`, `changed`, `expired`.
    #[schema(value_type = String)]
    code: CartNo,
    /// The variant it is about.
    sku: Option<String>,
    /// Pieces in stock.
    in_stock: Option<u32>,
}

impl From<Denied> for DeniedBody {
    fn from(denied: Denied) -> DeniedBody {
        let line = denied.line;
        DeniedBody {
            code: denied.why,
            sku: line.as_ref().map(|line| line.sku.0.clone()),
            in_stock: line.and_then(|line| line.offer.in_stock()),
        }
    }
}

/// A cart, priced now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CartBody {
    /// The conversation it belongs to.
    session_id: Option<String>,
    /// How often it was written.
    version: i64,
    /// Its lines.
    lines: Vec<LineBody>,
    /// The promotion that applies.
    coupon: Option<CouponBody>,
    /// The town it goes to.
    town: Option<String>,
    /// The sums; absent while a price cannot be confirmed.
    sums: Option<SumsBody>,
    /// Why the change was not made.
    denied: Option<DeniedBody>,
}

impl CartBody {
    /// A cart as it was read.
    pub fn new(owner: &Owner, priced: Priced) -> CartBody {
        let Priced { cart, fact } = priced;
        CartBody {
            session_id: owner.session.map(|session| session.to_string()),
            version: cart.version,
            lines: lines(&fact),
            coupon: fact.coupon.as_ref().map(|coupon| CouponBody {
                code: coupon.code.clone(),
                percent: match coupon.reduction {
                    Reduction::Percent(percent) => Some(percent),
                    Reduction::Amount(_) => None,
                },
                amount: match coupon.reduction {
                    Reduction::Amount(amount) => Some(amount.into()),
                    Reduction::Percent(_) => None,
                },
            }),
            town: cart.value.place.map(|place| place.0),
            sums: sums(&fact),
            denied: None,
        }
    }

    /// The same, with why it stays so.
    pub fn denied(self, denied: Denied) -> CartBody {
        CartBody { denied: Some(denied.into()), ..self }
    }
}

fn lines(cart: &CartFact) -> Vec<LineBody> {
    let line = |line: &crate::domain::cart::Line| {
        let price = line.offer.price.now();
        LineBody {
            sku: line.sku.0.clone(),
            quantity: line.quantity,
            price: price.map(Amount::from),
            total: price.and_then(|price| price.times(line.quantity)).map(Amount::from),
            in_stock: line.offer.in_stock(),
        }
    };
    cart.lines.iter().map(line).collect()
}

fn sums(cart: &CartFact) -> Option<SumsBody> {
    let sums = cart.sums?;
    Some(SumsBody {
        goods: sums.goods.into(),
        discount: sums.discount.map(Amount::from),
        delivery: sums.delivery.map(Amount::from),
        total: sums.total.into(),
        tax: sums.tax.map(Amount::from),
    })
}

/// Where an order is paid.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentBody {
    /// Who takes the money.
    provider: String,
    /// The page.
    url: String,
}

/// A checkout.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CheckoutBody {
    /// Its id.
    id: Option<String>,
    /// `awaiting_confirmation`, `placed`, `refused` or `withdrawn`.
    state: &'static str,
    /// What confirms exactly this proposal; told once.
    token: Option<String>,
    /// What is or would be ordered.
    lines: Vec<LineBody>,
    /// What it comes to.
    sums: Option<SumsBody>,
    /// The first and last promised day.
    arrives: Option<[String; 2]>,
    /// The order's number.
    order: Option<String>,
    /// Where it is paid; absent while the provider does not answer: repeat the confirmation.
    payment: Option<PaymentBody>,
    /// Why there is no order.
    refusal: Option<DeniedBody>,
}

impl CheckoutBody {
    /// A proposal with its token, or why there is none.
    pub fn proposed(proposed: Result<Checkout, Denied>) -> CheckoutBody {
        match proposed {
            Ok(checkout) => {
                let token = Some(checkout.token.clone());
                CheckoutBody { token, ..CheckoutBody::ended(checkout) }
            }
            Err(denied) => CheckoutBody { state: "refused", refusal: Some(denied.into()), ..CheckoutBody::default() },
        }
    }

    /// A checkout as it is kept.
    pub fn ended(checkout: Checkout) -> CheckoutBody {
        let delivery = checkout.shown.delivery.as_ref();
        CheckoutBody {
            state: checkout.state.as_str(),
            token: None,
            lines: lines(&checkout.shown),
            sums: sums(&checkout.shown),
            arrives: delivery.map(|delivery| [delivery.earliest.to_string(), delivery.latest.to_string()]),
            order: checkout.order,
            payment: None,
            refusal: checkout.refusal.map(|why| DeniedBody::from(Denied { why, line: None })),
            id: Some(checkout.id),
        }
    }

    /// The same, with where it is paid.
    pub fn with_payment(self, link: PaymentLink) -> CheckoutBody {
        CheckoutBody { payment: Some(PaymentBody { provider: link.provider, url: link.url }), ..self }
    }
}
