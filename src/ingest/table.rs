//! Reads CSV and TSV feeds through a mapping, row by row: each row becomes one product with one variant.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::domain::language::Localised;
use crate::domain::product::{Price, StockLine, Variant};
use crate::domain::{Currency, Money, Product, ProductId, Sku};

use super::lines::not_utf8;
use super::mapping::{Mapping, PriceColumns, Unit};
use super::report::{Finding, Place, Report};
use super::upright;

/// A table being read.
pub struct Table {
    reader: csv::Reader<std::fs::File>,
    columns: HashMap<String, usize>,
    mapping: Mapping,
    currency: Option<Currency>,
    at: Place,
}

/// One row as a product, and its stock when the table tells it.
pub type Row = (Place, Product, Option<StockLine>);

impl Table {
    /// Opens a table, checks its header against the mapping, and names columns that mean nothing.
    ///
    /// # Errors
    /// When the file cannot be read or a mapped column is missing.
    pub fn open(
        path: &Path,
        mapping: Mapping,
        currency: Option<Currency>,
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(mapping.delimiter()?).quoting(mapping.quoting).flexible(true).has_headers(true);
        let mut reader = builder.from_path(path).with_context(|| format!("reading {}", path.display()))?;
        let header = reader.headers().with_context(|| format!("{}:1: the header", path.display()))?;
        let mut columns = HashMap::new();
        for (index, name) in header.iter().enumerate() {
            columns.entry(name.trim_start_matches('\u{feff}').to_string()).or_insert(index);
        }
        for column in mapping.columns() {
            ensure!(
                columns.contains_key(column),
                "{}:1: the column `{column}` of the mapping is missing",
                path.display()
            );
        }
        let at = Place::new(path, 1);
        let mut unknown: Vec<&String> = columns.keys().filter(|name| !is_known(&mapping, name)).collect();
        unknown.sort();
        for name in unknown {
            let fix = "add it to the mapping, or to its `ignore` list";
            report.add(Finding::warning("unknown_column", &at, "the mapping does not say what it means", fix).of(name));
        }
        Ok(Table { reader, columns, mapping, currency, at })
    }

    /// The next readable row; unreadable ones are noted and left out.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read(&mut self, report: &mut Report) -> anyhow::Result<Option<Row>> {
        let mut record = csv::ByteRecord::new();
        while self.reader.read_byte_record(&mut record).with_context(|| format!("reading {}", self.at.file))? {
            self.at.line = record.position().map_or(0, csv::Position::line);
            match self.row(&record, report) {
                Ok(row) => return Ok(Some(row)),
                Err(finding) => report.skip(*finding),
            }
        }
        Ok(None)
    }

    fn row(&self, record: &csv::ByteRecord, report: &mut Report) -> Result<Row, Box<Finding>> {
        let at = &self.at;
        if record.len() != self.reader_width() {
            let reason =
                format!("{} columns, the header has {}; the row was left out", record.len(), self.reader_width());
            return Err(Finding::error("broken_row", at, reason, "give every row all columns of the header").into());
        }
        let record = csv::StringRecord::from_byte_record(record.clone())
            .map_err(|error| {
                not_utf8(at, error.utf8_error().valid_up_to()).of(self.name_of(error.utf8_error().field()))
            })
            .map_err(Box::new)?;
        let cell = |column: &str| self.cell(&record, column);
        let maybe = |column: &Option<String>| column.as_deref().map(cell).filter(|text| !text.is_empty());
        let id = cell(&self.mapping.id);
        if id.is_empty() {
            let finding = Finding::error("no_id", at, "no id; the row was left out", "give each product its own id");
            return Err(finding.of(&self.mapping.id).into());
        }
        let sku = Sku(maybe(&self.mapping.sku).unwrap_or_else(|| id.clone()));
        let text = |text: String| {
            if text.is_empty() { Localised::default() } else { Localised::only(self.mapping.language, text) }
        };
        let prices = self.price(&record, report).into_iter().collect();
        let attributes = self.mapping.attributes.iter().map(|column| (column.clone(), text(cell(column))));
        let product = Product {
            id: ProductId(id),
            name: text(cell(&self.mapping.title)),
            description: text(maybe(&self.mapping.description).unwrap_or_default()),
            brand: maybe(&self.mapping.brand),
            category: maybe(&self.mapping.category).unwrap_or_default(),
            codes: self.mapping.codes.iter().map(|column| cell(column)).filter(|code| !code.is_empty()).collect(),
            attributes: attributes.filter(|(_, text)| !text.is_empty()).collect(),
            accessories: Vec::new(),
            returnable: true,
            warranty_months: None,
            url: maybe(&self.mapping.url),
            variants: vec![Variant {
                sku: sku.clone(),
                size: maybe(&self.mapping.size),
                colour: maybe(&self.mapping.colour),
                prices,
            }],
        };
        let stock = self.stock(&record, sku, report);
        Ok((at.clone(), product, stock))
    }

    fn price(&self, record: &csv::StringRecord, report: &mut Report) -> Option<Price> {
        let columns = self.mapping.price.as_ref()?;
        let text = self.cell(record, &columns.column);
        if text.is_empty() {
            return None;
        }
        let named =
            columns.currency_column.as_deref().map(|column| self.cell(record, column)).filter(|code| !code.is_empty());
        let currency = match named.map(|code| code.parse::<Currency>()).transpose() {
            Ok(named) => named.or(columns.currency).or(self.currency),
            Err(error) => {
                let field = columns.currency_column.clone().unwrap_or_default();
                let finding =
                    Finding::error("bad_price", &self.at, error.to_string(), "use the ISO 4217 code of the price");
                report.add(finding.of(field));
                return None;
            }
        };
        let Some(currency) = currency else {
            let fix = "name the currency in the mapping, or pass --currency";
            report.add(Finding::error("no_currency", &self.at, "a price without currency", fix).of(&columns.column));
            return None;
        };
        let amount = self.amount(&text, columns, currency, &columns.column, report)?;
        let old = columns.old_column.as_deref().map(|column| (column, self.cell(record, column)));
        let old = old.filter(|(_, text)| !text.is_empty());
        let old = old.and_then(|(column, text)| self.amount(&text, columns, currency, column, report));
        Some(Price { currency, amount, old, until: self.until(record, columns, report) })
    }

    fn amount(
        &self,
        text: &str,
        columns: &PriceColumns,
        currency: Currency,
        column: &str,
        report: &mut Report,
    ) -> Option<String> {
        let text = text.replace(columns.decimal, ".");
        let read = match columns.unit {
            Unit::Major => Money::parse(&text, currency).map_err(|error| error.to_string()),
            Unit::Minor if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map(|minor| Money::new(minor, currency)).map_err(|error| error.to_string())
            }
            Unit::Minor => Err(format!("`{text}` is not a whole number of minor units")),
        };
        match read {
            Ok(money) => Some(money.amount()),
            Err(reason) => {
                let fix = "correct the price, or `unit` and `decimal` in the mapping";
                report.add(Finding::error("bad_price", &self.at, reason, fix).of(column));
                None
            }
        }
    }

    fn until(
        &self,
        record: &csv::StringRecord,
        columns: &PriceColumns,
        report: &mut Report,
    ) -> Option<jiff::civil::Date> {
        let column = columns.until_column.as_deref()?;
        let text = self.cell(record, column);
        let day = text.parse().ok();
        if day.is_none() && !text.is_empty() {
            let reason = format!("`{text}` is not a day");
            report.add(Finding::error("bad_price", &self.at, reason, "write it as 2026-12-31").of(column));
        }
        day
    }

    fn stock(&self, record: &csv::StringRecord, sku: Sku, report: &mut Report) -> Option<StockLine> {
        let columns = self.mapping.stock.as_ref()?;
        let text = self.cell(record, &columns.column);
        match text.parse() {
            Ok(count) => Some(StockLine { sku, place: columns.place.as_str().into(), count }),
            Err(_) if text.is_empty() => None,
            Err(_) => {
                let reason = format!("`{text}` is not a count; no stock is known");
                report.add(Finding::error("bad_stock", &self.at, reason, "write a whole number").of(&columns.column));
                None
            }
        }
    }

    fn cell(&self, record: &csv::StringRecord, column: &str) -> String {
        let raw = self.columns.get(column).and_then(|index| record.get(*index)).unwrap_or_default();
        let text = if self.mapping.backslash_escapes { unescaped(raw) } else { raw.to_string() };
        upright::text(text.trim().to_string())
    }

    fn reader_width(&self) -> usize {
        self.columns.values().max().map_or(0, |last| last + 1)
    }

    fn name_of(&self, index: usize) -> String {
        let name = self.columns.iter().find(|(_, at)| **at == index);
        name.map_or_else(|| format!("column {}", index + 1), |(name, _)| name.clone())
    }
}

fn is_known(mapping: &Mapping, column: &str) -> bool {
    mapping.columns().contains(&column) || mapping.ignore.iter().any(|ignored| ignored == column)
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
