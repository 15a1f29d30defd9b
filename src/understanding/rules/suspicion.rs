//! What screening suspects of a message: that it would bend the assistant, or that it advertises. The examples may know better.

use super::{Firm, Sure};
use crate::domain::{Command, CommandName, Slots};
use crate::understanding::Input;

/// From this score of screening on, a message tries to bend the assistant.
const BENDING: f32 = 0.7;
/// From this score on, it advertises.
const ADVERTISING: f32 = 0.6;

/// What screening is sure about is no question to the shop.
pub(super) fn bending(input: Input<'_>) -> Option<Sure> {
    // An advertisement that promises much is still one.
    let advertises = input.message.spam >= ADVERTISING && input.message.spam >= input.message.injection;
    by_score(CommandName::Unsafe, input.message.injection, BENDING).filter(|_| !advertises)
}

/// Whoever advertises is no shopper.
pub(super) fn advertising(input: Input<'_>) -> Option<Sure> {
    by_score(CommandName::Spam, input.message.spam, ADVERTISING)
}

fn by_score(name: CommandName, score: f32, enough: f32) -> Option<Sure> {
    let command = Command { name, slots: Slots::default() };
    (score >= enough).then(|| Sure {
        commands: vec![command],
        confidence: score,
        notes: vec![format!("screening {score:.2}")],
        firm: Firm::Suspected,
    })
}
