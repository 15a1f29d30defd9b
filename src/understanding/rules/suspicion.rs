//! What screening suspects of a message: that it would bend the assistant, or that it advertises. The examples may know better.

use super::{Firm, Sure};
use crate::domain::{Command, CommandName, Screened, Slots};
use crate::understanding::Input;
use crate::understanding::definitions::CommandRules;
use crate::understanding::slots::Passage;

/// From this score of screening on, a message tries to bend the assistant.
const BENDING: f32 = 0.7;
/// From this score on, it advertises whatever cues it holds.
const SURELY: f32 = 0.9;
/// Words beside a budget that name what it is for; an advertisement has more to say.
const MOST_WANTED: usize = 4;

/// What screening is sure about is no question to the shop.
pub(super) fn bending(input: Input<'_>) -> Option<Sure> {
    // An advertisement that promises much is still one.
    let advertises = input.message.advertises() && input.message.spam >= input.message.injection;
    by_score(CommandName::Unsafe, input.message.injection, BENDING).filter(|_| !advertises)
}

impl CommandRules {
    /// Whoever advertises is no shopper.
    pub(super) fn advertising(&self, input: Input<'_>) -> Option<Sure> {
        by_score(CommandName::Spam, input.message.spam, Screened::ADVERTISING).filter(|_| !self.shops(input))
    }

    /// An advertisement that cues for a shopper's wish may stand in.
    pub(super) fn surely_advertising(&self, input: Input<'_>) -> Option<Sure> {
        self.advertising(input).filter(|sure| sure.confidence >= SURELY)
    }

    /// "A vacuum cleaner up to 300 euros" sounds like an offer to a table of words; it is the shortest of all wishes.
    fn shops(&self, input: Input<'_>) -> bool {
        let found = self.fill(Passage { message: input.message, text: &input.message.text, about: None });
        let leads_away = input.message.text.contains(['/', '@']) || !input.message.pii.is_empty();
        found.slots.budget.is_some() && (1..=MOST_WANTED).contains(&found.rest) && !leads_away
    }
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
