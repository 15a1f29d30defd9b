//! A question about the products that were just shown ("can it go in the oven?", «малышу подойдёт?») in which words alone make a search, a
//! rule of the shop or chat. In: what was understood, and how far the message lies on the side of such questions
//! (`src/understanding/examples/shown.rs`). Out: the same, or a question about those products.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Localised, Product, ProductId, Screened, Sku, Slots, Tier, Understanding};
use crate::retrieval::EVERY_DETAIL;

use super::context::{NAMES, known_word};

/// From here on it is such a question even where it names a thing the shop sells and points at none ("is a lid in the box?").
const SURE: f32 = 0.4;
/// From here on, where it names none, or points at those shown ("does it come with a lid?").
const LEANS: f32 = 0.0;
/// From here on the examples' word for a rule of the shop, or for a comparison, stands.
const CERTAIN: f32 = 0.9;

/// What was understood, or a question about what was shown.
pub(super) async fn or_asked(
    app: &App,
    session: &Session,
    screened: &Screened,
    mut understood: Understanding,
) -> Understanding {
    let [only] = understood.commands.as_slice() else { return understood };
    // "What colours does it come in?" is answered by what is there.
    let asks_variants = app.shop.kinds().variants(&screened.text);
    if session.focus.is_empty() || !mistaken(only, &understood, asks_variants) || another(app, session, screened, only)
    {
        return understood;
    }
    let Some(side) = app.understander.of_shown(screened, &*app.embed).await else { return understood };
    understood.notes.push(format!("asks about what was shown: {side:.2}"));
    let thing = match &only.slots.product {
        Some(words) => match screened.marks.naming(words) {
            Some(chance) => chance >= NAMES,
            None => known_word(app, screened, words).await,
        },
        None => false,
    };
    let needed = if thing && !app.understander.points(screened) { SURE } else { LEANS };
    if side < needed {
        return understood;
    }
    let said = app.understander.slots(screened);
    let detail = said.detail.or_else(|| Some(EVERY_DETAIL.to_string()));
    let sku = match said.pick {
        None => named(app, session, &screened.text).await.map(|id| id.0),
        Some(_) => None,
    };
    let slots = Slots { detail, pick: said.pick, sku, ..Slots::default() };
    let commands = vec![Command { name: CommandName::FindProduct, slots }];
    Understanding { commands, ..understood }
}

/// The one of several things shown that words name by a word no other has: "does the robot mop, too?".
pub(super) async fn named(app: &App, session: &Session, words: &str) -> Option<ProductId> {
    if session.focus.len() < 2 {
        return None;
    }
    let products = app.catalog.products(&session.focus).await.ok()?;
    let name = |product: &Product| (Sku::from(product.id.as_str()), product.name.clone());
    let names: Vec<(Sku, Localised)> = products.iter().map(name).collect();
    match crate::tasks::named_in(words, &names).as_slice() {
        [only] => Some(ProductId::from(only.as_str())),
        _ => None,
    }
}

/// True for the one command that such a question is taken for; whatever says more than a thing's name stands.
fn mistaken(only: &Command, understood: &Understanding, asks_variants: bool) -> bool {
    use CommandName as C;
    let Slots { sku, wish, budget, town, size, colour, quantity, topic, order_number, .. } = &only.slots;
    let more = sku.is_some()
        || wish.is_some()
        || budget.is_some()
        || town.is_some()
        || size.is_some()
        || colour.is_some()
        || quantity.is_some()
        || topic.is_some()
        || order_number.is_some();
    let certain = understood.confidence >= CERTAIN;
    let taken = match only.name {
        C::FindProduct | C::Correct => true,
        // A cue is a few words: "is it in the set?", "is it down or synthetic?".
        C::Stock => (understood.tier != Tier::Examples || !certain) && !asks_variants,
        C::Smalltalk | C::OutOfScope | C::Menu | C::Confirm | C::Deny | C::Unsafe => understood.tier != Tier::Rules,
        C::Policy | C::Compare | C::DeliveryInfo | C::Complaint | C::RestockNotice => {
            understood.tier != Tier::Rules && !certain
        }
        _ => false,
    };
    taken && !more && only.slots.detail.is_none()
}

/// True for "is there a quieter one?".
fn another(app: &App, session: &Session, screened: &Screened, only: &Command) -> bool {
    let words = only.slots.product.as_deref().unwrap_or_default();
    app.shop.wanted(&screened.text, words).is_some_and(|wanted| wanted.of_those(session.focus.len()))
}
