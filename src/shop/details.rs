//! What can be asked of a product beyond price and stock: `data/rules/details.toml`. In: an id of the table and a product. Out: the
//! product's own attributes that answer it, each with its name in every language; an empty value where the feed tells none.

use std::collections::BTreeMap;

use icu_plurals::{PluralCategory, PluralRules};
use serde::Deserialize;

use crate::domain::command::EVERY_DETAIL;
use crate::domain::fact::Detail;
use crate::domain::product::code_key;
use crate::domain::{Language, Localised, Product};

/// The brand stands beside the attributes in a product ...
const BRAND: &str = "brand";
/// ... and so do the months of its warranty.
const WARRANTY: &str = "warranty";
/// More attributes than this are a data sheet, not an answer.
const MOST: usize = 8;

/// The table of what can be asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Details(BTreeMap<String, Kind>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    name: Localised,
    /// What other feeds call it.
    #[serde(default)]
    keys: Vec<String>,
    /// Read by understanding.
    #[serde(rename = "asks")]
    _asks: Vec<String>,
    /// How months are counted, by CLDR's plural categories.
    #[serde(default)]
    months: BTreeMap<Language, BTreeMap<String, String>>,
}

impl Details {
    /// What a product has to say on `asked`; one detail without a value when it has nothing, none when nobody can ask that.
    pub fn of(&self, product: &Product, asked: &str) -> Vec<Detail> {
        if asked == EVERY_DETAIL {
            return product.attributes.iter().take(MOST).map(|(key, value)| self.named(key, value)).collect();
        }
        let Some(kind) = self.0.get(asked) else { return Vec::new() };
        let told = product.attributes.iter().find(|(key, _)| kind.is_called(asked, key));
        let brand = || product.brand.as_deref().filter(|_| asked == BRAND);
        let months = || product.warranty_months.filter(|_| asked == WARRANTY).map(|months| kind.counted(months));
        let value = match told {
            Some((_, value)) => value.clone(),
            None => brand().map(|brand| Localised::only(Language::En, brand)).or_else(months).unwrap_or_default(),
        };
        vec![Detail { name: kind.name.clone(), value }]
    }

    /// The value of an attribute by the table's id for it, or by the feed's own.
    pub fn value(&self, product: &Product, id: &str) -> Option<Localised> {
        let called = |key: &str| key == id || self.0.get(id).is_some_and(|kind| kind.is_called(id, key));
        product.attributes.iter().find(|(key, _)| called(key)).map(|(_, value)| value.clone())
    }

    /// An attribute by the table's name for it; by the feed's own where the table has none.
    fn named(&self, key: &str, value: &Localised) -> Detail {
        let kind = self.0.iter().find(|(id, kind)| kind.is_called(id, key)).map(|(_, kind)| kind.name.clone());
        Detail { name: kind.unwrap_or_else(|| Localised::only(Language::En, key)), value: value.clone() }
    }
}

impl Kind {
    fn is_called(&self, id: &str, key: &str) -> bool {
        let key = code_key(key);
        let names = self.name.all().map(|(_, name)| name).chain(self.keys.iter().map(String::as_str));
        names.chain([id]).any(|name| code_key(name) == key)
    }

    /// So many months, in each language that has words for them.
    fn counted(&self, months: u16) -> Localised {
        let said = |(language, forms): (&Language, &BTreeMap<String, String>)| {
            let rules = PluralRules::try_new_cardinal(language.code().parse::<icu_locale_core::Locale>().ok()?.into());
            let category = match rules.ok()?.category_for(usize::from(months)) {
                PluralCategory::Zero => "zero",
                PluralCategory::One => "one",
                PluralCategory::Two => "two",
                PluralCategory::Few => "few",
                PluralCategory::Many => "many",
                PluralCategory::Other => "other",
            };
            let form = forms.get(category).or_else(|| forms.get("other"))?;
            Some((*language, form.replace("{n}", &months.to_string())))
        };
        Localised(self.months.iter().filter_map(said).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(product: &str, asked: &str, expected: &[(&str, &str)]) {
        let details: Details = toml::from_str(include_str!("../../data/rules/details.toml")).unwrap();
        let product: Product = serde_json::from_str(product).unwrap();
        let told = details.of(&product, asked);
        let told: Vec<_> = told.iter().map(|one| (one.name.get(Language::Sk), one.value.get(Language::Sk))).collect();
        assert_eq!(told, expected, "{asked}");
    }

    const OURS: &str = r#"{"id":"V","name":{"en":"V"},"variants":[],
        "attributes":{"noise":{"en":"72 dB","sk":"72 dB"},"power":{"en":"700 W"},"motor":{"en":"brushless"}}}"#;
    const FEED: &str = r#"{"id":"V","name":{"ru":"V"},"brand":"Vetra","variants":[],
        "attributes":{"Уровень шума":{"ru":"72 дБ"}}}"#;

    #[test]
    fn what_is_asked_is_found_under_any_of_its_names() {
        check(OURS, "noise", &[("hlučnosť", "72 dB")]);
        check(FEED, "noise", &[("hlučnosť", "72 дБ")]);
        check(FEED, "brand", &[("značka", "Vetra")]);
        check(OURS, "all", &[("motor", "brushless"), ("hlučnosť", "72 dB"), ("výkon", "700 W")]);
    }

    #[test]
    fn a_warranty_is_counted_in_months() {
        let of = |months: u16| format!(r#"{{"id":"V","name":{{"en":"V"}},"variants":[],"warranty_months":{months}}}"#);
        check(&of(36), "warranty", &[("záruka", "36 mesiacov")]);
        check(&of(3), "warranty", &[("záruka", "3 mesiace")]);
        check(OURS, "warranty", &[("záruka", "")]);
    }

    #[test]
    fn what_the_feed_does_not_tell_has_no_value() {
        check(OURS, "weight", &[("hmotnosť", "")]);
        check(OURS, "brand", &[("značka", "")]);
        check(OURS, "mood", &[]);
    }
}
