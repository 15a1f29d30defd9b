//! What an ingest run found, row by row: file and line, field, reason, and how to mend it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

/// Findings kept in full; further ones are only counted.
const KEPT: usize = 1_000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something of the merchant's is missing from the index, or cannot be quoted.
    Error,
    /// Worth a look; nothing is missing.
    Warning,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name as the merchant gave it.
    pub file: String,
    /// The line, from 1; 0 means the file as a whole.
    pub line: u64,
}

impl Place {
    /// A line of a file.
    pub fn new(file: &Path, line: u64) -> Self {
        Place { file: file.display().to_string(), line }
    }
}

/// One thing found in the merchant's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A stable name: `duplicate_id`.
    pub code: &'static str,
    /// The file.
    pub file: String,
    /// The line, from 1; 0 means the file as a whole.
    pub line: u64,
    /// The field or column, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what was done about it.
    pub reason: String,
    /// How to mend it.
    pub fix: String,
}

impl Finding {
    /// An error at a place.
    pub fn error(code: &'static str, at: &Place, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        let (reason, fix) = (reason.into(), fix.into());
        Finding { severity: Severity::Error, code, file: at.file.clone(), line: at.line, field: None, reason, fix }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, at: &Place, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Finding::error(code, at, reason, fix) }
    }

    /// The same, about one field.
    pub fn of(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.feeds {
            let FeedNote { file, profile, reason, rows, products, .. } = note;
            writeln!(f, "{file}: {profile}: {reason}; {rows} rows, {products} products")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let shown = self.findings.len() as u64;
        let all = self.errors + self.warnings;
        if all > shown {
            writeln!(f, "... and {} more", all - shown)?;
        }
        writeln!(
            f,
            "{} products, {} variants ({} with a price), {} stock lines, {} passages; {} rows left out; {} errors, {} warnings",
            self.products,
            self.variants,
            self.quotable,
            self.stock_lines,
            self.passages,
            self.skipped,
            self.errors,
            self.warnings,
        )?;
        for (what, meaning) in [("not_for_sale", "not for sale"), ("no_item", "without a product")] {
            if let Some(count) = self.counts.get(what) {
                writeln!(f, "{count} rows {meaning}")?;
            }
        }
        match &self.outcome {
            Outcome::DryRun => writeln!(f, "dry run: nothing was changed"),
            Outcome::Switched { generation } => {
                writeln!(
                    f,
                    "generation {generation} serves ({} vectors made, {} kept, {:.1} s)",
                    self.embedded, self.reused, self.seconds
                )?;
                writeln!(f, "next: truetill ask \"...\" or truetill serve")
            }
            Outcome::Refused { reason } => writeln!(f, "refused: {reason}; the previous index keeps serving"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{}:{}: {severity}: ", self.file, self.line)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}; {}", self.reason, self.fix)
    }
}

/// A feed of the run: what it was taken for, and why.
#[derive(Clone, Debug, Serialize)]
pub struct FeedNote {
    /// The file.
    pub file: String,
    /// The profile's name.
    pub profile: String,
    /// Why this profile.
    pub reason: String,
    /// Rows read.
    pub rows: u64,
    /// Products taken.
    pub products: u64,
    /// The moment its prices and stock are as of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// What became of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// Only read and reported.
    #[default]
    DryRun,
    /// A new generation serves.
    Switched {
        /// Its id.
        generation: String,
    },
    /// Nothing was changed.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What became of the index.
    pub outcome: Outcome,
    /// The feeds, in the order read.
    pub feeds: Vec<FeedNote>,
    /// Rows read.
    pub rows: u64,
    /// Feeds that could not be read to their end: they refuse the switch.
    pub broken: u64,
    /// Products taken.
    pub products: u64,
    /// Their variants.
    pub variants: u64,
    /// Variants with at least one price.
    pub quotable: u64,
    /// Stock lines taken.
    pub stock_lines: u64,
    /// Policy passages taken.
    pub passages: u64,
    /// Rows left out.
    pub skipped: u64,
    /// Errors found.
    pub errors: u64,
    /// Warnings found.
    pub warnings: u64,
    /// How many findings of each kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// The first findings, in the order met.
    pub findings: Vec<Finding>,
    /// Seconds it took.
    pub seconds: f64,
    /// Vectors computed, and vectors kept from the generation before.
    pub embedded: u64,
    /// Vectors whose text had not changed.
    pub reused: u64,
}

impl Report {
    /// Notes a finding.
    pub fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        *self.counts.entry(finding.code).or_default() += 1;
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        }
    }

    /// Notes a row that was left out.
    pub fn skip(&mut self, finding: Finding) {
        self.skipped += 1;
        self.add(finding);
    }

    /// Notes a feed that could not be read to its end.
    pub fn broke(&mut self, finding: Finding) {
        self.broken += 1;
        self.add(finding);
    }

    /// Counts what is neither error nor warning: rows that are not for sale, rows without a product.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// True unless the run was refused.
    pub fn succeeded(&self) -> bool {
        !matches!(self.outcome, Outcome::Refused { .. })
    }
}
