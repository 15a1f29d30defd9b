//! What the plain texts of a ledger and the shopper's own message tell: days, lengths of time, amounts.
//! In: texts. Out: what to compare a reply with; each is read once for a text that is checked, and only when asked.

use crate::domain::{Language, Money};

use super::ledger::Ledger;
use super::lex;
use super::lexicon::{Class, Lexicon};
use super::money::{Amount, Item, ItemKind, Reading};
use super::norm;
use super::numeral::ONE;
use super::shape::{self, Form};

/// The shopper's numbers, with the currencies each may be in.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Vec<(i128, u64)>);

/// The days the texts of a ledger speak of: day and month.
pub(super) fn days(lexicon: &Lexicon, ledger: &Ledger, language: Language) -> Vec<(u8, u8)> {
    let of = |text: &String| reading(lexicon, (text, language), |reading| dates(lexicon, reading).collect::<Vec<_>>());
    ledger.texts.iter().flat_map(of).collect()
}

/// The times of day the texts of a ledger speak of: hour and minute.
pub(super) fn hours(lexicon: &Lexicon, ledger: &Ledger, language: Language) -> Vec<(u8, u8)> {
    let of = |text: &String| {
        reading(lexicon, (text, language), |reading| {
            let times = (0..reading.tokens.len()).filter_map(|at| match shape::find(reading, at, at) {
                Some((end, Form::Time)) => hour(reading.words(at..end)),
                _ => None,
            });
            times.collect::<Vec<_>>()
        })
    };
    ledger.texts.iter().flat_map(of).collect()
}

/// True when the texts of a ledger give a day or a length of time: another one is not theirs.
pub(super) fn times(lexicon: &Lexicon, ledger: &Ledger, language: Language) -> bool {
    let lasting = |pair: &[Item]| matches!(pair[0].kind, ItemKind::Number(_)) && pair[1].is(Class::Time);
    ledger.texts.iter().any(|text| {
        reading(lexicon, (text, language), |reading| {
            let items = reading.items(0..reading.tokens.len());
            items.windows(2).any(lasting) || dates(lexicon, reading).next().is_some()
        })
    })
}

fn dates(lexicon: &Lexicon, reading: &Reading<'_>) -> impl Iterator<Item = (u8, u8)> {
    (0..reading.tokens.len()).filter_map(move |at| match shape::find(reading, at, at) {
        Some((end, Form::Date)) => day(lexicon, reading.words(at..end)),
        _ => None,
    })
}

impl Said {
    /// Reads the shopper's message.
    pub fn read(lexicon: &Lexicon, message: &str, language: Language) -> Said {
        let mut said = Said::default();
        reading(lexicon, (message, language), |reading| {
            said.0.extend(reading.items(0..reading.tokens.len()).iter().filter_map(|item| match &item.kind {
                ItemKind::Money(said) => said.value.map(|value| (value, said.currencies)),
                ItemKind::Number(said) => said.value.map(|value| (value, u64::MAX)),
                _ => None,
            }));
        });
        said
    }

    /// True when the shopper named this very amount.
    pub fn names(&self, written: &Amount) -> bool {
        self.0.iter().any(|&(value, mask)| written.value == Some(value) && mask & written.currencies != 0)
    }

    /// True when the shopper named an amount of this currency, or a bare number, that is enough.
    pub fn covers(&self, price: Money, lexicon: &Lexicon) -> bool {
        let mask = lexicon.currency_mask(price.currency.code());
        let needed = i128::from(price.minor).checked_mul(ONE);
        let enough = |value: i128| {
            value.checked_mul(10_i128.pow(price.currency.exponent())).zip(needed).is_some_and(|(had, due)| had >= due)
        };
        self.0.iter().any(|&(value, currencies)| currencies & mask != 0 && enough(value))
    }
}

fn reading<T>(lexicon: &Lexicon, (text, language): (&str, Language), read: impl FnOnce(&Reading<'_>) -> T) -> T {
    let normal = norm::normalise(text, &[]);
    let tokens = lex::tokens(lexicon, &normal, language, &[]);
    read(&Reading::new(lexicon, (&normal.text, &tokens), language))
}

/// Day and month of a written date.
pub(super) fn day(lexicon: &Lexicon, written: &str) -> Option<(u8, u8)> {
    // A year is no `u8`.
    let parts = written.split(|sign: char| !sign.is_ascii_digit());
    let parts: Vec<u8> = parts.filter_map(|part| part.parse().ok()).collect();
    let from_year = written.bytes().take_while(u8::is_ascii_digit).count() == 4;
    match (lexicon.month_in(written), parts.as_slice()) {
        (Some(month), [day]) => Some((*day, month)),
        (None, [month, day]) if from_year || written.contains('月') => Some((*day, *month)),
        (None, [day, month]) => Some((*day, *month)),
        _ => None,
    }
}

/// Hour and minute of a written time of day; none of "24/7".
pub(super) fn hour(written: &str) -> Option<(u8, u8)> {
    let (hour, minute) = written.split_once(':')?;
    Some((hour.trim().parse().ok()?, minute.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::tests::GUARD;
    use crate::domain::Language;

    /// Where the facts give times, another one is refused; where they give none, it is not theirs to say.
    #[test]
    fn another_time_than_the_facts_have_is_refused() {
        const TERMS: &str = r#"[{"sku":"@policy:returns","name":"Returns","text":"You may return unworn goods within 21 days. The warranty is 18 months."}]"#;
        const HOURS: &str = r#"[{"sku":"@policy:delivery","name":"Delivery","text":"Orders placed before 14:00 leave the same day. We deliver from 9:00 to 20:00."}]"#;
        const ORDER: &str = r#"[{"sku":"@order:7","name":"order 7","text":"Order 7 arrives on 9 May."}]"#;
        let guard = &GUARD;
        let check = |language: Language, facts: &str, text: &str, expected: bool| {
            let found = guard.check_text(language, &Ledger::from_case(facts).unwrap(), text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        use Language::{En, Ru, Sk, Zh};
        check(En, TERMS, "You can send it back within 21 days.", true);
        check(En, TERMS, "You can send it back within 22 days.", false);
        check(En, TERMS, "Money is with you in 48 hours.", false);
        check(En, "[]", "The battery lasts 48 hours.", true);
        check(En, TERMS, "It takes a couple of days.", false);
        check(En, TERMS, "You have one month to send it back.", false);
        check(En, TERMS, "You have a month to return it.", false);
        check(En, TERMS, "Have a nice day!", true);
        check(En, TERMS, "A day at the sea!", true);
        check(En, "[]", "It takes a couple of days.", true);
        check(Ru, TERMS, "Деньги придут за пару дней.", false);
        check(Sk, TERMS, "Peniaze sú na účte do pár dní.", false);
        check(Zh, TERMS, "一个月之内都能退。", false);
        check(En, HOURS, "Order before 14:00.", true);
        check(En, HOURS, "Order before 16:00.", false);
        check(Ru, HOURS, "Привозим с 9:00 до 20:00.", true);
        check(Ru, HOURS, "Можем привезти и в 22:30.", false);
        check(En, "[]", "We open at 9:30.", true);
        check(En, ORDER, "It arrives on 9 May.", true);
        check(En, ORDER, "It arrives on 10 May.", false);
        check(En, ORDER, "It arrives on the ninth of May.", false);
        check(En, ORDER, "It may come first.", true);
        check(Ru, ORDER, "Прибудет девятого мая.", false);
        check(Sk, ORDER, "Príde deviateho mája.", false);
        check(Zh, ORDER, "五月十号到。", false);
        check(En, "[]", "We were founded on the ninth of May.", true);
    }

    #[test]
    fn another_measure_than_the_products_is_refused() {
        const JACKET: &str = r#"[{"sku":"J","name":"Gale rain jacket","price":"112","currency":"GBP","attrs":["420 g"]},
            {"sku":"K","name":"Squall rain jacket","price":"95","currency":"GBP"}]"#;
        let guard = &GUARD;
        let check = |text: &str, expected: bool| {
            let found = guard.check_text(Language::En, &Ledger::from_case(JACKET).unwrap(), text);
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
        };
        check("The Gale rain jacket weighs 420 g.", true);
        check("The Gale rain jacket weighs 240 g.", false);
        check("It weighs 240 g.", false);
        check("It weighs 420 g.", true);
        check("The Squall rain jacket weighs 240 g.", true);
        check("The Gale rain jacket is 60 cm long.", true);
    }
}
