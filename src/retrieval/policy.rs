//! Passages of the shop's rules for a question.

use jiff::Timestamp;

use crate::domain::plan::Absence;
use crate::domain::{Fact, FactBody, FactId, Language};
use crate::engine::{PassageHit, PassageQuery, Search};

/// Passages found, best first, each a fact.
#[derive(Clone, Debug, Default)]
pub struct Passages {
    /// The facts, best first.
    pub facts: Vec<Fact>,
    /// The hits, for `--explain`.
    pub hits: Vec<PassageHit>,
    /// Why there is none.
    pub absence: Option<Absence>,
}

/// How far ahead of the second the first cosine must be to need no judge.
const CLEAR: f32 = 0.02;

/// The same where questions stand with the rules: by how far the first stands out.
const STANDS_CLEAR: f32 = 0.3;

impl Passages {
    /// True where questions stand with the rules: what is asked of each is known, and nobody need guess by its words.
    pub fn learnt(&self) -> bool {
        self.hits.first().is_some_and(|hit| hit.standing.is_some())
    }

    /// How far the first stands out from whatever else may be asked, where questions stand with the rules.
    pub fn standing(&self) -> Option<f32> {
        self.hits.first()?.standing
    }

    /// True when the first passage stands out by meaning as well as by words.
    pub fn clear(&self) -> bool {
        if let [PassageHit { standing: Some(first), .. }, PassageHit { standing: Some(second), .. }, ..] = self.hits[..]
        {
            return first - second >= STANDS_CLEAR;
        }
        match self.hits.as_slice() {
            [first, second, ..] => match (first.vector, second.vector) {
                (Some(a), Some(b)) => a - b >= CLEAR,
                _ => false,
            },
            _ => true,
        }
    }
}

/// The second passage is told as well where it is as near as the first but for this: of the questions of
/// `data/eval/talk/third.txt` 53 of 87 are answered by the first, 63 by either.
const AS_NEAR: f32 = 0.005;
/// The same where questions stand with the rules.
const STANDS_AS_NEAR: f32 = 0.1;

impl Passages {
    /// Where the nearest passage stands, and the second where it is as near.
    pub fn nearest(&self) -> Vec<usize> {
        let as_near = if self.learnt() { STANDS_AS_NEAR } else { AS_NEAR };
        let near = |at: usize| self.hits.get(at).and_then(|hit| hit.standing.or(hit.vector));
        let second = near(0).zip(near(1)).is_some_and(|(first, second)| first - second < as_near);
        (0..self.facts.len().min(if second { 2 } else { 1 })).collect()
    }

    /// A passage that was chosen, and the nearest where that is another.
    pub fn beside(&self, chosen: usize) -> Vec<usize> {
        if chosen == 0 { vec![0] } else { vec![chosen, 0] }
    }
}

/// Below this cosine the nearest passage is about something else. Set so low that questions with an answer hardly ever lie
/// below; each language lies at another height in this embedder.
fn floor(language: Language) -> f32 {
    match language {
        Language::En => 0.845,
        Language::Ru => 0.85,
        Language::Sk => 0.84,
        Language::Zh => 0.88,
    }
}

/// A document's first section answers the question that asks for no more than its topic, unless another is nearer by this much.
const NEARER: f32 = 0.03;

impl Passages {
    /// Where the first section of a document stands among them, if nothing is much nearer to the question.
    pub fn general(&self) -> Option<usize> {
        if self.learnt() {
            // What is asked of it in general stands with it.
            return None;
        }
        let best = self.hits.iter().filter_map(|hit| hit.vector).fold(f32::NEG_INFINITY, f32::max);
        let first = |hit: &PassageHit| hit.id.ends_with("#1") && hit.vector.is_some_and(|near| best - near < NEARER);
        self.hits.iter().position(first)
    }
}

/// The document spoken of is gone on with unless a passage of another is nearer by this much.
const ELSEWHERE: f32 = 0.015;
/// The same where questions stand with the rules.
const STANDS_ELSEWHERE: f32 = 0.5;

impl Passages {
    /// Where the nearest passage of a document stands among them, if none of another is much nearer.
    pub fn going_on(&self, document: &str) -> Option<usize> {
        let near = |hit: &PassageHit| hit.standing.or(hit.vector).unwrap_or(f32::NEG_INFINITY);
        let best = self.hits.iter().map(near).fold(f32::NEG_INFINITY, f32::max);
        let own = self.hits.iter().enumerate().filter(|(_, hit)| hit.passage.document == document);
        let (at, hit) = own.max_by(|a, b| near(a.1).total_cmp(&near(b.1)))?;
        let elsewhere = if self.learnt() { STANDS_ELSEWHERE } else { ELSEWHERE };
        (best - near(hit) < elsewhere).then_some(at)
    }
}

impl Passages {
    /// True when a passage of another document than this one is much nearer than all of its own.
    pub fn leads_away(&self, document: &str) -> bool {
        let first = self.hits.first().filter(|hit| hit.vector.is_some());
        self.absence.is_none() && first.is_some_and(|hit| hit.passage.document != document) && {
            let own = self.hits.iter().any(|hit| hit.passage.document == document);
            !own || self.going_on(document).is_none()
        }
    }
}

/// Finds passages in the language of the question, else in English.
pub async fn passages(search: &dyn Search, mut query: PassageQuery, now: Timestamp) -> Passages {
    let asked_in = query.language;
    let mut hits = search.passages(&query).await;
    if matches!(&hits, Ok(found) if found.is_empty()) && query.language != Language::En {
        query.language = Language::En;
        hits = search.passages(&query).await;
    }
    let least = search.least_standing(query.language);
    match hits {
        Ok(hits) if hits.is_empty() => Passages { absence: Some(Absence::NoPolicy), ..Passages::default() },
        // What names its topic is answered from it; a question in another language than the rules lies further from all of them.
        Ok(hits) if query.document.is_none() && query.language == asked_in && far(&hits, query.language, least) => {
            Passages { absence: Some(Absence::NoPolicy), hits, ..Passages::default() }
        }
        Ok(hits) => Passages { facts: hits.iter().map(|hit| fact(hit, now)).collect(), hits, absence: None },
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "policies could not be read");
            Passages { absence: Some(Absence::SourceDown), ..Passages::default() }
        }
    }
}

/// True when nothing found answers the question; `least` is how little a rule may stand out, where that is known.
fn far(hits: &[PassageHit], language: Language, least: Option<f32>) -> bool {
    if let Some((standing, least)) = hits.first().and_then(|hit| hit.standing).zip(least) {
        return standing < least;
    }
    let near = || hits.iter().filter_map(|hit| hit.vector);
    near().next().is_some() && near().all(|near| near < floor(language))
}

fn fact(hit: &PassageHit, now: Timestamp) -> Fact {
    Fact {
        id: FactId(format!("passage:{}", hit.id)),
        source: format!("{}@{}", hit.id, hit.passage.version),
        as_of: now,
        body: FactBody::Passage(hit.passage.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::domain::fact::Passage;

    fn hit(document: &str, vector: f32) -> PassageHit {
        let passage = Passage {
            document: document.into(),
            section: String::new(),
            language: Language::En,
            version: "1".into(),
            text: String::new(),
        };
        PassageHit { id: format!("{document}.en#2"), passage, score: vector, vector: Some(vector), standing: None }
    }

    #[test]
    fn two_rules_as_near_are_both_told() {
        let check = |hits: &[(&str, f32)], expected: &[usize]| {
            let hits: Vec<PassageHit> = hits.iter().map(|(document, near)| hit(document, *near)).collect();
            let facts = hits.iter().map(|hit| fact(hit, Timestamp::UNIX_EPOCH)).collect();
            let passages = Passages { hits, facts, absence: None };
            assert_eq!(passages.nearest(), expected);
        };
        check(&[("payment", 0.900), ("delivery", 0.898), ("faq", 0.897)], &[0, 1]);
        check(&[("payment", 0.90), ("delivery", 0.88)], &[0]);
        check(&[("payment", 0.90)], &[0]);
        check(&[], &[]);
    }

    #[test]
    fn where_questions_stand_with_the_rules_standing_decides() {
        let check = |standings: &[f32], nearest: &[usize], is_far: bool, is_clear: bool| {
            let hits: Vec<PassageHit> =
                standings.iter().map(|far| PassageHit { standing: Some(*far), ..hit("faq", 0.5) }).collect();
            let facts = hits.iter().map(|hit| fact(hit, Timestamp::UNIX_EPOCH)).collect();
            assert_eq!(far(&hits, Language::En, Some(-0.5)), is_far);
            let passages = Passages { hits, facts, absence: None };
            assert_eq!((passages.nearest().as_slice(), passages.clear()), (nearest, is_clear));
            assert_eq!(passages.general(), None);
        };
        check(&[1.4, 0.3], &[0], false, true);
        check(&[1.4, 1.2], &[0], false, false);
        check(&[1.4, 1.35], &[0, 1], false, false);
        check(&[-0.6, -1.1], &[0], true, true);
    }

    #[test]
    fn a_rule_of_another_document_must_be_much_nearer() {
        let check = |hits: &[(&str, f32)], expected: bool| {
            let hits = hits.iter().map(|(document, near)| hit(document, *near)).collect();
            let passages = Passages { hits, ..Passages::default() };
            assert_eq!(passages.leads_away("delivery"), expected);
        };
        check(&[("payment", 0.90), ("delivery", 0.87)], true);
        check(&[("payment", 0.90), ("delivery", 0.89)], false);
        check(&[("payment", 0.90), ("returns", 0.89)], true);
        check(&[("delivery", 0.90), ("payment", 0.87)], false);
        check(&[], false);
    }

    fn check(hits: &[(&str, f32)], going_on: Option<usize>, is_far: bool) {
        let hits: Vec<PassageHit> = hits.iter().map(|(document, near)| hit(document, *near)).collect();
        assert_eq!(far(&hits, Language::En, None), is_far);
        assert_eq!(Passages { hits, ..Passages::default() }.going_on("returns"), going_on);
    }

    #[test]
    fn what_was_spoken_of_is_gone_on_with_unless_another_is_much_nearer() {
        check(&[("warranty", 0.90), ("returns", 0.89)], Some(1), false);
        check(&[("warranty", 0.92), ("returns", 0.89)], None, false);
        check(&[("warranty", 0.90)], None, false);
    }

    #[test]
    fn what_lies_far_from_every_rule_is_answered_by_none() {
        check(&[("payment", 0.83), ("faq", 0.82)], None, true);
        check(&[], None, false);
    }
}
