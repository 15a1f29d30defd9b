//! One language's sentences and number formats: `data/replies/{lang}.toml`.
//! Money and dates follow CLDR's short patterns for the language; plural categories are CLDR's.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use icu_plurals::{PluralCategory, PluralRules};
use jiff::civil::{Date, Time};
use serde::Deserialize;

use crate::domain::{Currency, DraftSegment, Language, Money, SegmentKind, Tone};

use super::segment::Values;

/// A sentence with slots.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// Literal text and slots in turn.
    pub(super) pieces: Vec<Piece>,
    source: String,
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Said as it stands.
    Text(String),
    /// Filled by code.
    Slot(String),
}

impl Template {
    /// The sentence as it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Reads a sentence with slots in braces.
    pub(super) fn parse(source: &str) -> anyhow::Result<Template> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').map(|at| open + at).ok_or_else(|| anyhow!("`{{` without `}}`"))?;
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_string()));
            }
            pieces.push(Piece::Slot(rest[open + 1..close].to_string()));
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_string()));
        }
        Ok(Template { pieces, source: source.to_string() })
    }

    /// The names of its slots.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Slot(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBook {
    format: Format,
    plural: BTreeMap<String, BTreeMap<String, String>>,
    say: BTreeMap<String, String>,
    #[serde(default)]
    say_vip: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    group: String,
    decimal: String,
    drop_zero_minor: bool,
    whole_currencies: Vec<Currency>,
    date: String,
    date_year: String,
    time: String,
    between: String,
    list_and: String,
    list_comma: String,
    months: Vec<String>,
    currency: BTreeMap<String, String>,
}

/// One language's sentences and formats.
pub struct Phrasebook {
    format: Format,
    plural: PluralRules,
    pieces: BTreeMap<String, String>,
    say: BTreeMap<String, Template>,
    /// What is said instead to customers who come first.
    vip: BTreeMap<String, Template>,
}

impl Phrasebook {
    /// Reads a reply file.
    ///
    /// # Errors
    /// Syntax, a missing or unknown key, an unknown slot, not twelve months.
    pub fn parse(language: Language, text: &str) -> anyhow::Result<Phrasebook> {
        let raw: RawBook = toml::from_str(text)?;
        if raw.format.months.len() != 12 {
            bail!("[format] months: {} given, 12 needed", raw.format.months.len());
        }
        let locale = language.code().parse::<icu_locale_core::Locale>().map_err(|error| anyhow!("locale: {error}"))?;
        let plural = PluralRules::try_new_cardinal(locale.into()).map_err(|error| anyhow!("plural rules: {error}"))?;
        let pieces = raw.plural.get("pieces").context("[plural.pieces] is missing")?.clone();
        pieces.get("other").context("[plural.pieces] needs at least `other`")?;
        let reference = reference_slots();
        let say = sentences(("say", raw.say), &reference)?;
        let vip = sentences(("say_vip", raw.say_vip), &reference)?;
        if let Some(missing) = reference.keys().find(|key| !say.contains_key(*key)) {
            bail!("[say] {missing} is missing");
        }
        Ok(Phrasebook { format: raw.format, plural, pieces, say, vip })
    }

    /// Every sentence with its key.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.say.iter().chain(&self.vip).map(|(key, template)| (key.as_str(), template))
    }

    /// The sentence `key` with its slots filled.
    pub fn sentence(&self, kind: SegmentKind, key: &str, values: &Values) -> DraftSegment {
        let template = self.say.get(key).expect("invariant: parse refuses a book that lacks a sentence");
        template.fill(kind, values)
    }

    /// The same for a customer who comes first, where there is a sentence of their own.
    pub fn sentence_for(&self, tone: Tone, kind: SegmentKind, (key, values): (&str, &Values)) -> DraftSegment {
        match self.vip.get(key).filter(|_| tone == Tone::Vip) {
            Some(template) => template.fill(kind, values),
            None => self.sentence(kind, key, values),
        }
    }

    /// A sentence as it stands in the file.
    pub fn source(&self, key: &str) -> &str {
        self.say.get(key).expect("invariant: parse refuses a book that lacks a sentence").source()
    }

    /// What a sentence with one slot says before and after it.
    pub fn around(&self, key: &str, slot: &str) -> (&str, &str) {
        let template = self.say.get(key).expect("invariant: parse refuses a book that lacks a sentence");
        template.source().split_once(&format!("{{{slot}}}")).unwrap_or(("", ""))
    }

    /// An amount as this language prints it: `24,90 €`.
    pub fn money(&self, money: Money) -> String {
        let amount = money.amount();
        let (whole, minor) = amount.split_once('.').unwrap_or((&amount, ""));
        let mut number = grouped(whole, &self.format.group);
        let whole = self.format.drop_zero_minor || self.format.whole_currencies.contains(&money.currency);
        let zero = minor.bytes().all(|byte| byte == b'0');
        if !minor.is_empty() && !(zero && whole) {
            number.push_str(&self.format.decimal);
            number.push_str(minor);
        }
        self.currency_pattern(money.currency).replace("{n}", &number)
    }

    fn currency_pattern(&self, currency: Currency) -> String {
        match self.format.currency.get(currency.code()) {
            Some(pattern) => pattern.clone(),
            None => format!("{{n}}\u{a0}{}", currency.code()),
        }
    }

    /// A count with its noun: `3 штуки`.
    pub fn pieces(&self, count: u32) -> String {
        let category = match self.plural.category_for(count as usize) {
            PluralCategory::Zero => "zero",
            PluralCategory::One => "one",
            PluralCategory::Two => "two",
            PluralCategory::Few => "few",
            PluralCategory::Many => "many",
            PluralCategory::Other => "other",
        };
        let form = self.pieces.get(category).or_else(|| self.pieces.get("other"));
        form.map_or_else(
            || count.to_string(),
            |form| form.replace("{n}", &grouped(&count.to_string(), &self.format.group)),
        )
    }

    /// A day; the year is added when it is not `year`.
    pub fn date(&self, date: Date, year: i16) -> String {
        let month = usize::try_from(date.month()).unwrap_or(1) - 1;
        let pattern = if date.year() == year { &self.format.date } else { &self.format.date_year };
        let text = pattern.replace("{day}", &date.day().to_string()).replace("{month}", &self.format.months[month]);
        text.replace("{year}", &date.year().to_string())
    }

    /// A time of day.
    pub fn time(&self, time: Time) -> String {
        let hour = time.hour().to_string();
        self.format.time.replace("{hour}", &hour).replace("{minute}", &format!("{:02}", time.minute()))
    }

    /// What stands between the parts of a list.
    pub fn comma(&self) -> &str {
        &self.format.list_comma
    }

    /// What stands between two sentences.
    pub fn space(&self) -> &str {
        &self.format.between
    }

    /// What stands before the last part of a list.
    pub fn and(&self) -> &str {
        &self.format.list_and
    }
}

/// A table of sentences, each with the slots it may use.
fn sentences(
    (table, raw): (&str, BTreeMap<String, String>),
    reference: &BTreeMap<String, Vec<String>>,
) -> anyhow::Result<BTreeMap<String, Template>> {
    let mut read = BTreeMap::new();
    for (key, source) in raw {
        let template = Template::parse(&source).with_context(|| format!("[{table}] {key}"))?;
        let allowed = reference.get(&key).ok_or_else(|| anyhow!("[{table}] {key}: no such sentence"))?;
        if let Some(slot) = template.slots().find(|slot| !allowed.iter().any(|known| known == slot)) {
            bail!("[{table}] {key}: no slot {{{slot}}} here; it has {allowed:?}");
        }
        read.insert(key, template);
    }
    Ok(read)
}

fn grouped(digits: &str, group: &str) -> String {
    // Four digits stay together only where the language has no separator at all.
    let mut out = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push_str(group);
        }
        out.push(digit);
    }
    out
}

/// The sentences there are and the slots each may use: those of the English file shipped with this version.
fn reference_slots() -> BTreeMap<String, Vec<String>> {
    let english: toml::Table = toml::from_str(include_str!("../../data/replies/en.toml"))
        .expect("invariant: a test parses the shipped English replies");
    let say = english.get("say").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    say.into_iter()
        .filter_map(|(key, value)| Some((key, Template::parse(value.as_str()?).ok()?)))
        .map(|(key, template)| (key, template.slots().map(str::to_string).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(language: Language) -> Phrasebook {
        let path = format!("data/replies/{language}.toml");
        Phrasebook::parse(language, &std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn check(language: Language, amount: &str, code: &str, expected: &str) {
        let currency = code.parse().unwrap();
        let money = Money::parse(amount, currency).unwrap();
        assert_eq!(book(language).money(money), expected);
    }

    #[test]
    fn money_follows_the_language() {
        check(Language::En, "24.90", "EUR", "€24.90");
        check(Language::En, "1249.00", "EUR", "€1,249.00");
        check(Language::En, "5", "SEK", "5.00\u{a0}SEK");
        check(Language::En, "2490", "RUB", "₽2,490");
        check(Language::Ru, "2490", "RUB", "2\u{a0}490\u{a0}₽");
        check(Language::Ru, "24.90", "EUR", "24,90\u{a0}€");
        check(Language::Sk, "24.90", "EUR", "24,90\u{a0}€");
        check(Language::Sk, "25", "EUR", "25,00\u{a0}€");
        check(Language::Zh, "189", "CNY", "¥189");
    }

    #[test]
    fn counts_take_their_form() {
        assert_eq!(book(Language::En).pieces(1), "1 piece");
        assert_eq!(book(Language::En).pieces(21), "21 pieces");
    }

    #[test]
    fn days_follow_the_language() {
        let day = jiff::civil::date(2026, 11, 5);
        let check = |language, year, expected: &str| assert_eq!(book(language).date(day, year), expected);
        check(Language::En, 2026, "5 November");
        check(Language::En, 2027, "5 November 2026");
        check(Language::Ru, 2026, "5 ноября");
        check(Language::Sk, 2026, "5. novembra");
        check(Language::Zh, 2026, "11月5日");
        check(Language::Zh, 2027, "2026年11月5日");
    }

    #[test]
    fn who_comes_first_is_spoken_to_in_their_own_sentences_where_there_are_any() {
        for language in Language::ALL {
            let book = book(language);
            let said = |tone, key| book.sentence_for(tone, SegmentKind::Smalltalk, (key, &Values::default())).text;
            assert_ne!(said(Tone::Vip, "greeting"), said(Tone::Plain, "greeting"));
            assert_eq!(said(Tone::Vip, "no_price"), said(Tone::Plain, "no_price"));
        }
    }

    #[test]
    fn a_broken_book_is_refused_by_key() {
        let text = std::fs::read_to_string("data/replies/en.toml").unwrap();
        let refused = |from: &str, to: &str, part: &str| {
            let error = Phrasebook::parse(Language::En, &text.replace(from, to)).err().unwrap();
            assert!(format!("{error:#}").contains(part), "{error:#}");
        };
        refused("{quote}", "{quotation}", "policy");
        refused("no_price =", "no_prices =", "no_prices");
        refused("\"January\", ", "", "months");
        refused("[say_vip]\n", "[say_vip]\nmy_own = \"x\"\n", "my_own");
        refused("[say_vip]\n", "[say_vip]\nno_price = \"{price}\"\n", "price");
    }
}
