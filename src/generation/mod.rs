//! Generations on disk: built aside in `ID.building`, synced, renamed, then `current` is switched in one rename.
//! A crash at any moment leaves the previous generation serving. Two builders never work at once.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub mod manifest;

use manifest::{FileEntry, digest};

pub use manifest::{CATALOG, IndexError, MANIFEST, Manifest, SCHEMA};

const CURRENT: &str = "current";
const BUILDING: &str = ".building";
/// The serving generation and the one before it.
const KEPT: usize = 2;

/// The folder of the generation that serves.
///
/// # Errors
/// When there is none, or `current` names one that is gone.
pub fn current(index: &Path) -> Result<PathBuf, IndexError> {
    let pointer = index.join(CURRENT);
    let id = std::fs::read_to_string(&pointer).map_err(|_| IndexError::Missing(pointer.clone()))?;
    let id = id.trim();
    if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err(IndexError::Corrupt { file: pointer, reason: "not a generation's id".into() });
    }
    let folder = index.join(id);
    if folder.is_dir() { Ok(folder) } else { Err(IndexError::Missing(folder)) }
}

/// A generation being built. Dropped before [`Building::switch`], it leaves nothing behind.
pub struct Building {
    index: PathBuf,
    id: String,
    folder: PathBuf,
    // Held for its lock; the operating system frees it even after a crash.
    _lock: File,
}

impl Building {
    /// Takes the builder's lock, clears what a crash left, and makes the folder.
    ///
    /// # Errors
    /// When another builder holds the lock or the folder cannot be made.
    pub fn begin(index: &Path, now: Timestamp) -> Result<Self, IndexError> {
        let failed = |error: std::io::Error| IndexError::failed(format!("preparing {}", index.display()), error);
        std::fs::create_dir_all(index).map_err(failed)?;
        let lock = File::create(index.join(".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(IndexError::Locked(index.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for path in folders(index).map_err(failed)? {
            if path.to_string_lossy().ends_with(BUILDING) {
                std::fs::remove_dir_all(&path).map_err(failed)?;
            }
        }
        let id = free_id(index, now);
        let folder = index.join(format!("{id}{BUILDING}"));
        std::fs::create_dir(&folder).map_err(failed)?;
        Ok(Building { index: index.to_path_buf(), id, folder, _lock: lock })
    }

    /// The new generation's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is being built.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the manifest, checks everything once more, and lets the new generation serve.
    ///
    /// # Errors
    /// When anything cannot be written; the generation before then still serves.
    pub fn switch(self, mut manifest: Manifest) -> Result<PathBuf, IndexError> {
        let failed = |error: std::io::Error| IndexError::failed(format!("finishing {}", self.folder.display()), error);
        for name in files(&self.folder).map_err(failed)? {
            let entry = synced(&self.folder.join(&name)).map_err(failed)?;
            manifest.files.insert(name, entry);
        }
        let text = serde_json::to_string_pretty(&manifest).map_err(|error| failed(error.into()))?;
        write_synced(&self.folder.join(MANIFEST), &text).map_err(failed)?;
        manifest.verify(&self.folder)?;
        sync_folder(&self.folder).map_err(failed)?;
        let folder = self.index.join(&self.id);
        std::fs::rename(&self.folder, &folder).map_err(failed)?;
        sync_folder(&self.index).map_err(failed)?;
        let next = self.index.join(format!("{CURRENT}.next"));
        write_synced(&next, &format!("{}\n", self.id)).map_err(failed)?;
        std::fs::rename(&next, self.index.join(CURRENT)).map_err(failed)?;
        sync_folder(&self.index).map_err(failed)?;
        // Left-over generations cost disk, not correctness.
        let _ = prune(&self.index, &self.id);
        Ok(folder)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_id(index: &Path, now: Timestamp) -> String {
    let base = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let taken = |id: &String| index.join(id).exists();
    let mut id = base.clone();
    let mut suffix = 2;
    while taken(&id) {
        id = format!("{base}-{suffix}");
        suffix += 1;
    }
    id
}

/// Generations sort by name as by age. Those built and never switched to go as well.
fn prune(index: &Path, serving: &str) -> std::io::Result<()> {
    let mut generations: Vec<PathBuf> =
        folders(index)?.into_iter().filter(|path| path.join(MANIFEST).is_file()).collect();
    generations.sort();
    generations.retain(|path| path.file_name().is_some_and(|name| name != serving));
    let spare = generations.len().saturating_sub(KEPT - 1);
    generations.iter().take(spare).try_for_each(std::fs::remove_dir_all)
}

fn folders(index: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> = std::fs::read_dir(index)?.collect();
    Ok(entries?.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// Every file below a folder, as a relative path with `/`.
fn files(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if !name.ends_with(".lock") {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn synced(path: &Path) -> std::io::Result<FileEntry> {
    File::open(path)?.sync_all()?;
    digest(path)
}

fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
