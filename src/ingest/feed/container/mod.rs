//! Containers: what a feed is written in. Each reader turns its own into records, one at a time, and says in which
//! line each stands. In: text. Out: records, rows that cannot be read, or the reason why the rest cannot be read.

mod delimited;
mod items;
mod jsonld;
pub mod source;
mod xlsx;

use std::path::Path;
use std::sync::Arc;

use crate::ingest::report::{Finding, Place};

use super::profile::{Format, Profile};
use source::Source;

pub use items::root as items_root;
pub use xlsx::header as sheet_header;

/// One item of a feed as its container holds it: fields by name.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The line it begins in.
    pub line: u64,
    /// What was odd about it, and is not said by any field.
    pub oddities: Vec<Oddity>,
    fields: Vec<Field>,
}

/// Something odd inside a record that does not make it unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// A stable name.
    pub code: &'static str,
    /// The field.
    pub field: String,
    /// What was done about it.
    pub reason: String,
}

#[derive(Clone, Debug)]
struct Field {
    name: Arc<str>,
    /// Which of the repeated fields it belongs to.
    nth: u32,
    value: String,
}

impl Record {
    /// A record of a line.
    pub fn at(line: u64) -> Self {
        Record { line, ..Record::default() }
    }

    /// Adds a field.
    pub fn push(&mut self, name: Arc<str>, nth: u32, value: String) {
        self.fields.push(Field { name, nth, value });
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| &*field.name == name).map(|field| field.value.as_str())
    }

    /// The first value of a field that is not empty; `""` when there is none.
    pub fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).map(str::trim).find(|value| !value.is_empty()).unwrap_or_default()
    }

    /// The values of several fields that stand together, such as a parameter's name, value and unit.
    pub fn together(&self, names: [&str; 3]) -> Vec<[&str; 3]> {
        let mut found: Vec<(u32, [&str; 3])> = Vec::new();
        for field in &self.fields {
            let Some(at) = names.iter().position(|name| **name == *field.name) else { continue };
            match found.iter_mut().find(|(nth, _)| *nth == field.nth) {
                Some((_, values)) => values[at] = field.value.as_str(),
                None => {
                    let mut values = [""; 3];
                    values[at] = field.value.as_str();
                    found.push((field.nth, values));
                }
            }
        }
        found.into_iter().map(|(_, values)| values).collect()
    }

    /// Takes a field's values from another record where this one has none.
    pub fn inherit(&mut self, name: &str, from: &Record) {
        if self.get(name).is_empty() {
            self.fields.retain(|field| &*field.name != name);
            self.fields.extend(from.fields.iter().filter(|field| &*field.name == name).cloned());
        }
    }
}

/// A record, or the row that could not be read as one.
pub type Row = Result<Record, Finding>;

/// Reads the records of a feed.
pub trait Records {
    /// The next one; an error is about the whole rest of the feed.
    fn next(&mut self) -> Result<Option<Row>, Box<Finding>>;
    /// When the feed says that it was made.
    fn made(&self) -> Option<&str> {
        None
    }
    /// Fields of the feed that its profile does not know.
    fn unknown(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Opens the reader of a profile's container.
///
/// # Errors
/// When the feed cannot be read at all.
pub fn open(path: &Path, source: Source, profile: &Arc<Profile>) -> Result<Box<dyn Records>, Box<Finding>> {
    let at = Place::new(path, 1);
    Ok(match profile.format {
        Format::Csv | Format::Tsv | Format::Xlsx if source.workbook => Box::new(xlsx::Sheet::open(path, profile)?),
        Format::Csv | Format::Tsv => Box::new(delimited::Table::open(at, source.reader, profile)?),
        Format::Xlsx => return Err(broken(&at, 1, "it is no workbook")),
        Format::Xml => Box::new(items::Items::new(at, source.reader, profile)),
        Format::JsonLd => Box::new(jsonld::Page::open(&at, source.reader, profile)?),
    })
}

/// The finding that ends a feed.
pub fn broken(at: &Place, line: u64, reason: impl std::fmt::Display) -> Box<Finding> {
    let at = Place { file: at.file.clone(), line };
    let reason = format!("{reason}; the rest of the feed cannot be read");
    Box::new(Finding::error("broken_feed", &at, reason, "export the feed again, whole"))
}
