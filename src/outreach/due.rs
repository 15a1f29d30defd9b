//! What is due at a moment: carts, the waiting list, orders. It only looks; nothing is written here.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::app::App;
use crate::domain::order::{Order, OrderState};
use crate::domain::outreach::{Kind, KindRule, Outgoing, Stage, Subject, Wanted};

use super::people::{self, Person};
use super::ready;

/// Carts and wishes looked at in one round; the rest waits for the next.
const ROUND: i64 = 2_000;
/// Orders read at once.
const PAGE: i64 = 500;

/// Every message that could be decided now: in its time, allowed, and not decided before. Quiet hours and caps are not looked at.
///
/// # Errors
/// The store or the catalog does not answer.
pub async fn due(app: &App, now: Timestamp) -> anyhow::Result<Vec<Outgoing>> {
    let mut found = Vec::new();
    // In the order in which they should count when a person may get only some of them.
    restock(app, now, &mut found).await?;
    let orders = orders(app, now).await?;
    for (kind, order) in &orders {
        of_order(app, (*kind, order), now, &mut found).await?;
    }
    carts(app, now, &mut found).await?;
    found.sort_by_key(|message| !matches!(message.kind, Kind::LateOrder | Kind::Restock));
    Ok(found)
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn carts(app: &App, now: Timestamp, found: &mut Vec<Outgoing>) -> anyhow::Result<()> {
    let kind = Kind::AbandonedCart;
    let Some(rule) = app.message_rules.of(kind) else { return Ok(()) };
    let period = (now - hours(rule.until_hours), now - hours(rule.after_hours));
    for (owner, version, since, cart) in app.state.carts_between(period, ROUND).await? {
        let cause = format!("{}:{owner}:{version}", kind.as_str());
        if cart.lines.is_empty() || app.state.decided(&cause).await? {
            continue;
        }
        let Some(mut person) = people::owner(app, &owner, cart.language).await? else { continue };
        if person.may_get(kind).is_err() {
            continue;
        }
        let subject = Subject::Cart { owner, version, since };
        let until = since + hours(rule.until_hours);
        person.session = person.session.or(cart.session);
        found.push(message(person, (kind, cause, subject), (now, until)));
    }
    Ok(())
}

async fn restock(app: &App, now: Timestamp, found: &mut Vec<Outgoing>) -> anyhow::Result<()> {
    let kind = Kind::Restock;
    let Some(rule) = app.message_rules.of(kind) else { return Ok(()) };
    for wanted in app.state.wanted(ROUND).await? {
        let (from, until) = (wanted.at + hours(rule.after_hours), wanted.at + hours(rule.until_hours));
        let cause = format!("{}:{}:{}", kind.as_str(), wanted.id, wanted.round);
        if now < from || now > until || app.state.decided(&cause).await? {
            continue;
        }
        let currency = app.config.shop.currency_of(wanted.language);
        if ready::there(app, &wanted, currency).await?.is_none() {
            continue;
        }
        found.push(for_wish(wanted, cause, (now, until)));
    }
    Ok(())
}

fn for_wish(wanted: Wanted, cause: String, (now, until): (Timestamp, Timestamp)) -> Outgoing {
    Outgoing {
        id: Uuid::now_v7().to_string(),
        cause,
        kind: Kind::Restock,
        person: wanted.person,
        customer: wanted.customer,
        session: Some(wanted.session),
        contact: wanted.contact,
        language: wanted.language,
        subject: Subject::Wanted { id: wanted.id },
        decided: now,
        until,
        stage: Stage::Decided,
        settled: None,
        why: None,
        text: None,
        promotion: None,
    }
}

/// Orders that are late, that arrived, or that were their customer's last: all of them are read once, page by page.
async fn orders(app: &App, now: Timestamp) -> anyhow::Result<Vec<(Kind, Order)>> {
    let mut told: Vec<(Kind, Order)> = Vec::new();
    let mut last: BTreeMap<String, Order> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = app.state.orders_after(&after, PAGE).await?;
        let Some((number, _)) = page.last() else { break };
        after.clone_from(number);
        for (_, order) in page {
            for kind in [Kind::LateOrder, Kind::ReviewRequest] {
                if is_in_time(app, kind, &order, now) {
                    told.push((kind, order.clone()));
                }
            }
            let newer = last.get(&order.customer).is_none_or(|known| known.placed < order.placed);
            if newer {
                last.insert(order.customer.clone(), order);
            }
        }
    }
    let gone = last.into_values().filter(|order| is_in_time(app, Kind::WinBack, order, now));
    told.extend(gone.map(|order| (Kind::WinBack, order)));
    Ok(told)
}

/// Whether an order is in the state and the time of a kind.
pub(super) fn is_in_time(app: &App, kind: Kind, order: &Order, now: Timestamp) -> bool {
    period(app, kind, order).is_some_and(|(from, until)| from <= now && now <= until)
}

fn period(app: &App, kind: Kind, order: &Order) -> Option<(Timestamp, Timestamp)> {
    let rule: &KindRule = app.message_rules.of(kind)?;
    let on_its_way = matches!(order.state, OrderState::Processing | OrderState::Shipped);
    let day = match kind {
        // The carrier's newest promise counts: one that was put off is late only after that day.
        Kind::LateOrder if on_its_way => order.expected()?,
        Kind::ReviewRequest if order.state == OrderState::Delivered => order.delivered?,
        Kind::WinBack if order.state == OrderState::Delivered => order.placed,
        _ => return None,
    };
    let over = end_of(app, day)?;
    Some((over + hours(rule.after_hours), over + hours(rule.until_hours)))
}

/// The first moment after a day in the shop.
fn end_of(app: &App, day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    Some(next.to_zoned(app.shop.time_zone()).ok()?.timestamp())
}

async fn of_order(
    app: &App,
    (kind, order): (Kind, &Order),
    now: Timestamp,
    found: &mut Vec<Outgoing>,
) -> anyhow::Result<()> {
    // Another promise that is broken is another reason to write.
    let cause = match (kind, order.expected()) {
        (Kind::LateOrder, Some(promised)) => format!("{}:{}:{promised}", kind.as_str(), order.number),
        _ => format!("{}:{}", kind.as_str(), order.number),
    };
    let Some((_, until)) = period(app, kind, order) else { return Ok(()) };
    if app.state.decided(&cause).await? {
        return Ok(());
    }
    let Some(person) = people::buyer(app, order).await? else { return Ok(()) };
    // What is sold again needs a customer the shop knows: a guest's orders belong to many.
    if person.may_get(kind).is_err() || (kind == Kind::WinBack && person.customer.is_none()) {
        return Ok(());
    }
    let subject = Subject::Order { number: order.number.clone() };
    found.push(message(person, (kind, cause, subject), (now, until)));
    Ok(())
}

fn message(
    person: Person,
    (kind, cause, subject): (Kind, String, Subject),
    (now, until): (Timestamp, Timestamp),
) -> Outgoing {
    Outgoing {
        id: Uuid::now_v7().to_string(),
        cause,
        kind,
        person: person.key,
        customer: person.customer,
        session: person.session,
        contact: person.contact,
        language: person.language,
        subject,
        decided: now,
        until,
        stage: Stage::Decided,
        settled: None,
        why: None,
        text: None,
        promotion: None,
    }
}
