//! What is said of the goods just shown beside what they are: which of those, the one of those, another than those. In: what was understood of
//! the words alone. Out: the same, as it is meant of what was shown.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Understanding};

use super::context::known_word;
use super::shown;

/// "Which one is more powerful?" after a list compares those shown by that.
pub(super) async fn which_of_those(
    app: &App,
    session: &Session,
    screened: &Screened,
    mut understood: Understanding,
) -> Understanding {
    use CommandName as C;
    let [only] = understood.commands.as_mut_slice() else { return understood };
    // "Which jackets are waterproof?" looks for others than those shown.
    let thing = match &only.slots.product {
        Some(words) => known_word(app, screened, words).await,
        None => false,
    };
    let taken =
        matches!(only.name, C::FindProduct | C::Stock | C::Price | C::Menu | C::Smalltalk | C::OutOfScope | C::Correct);
    let named = only.slots.sku.is_some() || only.slots.pick.is_some() || !only.slots.names.is_empty();
    let asks = taken && !named && !thing && app.shop.kinds().which(&screened.text);
    let wanted = asks.then(|| app.shop.wanted(&screened.text, "")).flatten();
    if wanted.is_some_and(|wanted| session.focus.len() > 1 && wanted.of_those(session.focus.len())) {
        let detail = only.slots.detail.take();
        *only = Command { name: C::Compare, slots: Slots { detail, ..Slots::default() } };
    }
    understood
}

/// "And the cordless one, how long does it run?" asks for a property of one of those shown, and names it by a word no other has.
pub(super) async fn of_one(app: &App, session: &Session, screened: &Screened, command: &mut Command) {
    use CommandName as C;
    let slots = &mut command.slots;
    let open = slots.sku.is_none() && slots.pick.is_none() && slots.product.is_none();
    if open && slots.detail.is_some() && matches!(command.name, C::FindProduct | C::Price | C::Stock) {
        slots.sku = shown::named(app, session, &screened.text).await.map(|id| id.0);
    }
}

/// "Not steel", «а побольше?» after a list: of the kind that was shown another is wanted, though the words name nothing.
pub(super) fn another_wanted(
    app: &App,
    session: &Session,
    screened: &Screened,
    mut understood: Understanding,
) -> Understanding {
    use CommandName as C;
    let [only] = understood.commands.as_mut_slice() else { return understood };
    let open = matches!(only.name, C::FindProduct | C::Stock | C::Correct | C::Deny);
    let empty = only.slots == Slots::default();
    let Some(wanted) = (open && empty).then(|| app.shop.wanted(&screened.text, "")).flatten() else {
        return understood;
    };
    // A plain no, and whatever is put right without saying what is not wanted, is no search.
    let looks = matches!(only.name, C::FindProduct | C::Stock) || wanted.turns_down();
    if looks && wanted.of_those(session.focus.len()) {
        let slots = Slots { product: Some(wanted.said), ..Slots::default() };
        *only = Command { name: C::FindProduct, slots };
    }
    understood
}

/// True for "is there a quieter one?": of the kind that was shown another is wanted.
pub(super) fn wants_another(app: &App, session: &Session, screened: &Screened, command: &Command) -> bool {
    let words = command.slots.product.as_deref().unwrap_or_default();
    let looks = matches!(command.name, CommandName::FindProduct | CommandName::Stock);
    let wanted = looks.then(|| app.shop.wanted(&screened.text, words)).flatten();
    wanted.is_some_and(|wanted| wanted.of_those(session.focus.len()))
}
