//! Which profile a feed is of, by its content: never by its file's name. The reason is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ingest::jsonl::{self, Kind};
use crate::ingest::report::{Finding, Place};

use super::container::source::Source;
use super::container::{items_root, sheet_header};
use super::profile::{Format, Profile};

/// What a feed is.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Our own lines: products or stock.
    Jsonl(Kind),
    /// A format described by a profile.
    Profiled(Arc<Profile>),
}

/// What a feed is, and why.
#[derive(Clone, Debug)]
pub struct Detected {
    /// What it is.
    pub shape: Shape,
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
}

struct Fit {
    file: PathBuf,
    profile: Profile,
    score: usize,
    reason: String,
}

/// Recognises a feed among the known profiles.
///
/// # Errors
/// When none fits, or several fit equally well: the finding says what was seen.
pub fn detect(path: &Path, source: &Source, profiles: &[(PathBuf, Profile)]) -> Result<Detected, Box<Finding>> {
    let head = source.head.trim_start_matches('\u{feff}').trim_start();
    if !source.workbook && head.starts_with('{') && !is_json_ld(head) {
        let first = head.lines().next().unwrap_or_default();
        let kind = jsonl::kind_of(first);
        let what = if kind == Kind::Stock { "stock" } else { "products" };
        let reason = format!("its first line is a JSON object ({what})");
        return Ok(Detected { shape: Shape::Jsonl(kind), name: "JSONL".into(), reason });
    }
    let seen = Seen::of(path, source, head)?;
    let mut fits: Vec<Fit> = profiles.iter().filter_map(|(file, profile)| seen.fit(file, profile)).collect();
    fits.sort_by_key(|fit| std::cmp::Reverse(fit.score));
    if let [first, second, ..] = fits.as_slice()
        && first.score == second.score
    {
        let reason = format!("{} and {} both fit", first.file.display(), second.file.display());
        return Err(unknown(path, reason, "choose with --mapping"));
    }
    let Some(fit) = fits.into_iter().next() else {
        let fix = "write a profile for it (data/feeds/README.md) and pass --mapping";
        return Err(unknown(path, format!("no profile fits {}", seen.told()), fix));
    };
    let name = fit.profile.name.clone();
    Ok(Detected { shape: Shape::Profiled(Arc::new(fit.profile)), name, reason: fit.reason })
}

fn unknown(path: &Path, reason: String, fix: &str) -> Box<Finding> {
    Box::new(Finding::error("unknown_format", &Place::new(path, 1), format!("{reason}; the feed was not read"), fix))
}

fn is_json_ld(head: &str) -> bool {
    let start: String = head.chars().take(4_000).collect();
    start.contains("\"@context\"") || start.contains("\"@type\"") || start.contains("\"@graph\"")
}

/// What the first bytes are.
enum Seen<'a> {
    Xml { root: String, head: &'a str },
    JsonLd,
    Table { head: &'a str },
    Workbook { header: Vec<String> },
    Nothing,
}

impl<'a> Seen<'a> {
    fn of(path: &Path, source: &Source, head: &'a str) -> Result<Self, Box<Finding>> {
        if source.workbook {
            return Ok(Seen::Workbook { header: sheet_header(path)? });
        }
        let start: String = head.chars().take(2_000).collect::<String>().to_ascii_lowercase();
        if head.starts_with('<') {
            let page = start.contains("<!doctype html") || start.contains("<html");
            return Ok(match items_root(head) {
                _ if page => Seen::JsonLd,
                Some(root) => Seen::Xml { root, head },
                None => Seen::Nothing,
            });
        }
        if head.starts_with(['{', '[']) {
            return Ok(if is_json_ld(head) { Seen::JsonLd } else { Seen::Nothing });
        }
        Ok(if head.contains('\0') || head.is_empty() { Seen::Nothing } else { Seen::Table { head } })
    }

    fn told(&self) -> String {
        let short = |text: &str| text.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>();
        match self {
            Seen::Xml { root, .. } => format!("an XML file with the root <{}>", short(root)),
            Seen::JsonLd => "a page or JSON-LD file".into(),
            Seen::Table { head } => format!("the columns `{}`", short(head.lines().next().unwrap_or_default())),
            Seen::Workbook { header } => format!("the columns `{}`", short(&header.join(","))),
            Seen::Nothing => "what the file begins with".into(),
        }
    }

    fn fit(&self, file: &Path, profile: &Profile) -> Option<Fit> {
        let table = matches!(profile.format, Format::Csv | Format::Tsv | Format::Xlsx);
        let found = |score, reason| Some(Fit { file: file.to_path_buf(), profile: profile.clone(), score, reason });
        match self {
            Seen::Xml { root, head } if profile.format == Format::Xml => {
                let detect = &profile.detect;
                let rooted = detect.root.iter().any(|known| known == root);
                let marks = detect.contains.iter().all(|mark| head.contains(mark.as_str()));
                let reason = match detect.contains.is_empty() {
                    true => format!("its root is <{root}>"),
                    false => format!("its root is <{root}> and it names {}", detect.contains.join(", ")),
                };
                if rooted && marks { found(1 + detect.contains.len(), reason) } else { None }
            }
            Seen::JsonLd if profile.format == Format::JsonLd => {
                found(1, "it is a page or file of schema.org objects".to_string())
            }
            Seen::Workbook { header } if table => {
                let (score, reason) = columns(header, profile)?;
                found(score, format!("it is a workbook; {reason}"))
            }
            Seen::Table { head } if table && profile.format != Format::Xlsx => delimiters(profile)
                .into_iter()
                .filter_map(|delimiter| {
                    let (score, reason) = columns(&header(head, delimiter, profile.quoting)?, profile)?;
                    let profile = Profile { delimiter: Some(delimiter.into()), ..profile.clone() };
                    Some(Fit { file: file.to_path_buf(), profile, score, reason })
                })
                .max_by_key(|fit| fit.score),
            _ => None,
        }
    }
}

/// A profile that names no delimiter takes what spreadsheets write.
fn delimiters(profile: &Profile) -> Vec<u8> {
    match (profile.delimiter, profile.format) {
        (None, Format::Csv) => vec![b',', b';', b'\t'],
        _ => profile.delimiter().into_iter().collect(),
    }
}

fn header(head: &str, delimiter: u8, quoting: bool) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter).quoting(quoting);
    let mut record = csv::StringRecord::new();
    let read = reader.from_reader(head.as_bytes()).read_record(&mut record);
    read.unwrap_or(false).then(|| record.iter().map(|name| name.trim().to_string()).collect())
}

/// How many columns of a header a profile reads; none when one it needs is missing.
fn columns(header: &[String], profile: &Profile) -> Option<(usize, String)> {
    let required = profile.required();
    if required.iter().any(|column| !header.iter().any(|name| name == column)) {
        return None;
    }
    let read = profile.fields();
    let score = header.iter().filter(|name| read.contains(&name.as_str())).count();
    let known = header.iter().filter(|name| profile.knows(name)).count();
    let first: Vec<&str> = required.iter().take(3).copied().collect();
    let reason = format!("it has the columns {} ..; {known} of {} columns are known", first.join(", "), header.len());
    Some((score, reason))
}
