//! The parts of a profile: names of fields, and where price, stock, variants and properties stand.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{Currency, Language};

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

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|name| fields_of(name))
    }
}

/// The fields a name or template reads.
pub(super) fn fields_of(name: &str) -> Vec<&str> {
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

fn point() -> String {
    ".".into()
}
