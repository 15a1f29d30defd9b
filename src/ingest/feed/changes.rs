//! The records of a feed read for their price and stock alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::Sku;
use crate::domain::product::{Price, StockLine};
use crate::ingest::report::{Finding, Place, Report};
use crate::ingest::upright;

use super::amount::Reading;
use super::container::{Record, Records};
use super::meaning::{is_nothing, picked};
use super::profile::Profile;
use super::{Settings, made, open};

/// What one record says anew.
pub type Change = (Place, Sku, Option<Price>, Option<StockLine>);

/// A feed read for changes.
pub struct Changes<'a> {
    records: Box<dyn Records>,
    profile: Arc<Profile>,
    settings: &'a Settings<'a>,
    path: PathBuf,
    /// The first row of the product at hand, whose fields the others inherit.
    head: Option<(String, Record)>,
}

impl<'a> Changes<'a> {
    /// Opens a feed.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn open(path: &Path, profile: &Arc<Profile>, settings: &'a Settings<'a>) -> Result<Self, Box<Finding>> {
        let records = open(path, profile)?;
        Ok(Changes { records, profile: Arc::clone(profile), settings, path: path.to_path_buf(), head: None })
    }

    /// When the feed was made.
    pub fn made(&self, report: &mut Report) -> Option<Timestamp> {
        made(&*self.records, &self.path, self.settings.zone, report)
    }

    /// The next change; a record whose price cannot be read says nothing about the price.
    ///
    /// # Errors
    /// When the rest of the feed cannot be read.
    pub fn next(&mut self, report: &mut Report) -> Result<Option<Change>, Box<Finding>> {
        loop {
            let Some(row) = self.records.next()? else { return Ok(None) };
            report.rows += 1;
            let mut record = match row {
                Ok(record) => record,
                Err(finding) => {
                    report.skip(finding);
                    continue;
                }
            };
            if is_nothing(&record, &self.profile) {
                report.count("no_item");
                continue;
            }
            self.inherit(&mut record);
            let profile = &self.profile;
            let at = Place { file: self.path.display().to_string(), line: record.line };
            let named = [&profile.sku, &profile.id].into_iter().map(|names| upright::line(&picked(&record, names)));
            let Some(sku) = named.into_iter().find(|sku| !sku.is_empty()).map(Sku) else {
                let finding = Finding::error("no_id", &at, "no id; the row was left out", "name the variant");
                report.skip(finding.of(profile.id.first()));
                continue;
            };
            let reading = Reading { at: &at, currency: self.settings.currency, zone: self.settings.zone };
            let price = profile.price.as_ref().and_then(|fields| reading.price(&record, fields, report));
            let stock = profile.stock.as_ref().and_then(|fields| reading.stock(&record, fields, &sku, report));
            return Ok(Some((at, sku, price, stock)));
        }
    }

    fn inherit(&mut self, record: &mut Record) {
        let Some(group) = self.profile.group.as_ref().filter(|group| group.adjacent) else { return };
        let key = picked(record, &group.by);
        match &self.head {
            Some((head, first)) if *head == key => group.inherit.iter().for_each(|field| record.inherit(field, first)),
            _ => self.head = Some((key, record.clone())),
        }
    }
}
