//! `prose` composition: the model writes the sentences, code fills every value. It writes under a grammar made for the
//! facts at hand, in which no number, no currency sign and no slot of another product's value can stand.
//! What it writes replaces one move of a plan; that move is kept, for the guard may refuse the words.

mod grammar;
mod reading;

use std::fmt::Write;

use crate::domain::fact::OfferFact;
use crate::domain::found::Candidate;
use crate::domain::plan::{Ask, HandoverReason};
use crate::domain::product::Quote;
use crate::domain::{CommandName, FactBody, FactId, Move, SegmentKind};
use crate::engine::{Generate, GenerateError, Job, PromptTurn, Speaker};

use super::Brief;
use super::model::{Attempt, Choice, SHOWN};
use super::rules::{about, nothing_but_similar};

pub use grammar::{SENTENCES, Shape, Slot, grammar};
pub use reading::{Said, read};

pub(super) const SYSTEM: &str = include_str!("../../../data/prompts/prose.txt");
/// The grammar bounds each run of text; this bounds the whole, and what is cut off is not said.
const LONGEST: usize = 110;
/// Attributes of a product that the model is told.
const ATTRIBUTES: usize = 4;

/// A product as the model sees it.
struct Item<'a> {
    candidate: &'a Candidate,
    offer: &'a OfferFact,
    slots: Vec<Slot>,
}

/// Asks the model for the words of a planned move about products; without a plan, for words about those candidates it
/// finds fitting. None when there is nothing it could say better than a template.
///
/// # Errors
/// The model is busy, fails, or the grammar cannot be followed.
pub async fn compose(
    brief: &Brief<'_>,
    planned: Option<&[Move]>,
    generate: &dyn Generate,
    attempt: Attempt,
) -> Result<Option<Choice>, GenerateError> {
    let Some(items) = items(brief, planned) else { return Ok(None) };
    let slots: Vec<Vec<Slot>> = items.iter().map(|item| item.slots.clone()).collect();
    let shape = Shape { language: brief.language, products: &slots, exits: planned.is_none() };
    let job = Job {
        system: SYSTEM.to_string(),
        turns: vec![PromptTurn { speaker: Speaker::User, text: question(brief, &items) }],
        grammar: Some(grammar(shape)),
        max_tokens: LONGEST,
        temperature: attempt.temperature(),
        seed: 0,
    };
    let generated = generate.generate(job).await?;
    let moves = match read(&generated.text, brief.language) {
        Some(Said::None) => nothing_but_similar(brief),
        Some(Said::Ask) => vec![Move::Ask { what: Ask::Product }],
        Some(Said::Human) => vec![Move::Human { reason: HandoverReason::Asked }],
        Some(Said::Text { text, named }) => worded(brief, planned, &items, (text, named)),
        // Cut off before its first sentence ended: the plan stands; without one the search does.
        None => planned.map_or_else(|| super::without_model(brief), <[Move]>::to_vec),
    };
    Ok(Some(Choice { moves, generated }))
}

/// The products to speak of, when each has a price and what is planned can be said in a sentence.
fn items<'a>(brief: &Brief<'a>, planned: Option<&[Move]>) -> Option<Vec<Item<'a>>> {
    let candidates: Vec<&Candidate> = match planned {
        None => brief.found.candidates.iter().take(SHOWN).collect(),
        Some(moves) => {
            let (_, facts) = moves.iter().find_map(sayable)?;
            let meant = |candidate: &&Candidate| candidate.matching.iter().any(|id| facts.contains(id));
            brief.found.candidates.iter().filter(meant).take(SHOWN).collect()
        }
    };
    let items: Vec<Item<'a>> = candidates.into_iter().map(|candidate| item(brief, candidate)).collect::<Option<_>>()?;
    let counted =
        brief.command.name != CommandName::Stock || items.iter().all(|item| item.slots.contains(&Slot::Stock));
    (!items.is_empty() && counted).then_some(items)
}

/// A product with its cheapest matching offer; none when its price is not known.
fn item<'a>(brief: &Brief<'a>, candidate: &'a Candidate) -> Option<Item<'a>> {
    let offers: Vec<&OfferFact> = candidate.matching.iter().filter_map(|id| offer(brief, id)).collect();
    let prices: Option<Vec<_>> = offers.iter().map(|offer| offer.offer.price.now()).collect();
    let least = prices?.into_iter().min_by_key(|money| money.minor)?;
    let offer = *offers.iter().find(|offer| offer.offer.price.now() == Some(least))?;
    let mut slots = vec![Slot::Price];
    let alone = offers.len() == 1;
    if let (true, Quote::Known { old: Some(_), .. }) = (alone, &offer.offer.price) {
        slots.push(Slot::Old);
    }
    let narrowed = brief.command.slots.town.is_some();
    if alone && !narrowed && offer.offer.in_stock().is_some_and(|count| count > 0) {
        slots.push(Slot::Stock);
    }
    Some(Item { candidate, offer, slots })
}

fn offer<'a>(brief: &Brief<'a>, id: &FactId) -> Option<&'a OfferFact> {
    brief.found.facts.iter().find(|fact| fact.id == *id).and_then(|fact| match &fact.body {
        FactBody::Offer(offer) => Some(offer),
        _ => None,
    })
}

/// A move the model may put into words.
fn sayable(step: &Move) -> Option<(SegmentKind, &[FactId])> {
    match step {
        Move::Offer { facts } => Some((SegmentKind::Offer, facts)),
        Move::Compare { facts } => Some((SegmentKind::Compare, facts)),
        Move::Stock { facts } => Some((SegmentKind::Stock, facts)),
        _ => None,
    }
}

fn question(brief: &Brief<'_>, items: &[Item<'_>]) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let (number, product) = (index + 1, &item.candidate.product);
        // Infallible: writing to a String.
        let _ = write!(text, "{number}. {{name{number}}} = {}", product.name.get(brief.language));
        for slot in &item.slots {
            if let Some(value) = value(item, *slot) {
                let _ = write!(text, "; {{{}{number}}} = {value}", slot.word());
            }
        }
        let stock = if item.candidate.in_stock == Some(0) { "sold out" } else { "available" };
        let _ = write!(text, "; {}, {stock}", product.category);
        for attribute in product.attributes.values().take(ATTRIBUTES) {
            let _ = write!(text, ", {}", attribute.get(brief.language));
        }
        text.push('\n');
    }
    let _ = write!(text, "Customer ({}): {}", brief.language, brief.message);
    text
}

fn value(item: &Item<'_>, slot: Slot) -> Option<String> {
    match (slot, &item.offer.offer.price) {
        (Slot::Price, price) => price.now().map(|money| money.to_string()),
        (Slot::Old, Quote::Known { old: Some(old), .. }) => Some(old.to_string()),
        (Slot::Stock, _) => item.offer.offer.in_stock().map(|count| count.to_string()),
        _ => None,
    }
}

/// The plan with its first sayable move in the model's words.
fn worded(
    brief: &Brief<'_>,
    planned: Option<&[Move]>,
    items: &[Item<'_>],
    (text, named): (String, Vec<usize>),
) -> Vec<Move> {
    let chosen: Vec<Candidate> =
        named.iter().filter_map(|index| items.get(*index)).map(|item| item.candidate.clone()).collect();
    let mut moves = planned.map_or_else(|| about(brief, &chosen), <[Move]>::to_vec);
    let Some((at, kind)) = moves.iter().enumerate().find_map(|(at, step)| Some((at, sayable(step)?.0))) else {
        return moves;
    };
    // One product alone is no comparison.
    if kind == SegmentKind::Compare && chosen.len() < 2 {
        return moves;
    }
    let facts = chosen.into_iter().map(|candidate| candidate.matching).collect();
    let instead = Box::new(moves[at].clone());
    moves[at] = Move::Prose { kind, text, facts, instead };
    moves
}
