//! Reads a feed line by line, never whole: each line is UTF-8 of bounded length, or named.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;

use super::report::{Finding, Place};

const LONGEST: u64 = 4 << 20;

/// The lines of a file, with their places.
pub struct Lines {
    reader: BufReader<File>,
    at: Place,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Lines { reader: BufReader::with_capacity(1 << 16, file), at: Place::new(path, 0) })
    }

    /// The next line that is not blank: its place, and its text or what is wrong with it.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read(&mut self) -> anyhow::Result<Option<(Place, Result<String, Finding>)>> {
        loop {
            let mut bytes = Vec::new();
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.at.line += 1;
            if read as u64 == LONGEST && bytes.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
                let reason = "the line is longer than 4 MB and was left out";
                let finding = Finding::error("long_line", &self.at, reason, "write one product per line");
                return Ok(Some((self.at.clone(), Err(finding))));
            }
            if self.at.line == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let text = String::from_utf8(bytes).map_err(|error| not_utf8(&self.at, error.utf8_error().valid_up_to()));
            return Ok(Some((self.at.clone(), text)));
        }
    }
}

/// The finding for bytes that are not UTF-8.
pub fn not_utf8(at: &Place, valid_up_to: usize) -> Finding {
    let reason = format!("not UTF-8 after byte {valid_up_to} of the row, which was left out");
    Finding::error("invalid_utf8", at, reason, "export the feed as UTF-8")
}
