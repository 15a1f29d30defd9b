//! What would narrow a search down: each property of `data/rules/narrowing.toml` in which the products found differ, the one that
//! leaves fewest first. In: candidates. Out: questions with their choices; it asks nothing.

use crate::domain::found::{Candidate, Found};
use crate::domain::menu::MenuFact;
use crate::domain::narrowing::{Choice, Narrowing};
use crate::domain::{Fact, FactBody, Language, Localised};
use crate::shop::{Property, Shop};

use super::Question;

/// More choices than this are a list to study.
const MOST: usize = 5;
/// Longer values are specifications, not a choice.
const LONGEST: usize = 32;
/// Share of the products that tell the property.
const TOLD: f32 = 0.8;
/// An answer leaves at most this share of the products, in the mean.
const LEFT: f32 = 0.75;

/// Adds the questions that would narrow it down, with their facts.
pub(super) fn splits(shop: &Shop, question: &Question<'_>, found: &mut Found) {
    let fitting: Vec<&Candidate> = found.fitting().filter(|candidate| candidate.in_stock != Some(0)).collect();
    let split = |(id, property)| split(shop, (id, property), (&fitting, question.language));
    let mut splits: Vec<Narrowing> = shop.narrowings().properties().filter_map(split).collect();
    splits.sort_by(|a, b| a.left().total_cmp(&b.left()));
    for narrowing in &splits {
        let choices = narrowing.told().map(|choice| choice.label.clone()).collect();
        let body = FactBody::Menu(MenuFact { ask: narrowing.ask.clone(), choices, parts: Vec::new() });
        let source = "rules/narrowing.toml".to_string();
        found.facts.push(Fact { id: narrowing.fact(), body, source, as_of: question.now });
    }
    found.splits = splits;
}

fn split(
    shop: &Shop,
    (id, property): (&str, &Property),
    (fitting, language): (&[&Candidate], Language),
) -> Option<Narrowing> {
    let ask = property.ask.clone()?;
    let mut choices: Vec<Choice> = Vec::new();
    let mut anybodys = Choice { label: Localised::default(), products: Vec::new(), anybody: true };
    for candidate in fitting {
        let product = &candidate.product;
        let Some(value) = shop.details().value(product, id) else { continue };
        if property.suits_all(&value) {
            anybodys.label = value;
            anybodys.products.push(product.id.clone());
            continue;
        }
        // What cannot be said in the shopper's language is no choice for them.
        let Some(label) = value.0.get(&language).filter(|label| label.chars().count() <= LONGEST) else { continue };
        match choices.iter_mut().find(|choice| same(&choice.label, language, label)) {
            Some(choice) => choice.products.push(product.id.clone()),
            None => {
                let products = vec![product.id.clone()];
                choices.push(Choice { label: value.clone(), products, anybody: false });
            }
        }
    }
    let told = anybodys.products.len() + choices.iter().map(|choice| choice.products.len()).sum::<usize>();
    let told_enough = told as f32 >= TOLD * fitting.len() as f32;
    let few = (2..=MOST).contains(&choices.len());
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.products.len()));
    choices.iter_mut().for_each(|choice| choice.products.extend(anybodys.products.iter().cloned()));
    if !anybodys.products.is_empty() {
        choices.push(anybodys);
    }
    let kind = fitting.first()?.product.category.clone();
    let property = (id.to_string(), ask);
    let products = fitting.len();
    let mut narrowing = Narrowing { property: property.0, kind, ask: property.1, choices, products, worth: false };
    narrowing.worth = few && told_enough && narrowing.left() <= LEFT * products as f32;
    (!narrowing.choices.is_empty()).then_some(narrowing)
}

fn same(known: &Localised, language: Language, label: &str) -> bool {
    known.get(language).to_lowercase() == label.to_lowercase()
}
