//! Model files: fetched from several sources, checked by sha256, kept in a cache that checkouts share.
//! In: a role, a name, an address or a path. Out: a `VerifiedModel`. Never hands out a file it has not checked.

mod convert;
mod fetching;
pub mod folders;
mod huggingface;
pub mod manifest;
pub mod progress;
mod request;
#[cfg(test)]
mod tests;
mod wheels;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::engine::ModelId;
use folders::{Expected, FileFault, Folders};
use manifest::{Manifest, Model, Pinned};
use progress::Progress;
pub use request::PullRequest;

/// The models this machine knows and where they are.
#[derive(Clone, Debug)]
pub struct Models {
    manifest: Manifest,
    folders: Folders,
    hugging_face: String,
}

/// A model file whose content was checked.
#[derive(Clone, Debug)]
pub struct VerifiedModel {
    /// The file.
    pub path: PathBuf,
    /// Its name and hash.
    pub id: ModelId,
    /// Its length.
    pub bytes: u64,
    /// The manifest's entry; a file pulled by address has none.
    pub entry: Option<Model>,
}

/// Why there is no such model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing goes by that name.
    #[error("no model is called `{name}`; known are {known}; `truetill pull PATH` or `hf:OWNER/REPO/FILE` adds one")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file is not here yet.
    #[error("{path} is not there; run `truetill pull {name}`")]
    Absent {
        /// The model.
        name: String,
        /// Where it was looked for.
        path: String,
    },
    /// The file is not what the manifest or the lock says.
    #[error("model `{name}` is refused: {fault}")]
    Refused {
        /// The model.
        name: String,
        /// What is wrong.
        #[source]
        fault: FileFault,
    },
    /// The manifest or the lock cannot be read.
    #[error("{0:#}")]
    Manifest(anyhow::Error),
}

/// `models/local.toml`: the content that files pulled by address had the first time.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[serde(default, rename = "file")]
    files: Vec<Pinned>,
}

/// Fetches and checks what is asked for, with the folders of the environment.
pub fn pull(request: &PullRequest, progress: &dyn Progress) -> anyhow::Result<VerifiedModel> {
    Models::from_env()?.pull(request, progress)
}

/// The checked file of a role or name, with the folders of the environment.
pub fn locate(name: &str) -> Result<VerifiedModel, ModelError> {
    Models::from_env()?.locate(name)
}

/// Reads the whole file of a role or name again and checks it.
pub fn verify(name: &str) -> Result<VerifiedModel, ModelError> {
    Models::from_env()?.verify(name)
}

impl Models {
    /// The folders of the environment and the manifest in force.
    pub fn from_env() -> Result<Models, ModelError> {
        Self::open(Folders::from_env())
    }

    /// The manifest in the models folder, else the one of this build.
    pub fn open(folders: Folders) -> Result<Models, ModelError> {
        let path = folders.models.join("manifest.toml");
        let manifest = match fs::read_to_string(&path) {
            Ok(text) => Manifest::parse(&text)
                .with_context(|| format!("reading {}", path.display()))
                .map_err(ModelError::Manifest)?,
            Err(_) => Manifest::built_in(),
        };
        Ok(Models { manifest, folders, hugging_face: huggingface::server() })
    }

    /// The manifest in force.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The checked file of a role, name or file name; hashed only when it changed since the last check.
    pub fn locate(&self, name: &str) -> Result<VerifiedModel, ModelError> {
        self.find(name, folders::check)
    }

    /// The same, always reading the whole file.
    pub fn verify(&self, name: &str) -> Result<VerifiedModel, ModelError> {
        self.find(name, folders::prove)
    }

    fn find(&self, name: &str, check: Check) -> Result<VerifiedModel, ModelError> {
        if let Some(model) = self.manifest.find(name) {
            let candidate = Candidate::of(model);
            return self.checked(candidate, check);
        }
        let lock = self.lock().map_err(ModelError::Manifest)?;
        match lock.files.into_iter().find(|p| p.file == name || p.name() == name) {
            Some(pinned) => self.checked(Candidate::pinned(&pinned), check),
            None => Err(ModelError::Unknown { name: name.into(), known: self.manifest.known() }),
        }
    }

    fn checked(&self, it: Candidate, check: Check) -> Result<VerifiedModel, ModelError> {
        let here = self.folders.models.join(&it.file);
        let shared = self.folders.cached(&it.file);
        let path = match (here.exists(), it.entry.is_some() && shared.exists()) {
            (true, _) => here,
            (false, true) => shared,
            (false, false) => {
                return Err(ModelError::Absent { name: it.name, path: here.display().to_string() });
            }
        };
        check(&path, &it.expected).map_err(|fault| ModelError::Refused { name: it.name.clone(), fault })?;
        let id = ModelId { name: it.name, sha256: it.expected.sha256 };
        Ok(VerifiedModel { path, id, bytes: it.expected.bytes, entry: it.entry })
    }

    fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.folders.models.join("local.toml");
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).with_context(|| format!("reading {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn pin(&self, pinned: Pinned) -> anyhow::Result<()> {
        let mut lock = self.lock()?;
        lock.files.push(pinned);
        let path = self.folders.models.join("local.toml");
        let staged = folders::staging_path(&path);
        fs::create_dir_all(&self.folders.models)?;
        fs::write(&staged, toml::to_string(&lock)?)
            .and_then(|()| fs::rename(&staged, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

type Check = fn(&std::path::Path, &Expected) -> Result<(), FileFault>;

struct Candidate {
    name: String,
    file: String,
    expected: Expected,
    entry: Option<Model>,
}

impl Candidate {
    fn of(model: &Model) -> Candidate {
        Candidate {
            name: model.name.clone(),
            file: model.file.clone(),
            expected: model.expected(),
            entry: Some(model.clone()),
        }
    }

    fn pinned(pinned: &Pinned) -> Candidate {
        let expected = Expected { bytes: pinned.bytes, sha256: pinned.sha256.clone() };
        Candidate { name: pinned.name(), file: pinned.file.clone(), expected, entry: None }
    }
}

impl Model {
    fn expected(&self) -> Expected {
        Expected { bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

impl Pinned {
    fn name(&self) -> String {
        self.file.trim_end_matches(".gguf").to_owned()
    }
}
