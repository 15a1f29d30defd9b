//! A question about a property of a product ("is it noisy?", "из чего он?") in which the examples see chat or a rule of the shop.
//! In: what was understood. Out: the same, or a question about the product named or shown last.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Tier, Understanding};

/// What was understood, or a question about a property of what is spoken of.
pub(super) fn or_asked(app: &App, session: &Session, screened: &Screened, understood: Understanding) -> Understanding {
    if session.pending.is_some() || !mistaken(&understood) {
        return understood;
    }
    let slots = app.understander.slots(screened);
    let named = slots.product.is_some() || slots.sku.is_some();
    if slots.detail.is_none() || !named && session.focus.is_empty() {
        return understood;
    }
    let Slots { product, sku, pick, detail, .. } = slots;
    let mut notes = understood.notes;
    notes.push(format!("asks for a property: {}", detail.as_deref().unwrap_or_default()));
    let slots = Slots { product, sku, pick, detail, ..Slots::default() };
    let commands = vec![Command { name: CommandName::FindProduct, slots }];
    Understanding { commands, notes, ..understood }
}

/// True for the one command that such a question is taken for; what the rules know stands.
fn mistaken(understood: &Understanding) -> bool {
    use CommandName as C;
    let [only] = understood.commands.as_slice() else { return false };
    let taken = matches!(
        only.name,
        C::Smalltalk | C::OutOfScope | C::Menu | C::Confirm | C::Deny | C::Policy | C::DeliveryInfo | C::Complaint
    );
    taken && only.slots.topic.is_none() && understood.tier == Tier::Examples
}
