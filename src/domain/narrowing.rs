//! A question that narrows a search down: one property of what was found, its values, and which products have which.

use serde::{Deserialize, Serialize};

use super::fact::FactId;
use super::language::Localised;
use super::product::ProductId;

/// A property in which the products found differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// The table of `data/rules/narrowing.toml`.
    pub property: String,
    /// What kind of goods it is asked of: nobody is asked the same of the same kind twice.
    pub kind: String,
    /// The question, per language.
    pub ask: Localised,
    /// The values, the commonest first.
    pub choices: Vec<Choice>,
    /// Over how many products it was made.
    pub products: usize,
    /// It is worth asking; if not, its choices may still be named.
    pub worth: bool,
}

/// A value with the products that have it, or suit whoever wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The value, as the feed tells it.
    pub label: Localised,
    /// Its products, best first.
    pub products: Vec<ProductId>,
    /// It suits everybody: meant by whoever names a value that nothing here has.
    pub anybody: bool,
}

impl Narrowing {
    /// What it asks of what: asked once in a conversation.
    pub fn topic(&self) -> String {
        format!("{}/{}", self.kind, self.property)
    }

    /// The id of the fact that holds its choices.
    pub fn fact(&self) -> FactId {
        FactId(format!("narrowing:{}", self.property))
    }

    /// The choices that are told.
    pub fn told(&self) -> impl Iterator<Item = &Choice> {
        self.choices.iter().filter(|choice| !choice.anybody)
    }

    /// How many products are left after an answer, in the mean: the fewer, the better the question.
    pub fn left(&self) -> f32 {
        let sizes = || self.told().map(|choice| choice.products.len());
        let (squares, all): (usize, usize) = (sizes().map(|size| size.pow(2)).sum(), sizes().sum());
        squares as f32 / all.max(1) as f32
    }
}
