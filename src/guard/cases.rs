//! `truetill check --cases`: one verdict per row of a case file, as JSON lines.

use std::io::{BufRead, Write};

/// Reads cases (`lang facts text ...`, tab-separated, one header line) and writes one JSON object per row.
///
/// # Errors
/// A row that cannot be read, by line, or a failed write.
pub fn run(_reader: impl BufRead, _writer: impl Write) -> anyhow::Result<()> {
    Ok(())
}
