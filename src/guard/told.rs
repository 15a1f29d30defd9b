//! What the plain texts of a ledger and the shopper's own message tell: days, lengths of time, amounts.
//! In: texts. Out: what to compare a reply with; it is read once for each text that is checked, and only when asked.

use crate::domain::Language;

use super::ledger::Ledger;
use super::lex;
use super::lexicon::{Class, Lexicon};
use super::money::{Amount, Item, ItemKind, Reading};
use super::norm;
use super::shape::{self, Form};

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The days the facts' texts speak of: day and month.
    pub days: Vec<(u8, u8)>,
    /// True when they give a day or a length of time: another one is not theirs.
    pub times: bool,
    /// The shopper's numbers, with the currencies each may be in.
    said: Vec<(i128, u64)>,
}

impl Told {
    /// Reads the texts of a ledger.
    pub fn read(lexicon: &Lexicon, ledger: &Ledger, language: Language) -> Told {
        let mut told = Told::default();
        for text in &ledger.texts {
            items(lexicon, (text, language), |reading, items| {
                let days = (0..reading.tokens.len()).filter_map(|at| match shape::find(reading, at, at) {
                    Some((end, Form::Date)) => day(lexicon, reading.words(at..end)),
                    _ => None,
                });
                told.days.extend(days);
                let lasting = |pair: &[Item]| matches!(pair[0].kind, ItemKind::Number(_)) && pair[1].is(Class::Time);
                told.times |= items.windows(2).any(lasting);
            });
        }
        told.times |= !told.days.is_empty();
        items(lexicon, (&ledger.shopper, language), |_, items| {
            told.said.extend(items.iter().filter_map(|item| match &item.kind {
                ItemKind::Money(said) => said.value.map(|value| (value, said.currencies)),
                ItemKind::Number(said) => said.value.map(|value| (value, u64::MAX)),
                _ => None,
            }));
        });
        told
    }

    /// True when the shopper named this very amount.
    pub fn said(&self, written: &Amount) -> bool {
        self.said.iter().any(|&(value, mask)| written.value == Some(value) && mask & written.currencies != 0)
    }
}

fn items(lexicon: &Lexicon, (text, language): (&str, Language), read: impl FnOnce(&Reading<'_>, &[Item])) {
    let normal = norm::normalise(text, &[]);
    let tokens = lex::tokens(lexicon, &normal, language, &[]);
    let reading = Reading::new(lexicon, (&normal.text, &tokens), language);
    read(&reading, &reading.items(0..tokens.len()));
}

/// Day and month of a written date.
pub(super) fn day(lexicon: &Lexicon, written: &str) -> Option<(u8, u8)> {
    let parts = written.split(|sign: char| !sign.is_ascii_digit()).filter(|part| !part.is_empty() && part.len() <= 2);
    let parts: Vec<u8> = parts.filter_map(|part| part.parse().ok()).collect();
    let from_year = written.bytes().take_while(u8::is_ascii_digit).count() == 4;
    match (lexicon.month_in(written), parts.as_slice()) {
        (Some(month), [day]) => Some((*day, month)),
        (None, [month, day]) if from_year || written.contains('月') => Some((*day, *month)),
        (None, [day, month]) => Some((*day, *month)),
        _ => None,
    }
}
