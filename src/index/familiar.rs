//! How well the shop's own words know what a question names. In: a query. Out: how many of its words stand in a name, a kind, a
//! brand or a code, and how near the nearest product is in meaning. Whether that is enough is for retrieval to say.

use crate::engine::{Familiar, ProductQuery};

use super::Inner;
use super::neighbours::{Closeness, Wanted};
use super::terms::TermGroup;
use crate::domain::Language;

/// A shorter word lies one letter from too many others to be a misspelling of one beyond doubt.
const SURELY_MISSPELT: usize = 7;

impl Inner {
    pub(super) fn familiar(&self, query: &ProductQuery) -> anyhow::Result<Familiar> {
        let terms = self.products.terms(&query.text, &self.vocabulary, &Language::ALL, &self.tuning.boosts);
        let words = || terms.words.iter().filter(|group| !group.extra);
        if !self.names.are_in(query.language) {
            // A catalog in another language knows none of the words and may have the thing all the same.
            let words = words().count();
            return Ok(Familiar { words, known: words, last: true, guessed: 0, nearest: None });
        }
        let names = |group: &&TermGroup| self.products.names_something(group);
        let named = || words().filter(names);
        let doubtful = |group: &&TermGroup| group.guessed && group.word.chars().count() < SURELY_MISSPELT;
        let guessed = named().filter(doubtful).count();
        let last = words().next_back().is_some_and(|group| names(&group) && !doubtful(&group));
        let known = named().count() - guessed;
        let together = terms.words.iter().any(|group| group.extra && self.products.names_something(group));
        // Several words that say one thing together are known by it: a power bank, or two words written as one.
        let (words, together) = (words().count(), usize::from(together && known == 0));
        let known = (known + together).min(words);
        let nearest = if known >= words { None } else { self.nearest(query)? };
        Ok(Familiar { words, known, last, guessed, nearest })
    }

    fn nearest(&self, query: &ProductQuery) -> anyhow::Result<Option<f32>> {
        let Some(question) = &query.vector else { return Ok(None) };
        let wanted = Wanted { question, limit: 1, closeness: Closeness::Exact, only: None };
        Ok(self.neighbours.nearest(&wanted)?.and_then(|rows| rows.first().map(|row| row.1)))
    }
}
