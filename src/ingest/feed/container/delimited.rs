//! Tables: columns between commas, tabs or another character, with a header.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ingest::lines::not_utf8;
use crate::ingest::report::{Finding, Place};

use super::source::Text;
use super::{Profile, Record, Records, Row, broken};

/// A header may have so many columns.
const WIDEST: usize = 4_096;

/// A table being read.
pub struct Table {
    reader: csv::Reader<Text>,
    columns: Columns,
    at: Place,
    escapes: bool,
}

impl Table {
    /// Opens a table and checks its header against the profile.
    pub fn open(at: Place, text: Text, profile: &Arc<Profile>) -> Result<Self, Box<Finding>> {
        let delimiter = profile.delimiter().map_err(|error| broken(&at, 1, error))?;
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(delimiter).quoting(profile.quoting).flexible(true).has_headers(true);
        let mut reader = builder.from_reader(text);
        let header = reader.headers().map_err(|error| broken(&at, 1, error))?;
        let columns = Columns::new(&at, header.iter().map(str::to_string).collect(), profile)?;
        Ok(Table { reader, columns, at, escapes: profile.backslash_escapes })
    }
}

impl Records for Table {
    fn next(&mut self) -> Result<Option<Row>, Box<Finding>> {
        self.reader.get_mut().mark();
        let mut bytes = csv::ByteRecord::new();
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut bytes) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return Err(broken(&self.at, line, format!("a row cannot be read ({error})"))),
        }
        self.at.line = bytes.position().map_or(0, csv::Position::line);
        let mut cells = Vec::with_capacity(bytes.len());
        for (index, cell) in bytes.iter().enumerate() {
            match std::str::from_utf8(cell) {
                Ok(cell) if self.escapes => cells.push(unescaped(cell)),
                Ok(cell) => cells.push(cell.to_string()),
                Err(error) => {
                    let finding = not_utf8(&self.at, error.valid_up_to());
                    return Ok(Some(Err(finding.of(self.columns.name(index)))));
                }
            }
        }
        Ok(Some(self.columns.record(&self.at, cells)))
    }

    fn unknown(&self) -> Vec<String> {
        self.columns.unknown.clone()
    }
}

/// The header of a table or sheet: which column is which field.
pub struct Columns {
    names: Vec<Arc<str>>,
    known: Vec<bool>,
    unknown: Vec<String>,
}

impl Columns {
    /// Reads a header; the profile's columns must all be there.
    pub fn new(at: &Place, header: Vec<String>, profile: &Arc<Profile>) -> Result<Self, Box<Finding>> {
        let names: Vec<Arc<str>> = header.iter().map(|name| name.trim_matches(['\u{feff}', ' ']).into()).collect();
        if names.len() > WIDEST {
            return Err(broken(at, 1, format!("the header has {} columns", names.len())));
        }
        if let Some(missing) =
            profile.required().into_iter().find(|column| !names.iter().any(|name| **name == **column))
        {
            let reason = format!("the column `{missing}` of {} is missing", profile.name);
            let fix = "export the feed with it, or correct the profile in data/feeds";
            return Err(Finding::error("missing_column", at, reason, fix).of(missing).into());
        }
        let mut seen = HashSet::new();
        let known: Vec<bool> = names.iter().map(|name| profile.knows(name) && seen.insert(Arc::clone(name))).collect();
        let mut unknown: Vec<String> =
            names.iter().filter(|name| !profile.knows(name)).map(|name| name.to_string()).collect();
        unknown.sort();
        unknown.dedup();
        Ok(Columns { names, known, unknown })
    }

    /// A row of cells as a record.
    pub fn record(&self, at: &Place, cells: Vec<String>) -> Row {
        if cells.len() != self.names.len() {
            let reason = format!("{} columns, the header has {}; the row was left out", cells.len(), self.names.len());
            return Err(Finding::error("broken_row", at, reason, "give every row all columns of the header"));
        }
        let mut record = Record::at(at.line);
        for (index, cell) in cells.into_iter().enumerate() {
            if self.known[index] && !cell.trim().is_empty() {
                record.push(Arc::clone(&self.names[index]), 0, cell);
            }
        }
        Ok(record)
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// Columns nobody asked for.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).map_or_else(|| format!("column {}", index + 1), |name| name.to_string())
    }
}

fn unescaped(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_string();
    }
    let mut text = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match (letter, letters.clone().next()) {
            ('\\', Some(escape @ ('t' | 'n' | 'r' | '\\'))) => {
                letters.next();
                text.push(match escape {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    _ => '\\',
                });
            }
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    fn check(raw: &str, expected: &str) {
        assert_eq!(unescaped(raw), expected);
    }

    #[test]
    fn escapes_are_read_once() {
        check(r"plain", "plain");
        check(r"a\tb\nc", "a\tb\nc");
        check(r"C:\\temp", r"C:\temp");
        check(r"C:\x\", r"C:\x\");
    }
}
