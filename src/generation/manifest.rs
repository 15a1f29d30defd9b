//! `manifest.json` of a generation: what it holds, which embedder made it, and the sha256 of every file.
//! Checked in full when a generation is switched to, and by size and time stamp at each opening.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::ModelId;

/// The file's name in a generation's folder.
pub const MANIFEST: &str = "manifest.json";
/// The stamp of the last full check; not part of the manifest.
const VERIFIED: &str = "verified.json";
/// Products, prices and stock. In generations that are not sealed it may have been patched in place.
pub const CATALOG: &str = "catalog.db";
/// Raised when the layout of a generation changes.
pub const SCHEMA: u32 = 1;

/// Why an index does not open. Each says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Nothing was ever built here.
    #[error("{0} is missing: run make index")]
    Missing(PathBuf),
    /// A file is not the one that was built.
    #[error("{file} does not match manifest.json ({reason}): run make index")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// In which way.
        reason: String,
    },
    /// Written by another version of the program.
    #[error("{manifest} has layout {found}, this program reads layout {SCHEMA}: run make index")]
    Layout {
        /// The manifest.
        manifest: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// Vectors of different models cannot be compared.
    #[error(
        "{folder} was built by the embedder {built} but {configured} is configured: run make index, or configure that embedder"
    )]
    Embedder {
        /// The generation.
        folder: PathBuf,
        /// The model in the manifest.
        built: String,
        /// The model at hand.
        configured: String,
    },
    /// Another builder is at work.
    #[error("another `index` run is building in {0}: wait until it ends")]
    Locked(PathBuf),
    /// The file system or a library failed.
    #[error("{context}: {reason}")]
    Failed {
        /// What was being done.
        context: String,
        /// What happened.
        reason: String,
    },
}

impl IndexError {
    /// A failure while doing something.
    pub fn failed(context: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        IndexError::Failed { context: context.into(), reason: format!("{reason:#}") }
    }
}

/// One file of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its size.
    pub bytes: u64,
    /// Its sha256, in hex.
    pub sha256: String,
}

/// What a generation holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout of the folder.
    pub schema: u32,
    /// The generation's id, its folder's name.
    pub generation: String,
    /// When it was built.
    pub built: Timestamp,
    /// The embedder its vectors came from.
    pub embedder: ModelId,
    /// The length of its vectors.
    pub dimensions: usize,
    /// Products in it.
    pub products: usize,
    /// Policy passages in it.
    pub passages: usize,
    /// Whether the catalog stays as it was built: generations of before could be patched in place.
    #[serde(default)]
    pub sealed: bool,
    /// Every file but this one, by path.
    pub files: BTreeMap<String, FileEntry>,
}

/// When and how large the files were at the last full check.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(BTreeMap<String, (u64, u64)>);

impl Manifest {
    /// Reads the manifest of a generation.
    ///
    /// # Errors
    /// When it is missing, unreadable, or of another layout.
    pub fn read(folder: &Path) -> Result<Self, IndexError> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|_| IndexError::Missing(path.clone()))?;
        let corrupt = |reason: String| IndexError::Corrupt { file: path.clone(), reason };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))?;
        let found = value.get("schema").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        if found != SCHEMA {
            return Err(IndexError::Layout { manifest: path, found });
        }
        serde_json::from_value(value).map_err(|error| corrupt(error.to_string()))
    }

    /// Compares every file with its sha256, and notes the stamp that lets the next opening be quick.
    ///
    /// # Errors
    /// Names the first file that differs.
    pub fn verify(&self, folder: &Path) -> Result<(), IndexError> {
        for (name, entry) in self.unchanging() {
            let path = folder.join(name);
            let corrupt = |reason: &str| IndexError::Corrupt { file: path.clone(), reason: reason.to_string() };
            let found = digest(&path).map_err(|_| corrupt("missing or unreadable"))?;
            if found.bytes != entry.bytes {
                return Err(corrupt("wrong size"));
            }
            if found.sha256 != entry.sha256 {
                return Err(corrupt("wrong sha256"));
            }
        }
        // A read-only folder only costs the full check again.
        if let Ok(text) = serde_json::to_string(&self.stamp(folder)) {
            let _ = std::fs::write(folder.join(VERIFIED), text);
        }
        Ok(())
    }

    /// Checks sizes and the stamp; in full when a file was touched since.
    ///
    /// # Errors
    /// Names the first file that differs.
    pub fn check(&self, folder: &Path) -> Result<(), IndexError> {
        let stamp = std::fs::read_to_string(folder.join(VERIFIED)).ok();
        let stamp: Option<Stamp> = stamp.and_then(|text| serde_json::from_str(&text).ok());
        if stamp == Some(self.stamp(folder)) { Ok(()) } else { self.verify(folder) }
    }

    fn unchanging(&self) -> impl Iterator<Item = (&String, &FileEntry)> {
        self.files.iter().filter(|(name, _)| self.sealed || *name != CATALOG)
    }

    fn stamp(&self, folder: &Path) -> Stamp {
        let one = |name: &String| {
            let metadata = std::fs::metadata(folder.join(name)).ok();
            let modified = metadata.as_ref().and_then(|data| data.modified().ok()?.duration_since(UNIX_EPOCH).ok());
            (metadata.map_or(0, |data| data.len()), modified.map_or(0, |at| at.as_nanos() as u64))
        };
        Stamp(self.unchanging().map(|(name, _)| (name.clone(), one(name))).collect())
    }
}

/// Size and sha256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> std::io::Result<FileEntry> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(FileEntry { bytes, sha256: hex::encode(hasher.finalize()) });
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}
