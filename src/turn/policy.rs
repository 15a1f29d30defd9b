//! Questions that the shop's rules answer: delivery to a town from its terms, everything else from the passages of `data/policies`.
//! Which passage it is follows from the search, or the model chooses among a few; it is told as it is written.

use jiff::Timestamp;

use crate::app::App;
use crate::domain::plan::{Absence, Ask, HandoverReason};
use crate::domain::product::{Load, Loads};
use crate::domain::session::{Pending, Session};
use crate::domain::{Command, CommandName, Fact, FactBody, FactId, Move, Offer, Screened, Slots};
use crate::engine::PassageQuery;
use crate::plan;
use crate::retrieval::{self, EVERY_DETAIL};

use super::clock::StageClock;
use super::context::known_word;
use super::desk;
use super::respond::{Outcome, Turn, embed, log, products, sought};

/// Longer questions are about more than a property of what was shown.
const SHORT: usize = 40;
/// So many words may be left of a question where something is delivered to.
const FEW: usize = 3;
/// From here on a rule is plainly meant, where questions stand with the rules.
const PLAIN: f32 = 1.2;
/// Passages among which the model may choose.
const PASSAGES: usize = 4;
/// The document of the rules on delivery.
pub(super) const DELIVERY: &str = "delivery";
/// The document of the rules on returns.
pub(super) const RETURNS: &str = "returns";
/// The document of the rules on warranty, and what is asked of a product in `data/rules/details.toml`.
const WARRANTY: &str = "warranty";

/// When and for how much something comes to a town; asks for the town.
pub(super) async fn delivery(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome, clock: &mut StageClock<'_>) {
    let app = turn.app;
    if command.slots.town.is_none()
        && let Some(words) = &command.slots.product
    {
        let elsewhere = elsewhere(turn, words).await;
        if !elsewhere && another_rule(turn, outcome).await {
            return Box::pin(policy(
                turn,
                &Command { name: CommandName::Policy, slots: Slots::default() },
                outcome,
                clock,
            ))
            .await;
        }
        if ruled(turn, elsewhere, outcome).await {
            return;
        }
    }
    let Some(town) = command.slots.town.as_ref().or(turn.session.town.as_ref()) else {
        outcome.say(Move::Ask { what: Ask::Town });
        outcome.pending = Some(Pending { command: command.clone(), asked: Ask::Town, failed: 0 });
        return;
    };
    let currency = app.config.shop.currency_of(turn.screened.language);
    let offers = spoken_of(turn, command, outcome).await;
    let names = command.slots.product.is_some() || command.slots.sku.is_some() || command.slots.pick.is_some();
    if names && !offers.is_empty() && offers.iter().all(|offer| offer.in_stock() == Some(0)) {
        // When it comes nobody can say: that it is sold out is the answer.
        let slots = Slots { town: None, ..command.slots.clone() };
        return products(turn, &Command { name: CommandName::Stock, slots }, outcome, clock).await;
    }
    let there = offers.iter().filter(|offer| offer.in_stock() != Some(0));
    let loads: Vec<Load<'_>> = there.map(|offer| Load { stock: &offer.stock, pieces: 1 }).collect();
    let loads = if loads.is_empty() { Loads::Any } else { Loads::OneOf(&loads) };
    match app.shop.delivery((&town.as_str().into(), loads), currency, outcome.now) {
        Some(fact) => {
            outcome.say(Move::Deliver { fact: fact.id.clone() });
            outcome.learn(vec![fact]);
        }
        None => outcome.say(Move::NotFound { why: Absence::NoDelivery }),
    }
}

/// The variants that a question about delivery means: of the one product it names, or of the one spoken of; none when it means none.
async fn spoken_of(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> Vec<Offer> {
    let named = command.slots.product.is_some() || command.slots.sku.is_some();
    if !named && turn.session.pointed(&command.slots).len() != 1 {
        return Vec::new();
    }
    // Where it goes is not where it must lie in a store.
    let slots = Slots { town: None, ..command.slots.clone() };
    let found = sought(turn, &Command { name: CommandName::Stock, slots }, outcome).await;
    let [meant] = found.candidates.get(..found.sure).unwrap_or_default() else { return Vec::new() };
    // What was spoken of before is so still, with the variant that lies in the cart of it.
    outcome.focus.extend(named.then(|| meant.product.id.clone()));
    let offer = |id: &FactId| match &found.facts.iter().find(|fact| fact.id == *id)?.body {
        FactBody::Offer(offer) => Some(offer.offer.clone()),
        _ => None,
    };
    let offers: Vec<Offer> = meant.matching.iter().filter_map(offer).collect();
    match turn.session.in_hand.as_ref().and_then(|sku| offers.iter().find(|offer| offer.sku == *sku)) {
        Some(chosen) => vec![chosen.clone()],
        None => offers,
    }
}

/// True for "delivery to Vienna" where the shop knows no Vienna: the rules say where to and on what terms it delivers.
async fn elsewhere(turn: &Turn<'_>, words: &str) -> bool {
    let text = &turn.screened.text;
    let place = |word: &str| turn.app.shop.kinds().place(text, word);
    // "How long does it take to Vienna": of a few words the last one is the place.
    let last = words.split_whitespace().next_back().filter(|_| words.split_whitespace().count() <= FEW);
    let Some(place) = Some(words).filter(|words| place(words)).or(last.filter(|word| place(word))) else {
        return false;
    };
    !known_word(turn.app, turn.screened, place).await
}

/// "What if the courier does not find me?" asks for no price: where one rule on delivery stands out, it is the answer; any of them
/// where a town is asked for of which only the rules can tell.
async fn ruled(turn: &Turn<'_>, any: bool, outcome: &mut Outcome) -> bool {
    let passages = sought_rules(turn, (&turn.screened.text, Some(DELIVERY.to_string())), outcome).await;
    let clear = || any || passages.hits.len() > 1 && passages.clear();
    let Some(fact) = passages.facts.first().filter(|_| clear()).cloned() else {
        return false;
    };
    // That Vienna is out of reach is said before how long "other towns" take.
    let mut told: Vec<Fact> = where_to(turn, outcome).await.filter(|_| any).into_iter().collect();
    if told.iter().all(|known| known.id != fact.id) {
        told.push(fact);
    }
    told.iter().for_each(|fact| outcome.say(Move::Policy { fact: fact.id.clone() }));
    outcome.learn(told);
    true
}

/// "And cash to the courier, is that dearer?": a rule that stands in another document than the one on delivery is nearer.
async fn another_rule(turn: &Turn<'_>, outcome: &Outcome) -> bool {
    let passages = sought_rules(turn, (&turn.screened.text, None), outcome).await;
    passages.leads_away(DELIVERY)
}

/// The rule that says where the shop delivers at all.
async fn where_to(turn: &Turn<'_>, outcome: &Outcome) -> Option<Fact> {
    let question = turn.app.shop.kinds().elsewhere(turn.screened.language)?;
    sought_rules(turn, (question, Some(DELIVERY.to_string())), outcome).await.facts.into_iter().next()
}

/// The share of what was said just before in the meaning of a question: "how long is it valid?" of a gift card. Chosen on the questions of
/// `data/eval/talk/third.txt`: those that stand alone are found as before, of the others twice as many.
const BEFORE: f32 = 0.25;

/// What a question about the rules means in its conversation, of length 1; what is not the shopper's own message stands alone.
async fn meaning(app: &App, session: &Session, screened: &Screened, text: &str) -> Option<Vec<f32>> {
    let before = session.recent.last().filter(|_| text == screened.text);
    let alone = embed(app, text).await?;
    let Some(before) = before else { return Some(alone) };
    let together = embed(app, &format!("{} {text}", before.message)).await?;
    let mixed = alone.iter().zip(&together).map(|(alone, together)| (1.0 - BEFORE) * alone + BEFORE * together);
    let mixed: Vec<f32> = mixed.collect();
    let length = mixed.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    Some(mixed.into_iter().map(|value| value / length).collect())
}

/// The passages nearest to a text in its conversation, of one document or of all.
pub(super) async fn rules_for(
    app: &App,
    session: &Session,
    screened: &Screened,
    (text, document): (&str, Option<String>),
    now: Timestamp,
) -> retrieval::Passages {
    let query = PassageQuery {
        text: text.to_string(),
        vector: meaning(app, session, screened, text).await,
        language: screened.language,
        document,
        limit: PASSAGES,
    };
    retrieval::passages(&*app.search, query, now).await
}

async fn sought_rules(turn: &Turn<'_>, asked: (&str, Option<String>), outcome: &Outcome) -> retrieval::Passages {
    rules_for(turn.app, turn.session, turn.screened, asked, outcome.now).await
}

/// The passages for a question about the rules: those of the document its words name, or of any where questions stand with the rules.
async fn about(turn: &Turn<'_>, command: &Command, outcome: &Outcome) -> retrieval::Passages {
    let text = &turn.screened.text;
    let any = sought_rules(turn, (text, None), outcome).await;
    match command.slots.topic.as_deref().map(document) {
        Some(document) if !any.learnt() => sought_rules(turn, (text, Some(document)), outcome).await,
        // Words such as "return" are a hint: what stands out nowhere is about that document at least.
        Some(document) if any.absence.is_some() => sought_rules(turn, (text, Some(document)), outcome).await,
        _ => any,
    }
}

/// "Can I return it?" of what is spoken of, where that cannot be returned like others: the rule that says so.
async fn unreturnable(turn: &Turn<'_>, command: &Command, outcome: &Outcome) -> Option<Fact> {
    if command.slots.topic.as_deref() != Some(RETURNS) || turn.session.focus.is_empty() {
        return None;
    }
    if let Some(words) = &command.slots.product
        && known_word(turn.app, turn.screened, words).await
    {
        return None;
    }
    let products = turn.app.catalog.products(&turn.session.focus).await.ok()?;
    let all = !products.is_empty() && products.iter().all(|product| !product.returnable);
    let clause = &turn.app.order_rules.r#return.clause_excluded;
    desk::passage(turn, clause, outcome).filter(|_| all)
}

/// "How long is the warranty on the V-500?": the months of the product that is named or spoken of, where the catalog has them.
async fn warranted(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome) -> bool {
    let said = turn.app.understander.slots(turn.screened);
    let slots = &command.slots;
    let named = slots.product.is_some() || slots.sku.is_some();
    let asks = slots.topic.as_deref() == Some(WARRANTY) && said.detail.as_deref() == Some(WARRANTY);
    if !asks || !named && turn.session.focus.is_empty() {
        return false;
    }
    let (product, names, sku) = (slots.product.clone(), said.names, slots.sku.clone());
    let slots = Slots { product, names, sku, pick: said.pick, detail: said.detail, ..Slots::default() };
    let found = sought(turn, &Command { name: CommandName::FindProduct, slots }, outcome).await;
    let meant = &found.candidates[..found.sure.min(turn.app.config.search.offers).min(found.candidates.len())];
    if !meant.iter().any(|one| one.product.warranty_months.is_some()) {
        return false;
    }
    outcome.focus.extend(meant.iter().map(|one| one.product.id.clone()));
    outcome.say(Move::Detail { facts: meant.iter().flat_map(|one| one.matching.clone()).collect() });
    outcome.learn(found.facts);
    true
}

/// The document of a topic: `delivery.abroad` stands in `delivery`.
fn document(topic: &str) -> String {
    topic.split('.').next().unwrap_or(topic).to_string()
}

/// The document of the rules that a reply tells from.
pub(super) fn told(outcome: &Outcome) -> Option<String> {
    let quoted = |fact: &Fact| outcome.moves.contains(&Move::Policy { fact: fact.id.clone() });
    outcome.facts.iter().filter(|fact| quoted(fact)).find_map(|fact| match &fact.body {
        FactBody::Passage(passage) => Some(passage.document.clone()),
        _ => None,
    })
}

/// The passage that answers a question about the rules.
pub(super) async fn policy(turn: &Turn<'_>, command: &Command, outcome: &mut Outcome, clock: &mut StageClock<'_>) {
    if warranted(turn, command, outcome).await {
        return;
    }
    let passages = about(turn, command, outcome).await;
    if let Some(rule) = unreturnable(turn, command, outcome).await {
        // "When do I get my money back?" is told as well; that goods can be returned at all is not said of these.
        let window = &turn.app.order_rules.r#return.clause;
        let window = desk::passage(turn, window, outcome).map(|fact| fact.id);
        let nearest = passages.nearest().first().and_then(|at| passages.facts.get(*at)).cloned();
        let nearest =
            nearest.filter(|fact| passages.learnt() && fact.id != rule.id && Some(&fact.id) != window.as_ref());
        for fact in std::iter::once(rule).chain(nearest) {
            outcome.say(Move::Policy { fact: fact.id.clone() });
            outcome.learn(vec![fact]);
        }
        return;
    }
    // "Until when can I collect it?" after an order was shown: what is known of that order, unless a rule is plainly meant.
    let doubtful = passages.absence == Some(Absence::NoPolicy) || passages.standing().is_some_and(|far| far < PLAIN);
    let of_order = turn.session.focus.is_empty() && turn.app.understander.points(turn.screened);
    let opened = turn.session.login.opened(outcome.now).filter(|_| of_order && command.slots.topic.is_none());
    if let (true, Some(opened)) = (doubtful, opened) {
        return desk::status(turn, &desk::again(opened), outcome).await;
    }
    if let Some(why) = passages.absence {
        let short = turn.screened.text.chars().count() < SHORT;
        let of_goods = short && command.slots.topic.is_none() && turn.session.focus.len() == 1;
        if of_goods && why == Absence::NoPolicy && command.slots.order_number.is_none() {
            // "Can it be dimmed?", "hand wash or dry cleaning?": no rule, but what is known of the goods shown.
            let slots = Slots { detail: Some(EVERY_DETAIL.to_string()), ..Slots::default() };
            return products(turn, &Command { name: CommandName::FindProduct, slots }, outcome, clock).await;
        }
        outcome.say(Move::NotFound { why });
        return;
    }
    // "What is your warranty?" asks for nothing in particular.
    let general = passages.general().filter(|_| command.slots.topic.is_some() && command.slots.product.is_none());
    let going_on = turn.session.rules.as_deref().filter(|_| command.slots.topic.is_none());
    let general = general.or_else(|| passages.going_on(going_on?));
    let chosen = match turn.app.generate.as_deref() {
        _ if general.is_some() => general.into_iter().collect(),
        // What is asked of each rule says more than its heading, which is all that the model is shown.
        Some(generate) if passages.facts.len() > 1 && !passages.learnt() && !passages.clear() => {
            let text = &turn.screened.text;
            match plan::choose_passage(text, turn.screened.language, &passages.facts, generate).await {
                Ok((chosen, generated)) => {
                    outcome.generated.push(generated);
                    // It reads headings, the search all of the text: where they disagree, both may be right.
                    chosen.map_or_else(Vec::new, |chosen| passages.beside(chosen))
                }
                Err(error) => {
                    log(&error);
                    passages.nearest()
                }
            }
        }
        _ => passages.nearest(),
    };
    let told: Vec<&Fact> = chosen.into_iter().filter_map(|at| passages.facts.get(at)).collect();
    told.iter().for_each(|fact| outcome.say(Move::Policy { fact: fact.id.clone() }));
    if told.is_empty() {
        outcome.say(Move::NotFound { why: Absence::NoPolicy });
        outcome.say(Move::Human { reason: HandoverReason::Task });
    }
    outcome.learn(passages.facts);
}
