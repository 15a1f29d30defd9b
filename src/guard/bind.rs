//! Who an amount belongs to: product, delivery, total, instalment or the shopper's own budget, within one sentence.
//! Nothing is carried from sentence to sentence but a bare pronoun; beside an amount only neutral words may stand.

use crate::domain::Money;

use super::alias::Part;
use super::ledger::{Row, RowKind};
use super::lexicon::{Class, is_han};
use super::licence::holds;
use super::money::{Amount, Item, ItemKind};
use super::sentence::Sentence;
use super::text::{Checker, Fault};
use super::verdict::Code;

/// What the words before an amount speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Row(usize),
    Kind(RowKind),
    Budget,
}

/// Checks every amount of a sentence.
pub(super) fn amounts(checker: &Checker<'_>, sentence: &Sentence<'_>) -> Result<(), Fault> {
    let at: Vec<usize> = (0..sentence.items.len()).filter(|&index| amount(&sentence.items[index]).is_some()).collect();
    if at.is_empty() {
        return Ok(());
    }
    let names = sentence.names().count();
    let compared = sentence.first(Class::Compare).or(sentence.first(Class::Dearer));
    if let Some(word) = compared.filter(|_| names > at.len()) {
        return Err(sentence.fault(Code::Comparison, word, "a difference no fact holds"));
    }
    if let Some(&index) = at.iter().find(|&&index| sentence.in_stock(index)) {
        return Err(sentence.fault(Code::RoleMismatch, index, "an amount of money told as a count"));
    }
    if let Some(&index) = at.iter().find(|&&index| sentence.limited(index)) {
        return Err(sentence.fault(Code::PriceTalk, index, "a limit where the amount itself should stand"));
    }
    claims(checker, sentence, &at)?;
    neighbours(checker, sentence)
}

/// What each amount is said of, and whether a fact says so.
fn claims(checker: &Checker<'_>, sentence: &Sentence<'_>, at: &[usize]) -> Result<(), Fault> {
    let names = sentence.names();
    let last = at.last().copied().unwrap_or_default();
    // One that was named before too is spoken of again: "A at 10, B at 20; A is the warmer one".
    let before = || names.clone().filter(|name| *name < last);
    let alone = |name: &usize| before().all(|other| row(sentence, other) != row(sentence, *name));
    let dangling = names.clone().filter(|name| *name > last).find(alone);
    if let Some(dangling) = dangling.filter(|_| before().next().is_some()) {
        return Err(sentence.fault(Code::UnboundPrice, dangling, "a product without an amount after another's amount"));
    }
    let paired = sentence.has(Class::Respectively)
        && names.clone().count() == at.len()
        && names.clone().next_back() < at.first().copied();
    let mut order = names.filter(|_| paired);
    for &index in at {
        let subject = match order.next() {
            Some(name) => row(sentence, name),
            None => subject(checker, sentence, index)?,
        };
        let Some(subject) = subject else {
            if ranged(checker, sentence, at) {
                return Ok(());
            }
            return Err(sentence.fault(Code::UnboundPrice, index, "no product of the facts stands before this amount"));
        };
        matches(checker, sentence, index, subject)?;
    }
    Ok(())
}

fn amount(item: &Item) -> Option<&Amount> {
    match &item.kind {
        ItemKind::Money(amount) => Some(amount),
        _ => None,
    }
}

fn row(sentence: &Sentence<'_>, index: usize) -> Option<Subject> {
    match sentence.items[index].kind {
        ItemKind::Name(row) => Some(Subject::Row(row)),
        _ => None,
    }
}

/// Words that may stand beside an amount; any other could turn a true price into a false claim.
const HARMLESS: u64 = Class::Neutral.bit()
    | Class::Benign.bit()
    | Class::Shipping.bit()
    | Class::Total.bit()
    | Class::Budget.bit()
    | Class::Old.bit()
    | Class::From.bit()
    | Class::To.bit()
    | Class::Respectively.bit()
    | Class::Instalment.bit()
    | Class::Per.bit()
    | Class::Zero.bit()
    | Class::Discount.bit()
    | Class::Stock.bit()
    | Class::Asked.bit();

fn neighbours(checker: &Checker<'_>, sentence: &Sentence<'_>) -> Result<(), Fault> {
    let refused = refusal(checker, sentence).unwrap_or(0);
    for (index, item) in sentence.items.iter().enumerate() {
        // "I cannot change the price": what stands before the sign claims nothing of the amounts behind it.
        if index < refused && (item.bits == 0 || item.is(Class::Negation) || item.is(Class::Haggle)) {
            continue;
        }
        let found = match &item.kind {
            ItemKind::Word => neighbour(checker, sentence, index),
            ItemKind::Sign('~' | '≈' | '±' | '<' | '>' | '≤' | '≥' | '+') => {
                Some((Code::PriceTalk, "a sign that changes the amount"))
            }
            _ => None,
        };
        if let Some((code, why)) = found {
            return Err(sentence.fault(code, index, why));
        }
    }
    Ok(())
}

/// What a word does to the amounts of its sentence.
fn neighbour(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize) -> Option<(Code, &'static str)> {
    let item = &sentence.items[index];
    if item.is(Class::Adds) && sentence.adds_shipping(index) {
        None
    } else if item.is(Class::Negation) && !sentence.followed_by(index, Class::Budget) {
        // "Does not fit your budget of 80" takes nothing from either amount.
        Some((Code::PriceTalk, "a negation beside an amount"))
    } else if item.is(Class::Approx) {
        Some((Code::PriceMismatch, "an approximate amount"))
    } else if item.bits & Class::NumberLike.bit() != 0 {
        // Also where the word is harmless by itself: "both are here", but not "24.90 for both".
        Some((Code::PriceTalk, "a share of an amount"))
    } else if item.is(Class::Changing) {
        Some((Code::PriceTalk, "a tax, a condition or another time beside an amount"))
    } else if item.bits & HARMLESS != 0
        || item.is(Class::Negation)
        // True or not, the rule of comparisons says.
        || item.is(Class::Compare)
        || item.is(Class::Dearer)
    {
        None
    } else if item.is(Class::Same) {
        Some((Code::Comparison, "a comparison beside an amount"))
    } else if item.is(Class::Promise) && sentence.has(Class::Zero) && sentence.nameless() {
        // "From 50 on we deliver free of charge": what is free, the rule of free things says.
        None
    } else if item.is(Class::Payment) && index.checked_sub(1).is_some_and(|at| sentence.items[at].is(Class::Instalment))
    {
        // "Monthly payments of 80."
        None
    } else if item.is(Class::Payment) {
        Some((Code::RoleMismatch, "an amount told as another payment"))
    } else if item.bits == 0 && sentence.behind_name(index).is_some_and(|row| !checker.names(row, item)) {
        Some((Code::UnboundPrice, "another thing than the one named: the amount may be its own"))
    } else if sentence.after_number(index)
        || checker.ledger_word(item)
        || sold_by(checker, sentence, item)
        || describes(checker, sentence, index)
        || (item.bits & !Class::Counted.bit() == 0 && sentence.recommends(index))
    {
        None
    } else if item.bits == 0 {
        Some((Code::UnboundPrice, "an unknown word: the amount may be another thing's"))
    } else {
        Some((Code::PriceTalk, "a word that could change what the amount means"))
    }
}

/// "Sold by the metre", where that is what the price is for.
fn sold_by(checker: &Checker<'_>, sentence: &Sentence<'_>, item: &Item) -> bool {
    let word = sentence.reading.words(item.tokens.clone());
    item.is(Class::Unit) && checker.rows().filter_map(|row| row.per.as_deref()).any(|per| measured(checker, per, word))
}

/// "Width 150 cm" behind the amounts: a word beside a number that is an attribute of the facts.
fn describes(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize) -> bool {
    let attribute = |at: usize| match sentence.items.get(at).map(|item| &item.kind) {
        Some(ItemKind::Number(number)) => {
            let written = sentence.reading.words(number.tokens.clone());
            checker.rows().any(|row| row.attributes.iter().any(|known| holds(known, written)))
        }
        _ => false,
    };
    let measure = |at: usize| sentence.items[at].is(Class::Unit);
    let beside = attribute(index + 1) || (index > 1 && measure(index - 1) && attribute(index - 2));
    beside && sentence.items[index].bits == 0 && sentence.items[index..].iter().all(|item| amount(item).is_none())
}

/// Where a refusal to haggle ends.
pub(super) fn refusal(checker: &Checker<'_>, sentence: &Sentence<'_>) -> Option<usize> {
    let theirs = |index: usize| amount(&sentence.items[index]).is_some_and(|own| checker.shopper_said(own));
    if sentence.has(Class::Negation) { sentence.refusal(theirs) } else { None }
}

/// The nearest thing named before the amount; else the only product after it; else the one a pronoun stands for.
fn subject(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize) -> Result<Option<Subject>, Fault> {
    if checker.theirs(sentence, index) || refusal(checker, sentence).is_some_and(|end| index < end) {
        return Ok(Some(Subject::Budget));
    }
    if sentence.added(index) || sentence.then_shipping(index) {
        return Ok(Some(Subject::Kind(RowKind::Shipping)));
    }
    let Before { found, waiting, several } = before(checker, sentence, index);
    let product = matches!(found, Some(Subject::Row(_)));
    if sentence.budget_behind(index) && (!waiting || sentence.yours_before(index)) {
        return Ok(Some(Subject::Budget));
    }
    if several && product {
        return Err(sentence.fault(Code::UnboundPrice, index, "two products stand before one amount"));
    }
    if waiting && sentence.joined_shipping(index) {
        return Err(sentence.fault(Code::PriceMismatch, index, "a product with delivery: a sum no fact holds"));
    }
    if product && waiting && sentence.shipped(index) {
        // "The kettle with delivery 27.80" is a sum; "delivery of the kettle 5" is the delivery's.
        return Ok(Some(Subject::Kind(RowKind::Shipping)));
    }
    Ok(found.or_else(|| behind(checker, sentence, index)))
}

/// What stands before an amount.
struct Before {
    /// What was named last.
    found: Option<Subject>,
    /// True when a product's amount is still to come.
    waiting: bool,
    /// True when those of two products are.
    several: bool,
}

fn before(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize) -> Before {
    let (mut found, mut waiting, mut several) = (None, None, false);
    for item in &sentence.items[..index] {
        match item.kind {
            ItemKind::Name(row) if checker.row(row).is_some_and(|row| row.kind == RowKind::Product) => {
                found = Some(Subject::Row(row));
                several |= waiting.replace(row).is_some_and(|other| other != row);
            }
            ItemKind::Money(_) => (waiting, several) = (None, false),
            ItemKind::Word if item.is(Class::Total) => found = Some(Subject::Kind(RowKind::Total)),
            ItemKind::Word if item.is(Class::Budget) => found = Some(Subject::Budget),
            ItemKind::Word if item.is(Class::Shipping) => found = Some(Subject::Kind(RowKind::Shipping)),
            _ => {}
        }
    }
    Before { found, waiting: waiting.is_some(), several }
}

/// What an amount before which nothing is named belongs to.
fn behind(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize) -> Option<Subject> {
    // "Over 50 the delivery is free": the threshold stands first.
    if sentence.has(Class::Zero) && sentence.from_before(index) && sentence.nameless() {
        return Some(Subject::Kind(RowKind::Shipping));
    }
    if sentence.then_priced(index) && amount(&sentence.items[index]).is_some_and(|own| checker.shopper_said(own)) {
        return Some(Subject::Budget);
    }
    let mut after = sentence.names().filter_map(|index| row(sentence, index));
    match after.next() {
        Some(only) => after.all(|other| other == only).then_some(only),
        None => sentence.focus.map(Subject::Row),
    }
}

fn matches(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize, subject: Subject) -> Result<(), Fault> {
    let Some(written) = amount(&sentence.items[index]) else { return Ok(()) };
    let fail = |code: Code, why: &str| Err(sentence.fault(code, index, why));
    let equal =
        |money: Option<Money>| money.map_or(Err(Code::RoleMismatch), |money| written.equals(money, checker.lexicon));
    match subject {
        Subject::Budget if checker.shopper_said(written) => Ok(()),
        Subject::Budget => fail(Code::PriceMismatch, "the shopper named no such amount"),
        Subject::Kind(kind) => {
            let free = kind == RowKind::Shipping && sentence.threshold(index);
            let kind = if free { RowKind::FreeFrom } else { kind };
            let mut rows = checker.rows().filter(|row| row.kind == kind).peekable();
            if rows.peek().is_none() {
                return fail(Code::UnboundPrice, "no fact of this kind");
            }
            let mut last = Err(Code::PriceMismatch);
            for row in rows {
                last = equal(row.now);
                if last.is_ok() {
                    break;
                }
            }
            last.or_else(|code| fail(code, "not the amount of the fact"))
        }
        Subject::Row(number) => {
            let Some(row) = checker.row(number) else { return fail(Code::UnboundPrice, "no such product") };
            product(checker, sentence, index, row)
        }
    }
}

/// An amount said of a product: its price, its old price, or its instalment, for the fact's own unit.
fn product(checker: &Checker<'_>, sentence: &Sentence<'_>, index: usize, row: &Row) -> Result<(), Fault> {
    let Some(written) = amount(&sentence.items[index]) else { return Ok(()) };
    let fail = |code: Code, why: &str| Err(sentence.fault(code, index, why));
    let equal =
        |money: Option<Money>| money.map_or(Err(Code::RoleMismatch), |money| written.equals(money, checker.lexicon));
    if row.kind == RowKind::Promo {
        return fail(Code::Discount, "a promotion has no amount of its own");
    }
    if sentence.instalment_near(index) {
        let plan = checker
            .rows()
            .find(|plan| plan.kind == RowKind::Instalment && (plan.code == row.code || row.code.is_empty()));
        let whole = equal(row.now).is_ok();
        return equal(plan.and_then(|plan| plan.now))
            .or_else(|code| fail(if whole { Code::RoleMismatch } else { code }, "not the instalment of the fact"));
    }
    let reduction = sentence.reduction();
    if reduction.is_some_and(|(before, _)| before == index) {
        return equal(row.old).or_else(|code| fail(code, "not the price before the reduction"));
    }
    if sentence.from_before(index) && reduction.is_none() {
        let code = if equal(row.now).is_ok() { Code::PriceTalk } else { Code::PriceMismatch };
        return fail(code, "a range that is not the product's price");
    }
    if sentence.old_before(index) {
        return equal(row.old).or_else(|code| fail(code, "not the price before the reduction"));
    }
    if !sentence.each(index) && whole(checker, sentence, row).is_some_and(|total| equal(Some(total)).is_ok()) {
        return Ok(());
    }
    if let Err(code) = equal(row.now) {
        let plans = checker.rows().filter(|plan| plan.kind == RowKind::Instalment && plan.code == row.code);
        let other = plans.map(|plan| plan.now).chain([row.old]).any(|money| equal(money).is_ok());
        let code = if other { Code::RoleMismatch } else { code };
        return fail(code, "not the price of this product");
    }
    if let Some(counted) = sentence.counted(checker, row).filter(|_| !sentence.each(index)) {
        return Err(sentence.fault(Code::UnitMismatch, counted, "the price of one told for another number"));
    }
    unit(checker, sentence, row).or_else(|why| fail(Code::UnitMismatch, why))
}

/// What so many of a product come to, when the sentence counts them and the facts' total is just that.
fn whole(checker: &Checker<'_>, sentence: &Sentence<'_>, row: &Row) -> Option<Money> {
    let (count, now) = (row.quantity.filter(|count| *count > 1 && sentence.counts(*count))?, row.now?);
    let total = Money::new(now.minor.checked_mul(i64::from(count))?, now.currency);
    checker.rows().any(|row| row.kind == RowKind::Total && row.now == Some(total)).then_some(total)
}

fn unit(checker: &Checker<'_>, sentence: &Sentence<'_>, row: &Row) -> Result<(), &'static str> {
    let per = sentence.per_words(checker);
    match (&row.per, per) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("the fact's price is for one piece"),
        (Some(_), None) => Err("the fact's price is for a measure the sentence does not name"),
        (Some(known), Some(words)) if measured(checker, known, words) => Ok(()),
        (Some(_), Some(_)) => Err("another unit than the fact's"),
    }
}

/// True when `words` hold the unit of `known`, as `1 kg`.
fn measured(checker: &Checker<'_>, known: &str, words: &str) -> bool {
    let unit = known.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '.' | ','));
    let same = |word: &str| checker.lexicon.units.same(word, unit);
    // A unit no table knows, as a box of something.
    let other = || unit.starts_with(is_han) && words.contains(unit);
    let own = |word: &str| same(word) || Part::new(unit).is(word);
    words.split(|c: char| !c.is_alphanumeric()).any(own) || checker.lexicon.units.within(words).map_or_else(other, same)
}

/// `from 14 990 to 19 990` over all products: the true lowest and highest, nothing else.
fn ranged(checker: &Checker<'_>, sentence: &Sentence<'_>, at: &[usize]) -> bool {
    let prices: Vec<Money> =
        checker.rows().filter(|row| row.kind == RowKind::Product).filter_map(|row| row.now).collect();
    let (Some(low), Some(high)) =
        (prices.iter().min_by_key(|money| money.minor), prices.iter().max_by_key(|money| money.minor))
    else {
        return false;
    };
    let one_currency = prices.iter().all(|money| money.currency == low.currency);
    let is = |index: usize, money: &Money| {
        amount(&sentence.items[index]).is_some_and(|amount| amount.equals(*money, checker.lexicon).is_ok())
    };
    let plain = one_currency && sentence.nameless() && !sentence.has(Class::Shipping);
    plain
        && match at {
            [first, second] => sentence.from_before(*first) && is(*first, low) && is(*second, high),
            [only] => sentence.from_before(*only) && !sentence.has(Class::To) && is(*only, low),
            _ => false,
        }
}
