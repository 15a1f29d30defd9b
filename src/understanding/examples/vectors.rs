//! Embeddings of labelled messages as files: rows of 8-bit numbers, found by the digest of their text. One stands beside the
//! examples, so that a first start need not embed them; what it lacks is embedded and kept in the state folder. A file of
//! another model, or a damaged one, is as good as none.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::engine::ModelId;

/// First word of a file; changes with its layout.
const LAYOUT: &str = "truetill-vectors-1";
/// Of a text's digest.
const DIGEST: usize = 8;
/// Steps multiplied at once.
const LANES: usize = 16;
/// A scale as a 32-bit float.
const SCALE: usize = 4;

/// Whose vectors a file holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Owner {
    layout: String,
    model: String,
    sha256: String,
    pub(super) dimensions: usize,
}

impl Owner {
    pub(super) fn new(model: &ModelId, dimensions: usize) -> Self {
        Self::named(&model.name, &model.sha256, dimensions)
    }

    pub(super) fn named(model: &str, sha256: &str, dimensions: usize) -> Self {
        let (model, sha256) = (model.to_string(), sha256.to_string());
        Owner { layout: LAYOUT.into(), model, sha256, dimensions }
    }
}

/// A vector in 8-bit steps of its largest number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Steps {
    scale: f32,
    steps: Vec<i8>,
}

impl Steps {
    pub(super) fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
        Steps { scale, steps: vector.iter().map(|value| (value / scale).round() as i8).collect() }
    }

    pub(super) fn vector(&self) -> Vec<f32> {
        self.steps.iter().map(|step| f32::from(*step) * self.scale).collect()
    }

    /// The cosine of two vectors of length 1.
    pub(super) fn likeness(&self, other: &Steps) -> f32 {
        // The product of two steps fits 16 bits; said so, compilers multiply and add in half the instructions.
        let product = |(a, b): (&i8, &i8)| i32::from(i16::from(*a) * i16::from(*b));
        let (ours, theirs) = (self.steps.chunks_exact(LANES), other.steps.chunks_exact(LANES));
        let rest: i32 = ours.remainder().iter().zip(theirs.remainder()).map(product).sum();
        let whole: i32 = ours.zip(theirs).map(|(a, b)| a.iter().zip(b).map(product).sum::<i32>()).sum();
        (whole + rest) as f32 * self.scale * other.scale
    }
}

/// Vectors by the digest of their text.
pub(super) type Known = HashMap<[u8; DIGEST], Steps>;

/// The digest a text's vector is found by.
pub(super) fn digest(text: &str) -> [u8; DIGEST] {
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&Sha256::digest(text)[..DIGEST]);
    digest
}

/// What a file holds for `owner`; nothing when it is absent, another's or damaged.
pub(super) fn load(path: &Path, owner: &Owner) -> Known {
    read(path, owner).unwrap_or_default()
}

fn read(path: &Path, owner: &Owner) -> Option<Known> {
    let bytes = fs::read(path).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (of, body_hash): (Owner, String) = serde_json::from_slice(&bytes[..end]).ok()?;
    let (body, width) = (&bytes[end + 1..], DIGEST + SCALE + owner.dimensions);
    if of != *owner || body.len() % width != 0 || hex::encode(Sha256::digest(body)) != body_hash {
        return None;
    }
    let row = |row: &[u8]| {
        let (digest, rest) = row.split_first_chunk::<DIGEST>()?;
        let (scale, steps) = rest.split_first_chunk::<SCALE>()?;
        let steps = steps.iter().map(|step| i8::from_le_bytes([*step])).collect();
        Some((*digest, Steps { scale: f32::from_le_bytes(*scale), steps }))
    };
    body.chunks_exact(width).map(row).collect()
}

/// Writes a file beside and renames it, so that a reader never sees half of one.
///
/// # Errors
/// The folder or file cannot be written.
pub(super) fn store(path: &Path, owner: &Owner, known: &Known) -> anyhow::Result<()> {
    let mut rows: Vec<(&[u8; DIGEST], &Steps)> = known.iter().collect();
    rows.sort_by_key(|(digest, _)| **digest);
    let mut body = Vec::with_capacity(rows.len() * (DIGEST + SCALE + owner.dimensions));
    for (digest, steps) in rows {
        body.extend_from_slice(digest);
        body.extend_from_slice(&steps.scale.to_le_bytes());
        body.extend(steps.steps.iter().flat_map(|step| step.to_le_bytes()));
    }
    let header = serde_json::to_vec(&(owner, hex::encode(Sha256::digest(&body))))?;
    replace(path, &[header.as_slice(), b"\n", &body].concat())
}

/// Replaces a file whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // Two may write the same file at once, in this process or another.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let own = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("tmp{}-{own}", std::process::id()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    fs::write(&aside, bytes).with_context(|| format!("writing {}", aside.display()))?;
    fs::rename(&aside, path).with_context(|| format!("renaming to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(sha256: &str) -> Owner {
        Owner::new(&ModelId { name: "m".into(), sha256: sha256.into() }, 4)
    }

    #[test]
    fn vectors_come_back_for_their_model_only_and_undamaged_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/vectors.bin");
        let known: Known =
            ["a", "b"].iter().map(|text| (digest(text), Steps::of(&[0.5, -0.5, 0.1, text.len() as f32]))).collect();
        store(&path, &owner("00"), &known).unwrap();
        assert_eq!(load(&path, &owner("00")), known);
        assert!(load(&path, &owner("01")).is_empty());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(load(&path, &owner("00")).is_empty());
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(load(&path, &owner("00")).is_empty());
    }

    #[test]
    fn steps_keep_a_cosine() {
        let (a, b) = ([0.6_f32, 0.8, 0.0, 0.0], [0.8_f32, 0.6, 0.0, 0.0]);
        assert!((Steps::of(&a).likeness(&Steps::of(&b)) - 0.96).abs() < 0.01);
        assert!(Steps::of(&a).vector().iter().zip(a).all(|(one, other)| (one - other).abs() < 0.01));
        assert!(Steps::of(&[0.0; 4]).likeness(&Steps::of(&a)).abs() < 1e-6);
    }
}
