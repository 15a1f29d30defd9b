//! A decided message becomes a text, if all it rests on still holds: consent, the cart, the order, the stock, the hour. In: a message.
//! Out: a reply the guard has sealed, the reason why there is none, or when to look again.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::domain::cart::{Cart, CartFact, Held};
use crate::domain::order::Order;
use crate::domain::outreach::{Kind, Outgoing, Subject, Wanted, Withdrawn};
use crate::domain::plan::{CartSay, OutreachLine};
use crate::domain::{Currency, Fact, FactBody, FactId, Move};
use crate::engine::Carts;
use crate::guard::{CheckedReply, Verdict};
use crate::render::Scene;
use crate::tasks::cart::{Till, fact};

use super::{due, in_time, incentive, people, quiet_until};

/// While a person has the conversation the shop's machine does not write.
const PERSON_HAS_IT: SignedDuration = SignedDuration::from_hours(1);

/// What became of a decided message.
#[derive(Debug)]
pub enum Ready {
    /// It can go.
    Send {
        /// What it says: the only text that may be sent.
        reply: CheckedReply,
        /// The promotion it offers.
        promotion: Option<String>,
    },
    /// It must not go.
    Withdraw(Withdrawn),
    /// Not now.
    Later(Timestamp),
}

/// What a message says, as moves over facts.
struct Said {
    moves: Vec<Move>,
    facts: Vec<Fact>,
    promotion: Option<String>,
}

/// Looks at everything again and writes the message.
///
/// # Errors
/// The store or the catalog does not answer: nothing is known, so nothing goes.
pub async fn ready(app: &App, message: &Outgoing, now: Timestamp) -> anyhow::Result<Ready> {
    if let Err(why) = in_time(app, message, now) {
        return Ok(Ready::Withdraw(why));
    }
    if let Err(why) = people::still_may_get(app, message.kind, &message.keys()).await? {
        return Ok(Ready::Withdraw(why));
    }
    if let Some(end) = quiet_until(app, now) {
        return Ok(Ready::Later(end));
    }
    if let Some(session) = message.session
        && app.state.open_case(session).await?.is_some()
    {
        return Ok(Ready::Later(now + PERSON_HAS_IT));
    }
    let said = match &message.subject {
        Subject::Cart { owner, version, since } => of_cart(app, message, (owner, *version, *since), now).await?,
        Subject::Order { number } => of_order(app, message, number, now).await?,
        Subject::Wanted { id } => of_wish(app, message, id, now).await?,
    };
    Ok(match said {
        Ok(said) => written(app, message, said, now),
        Err(why) => Ready::Withdraw(why),
    })
}

fn written(app: &App, message: &Outgoing, said: Said, now: Timestamp) -> Ready {
    let mut moves = vec![Move::Outreach { say: OutreachLine::Opening(message.kind) }];
    moves.extend(said.moves);
    moves.push(Move::Outreach { say: OutreachLine::Closing(message.kind) });
    moves.push(Move::Outreach { say: OutreachLine::Footer });
    let tone = app.handover_rules.tone(message.customer.as_deref());
    let scene = Scene { language: message.language, facts: &said.facts, today: app.shop.today(now), tone };
    let draft = app.renderer.render(&moves, &scene);
    match app.guard.check(draft, &said.facts, "") {
        Verdict::Accepted(reply) => Ready::Send { reply, promotion: said.promotion },
        Verdict::Rejected(rejection) => {
            for violation in &rejection.violations {
                tracing::error!(code = %violation.code, detail = violation.detail, "the guard rejected a message");
            }
            Ready::Withdraw(Withdrawn::Guard)
        }
    }
}

fn till<'a>(app: &'a App, now: Timestamp) -> Till<'a> {
    Till { book: &app.state, catalog: &*app.catalog, terms: &app.shop, rules: &app.cart_rules, now }
}

/// Goods at today's prices; none of them when nothing can be had.
async fn goods(
    app: &App,
    (kind, cart, currency): (Kind, Cart, Currency),
    (version, now): (i64, Timestamp),
) -> anyhow::Result<Result<Said, Withdrawn>> {
    let till = till(app, now);
    let there = available(&till.quote(&cart, currency).await?, cart);
    if there.lines.is_empty() {
        return Ok(Err(Withdrawn::SoldOut));
    }
    let (quoted, promotion) = incentive::offered(app, &till, (kind, &there, currency)).await?;
    let fact = fact(quoted, version, now);
    let moves = vec![Move::Cart { fact: fact.id.clone(), say: CartSay::Today }];
    Ok(Ok(Said { moves, facts: vec![fact], promotion }))
}

/// The lines of which there is enough and whose price is known.
fn available(quoted: &CartFact, cart: Cart) -> Cart {
    let sellable = |held: &Held| {
        let line = quoted.lines.iter().find(|line| line.sku == held.sku);
        line.is_some_and(|line| !line.short() && line.offer.price.now().is_some())
    };
    let lines = cart.lines.into_iter().filter(sellable).collect();
    Cart { lines, coupon: cart.coupon, place: cart.place, ..Cart::default() }
}

async fn of_cart(
    app: &App,
    message: &Outgoing,
    (owner, version, since): (&str, i64, Timestamp),
    now: Timestamp,
) -> anyhow::Result<Result<Said, Withdrawn>> {
    let cart = Carts::cart(&app.state, owner).await?;
    if cart.value.lines.is_empty() {
        return Ok(Err(Withdrawn::Bought));
    }
    if cart.version != version {
        return Ok(Err(Withdrawn::Changed));
    }
    if let Some(customer) = &message.customer {
        let day = app.shop.today(since);
        let same = |order: &Order| order.items.iter().any(|item| cart.value.held(&item.sku) > 0);
        let orders = app.orders.of_customer(customer).await?;
        if orders.iter().any(|order| order.placed >= day && same(order)) {
            return Ok(Err(Withdrawn::Bought));
        }
    }
    let currency = app.config.shop.currency_of(message.language);
    goods(app, (message.kind, cart.value, currency), (version, now)).await
}

async fn of_order(
    app: &App,
    message: &Outgoing,
    number: &str,
    now: Timestamp,
) -> anyhow::Result<Result<Said, Withdrawn>> {
    let Some(mut order) = app.orders.find(number).await? else { return Ok(Err(Withdrawn::Settled)) };
    app.carriers.link(&mut order);
    if !due::is_in_time(app, message.kind, &order, now) {
        return Ok(Err(Withdrawn::Settled));
    }
    if message.kind == Kind::WinBack {
        let newest = app.orders.of_customer(&order.customer).await?.into_iter().next();
        if newest.is_some_and(|newest| newest.number != order.number) {
            return Ok(Err(Withdrawn::Bought));
        }
        let cart = till(app, now).again(&order).await?;
        return goods(app, (message.kind, cart, order.currency), (0, now)).await;
    }
    let id = FactId(format!("order:{}", order.number));
    let moves = vec![Move::Order { fact: id.clone() }];
    let fact = Fact { id, body: FactBody::Order(Box::new(order)), source: "orders".to_string(), as_of: now };
    Ok(Ok(Said { moves, facts: vec![fact], promotion: None }))
}

async fn of_wish(app: &App, message: &Outgoing, id: &str, now: Timestamp) -> anyhow::Result<Result<Said, Withdrawn>> {
    let Some(wanted) = app.state.wish(id).await? else { return Ok(Err(Withdrawn::Revoked)) };
    let currency = app.config.shop.currency_of(message.language);
    let Some(held) = there(app, &wanted, currency).await? else { return Ok(Err(Withdrawn::SoldOut)) };
    let cart = Cart { lines: vec![held], ..Cart::default() };
    let fact = fact(till(app, now).quote(&cart, currency).await?, 0, now);
    let moves = vec![Move::Cart { fact: fact.id.clone(), say: CartSay::Lines }];
    Ok(Ok(Said { moves, facts: vec![fact], promotion: None }))
}

/// One piece of what somebody waits for, if it can be had at a known price; the least expensive where several fit.
pub(super) async fn there(app: &App, wanted: &Wanted, currency: Currency) -> anyhow::Result<Option<Held>> {
    let offers = app.catalog.offers(std::slice::from_ref(&wanted.product), currency).await?;
    let same = |said: &Option<String>, has: &Option<String>| match (said, has) {
        (Some(said), Some(has)) => label(said) == label(has),
        _ => true,
    };
    let fits = offers.into_iter().filter(|offer| {
        let price = offer.price.now().is_some_and(|price| price.currency == currency);
        price
            && offer.in_stock().is_some_and(|count| count > 0)
            && same(&wanted.size, &offer.size)
            && same(&wanted.colour, &offer.colour)
    });
    let cheapest = fits.min_by_key(|offer| offer.price.now().map_or(i64::MAX, |price| price.minor));
    Ok(cheapest.map(|offer| Held { sku: offer.sku, product: offer.product, quantity: 1 }))
}

/// A size or colour as it can be compared.
fn label(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}
