//! What a record means by its profile: an item with one variant, its price and stock, and the product it belongs to.
//! Texts come out plain: HTML read as a reader of the page would, hidden letters gone.

use std::collections::BTreeMap;

use crate::domain::language::Localised;
use crate::domain::product::{Price, StockLine, Variant};
use crate::domain::{Language, Product, ProductId, Sku};
use crate::ingest::report::{Finding, Place, Report};
use crate::ingest::upright;

use super::amount::Reading;
use super::container::Record;
use super::html;
use super::profile::{Names, Pairs, Profile, TextLanguage};

/// Longer names are no names.
const LONGEST_NAME: usize = 500;
/// Longer descriptions are cut.
const LONGEST_TEXT: usize = 20_000;
/// Numbered pairs of a table.
const MOST_PAIRS: usize = 200;

/// The product an item belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A product of its own.
    Own,
    /// A variant of the product with this key.
    Of(String),
    /// A product without price, known under these keys.
    Parent(Vec<String>),
}

/// An item of a feed.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it stands.
    pub at: Place,
    /// Which product it belongs to.
    pub key: Key,
    /// Its product as far as this item tells, with at most one variant.
    pub product: Product,
    /// Properties by name, in the feed's words.
    pub properties: Vec<(String, String)>,
    /// Its stock.
    pub stock: Option<StockLine>,
}

/// What items are read with.
pub struct Sense<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The language the operator named.
    pub language: Option<Language>,
    /// True for text that speaks to a model instead of a customer.
    pub hostile: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

/// The value of the first field that has one.
pub fn picked(record: &Record, names: &Names) -> String {
    names.0.iter().map(|name| filled(record, name)).find(|value| !value.is_empty()).unwrap_or_default()
}

fn filled(record: &Record, name: &str) -> String {
    if !name.contains('{') {
        return record.get(name).to_string();
    }
    let (mut out, mut rest, mut any) = (String::new(), name, false);
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after.split_once('}').unwrap_or((after, ""));
        let value = record.get(field);
        any |= !value.is_empty();
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    if any { out.trim_matches([' ', '/', '-', ',']).to_string() } else { String::new() }
}

/// Whether a field has one of these values, in whatever case.
pub fn says(record: &Record, field: &str, values: &[String]) -> bool {
    record.all(field).any(|value| {
        let value = value.trim().to_lowercase();
        // Some formats list several words in one field.
        values.iter().any(|known| {
            let known = known.to_lowercase();
            known == value || value.split(',').any(|word| word.trim() == known)
        })
    })
}

/// Which product a record belongs to.
pub fn key(record: &Record, profile: &Profile) -> Key {
    let Some(group) = &profile.group else { return Key::Own };
    if group.parent.iter().any(|(field, values)| says(record, field, values)) {
        let own: Vec<String> = group.own.iter().map(|own| filled(record, own)).filter(|key| !key.is_empty()).collect();
        return Key::Parent(own);
    }
    match picked(record, &group.by) {
        key if key.is_empty() => Key::Own,
        key => Key::Of(key),
    }
}

/// True for a record that is no product of its feed: a further picture, an empty line.
pub fn is_nothing(record: &Record, profile: &Profile) -> bool {
    !profile.needs.is_empty() && profile.needs.iter().all(|field| record.get(field).is_empty())
}

impl Sense<'_> {
    /// Reads an item; none when it is not sold or has to be left out, which is then noted.
    pub fn item(&self, record: &Record, reading: &Reading<'_>, report: &mut Report) -> Option<Item> {
        let (profile, at) = (self.profile, reading.at);
        if profile.skip.iter().any(|(field, values)| says(record, field, values)) {
            report.count("not_for_sale");
            return None;
        }
        for oddity in &record.oddities {
            let fix = "export the feed again, as UTF-8 without entities of its own";
            report.add(Finding::warning(oddity.code, at, oddity.reason.clone(), fix).of(oddity.field.clone()));
        }
        let id = upright::line(&picked(record, &profile.id));
        if id.is_empty() {
            let finding = Finding::error("no_id", at, "no id; the row was left out", "give each product its own id");
            report.skip(finding.of(profile.id.first()));
            return None;
        }
        let name = self.name(record, at, report)?;
        let key = key(record, profile);
        let properties = self.properties(record, matches!(key, Key::Parent(_)));
        // A choice of the shopper is told by the variant; anything else describes the product.
        let choices = profile.pairs.as_ref().is_some_and(|pairs| pairs.choices) && key != Key::Own;
        let described: &[(String, String)] = if choices { &[] } else { &properties };
        let mut product = self.product(record, (id, name), described, (at, report));
        let mut stock = None;
        if !matches!(key, Key::Parent(_)) {
            let sku = upright::line(&picked(record, &profile.sku));
            let sku = Sku(if sku.is_empty() { product.id.0.clone() } else { sku });
            let price = profile.price.as_ref().and_then(|fields| reading.price(record, fields, report));
            stock = profile.stock.as_ref().and_then(|fields| reading.stock(record, fields, &sku, report));
            product.variants = vec![self.variant(record, sku, price, (&key, &properties))];
        }
        Some(Item { at: at.clone(), key, product, properties, stock })
    }

    fn name(&self, record: &Record, at: &Place, report: &mut Report) -> Option<String> {
        let name = plain(&picked(record, &self.profile.title));
        let field = self.profile.title.first();
        if (self.hostile)(&name) {
            let reason = "the name speaks to the assistant instead of the customer; the row was left out";
            report.skip(Finding::error("hostile_text", at, reason, "give the product its name").of(field));
            return None;
        }
        if name.chars().count() > LONGEST_NAME {
            let reason = format!("a name of {} letters; the row was left out", name.chars().count());
            report.skip(Finding::error("long_name", at, reason, "shorten it to 500 letters").of(field));
            return None;
        }
        Some(name)
    }

    fn product(
        &self,
        record: &Record,
        named: (String, String),
        properties: &[(String, String)],
        notes: (&Place, &mut Report),
    ) -> Product {
        let ((id, name), profile, (at, report)) = (named, self.profile, notes);
        let mut description = upright::lines(&html::text(&picked(record, &profile.description)));
        if let Some((cut, _)) = description.char_indices().nth(LONGEST_TEXT) {
            description.truncate(cut);
        }
        let description = self.harmless(description, profile.description.first(), (at, report));
        let language = self.language(&name, &description);
        let text = |text: String| match text.is_empty() {
            true => Localised::default(),
            false => Localised::only(language, text),
        };
        let maybe = |names: &Names| Some(plain(&picked(record, names))).filter(|text| !text.is_empty());
        let codes = profile.codes.iter().flat_map(|field| record.all(field)).map(upright::line);
        let attributes = properties.iter().map(|(name, value)| (name.clone(), text(value.clone())));
        let fields = profile.attributes.iter().map(|field| (field.clone(), text(plain(record.get(field)))));
        let attributes: BTreeMap<String, Localised> =
            fields.chain(attributes).filter(|(_, text)| !text.is_empty()).collect();
        let accessories =
            profile.accessories.0.iter().flat_map(|field| record.all(field)).flat_map(|all| all.split(','));
        let url = picked(record, &profile.url);
        Product {
            id: ProductId(id),
            name: text(name),
            description: text(description),
            brand: maybe(&profile.brand),
            category: self.category(record),
            codes: codes.filter(|code| !code.is_empty()).collect(),
            attributes,
            accessories: accessories.map(upright::line).filter(|id| !id.is_empty()).map(ProductId).collect(),
            returnable: true,
            warranty_months: None,
            url: Some(upright::line(&url)).filter(|url| url.starts_with("http")),
            variants: Vec::new(),
        }
    }

    fn variant(
        &self,
        record: &Record,
        sku: Sku,
        price: Option<Price>,
        (key, properties): (&Key, &[(String, String)]),
    ) -> Variant {
        let value = |names: &Names| Some(plain(&picked(record, names))).filter(|text| !text.is_empty());
        let (mut size, mut colour) = (value(&self.profile.size), value(&self.profile.colour));
        if let Some(pairs) = &self.profile.pairs {
            let named = |words: &[String]| properties.iter().find(|(name, _)| is_word(words, name));
            colour = colour.or_else(|| named(&pairs.colour).map(|(_, value)| value.clone()));
            size = size.or_else(|| named(&pairs.size).map(|(_, value)| value.clone()));
            if pairs.choices && *key != Key::Own {
                let colour_at = properties.iter().position(|(name, _)| is_word(&pairs.colour, name));
                let chosen = properties.iter().enumerate().filter(|(at, _)| Some(*at) != colour_at);
                let chosen: Vec<&str> = chosen.map(|(_, (_, value))| value.as_str()).collect();
                size = Some(chosen.join(" / ")).filter(|size| !size.is_empty());
            }
        }
        Variant { sku, size, colour, prices: price.into_iter().collect() }
    }

    /// Name and value of each property; a parent's lists of choices are no properties.
    fn properties(&self, record: &Record, parent: bool) -> Vec<(String, String)> {
        let Some(pairs) = self.profile.pairs.as_ref().filter(|pairs| !(parent && pairs.choices)) else {
            return Vec::new();
        };
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |[name, value, unit]: [&str; 3]| {
            let (name, mut value) = (plain(name), plain(value));
            let nothing = name.is_empty() || value.is_empty() || is_word(&pairs.nothing, &value);
            if nothing || found.iter().any(|(known, _)| *known == name) || (self.hostile)(&value) {
                return;
            }
            if !unit.trim().is_empty() {
                value = format!("{value} {}", plain(unit));
            }
            found.push((name, value));
        };
        if pairs.name.contains("{n}") {
            for n in 1..=MOST_PAIRS {
                let field = |pattern: &str| pattern.replace("{n}", &n.to_string());
                let name = field(&pairs.name);
                let (value, unit) = (field(&pairs.value), pairs.unit.as_deref().map(field).unwrap_or_default());
                if record.get(&name).is_empty() && n > 10 {
                    break;
                }
                add([record.get(&name), record.get(&value), record.get(&unit)]);
            }
        } else {
            let unit = pairs.unit.as_deref().unwrap_or_default();
            record.together([&pairs.name, &pairs.value, unit]).into_iter().for_each(add);
        }
        found
    }

    fn category(&self, record: &Record) -> String {
        let path = picked(record, &self.profile.category);
        let first = self
            .profile
            .category_list
            .as_deref()
            .map_or(path.as_str(), |list| path.split(list).find(|one| !one.trim().is_empty()).unwrap_or_default());
        let separator = self.profile.category_separator.as_deref();
        let leaf = separator.map_or(first, |separator| first.rsplit(separator).next().unwrap_or_default());
        plain(leaf)
    }

    /// The text without the sentences that speak to a model; they are named.
    fn harmless(&self, text: String, field: &str, notes: (&Place, &mut Report)) -> String {
        if text.is_empty() || !(self.hostile)(&text) {
            return text;
        }
        let (at, report) = notes;
        let kept: Vec<&str> = text.lines().filter(|line| !(self.hostile)(line)).collect();
        let kept = kept.join("\n");
        // Split over lines it would still be read as one.
        let kept = if (self.hostile)(&kept) { String::new() } else { kept };
        let reason = "the text speaks to the assistant instead of the customer; that part was left out";
        report.add(Finding::warning("hostile_text", at, reason, "ask whoever wrote the feed").of(field));
        kept
    }

    fn language(&self, name: &str, description: &str) -> Language {
        match (self.language, self.profile.language) {
            (Some(language), _) | (None, TextLanguage::Fixed(language)) => language,
            (None, TextLanguage::Auto) => {
                by_letters(name).or_else(|| by_letters(description)).unwrap_or(self.profile.fallback_language)
            }
        }
    }
}

fn by_letters(text: &str) -> Option<Language> {
    let any = |of: fn(char) -> bool| text.chars().any(of);
    if any(|letter| matches!(letter, '\u{4e00}'..='\u{9fff}')) {
        return Some(Language::Zh);
    }
    if any(|letter| matches!(letter, '\u{400}'..='\u{4ff}')) {
        return Some(Language::Ru);
    }
    any(|letter| "áäčďíĺľňóôŕšťúýžÁÄČĎÍĹĽŇÓÔŔŠŤÚÝŽ".contains(letter)).then_some(Language::Sk)
}

fn plain(raw: &str) -> String {
    upright::line(&html::text(raw))
}

fn is_word(words: &[String], text: &str) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| word.to_lowercase() == text)
}

impl Pairs {
    /// True for the name of a size or colour.
    pub fn is_choice(&self, name: &str) -> bool {
        is_word(&self.size, name) || is_word(&self.colour, name)
    }
}
