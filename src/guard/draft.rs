//! The checker of drafts: spans are read back, amounts must follow their own product's name, and the words
//! between spans may hold no number, currency, percentage or claim at all.

use std::ops::Range;

use crate::domain::{Currency, Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Role, Span};

use super::cart;
use super::lex;
use super::lexicon::{Class, Lexicon};
use super::licence;
use super::money::{Item, ItemKind, Reading};
use super::norm;
use super::product::{price, same_price, same_product};
use super::shape::Form;
use super::spans;
use super::task;
use super::text;
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
struct Known<'a>(Vec<&'a Fact>);

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

type Fault = (Code, Range<usize>, String);

/// A stretch of a segment with its fact.
#[derive(Clone, Copy)]
struct Told<'a> {
    span: &'a Span,
    fact: &'a Fact,
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

struct Part<'a> {
    lexicon: &'a Lexicon,
    language: Language,
    segment: &'a DraftSegment,
    told: Vec<Told<'a>>,
    known: &'a Known<'a>,
    named: &'a [&'a Fact],
    shopper: &'a str,
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

    /// The words between the spans.
    fn between(&self) -> Vec<Fault> {
        let islands: Vec<Range<usize>> = self.segment.spans.iter().map(|span| span.range.clone()).collect();
        let normal = norm::normalise(&self.segment.text, &islands);
        if let Some(at) = normal.bidi.clone() {
            return vec![(Code::BidiControl, at, "a direction control".to_string())];
        }
        let tokens = lex::tokens(self.lexicon, &normal, self.language, &[]);
        let reading = Reading::new(self.lexicon, (&normal.text, &tokens), self.language);
        let mut found = Vec::new();
        for range in text::sentences(&tokens, |_| true) {
            if found.len() >= MOST_FAULTS {
                break;
            }
            let items = reading.items(range);
            let tells = |item: &Item| bare(item).is_some() || item.plain_bits() & TELLING != 0;
            if items.len() > text::LONGEST && items.iter().any(tells) {
                let at = normal.original(tokens[items[0].tokens.start].range());
                found.push((Code::UnlicensedNumber, at, "a sentence too long to be judged".to_string()));
                continue;
            }
            for index in 0..items.len() {
                if let Some((code, why)) = self.item(&items, index, &reading) {
                    let span = &items[index].tokens;
                    let at = normal.original(tokens[span.start].range().start..tokens[span.end - 1].range().end);
                    let words = self.segment.text.get(at.clone()).unwrap_or("");
                    found.push((code, at.clone(), format!("`{words}`: {why}")));
                }
            }
        }
        found
    }

    fn item(&self, items: &[Item], index: usize, reading: &Reading<'_>) -> Option<(Code, &'static str)> {
        let item = &items[index];
        if self.theirs(items, index, reading) {
            return None;
        }
        if let Some(fault) = bare(item) {
            return Some(fault);
        }
        if item.plain_bits() & TELLING == 0 || item.kind != ItemKind::Word {
            return None;
        }
        self.word(items, index)
    }

    /// A word that claims something, or changes what the amounts beside it mean.
    fn word(&self, items: &[Item], index: usize) -> Option<(Code, &'static str)> {
        let item = &items[index];
        let role = |index: usize| items.get(index).and_then(|item| self.role(item));
        let has = |roles: &[Role]| items.iter().any(|item| self.role(item).is_some_and(|role| roles.contains(&role)));
        let amount =
            has(&[Role::Price, Role::OldPrice, Role::Total, Role::LineTotal, Role::Goods, Role::Discount, Role::Tax]);
        let denied = items[index.saturating_sub(4)..index]
            .iter()
            .chain(items.get(index + 1))
            .any(|item| item.is(Class::Negation));
        let next = role(index + 1);
        if item.is(Class::Slang) {
            Some((Code::Slang, "an amount in slang"))
        } else if item.is(Class::Commit) && !denied {
            Some((Code::Commitment, "a promise that binds the shop"))
        } else if item.is(Class::Zero) && !denied && !has(&[Role::FreeFrom]) {
            Some((Code::ZeroPrice, "free without its threshold"))
        } else if item.is(Class::Discount) && !denied && !has(&[Role::OldPrice, Role::SaleUntil, Role::Discount]) {
            Some((Code::Discount, "a reduction without the old price"))
        } else if (item.is(Class::Compare) || item.is(Class::Dearer)) && !self.compared(items, item.is(Class::Dearer)) {
            Some((Code::Comparison, "not true of the offers named"))
        } else if item.is(Class::Same) && !denied {
            Some((Code::Comparison, "prices said to be equal"))
        } else if amount && (item.plain_bits() & CHANGING != 0 || (item.is(Class::Payment) && !self.due(items))) {
            Some((Code::PriceTalk, "a word that changes what the amount means"))
        } else if has(&[Role::Refund, Role::Due])
            && [Class::Negation, Class::Approx, Class::NumberLike, Class::Per].iter().any(|&class| item.is(class))
        {
            Some((Code::PriceTalk, "a word that changes what the amount means"))
        } else if item.is(Class::Old) && next == Some(Role::Price) {
            Some((Code::RoleMismatch, "the price now told as the price before"))
        } else if item.is(Class::From) && next == Some(Role::Price) && !self.lowest(items.get(index + 1)) {
            Some((Code::PriceMismatch, "not the lowest price of this product"))
        } else {
            None
        }
    }

    /// The shopper's own number, said to be theirs: "you asked for 45 litres". Never beside an amount or a term.
    fn theirs(&self, items: &[Item], index: usize, reading: &Reading<'_>) -> bool {
        let (ItemKind::Number(number), Some(measure)) = (&items[index].kind, items.get(index + 1)) else {
            return false;
        };
        let asked = items[index.saturating_sub(6)..index].iter().any(|item| item.is(Class::Asked));
        let claims = |item: &Item| {
            item.plain_bits() & CLAIMING != 0 || matches!(item.kind, ItemKind::Money(_) | ItemKind::Island(_))
        };
        let phrase = reading.words(number.tokens.start..measure.tokens.end);
        let measured = measure.is(Class::Unit) || measure.is(Class::Counted);
        number.value.is_some() && asked && measured && !items.iter().any(claims) && licence::holds(self.shopper, phrase)
    }

    fn island(&self, item: &Item) -> Option<&Told<'_>> {
        match item.kind {
            ItemKind::Island(index) => self.told.get(index),
            _ => None,
        }
    }

    fn role(&self, item: &Item) -> Option<Role> {
        self.island(item).map(|told| told.span.role)
    }

    /// True when the one product of the sentence is the cheapest (or dearest) of all the draft names.
    fn compared(&self, items: &[Item], dearer: bool) -> bool {
        let mut names = items.iter().filter_map(|item| self.island(item)).filter(|told| told.span.role == Role::Name);
        let (Some(told), None) = (names.next(), names.next()) else { return false };
        let prices: Vec<(Currency, i64)> = self.named.iter().filter_map(|fact| price(fact)).collect();
        let own = price(told.fact);
        let one_currency = prices.iter().all(|price| Some(price.0) == own.map(|own| own.0));
        let best = if dearer { prices.iter().max() } else { prices.iter().min() };
        one_currency && prices.len() > 1 && best.copied() == own
    }

    /// True when all amounts are what orders cost: those are told as waiting for payment.
    fn due(&self, items: &[Item]) -> bool {
        items.iter().filter_map(|item| self.island(item)).all(|told| match told.span.role {
            Role::Price | Role::OldPrice => false,
            Role::Total => matches!(told.fact.body, FactBody::Order(_)),
            _ => true,
        })
    }

    fn lowest(&self, item: Option<&Item>) -> bool {
        let Some(own) = item.and_then(|item| self.island(item)).map(|told| told.fact) else { return false };
        let rivals = self.known.0.iter().filter(|fact| same_product(fact, Some(own))).filter_map(|fact| price(fact));
        rivals.min() == price(own)
    }
}

/// Words that change what an amount in their sentence means.
const CHANGING: u64 = Class::Negation.bit()
    | Class::Approx.bit()
    | Class::NumberLike.bit()
    | Class::Per.bit()
    | Class::Instalment.bit()
    | Class::Same.bit();

/// A draft with so many faults is refused; nobody needs the others.
const MOST_FAULTS: usize = 64;

/// Words beside which no number is the shopper's own.
const CLAIMING: u64 = Class::Terms.bit()
    | Class::Shipping.bit()
    | Class::Promise.bit()
    | Class::Stock.bit()
    | Class::Price.bit()
    | Class::Payment.bit()
    | Class::Discount.bit();

/// Words the checker of drafts looks at.
const TELLING: u64 = CHANGING
    | Class::Payment.bit()
    | Class::Slang.bit()
    | Class::Commit.bit()
    | Class::Zero.bit()
    | Class::Discount.bit()
    | Class::Compare.bit()
    | Class::Dearer.bit()
    | Class::Old.bit()
    | Class::From.bit();

/// A number, amount or sign that stands outside every span.
pub(super) fn bare(item: &Item) -> Option<(Code, &'static str)> {
    match &item.kind {
        ItemKind::Money(_) => Some((Code::UnboundPrice, "an amount outside every fact")),
        ItemKind::Number(number) if number.words => Some((Code::NumberWord, "a number outside every fact")),
        ItemKind::Number(_) => Some((Code::UnlicensedNumber, "a number outside every fact")),
        ItemKind::Pattern(form) if *form != Form::List => Some((Code::UnlicensedNumber, "a number outside every fact")),
        ItemKind::Percent(_) | ItemKind::Sign('%' | '‰') => Some((Code::Discount, "a percentage outside every fact")),
        ItemKind::Word if item.is(Class::Percent) => Some((Code::Discount, "a percentage outside every fact")),
        ItemKind::Currency => Some((Code::PriceTalk, "a currency outside every fact")),
        ItemKind::Mixed | ItemKind::Odd => Some((Code::MixedToken, "a word or sign that could hide a number")),
        _ => None,
    }
}
