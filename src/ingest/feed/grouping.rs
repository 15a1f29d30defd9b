//! Variants become one product only when a customer could not take one for another: their names differ in what is
//! their size or colour alone, and no two look the same. Otherwise each stays a product with its whole name.

use std::collections::{BTreeSet, HashSet};

use crate::domain::language::Localised;
use crate::domain::product::StockLine;
use crate::domain::{Product, ProductId};
use crate::ingest::report::{Finding, Place, Report};

use super::meaning::{Item, Key};
use super::profile::Profile;

/// A product as the feed tells it, with the stock of its variants.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Where it begins.
    pub at: Place,
    /// The product.
    pub product: Product,
    /// Its stock.
    pub stock: Vec<StockLine>,
}

impl From<Item> for Assembled {
    fn from(item: Item) -> Self {
        Assembled { at: item.at, product: item.product, stock: item.stock.into_iter().collect() }
    }
}

/// Makes products of all items with one key.
pub fn assemble(mut items: Vec<Item>, profile: &Profile, report: &mut Report) -> Vec<Assembled> {
    let parent_at = items.iter().position(|item| matches!(item.key, Key::Parent(_)));
    let parent = parent_at.map(|at| items.remove(at));
    // A second parent with the same key would be a second product with the same id.
    items.retain(|item| !matches!(item.key, Key::Parent(_)));
    if items.is_empty() {
        return parent.map(Assembled::from).into_iter().collect();
    }
    if let ([_], None) = (items.as_slice(), &parent) {
        return items.into_iter().map(Assembled::from).collect();
    }
    match one_product(&items, parent.as_ref(), profile) {
        Ok(assembled) => vec![assembled],
        Err(reason) => {
            let at = &items[0].at;
            let fix = "say in the feed what tells them apart: size, colour, or a parameter";
            let reason = format!("{} variants of one product {reason}; each stays a product of its own", items.len());
            report.add(Finding::warning("ungrouped", at, reason, fix));
            items.into_iter().map(Assembled::from).collect()
        }
    }
}

fn one_product(items: &[Item], parent: Option<&Item>, profile: &Profile) -> Result<Assembled, &'static str> {
    let first = parent.unwrap_or(&items[0]);
    let mut product = first.product.clone();
    let mut variants: Vec<_> = items.iter().filter_map(|item| item.product.variants.first().cloned()).collect();
    if !distinct(&variants) {
        let telling = telling(items, profile);
        for (variant, item) in variants.iter_mut().zip(items) {
            let of = |name: &String| item.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            let size: Vec<&str> =
                variant.size.iter().chain(telling.iter().filter_map(of)).map(String::as_str).collect();
            variant.size = Some(size.join(" / ")).filter(|size| !size.is_empty());
        }
    }
    if !distinct(&variants) {
        return Err("cannot be told apart");
    }
    if parent.is_none() {
        product.name = common_name(items, &variants).ok_or("have names that their size and colour do not explain")?;
    }
    product.id = ProductId(match (&items[0].key, parent) {
        (_, Some(parent)) => parent.product.id.0.clone(),
        (Key::Of(key), None) => key.clone(),
        _ => product.id.0.clone(),
    });
    let others = || items.iter().map(|item| &item.product);
    product.attributes.retain(|name, text| {
        others().all(|other| {
            other.attributes.get(name).is_none_or(|value| value == text)
                && (parent.is_some() || other.attributes.contains_key(name))
        })
    });
    let codes: BTreeSet<&String> = product.codes.iter().chain(others().flat_map(|other| &other.codes)).collect();
    product.codes = codes.into_iter().cloned().collect();
    for other in others() {
        for id in &other.accessories {
            if !product.accessories.contains(id) && *id != product.id {
                product.accessories.push(id.clone());
            }
        }
    }
    product.variants = variants;
    let stock = items.iter().filter_map(|item| item.stock.clone()).collect();
    Ok(Assembled { at: first.at.clone(), product, stock })
}

fn distinct(variants: &[crate::domain::product::Variant]) -> bool {
    let mut seen = HashSet::new();
    variants.iter().all(|variant| seen.insert((variant.size.as_deref(), variant.colour.as_deref())))
}

/// Names of properties in which the variants differ and that all of them have.
fn telling(items: &[Item], profile: &Profile) -> Vec<String> {
    let is_choice = |name: &String| profile.pairs.as_ref().is_some_and(|pairs| pairs.is_choice(name));
    let names = items[0].properties.iter().map(|(name, _)| name).filter(|name| !is_choice(name));
    let differs = |name: &&String| {
        let of = |item: &Item| item.properties.iter().find(|(known, _)| known == *name).map(|(_, value)| value.clone());
        let values: Vec<Option<String>> = items.iter().map(of).collect();
        values.iter().all(Option::is_some) && values.iter().any(|value| *value != values[0])
    };
    names.filter(differs).cloned().collect()
}

/// The words all names share; none when a name has further words that its variant does not explain.
fn common_name(items: &[Item], variants: &[crate::domain::product::Variant]) -> Option<Localised> {
    let mut name = Localised::default();
    for (language, text) in &items[0].product.name.0 {
        let texts: Option<Vec<&String>> = items.iter().map(|item| item.product.name.0.get(language)).collect();
        let texts = texts?;
        let sets: Vec<HashSet<String>> = texts.iter().map(|text| words(text).collect()).collect();
        let shared = |word: &str| words(word).all(|word| sets.iter().all(|set| set.contains(&word)));
        for ((text, variant), item) in texts.iter().zip(variants).zip(items) {
            let mut explained: Vec<String> =
                variant.size.iter().chain(&variant.colour).flat_map(|text| words(text)).collect();
            explained.extend(item.properties.iter().flat_map(|(_, value)| words(value)));
            let further = text.split_whitespace().filter(|word| !shared(word)).flat_map(words);
            if !further.into_iter().all(|word| explained.iter().any(|known| akin(known, &word))) {
                return None;
            }
        }
        let kept: Vec<&str> = text.split_whitespace().filter(|word| shared(word)).collect();
        let kept = kept.join(" ");
        let kept = kept.trim_matches([' ', ',', '-', '/', '–', '(', ')']).to_string();
        if kept.chars().filter(|letter| letter.is_alphanumeric()).count() < 3 {
            return None;
        }
        name.0.insert(*language, kept);
    }
    Some(name).filter(|name| !name.is_empty())
}

fn words(text: &str) -> impl Iterator<Item = String> + use<> {
    let words: Vec<String> = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.into_iter()
}

/// One word in two of its forms: `красный`, `красная`.
fn akin(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let shared = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let longest = one.len().max(other.len());
    one == other || (shared >= 3 && shared + 3 >= longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;
    use crate::domain::product::Variant;

    fn item(name: &str, size: Option<&str>, colour: Option<&str>) -> Item {
        let variant = Variant {
            sku: name.into(),
            size: size.map(str::to_string),
            colour: colour.map(str::to_string),
            prices: Vec::new(),
        };
        let line = format!(r#"{{"id":"{name}","name":{{"ru":"{name}"}},"variants":[]}}"#);
        let mut product: Product = serde_json::from_str(&line).unwrap();
        product.variants.push(variant);
        let at = Place { file: "f".into(), line: 1 };
        Item { at, key: Key::Of("g".into()), product, properties: Vec::new(), stock: None }
    }

    fn check(items: Vec<Item>, expected: &[&str]) {
        let profile: Profile =
            toml::from_str("format = \"csv\"\nlanguage = \"ru\"\nid = \"a\"\ntitle = \"b\"").unwrap();
        let made = assemble(items, &profile, &mut Report::default());
        let names: Vec<&str> = made.iter().map(|made| made.product.name.get(Language::Ru)).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn only_what_size_and_colour_explain_is_one_product() {
        let shirt = |name: &str, size, colour| item(name, Some(size), Some(colour));
        check(vec![shirt("Shirt red M", "M", "red"), shirt("Shirt blue L", "L", "blue")], &["Shirt"]);
        check(
            vec![shirt("Футболка красная, M", "M", "красный"), shirt("Футболка синяя, L", "L", "синий")],
            &["Футболка"],
        );
        check(vec![shirt("Shirt", "M", "red"), shirt("Shirt", "L", "red")], &["Shirt"]);
        // The same size and colour twice, or a word nothing explains: never under one name.
        check(vec![shirt("Shirt", "M", "red"), shirt("Shirt", "M", "red")], &["Shirt", "Shirt"]);
        check(
            vec![shirt("Phone 15", "128", "red"), shirt("Phone 15 Pro", "256", "red")],
            &["Phone 15", "Phone 15 Pro"],
        );
        check(vec![shirt("M", "M", "red"), shirt("L", "L", "red")], &["M", "L"]);
        check(vec![item("Alone red", None, Some("red"))], &["Alone red"]);
    }
}
