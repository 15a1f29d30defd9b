//! A question as terms: what `lexical` looks for and `names` compares. Holds no index and looks nothing up.

use crate::domain::Language;

use super::analysis::Analyzer;
use super::concepts::Concepts;

/// A question cut into the terms to look for.
pub struct Terms {
    /// Each word of the question that counts, with every token that may stand for it.
    pub words: Vec<TermGroup>,
}

/// One word of a question.
#[derive(Clone, Debug)]
pub struct TermGroup {
    /// The word as folded.
    pub word: String,
    /// Tokens that stand for it, per language, with what a match is worth.
    pub tokens: Vec<(Language, String, f32)>,
    /// Several words that stand for it together, with what a match is worth.
    pub phrases: Vec<(Language, Vec<String>, f32)>,
    /// Extra forms raise the score but are no word of their own: joined compounds.
    pub extra: bool,
    /// Its tokens are other words that it may be a misspelling of.
    pub guessed: bool,
}

impl TermGroup {
    /// True when nothing in the index stands for the word.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.phrases.is_empty()
    }
}

/// How questions are read: stemmers, and words for the same thing.
pub struct Vocabulary {
    /// Stemmers and stop words.
    pub analyzer: Analyzer,
    /// Words for the same thing.
    pub concepts: Concepts,
}

impl Default for Vocabulary {
    fn default() -> Self {
        let analyzer = Analyzer::new();
        Vocabulary { concepts: Concepts::new(&analyzer), analyzer }
    }
}
