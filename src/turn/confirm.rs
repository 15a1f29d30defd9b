//! A plan is made on what was said before and told on what is true now: the products it tells of are confirmed by their source, and
//! where that says something else, the plan is made once more. Whoever cannot be told a price is offered a call.

use jiff::Timestamp;

use crate::domain::found::Found;
use crate::domain::plan::{Absence, Ask};
use crate::domain::product::Quote;
use crate::domain::session::Pending;
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move, ProductId, Slots};
use crate::plan::{self, Brief};
use crate::retrieval::{self, Question, Sources};

use super::answer::Stage;
use super::clock::StageClock;
use super::known;
use super::narrow;
use super::respond::{Outcome, Turn, composed, judged, sought};

/// A plan is made so often at most; what is told is true after each.
const PLANS: usize = 3;

/// What was found and planned, with offers that may be told.
pub(super) async fn planned(
    turn: &Turn<'_>,
    command: &Command,
    outcome: &mut Outcome,
    clock: &mut StageClock<'_>,
) -> (Found, Vec<Move>) {
    let hits = outcome.hits.len();
    let mut plans = 0;
    loop {
        outcome.hits.truncate(hits);
        let (mut found, moves) = drafted(turn, command, outcome, clock).await;
        plans += 1;
        if turn.app.catalog.live().is_empty() {
            return (found, moves);
        }
        match confirmed(turn, command, (&mut found, &moves), outcome).await {
            Ok(true) if plans < PLANS => {}
            Ok(_) => return (found, moves),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "prices could not be confirmed");
                let moves = vec![Move::NotFound { why: Absence::SourceDown }];
                return (Found { absence: Some(Absence::SourceDown), ..Found::default() }, moves);
            }
        }
    }
}

/// What is found for a command, and what the plan says of it.
async fn drafted(
    turn: &Turn<'_>,
    command: &Command,
    outcome: &mut Outcome,
    clock: &mut StageClock<'_>,
) -> (Found, Vec<Move>) {
    clock.enter(Stage::Searching);
    let found = known::not_pushed_before(&turn.session.pushed, sought(turn, command, outcome).await);
    let found = narrow::not_asked_before(&turn.session.narrowed, found);
    clock.enter(Stage::Drafting);
    let brief = Brief {
        message: &turn.screened.text,
        language: turn.screened.language,
        command,
        found: &found,
        offers: turn.app.config.search.offers,
    };
    let ruled = plan::by_rule(&brief);
    let moves = match (composed(turn, &brief, ruled.as_deref(), outcome).await, ruled) {
        (Some(moves), _) | (None, Some(moves)) => moves,
        (None, None) => judged(turn, &brief, plan::Attempt::First, outcome).await,
    };
    let moves = known::as_bought(moves, &found);
    (found, moves)
}

/// A command as a question.
pub(super) fn question<'a>(
    turn: &Turn<'a>,
    command: &'a Command,
    vector: Option<&'a [f32]>,
    now: Timestamp,
) -> Question<'a> {
    let language = turn.screened.language;
    Question {
        text: &turn.screened.text,
        whole: &turn.screened.private,
        vector,
        marks: &turn.screened.marks,
        slots: &command.slots,
        focus: turn.session.pointed(&command.slots),
        details: command.slots.detail.as_deref(),
        language,
        currency: turn.app.config.shop.currency_of(language),
        now,
    }
}

/// Confirms what moves tell; true when it is something else than what they were planned on.
async fn confirmed(
    turn: &Turn<'_>,
    command: &Command,
    (found, moves): (&mut Found, &[Move]),
    outcome: &Outcome,
) -> anyhow::Result<bool> {
    let app = turn.app;
    let sources = Sources { search: &*app.search, catalog: &*app.catalog, shop: &app.shop };
    let told: Vec<ProductId> = moves.iter().flat_map(|step| products(step, &found.facts)).collect();
    let question = question(turn, command, None, outcome.now);
    retrieval::confirm(sources, &question, (found, &told)).await
}

/// Every product a move tells something of.
fn products(step: &Move, facts: &[Fact]) -> Vec<ProductId> {
    let mut products: Vec<ProductId> = Vec::new();
    for fact in told(step).into_iter().filter_map(|id| facts.iter().find(|fact| fact.id == *id)) {
        let offer = match &fact.body {
            FactBody::Total(total) => facts.iter().find(|fact| fact.id == total.offer).map(|fact| &fact.body),
            body => Some(body),
        };
        if let Some(FactBody::Offer(offer)) = offer
            && !products.contains(&offer.product)
        {
            products.push(offer.product.clone());
        }
    }
    products
}

fn told(step: &Move) -> Vec<&FactId> {
    match step {
        Move::Offer { facts }
        | Move::Stock { facts }
        | Move::Detail { facts }
        | Move::Compare { facts }
        | Move::Alternatives { facts }
        | Move::Suggest { facts, .. } => facts.iter().collect(),
        Move::Prose { facts, .. } => facts.iter().flatten().collect(),
        Move::Upsell { fact } | Move::BoughtWith { fact } | Move::Total { fact } => vec![fact],
        _ => Vec::new(),
    }
}

/// Offers a call where the price that was asked for could not be confirmed.
pub(super) fn call_back(outcome: &mut Outcome) {
    let stale = |id: &FactId| {
        let fact = outcome.facts.iter().find(|fact| fact.id == *id);
        fact.is_some_and(|fact| matches!(&fact.body, FactBody::Offer(offer) if offer.offer.price == Quote::Stale))
    };
    let unconfirmed = outcome.moves.iter().any(|step| match step {
        Move::NotFound { why } => *why == Absence::SourceDown,
        Move::Offer { facts } | Move::Compare { facts } | Move::Suggest { facts, .. } => {
            !facts.is_empty() && facts.iter().all(stale)
        }
        Move::Prose { facts, .. } => facts.iter().flatten().all(stale) && facts.iter().any(|ids| !ids.is_empty()),
        _ => false,
    });
    if unconfirmed && outcome.pending.is_none() {
        let command = Command { name: CommandName::LeaveContact, slots: Slots::default() };
        outcome.say(Move::Ask { what: Ask::CallBack });
        outcome.pending = Some(Pending { command, asked: Ask::CallBack, failed: 0 });
    }
}
