//! The checker of drafts: spans are read back, amounts must follow their own product's name, and the words
//! between spans (`between.rs`) may hold no number, currency, percentage or claim at all.

use std::ops::Range;

use crate::domain::{Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Role, Span};

use super::cart;
use super::lexicon::Lexicon;
use super::norm;
use super::product::{same_price, same_product};
use super::spans;
use super::task;
use super::verdict::{Code, Violation};

/// All faults of a draft.
pub(super) fn check(lexicon: &Lexicon, draft: &Draft, (facts, shopper): (&[Fact], &str)) -> Vec<Violation> {
    let shopper = norm::fold(shopper);
    let known = Known::new(facts);
    let named = draft.segments.iter().flat_map(|segment| &segment.spans).filter(|span| span.role == Role::Name);
    let named: Vec<&Fact> = named.filter_map(|span| known.get(&span.fact)).collect();
    let mut found = Vec::new();
    for (index, segment) in draft.segments.iter().enumerate() {
        let faults = match placed(segment, &known) {
            Ok(told) => {
                let (known, named, shopper) = (&known, &named[..], shopper.as_str());
                Part { lexicon, language: draft.language, segment, told, known, named, shopper }.check()
            }
            Err(fault) => vec![fault],
        };
        found.extend(faults.into_iter().map(|(code, at, detail)| Violation { code, segment: index, at, detail }));
    }
    found
}

/// The facts of the turn, by id.
pub(super) struct Known<'a>(pub Vec<&'a Fact>);

impl<'a> Known<'a> {
    fn new(facts: &'a [Fact]) -> Known<'a> {
        let mut sorted: Vec<&Fact> = facts.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        Known(sorted)
    }

    fn get(&self, id: &FactId) -> Option<&'a Fact> {
        self.0.binary_search_by(|fact| fact.id.cmp(id)).ok().map(|index| self.0[index])
    }
}

/// Which rule, where, and what stands there.
pub(super) type Fault = (Code, Range<usize>, String);

/// A stretch of a segment with its fact.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub span: &'a Span,
    pub fact: &'a Fact,
}

/// What was named last before a span.
#[derive(Default)]
struct Seen<'a> {
    name: Option<&'a Fact>,
    place: Option<&'a Span>,
    order: Option<&'a Span>,
    piece: Option<Told<'a>>,
}

/// The spans of a segment with their facts, when they are in order and known.
fn placed<'a>(segment: &'a DraftSegment, known: &Known<'a>) -> Result<Vec<Told<'a>>, Fault> {
    let mut end = 0;
    let mut told = Vec::with_capacity(segment.spans.len());
    for span in &segment.spans {
        let inside = span.range.start >= end
            && span.range.start < span.range.end
            && segment.text.get(span.range.clone()).is_some();
        match known.get(&span.fact).filter(|_| inside) {
            Some(fact) => told.push(Told { span, fact }),
            None => {
                let detail = format!("span {:?} of fact `{}`", span.range, span.fact);
                return Err((Code::BadSpan, span.range.clone(), detail));
            }
        }
        end = span.range.end;
    }
    Ok(told)
}

/// One segment with all it is judged by.
pub(super) struct Part<'a> {
    pub lexicon: &'a Lexicon,
    pub language: Language,
    pub segment: &'a DraftSegment,
    /// Its spans with their facts, in order.
    pub told: Vec<Told<'a>>,
    /// The facts of the turn.
    pub known: &'a Known<'a>,
    /// What any segment names.
    pub named: &'a [&'a Fact],
    /// The shopper's message in plain form.
    pub shopper: &'a str,
}

impl Part<'_> {
    fn check(&self) -> Vec<Fault> {
        if let Some(fault) = self.turned() {
            return vec![fault];
        }
        let mut found: Vec<Fault> = self.told.iter().filter_map(|told| self.span(told)).collect();
        found.extend(self.binding());
        found.extend(self.between());
        found
    }

    fn text(&self, span: &Span) -> &str {
        self.segment.text.get(span.range.clone()).unwrap_or("")
    }

    /// A control that turns the direction of writing, inside a name too: it could show other digits than are written.
    fn turned(&self) -> Option<Fault> {
        // U+202A to U+202E and U+2066 to U+2069.
        let turns = |sign: &[u8]| matches!(sign, [0xE2, 0x80, 0xAA..=0xAE] | [0xE2, 0x81, 0xA6..=0xA9]);
        let at = self.segment.text.as_bytes().windows(3).position(turns)?;
        Some((Code::BidiControl, at..at + 3, "a direction control".to_string()))
    }

    fn span(&self, &Told { span, fact }: &Told<'_>) -> Option<Fault> {
        let said = (span.role, self.language, self.text(span));
        let why = spans::verify(self.lexicon, fact, said).err()?;
        Some((
            Code::SpanMismatch,
            span.range.clone(),
            format!("`{}` as {:?} of `{}`: {why}", self.text(span), span.role, span.fact),
        ))
    }

    /// An amount belongs to the nearest name before it; counts and places to their own product or delivery.
    fn binding(&self) -> Vec<Fault> {
        let mut found = Vec::new();
        let mut seen = Seen::default();
        for &told in &self.told {
            match told.span.role {
                Role::Name => seen.name = Some(told.fact),
                Role::Place => seen.place = Some(told.span),
                Role::OrderNumber => seen.order = Some(told.span),
                Role::Piece => seen.piece = Some(told),
                _ => {}
            }
            let at = || told.span.range.clone();
            if let Some(why) = self.astray(told, &seen) {
                found.push((Code::SpanUnbound, at(), format!("`{}` {why}", told.span.fact)));
            }
            if let Some(known) = self.miscounted(told, seen.place) {
                found.push((Code::SpanUnbound, at(), format!("the fact has {known:?} here")));
            }
        }
        found
    }

    /// What else a span is about than what was named before it.
    fn astray(&self, told: Told<'_>, seen: &Seen<'_>) -> Option<&'static str> {
        let Told { span, fact } = told;
        let other = |named: Option<&Span>| named.is_some_and(|named| named.fact != span.fact);
        let (astray, why) = match span.role {
            Role::Refund | Role::Due | Role::Address => {
                (other(seen.order), "is about another order than the one named")
            }
            Role::Pieces => (!self.pieces_bound(told, seen.piece), "counts another piece than the one named"),
            Role::LineTotal => (!self.line_bound(told, seen.piece), "is another line's sum than the one named"),
            Role::Price | Role::OldPrice | Role::SaleUntil => {
                (!self.bound(fact, seen.name), "is not the product named before")
            }
            Role::Stock | Role::Size | Role::Colour | Role::Sku | Role::Summary | Role::Detail => {
                (!same_product(fact, seen.name), "is another product than the one named")
            }
            Role::Total | Role::Quantity => (!self.total_bound(fact, seen.name), "totals another product"),
            Role::DeliveryCost | Role::FreeFrom | Role::Earliest | Role::Latest | Role::Cutoff => {
                (other(seen.place), "is another delivery than the place named")
            }
            _ => return None,
        };
        astray.then_some(why)
    }

    /// The counts a fact has for the town named, or in all, where a count of pieces is none of them.
    fn miscounted(&self, Told { span, fact }: Told<'_>, place: Option<&Span>) -> Option<Vec<u32>> {
        let (Role::Stock, FactBody::Offer(offer)) = (span.role, &fact.body) else { return None };
        let town = place.filter(|place| place.fact == span.fact).map(|place| self.text(place));
        let here = |name: &Localised| town.is_some_and(|town| name.all().any(|(_, known)| known == town));
        let own = offer.places.iter().filter(|(name, _)| here(name));
        let counts: Vec<u32> = own.map(|(_, count)| *count).collect();
        let known = if counts.is_empty() { offer.offer.in_stock().into_iter().collect() } else { counts };
        let digits: String = norm::fold(self.text(span)).chars().filter(char::is_ascii_digit).collect();
        let wrong = !digits.is_empty() && !known.iter().any(|count| count.to_string() == digits);
        wrong.then_some(known)
    }

    fn bound(&self, fact: &Fact, name: Option<&Fact>) -> bool {
        match name {
            Some(name) => name.id == fact.id || (same_product(fact, Some(name)) && same_price(fact, name)),
            // "19.90 for the mug": one product alone in the segment may follow its price.
            None => {
                let mut names = self.told.iter().filter(|told| told.span.role == Role::Name);
                names.next().is_some_and(|only| only.span.fact == fact.id) && names.next().is_none()
            }
        }
    }

    fn total_bound(&self, fact: &Fact, name: Option<&Fact>) -> bool {
        match (&fact.body, name) {
            (FactBody::Total(total), Some(name)) => total.offer == name.id,
            (FactBody::Total(_), None) => false,
            _ => true,
        }
    }

    /// A count of pieces belongs to the piece named before it.
    fn pieces_bound(&self, Told { span, fact }: Told<'_>, piece: Option<Told<'_>>) -> bool {
        let Some(Told { span: piece, .. }) = piece else { return false };
        let count: String = norm::fold(self.text(span)).chars().filter(char::is_ascii_digit).collect();
        let counted = match &fact.body {
            FactBody::Task(task) => task::counted(task, self.text(piece), &count),
            FactBody::Cart(cart) => cart::counted(cart, self.text(piece), &count),
            _ => false,
        };
        piece.fact == span.fact && counted
    }

    /// The sum of a cart's line belongs to the piece named before it.
    fn line_bound(&self, Told { span, fact }: Told<'_>, piece: Option<Told<'_>>) -> bool {
        let (Some(Told { span: piece, .. }), FactBody::Cart(cart)) = (piece, &fact.body) else { return false };
        let own = cart::total_of(cart, self.text(piece));
        piece.fact == span.fact && spans::reads(self.lexicon, (self.language, self.text(span)), own)
    }
}
