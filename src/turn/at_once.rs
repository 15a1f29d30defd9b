//! What code alone understands before anybody reads the words: a wish to be left alone, an attack, the answer to a question that is open, a
//! choice among what was offered; and words of the cart. In: a message and its conversation. Out: what it wants, or nothing.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Tier, Understanding};
use crate::understanding::Answer as Said;

use super::{cart, lacking, menu, narrow, offers, stop, swap};

/// A score from which a message is treated as an attack without asking further.
const SURE_ATTACK: f32 = 0.9;

/// What code alone understands; nothing where the words have to be read.
pub(super) async fn at_once(app: &App, screened: &Screened, session: &Session) -> Option<Understanding> {
    let decided = |name, confidence| Understanding {
        lang: screened.language,
        commands: vec![Command { name, slots: Slots::default() }],
        confidence,
        tier: Tier::Rules,
        notes: vec!["screening".to_string()],
    };
    if stop::asks(app, session, screened) {
        let notes = vec!["asks to be left alone".to_string()];
        return Some(Understanding { notes, ..decided(CommandName::Deny, 0.98) });
    }
    if offers::asks(app, session, screened) {
        let notes = vec!["agrees to messages".to_string()];
        return Some(Understanding { notes, ..decided(CommandName::LeaveContact, 0.98) });
    }
    if screened.injection >= SURE_ATTACK {
        return Some(decided(CommandName::Unsafe, screened.injection));
    }
    let wish = session.talk.as_ref().filter(|talk| talk.shown.is_some()).map(|talk| talk.wish);
    match wish.and_then(|wish| app.answers.read(&screened.text, wish)) {
        Some(Said::Yes) => return Some(answers_proposal(screened, CommandName::Confirm)),
        Some(Said::No) => return Some(answers_proposal(screened, CommandName::Deny)),
        Some(Said::Unclear) => return Some(answers_proposal(screened, CommandName::Correct)),
        None => {}
    }
    let consent = session.consent.as_ref().filter(|consent| consent.open);
    match consent.and_then(|_| app.answers.consent(&screened.text)) {
        Some(Said::Yes) => return Some(answers_proposal(screened, CommandName::Confirm)),
        Some(Said::No) => return Some(answers_proposal(screened, CommandName::Deny)),
        Some(Said::Unclear) | None => {}
    }
    match session.checkout.as_ref().and_then(|_| app.answers.order(&screened.text)) {
        Some(Said::Yes) => return Some(answers_proposal(screened, CommandName::Confirm)),
        Some(Said::No) => return Some(answers_proposal(screened, CommandName::Deny)),
        Some(Said::Unclear) => return Some(answers_proposal(screened, CommandName::Correct)),
        None => {}
    }
    if let Some(command) = lacking::goes_on(app, session, screened).await {
        let name = command.name;
        let notes = vec!["has not what was asked for, or sent it as a photo".to_string()];
        return Some(Understanding { commands: vec![command], notes, ..decided(name, 0.97) });
    }
    if let Some(command) = menu::chosen(app, session, screened) {
        let name = command.name;
        let notes = vec!["a choice of the menu".to_string()];
        return Some(Understanding { commands: vec![command], notes, ..decided(name, 0.97) });
    }
    if let Some(command) = narrow::answered(app, session, screened) {
        let notes = vec!["a choice among those found".to_string()];
        return Some(Understanding { commands: vec![command], notes, ..decided(CommandName::FindProduct, 0.95) });
    }
    None
}

/// What words of the cart mean; nothing where there are none.
pub(super) async fn of_cart(app: &App, screened: &Screened, session: &Session) -> Option<Understanding> {
    let of_cart = app.cart_words.read(&screened.text).is_some()
        || cart::corrected(app, session, screened).is_some()
        || swap::wanted(app, session, screened).is_some();
    if of_cart || cart::takes_out(app, session, screened).await {
        let command = Command { name: CommandName::CartAdd, slots: Slots::default() };
        return Some(Understanding {
            lang: screened.language,
            commands: vec![command],
            confidence: 0.95,
            tier: Tier::Rules,
            notes: vec!["words of the cart".to_string()],
        });
    }
    None
}

fn answers_proposal(screened: &Screened, name: CommandName) -> Understanding {
    Understanding {
        lang: screened.language,
        commands: vec![Command { name, slots: Slots::default() }],
        confidence: 0.98,
        tier: Tier::Rules,
        notes: vec!["answers the proposal".to_string()],
    }
}
