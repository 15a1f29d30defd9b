//! Feeds in the merchant's own formats, read as products: recognised by content, streamed, grouped into variants.
//! In: a file and the profiles of `data/feeds`. Out: products with stock, one at a time, and findings.

mod amount;
mod changes;
pub mod container;
mod detect;
mod grouping;
pub mod html;
mod meaning;
pub mod profile;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::{Currency, Language};
use crate::ingest::report::{Finding, Place, Report};

pub use changes::Changes;
pub use detect::{Detected, Shape, detect};
pub use grouping::Assembled;

use amount::Reading;
use container::source::Source;
use container::{Record, Records};
use meaning::{Item, Key, Sense};
use profile::Profile;

/// More variants are products of their own.
const MOST_VARIANTS: u32 = 2_000;
/// Rows that wait for the rest of their product.
const MOST_WAITING: usize = 100_000;

/// How feeds are read.
pub struct Settings<'a> {
    /// The currency of prices that name none.
    pub currency: Option<Currency>,
    /// The language of texts, when the operator names it.
    pub language: Option<Language>,
    /// The shop's time zone.
    pub zone: &'a TimeZone,
    /// True for text that speaks to a model instead of a customer.
    pub hostile: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

/// A feed of a profile, being read.
pub struct Feed<'a> {
    records: Box<dyn Records>,
    profile: Arc<Profile>,
    settings: &'a Settings<'a>,
    path: PathBuf,
    /// How many rows each product has, where they do not follow one another.
    plan: Plan,
    waiting: HashMap<u64, Vec<Item>>,
    rows_waiting: usize,
    /// Products whose parent row is not for sale, or unreadable.
    dropped: HashSet<u64>,
    /// Parents and first rows, whose fields the others inherit.
    heads: HashMap<u64, Record>,
    current: Option<(u64, Vec<Item>)>,
    ready: VecDeque<Assembled>,
    done: bool,
}

/// What the first pass over a feed counted.
#[derive(Default)]
struct Plan {
    /// Keys of parents, and the one key each is counted under.
    alias: HashMap<u64, u64>,
    rows: HashMap<u64, u32>,
}

impl<'a> Feed<'a> {
    /// Opens a feed; one whose variants are scattered is read through once to count them.
    ///
    /// # Errors
    /// When the feed cannot be read at all.
    pub fn open(path: &Path, profile: &Arc<Profile>, settings: &'a Settings<'a>) -> Result<Self, Box<Finding>> {
        let records = open(path, profile)?;
        let scattered = profile.group.as_ref().is_some_and(|group| !group.adjacent);
        let plan = if scattered { Plan::count(open(path, profile)?, profile)? } else { Plan::default() };
        Ok(Feed {
            records,
            profile: Arc::clone(profile),
            settings,
            path: path.to_path_buf(),
            plan,
            waiting: HashMap::new(),
            rows_waiting: 0,
            dropped: HashSet::new(),
            heads: HashMap::new(),
            current: None,
            ready: VecDeque::new(),
            done: false,
        })
    }

    /// The next product.
    ///
    /// # Errors
    /// When the rest of the feed cannot be read.
    pub fn next(&mut self, report: &mut Report) -> Result<Option<Assembled>, Box<Finding>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            if self.done {
                return Ok(None);
            }
            match self.records.next()? {
                None => self.finish(report),
                Some(Err(finding)) => report.skip(finding),
                Some(Ok(record)) => self.take(record, report),
            }
        }
    }

    /// When the feed says that it was made, else when its file was written.
    pub fn made(&self, report: &mut Report) -> Option<Timestamp> {
        made(&*self.records, &self.path, self.settings.zone, report)
    }

    /// Names what the profile does not know; called once all is read.
    pub fn unknown(&self, report: &mut Report) {
        let at = Place::new(&self.path, 1);
        for name in self.records.unknown() {
            let fix = "add it to the profile, or to its `ignore` list";
            report.add(Finding::warning("unknown_column", &at, "the profile does not say what it means", fix).of(name));
        }
    }

    fn take(&mut self, mut record: Record, report: &mut Report) {
        report.rows += 1;
        if meaning::is_nothing(&record, &self.profile) {
            report.count("no_item");
            return;
        }
        let key = meaning::key(&record, &self.profile);
        let slot = self.slot(&key);
        self.inherit(&mut record, slot);
        let at = Place { file: self.path.display().to_string(), line: record.line };
        let reading = Reading { at: &at, currency: self.settings.currency, zone: self.settings.zone };
        let sense = Sense { profile: &self.profile, language: self.settings.language, hostile: self.settings.hostile };
        let item = sense.item(&record, &reading, report);
        if let (None, Key::Parent(_), Some(slot)) = (&item, &key, slot) {
            self.dropped.insert(slot);
        }
        match (slot, self.profile.group.as_ref().is_some_and(|group| group.adjacent)) {
            (None, _) => self.ready.extend(item.map(Assembled::from)),
            (Some(slot), true) => self.follow(slot, item, report),
            (Some(slot), false) => self.wait(slot, item, report),
        }
    }

    fn slot(&self, key: &Key) -> Option<u64> {
        match key {
            Key::Own => None,
            Key::Of(key) => Some(self.plan.resolve(hash(key))),
            Key::Parent(keys) => keys.first().map(|key| self.plan.resolve(hash(key))),
        }
    }

    fn inherit(&mut self, record: &mut Record, slot: Option<u64>) {
        let (Some(slot), Some(group)) = (slot, &self.profile.group) else { return };
        if group.inherit.is_empty() {
            return;
        }
        if let Some(head) = self.heads.get(&slot) {
            group.inherit.iter().for_each(|field| record.inherit(field, head));
            return;
        }
        if group.adjacent {
            self.heads.clear();
        }
        if self.heads.len() < MOST_WAITING && (group.adjacent || self.plan.is_parent(record, &self.profile)) {
            self.heads.insert(slot, record.clone());
        }
    }

    fn follow(&mut self, slot: u64, item: Option<Item>, report: &mut Report) {
        match &mut self.current {
            Some((current, items)) if *current == slot && items.len() < MOST_VARIANTS as usize => items.extend(item),
            _ => {
                let before = self.current.replace((slot, item.into_iter().collect()));
                if let Some((before, items)) = before
                    && !self.dropped.remove(&before)
                {
                    self.ready.extend(grouping::assemble(items, &self.profile, report));
                }
            }
        }
    }

    fn wait(&mut self, slot: u64, item: Option<Item>, report: &mut Report) {
        let Some(left) = self.plan.rows.get_mut(&slot) else {
            self.ready.extend(item.map(Assembled::from));
            return;
        };
        *left -= 1;
        let ended = *left == 0;
        let full = self.rows_waiting >= MOST_WAITING
            || self.waiting.get(&slot).is_some_and(|items| items.len() >= MOST_VARIANTS as usize);
        if let Some(item) = item {
            if full {
                let reason = "too many variants wait for the rest of their product; this one is a product of its own";
                let fix = "put the variants of a product one after the other";
                report.add(Finding::warning("scattered", &item.at, reason, fix));
                self.ready.push_back(item.into());
            } else {
                self.rows_waiting += 1;
                self.waiting.entry(slot).or_default().push(item);
            }
        }
        if ended {
            self.plan.rows.remove(&slot);
            self.heads.remove(&slot);
            let items = self.waiting.remove(&slot).unwrap_or_default();
            self.rows_waiting -= items.len();
            if self.dropped.remove(&slot) {
                return;
            }
            self.ready.extend(grouping::assemble(items, &self.profile, report));
        }
    }

    fn finish(&mut self, report: &mut Report) {
        self.done = true;
        let current = self.current.take().filter(|(slot, _)| !self.dropped.contains(slot)).map(|(_, items)| items);
        let mut waiting: Vec<Vec<Item>> = self.waiting.drain().map(|(_, items)| items).collect();
        waiting.sort_by_key(|items| items.first().map(|item| item.at.line));
        for items in current.into_iter().chain(waiting) {
            self.ready.extend(grouping::assemble(items, &self.profile, report));
        }
    }
}

impl Plan {
    fn count(mut records: Box<dyn Records>, profile: &Profile) -> Result<Self, Box<Finding>> {
        let mut plan = Plan::default();
        let mut members: HashMap<u64, u32> = HashMap::new();
        while let Some(row) = records.next()? {
            let Ok(record) = row else { continue };
            if meaning::is_nothing(&record, profile) {
                continue;
            }
            match meaning::key(&record, profile) {
                Key::Own => {}
                Key::Of(key) => *members.entry(hash(&key)).or_default() += 1,
                Key::Parent(keys) => {
                    let Some(first) = keys.first().map(|key| hash(key)) else { continue };
                    keys.iter().for_each(|key| {
                        plan.alias.entry(hash(key)).or_insert(first);
                    });
                    *members.entry(first).or_default() += 1;
                }
            }
        }
        for (key, rows) in members {
            *plan.rows.entry(plan.resolve(key)).or_default() += rows;
        }
        Ok(plan)
    }

    fn resolve(&self, key: u64) -> u64 {
        self.alias.get(&key).copied().unwrap_or(key)
    }

    fn is_parent(&self, record: &Record, profile: &Profile) -> bool {
        matches!(meaning::key(record, profile), Key::Parent(_))
    }
}

fn made(records: &dyn Records, path: &Path, zone: &TimeZone, report: &mut Report) -> Option<Timestamp> {
    if let Some(text) = records.made() {
        let moment = amount::moment(text, zone);
        if moment.is_some() {
            return moment;
        }
        let at = Place::new(path, 1);
        let reason = format!("`{text}` is not the moment it was made; the file's own date counts");
        report.add(Finding::warning("bad_date", &at, reason, "write it as 2026-12-31 18:00"));
    }
    let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok()?;
    Timestamp::try_from(modified).ok()
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.trim().hash(&mut hasher);
    hasher.finish()
}

fn open(path: &Path, profile: &Arc<Profile>) -> Result<Box<dyn Records>, Box<Finding>> {
    let at = Place::new(path, 0);
    let source = Source::open(path, profile.encoding.as_deref()).map_err(|error| container::broken(&at, 0, error))?;
    container::open(path, source, profile)
}
