//! The names and codes of all products in memory: how well a question names a product, and which code stands in it.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::domain::product::{Variant, code_key, size_key};
use crate::domain::{Language, Product, ProductId, Sku};
use crate::engine::Only;

use super::analysis::{Analyzer, words};
use super::concepts::Concepts;
use super::terms::Terms;

/// A further code that is shorter, or has no digit, is a word and not a code.
const SHORTEST_CODE: usize = 5;
/// The most words a code is spread over.
const CODE_WORDS: usize = 4;

/// A product as the names file of a generation keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct NameEntry {
    /// Which product.
    pub id: ProductId,
    /// The tokens of its name per language, stop words and repetitions left out.
    pub names: Vec<(Language, Vec<String>)>,
    /// Words of its brand and codes.
    pub label: Vec<String>,
    /// Its own id and SKUs.
    pub skus: Vec<Sku>,
    /// Further codes.
    pub codes: Vec<String>,
    /// How many vectors it has.
    pub vectors: usize,
    /// The colours it is to be had in; none when a variant tells none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub colours: Vec<String>,
    /// The sizes, as they can be compared; none when a variant tells none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<String>,
}

impl NameEntry {
    /// The entry of a product.
    pub fn new(product: &Product, analyzer: &Analyzer, vectors: usize) -> Self {
        let name = |(language, text)| (language, name_tokens(language, text, analyzer));
        NameEntry {
            id: product.id.clone(),
            names: product.name.all().map(name).collect(),
            label: words(&label(product)).into_iter().map(|word| word.text).collect(),
            skus: product.variants.iter().map(|variant| variant.sku.clone()).collect(),
            codes: product.codes.clone(),
            vectors,
            colours: told(product, |variant| variant.colour.clone()),
            sizes: told(product, |variant| variant.size.as_deref().map(size_key)),
        }
    }
}

/// What all variants tell of themselves; nothing when one of them does not.
fn told(product: &Product, of: impl Fn(&Variant) -> Option<String>) -> Vec<String> {
    let mut told: Vec<String> = product.variants.iter().map(of).collect::<Option<_>>().unwrap_or_default();
    told.sort();
    told.dedup();
    told
}

/// Brand and codes in one text.
pub fn label(product: &Product) -> String {
    let mut parts = vec![product.brand.clone().unwrap_or_default(), product.id.0.clone()];
    parts.extend(product.codes.iter().cloned());
    parts.extend(product.variants.iter().map(|variant| variant.sku.0.clone()));
    parts.dedup();
    parts.join(" ; ")
}

fn name_tokens(language: Language, text: &str, analyzer: &Analyzer) -> Vec<String> {
    let all: Vec<_> = words(text).into_iter().filter(|word| !word.joined).collect();
    let telling: Vec<_> = all.iter().filter(|word| !analyzer.is_stopword(word)).collect();
    let kept = if telling.is_empty() { all.iter().collect() } else { telling };
    let mut seen = HashSet::new();
    kept.into_iter()
        .flat_map(|word| analyzer.word_tokens(language, word))
        .filter(|token| seen.insert(token.clone()))
        .collect()
}

struct Row {
    id: ProductId,
    /// The accessories its names speak of.
    parts: Vec<usize>,
    names: Vec<(Language, Vec<u32>)>,
    label: Vec<u32>,
    colours: Box<[u32]>,
    sizes: Box<[u32]>,
}

/// All products of a generation by row.
#[derive(Default)]
pub struct Names {
    rows: Vec<Row>,
    tokens: HashMap<String, u32>,
    codes: HashMap<String, (u32, Option<Sku>)>,
    /// How many products have a name in each language.
    told_in: HashMap<Language, usize>,
}

/// How a question and a product's name cover one another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Share of the words of the best-matching name that stand in the question.
    pub name_in_query: f32,
    /// Share of the question's words that stand in the name, the brand or the codes.
    pub query_in_name: f32,
    /// Share of neighbouring words of the name that stand in the same order in the question.
    pub in_order: f32,
}

/// A question's words as token numbers, one list of forms per word.
pub struct QueryTokens(Vec<Vec<(Language, u32)>>);

impl Names {
    /// Builds the tables from the entries in row order.
    pub fn new(entries: Vec<NameEntry>, concepts: &Concepts) -> Self {
        let mut names = Names { rows: Vec::with_capacity(entries.len()), ..Names::default() };
        let mut shared = HashSet::new();
        for (row, entry) in entries.iter().enumerate() {
            let further = entry.codes.iter().filter(|code| is_code(&code_key(code))).map(|code| (code_key(code), None));
            let own = entry.skus.iter().map(|sku| (code_key(sku.as_str()), Some(sku.clone())));
            for (key, sku) in further.chain(own) {
                let taken = names.codes.insert(key.clone(), (row as u32, sku));
                if taken.is_some_and(|(other, _)| other != row as u32) {
                    shared.insert(key);
                }
            }
        }
        names.codes.retain(|key, _| !shared.contains(key));
        for (row, entry) in entries.iter().enumerate() {
            names.codes.entry(code_key(entry.id.as_str())).or_insert((row as u32, None));
        }
        for entry in entries {
            for (language, _) in &entry.names {
                *names.told_in.entry(*language).or_default() += 1;
            }
            let parts =
                entry.names.iter().flat_map(|(language, tokens)| concepts.parts(*language, tokens.iter())).collect();
            let list = entry.names.into_iter().map(|(language, list)| (language, names.intern(list))).collect();
            let label = names.intern(entry.label);
            let (colours, sizes) = (names.intern(entry.colours).into(), names.intern(entry.sizes).into());
            names.rows.push(Row { id: entry.id, parts, names: list, label, colours, sizes });
        }
        names
    }

    fn intern(&mut self, list: Vec<String>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(list.len());
        for token in list {
            let next = self.tokens.len() as u32;
            numbers.push(*self.tokens.entry(token).or_insert(next));
        }
        numbers
    }

    /// Which rows are to be had so, as a question of a row; none asks nothing of them.
    pub fn admits<'n>(&'n self, only: &Only) -> Option<impl Fn(usize) -> bool + use<'n>> {
        // What no product tells of is no row's own number.
        let number = |wanted: &Option<String>| wanted.as_ref().map(|text| self.tokens.get(text).copied());
        let (colour, size) = (number(&only.colour), number(&only.size));
        let has = |told: &[u32], wanted: Option<Option<u32>>| {
            told.is_empty() || wanted.is_none_or(|number| number.is_some_and(|number| told.contains(&number)))
        };
        (!only.is_empty())
            .then_some(move |row: usize| has(&self.rows[row].colours, colour) && has(&self.rows[row].sizes, size))
    }

    /// True for a product whose name speaks of accessories, none of which were asked for.
    pub fn is_unasked_part(&self, row: usize, asked: &HashSet<usize>) -> bool {
        let parts = &self.rows[row].parts;
        !parts.is_empty() && !parts.iter().any(|part| asked.contains(part))
    }

    /// True when most products have a name in this language.
    pub fn are_in(&self, language: Language) -> bool {
        self.told_in.get(&language).is_some_and(|named| named * 2 > self.rows.len())
    }

    /// How many products.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The product of a row.
    pub fn id(&self, row: usize) -> &ProductId {
        &self.rows[row].id
    }

    /// The products that a text names by id, SKU or code, in the order met.
    ///
    /// A number in a long question is hardly an id: apart from an own code of letters and digits, codes count only
    /// where they make up half of what is asked.
    pub fn codes_in(&self, text: &str, analyzer: &Analyzer) -> Vec<(usize, Option<Sku>)> {
        let words: Vec<_> =
            words(text).into_iter().filter(|word| !word.joined && !analyzer.is_stopword(word)).collect();
        let words: Vec<String> = words.into_iter().map(|word| word.text).collect();
        let mut found: Vec<(usize, Option<Sku>)> = Vec::new();
        let mut own: HashSet<usize> = HashSet::new();
        let mut covered = 0;
        let mut from = 0;
        while from < words.len() {
            let longest = (1..=CODE_WORDS.min(words.len() - from)).rev();
            let hit = longest.clone().find_map(|length| {
                let key = code_key(&words[from..from + length].concat());
                let telling = key.chars().any(|letter| letter.is_ascii_digit()) && key.len() >= 4;
                self.codes.get(&key).filter(|_| telling).map(|hit| (length, hit))
            });
            let Some((length, (row, sku))) = hit else {
                from += 1;
                continue;
            };
            if self.is_own(*row as usize, &words[from..from + length].concat()) {
                own.insert(*row as usize);
            }
            if !found.iter().any(|(other, _)| *other == *row as usize) {
                found.push((*row as usize, sku.clone()));
            }
            covered += length;
            from += length;
        }
        if covered * 2 < words.len() {
            found.retain(|(row, _)| own.contains(row));
        }
        found
    }

    /// True for the id or a SKU of a row that has letters and digits, which no other word looks like.
    fn is_own(&self, row: usize, typed: &str) -> bool {
        let key = code_key(typed);
        let mixed = key.chars().any(char::is_alphabetic) && key.chars().any(|letter| letter.is_ascii_digit());
        let own = |(_, sku): &(u32, Option<Sku>)| sku.is_some() || code_key(self.rows[row].id.as_str()) == key;
        mixed && key.len() >= SHORTEST_CODE && self.codes.get(&key).is_some_and(own)
    }

    /// The numbers of a question's words.
    pub fn query(&self, terms: &Terms) -> QueryTokens {
        let number = |(language, token, _): &(Language, String, f32)| Some((*language, *self.tokens.get(token)?));
        let groups = terms.words.iter().filter(|group| !group.extra);
        let one = |group: &super::terms::TermGroup| {
            let mut forms: Vec<(Language, u32)> = group.tokens.iter().filter_map(number).collect();
            if let Some(itself) = self.tokens.get(&group.word) {
                forms.extend(Language::ALL.map(|language| (language, *itself)));
            }
            forms
        };
        QueryTokens(groups.map(one).collect())
    }

    /// How a question and the names of a row cover one another.
    pub fn coverage(&self, row: usize, query: &QueryTokens) -> Coverage {
        let entry = &self.rows[row];
        let mut best = Coverage::default();
        for (language, name) in &entry.names {
            let stands = |token: &u32| query.0.iter().flatten().any(|(of, form)| of == language && form == token);
            let in_name = |word: &Vec<(Language, u32)>| {
                word.iter().any(|(of, form)| (of == language && name.contains(form)) || entry.label.contains(form))
            };
            let share = |part: usize, whole: usize| part as f32 / whole.max(1) as f32;
            let name_in_query = share(name.iter().filter(|token| stands(token)).count(), name.len());
            let query_in_name = share(query.0.iter().filter(|word| in_name(word)).count(), query.0.len());
            if name_in_query > best.name_in_query {
                best.name_in_query = name_in_query;
                best.in_order = in_order(*language, name, query);
            }
            best.query_in_name = best.query_in_name.max(query_in_name);
        }
        best
    }
}

/// Names of the same words differ by their order: `F / RCA M` beside `M / RCA F`.
fn in_order(language: Language, name: &[u32], query: &QueryTokens) -> f32 {
    let position = |token: &u32| query.0.iter().position(|word| word.contains(&(language, *token)));
    let places: Vec<usize> = name.iter().filter_map(position).collect();
    let ascending = places.windows(2).filter(|pair| pair[0] <= pair[1]).count();
    if places.len() < 2 { 1.0 } else { ascending as f32 / (places.len() - 1) as f32 }
}

fn is_code(key: &str) -> bool {
    key.len() >= SHORTEST_CODE && key.chars().any(|letter| letter.is_ascii_digit())
}
