//! The examples' vectors and says on disk, so that a start does not embed and fit them again. A file that does not fit its key is ignored.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::examples::Calibration;
use crate::domain::CommandName;
use crate::engine::ModelId;

/// First line of a file; changes with the layout or the way of voting.
const LAYOUT: &str = "truetill-examples-3";

/// What vectors depend on: the model, the examples, this layout.
pub(super) struct Key {
    digest: String,
    dimensions: usize,
}

impl Key {
    pub(super) fn new(model: &ModelId, dimensions: usize, examples_hash: &str) -> Self {
        let text = format!("{LAYOUT}\n{}\n{}\n{dimensions}\n{examples_hash}", model.name, model.sha256);
        Key { digest: hex::encode(Sha256::digest(text)), dimensions }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("examples-{}.bin", &self.digest[..16]))
    }
}

/// What is stored: per example its vector and its say for each command, and how sure votes are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) vectors: Vec<Vec<f32>>,
    pub(super) says: Vec<Vec<f32>>,
    pub(super) calibration: Calibration,
}

/// What is stored, when it is whole and belongs to `key`.
pub(super) fn load(folder: &Path, key: &Key, count: usize) -> Option<Stored> {
    let bytes = fs::read(key.path(folder)).ok()?;
    let header_end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (digest, body_hash, calibration): (String, String, Calibration) =
        serde_json::from_slice(&bytes[..header_end]).ok()?;
    let body = &bytes[header_end + 1..];
    let width = key.dimensions + CommandName::ALL.len();
    let whole =
        digest == key.digest && body.len() == count * width * 4 && hex::encode(Sha256::digest(body)) == body_hash;
    let float = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).unwrap_or_default();
    let row = |row: &[u8]| {
        let mut vector: Vec<f32> = row.chunks_exact(4).map(float).collect();
        let says = vector.split_off(key.dimensions);
        (vector, says)
    };
    let (vectors, says) = if whole { body.chunks_exact(width * 4).map(row).unzip() } else { return None };
    Some(Stored { vectors, says, calibration })
}

/// Stores beside and renames, so that a reader never sees half a file.
pub(super) fn store(folder: &Path, key: &Key, stored: &Stored) -> anyhow::Result<()> {
    let rows = stored.vectors.iter().zip(&stored.says);
    let body: Vec<u8> =
        rows.flat_map(|(vector, says)| vector.iter().chain(says)).flat_map(|value| value.to_le_bytes()).collect();
    let header = serde_json::to_vec(&(&key.digest, hex::encode(Sha256::digest(&body)), stored.calibration))?;
    let path = key.path(folder);
    let aside = path.with_extension(format!("tmp{}", std::process::id()));
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    fs::write(&aside, [header.as_slice(), b"\n", &body].concat())
        .with_context(|| format!("writing {}", aside.display()))?;
    fs::rename(&aside, &path).with_context(|| format!("renaming to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelId { name: "m".into(), sha256: "00".into() };
        let (key, other) = (Key::new(&model, 2, "a"), Key::new(&model, 2, "b"));
        let says = vec![vec![0.5; CommandName::ALL.len()]; 2];
        let stored =
            Stored { vectors: vec![vec![0.5, -1.0], vec![1.0, 0.25]], says, calibration: Calibration::default() };
        store(folder.path(), &key, &stored).unwrap();
        assert_eq!(load(folder.path(), &key, 2), Some(stored));
        assert_eq!(load(folder.path(), &key, 3), None);
        assert_eq!(load(folder.path(), &other, 2), None);
        let path = key.path(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(load(folder.path(), &key, 2), None);
    }
}
