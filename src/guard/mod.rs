//! The output guard: no price, count, date or promise leaves the shop unless a fact carries it.
//! In: a draft with its spans and the facts of the turn, or a plain text with a ledger. Out: a [`Verdict`].
//! Pure and synchronous; it knows no model, index, clock or network, and trusts neither renderer nor mask.

mod alias;
mod allowed;
mod between;
mod bind;
mod cart;
pub mod cases;
mod claims;
mod class;
mod clause;
mod compare;
#[cfg(test)]
mod cost_tests;
mod draft;
#[cfg(test)]
mod drafts_tests;
#[cfg(test)]
mod edges_tests;
#[cfg(test)]
mod free_tests;
mod ledger;
mod lex;
mod lexicon;
mod licence;
mod markup;
mod money;
#[cfg(test)]
mod mutants;
mod norm;
mod numeral;
mod product;
#[cfg(test)]
mod rules_tests;
mod sentence;
mod shape;
mod spans;
#[cfg(test)]
mod spans_tests;
#[cfg(test)]
mod spelled;
#[cfg(test)]
mod spelled_tests;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod told;
mod trie;
#[cfg(test)]
mod twins_tests;
mod unit;
mod verdict;

pub use ledger::Ledger;
pub use template::TemplateFault;
pub use verdict::{CheckedReply, CheckedSegment, Code, Rejection, Verdict, Violation};

use crate::domain::reply::Citation;
use crate::domain::{Draft, DraftSegment, Fact, FactBody, FactId, Language, Role};

/// The compiled lexicons; built once, shared by reference.
#[derive(Debug)]
pub struct Guard {
    lexicon: lexicon::Lexicon,
}

impl Default for Guard {
    fn default() -> Self {
        Guard::new()
    }
}

impl Guard {
    /// Compiles the lexicons of `data/guard`, which are part of the binary.
    pub fn new() -> Guard {
        let lexicon = lexicon::Lexicon::load().unwrap_or_else(|error| panic!("{error}"));
        Guard { lexicon }
    }

    /// Checks a draft against the facts of its turn and the shopper's own message.
    pub fn check(&self, draft: Draft, facts: &[Fact], shopper: &str) -> Verdict {
        let violations = draft::check(&self.lexicon, &draft, (facts, shopper));
        if !violations.is_empty() {
            return Verdict::Rejected(Rejection { draft, violations });
        }
        let segments = draft.segments.into_iter().map(|segment| seal(segment, facts)).collect();
        Verdict::Accepted(CheckedReply::seal(draft.language, segments))
    }

    /// Checks a plain text: imported, written by a person, or from a case file.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check_text(&self, language: Language, ledger: &Ledger, text: &str) -> Result<(), Violation> {
        text::check(&self.lexicon, ledger, (language, text))
    }
}

fn seal(segment: DraftSegment, facts: &[Fact]) -> CheckedSegment {
    let mut stated: Vec<FactId> = Vec::new();
    let mut citations: Vec<Citation> = Vec::new();
    for span in &segment.spans {
        if !stated.contains(&span.fact) {
            stated.push(span.fact.clone());
        }
        let fact = facts.iter().find(|fact| fact.id == span.fact);
        let quotes = matches!(span.role, Role::Quote | Role::Citation);
        if let (true, Some(FactBody::Passage(passage))) = (quotes, fact.map(|fact| &fact.body))
            && !citations.iter().any(|citation| citation.fact == span.fact)
        {
            citations.push(Citation {
                fact: span.fact.clone(),
                document: passage.document.clone(),
                section: passage.section.clone(),
                version: passage.version.clone(),
            });
        }
    }
    CheckedSegment::seal(segment.kind, segment.text, stated, citations)
}
