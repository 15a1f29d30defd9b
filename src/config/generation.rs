//! `[generation]`: the language model, and where it runs.

use anyhow::bail;
use serde::Deserialize;

use super::Secret;

/// The language model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// A role or name of the manifest, or a path.
    pub model: String,
    /// Worker threads; 0 for all cores of the container.
    pub threads: usize,
    /// Jobs waiting before new ones are refused.
    pub queue: usize,
    /// Jobs worked on at once.
    pub sessions: usize,
    /// The most megabytes of keys and values.
    pub memory_mb: usize,
    /// Tokens of prompt and answer together.
    pub context: usize,
    /// Longest answer of a decision, in tokens.
    pub max_tokens: usize,
    /// `auto`, `cpu` or `cuda`.
    pub device: String,
    /// Whose words a reply about products is made of.
    pub composition: Composition,
    /// Where the model runs.
    pub engine: Engine,
    /// The address of a server of the OpenAI kind.
    pub url: String,
    /// The model's name there; empty: the first it lists.
    pub model_name: String,
    /// Sent to it as a bearer token.
    pub key: Secret,
    /// `auto`, `gbnf`, `structured_outputs`, `lark` or `none`.
    pub grammar: String,
    /// Longest answer of the server in seconds.
    pub timeout_s: u64,
}

/// Where the language model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// In this process.
    Local,
    /// On a server of the OpenAI kind.
    OpenAi,
}

/// Whose words a reply about products is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Composition {
    /// Templates; the model only chooses among facts.
    Plan,
    /// The model's, around slots that code fills, under a grammar and the guard.
    Prose,
}

impl Composition {
    /// True when the model writes the words.
    pub fn is_prose(self) -> bool {
        self == Composition::Prose
    }
}

impl Generation {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.sessions == 0 || !(1..=1 << 20).contains(&self.memory_mb) {
            bail!("generation.sessions must be at least 1, generation.memory_mb between 1 and 1048576");
        }
        if self.engine == Engine::OpenAi && (self.timeout_s == 0 || !self.url.starts_with("http")) {
            bail!(
                "generation.engine = \"openai\" needs generation.url (http:// or https://) and generation.timeout_s of at least 1"
            );
        }
        Ok(())
    }
}
