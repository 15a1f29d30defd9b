//! What the shop sells: products, their variants, and the live offer (price, stock) of a variant.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::Localised;
use super::money::{Currency, Money};
use super::place::PlaceId;

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as the merchant wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.to_string())
            }
        }
    };
}

text_id!(
    /// A product: what is shown once in a list, whatever its sizes and colours.
    ProductId
);
text_id!(
    /// A stock-keeping unit: one size and colour of a product; what has a price.
    Sku
);

/// The form in which codes are compared: lower case, letters and digits only, Cyrillic look-alikes as Latin.
///
/// Shoppers type `sh 101-42` for `SH-101-42`, and a Russian keyboard writes `С` and `Н` that look Latin.
pub fn code_key(code: &str) -> String {
    const CYRILLIC: &str = "авекмнорстух";
    const LATIN: &str = "abekmhopctyx";
    let latin = |letter: char| {
        let at = CYRILLIC.chars().position(|cyrillic| cyrillic == letter);
        at.and_then(|at| LATIN.chars().nth(at)).unwrap_or(letter)
    };
    code.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).map(latin).collect()
}

/// A size as it can be compared: `200 × 220 cm`, `200x220cm` are one.
pub fn size_key(size: &str) -> String {
    let plain = size.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase);
    plain.map(|c| if matches!(c, '×' | 'х') { 'x' } else { c }).collect()
}

/// True when a colour asked for is the variant's, or one of several: `Black,White`.
pub fn colour_fits(wanted: &str, has: &str) -> bool {
    let wanted = size_key(wanted);
    size_key(has) == wanted || has.split([',', '/', ';', '&', '+']).any(|one| size_key(one) == wanted)
}

/// True when a size asked for is one on the label: the same, one of `S/M`, or a number within `42-44`.
pub fn size_fits(wanted: &str, has: &str) -> bool {
    let (wanted, has) = (size_key(wanted), size_key(has));
    let within = || {
        let (from, to) = has.split_once(['-', '–'])?;
        let (from, to, wanted): (f32, f32, f32) = (from.parse().ok()?, to.parse().ok()?, wanted.parse().ok()?);
        Some(from <= wanted && wanted <= to)
    };
    // Who names the width of a bed means whatever fits that.
    let wide = || has.split_once('×').is_some_and(|(width, _)| width == wanted && wanted.len() > 2);
    wanted == has || has.split('/').any(|one| one == wanted) || within().unwrap_or(false) || wide()
}

/// A product as the merchant's feed describes it. Prices and stock are not here: they are read at answer time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The product's id.
    pub id: ProductId,
    /// Its name per language, in the nominative.
    pub name: Localised,
    /// What the merchant says about it, per language.
    #[serde(default)]
    pub description: Localised,
    /// The brand, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The category's id (`shoes`) or words from the feed.
    #[serde(default)]
    pub category: String,
    /// Further codes a shopper may type: EAN, manufacturer's part number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Attributes shown as they are, per language: `material -> {en: "merino wool"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Localised>,
    /// Products that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accessories: Vec<ProductId>,
    /// False when the law or hygiene rules out a return once opened.
    #[serde(default = "yes")]
    pub returnable: bool,
    /// Warranty in months, when it differs from the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warranty_months: Option<u16>,
    /// The product's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// At least one: what can be bought.
    pub variants: Vec<Variant>,
}

fn yes() -> bool {
    true
}

/// One buyable form of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its stock-keeping unit, unique in the catalog.
    pub sku: Sku,
    /// The size as printed on the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The colour's id in `data/rules/colours.toml`, or the feed's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// One price per currency the variant is sold in. Empty: indexed, but not quotable.
    #[serde(default)]
    pub prices: Vec<Price>,
}

/// A price in one currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The currency.
    pub currency: Currency,
    /// What it costs now, as [`Money::parse`] reads it.
    pub amount: String,
    /// What it cost before the reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// Last day of the reduction, in the shop's time zone; afterwards `old` is the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
    /// The moment the reduction begins; until then `old` is the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// The moment it ends, when that is not the end of the last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// How many of a variant lie in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockLine {
    /// What.
    pub sku: Sku,
    /// Where: an id of `data/rules/places.toml`.
    pub place: PlaceId,
    /// How many pieces.
    pub count: u32,
}

/// So many pieces of a variant that are to be delivered, and where its pieces lie.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Its stock, line by line; empty when the merchant gives none.
    pub stock: &'a [StockLine],
    /// How many pieces.
    pub pieces: u32,
}

impl Load<'_> {
    /// False when pieces must come from elsewhere to one of these places first. Stock of no place in particular lies everywhere.
    pub fn lies_in(&self, places: &[PlaceId]) -> bool {
        let here = |line: &&StockLine| line.place.is_anywhere() || places.contains(&line.place);
        let there = self.stock.iter().filter(here).fold(0_u32, |sum, line| sum.saturating_add(line.count));
        self.stock.is_empty() || places.is_empty() || there >= self.pieces
    }
}

/// What a promise of delivery is about.
#[derive(Clone, Copy, Debug)]
pub enum Loads<'a> {
    /// Nothing in particular.
    Any,
    /// All of these in one parcel.
    Together(&'a [Load<'a>]),
    /// One of these; which, has not been said.
    OneOf(&'a [Load<'a>]),
}

/// A variant with its live price and stock: read from the catalog store in this turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The product it belongs to.
    pub product: ProductId,
    /// The variant.
    pub sku: Sku,
    /// The size, when there is one.
    pub size: Option<String>,
    /// The colour, when there is one.
    pub colour: Option<String>,
    /// What is known of its price.
    pub price: Quote,
    /// Stock per place; empty when the merchant gives none.
    pub stock: Vec<StockLine>,
    /// When price and stock were last confirmed by the merchant's source.
    pub as_of: Timestamp,
}

/// The answer to "what does it cost".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Quote {
    /// The price now, and the price before the reduction while one runs.
    Known {
        /// What it costs now.
        now: Money,
        /// What it cost before, only during a reduction.
        old: Option<Money>,
        /// Last day of the reduction.
        until: Option<jiff::civil::Date>,
    },
    /// The source is older than the configured age: no number may be told.
    Stale,
    /// The feed gives no price or no currency.
    Missing,
}

impl Quote {
    /// The price now, when it may be told.
    pub fn now(&self) -> Option<Money> {
        match self {
            Quote::Known { now, .. } => Some(*now),
            Quote::Stale | Quote::Missing => None,
        }
    }
}

impl Offer {
    /// Pieces in all places together; `None` when the merchant gives no stock.
    pub fn in_stock(&self) -> Option<u32> {
        if self.stock.is_empty() {
            return None;
        }
        Some(self.stock.iter().fold(0, |sum, line| sum.saturating_add(line.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, printed: &str) {
        assert_eq!(code_key(typed), code_key(printed), "{typed} {printed}");
    }

    #[test]
    fn codes_compare_without_case_separators_and_look_alikes() {
        check("sh 101-42", "SH-101-42");
        check("SH101/42", "sh_101.42");
        check("СН-7", "CH-7");
        assert_ne!(code_key("SH-101"), code_key("SH-102"));
    }

    #[test]
    fn a_size_fits_the_label_that_holds_it() {
        let fits = |wanted: &str, has: &str| size_fits(wanted, has);
        assert!(fits("43", "42-44") && fits("43", "42–44") && fits("m", "S/M") && fits("200x220", "200 × 220"));
        assert!(
            colour_fits("black", "Black,White") && colour_fits("blue", "Blue") && !colour_fits("red", "Black,White")
        );
        assert!(!fits("45", "42-44") && !fits("L", "S/M") && !fits("42-44", "43") && !fits("XL", "L"));
    }
}
