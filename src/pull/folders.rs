//! Where model files live, and the proof that a file is the one it should be.
//! A check is remembered beside the file by length and time of change, so that a start does not hash a gigabyte.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use sha2::{Digest, Sha256};

/// The models folder and the cache that checkouts share.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Where this checkout looks for weights.
    pub models: PathBuf,
    /// Where downloads and verified files are kept.
    pub cache: PathBuf,
}

impl Folders {
    /// `$TRUETILL_MODELS` or `models/`; `$TRUETILL_CACHE`, `$XDG_CACHE_HOME/truetill` or `~/.cache/truetill`.
    pub fn from_env() -> Folders {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = set("TRUETILL_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|d| d.join("truetill")))
            .or_else(|| set("HOME").map(|d| d.join(".cache/truetill")))
            .unwrap_or_else(|| std::env::temp_dir().join("truetill"));
        Folders { models: set("TRUETILL_MODELS").unwrap_or_else(|| "models".into()), cache }
    }

    /// Both under one folder, for tests.
    pub fn under(root: &Path) -> Folders {
        Folders { models: root.join("models"), cache: root.join("cache") }
    }

    /// The verified copy of a file in the cache.
    pub fn cached(&self, file: &str) -> PathBuf {
        self.cache.join("models").join(file)
    }

    /// The unfinished download of a file.
    pub fn partial(&self, file: &str) -> PathBuf {
        self.cache.join("partial").join(file)
    }
}

/// What a file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its length.
    pub bytes: u64,
    /// Its sha256 in hex.
    pub sha256: String,
}

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The length differs: often half a download.
    #[error("{path} has {found} bytes, {expected} were expected; delete it and run `truetill pull`")]
    Length {
        /// The file.
        path: String,
        /// The bytes there are.
        found: u64,
        /// The bytes there should be.
        expected: u64,
    },
    /// The content differs.
    #[error("{path} has sha256 {found}, {expected} was expected; delete it and run `truetill pull`")]
    Hash {
        /// The file.
        path: String,
        /// The hash it has.
        found: String,
        /// The hash it should have.
        expected: String,
    },
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Checks length and sha256, or recalls that this very file passed before.
pub fn check(path: &Path, expected: &Expected) -> Result<(), FileFault> {
    let known = stamp_of(path, expected)
        .is_ok_and(|stamp| fs::read_to_string(stamp_path(path)).is_ok_and(|text| text == stamp));
    let same_length = fs::metadata(path).is_ok_and(|m| m.len() == expected.bytes);
    if known && same_length {
        return Ok(());
    }
    prove(path, expected)?;
    remember(path, expected);
    Ok(())
}

/// Checks length and sha256 by reading the whole file.
pub fn prove(path: &Path, expected: &Expected) -> Result<(), FileFault> {
    let name = || path.display().to_string();
    let unreadable = |source| FileFault::Unreadable { path: name(), source };
    let found = fs::metadata(path).map_err(unreadable)?.len();
    if found != expected.bytes {
        return Err(FileFault::Length { path: name(), found, expected: expected.bytes });
    }
    let found = sha256(path).map_err(unreadable)?;
    if found != expected.sha256 {
        return Err(FileFault::Hash { path: name(), found, expected: expected.sha256.clone() });
    }
    Ok(())
}

/// Notes that a file passed; a read-only folder only costs the next start a hash.
pub fn remember(path: &Path, expected: &Expected) {
    if let Ok(stamp) = stamp_of(path, expected) {
        let _ = fs::write(stamp_path(path), stamp);
    }
}

/// The sha256 of a file, in hex.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

fn stamp_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".verified");
    path.with_file_name(name)
}

fn stamp_of(path: &Path, expected: &Expected) -> std::io::Result<String> {
    let meta = fs::metadata(path)?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    Ok(format!("{} {} {changed}\n", expected.sha256, meta.len()))
}

/// Makes `to` the same file as `from`: hard link, else symbolic link, else a copy put in place by rename.
pub fn link(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().context("a model file has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let staged = staging_path(to);
    let _ = fs::remove_file(&staged);
    let linked = fs::hard_link(from, &staged).or_else(|_| symlink(from, &staged));
    if linked.is_err() {
        fs::copy(from, &staged).with_context(|| format!("copying {} to {}", from.display(), staged.display()))?;
    }
    fs::rename(&staged, to).with_context(|| format!("putting {} in place", to.display()))
}

/// Moves a file, across file systems too, so that no reader ever sees half of it.
pub fn move_into(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().context("a model file has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    let staged = staging_path(to);
    let placed = fs::copy(from, &staged).and_then(|_| fs::rename(&staged, to));
    placed.with_context(|| format!("moving {} to {}", from.display(), to.display()))?;
    fs::remove_file(from).with_context(|| format!("removing {}", from.display()))
}

/// A name beside `to` that no reader looks for.
pub fn staging_path(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    to.with_file_name(format!(".{name}.{}", std::process::id()))
}

#[cfg(unix)]
fn symlink(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(fs::canonicalize(from)?, to)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(content: &[u8]) -> Expected {
        let sha256 = hex::encode(Sha256::digest(content));
        Expected { bytes: content.len() as u64, sha256 }
    }

    #[test]
    fn a_file_is_known_by_length_and_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"weights").unwrap();
        assert!(check(&path, &expected(b"weights")).is_ok());
        assert!(matches!(check(&path, &expected(b"weight")), Err(FileFault::Length { .. })));
        let other = check(&path, &expected(b"WEIGHTS")).unwrap_err();
        assert!(other.to_string().contains("m.gguf") && other.to_string().contains("truetill pull"));
    }

    #[test]
    fn a_changed_file_is_hashed_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"weights").unwrap();
        check(&path, &expected(b"weights")).unwrap();
        fs::write(&path, b"WEIGHTS").unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert!(matches!(check(&path, &expected(b"weights")), Err(FileFault::Hash { .. })));
    }

    #[test]
    fn linking_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("sub/b"));
        fs::write(&from, b"new").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(&to, b"old").unwrap();
        link(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
    }
}
