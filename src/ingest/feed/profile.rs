//! Reads `data/feeds/*.toml`: how a feed format is recognised, and which of its fields means what.
//! A profile is found by content or given by name; it never guesses a currency. `data/feeds/README.md` describes each key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::domain::{Currency, Language};

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

/// A field or several, of which the first that is not empty counts; `{a} {b}` joins fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Names(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Names {
    fn from(names: OneOrMany) -> Self {
        match names {
            OneOrMany::One(name) => Names(vec![name]),
            OneOrMany::Many(names) => Names(names),
        }
    }
}

impl Names {
    /// True when it names nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of the names, for findings.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|name| fields_of(name))
    }
}

/// The fields a name or template reads.
fn fields_of(name: &str) -> Vec<&str> {
    if !name.contains('{') {
        return vec![name];
    }
    name.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(field, _)| field).collect()
}

/// The container of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns between commas.
    Csv,
    /// Columns between tabs.
    Tsv,
    /// The first sheet of a workbook.
    Xlsx,
    /// Elements of an XML file.
    Xml,
    /// schema.org objects, in pages or by themselves.
    #[serde(rename = "json-ld")]
    JsonLd,
}

/// What a feed delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// Products with all that is known of them.
    #[default]
    Products,
    /// New prices and stock of products that are known already.
    Changes,
}

/// What a feed of this profile looks like. All of it must be there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// One of these is the root element.
    #[serde(default)]
    pub root: Vec<String>,
    /// Texts among the first bytes of the file.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Columns of the header; default: every column that is read.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// A language, or the rule to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TextLanguage {
    /// By the letters of name and description.
    Auto,
    /// This one.
    Fixed(Language),
}

impl TryFrom<String> for TextLanguage {
    type Error = crate::domain::language::UnknownLanguage;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "auto" { Ok(TextLanguage::Auto) } else { text.parse().map(TextLanguage::Fixed) }
    }
}

/// Repeated fields of which one names a property and one gives its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// Where the name stands; `{n}` counts from 1 in tables.
    pub name: String,
    /// Where the value stands.
    pub value: String,
    /// Where a unit stands that belongs after the value.
    pub unit: Option<String>,
    /// Names that mean the size.
    #[serde(default)]
    pub size: Vec<String>,
    /// Names that mean the colour.
    #[serde(default)]
    pub colour: Vec<String>,
    /// Values that say nothing, such as `Default Title`.
    #[serde(default)]
    pub nothing: Vec<String>,
    /// Whether a pair is a choice of the shopper: what is neither size nor colour then joins the size.
    #[serde(default)]
    pub choices: bool,
}

/// A table inside the feed: elements with a key and a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The elements of the table.
    pub element: String,
    /// The attribute with the key.
    pub key: String,
    /// The fields whose values are keys.
    pub fields: Vec<String>,
}

/// How variants find their product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The field with the product's key; empty: a product of its own.
    pub by: Names,
    /// Whether all rows of a product follow one another.
    #[serde(default)]
    pub adjacent: bool,
    /// Keys under which a parent row is known, such as `id:{ID}`.
    #[serde(default)]
    pub own: Vec<String>,
    /// Parent rows: field and values. They describe a product and are not sold themselves.
    #[serde(default)]
    pub parent: BTreeMap<String, Vec<String>>,
    /// Fields taken from the parent, or the first row, where a row has none.
    #[serde(default)]
    pub inherit: Vec<String>,
}

/// Where the price stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceFields {
    /// The price now; with `sale_column` the price before the reduction.
    pub column: Names,
    /// `major` (24.90) or `minor` (2490).
    #[serde(default)]
    pub unit: Unit,
    /// The characters that may stand before the minor units.
    #[serde(default = "point")]
    pub decimal: String,
    /// The currency of every row.
    pub currency: Option<Currency>,
    /// The field with the row's currency.
    #[serde(default)]
    pub currency_column: Names,
    /// Whether the currency stands beside the amount: `15.00 USD`.
    #[serde(default)]
    pub currency_in_value: bool,
    /// The price before the reduction.
    #[serde(default)]
    pub old_column: Names,
    /// The reduced price, where `column` is the price before it.
    #[serde(default)]
    pub sale_column: Names,
    /// The first day or moment of the reduction.
    #[serde(default, alias = "from_column")]
    pub starts_column: Names,
    /// The last day, or the moment at which the reduction ends.
    #[serde(default, alias = "ends_column")]
    pub until_column: Names,
    /// Both moments with a slash between them.
    #[serde(default)]
    pub period_column: Names,
    /// Fields and values that say that the price is not exact.
    #[serde(default)]
    pub inexact: BTreeMap<String, Vec<String>>,
}

/// What one unit of the price is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Euros.
    #[default]
    Major,
    /// Cents.
    Minor,
}

/// Where the stock stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockFields {
    /// The count.
    #[serde(default)]
    pub column: Names,
    /// The place all of it lies in, an id of `data/rules/places.toml`; empty: no place in particular.
    #[serde(default)]
    pub place: String,
    /// The count is told only when these fields have one of these values.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<String>>,
    /// The field that says whether it can be bought.
    #[serde(default)]
    pub availability: Names,
    /// Its words for "sold out": a count of zero.
    #[serde(default)]
    pub out: Vec<String>,
    /// Its words that tell nothing about a count.
    #[serde(default)]
    pub other: Vec<String>,
}

fn yes() -> bool {
    true
}

fn english() -> Language {
    Language::En
}

fn point() -> String {
    ".".into()
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
            || self.ignore.iter().any(|pattern| matches(pattern, field))
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
