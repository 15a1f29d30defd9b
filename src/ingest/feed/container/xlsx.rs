//! The first sheet of a workbook, row by row. A cell's number is taken as its digits, never through a float.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::ingest::feed::html;
use crate::ingest::report::{Finding, Place};

use super::delimited::Columns;
use super::source::{Text, part};
use super::{Profile, Records, Row, broken};

/// All texts of a workbook together.
const LARGEST: usize = 200 << 20;
/// Columns of a sheet.
const WIDEST: usize = 4_096;
/// Digits a spreadsheet keeps of a number.
const DIGITS: usize = 15;

/// A sheet being read.
pub struct Sheet {
    cells: Cells,
    columns: Columns,
    at: Place,
}

impl Sheet {
    /// Opens the first sheet and checks its header against the profile.
    pub fn open(path: &Path, profile: &Arc<Profile>) -> Result<Self, Box<Finding>> {
        let at = Place::new(path, 1);
        let (cells, header) = open(path, &at)?;
        let columns = Columns::new(&at, header, profile)?;
        Ok(Sheet { cells, columns, at })
    }
}

/// The names of the first sheet's columns.
///
/// # Errors
/// When the workbook cannot be read.
pub fn header(path: &Path) -> Result<Vec<String>, Box<Finding>> {
    Ok(open(path, &Place::new(path, 1))?.1)
}

fn open(path: &Path, at: &Place) -> Result<(Cells, Vec<String>), Box<Finding>> {
    let missing = |what: &str| broken(at, 0, format!("the workbook has no {what}"));
    let open = |name: &str| part(path, name).map_err(|error| broken(at, 0, error));
    let shared = open("xl/sharedStrings.xml")?.map(|text| strings(at, text)).transpose()?.unwrap_or_default();
    let sheet = first_sheet(path).map_err(|reason| broken(at, 0, reason))?;
    let text = open(&sheet)?.ok_or_else(|| missing("sheet"))?;
    let mut cells = Cells { reader: Reader::from_reader(text), shared, buffer: Vec::new() };
    let header = cells.row(at)?.ok_or_else(|| missing("header"))?.1;
    Ok((cells, header))
}

impl Records for Sheet {
    fn next(&mut self) -> Result<Option<Row>, Box<Finding>> {
        loop {
            let Some((line, mut cells)) = self.cells.row(&self.at)? else { return Ok(None) };
            self.at.line = line;
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            // Empty cells at the end of a row are not written.
            if cells.len() < self.columns.width() {
                cells.resize(self.columns.width(), String::new());
            }
            while cells.len() > self.columns.width() && cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            return Ok(Some(self.columns.record(&self.at, cells)));
        }
    }

    fn unknown(&self) -> Vec<String> {
        self.columns.unknown().to_vec()
    }
}

/// The part with the first sheet, by the workbook's own table of contents.
fn first_sheet(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let find = |name: &str, element: &str, wanted: &dyn Fn(&BytesStart<'_>) -> Option<String>| {
        let Some(text) = part(path, name).map_err(told)? else { return Ok(None) };
        let (mut reader, mut buffer) = (Reader::from_reader(text), Vec::new());
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
                Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == element.as_bytes() => {
                    if let Some(found) = wanted(&tag) {
                        return Ok::<_, String>(Some(found));
                    }
                }
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    };
    let Some(id) = find("xl/workbook.xml", "sheet", &|tag| attribute(tag, b"id"))? else {
        return Ok("xl/worksheets/sheet1.xml".into());
    };
    let target = |tag: &BytesStart<'_>| {
        if attribute(tag, b"Id")? == id { attribute(tag, b"Target") } else { None }
    };
    let target = find("xl/_rels/workbook.xml.rels", "Relationship", &target)?;
    let target = target.unwrap_or_else(|| "worksheets/sheet1.xml".into());
    Ok(target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_string))
}

fn attribute(tag: &BytesStart<'_>, name: &[u8]) -> Option<String> {
    let mut attributes = tag.attributes();
    let found =
        attributes.with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(html::unescaped(&String::from_utf8_lossy(&found.value)))
}

/// The texts cells point to.
fn strings(at: &Place, text: Text) -> Result<Vec<Box<str>>, Box<Finding>> {
    let (mut reader, mut buffer) = (Reader::from_reader(text), Vec::new());
    let (mut found, mut bytes): (Vec<Box<str>>, usize) = (Vec::new(), 0);
    let mut open: Option<String> = None;
    // Phonetic hints stand beside the text and are not part of it.
    let mut phonetic = false;
    loop {
        reader.get_mut().mark();
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|error| broken(at, 0, error))? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"si" => open = Some(String::new()),
                b"rPh" => phonetic = true,
                _ => {}
            },
            Event::Empty(tag) if tag.local_name().as_ref() == b"si" => found.push("".into()),
            Event::End(tag) => match tag.local_name().as_ref() {
                b"si" => found.extend(open.take().map(String::into_boxed_str)),
                b"rPh" => phonetic = false,
                _ => {}
            },
            Event::Eof if open.is_some() => return Err(broken(at, 0, "the workbook's texts end early")),
            Event::Eof => return Ok(found),
            event => {
                if let (Some(text), false) = (&mut open, phonetic) {
                    let before = text.len();
                    add(text, &event);
                    bytes += text.len() - before;
                }
            }
        }
        if bytes + found.len() * 16 > LARGEST {
            return Err(broken(at, 0, "the workbook's texts are larger than 200 MB: save it as CSV"));
        }
    }
}

fn add(text: &mut String, event: &Event<'_>) {
    match event {
        Event::Text(part) => text.push_str(&String::from_utf8_lossy(part)),
        Event::CData(part) => text.push_str(&String::from_utf8_lossy(part)),
        Event::GeneralRef(reference) => {
            let name = String::from_utf8_lossy(reference).into_owned();
            text.push_str(&html::unescaped(&format!("&{name};")));
        }
        _ => {}
    }
}

struct Cells<R = Text> {
    reader: Reader<R>,
    shared: Vec<Box<str>>,
    buffer: Vec<u8>,
}

/// The cell that is open: its column, type and value.
#[derive(Default)]
struct Cell {
    column: usize,
    kind: String,
    value: String,
    /// Inside `<v>` or `<t>`.
    inside: bool,
}

impl Cells<Text> {
    fn row(&mut self, at: &Place) -> Result<Option<(u64, Vec<String>)>, Box<Finding>> {
        self.reader.get_mut().mark();
        read_row(self, at)
    }
}

/// The next row: its number and its cells.
fn read_row<R: BufRead>(cells: &mut Cells<R>, at: &Place) -> Result<Option<(u64, Vec<String>)>, Box<Finding>> {
    let (mut line, mut row, mut cell) = (at.line, None::<Vec<String>>, Cell::default());
    loop {
        cells.buffer.clear();
        let event = cells.reader.read_event_into(&mut cells.buffer).map_err(|error| broken(at, line, error))?;
        match &event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"row" => {
                    line = attribute(tag, b"r").and_then(|number| number.parse().ok()).unwrap_or(line + 1);
                    row = Some(Vec::new());
                }
                b"c" => {
                    let next = row.as_ref().map_or(0, Vec::len);
                    let column = attribute(tag, b"r").and_then(|name| column_of(&name)).unwrap_or(next);
                    cell = Cell { column, kind: attribute(tag, b"t").unwrap_or_default(), ..Cell::default() };
                }
                b"v" | b"t" => cell.inside = true,
                _ => {}
            },
            Event::End(tag) => match (tag.local_name().as_ref(), &mut row) {
                (b"v" | b"t", _) => cell.inside = false,
                (b"c", Some(row)) => {
                    let cell = std::mem::take(&mut cell);
                    if cell.column < row.len() || cell.column >= WIDEST {
                        return Err(broken(at, line, "its cells are out of order, or more than 4096 in a row"));
                    }
                    row.resize(cell.column, String::new());
                    row.push(cell.text(&cells.shared));
                }
                (b"row", open) => {
                    if let Some(row) = open.take() {
                        return Ok(Some((line, row)));
                    }
                }
                _ => {}
            },
            Event::Eof if row.is_some() => return Err(broken(at, line, "the sheet ends inside a row")),
            Event::Eof => return Ok(None),
            event if cell.inside => add(&mut cell.value, event),
            _ => {}
        }
    }
}

impl Cell {
    fn text(self, shared: &[Box<str>]) -> String {
        match self.kind.as_str() {
            "s" => {
                let index: Option<usize> = self.value.trim().parse().ok();
                index.and_then(|index| shared.get(index)).map(|text| text.to_string()).unwrap_or_default()
            }
            "" | "n" => number(&self.value),
            _ => self.value,
        }
    }
}

/// `B12` is in column 1.
fn column_of(name: &str) -> Option<usize> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number = letters.fold(0_usize, |sum, letter| sum * 26 + usize::from(letter.to_ascii_uppercase() - b'A' + 1));
    number.checked_sub(1)
}

/// A number as the sheet shows it: 24.899999999999999 was typed as 24.9, and 2.0E-2 as 0.02.
fn number(text: &str) -> String {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
        None => (text, Some(0)),
    };
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let Some(exponent) = exponent.filter(|exponent| exponent.abs() < 40) else { return text.to_string() };
    if all.is_empty() || all.len() > 60 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_string();
    }
    let leading = all.len() - all.trim_start_matches('0').len();
    let mut point = whole.len() as i32 + exponent;
    let mut kept = all;
    if kept.len() - leading > DIGITS {
        let (rounded, carried) = round(&kept, leading + DIGITS);
        point += i32::from(carried);
        kept = rounded;
    }
    let (mut before, mut after) = match usize::try_from(point) {
        Ok(point) if point >= kept.len() => (format!("{kept:0<point$}"), String::new()),
        Ok(point) => (kept[..point].to_string(), kept[point..].to_string()),
        Err(_) => (String::new(), format!("{}{kept}", "0".repeat(point.unsigned_abs() as usize))),
    };
    before = before.trim_start_matches('0').to_string();
    after = after.trim_end_matches('0').to_string();
    let before = if before.is_empty() { "0" } else { &before };
    let point = if after.is_empty() { "" } else { "." };
    format!("{sign}{before}{point}{after}")
}

/// The first `length` digits, rounded; true when a digit came in front.
fn round(digits: &str, length: usize) -> (String, bool) {
    let mut kept: Vec<u8> = digits.as_bytes()[..length].to_vec();
    if digits.as_bytes()[length] < b'5' {
        return (String::from_utf8_lossy(&kept).into_owned(), false);
    }
    for digit in kept.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return (String::from_utf8_lossy(&kept).into_owned(), false);
        }
        *digit = b'0';
    }
    (format!("1{}", String::from_utf8_lossy(&kept)), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: &str) {
        assert_eq!(number(written), expected, "{written}");
    }

    #[test]
    fn numbers_keep_the_digits_that_were_typed() {
        check("24.9", "24.9");
        check("24.899999999999999", "24.9");
        check("19.989999999999998", "19.99");
        check("0.99999999999999989", "1");
        check("999999999999999.9", "1000000000000000");
        check("2E-2", "0.02");
        check("4.0063813339309999E12", "4006381333931");
        check("1.5E3", "1500");
        check("-3", "-3");
        check("0", "0");
        check("007.50", "7.5");
        check("abc", "abc");
        check("1e999", "1e999");
    }

    #[test]
    fn columns_are_counted_from_a() {
        assert_eq!(
            (column_of("A1"), column_of("Z9"), column_of("AA10"), column_of("12")),
            (Some(0), Some(25), Some(26), None)
        );
    }
}
