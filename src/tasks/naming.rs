//! What a variant is called: the product's name with its size and colour.

use crate::domain::product::Variant;
use crate::domain::{Language, Localised, Product};

/// The name of a variant per language.
pub(super) fn of_variant(
    product: &Product,
    variant: Option<&Variant>,
    colour: &(dyn Fn(&str) -> Localised + Sync),
) -> Localised {
    let of = |language: Language, name: &str| {
        let size = variant.and_then(|variant| variant.size.clone());
        let colour = variant.and_then(|variant| variant.colour.as_deref()).map(colour);
        let colour = colour.map(|colour| colour.get(language).to_string());
        let parts: Vec<String> = size.into_iter().chain(colour).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { name.to_string() } else { format!("{name} ({})", parts.join(", ")) }
    };
    Localised(product.name.all().map(|(language, name)| (language, of(language, name))).collect())
}
