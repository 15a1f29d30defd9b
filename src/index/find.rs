//! A question finds its products and passages: the lists of both halves, their fusion, and what a name or a code in the question
//! adds. In: a query. Out: ids with their scores. It reads no price and knows no database.

use std::collections::HashSet;

use anyhow::Context;

use crate::domain::Language;
use crate::engine::{Only, PassageHit, PassageQuery, ProductHit, ProductQuery, SearchMode};

use super::names::Coverage;
use super::neighbours::{Closeness, Hits, Wanted};
use super::terms::Terms;
use super::{Inner, fusion, weighed};

/// More than any words are worth together.
const CODE: f32 = 100.0;
/// The power that leaves little of a name covered in part.
const NEARLY_ALL: i32 = 8;
/// How much further down a list is read when not all of it will do.
const FURTHER: usize = 8;

/// How a list of nearest products is read.
#[derive(Clone, Copy)]
struct Near<'a> {
    only: Option<(&'a Only, &'a [bool])>,
    depth: usize,
}

impl Inner {
    pub(super) fn find_products(&self, query: &ProductQuery) -> anyhow::Result<Vec<ProductHit>> {
        let tuning = &self.tuning;
        let admits = self.names.admits(&query.only);
        let depth = tuning.depth.max(query.limit);
        let terms = self.products.terms(&query.text, &self.vocabulary, &Language::ALL, &tuning.boosts);
        let lexical = self.by_terms(query, &terms, depth)?;
        let asked = self.parts_asked(&terms);
        let vector = self.by_vector(query, (&lexical, &asked), depth)?.unwrap_or_default();
        let mut fused = tuning.fuse(&lexical, &vector);
        let tokens = self.names.query(&terms);
        let covered: Vec<Coverage> = fused.iter().map(|(row, _)| self.names.coverage(*row, &tokens)).collect();
        let codes = if query.mode == SearchMode::Vector {
            Vec::new()
        } else {
            let mut codes = self.names.codes_in(&query.text, &self.vocabulary.analyzer);
            codes.retain(|(row, _)| admits.as_ref().is_none_or(|admits| admits(*row)));
            codes
        };
        let mut order: Vec<(usize, f32)> = Vec::with_capacity(fused.len() + codes.len());
        for ((row, score), coverage) in fused.iter_mut().zip(&covered) {
            if query.mode != SearchMode::Vector {
                *score *= 1.0 + tuning.named * together(*coverage);
                if self.names.is_unasked_part(*row, &asked) {
                    *score *= tuning.part;
                }
            }
            order.push((*row, *score));
        }
        // A code that stands in the question is the surest sign of all.
        for (at, (row, _)) in codes.iter().enumerate() {
            let first = CODE - at as f32 * 0.01;
            match order.iter_mut().find(|(other, _)| other == row) {
                Some((_, score)) => *score += first,
                None => order.push((*row, first)),
            }
        }
        fusion::sort(&mut order);
        order.truncate(query.limit);
        let score_in = |list: &[(usize, f32)], row: usize| list.iter().find(|hit| hit.0 == row).map(|hit| hit.1);
        let hit = |(row, score): (usize, f32)| {
            let coverage = self.names.coverage(row, &tokens);
            ProductHit {
                id: self.names.id(row).clone(),
                sku: codes.iter().find(|code| code.0 == row).and_then(|code| code.1.clone()),
                score,
                lexical: score_in(&lexical, row),
                vector: score_in(&vector, row),
                name_in_query: coverage.name_in_query,
                query_in_name: coverage.query_in_name,
            }
        };
        Ok(order.into_iter().map(hit).collect())
    }

    fn by_terms(&self, query: &ProductQuery, terms: &Terms, depth: usize) -> anyhow::Result<Hits> {
        let boosts = &self.tuning.boosts;
        match (query.mode, self.names.admits(&query.only)) {
            (SearchMode::Vector, _) => Ok(Vec::new()),
            (_, None) => self.products.search(terms, boosts, depth),
            (_, Some(admits)) => {
                let mut hits = self.products.search(terms, boosts, depth * FURTHER)?;
                hits.retain(|(row, _)| admits(*row));
                hits.truncate(depth);
                Ok(hits)
            }
        }
    }

    /// The nearest products; none at all when the vectors cannot be asked.
    fn by_vector(
        &self,
        query: &ProductQuery,
        (lexical, asked): (&Hits, &HashSet<usize>),
        depth: usize,
    ) -> anyhow::Result<Option<Hits>> {
        let Some(question) = query.vector.as_deref().filter(|_| query.mode != SearchMode::Lexical) else {
            return Ok(None);
        };
        let admits = self.names.admits(&query.only);
        let admitted: Option<Vec<bool>> =
            admits.map(|admits| self.rows.iter().map(|product| admits(*product as usize)).collect());
        let near = Near { only: admitted.as_deref().map(|rows| (&query.only, rows)), depth };
        if query.mode == SearchMode::Vector {
            let found = self.nearest_products(question, near, Closeness::Exact)?;
            // Who asks for vectors alone has no use for words.
            return found.with_context(|| self.neighbours.trouble().unwrap_or_default()).map(Some);
        }
        if lexical.is_empty() {
            return self.nearest_products(question, near, Closeness::Exact);
        }
        let Some(first) = self.nearest_products(question, near, Closeness::Rough)? else { return Ok(None) };
        let moved = self.echo(question, self.tuning.fuse(lexical, &first), asked)?;
        self.nearest_products(&moved, near, Closeness::Exact)
    }

    fn parts_asked(&self, terms: &Terms) -> HashSet<usize> {
        let tokens = terms.words.iter().flat_map(|group| &group.tokens);
        tokens
            .flat_map(|(language, token, _)| self.vocabulary.concepts.parts(*language, std::iter::once(token)))
            .collect()
    }

    /// The question's vector moved towards the best rows of a first pass: words that both halves know lead to those
    /// that only vectors can find.
    fn echo(&self, question: &[f32], mut first: Vec<(usize, f32)>, asked: &HashSet<usize>) -> anyhow::Result<Vec<f32>> {
        for (row, score) in &mut first {
            if self.names.is_unasked_part(*row, asked) {
                *score *= self.tuning.part;
            }
        }
        fusion::sort(&mut first);
        first.truncate(self.tuning.echoes);
        let mut moved = question.to_vec();
        let share = self.tuning.echo / first.len().max(1) as f32;
        for (row, _) in first {
            let at = self.rows.partition_point(|product| (*product as usize) < row);
            for (sum, value) in moved.iter_mut().zip(self.vectors.row(at)?) {
                *sum += share * value;
            }
        }
        let length = moved.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        moved.iter_mut().for_each(|value| *value /= length);
        Ok(moved)
    }

    fn nearest_products(&self, question: &[f32], near: Near<'_>, closeness: Closeness) -> anyhow::Result<Option<Hits>> {
        let wanted = Wanted { question, limit: self.deep(near.depth), closeness, only: near.only };
        Ok(self.neighbours.nearest(&wanted)?.map(|rows| self.by_product(rows, near.depth)))
    }

    /// Rows to read for so many products: each has a vector per language.
    pub(super) fn deep(&self, products: usize) -> usize {
        if self.names.is_empty() { products } else { products * self.vectors.count().div_ceil(self.names.len()) }
    }

    /// The best vector of each product counts.
    pub(super) fn by_product(&self, rows: Vec<(usize, f32)>, limit: usize) -> Vec<(usize, f32)> {
        let mut seen = HashSet::new();
        let products = rows.into_iter().map(|(row, score)| (self.rows[row] as usize, score));
        products.filter(|(product, _)| seen.insert(*product)).take(limit).collect()
    }

    pub(super) fn find_passages(&self, query: &PassageQuery) -> anyhow::Result<Vec<PassageHit>> {
        let tuning = &self.tuning;
        let wanted = |row: &usize| {
            let passage = &self.texts[*row].passage;
            passage.language == query.language && query.document.as_ref().is_none_or(|name| *name == passage.document)
        };
        let terms = self.passages.terms(&query.text, &self.vocabulary, &[query.language], &tuning.boosts);
        let mut lexical = self.passages.search(&terms, &tuning.boosts, self.texts.len())?;
        lexical.retain(|(row, _)| wanted(row));
        let mut vector = match &query.vector {
            Some(vector) => self.passage_vectors.exactly_nearest((vector, None), self.texts.len())?,
            None => Vec::new(),
        };
        vector.retain(|(row, _)| wanted(row));
        let learnt = self.asked.as_ref().filter(|asked| asked.speaks(query.language));
        let standings = match (learnt, &query.vector) {
            (Some(asked), Some(question)) => Some(asked.standings((&query.text, question), &vector)?),
            _ => None,
        };
        let stands = standings.is_some();
        let best = standings.unwrap_or_else(|| weighed((&lexical, tuning.rule_words), (&vector, 1.0)));
        let hit = |(row, score): (usize, f32)| PassageHit {
            id: self.texts[row].id.clone(),
            passage: self.texts[row].passage.clone(),
            score,
            vector: vector.iter().find(|hit| hit.0 == row).map(|hit| hit.1),
            standing: stands.then_some(score),
        };
        Ok(best.into_iter().take(query.limit).map(hit).collect())
    }
}

/// 1 when the question says the name and nothing else, near 0 when it says a part of a long name.
fn together(coverage: Coverage) -> f32 {
    let (name, query) = (coverage.name_in_query, coverage.query_in_name);
    let sum = name + query;
    if sum == 0.0 { 0.0 } else { (2.0 * name * query / sum * (0.9 + 0.1 * coverage.in_order)).powi(NEARLY_ALL) }
}
