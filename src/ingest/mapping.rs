//! Reads `data/feeds/*.toml`: which column of a CSV or TSV feed means what.
//! A mapping is given by name or found by the header; it never guesses a currency.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::domain::{Currency, Language};

/// What the columns of a table mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// `csv` or `tsv`; sets the delimiter unless one is given.
    pub format: Format,
    /// One character between columns.
    pub delimiter: Option<char>,
    /// Whether `"` quotes a field.
    #[serde(default = "yes")]
    pub quoting: bool,
    /// Whether `\t`, `\n`, `\r` and `\\` are escapes.
    #[serde(default)]
    pub backslash_escapes: bool,
    /// The language of the texts.
    pub language: Language,
    /// The product's id; also its SKU unless `sku` names a column.
    pub id: String,
    /// Its name.
    pub title: String,
    /// The variant's SKU.
    pub sku: Option<String>,
    /// What is said about it.
    pub description: Option<String>,
    /// The brand.
    pub brand: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// The colour.
    pub colour: Option<String>,
    /// The size.
    pub size: Option<String>,
    /// The product's page.
    pub url: Option<String>,
    /// Further codes: EAN, manufacturer's part number.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Columns shown as attributes.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Columns that are known and not used.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The price.
    pub price: Option<PriceColumns>,
    /// The stock.
    pub stock: Option<StockColumns>,
}

/// Comma- or tab-separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Commas.
    Csv,
    /// Tabs.
    Tsv,
}

/// Where the price stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceColumns {
    /// The price now.
    pub column: String,
    /// `major` (24.90) or `minor` (2490).
    pub unit: Unit,
    /// The character before the minor units.
    #[serde(default = "point")]
    pub decimal: char,
    /// The currency of every row.
    pub currency: Option<Currency>,
    /// The column with the row's currency.
    pub currency_column: Option<String>,
    /// The price before the reduction.
    pub old_column: Option<String>,
    /// The last day of the reduction, as 2026-12-31.
    pub until_column: Option<String>,
}

/// What one unit of the price column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Euros.
    Major,
    /// Cents.
    Minor,
}

/// Where the stock stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockColumns {
    /// The count.
    pub column: String,
    /// The place all of it lies in, an id of `data/rules/places.toml`.
    pub place: String,
}

fn yes() -> bool {
    true
}

fn point() -> char {
    '.'
}

impl Mapping {
    /// Reads one mapping file.
    ///
    /// # Errors
    /// When it is missing, not TOML, or has a key that means nothing.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mapping: Mapping = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        ensure!(
            mapping.delimiter().is_ok(),
            "{}: delimiter must be one ASCII character, such as \";\"",
            path.display()
        );
        Ok(mapping)
    }

    /// Finds the mapping of a folder whose columns all stand in the header; the one that explains most wins.
    ///
    /// # Errors
    /// When none fits, or two fit equally well.
    pub fn detect(folder: &Path, first_line: &str) -> anyhow::Result<(PathBuf, Self)> {
        let mut fitting = Vec::new();
        for path in mapping_files(folder)? {
            let mapping = Mapping::read(&path)?;
            let header = mapping.split_header(first_line);
            let explained = mapping.columns();
            if explained.iter().all(|column| header.iter().any(|name| name == column)) {
                fitting.push((explained.len(), path, mapping));
            }
        }
        fitting.sort_by_key(|(explained, ..)| std::cmp::Reverse(*explained));
        if fitting.len() > 1 && fitting[0].0 == fitting[1].0 {
            bail!("{} and {} both fit: choose with --mapping", fitting[0].1.display(), fitting[1].1.display());
        }
        match fitting.into_iter().next() {
            Some((_, path, mapping)) => Ok((path, mapping)),
            None => bail!(
                "no mapping in {} fits the columns `{}`: write one (see its README.md) and pass --mapping",
                folder.display(),
                first_line.trim_end()
            ),
        }
    }

    /// The byte between columns.
    ///
    /// # Errors
    /// When it is not ASCII.
    pub fn delimiter(&self) -> anyhow::Result<u8> {
        let default = if self.format == Format::Csv { ',' } else { '\t' };
        u8::try_from(self.delimiter.unwrap_or(default)).ok().filter(u8::is_ascii).context("not ASCII")
    }

    /// Every column it reads.
    pub fn columns(&self) -> Vec<&str> {
        let optional = [&self.sku, &self.description, &self.brand, &self.category, &self.colour, &self.size, &self.url];
        let mut all: Vec<&str> = vec![&self.id, &self.title];
        all.extend(optional.into_iter().flatten().map(String::as_str));
        all.extend(self.codes.iter().chain(&self.attributes).map(String::as_str));
        if let Some(price) = &self.price {
            all.push(&price.column);
            let optional = [&price.currency_column, &price.old_column, &price.until_column];
            all.extend(optional.into_iter().flatten().map(String::as_str));
        }
        all.extend(self.stock.as_ref().map(|stock| stock.column.as_str()));
        all
    }

    fn split_header(&self, line: &str) -> Vec<String> {
        let delimiter = self.delimiter().unwrap_or(b'\t');
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).delimiter(delimiter).quoting(self.quoting);
        let mut record = csv::StringRecord::new();
        let line = line.trim_start_matches('\u{feff}');
        let read = reader.from_reader(line.as_bytes()).read_record(&mut record);
        if read.unwrap_or(false) { record.iter().map(str::to_string).collect() } else { Vec::new() }
    }
}

fn mapping_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading the mappings in {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
