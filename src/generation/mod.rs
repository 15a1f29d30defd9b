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
/// The serving generation and the one before it, to which `index --rollback` goes.
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

/// A generation that could serve.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it holds.
    pub manifest: Manifest,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is the one that serves.
    pub serves: bool,
}

/// Every generation that is kept, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn kept(index: &Path) -> Result<Vec<Kept>, IndexError> {
    let failed = |error: std::io::Error| IndexError::failed(format!("reading {}", index.display()), error);
    let serving = current(index).ok();
    let mut found: Vec<PathBuf> = folders(index).map_err(failed)?;
    found.retain(|path| !path.to_string_lossy().ends_with(BUILDING) && path.join(MANIFEST).is_file());
    found.sort();
    let read = |folder: PathBuf| {
        let serves = serving.as_ref() == Some(&folder);
        Manifest::read(&folder).map(|manifest| Kept { manifest, folder, serves })
    };
    // One that another version of the program wrote is not one this version could serve.
    Ok(found.into_iter().filter_map(|folder| read(folder).ok()).collect())
}

/// Lets a kept generation serve again, once every file of it was compared with its checksum: the one named, else the
/// newest before the one that serves. Its id.
///
/// # Errors
/// When there is none, a file is damaged, or a builder is at work: the one that serves then goes on.
pub fn roll_back(index: &Path, to: Option<&str>) -> Result<String, IndexError> {
    let _lock = locked(index)?;
    let chosen = before(index, to)?;
    chosen.manifest.verify(&chosen.folder)?;
    point(index, &chosen.manifest.generation)
        .map_err(|error| IndexError::failed(format!("switching {}", index.display()), error))?;
    Ok(chosen.manifest.generation)
}

/// The kept generation to go back to: the one named, else the newest before the one that serves.
///
/// # Errors
/// When there is none.
pub fn before(index: &Path, to: Option<&str>) -> Result<Kept, IndexError> {
    let kept = kept(index)?;
    let serving = kept.iter().position(|one| one.serves);
    let chosen = match (to, serving) {
        (Some(id), _) => kept.iter().find(|one| one.manifest.generation == id),
        (None, Some(serving)) => serving.checked_sub(1).and_then(|before| kept.get(before)),
        (None, None) => kept.last(),
    };
    let Some(chosen) = chosen else {
        let known: Vec<&str> = kept.iter().map(|one| one.manifest.generation.as_str()).collect();
        let reason = format!("there is no {}; kept are: {}", to.unwrap_or("generation before"), known.join(", "));
        return Err(IndexError::failed(format!("rolling {} back", index.display()), reason));
    };
    Ok(chosen.clone())
}

/// The builder's lock; the operating system frees it even after a crash.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do while a program that is just being started still holds a copy of this file.
        let _ = self.0.unlock();
    }
}

fn locked(index: &Path) -> Result<Lock, IndexError> {
    let failed = |error: std::io::Error| IndexError::failed(format!("preparing {}", index.display()), error);
    let lock = File::create(index.join(".lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(IndexError::Locked(index.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Lets a generation serve, in one rename.
fn point(index: &Path, id: &str) -> std::io::Result<()> {
    let next = index.join(format!("{CURRENT}.next"));
    write_synced(&next, &format!("{id}\n"))?;
    std::fs::rename(&next, index.join(CURRENT))?;
    sync_folder(index)
}

/// A generation being built. Dropped before [`Building::switch`], it leaves nothing behind.
pub struct Building {
    index: PathBuf,
    id: String,
    folder: PathBuf,
    _lock: Lock,
}

impl Building {
    /// Takes the builder's lock, clears what a crash left, and makes the folder.
    ///
    /// # Errors
    /// When another builder holds the lock or the folder cannot be made.
    pub fn begin(index: &Path, now: Timestamp) -> Result<Self, IndexError> {
        let failed = |error: std::io::Error| IndexError::failed(format!("preparing {}", index.display()), error);
        std::fs::create_dir_all(index).map_err(failed)?;
        let lock = locked(index)?;
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
        point(&self.index, &self.id).map_err(failed)?;
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
