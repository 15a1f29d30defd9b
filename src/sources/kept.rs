//! What is kept of each feed: its last whole file, and a note of where it came from, what of it was taken, and what went wrong.
//! A folder below `paths.state`, under one lock. A file takes the place of another in one rename.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const NOTE: &str = "note.json";

/// What is known of a feed between two fetches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The address all of this is about.
    pub url: String,
    /// The kept file's name.
    pub file: Option<String>,
    /// Its sha256.
    pub sha256: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// What the source calls this version of it.
    pub etag: Option<String>,
    /// When the source says it was written, word for word.
    pub last_modified: Option<String>,
    /// When it came.
    pub fetched_at: Option<Timestamp>,
    /// When the source last said that it is still the same.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last asked for.
    pub asked_at: Option<Timestamp>,
    /// When it is asked for next.
    pub next_at: Option<Timestamp>,
    /// Failures in a row, and the last of them.
    pub failures: u32,
    /// What went wrong the last time.
    pub failed: Option<String>,
    /// What became of it.
    pub taken: Option<Taken>,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Which file.
    pub sha256: String,
    /// As of when its words counted.
    pub as_of: Timestamp,
    /// The generation it is in; for changes `patches`; none when it was refused.
    pub into: Option<String>,
    /// Why it was refused.
    pub refused: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The folder of all feeds.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The folder below the state's.
    pub fn of(state: &Path) -> Kept {
        Kept { folder: state.join("sources") }
    }

    /// Lets nobody else fetch or build from here until it is dropped; the system frees it even after a crash.
    ///
    /// # Errors
    /// Somebody else does, or the folder cannot be made.
    pub fn lock(&self) -> anyhow::Result<File> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("preparing {}", self.folder.display()))?;
        let lock = File::create(self.folder.join(".lock")).context("locking the sources")?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => bail!(
                "another run is fetching into {}: wait until it ends; a running `truetill serve` fetches by itself",
                self.folder.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).context("locking the sources"),
        }
    }

    /// What is known of a feed; of another address than before nothing is.
    pub fn memory(&self, name: &str, url: &str) -> Memory {
        let text = std::fs::read_to_string(self.folder.join(name).join(NOTE)).unwrap_or_default();
        let memory: Memory = serde_json::from_str(&text).unwrap_or_default();
        if memory.url == url { memory } else { Memory { url: url.to_string(), ..Memory::default() } }
    }

    /// Writes down what is known of a feed.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn note(&self, name: &str, memory: &Memory) -> anyhow::Result<()> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("preparing {}", folder.display()))?;
        let next = folder.join(".note.next");
        let mut file = File::create(&next).with_context(|| format!("writing {}", next.display()))?;
        file.write_all(serde_json::to_string_pretty(memory)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, folder.join(NOTE)).context("writing what is known of a feed")
    }

    /// The kept file of a feed, when there is one.
    pub fn file(&self, name: &str, memory: &Memory) -> Option<PathBuf> {
        let path = self.folder.join(name).join("kept").join(memory.file.as_ref()?);
        path.is_file().then_some(path)
    }

    /// Where a feed is written while it comes.
    pub(super) fn aside(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(folder.join("kept")).with_context(|| format!("preparing {}", folder.display()))?;
        Ok(folder.join(".coming"))
    }

    /// Puts a whole file in the place of the one before.
    pub(super) fn keep(&self, name: &str, aside: &Path, file: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name).join("kept");
        let path = folder.join(file);
        std::fs::rename(aside, &path).with_context(|| format!("keeping {}", path.display()))?;
        for entry in std::fs::read_dir(&folder)?.flatten() {
            if entry.file_name() != *file {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        File::open(&folder)?.sync_all()?;
        Ok(path)
    }
}
