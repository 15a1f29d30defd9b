//! Where the vectors of an index are searched, and how much a new index may lack of the one before. In: `[index]`. Out: checked
//! settings. What they name is opened elsewhere.

use serde::Deserialize;

/// A setting that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// The settings of `[index]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexSettings {
    /// Where vectors are searched.
    pub vectors: VectorHome,
    /// The share of the products of before that a new index may lack.
    pub max_shrink: f64,
    /// The server of `vectors = "qdrant"`.
    pub qdrant: QdrantSettings,
}

/// Where vectors are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorHome {
    /// In the program's own memory, exactly.
    Embedded,
    /// By a Qdrant server.
    Qdrant,
}

/// A Qdrant server, and how vectors lie there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QdrantSettings {
    /// Its gRPC address.
    pub url: String,
    /// Its key; empty: none.
    pub api_key: Secret,
    /// What the shop's collections and their alias are called.
    pub collection: String,
    /// How its copy in memory is made smaller.
    pub quantisation: Quantisation,
    /// How long a question waits for it.
    pub timeout_ms: u64,
}

/// How a server makes its copy of the vectors in memory smaller; the best rows are scored again with whole ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantisation {
    /// Not at all: 4 bytes a number.
    None,
    /// One byte a number.
    Int8,
    /// One bit a number.
    Binary,
}

impl IndexSettings {
    /// What is wrong with the settings, by name.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.max_shrink) {
            return Err("index.max_shrink must be between 0 and 1".to_string());
        }
        self.qdrant.check()
    }
}

impl QdrantSettings {
    fn check(&self) -> Result<(), String> {
        if !["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(format!("index.qdrant.url: `{}` must begin with http:// or https://", self.url));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.collection.is_empty() || self.collection.len() > 60 || !self.collection.chars().all(plain) {
            return Err(format!(
                "index.qdrant.collection: `{}` is no name: up to 60 of a-z, 0-9 and _",
                self.collection
            ));
        }
        if self.timeout_ms == 0 {
            return Err("index.qdrant.timeout_ms must be at least 1".to_string());
        }
        Ok(())
    }
}
