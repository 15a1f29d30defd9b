//! Grammars over the model's own tokens: which tokens may come next, and which must.
//! The token trie is built once per model, a matcher once per job.

use std::sync::Arc;

use anyhow::Context;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};

use super::vocabulary::Vocabulary;

/// Compiles grammars for one vocabulary.
pub struct Grammars {
    factory: ParserFactory,
}

struct Tokens {
    trie: TokTrie,
    vocabulary: Arc<Vocabulary>,
}

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            let ids = self.vocabulary.encode_text(text);
            ids.unwrap_or_else(|_| self.trie.greedy_tokenize(text.as_bytes()))
        })
    }
}

impl Grammars {
    /// Builds the trie over the model's vocabulary.
    pub fn new(vocabulary: Arc<Vocabulary>) -> anyhow::Result<Grammars> {
        let words = vocabulary.bytes();
        let info = TokRxInfo::new(u32::try_from(words.len())?, vocabulary.end());
        let trie = TokTrie::from(&info, words);
        let env: TokEnv = Arc::new(Tokens { trie, vocabulary });
        let mut factory = ParserFactory::new_simple(&env).context("building the grammar engine")?;
        factory.quiet();
        Ok(Grammars { factory })
    }

    /// A matcher at the start of a Lark grammar.
    pub fn start(&self, lark: &str) -> Result<Constraint, String> {
        let grammar = TopLevelGrammar::from_lark(lark.to_owned());
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(error),
            None => Ok(Constraint { matcher }),
        }
    }
}

/// The state of one grammar in one answer.
pub struct Constraint {
    matcher: Matcher,
}

impl Constraint {
    /// Tokens that must come next; they count as said.
    pub fn forced(&mut self) -> Vec<u32> {
        self.matcher.consume_ff_tokens()
    }

    /// Whether the grammar is at its end.
    pub fn is_over(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// The tokens that may come next.
    pub fn allowed(&mut self) -> Result<Allowed, String> {
        self.matcher.compute_mask_or_eos().map(Allowed).map_err(|e| e.to_string())
    }

    /// How many of these tokens, from the first on, could come next.
    pub fn valid(&mut self, tokens: &[u32]) -> usize {
        self.matcher.validate_tokens(tokens).unwrap_or(0)
    }

    /// Takes note of a sampled token.
    pub fn accept(&mut self, token: u32) -> Result<(), String> {
        self.matcher.consume_token(token).map_err(|e| e.to_string())
    }
}

/// The tokens that may come next; computed once a step.
pub struct Allowed(SimpleVob);

impl Allowed {
    /// Whether a token may come next.
    #[cfg(test)]
    pub fn holds(&self, token: u32) -> bool {
        self.0.is_allowed(token)
    }

    /// All of them, when they are at most so many.
    pub fn few(&self, most: usize) -> Option<Vec<u32>> {
        let mut ids = Vec::new();
        self.0.iter_set_entries(|id| {
            if ids.len() <= most {
                ids.push(id as u32)
            }
        });
        if ids.is_empty() || ids.len() > most { None } else { Some(ids) }
    }

    /// Makes every other token impossible, padding ids included.
    pub fn apply(&self, scores: &mut [f32]) -> Result<(), String> {
        let mut any = false;
        for (id, score) in scores.iter_mut().enumerate() {
            if id < self.0.len() && self.0.get(id) {
                any = true;
            } else {
                *score = f32::NEG_INFINITY;
            }
        }
        if any { Ok(()) } else { Err("no token of the model can follow".to_owned()) }
    }
}
