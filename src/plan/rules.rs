//! Moves that follow from the command and the outcome alone.

use crate::domain::command::{EVERY_DETAIL, Pick, Wish};
use crate::domain::found::Candidate;
use crate::domain::plan::Absence;
use crate::domain::{CommandName, FactId, Move};

use super::{Brief, alternatives, matching};

/// The moves, when they need no judgement; none when several facts might fit.
pub fn by_rule(brief: &Brief<'_>) -> Option<Vec<Move>> {
    if let (Some(wish), None) = (brief.found.wish, brief.found.absence) {
        if let Some(kinds) = &brief.found.kinds {
            return Some(vec![Move::Range { fact: kinds.clone() }]);
        }
        let shown = &brief.found.candidates[..brief.found.candidates.len().min(brief.offers)];
        return Some(vec![Move::Suggest { wish, facts: matching(shown) }]);
    }
    if let Some(step) = detail(brief) {
        return Some(vec![step]);
    }
    match brief.found.absence {
        Some(Absence::FilteredOut) => Some(filtered_out(brief)),
        Some(why) => Some(not_found(brief, why)),
        None if brief.found.sure > 0 => {
            let chosen = matches!(brief.command.slots.pick, Some(Pick::Choice { .. }));
            let meant: Vec<&Candidate> = brief.named().iter().collect();
            let shown = if chosen { on_offer(&meant, brief.offers) } else { brief.named().to_vec() };
            Some([about(brief, &shown), narrowed(brief)].concat())
        }
        None if brief.command.name == CommandName::FindProduct => {
            // Who looks for a kettle is answered by kettles: each of the words stands in their names.
            let fitting = on_offer(&brief.found.fitting().collect::<Vec<_>>(), brief.offers);
            (!fitting.is_empty()).then(|| [about(brief, &fitting), narrowed(brief)].concat())
        }
        None => None,
    }
}

/// What there is not; whoever looks for it is told once what there is.
fn not_found(brief: &Brief<'_>, why: Absence) -> Vec<Move> {
    let nothing = matches!(why, Absence::NothingFound | Absence::Unfulfilled(Wish::Popular));
    let looks = brief.command.name == CommandName::FindProduct && nothing;
    let kinds = brief.found.kinds.iter().filter(|_| looks).map(|fact| Move::Range { fact: fact.clone() });
    [Move::NotFound { why }].into_iter().chain(kinds).collect()
}

/// The question that narrows it down best, where more fits than is shown.
fn narrowed(brief: &Brief<'_>) -> Vec<Move> {
    let open = brief.found.splits.iter().find(|split| split.worth);
    let best = open.filter(|split| split.products > brief.offers);
    best.filter(|_| brief.command.name == CommandName::FindProduct)
        .map(|split| Move::Narrow { fact: split.fact() })
        .into_iter()
        .collect()
}

/// A property of products was asked for: that is told of those that are meant.
fn detail(brief: &Brief<'_>) -> Option<Move> {
    let found = brief.found;
    let all_of_one = found.sure == 1 && brief.command.slots.detail.as_deref() == Some(EVERY_DETAIL);
    if found.by_property && !all_of_one && matches!(brief.command.name, CommandName::FindProduct | CommandName::Compare)
    {
        // Each line of the list tells it.
        return None;
    }
    brief.command.slots.detail.as_ref().filter(|_| found.absence.is_none())?;
    let meant = if found.sure > 0 {
        brief.named().iter().take(brief.offers).cloned().collect()
    } else {
        // A search that speaks of a property and of nothing that is sold under that name stays a search.
        covering(brief, if brief.command.name == CommandName::FindProduct { ALL_WORDS } else { HALF })
    };
    (!meant.is_empty()).then(|| Move::Detail { facts: matching(&meant) })
}

/// Share of the question's words in a name that makes it what is looked for ...
const ALL_WORDS: f32 = 0.99;
/// ... and that makes it something like it.
const HALF: f32 = 0.5;

/// The first candidates whose names hold so much of the question.
fn covering(brief: &Brief<'_>, share: f32) -> Vec<Candidate> {
    let fitting: Vec<&Candidate> =
        brief.found.candidates.iter().filter(|candidate| candidate.covers >= share).collect();
    on_offer(&fitting, brief.offers)
}

/// The first of them: such as can be bought, where there are any.
fn on_offer(candidates: &[&Candidate], most: usize) -> Vec<Candidate> {
    let there = |candidate: &&&Candidate| candidate.in_stock != Some(0);
    let any = candidates.iter().any(|candidate| there(&candidate));
    candidates.iter().filter(|candidate| !any || there(candidate)).take(most).map(|one| (*one).clone()).collect()
}

/// What the model found no answer among: something like it. That the shop sells such things at all has been found before; a small model
/// that sees their names alone says "none" of wellies where there are rubber boots.
pub(super) fn nothing_but_similar(brief: &Brief<'_>) -> Vec<Move> {
    let similar = alternatives(&nearest(brief), brief.offers);
    vec![similar.unwrap_or(Move::NotFound { why: Absence::NothingFound })]
}

/// The first few candidates: beside what holds a word of the question, what holds none is left out; running shoes are no rubber boots.
fn nearest(brief: &Brief<'_>) -> Vec<Candidate> {
    let most = brief.found.candidates.iter().map(|candidate| candidate.covers).fold(0.0_f32, f32::max);
    let alike: Vec<&Candidate> =
        brief.found.candidates.iter().filter(|candidate| candidate.covers >= HALF * most).collect();
    on_offer(&alike, brief.offers)
}

/// The best that can be said without judging: the first few candidates, each with its own true price.
pub fn without_model(brief: &Brief<'_>) -> Vec<Move> {
    let shown = nearest(brief);
    // Not a word of the question stands in a name: it may be like what is looked for, and is called no more than that.
    let unlike =
        brief.command.name == CommandName::FindProduct && shown.iter().all(|candidate| candidate.covers <= 0.0);
    let alike = unlike.then(|| alternatives(&shown, brief.offers)).flatten();
    alike.map_or_else(|| about(brief, &shown), |alike| vec![alike])
}

/// Moves about candidates that are known to be meant.
pub(super) fn about(brief: &Brief<'_>, named: &[Candidate]) -> Vec<Move> {
    let facts = matching(named);
    if facts.is_empty() {
        return vec![Move::NotFound { why: Absence::NothingFound }];
    }
    let sold_out = !named.is_empty() && named.iter().all(|candidate| candidate.in_stock == Some(0));
    let mut moves = match brief.command.name {
        CommandName::Compare if named.len() > 1 && brief.found.by_property => by_property(brief, facts),
        CommandName::Compare if named.len() > 1 => vec![Move::Compare { facts }],
        // Who asks whether the shop has a thing has not seen its price yet.
        CommandName::Stock if named.len() == 1 && first_mention(brief) => {
            vec![Move::Offer { facts: facts.clone() }, Move::Stock { facts }]
        }
        // Of a kind of thing, what there is is told; the towns of one product are.
        CommandName::Stock if brief.found.sure == 0 && first_mention(brief) => vec![Move::Offer { facts }],
        // "The blue ones?" of several: which they are; the towns of each would be a page.
        CommandName::Stock if named.len() > 1 && of_a_colour(brief) => vec![Move::Offer { facts }],
        CommandName::Stock => vec![Move::Stock { facts }],
        _ => vec![Move::Offer { facts }],
    };
    if brief.command.name == CommandName::Price {
        moves.extend(totals_of(brief, named).into_iter().map(|fact| Move::Total { fact }));
    }
    let wants_to_buy = matches!(brief.command.name, CommandName::FindProduct | CommandName::CartAdd);
    if sold_out {
        if brief.command.name != CommandName::Stock {
            moves.push(Move::NotFound { why: Absence::OutOfStock });
        }
        let told = |one: &&Candidate| named.iter().any(|told| told.product.id == one.product.id);
        let rest: Vec<Candidate> = brief.found.candidates.iter().filter(|one| !told(one)).cloned().collect();
        moves.extend(alternatives(&rest, brief.offers));
    } else if wants_to_buy && let Some(accessory) = &brief.found.accessory {
        moves.push(Move::Upsell { fact: accessory.clone() });
    }
    moves
}

/// "Which one is quieter?": those compared with what was asked of each, and which of them it is.
fn by_property(brief: &Brief<'_>, facts: Vec<FactId>) -> Vec<Move> {
    let best = facts.first().filter(|_| brief.found.best).map(|fact| Move::Best { fact: fact.clone() });
    [Move::Offer { facts }].into_iter().chain(best).collect()
}

/// True when the question names the product itself and no variant of it.
fn first_mention(brief: &Brief<'_>) -> bool {
    let slots = &brief.command.slots;
    slots.product.is_some() && slots.size.is_none() && slots.colour.is_none() && slots.town.is_none()
}

/// True when a colour is asked for, wherever it lies.
fn of_a_colour(brief: &Brief<'_>) -> bool {
    let slots = &brief.command.slots;
    slots.town.is_none() && slots.colour.is_some()
}

/// The computed sum of each product at one price that is meant; none of a longer list.
fn totals_of(brief: &Brief<'_>, named: &[Candidate]) -> Vec<FactId> {
    let several = brief.command.slots.quantity.is_some_and(|quantity| quantity > 1);
    let few = named.len() <= brief.offers;
    named.iter().filter(|_| several && few).filter_map(|one| one.total.clone()).collect()
}

fn filtered_out(brief: &Brief<'_>) -> Vec<Move> {
    let slots = &brief.command.slots;
    // One product, and not in this blue: what it can be had in is the answer.
    if let ([only], true) = (brief.found.near.as_slice(), slots.size.is_some() || slots.colour.is_some()) {
        let others = Move::Stock { facts: only.all.clone() };
        return vec![Move::NotFound { why: Absence::NoVariant }, others];
    }
    let mut moves = vec![Move::NotFound { why: Absence::FilteredOut }];
    let near: Vec<FactId> =
        brief.found.near.iter().take(brief.offers).flat_map(|candidate| candidate.all.clone()).collect();
    if !near.is_empty() {
        moves.push(Move::Alternatives { facts: near });
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::found::Found;
    use crate::domain::{Command, Language, Slots};

    fn moves(name: CommandName, found: &Found, plan: fn(&Brief<'_>) -> Vec<Move>) -> Vec<Move> {
        let command = Command { name, slots: Slots::default() };
        plan(&Brief { message: "", language: Language::En, command: &command, found, offers: 3 })
    }

    fn candidate(id: &str, covers: f32, in_stock: u32) -> Candidate {
        let product =
            serde_json::from_value(serde_json::json!({"id": id, "name": {"en": id}, "variants": []})).unwrap();
        let matching = vec![FactId(format!("offer:{id}"))];
        Candidate { product, all: matching.clone(), matching, total: None, covers, in_stock: Some(in_stock) }
    }

    fn told(moves: &[Move]) -> Vec<(&str, Vec<&str>)> {
        moves
            .iter()
            .map(|step| match step {
                Move::Offer { facts } => ("offer", facts),
                Move::Alternatives { facts } => ("alternatives", facts),
                _ => ("other", const { &Vec::new() }),
            })
            .map(|(kind, facts): (&str, &Vec<FactId>)| (kind, facts.iter().map(|fact| fact.0.as_str()).collect()))
            .collect()
    }

    #[test]
    fn beside_what_holds_a_word_what_holds_none_is_left_out() {
        let check = |all: &[(&str, f32, u32)], expected: &[(&str, Vec<&str>)]| {
            let candidates = all.iter().map(|(id, covers, stock)| candidate(id, *covers, *stock)).collect();
            let found = Found { candidates, ..Found::default() };
            assert_eq!(told(&moves(CommandName::FindProduct, &found, without_model)), expected, "{all:?}");
        };
        check(&[("sneakers", 0.5, 4), ("boots", 0.0, 4), ("socks", 0.2, 4)], &[("offer", vec!["offer:sneakers"])]);
        check(&[("a", 0.5, 4), ("b", 0.3, 4)], &[("offer", vec!["offer:a", "offer:b"])]);
        check(&[("a", 0.0, 4), ("b", 0.0, 4)], &[("alternatives", vec!["offer:a", "offer:b"])]);
        // What is sold out is said to be so, and what is like it is told.
        check(
            &[("other", 0.0, 4), ("gone", 0.5, 0)],
            &[("offer", vec!["offer:gone"]), ("other", vec![]), ("alternatives", vec!["offer:other"])],
        );
    }

    #[test]
    fn who_looks_for_what_there_is_not_is_told_what_there_is() {
        let kinds = FactId("range".to_string());
        let found = Found { absence: Some(Absence::NothingFound), kinds: Some(kinds.clone()), ..Found::default() };
        let ruled = |brief: &Brief<'_>| by_rule(brief).unwrap();
        let not_found = Move::NotFound { why: Absence::NothingFound };
        let both = vec![not_found.clone(), Move::Range { fact: kinds }];
        assert_eq!(moves(CommandName::FindProduct, &found, ruled), both);
        assert_eq!(moves(CommandName::Price, &found, ruled), [not_found]);
    }
}
