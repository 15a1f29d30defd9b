//! Reads `data/feeds/*.toml`: how a feed format is recognised, and which of its fields means what.
//! A profile is found by content or given by name; it never guesses a currency. `data/feeds/README.md` describes each key.

mod fields;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::domain::Language;

pub use fields::{Detect, Format, Group, Holds, Lookup, Names, Pairs, PriceFields, StockFields, TextLanguage, Unit};

use fields::fields_of;

/// What the fields of a feed mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What reports call it.
    #[serde(default)]
    pub name: String,
    /// The container it comes in.
    pub format: Format,
    /// Whole products, or changes of prices and stock.
    #[serde(default)]
    pub holds: Holds,
    /// How it is recognised.
    #[serde(default)]
    pub detect: Detect,
    /// One character between columns.
    pub delimiter: Option<char>,
    /// Whether `"` quotes a field.
    #[serde(default = "yes")]
    pub quoting: bool,
    /// Whether `\t`, `\n`, `\r` and `\\` are escapes.
    #[serde(default)]
    pub backslash_escapes: bool,
    /// The encoding, where the file itself does not tell it.
    pub encoding: Option<String>,
    /// The elements that are items: XML only.
    #[serde(default)]
    pub item: Vec<String>,
    /// The attribute of the root that says when the feed was made: XML only.
    pub as_of: Option<String>,
    /// The language of the texts, or `auto`: by their letters.
    pub language: TextLanguage,
    /// What `auto` takes where the letters do not tell.
    #[serde(default = "english")]
    pub fallback_language: Language,
    /// The item's id; also its SKU unless `sku` names a field.
    #[serde(default)]
    pub id: Names,
    /// Its name.
    #[serde(default)]
    pub title: Names,
    /// The variant's SKU.
    #[serde(default)]
    pub sku: Names,
    /// What is said about it.
    #[serde(default)]
    pub description: Names,
    /// The brand.
    #[serde(default)]
    pub brand: Names,
    /// The category.
    #[serde(default)]
    pub category: Names,
    /// What stands between the steps of a category path; the last step counts.
    pub category_separator: Option<String>,
    /// What stands between several categories; the first counts.
    pub category_list: Option<String>,
    /// The colour.
    #[serde(default)]
    pub colour: Names,
    /// The size.
    #[serde(default)]
    pub size: Names,
    /// The product's page.
    #[serde(default)]
    pub url: Names,
    /// Further codes: EAN, manufacturer's part number.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Fields shown as attributes.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Products that go with it.
    #[serde(default)]
    pub accessories: Names,
    /// Fields that are known and not used; `*` stands for any letters.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Fields that come as a name and a value.
    pub pairs: Option<Pairs>,
    /// A table inside the feed that a field's value is looked up in: XML only.
    pub lookup: Option<Lookup>,
    /// How variants find their product.
    pub group: Option<Group>,
    /// Items that are not sold: field and values.
    #[serde(default)]
    pub skip: BTreeMap<String, Vec<String>>,
    /// Items that say nothing about a product: those in which all of these are empty.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The price.
    pub price: Option<PriceFields>,
    /// The stock.
    pub stock: Option<StockFields>,
    /// A price confirmed longer ago is not told, in seconds; default: `shop.max_price_age_s` of a live source.
    pub max_age_s: Option<u64>,
}

fn yes() -> bool {
    true
}

fn english() -> Language {
    Language::En
}

impl Profile {
    /// Reads one profile file.
    ///
    /// # Errors
    /// When it is missing, not TOML, or has a key that means nothing.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut profile: Profile = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let told = |what: &str| format!("{}: {what}", path.display());
        ensure!(profile.delimiter().is_ok(), told("delimiter must be one ASCII character, such as \";\""));
        ensure!(!profile.id.is_empty(), told("`id` names no field"));
        ensure!(profile.holds == Holds::Changes || !profile.title.is_empty(), told("`title` names no field"));
        ensure!(profile.format != Format::Xml || !profile.item.is_empty(), told("`item` names no element"));
        if let Some(label) = &profile.encoding {
            ensure!(encoding_rs::Encoding::for_label(label.as_bytes()).is_some(), told("`encoding` is not known"));
        }
        if profile.name.is_empty() {
            profile.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        Ok(profile)
    }

    /// Every profile of a folder, in the order of their names.
    ///
    /// # Errors
    /// When the folder or a profile cannot be read.
    pub fn all(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Self)>> {
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("reading the profiles in {}", folder.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
        files.sort();
        files.into_iter().map(|path| Profile::read(&path).map(|profile| (path, profile))).collect()
    }

    /// The byte between columns.
    ///
    /// # Errors
    /// When it is not ASCII.
    pub fn delimiter(&self) -> anyhow::Result<u8> {
        let default = if self.format == Format::Tsv { '\t' } else { ',' };
        u8::try_from(self.delimiter.unwrap_or(default)).ok().filter(u8::is_ascii).context("not ASCII")
    }

    /// Every field it reads.
    pub fn fields(&self) -> Vec<&str> {
        let named = [&self.id, &self.title, &self.sku, &self.description, &self.brand, &self.category, &self.colour];
        let mut all: Vec<&str> = named.into_iter().flat_map(Names::fields).collect();
        all.extend([&self.size, &self.url, &self.accessories].into_iter().flat_map(Names::fields));
        all.extend(self.codes.iter().chain(&self.attributes).map(String::as_str));
        all.extend(self.skip.keys().chain(&self.needs).map(String::as_str));
        if let Some(group) = &self.group {
            all.extend(group.by.fields().chain(group.own.iter().flat_map(|own| fields_of(own))));
            all.extend(group.parent.keys().map(String::as_str));
        }
        if let Some(price) = &self.price {
            let named = [&price.column, &price.currency_column, &price.old_column, &price.sale_column];
            all.extend(named.into_iter().flat_map(Names::fields));
            let dates = [&price.starts_column, &price.until_column, &price.period_column];
            all.extend(dates.into_iter().flat_map(Names::fields));
            all.extend(price.inexact.keys().map(String::as_str));
        }
        if let Some(stock) = &self.stock {
            all.extend(stock.column.fields().chain(stock.availability.fields()));
            all.extend(stock.only.keys().map(String::as_str));
        }
        all
    }

    /// The columns without which a table is not of this profile.
    pub fn required(&self) -> Vec<&str> {
        if self.detect.columns.is_empty() {
            return self.fields();
        }
        self.detect.columns.iter().map(String::as_str).collect()
    }

    /// True when it says what the field means, be it nothing.
    pub fn knows(&self, field: &str) -> bool {
        let numbered = |pattern: &str| {
            let (before, after) = pattern.split_once("{n}").unwrap_or((pattern, ""));
            let rest = field.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            rest.is_some_and(|n| {
                (pattern.contains("{n}") && n.bytes().all(|byte| byte.is_ascii_digit())) || n.is_empty()
            })
        };
        let pairs = self.pairs.iter().flat_map(|pairs| [Some(&pairs.name), Some(&pairs.value), pairs.unit.as_ref()]);
        self.fields().contains(&field)
            || pairs.flatten().any(|pattern| numbered(pattern))
            || self.ignore.iter().any(|pattern| matches(pattern, field) || numbered(pattern))
    }
}

/// Whether a text fits a pattern in which `*` stands for any letters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| after.is_empty() || rest.char_indices().any(|(at, _)| matches(after, &rest[at..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        let check = |pattern: &str, text: &str, expected: bool| assert_eq!(matches(pattern, text), expected, "{text}");
        check("Meta: *", "Meta: _x", true);
        check("Price / *", "Price", false);
        check("* / International", "Price / International", true);
        check("a*b*c", "a1b2c", true);
        check("a*b", "a1b2", false);
        check("Title", "Title", true);
    }

    #[test]
    fn every_shipped_profile_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/feeds");
        for (path, profile) in Profile::all(&folder).unwrap() {
            assert!(!profile.name.is_empty() && !profile.required().is_empty(), "{}", path.display());
        }
    }
}
