//! A wish that the same message takes back: "add the kettle. No wait, don't". In: a message and its wishes. Out: the wishes that stand.

use std::ops::Range;

use crate::app::App;
use crate::domain::{CommandName, Screened};
use crate::engine::Stretch;
use crate::understanding::Answer;

/// What is left of the wishes, and whether the last of them was taken back: it stays, with nothing to be done for it.
pub(super) fn left(app: &App, message: &Screened, mut wishes: Vec<Stretch>) -> (Vec<Stretch>, bool) {
    let Some(tail) = tail(app, message, &wishes) else { return (wishes, false) };
    wishes.retain(|wish| begins(message, wish) < tail);
    if let Some(last) = wishes.last_mut() {
        last.range.end = tail;
    }
    (wishes, true)
}

/// Where the words begin with which the message takes its last wish back.
fn tail(app: &App, message: &Screened, wishes: &[Stretch]) -> Option<usize> {
    let text = message.text.as_str();
    let pieces: Vec<Range<usize>> = app.understander.pieces(message);
    let starts = pieces.iter().skip(1).map(|piece| piece.start);
    let mut tails = starts.filter(|start| {
        let deed = wishes.iter().rev().find(|wish| begins(message, wish) < *start);
        let (tail, Some(deed)) = (&text[*start..], deed) else { return false };
        let of_cart = bought(deed) && !app.cart_words.removes(&text[deed.range.start..*start]);
        does(deed) && (app.answers.takes_back(tail) || of_cart && app.answers.order(tail) == Some(Answer::No))
    });
    tails.next()
}

/// Where its first word begins.
fn begins(message: &Screened, wish: &Stretch) -> usize {
    let words = &message.text[wish.range.clone()];
    wish.range.end - words.trim_start_matches(|c: char| !c.is_alphanumeric()).len()
}

fn bought(wish: &Stretch) -> bool {
    [CommandName::CartAdd, CommandName::Checkout].iter().any(|name| name.as_str() == wish.wish)
}

/// True where something is to be done, and not only told.
fn does(wish: &Stretch) -> bool {
    use CommandName as C;
    let deeds = [C::CancelOrder, C::ChangeOrder, C::ReturnItem, C::RestockNotice, C::LeaveContact, C::Human];
    bought(wish) || deeds.iter().any(|name| name.as_str() == wish.wish)
}
