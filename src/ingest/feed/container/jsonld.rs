//! schema.org objects: in the `application/ld+json` scripts of a page, or a file of their own. A group's variants
//! become records of their own that name their group.

use std::collections::{BTreeSet, VecDeque};
use std::io::Read;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ingest::report::{Finding, Place};

use super::source::Text;
use super::{Profile, Record, Records, Row, broken};

/// A page, or a file of objects: read whole.
const LARGEST: u64 = 64 << 20;
/// Objects inside one another.
const DEEPEST: usize = 24;
/// Fields of one object.
const MOST_FIELDS: usize = 5_000;
/// Under these names a variant knows its group and the group itself.
const GROUP: &str = "@group";

/// The records of a page.
pub struct Page {
    rows: VecDeque<Row>,
    unknown: BTreeSet<String>,
}

impl Page {
    /// Reads a page or file.
    pub fn open(at: &Place, mut text: Text, profile: &Arc<Profile>) -> Result<Self, Box<Finding>> {
        let mut bytes = Vec::new();
        loop {
            text.mark();
            let read = (&mut text).take(1 << 20).read_to_end(&mut bytes).map_err(|error| broken(at, 1, error))?;
            if read == 0 {
                break;
            }
            if bytes.len() as u64 > LARGEST {
                return Err(broken(at, 1, "the page is larger than 64 MB"));
            }
        }
        let content = String::from_utf8_lossy(&bytes);
        let mut page =
            Reading { at, profile, page: Page { rows: VecDeque::new(), unknown: BTreeSet::new() }, groups: 0 };
        let trimmed = content.trim_start_matches('\u{feff}').trim_start();
        if trimmed.starts_with(['{', '[']) {
            page.script(trimmed, 1);
        } else {
            scripts(&content).into_iter().for_each(|(script, line)| page.script(script, line));
        }
        Ok(page.page)
    }
}

impl Records for Page {
    fn next(&mut self) -> Result<Option<Row>, Box<Finding>> {
        Ok(self.rows.pop_front())
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown.iter().cloned().collect()
    }
}

/// The contents of the JSON-LD scripts of a page, with their lines.
fn scripts(page: &str) -> Vec<(&str, u64)> {
    let lower = page.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = lower[from..].find("<script").map(|at| from + at) {
        let Some(open) = lower[start..].find('>').map(|at| start + at + 1) else { break };
        let end = lower[open..].find("</script").map_or(page.len(), |at| open + at);
        if lower[start..open].contains("application/ld+json") {
            let line = page[..open].bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
            found.push((&page[open..end], line));
        }
        from = end;
    }
    found
}

struct Reading<'a> {
    at: &'a Place,
    profile: &'a Arc<Profile>,
    page: Page,
    groups: usize,
}

impl Reading<'_> {
    fn script(&mut self, script: &str, line: u64) {
        let trimmed = script.trim().trim_start_matches("<![CDATA[").trim_end_matches("]]>");
        match serde_json::from_str::<Value>(trimmed) {
            Ok(value) => self.walk(&value, line, 0),
            Err(error) => {
                let at = Place { file: self.at.file.clone(), line: line + (error.line() as u64).saturating_sub(1) };
                let reason = format!("the JSON-LD cannot be read ({error}); it was left out");
                self.page.rows.push_back(Err(Finding::error("broken_row", &at, reason, "correct the page")));
            }
        }
    }

    /// Looks for products, wherever they stand.
    fn walk(&mut self, value: &Value, line: u64, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, line, depth + 1)),
            Value::Object(object) if is(object, "ProductGroup") => self.group(object, line),
            Value::Object(object) if self.profile.item.iter().any(|kind| is(object, kind)) => {
                let record = self.record(object, line, None);
                self.page.rows.push_back(Ok(record));
            }
            Value::Object(object) => object.values().for_each(|value| self.walk(value, line, depth + 1)),
            _ => {}
        }
    }

    fn group(&mut self, object: &Map<String, Value>, line: u64) {
        self.groups += 1;
        let named = ["productGroupID", "@id", "url", "sku"].into_iter().find_map(|key| object.get(key)?.as_str());
        let key = named.map_or_else(|| format!("{}#{}", self.at.file, self.groups), str::to_string);
        let parent = self.record(object, line, Some(&key));
        self.page.rows.push_back(Ok(parent));
        let variants = object.get("hasVariant").map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        });
        for variant in variants.unwrap_or_default().into_iter().filter_map(Value::as_object) {
            let record = self.record(variant, line, Some(&key));
            self.page.rows.push_back(Ok(record));
        }
    }

    fn record(&mut self, object: &Map<String, Value>, line: u64, group: Option<&str>) -> Record {
        let mut record = Record::at(line);
        if let Some(group) = group {
            record.push(GROUP.into(), 0, group.to_string());
        }
        let mut left = MOST_FIELDS;
        for (name, value) in object.iter().filter(|(name, _)| *name != "hasVariant") {
            self.flatten(&mut record, name, value, (0, &mut left, 0));
        }
        record
    }

    fn flatten(&mut self, record: &mut Record, name: &str, value: &Value, place: (u32, &mut usize, usize)) {
        let (nth, left, depth) = place;
        if *left == 0 || depth > DEEPEST {
            return;
        }
        let text = match value {
            Value::Null => return,
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let nth = if depth == 0 { index as u32 } else { nth };
                    self.flatten(record, name, item, (nth, left, depth + 1));
                }
                return;
            }
            Value::Object(object) => {
                for (field, value) in object {
                    self.flatten(record, &format!("{name}/{field}"), value, (nth, left, depth + 1));
                }
                return;
            }
            Value::String(text) => text.clone(),
            plain => plain.to_string(),
        };
        *left -= 1;
        if self.profile.knows(name) {
            // `https://schema.org/InStock` and `InStock` are one word.
            let word = text.rsplit_once("schema.org/").map_or(text.as_str(), |(_, word)| word);
            record.push(name.into(), nth, word.to_string());
        } else if self.page.unknown.len() < 100 {
            self.page.unknown.insert(name.to_string());
        }
    }
}

fn is(object: &Map<String, Value>, kind: &str) -> bool {
    let same = |text: &str| text.rsplit(['/', ':']).next() == Some(kind);
    match object.get("@type") {
        Some(Value::String(text)) => same(text),
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).any(same),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_of_the_right_type_are_read() {
        let page = "<html>\n<script>var a = {}</script>\n<SCRIPT TYPE=\"application/ld+json\">\n{\"a\":1}</SCRIPT>x";
        assert_eq!(scripts(page), [("\n{\"a\":1}", 3)]);
        assert_eq!(scripts("<script type='application/ld+json'>{"), [("{", 1)]);
        assert!(scripts("<script type='application/ld+json'").is_empty());
    }
}
