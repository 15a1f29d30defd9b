//! What retrieval found for a question about products: candidates with their facts, and a typed "no".

use super::command::Wish;
use super::fact::{Fact, FactId};
use super::narrowing::Narrowing;
use super::plan::Absence;
use super::product::Product;

/// A product with its facts.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The product.
    pub product: Product,
    /// Facts of the variants that meet the conditions, cheapest first.
    pub matching: Vec<FactId>,
    /// Facts of all its variants.
    pub all: Vec<FactId>,
    /// The sum for the asked quantity, when all matching variants cost the same.
    pub total: Option<FactId>,
    /// Share of the question's words that stand in its name, brand or codes; 0 when it was not found by words.
    pub covers: f32,
    /// Pieces of the matching variants; none when the merchant gives no stock.
    pub in_stock: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Candidates that meet the conditions, best first.
    pub candidates: Vec<Candidate>,
    /// How many of the first candidates are named by the message beyond doubt; 0 when none is.
    pub sure: usize,
    /// Why there is nothing, when there is nothing.
    pub absence: Option<Absence>,
    /// Near misses: what meets the words but not the conditions.
    pub near: Vec<Candidate>,
    /// A property of theirs was asked for, and they were chosen by it: each offer tells it.
    pub by_property: bool,
    /// The first of them has most of it, or least where that was wanted, and by more than the next.
    pub best: bool,
    /// The wish that the candidates fulfil: they were chosen by it, not by the words of the question.
    pub wish: Option<Wish>,
    /// What would narrow it down, the best question first.
    pub splits: Vec<Narrowing>,
    /// What kinds of things there are, where that was asked for.
    pub kinds: Option<FactId>,
    /// Something that goes with the first candidate and can be bought now.
    pub accessory: Option<FactId>,
    /// The accessory is no word of the feed's: customers buy it with the first candidate.
    pub bought_together: bool,
    /// All facts of candidates and near misses.
    pub facts: Vec<Fact>,
}

impl Found {
    /// Those named beyond doubt; all of them where none is.
    pub fn likeliest(&self) -> &[Candidate] {
        self.candidates.get(..self.sure).filter(|named| !named.is_empty()).unwrap_or(&self.candidates)
    }
}

/// Share of the question's words in a name that makes it what is looked for.
const ALL_WORDS: f32 = 0.99;

impl Candidate {
    /// True when every word of the question stands in its name.
    pub fn fits(&self) -> bool {
        self.covers >= ALL_WORDS
    }
}

impl Found {
    /// What is meant: the products that were named or pointed at, else those in whose names every word of the question stands.
    pub fn fitting(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .enumerate()
            .filter(|(at, one)| *at < self.sure || self.sure == 0 && one.fits())
            .map(|(_, one)| one)
    }
}
