//! Numbers that are no prices: phones, times, dates, ratings by closed patterns; numbers of facts and of policies;
//! and what the rows of `data/guard/allow.toml` let stand. Any other is refused.

use std::ops::Range;

use super::allowed::Licence;
use super::ledger::{Ledger, RowKind};
use super::lex::{Kind, Token};
use super::lexicon::Class;
use super::money::{Item, ItemKind, Reading};
use super::numeral::{Numeral, ONE};

/// The end of a phone, time, date, rating or list number that begins at token `at`.
pub(super) fn pattern(reading: &Reading<'_>, at: usize, sentence: &Range<usize>) -> Option<usize> {
    let token = &reading.tokens[at];
    if !matches!(token.kind, Kind::Figures | Kind::Sign('+')) {
        return None;
    }
    let end = phone(reading, at, sentence)
        .or_else(|| clock(reading, at))
        .or_else(|| date(reading, at))
        .or_else(|| rating(reading, at))
        .or_else(|| list_number(reading, at, sentence))?;
    let touches = |index: Option<usize>| {
        index.and_then(|index| reading.tokens.get(index)).is_some_and(|token| {
            [Class::Currency, Class::Minor, Class::Percent, Class::Short].iter().any(|&class| token.is(class))
        })
    };
    (end <= sentence.end && !touches(at.checked_sub(1)) && !touches(Some(end))).then_some(end)
}

fn digits(reading: &Reading<'_>, at: usize) -> Option<u32> {
    let token = reading.tokens.get(at).filter(|token| token.kind == Kind::Figures)?;
    let written = &reading.text[token.range()];
    (written.len() <= 4).then(|| written.parse().ok())?
}

fn sign(reading: &Reading<'_>, at: usize, signs: &str) -> bool {
    matches!(reading.tokens.get(at).map(|token| &token.kind), Some(Kind::Sign(sign)) if signs.contains(*sign))
}

/// Nine to fifteen figures in groups, with a plus or a zero in front, or a word for calling.
fn phone(reading: &Reading<'_>, at: usize, sentence: &Range<usize>) -> Option<usize> {
    let called = (sentence.start..at).rev().take(4).any(|index| reading.tokens[index].is(Class::Phone));
    let first = &reading.text[reading.tokens[at].range()];
    if !(first.starts_with(['+', '0']) || called) {
        return None;
    }
    let (mut end, mut figures, mut index) = (at, 0, at);
    while let Some(token) = reading.tokens.get(index).filter(|_| index < sentence.end) {
        match token.kind {
            Kind::Figures => {
                let written = &reading.text[token.range()];
                if written.contains(['.', ',']) {
                    break;
                }
                figures += written.bytes().filter(u8::is_ascii_digit).count();
                end = index + 1;
            }
            Kind::Sign('-' | '/' | '(' | ')' | '+') => {}
            _ => break,
        }
        index += 1;
    }
    (9..=15).contains(&figures).then_some(end)
}

/// `9:00`, `18:30`, `24/7`.
fn clock(reading: &Reading<'_>, at: usize) -> Option<usize> {
    let hour = digits(reading, at)?;
    let minute = digits(reading, at + 2)?;
    let text = reading.words(at + 2..at + 3);
    let time = sign(reading, at + 1, ":") && hour <= 24 && minute < 60 && text.len() == 2;
    let always = sign(reading, at + 1, "/") && hour == 24 && minute == 7;
    (time || always).then_some(at + 3)
}

/// `25.12.`, `21.11.2026`, `2026-11-21`, `25 декабря 2026`, `11月21日`.
fn date(reading: &Reading<'_>, at: usize) -> Option<usize> {
    let written = reading.words(at..at + 1);
    let next = reading.tokens.get(at + 1);
    let follows = next.is_some_and(|next| next.is(Class::Month) || matches!(next.kind, Kind::Sign(_)));
    if !follows && !written.contains('.') {
        return None;
    }
    let year = |year: u32| (2000..2100).contains(&year);
    let mut parts = written.split('.').map(|part| part.parse::<u32>().ok());
    if let (Some(Some(1..=31)), Some(Some(1..=12)), rest, None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        return match rest {
            Some(Some(full)) if year(full) => Some(at + 1),
            None if sign(reading, at + 1, ".") => Some(at + 2),
            _ => None,
        };
    }
    let first = digits(reading, at)?;
    if year(first) && sign(reading, at + 1, "-/") && sign(reading, at + 3, "-/") {
        let (month, day) = (digits(reading, at + 2)?, digits(reading, at + 4)?);
        return (month <= 12 && day <= 31).then_some(at + 5);
    }
    let dot = usize::from(sign(reading, at + 1, "."));
    let month = reading.tokens.get(at + 1 + dot).filter(|token| token.is(Class::Month) && first <= 31)?;
    let end = at + 2 + dot;
    if month.is(Class::Time) && dot == 0 && next == Some(month) && reading.words(at + 1..at + 2) == "月" {
        let day = digits(reading, end).is_some_and(|day| day <= 31);
        let closed = matches!(reading.words(end + 1..end + 2), "日" | "号");
        return Some(if day && closed { end + 2 } else { end });
    }
    Some(if digits(reading, end).is_some_and(year) { end + 1 } else { end })
}

/// `4.8/5`, `4,8 из 5`.
fn rating(reading: &Reading<'_>, at: usize) -> Option<usize> {
    let best = digits(reading, at + 2).filter(|best| *best == 5 || *best == 10)?;
    let joined = sign(reading, at + 1, "/") || reading.tokens.get(at + 1).is_some_and(|token| token.is(Class::Rating));
    let written = reading.words(at..at + 1).replace(',', ".");
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let fits = whole.parse::<u32>().is_ok_and(|whole| whole <= best) && fraction.len() <= 1;
    (joined && fits).then_some(at + 3)
}

/// `1.` or `2)` at the start of a line.
fn list_number(reading: &Reading<'_>, at: usize, sentence: &Range<usize>) -> Option<usize> {
    let starts = at == sentence.start && (at == 0 || reading.tokens[at - 1].kind == Kind::Newline);
    let small = digits(reading, at).is_some_and(|number| (1..=30).contains(&number));
    let closed = sign(reading, at + 1, ".)") && reading.tokens.get(at + 2).is_some_and(|next: &Token| next.spaced);
    (starts && small && closed).then_some(at + 2)
}

/// The sentence a number stands in.
pub(super) struct Around<'a> {
    /// Its items.
    pub items: &'a [Item],
    /// Which of them the number is.
    pub index: usize,
    /// True when the sentence speaks of prices or holds an amount.
    pub priced: bool,
    /// What lets a number stand without a fact.
    pub licences: &'a [Licence],
}

/// True when something in the ledger or beside the number lets it stand.
pub(super) fn licensed(reading: &Reading<'_>, ledger: &Ledger, number: &Numeral, around: &Around<'_>) -> bool {
    let Some(value) = number.value else { return false };
    let written = reading.words(number.tokens.clone());
    let after = around.items.get(around.index + 1);
    let names = || {
        around.items.iter().filter_map(|item| match item.kind {
            ItemKind::Name(row) => Some(row),
            _ => None,
        })
    };
    let attribute = names().filter_map(|row| ledger.rows.get(row)).any(|row| {
        row.attributes.iter().any(|known| holds(known, written))
            || row.quantity.is_some_and(|quantity| i128::from(quantity) * ONE == value)
    });
    let months = ledger.rows.iter().any(|row| {
        row.kind == RowKind::Instalment && row.months.is_some_and(|months| i128::from(months) * ONE == value)
    });
    if attribute || (months && around.priced) || (around.priced && per_unit(ledger, value, after)) {
        return true;
    }
    if around.priced {
        return value == ONE && after.is_some_and(|item| item.is(Class::Counted));
    }
    if quoted(reading, ledger, number, after) {
        return true;
    }
    let has = |class: Class| around.items.iter().any(|item| item.is(class));
    let counted = after.is_some_and(|item| item.is(Class::Counted));
    if ledger.complete && has(Class::Stock) && counted {
        return names()
            .filter_map(|row| ledger.rows.get(row))
            .any(|row| row.stock.iter().any(|&count| i128::from(count) * ONE == value));
    }
    let promised = ledger.complete && (has(Class::Shipping) || has(Class::Promise));
    let terms = promised || has(Class::Terms);
    around.licences.iter().any(|licence| licence.allows(reading, (number, around), terms))
}

fn per_unit(ledger: &Ledger, value: i128, after: Option<&Item>) -> bool {
    let measured = after.is_some_and(|item| item.is(Class::Unit));
    measured && value == ONE && ledger.rows.iter().any(|row| row.per.as_deref().is_some_and(|per| per.starts_with('1')))
}

/// True when `known` holds `written` as a whole number.
pub(super) fn holds(known: &str, written: &str) -> bool {
    known.match_indices(written).any(|(at, _)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !digit(known[..at].chars().next_back()) && !digit(known[at + written.len()..].chars().next())
    })
}

/// True when the shopper, a policy or a heading has the same number before the same word.
fn quoted(reading: &Reading<'_>, ledger: &Ledger, number: &Numeral, after: Option<&Item>) -> bool {
    let end = after.map_or(number.tokens.end, |item| item.tokens.end);
    let phrase = reading.words(number.tokens.start..end);
    ledger.texts.iter().any(|text| holds(text, phrase))
}
