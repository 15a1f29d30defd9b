//! Facts become moves: by rule when the message names its product, by the model when somebody must judge which
//! of several facts fit. In: a command and what was found. Out: moves over those facts. It writes no words.

mod model;
pub mod prose;
mod rules;

use crate::domain::found::{Candidate, Found};
use crate::domain::{Command, FactId, Language, Move};

pub use model::grammar as choice_grammar;
pub use model::{Attempt, Choice, choose, choose_passage, warm_up};
pub use prose::compose;
pub use rules::{by_rule, without_model};

/// What there is to plan with.
#[derive(Clone, Copy)]
pub struct Brief<'a> {
    /// The message, masked.
    pub message: &'a str,
    /// Its language.
    pub language: Language,
    /// The command to answer.
    pub command: &'a Command,
    /// What retrieval found.
    pub found: &'a Found,
    /// At most so many products in an answer.
    pub offers: usize,
}

impl<'a> Brief<'a> {
    /// The products the message names beyond doubt.
    fn named(&self) -> &'a [Candidate] {
        &self.found.candidates[..self.found.sure]
    }
}

/// The matching facts of several candidates.
fn matching(candidates: &[Candidate]) -> Vec<FactId> {
    candidates.iter().flat_map(|candidate| candidate.matching.clone()).collect()
}

/// Products close to what was asked for that can be bought now.
fn alternatives(candidates: &[Candidate], most: usize) -> Option<Move> {
    let available = candidates.iter().filter(|candidate| candidate.in_stock != Some(0));
    let facts: Vec<FactId> = available.take(most).flat_map(|candidate| candidate.matching.clone()).collect();
    (!facts.is_empty()).then_some(Move::Alternatives { facts })
}
