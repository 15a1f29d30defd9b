//! A message of a few words in which the examples see chat, and which is nothing but the name of a thing the shop sells: "vacuum
//! cleaner". In: what was understood. Out: the same, or a search for that thing. Only the index knows what the shop sells.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Tier, Understanding};
use crate::engine::{Only, ProductQuery, SearchMode};

/// More words than this say something.
const MOST_WORDS: usize = 3;
/// Hits among which the words are looked for.
const HITS: usize = 4;

/// What was understood, or a search for the thing that the message names.
pub(super) async fn or_named(
    app: &App,
    session: &Session,
    screened: &Screened,
    understood: Understanding,
) -> Understanding {
    if session.pending.is_some() || !chat(&understood) || screened.text.split_whitespace().count() > MOST_WORDS {
        return understood;
    }
    let Some(words) = app.understander.slots(screened).product else { return understood };
    let query = ProductQuery {
        text: words.clone(),
        vector: None,
        language: screened.language,
        mode: SearchMode::Lexical,
        only: Only::default(),
        limit: HITS,
    };
    // An index that fails tells so where it is really asked.
    let hits = app.search.products(&query).await.unwrap_or_default();
    let named =
        |hit: &crate::engine::ProductHit| hit.query_in_name >= app.config.search.sure_name && hit.name_in_query > 0.0;
    if !hits.iter().any(named) {
        return understood;
    }
    let mut notes = understood.notes;
    notes.push(format!("a product's name holds `{words}`"));
    let slots = Slots { product: Some(words), ..Slots::default() };
    let commands = vec![Command { name: CommandName::FindProduct, slots }];
    Understanding { commands, notes, ..understood }
}

/// True for what is said beside a wish; a courtesy that the rules know has been taken for one before.
fn chat(understood: &Understanding) -> bool {
    use CommandName as C;
    let [only] = understood.commands.as_slice() else { return false };
    let beside = matches!(only.name, C::Smalltalk | C::OutOfScope | C::Menu | C::Confirm | C::Deny);
    beside && only.slots.topic.is_none() && understood.tier == Tier::Examples
}
