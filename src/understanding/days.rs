//! A day as a shopper writes it, by rule alone. In: the words of `data/rules/days.toml`, a message and the shop's day. Out: the day that
//! is meant, when exactly one is; or that the message is about a day at all.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::folded::{Lexicon, fold, is_han};
use crate::domain::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: BTreeMap<Language, Vec<String>>,
    months: BTreeMap<Language, Vec<Vec<String>>>,
    weekdays: BTreeMap<Language, Vec<Vec<String>>>,
    ahead: BTreeMap<Language, BTreeMap<String, i32>>,
}

/// The compiled words.
pub struct DayWords {
    about: Lexicon<()>,
    months: Lexicon<i8>,
    weekdays: Lexicon<i8>,
    ahead: Lexicon<i32>,
}

impl DayWords {
    /// Reads `data/rules/days.toml`.
    ///
    /// # Errors
    /// Not its shape, with the line.
    pub fn parse(text: &str) -> Result<DayWords, toml::de::Error> {
        let Raw { about, months, weekdays, ahead } = toml::from_str(text)?;
        let about = about.into_values().flatten().map(|word| (word, ()));
        Ok(DayWords {
            about: Lexicon::new(about),
            months: Lexicon::new(counted(months)),
            weekdays: Lexicon::new(counted(weekdays)),
            ahead: Lexicon::new(ahead.into_values().flatten()),
        })
    }

    /// True when the message is about the day of something.
    pub fn about(&self, text: &str) -> bool {
        !self.about.find(&fold(text)).is_empty()
    }

    /// The one day that is meant; none when there are several, or none that the calendar knows.
    pub fn day(&self, text: &str, today: Date) -> Option<Date> {
        let folded = fold(text);
        let mut days = dotted(&folded, today);
        days.extend(chinese(&folded, today));
        days.extend(self.month_named(&folded, today));
        if days.is_empty() {
            days.extend(self.ahead.find(&folded).iter().filter_map(|hit| today.checked_add(hit.value.days()).ok()));
        }
        if days.is_empty() {
            days.extend(self.weekdays.find(&folded).iter().filter_map(|hit| next(*hit.value, today)));
        }
        days.dedup();
        <[Date; 1]>::try_from(days).ok().map(|[day]| day)
    }

    /// "2 December", "December 2nd".
    fn month_named(&self, folded: &str, today: Date) -> Vec<Date> {
        let of = |hit: &super::folded::Hit<'_, i8>| {
            let (before, after) = (folded[..hit.range.start].trim_end(), folded[hit.range.end..].trim_start());
            let last = before.rsplit(' ').next().and_then(number);
            let day = last.or_else(|| after.split(' ').next().and_then(number))?;
            coming((day, *hit.value), None, today)
        };
        self.months.find(folded).iter().filter_map(of).collect()
    }
}

fn counted(lists: BTreeMap<Language, Vec<Vec<String>>>) -> Vec<(String, i8)> {
    let rows = lists.into_values().flat_map(|rows| rows.into_iter().zip(1_i8..));
    rows.flat_map(|(forms, place)| forms.into_iter().map(move |form| (form, place))).collect()
}

/// A day of a month: `2`, `2nd`, `2-го`.
fn number(word: &str) -> Option<i8> {
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let ending = &word[digits..];
    let known = ["", "st", "nd", "rd", "th", "-го", "-е", "го"].contains(&ending);
    word[..digits].parse().ok().filter(|day| known && (1..=31).contains(day))
}

/// `2026-12-02`, `2.12`, `2.12.2026`.
fn dotted(folded: &str, today: Date) -> Vec<Date> {
    let read = |word: &str| {
        if let Ok(day) = word.parse::<Date>() {
            return (word.len() == 10).then_some(day);
        }
        let parts: Vec<&str> = word.split('.').collect();
        let (day, month, year) = match parts.as_slice() {
            [day, month] => (day, month, None),
            [day, month, year] if year.len() == 4 => (day, month, Some(year.parse().ok()?)),
            _ => return None,
        };
        coming((number(day)?, month.parse().ok()?), year, today)
    };
    folded.split(|c: char| c == ' ' || is_han(c)).filter_map(read).collect()
}

/// `12月2日`.
fn chinese(folded: &str, today: Date) -> Vec<Date> {
    let mut found = Vec::new();
    for (at, _) in folded.match_indices('月') {
        let before = folded[..at].trim_end();
        let start = before
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |end| end + before[end..].chars().next().map_or(1, char::len_utf8));
        let after = folded[at + '月'.len_utf8()..].trim_start();
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let read = || coming((after[..end].parse().ok()?, before[start..].parse().ok()?), None, today);
        found.extend(read());
    }
    found
}

/// That day of this year, or of the next when it is over.
fn coming((day, month): (i8, i8), year: Option<i16>, today: Date) -> Option<Date> {
    let of = |year: i16| Date::new(year, month, day).ok();
    match year {
        Some(year) => of(year),
        None => of(today.year()).filter(|day| *day >= today).or_else(|| of(today.year() + 1)),
    }
}

fn next(weekday: i8, today: Date) -> Option<Date> {
    today.nth_weekday(1, Weekday::from_monday_one_offset(weekday).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn check(text: &str, expected: Option<Date>) {
        let words = DayWords::parse(include_str!("../../data/rules/days.toml")).unwrap();
        // A Monday.
        assert_eq!(words.day(text, date(2026, 11, 23)), expected, "{text}");
    }

    #[test]
    fn days_are_read_in_every_language() {
        let day = Some(date(2026, 12, 2));
        for text in [
            "please deliver TT-10455 on 2 December",
            "December 2nd would be better",
            "на 2 декабря, пожалуйста",
            "2-го декабря",
            "radšej 2. decembra",
            "2.12.",
            "2.12.2026",
            "2026-12-02",
            "能改到12月2日送货吗？",
        ] {
            check(text, day);
        }
        for text in ["on Friday", "в пятницу", "v piatok", "周五可以吗", "星期五送"] {
            check(text, Some(date(2026, 11, 27)));
        }
        for text in ["tomorrow", "завтра", "zajtra", "明天"] {
            check(text, Some(date(2026, 11, 24)));
        }
        check("on Monday", Some(date(2026, 11, 30)));
        check("5 января", Some(date(2027, 1, 5)));
        check("послезавтра", Some(date(2026, 11, 25)));
    }

    #[test]
    fn what_is_no_day_or_more_than_one_is_none() {
        for text in [
            "31 November",
            "on Friday or Saturday",
            "2.13.",
            "a bit later",
            "TT-10455",
            "the kettle 1,7 l",
            "30.2.2026",
        ] {
            check(text, None);
        }
    }
}
