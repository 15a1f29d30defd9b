//! Items of an XML feed, event by event. Names count without their prefix; a child's attribute is `child/@name`.
//! No DTD is read and no entity of one is ever expanded: a feed that brings its own is refused.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::ingest::feed::html;
use crate::ingest::report::{Finding, Place};

use super::source::Text;
use super::{Oddity, Profile, Record, Records, Row, broken};

/// Elements inside one another.
const DEEPEST: usize = 64;
/// Fields of one item.
const MOST_FIELDS: usize = 10_000;
/// Bytes of one item.
const LARGEST: usize = 4 << 20;
/// Rows of a table inside the feed.
const MOST_KEYS: usize = 200_000;
/// Unknown names that are told.
const TOLD: usize = 100;

/// An XML feed being read.
pub struct Items {
    reader: Reader<Text>,
    profile: Arc<Profile>,
    at: Place,
    buffer: Vec<u8>,
    /// Names of the open elements.
    open: Vec<Arc<str>>,
    item: Option<Open>,
    names: HashMap<Vec<u8>, Arc<str>>,
    known: HashMap<String, Option<Arc<str>>>,
    unknown: BTreeSet<String>,
    lookup: HashMap<String, String>,
    entry: Option<(String, String)>,
    made: Option<String>,
    rooted: bool,
}

/// The item that is open.
struct Open {
    record: Record,
    /// Its depth among the open elements.
    depth: usize,
    counts: HashMap<Arc<str>, u32>,
    /// The path below the item, and the text at each step of it.
    path: Vec<(String, String)>,
    nth: u32,
    bytes: usize,
    fields: usize,
    fault: Option<&'static str>,
}

impl Items {
    /// Over a text that was recognised as this profile's.
    pub fn new(at: Place, text: Text, profile: &Arc<Profile>) -> Self {
        let mut reader = Reader::from_reader(text);
        // Many feeds write `A & B`.
        reader.config_mut().allow_dangling_amp = true;
        Items {
            reader,
            profile: Arc::clone(profile),
            at,
            buffer: Vec::new(),
            open: Vec::new(),
            item: None,
            names: HashMap::new(),
            known: HashMap::new(),
            unknown: BTreeSet::new(),
            lookup: HashMap::new(),
            entry: None,
            made: None,
            rooted: false,
        }
    }

    fn step(&mut self) -> Result<Step, Box<Finding>> {
        self.reader.get_mut().mark();
        self.buffer.clear();
        let line = self.reader.get_ref().line();
        let mut buffer = std::mem::take(&mut self.buffer);
        let step = match self.reader.read_event_into(&mut buffer) {
            Err(error) => Err(broken(&self.at, self.reader.get_ref().line(), error)),
            Ok(Event::Eof) => self.end_of_file(),
            Ok(Event::Start(tag)) => self.start(&tag, line, false),
            Ok(Event::Empty(tag)) => self.start(&tag, line, true),
            Ok(Event::End(_)) => Ok(self.end()),
            Ok(Event::Text(text)) => {
                self.text(&text);
                Ok(Step::On)
            }
            Ok(Event::CData(text)) => {
                self.text(&text);
                Ok(Step::On)
            }
            Ok(Event::GeneralRef(reference)) => {
                self.reference(&reference);
                Ok(Step::On)
            }
            Ok(Event::DocType(text)) if text.windows(8).any(|bytes| bytes.eq_ignore_ascii_case(b"<!entity")) => {
                Err(broken(&self.at, line, "it declares entities of its own, which are never expanded"))
            }
            Ok(_) => Ok(Step::On),
        };
        self.buffer = buffer;
        step
    }

    fn end_of_file(&self) -> Result<Step, Box<Finding>> {
        let line = self.reader.get_ref().line();
        match self.open.last() {
            Some(name) => Err(broken(&self.at, line, format!("the file ends inside <{name}>"))),
            None if !self.rooted => Err(broken(&self.at, line, "the file holds no element")),
            None => Ok(Step::Done),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, line: u64, empty: bool) -> Result<Step, Box<Finding>> {
        let name = self.name(tag.local_name().as_ref());
        if self.open.is_empty() && self.rooted {
            return Err(broken(&self.at, line, format!("a second root <{name}> follows the first")));
        }
        if self.open.is_empty() {
            self.made = self.profile.as_of.clone().and_then(|wanted| attribute(tag, wanted.trim_start_matches('@')));
            self.rooted = true;
        }
        if self.open.len() >= DEEPEST && self.item.is_none() {
            return Err(broken(&self.at, line, format!("more than {DEEPEST} elements stand inside one another")));
        }
        match &mut self.item {
            Some(_) => self.child(tag, &name),
            None if self.profile.item.iter().any(|item| **item == *name) => {
                let record = Record::at(line);
                let (counts, path) = (HashMap::new(), Vec::new());
                let depth = self.open.len();
                self.item = Some(Open { record, depth, counts, path, nth: 0, bytes: 0, fields: 0, fault: None });
                self.attributes(tag, "");
            }
            None => self.table_entry(tag, &name),
        }
        self.open.push(name);
        if self.open.len() > 1_000 {
            return Err(broken(&self.at, line, "1000 elements stand inside one another"));
        }
        Ok(if empty { self.end() } else { Step::On })
    }

    fn table_entry(&mut self, tag: &BytesStart<'_>, name: &str) {
        let Some(lookup) = self.profile.lookup.as_ref().filter(|lookup| lookup.element == name) else { return };
        let key = attribute(tag, lookup.key.trim_start_matches('@'));
        if let Some(key) = key.filter(|_| self.lookup.len() < MOST_KEYS) {
            self.entry = Some((key, String::new()));
        }
    }

    fn child(&mut self, tag: &BytesStart<'_>, name: &Arc<str>) {
        let Some(item) = &mut self.item else { return };
        if item.path.is_empty() {
            let count = item.counts.entry(Arc::clone(name)).or_default();
            *count += 1;
            item.nth = *count;
        }
        if item.path.len() >= DEEPEST {
            item.fault = Some("more than 64 elements stand inside one another");
            item.path.push((String::new(), String::new()));
            return;
        }
        let path = match item.path.last() {
            Some((path, _)) => format!("{path}/{name}"),
            None => name.to_string(),
        };
        item.path.push((path.clone(), String::new()));
        self.attributes(tag, &path);
    }

    fn attributes(&mut self, tag: &BytesStart<'_>, path: &str) {
        for attribute in tag.attributes().with_checks(false).take(MOST_FIELDS).flatten() {
            let key = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
            if attribute.key.as_ref().starts_with(b"xmlns") {
                continue;
            }
            let name = if path.is_empty() { format!("@{key}") } else { format!("{path}/@{key}") };
            let value = html::unescaped(&String::from_utf8_lossy(&attribute.value));
            self.field(&name, value);
        }
    }

    fn end(&mut self) -> Step {
        self.open.pop();
        if let (Some((key, text)), true) = (&mut self.entry, self.item.is_none()) {
            let entry = (std::mem::take(key), std::mem::take(text));
            self.lookup.insert(entry.0, entry.1.trim().to_string());
            self.entry = None;
        }
        let Some(item) = &mut self.item else { return Step::On };
        if let Some((path, text)) = item.path.pop() {
            if !text.trim().is_empty() && !path.is_empty() {
                self.field(&path, text);
            }
            return Step::On;
        }
        if self.open.len() > item.depth {
            return Step::On;
        }
        let Some(item) = self.item.take() else { return Step::On };
        if let Some(fault) = item.fault {
            let at = Place { file: self.at.file.clone(), line: item.record.line };
            let reason = format!("{fault}; the item was left out");
            return Step::Row(Err(Finding::error("broken_row", &at, reason, "export the feed again")));
        }
        Step::Row(Ok(item.record))
    }

    fn field(&mut self, name: &str, value: String) {
        let Some(known) = self.known(name) else { return };
        let looked_up =
            self.profile.lookup.as_ref().is_some_and(|lookup| lookup.fields.iter().any(|field| field == name));
        let value = if looked_up { self.lookup.get(value.trim()).cloned().unwrap_or_default() } else { value };
        let Some(item) = &mut self.item else { return };
        item.fields += 1;
        item.bytes += value.len();
        if item.fields > MOST_FIELDS || item.bytes > LARGEST {
            item.fault = Some("it has more than 10,000 fields or 4 MB");
            item.record = Record::at(item.record.line);
            return;
        }
        item.record.push(known, item.nth, value);
    }

    /// The field's name when the profile reads it.
    fn known(&mut self, name: &str) -> Option<Arc<str>> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let read = self.profile.knows(name);
        // A path to something deeper that is read is no surprise.
        let passed = read || self.profile.fields().iter().any(|field| field.starts_with(&format!("{name}/")));
        if !passed && self.unknown.len() < TOLD {
            self.unknown.insert(name.to_string());
        }
        let known: Option<Arc<str>> = read.then(|| name.into());
        if self.known.len() < MOST_FIELDS {
            self.known.insert(name.to_string(), known.clone());
        }
        known
    }

    fn text(&mut self, bytes: &[u8]) {
        if let (Some((_, text)), true) = (&mut self.entry, self.item.is_none()) {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        let Some(item) = &mut self.item else { return };
        let Some((path, text)) = item.path.last_mut() else { return };
        match std::str::from_utf8(bytes) {
            Ok(part) => text.push_str(part),
            Err(_) => {
                text.push_str(&String::from_utf8_lossy(bytes));
                let reason = "not UTF-8; the broken letters were replaced".to_string();
                item.record.oddities.push(Oddity { code: "invalid_utf8", field: path.clone(), reason });
            }
        }
        item.bytes += bytes.len();
        if item.bytes > LARGEST {
            text.clear();
            item.fault = Some("it has more than 4 MB");
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        let resolved = match reference.resolve_char_ref() {
            Ok(Some(letter)) => Some(letter.to_string()),
            _ => std::str::from_utf8(reference).ok().and_then(html::entity).map(str::to_string),
        };
        let raw = String::from_utf8_lossy(reference).into_owned();
        if let (None, Some(item)) = (&resolved, &mut self.item)
            && let Some((path, _)) = item.path.last()
        {
            let reason = format!("`&{raw};` is no entity of XML; it was left as it is");
            item.record.oddities.push(Oddity { code: "unknown_entity", field: path.clone(), reason });
        }
        self.text(resolved.unwrap_or_else(|| format!("&{raw};")).as_bytes());
    }

    fn name(&mut self, bytes: &[u8]) -> Arc<str> {
        if let Some(name) = self.names.get(bytes) {
            return Arc::clone(name);
        }
        let name: Arc<str> = String::from_utf8_lossy(bytes).into();
        if self.names.len() < MOST_FIELDS {
            self.names.insert(bytes.to_vec(), Arc::clone(&name));
        }
        name
    }
}

enum Step {
    On,
    Row(Row),
    Done,
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let found = attributes.with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name.as_bytes())?;
    Some(html::unescaped(&String::from_utf8_lossy(&found.value)))
}

impl Records for Items {
    fn next(&mut self) -> Result<Option<Row>, Box<Finding>> {
        loop {
            match self.step()? {
                Step::On => {}
                Step::Row(row) => return Ok(Some(row)),
                Step::Done => return Ok(None),
            }
        }
    }

    fn made(&self) -> Option<&str> {
        self.made.as_deref()
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown.iter().cloned().collect()
    }
}

/// The root element and the namespaces of the first bytes of a file; none when it does not begin as XML.
pub fn root(head: &str) -> Option<String> {
    let mut reader = Reader::from_reader(head.as_bytes());
    reader.config_mut().allow_dangling_amp = true;
    let mut buffer = Vec::new();
    for _ in 0..50 {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(tag) | Event::Empty(tag) => {
                return Some(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned());
            }
            Event::Eof => return None,
            _ => buffer.clear(),
        }
    }
    None
}
