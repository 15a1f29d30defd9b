//! Which files a run reads, and what each is taken for: by the profile that was named, by its name, else by its content.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::tz::TimeZone;

use crate::domain::{Currency, Language};

use super::feed::container::source::Source;
use super::feed::profile::Profile;
use super::feed::{Settings, Shape};
use super::jsonl::{self};
use super::report::{Finding, Place, Report};
use super::{Hostile, IndexRequest, feed};

/// What is known of one feed beside what it says itself.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Its name where its words are told.
    pub name: Option<String>,
    /// Its profile.
    pub profile: Option<PathBuf>,
    /// The currency of prices that name none.
    pub currency: Option<Currency>,
    /// The language of texts, where it does not say it.
    pub language: Option<Language>,
    /// Older words of it are not told.
    pub max_age_s: Option<u64>,
}

impl IndexRequest {
    /// The request as it is for one feed.
    fn of(&self, path: &Path) -> (IndexRequest, Terms) {
        let terms = self.terms.get(path).cloned().unwrap_or_default();
        let request = IndexRequest {
            profile: terms.profile.clone().or_else(|| self.profile.clone()),
            currency: terms.currency.or(self.currency),
            language: terms.language.or(self.language),
            ..self.clone()
        };
        (request, terms)
    }
}

/// A feed and what it was taken for.
pub(super) struct Opened {
    pub path: PathBuf,
    pub shape: Shape,
    pub name: String,
    pub reason: String,
    pub terms: Terms,
}

impl Opened {
    pub(super) fn settings<'a>(&self, zone: &'a TimeZone, hostile: Hostile<'a>) -> Settings<'a> {
        Settings { currency: self.terms.currency, language: self.terms.language, zone, hostile }
    }
}

pub(super) fn feeds(request: &IndexRequest, report: &mut Report) -> anyhow::Result<Vec<Opened>> {
    let mut feeds = Vec::new();
    for path in &request.catalogs {
        let (request, terms) = request.of(path);
        let terms = Terms { currency: request.currency, language: request.language, ..terms };
        let profiles = profiles(&request)?;
        let files = if path.is_dir() { feed_files(path)? } else { vec![path.clone()] };
        for file in files {
            match opened(&file, &request, &profiles)? {
                Ok(feed) => feeds.push(Opened { terms: terms.clone(), ..feed }),
                Err(finding) => report.broke(*finding),
            }
        }
    }
    Ok(feeds)
}

fn profiles(request: &IndexRequest) -> anyhow::Result<Vec<(PathBuf, Profile)>> {
    let mut profiles = match &request.profile {
        Some(profile) => vec![(profile.clone(), Profile::read(profile)?)],
        None => Profile::all(&request.profiles)?,
    };
    if let Some(format) = request.format.as_deref().filter(|format| !matches!(*format, "auto" | "jsonl")) {
        let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let known: Vec<String> = profiles.iter().map(|(path, _)| stem(path)).collect();
        profiles.retain(|(path, _)| stem(path) == format || stem(path).starts_with(&format!("{format}-")));
        anyhow::ensure!(!profiles.is_empty(), "--format {format}: {} are known", known.join(", "));
    }
    Ok(profiles)
}

/// Every file of a folder but those that begin with a point.
fn feed_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let readme = name.to_ascii_lowercase().starts_with("readme");
        if path.is_file() && !name.starts_with('.') && !readme {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn opened(
    path: &Path,
    request: &IndexRequest,
    profiles: &[(PathBuf, Profile)],
) -> anyhow::Result<Result<Opened, Box<Finding>>> {
    let at = Place::new(path, 0);
    // A file that is not there is the operator's mistake; one that cannot be unpacked is the feed's.
    std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let encoding = request.profile.as_ref().and_then(|_| profiles.first()?.1.encoding.clone());
    let source = match Source::open(path, encoding.as_deref()) {
        Ok(source) => source,
        Err(error) => return Ok(Err(feed::container::broken(&at, 0, error))),
    };
    let path = path.to_path_buf();
    if !source.workbook && source.head.trim_start_matches('\u{feff}').trim().is_empty() {
        let reason = "the file holds no row";
        return Ok(Err(Finding::error("empty_feed", &at, reason, "export the feed again").into()));
    }
    let lines = request.format.as_deref() == Some("jsonl");
    if lines || (request.profile.is_none() && is_jsonl(&path)) {
        let kind = jsonl::kind_of(source.head.trim_start_matches('\u{feff}').lines().next().unwrap_or_default());
        let reason = "it is called .jsonl, or --format says so".to_string();
        let terms = Terms::default();
        return Ok(Ok(Opened { path, shape: Shape::Jsonl(kind), name: "JSONL".into(), reason, terms }));
    }
    if request.profile.is_some()
        && let [(file, profile)] = profiles
    {
        let reason = format!("--mapping {}", file.display());
        let shape = feed::detect(&path, &source, profiles).map(|detected| detected.shape);
        let shape = shape.unwrap_or_else(|_| Shape::Profiled(std::sync::Arc::new(profile.clone())));
        return Ok(Ok(Opened { path, shape, name: profile.name.clone(), reason, terms: Terms::default() }));
    }
    let detected = feed::detect(&path, &source, profiles);
    Ok(detected.map(|detected| {
        let wrapping =
            if source.wrapping.is_empty() { String::new() } else { format!(" ({})", source.wrapping.join(", ")) };
        let reason = detected.reason + &wrapping;
        Opened { path, shape: detected.shape, name: detected.name, reason, terms: Terms::default() }
    }))
}

/// A feed of ours whose first line is broken is still ours.
fn is_jsonl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson")
}
