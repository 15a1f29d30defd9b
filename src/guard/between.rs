//! The words of a draft between its spans: they may hold no number, currency or percentage, no claim the spans beside
//! them do not carry, and no word that changes what these mean. In: a segment with its facts. Out: its faults.

use std::ops::Range;

use crate::domain::{Currency, FactBody, Role};

use super::draft::{Fault, Part, Told};
use super::lex;
use super::lexicon::Class;
use super::licence;
use super::money::{Item, ItemKind, Reading};
use super::norm;
use super::product::{price, same_product};
use super::shape::Form;
use super::text;
use super::verdict::Code;

impl Part<'_> {
    /// The words between the spans.
    pub(super) fn between(&self) -> Vec<Fault> {
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
