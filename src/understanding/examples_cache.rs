//! The examples' vectors on disk, so that a start does not embed them again. A file that does not fit its key is ignored.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::examples::Calibration;
use crate::engine::ModelId;

/// First line of a file; changes with the layout or the way of voting.
const LAYOUT: &str = "truetill-examples-1";

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

/// The stored vectors, when they are whole and belong to `key`.
pub(super) fn load(folder: &Path, key: &Key, count: usize) -> Option<(Vec<Vec<f32>>, Calibration)> {
    let bytes = fs::read(key.path(folder)).ok()?;
    let header_end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (digest, body_hash, calibration): (String, String, Calibration) = serde_json::from_slice(&bytes[..header_end]).ok()?;
    let body = &bytes[header_end + 1..];
    let whole = digest == key.digest && body.len() == count * key.dimensions * 4 && hex::encode(Sha256::digest(body)) == body_hash;
    let float = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).unwrap_or_default();
    whole.then(|| (body.chunks_exact(key.dimensions * 4).map(|row| row.chunks_exact(4).map(float).collect()).collect(), calibration))
}

/// Stores the vectors beside and renames, so that a reader never sees half a file.
pub(super) fn store(folder: &Path, key: &Key, (vectors, calibration): (&[Vec<f32>], Calibration)) -> anyhow::Result<()> {
    let body: Vec<u8> = vectors.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let header = serde_json::to_vec(&(&key.digest, hex::encode(Sha256::digest(&body)), calibration))?;
    let path = key.path(folder);
    let aside = path.with_extension(format!("tmp{}", std::process::id()));
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    fs::write(&aside, [header.as_slice(), b"\n", &body].concat()).with_context(|| format!("writing {}", aside.display()))?;
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
        let vectors = vec![vec![0.5, -1.0], vec![1.0, 0.25]];
        store(folder.path(), &key, (&vectors, Calibration::default())).unwrap();
        assert_eq!(load(folder.path(), &key, 2), Some((vectors, Calibration::default())));
        assert_eq!(load(folder.path(), &key, 3), None);
        assert_eq!(load(folder.path(), &other, 2), None);
        let path = key.path(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(load(folder.path(), &key, 2), None);
    }
}
