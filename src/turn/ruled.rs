//! A question that the shop's rules answer, taken by its words for something else: "which stores do you have and when do they close?" for a
//! search, 运费得我自己掏吗 for delivery to somewhere, "when do I get my money?" inside a return for more of that return. In: what was
//! understood, and how far the rules stand out for the message, where questions stand with them (`<!-- asked`). Out: the same, or a
//! question about the rules.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Tier, Understanding};
use crate::retrieval::Passages;

use super::context::known_word;
use super::policy::{self, DELIVERY, RETURNS};

/// How far a rule must stand out where the message says nothing that the shop knows.
const STANDS: f32 = 0.7;
/// Where its words may mean something else as well.
const STANDS_OUT: f32 = 1.0;
/// Where they name a thing that the shop sells.
const STANDS_ALONE: f32 = 1.8;
/// From here on the examples' word stands.
const CERTAIN: f32 = 0.9;
/// From here on it stands for a complaint, which calls a person.
const NO_GUESS: f32 = 0.75;
/// What a question ends on.
const ENDS: [char; 5] = ['?', '？', '吗', '呢', '么'];

/// What was understood, or a question about the rules.
pub(super) async fn or_ruled(
    app: &App,
    session: &Session,
    screened: &Screened,
    mut understood: Understanding,
) -> Understanding {
    let only = match understood.commands.as_slice() {
        [only] => only,
        // "Which shops do you have, and until when are they open?" falls in two.
        [one, other] if other.name == CommandName::Policy => one,
        [one, other] if one.name == CommandName::Policy => other,
        _ => return understood,
    };
    if app.search.least_standing(screened.language).is_none() {
        return understood;
    }
    let Some(needed) = needed(app, session, screened, (only, &understood)).await else { return understood };
    let passages = policy::rules_for(app, session, screened, (&screened.text, None), app.now()).await;
    // "Have you the wool socks, and can I return them?" asks for both.
    let needed = if understood.commands.len() > 1 { STANDS_OUT } else { needed };
    if understood.commands.len() > 1 && (needed < STANDS_OUT || names_known(app, screened, only).await) {
        return understood;
    }
    let Some(standing) = passages.standing().filter(|standing| *standing >= needed) else { return understood };
    if !may_answer(only, &passages) {
        return understood;
    }
    understood.notes.push(format!("a rule answers it: {standing:.2}"));
    let known = understood.commands.iter().find(|command| command.name == CommandName::Policy).cloned();
    let question = known.unwrap_or(Command { name: CommandName::Policy, slots: Slots::default() });
    // "Send it to Moscow, can I pay by WeChat, how long does it take?" asks for both.
    let town = only.slots.town.is_some() || session.town.is_some();
    let beside = only.name == CommandName::DeliveryInfo && town;
    let also = if beside { Some(only.clone()) } else { None };
    Understanding { commands: std::iter::once(question).chain(also).collect(), ..understood }
}

/// How far a rule must stand out for a message that was taken for this command; nothing where the command stands whatever the rules say.
async fn needed(
    app: &App,
    session: &Session,
    screened: &Screened,
    (only, understood): (&Command, &Understanding),
) -> Option<f32> {
    use CommandName as C;
    let guessed = understood.tier != Tier::Rules && understood.confidence < CERTAIN;
    let Slots { sku, wish, detail, order_number, phone, email, .. } = &only.slots;
    let says_who = order_number.is_some() || phone.is_some() || email.is_some();
    let busy = session.pending.is_some() || session.menu.is_some() || session.checkout.is_some();
    if session.talk.is_some() {
        let more = matches!(only.name, C::ReturnItem | C::OrderStatus | C::Complaint) && !said_who(app, screened);
        let asks = more && screened.text.trim_end().ends_with(ENDS) && session.pending.is_none();
        let says = only.slots.sku.is_some() || only.slots.quantity.is_some() || app.answers.defective(&screened.text);
        return (asks && !says && !names_known(app, screened, only).await).then_some(STANDS_OUT);
    }
    // "How long is it valid?" asks for a property of nothing, where no goods are spoken of.
    let of_goods = detail.is_some() && !session.focus.is_empty();
    if busy || says_who || sku.is_some() || wish.is_some() || of_goods {
        return None;
    }
    match only.name {
        C::FindProduct | C::Stock | C::Compare | C::Correct => {
            let Some(words) = only.slots.product.as_deref() else { return detail.is_some().then_some(STANDS_OUT) };
            Some(if known_word(app, screened, words).await { STANDS_ALONE } else { STANDS })
        }
        C::DeliveryInfo => Some(STANDS_OUT),
        C::Complaint => {
            let asks = screened.text.trim_end().ends_with(ENDS);
            (asks && understood.tier != Tier::Rules && understood.confidence < NO_GUESS).then_some(STANDS_OUT)
        }
        C::RestockNotice | C::OutOfScope | C::Smalltalk | C::Spam | C::Menu => guessed.then_some(STANDS_OUT),
        C::OrderStatus if session.login.opened(app.now()).is_some() => Some(STANDS_OUT),
        _ => None,
    }
}

/// True when the message itself tells an order or a contact.
fn said_who(app: &App, screened: &Screened) -> bool {
    !screened.pii.is_empty() || app.understander.slots(screened).order_number.is_some()
}

/// True when the command names something of which the shop knows a word.
async fn names_known(app: &App, screened: &Screened, command: &Command) -> bool {
    match &command.slots.product {
        Some(words) => known_word(app, screened, words).await,
        None => command.slots.sku.is_some(),
    }
}

/// True when the rule that stands out is no part of what the command does anyway.
fn may_answer(only: &Command, passages: &Passages) -> bool {
    use CommandName as C;
    let document = passages.hits.first().map(|hit| hit.passage.document.as_str()).unwrap_or_default();
    match only.name {
        C::DeliveryInfo => document != DELIVERY,
        C::OrderStatus => document == RETURNS,
        _ => true,
    }
}
