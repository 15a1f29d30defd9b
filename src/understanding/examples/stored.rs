//! The fit on disk, so that a start does not repeat it. A file that does not fit its key is ignored.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::calibration::Calibration;
use super::vectors::replace;
use crate::domain::CommandName;
use crate::engine::ModelId;
use crate::learnt::{Learnt, Shape};

/// Changes with the layout or the way of fitting.
const LAYOUT: &str = "truetill-examples-5";

/// What a fit depends on: the model and what was tuned of it, the examples, this layout.
pub(super) struct Key(String);

impl Key {
    pub(super) fn new((model, dimensions): (&ModelId, usize), tuned: &str, examples_hash: &str) -> Self {
        let text = format!("{LAYOUT}\n{}\n{}\n{dimensions}\n{tuned}\n{examples_hash}", model.name, model.sha256);
        Key(hex::encode(Sha256::digest(text)))
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("fit-{}.bin", &self.0[..16]))
    }
}

/// All that a vote needs but the neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fitted {
    pub(super) lines: Learnt,
    pub(super) calibration: Calibration,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    key: String,
    body: String,
    dimensions: usize,
    vocabulary: usize,
    calibration: Calibration,
}

/// What is stored, when it is whole and belongs to `key`.
pub(super) fn load(folder: &Path, key: &Key) -> Option<Fitted> {
    let bytes = fs::read(key.path(folder)).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
    let body = &bytes[end + 1..];
    let classes = CommandName::ALL.len();
    if header.key != key.0 || hex::encode(Sha256::digest(body)) != header.body {
        return None;
    }
    let shape = Shape { dimensions: header.dimensions, vocabulary: header.vocabulary, classes };
    Some(Fitted { lines: Learnt::from_bytes(body, shape)?, calibration: header.calibration })
}

/// Stores a fit.
///
/// # Errors
/// The folder or file cannot be written.
pub(super) fn store(folder: &Path, key: &Key, fitted: &Fitted) -> anyhow::Result<()> {
    let (body, shape) = (fitted.lines.bytes(), fitted.lines.shape());
    let header = Header {
        key: key.0.clone(),
        body: hex::encode(Sha256::digest(&body)),
        dimensions: shape.dimensions,
        vocabulary: shape.vocabulary,
        calibration: fitted.calibration,
    };
    replace(&key.path(folder), &[serde_json::to_vec(&header)?.as_slice(), b"\n", &body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learnt::linear::Linear;
    use crate::learnt::wording::Vocabulary;

    #[test]
    fn what_is_stored_comes_back_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelId { name: "m".into(), sha256: "00".into() };
        let (key, other) = (Key::new((&model, 2), "", "a"), Key::new((&model, 2), "", "b"));
        let classes = CommandName::ALL.len();
        let fitted = Fitted {
            lines: Learnt {
                mean: vec![0.5, -1.0],
                vocabulary: Vocabulary { known: vec![3, 7, 9], rarity: vec![1.0, 2.0, 1.5] },
                linear: Linear { classes, dimensions: 2, weights: vec![0.25; 6 * classes] },
            },
            calibration: Calibration::default(),
        };
        store(folder.path(), &key, &fitted).unwrap();
        assert_eq!(load(folder.path(), &key), Some(fitted));
        assert_eq!(load(folder.path(), &other), None);
        let path = key.path(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(load(folder.path(), &key), None);
    }
}
