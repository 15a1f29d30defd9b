//! What a person may ask `pull` for: a name, an address or a path.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{bail, ensure};

use super::manifest::check_file_name;

/// What to pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullRequest {
    /// A role or name of the manifest.
    Named(String),
    /// A file of a Hugging Face repository.
    HuggingFace {
        /// `owner/repo`.
        repo: String,
        /// The path inside it.
        file: String,
    },
    /// A file on this machine.
    Path(PathBuf),
}

impl FromStr for PullRequest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(address) = text.strip_prefix("hf:") {
            return hugging_face(address);
        }
        if text.ends_with(".gguf") || text.contains(['/', '\\']) {
            return Ok(PullRequest::Path(text.into()));
        }
        ensure!(!text.trim().is_empty(), "the model's name is empty");
        Ok(PullRequest::Named(text.to_owned()))
    }
}

fn hugging_face(address: &str) -> anyhow::Result<PullRequest> {
    let parts: Vec<_> = address.split('/').collect();
    let [owner, repo, file @ ..] = parts.as_slice() else {
        bail!("`hf:{address}` is not hf:OWNER/REPO/FILE.gguf");
    };
    ensure!(!file.is_empty(), "`hf:{address}` names no file; write hf:OWNER/REPO/FILE.gguf");
    for part in &parts {
        check_file_name(part)?;
    }
    ensure!(address.ends_with(".gguf"), "`hf:{address}` is not a .gguf file");
    Ok(PullRequest::HuggingFace { repo: format!("{owner}/{repo}"), file: file.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<PullRequest>) {
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn requests() {
        let hf = |repo: &str, file: &str| Some(PullRequest::HuggingFace { repo: repo.into(), file: file.into() });
        check("default", Some(PullRequest::Named("default".into())));
        check("hf:o/r/m.gguf", hf("o/r", "m.gguf"));
        check("hf:o/r/sub/m.gguf", hf("o/r", "sub/m.gguf"));
        check("./m.gguf", Some(PullRequest::Path("./m.gguf".into())));
        check("m.gguf", Some(PullRequest::Path("m.gguf".into())));
        for bad in ["", "hf:", "hf:o", "hf:o/r", "hf:o/r/", "hf:o/../m.gguf", "hf:o/r/m.bin"] {
            check(bad, None);
        }
    }
}
