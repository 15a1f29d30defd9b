//! Prices and stock of a record: exact money or a finding. A currency is read or told, never guessed; a starting
//! price, two prices and an amount that can be read in two ways are not quoted.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::domain::product::{Price, StockLine};
use crate::domain::{Currency, Money, Sku};
use crate::ingest::report::{Finding, Place, Report};

use super::container::Record;
use super::meaning::{picked, says};
use super::profile::{Names, PriceFields, StockFields, Unit};

/// What a price is read with.
pub struct Reading<'a> {
    /// Where the record stands.
    pub at: &'a Place,
    /// The operator's currency, where the feed says none.
    pub currency: Option<Currency>,
    /// The shop's time zone, in which days begin and end.
    pub zone: &'a TimeZone,
}

/// Why a price is not quoted: code, field, reason, fix.
type Fault = (&'static str, String, String, &'static str);

impl Reading<'_> {
    /// The price of a record; none when it has none that can be quoted, which is then noted.
    pub fn price(&self, record: &Record, fields: &PriceFields, report: &mut Report) -> Option<Price> {
        let told = self.read_price(record, fields);
        told.unwrap_or_else(|(code, field, reason, fix)| {
            report.add(Finding::error(code, self.at, reason, fix).of(field));
            None
        })
    }

    fn read_price(&self, record: &Record, fields: &PriceFields) -> Result<Option<Price>, Fault> {
        let Some((field, text)) = one(record, &fields.column)? else { return Ok(None) };
        if let Some((field, _)) = fields.inexact.iter().find(|(field, values)| says(record, field, values)) {
            let reason = "it is a starting price; the variant is not quotable".to_string();
            return Err(("inexact_price", field.clone(), reason, "give the exact price"));
        }
        let price = self.money(record, fields, (&field, &text))?;
        let sale = self.other(record, fields, &fields.sale_column, price.currency)?;
        let (now, old) = match sale {
            Some(sale) if sale.minor > price.minor => {
                let reason =
                    format!("the reduced price {sale} is above the price {price}; the variant is not quotable");
                return Err(("bad_price", fields.sale_column.first().to_string(), reason, "correct one of them"));
            }
            Some(sale) if sale == price => (price, None),
            Some(sale) => (sale, Some(price)),
            None => (price, self.other(record, fields, &fields.old_column, price.currency)?),
        };
        let mut read = Price {
            currency: now.currency,
            amount: now.amount(),
            old: old.map(|old| old.amount()),
            until: None,
            starts: None,
            ends: None,
        };
        if old.is_some_and(|old| old.minor > now.minor) || fields.sale_column.is_empty() {
            self.period(record, fields, &mut read)?;
        }
        Ok(Some(read))
    }

    fn other(
        &self,
        record: &Record,
        fields: &PriceFields,
        names: &Names,
        currency: Currency,
    ) -> Result<Option<Money>, Fault> {
        let Some((field, text)) = one(record, names)? else { return Ok(None) };
        let money = self.money(record, fields, (&field, &text))?;
        // Some exports write 0 for "no other price".
        if money.minor == 0 {
            return Ok(None);
        }
        if money.currency != currency {
            let reason = format!("{money} is in another currency than the price");
            return Err(("bad_price", field, reason, "give both in one currency"));
        }
        Ok(Some(money))
    }

    fn money(&self, record: &Record, fields: &PriceFields, from: (&str, &str)) -> Result<Money, Fault> {
        let (field, text) = from;
        let (text, code) = if fields.currency_in_value { apart(text) } else { (text.to_string(), String::new()) };
        let code = if code.is_empty() { picked(record, &fields.currency_column) } else { code };
        let currency = match code.parse::<Currency>() {
            Ok(currency) => Some(currency),
            Err(_) if code.is_empty() => fields.currency.or(self.currency),
            Err(error) => {
                let field = if fields.currency_column.is_empty() { field } else { fields.currency_column.first() };
                return Err(("bad_price", field.to_string(), error.to_string(), "use the ISO 4217 code of the price"));
            }
        };
        let Some(currency) = currency else {
            let fix = "name the currency in the profile, or pass --currency";
            return Err(("no_currency", field.to_string(), "a price without currency".to_string(), fix));
        };
        amount(&text, fields, currency).map_err(|reason| {
            ("bad_price", field.to_string(), reason, "correct the price, or `unit` and `decimal` in the profile")
        })
    }

    fn period(&self, record: &Record, fields: &PriceFields, price: &mut Price) -> Result<(), Fault> {
        let mut starts = picked(record, &fields.starts_column);
        let mut ends = picked(record, &fields.until_column);
        if let Some((from, to)) = picked(record, &fields.period_column).split_once('/') {
            (starts, ends) = (from.trim().to_string(), to.trim().to_string());
        }
        let fault = |names: &Names, text: &str| {
            let field = if names.is_empty() { fields.period_column.first() } else { names.first() };
            let reason = format!("`{text}` is not a day; the variant is not quotable");
            ("bad_price", field.to_string(), reason, "write it as 2026-12-31")
        };
        if !starts.is_empty() {
            let start = bound(&starts, self.zone).ok_or_else(|| fault(&fields.starts_column, &starts))?;
            price.starts = Some(start.begins(self.zone).ok_or_else(|| fault(&fields.starts_column, &starts))?);
        }
        if !ends.is_empty() {
            match bound(&ends, self.zone).ok_or_else(|| fault(&fields.until_column, &ends))? {
                Bound::Day(day) => price.until = Some(day),
                Bound::Moment(end) => {
                    price.ends = Some(end);
                    price.until = Some((end - jiff::SignedDuration::from_secs(1)).to_zoned(self.zone.clone()).date());
                }
            }
        }
        Ok(())
    }

    /// The stock of a record, when the feed tells a count or says that it is sold out.
    pub fn stock(&self, record: &Record, fields: &StockFields, sku: &Sku, report: &mut Report) -> Option<StockLine> {
        let line = |count| StockLine { sku: sku.clone(), place: fields.place.as_str().into(), count };
        let word = picked(record, &fields.availability).to_lowercase().replace(['_', ' '], "");
        let same = |words: &[String]| words.iter().any(|one| one.to_lowercase().replace(['_', ' '], "") == word);
        if !word.is_empty() && same(&fields.out) {
            return Some(line(0));
        }
        if !word.is_empty() && !fields.other.is_empty() && !same(&fields.other) {
            let reason = format!("`{}` is no known word; no stock is told", picked(record, &fields.availability));
            let fix = "use a word of the format, or add it to the profile";
            report.add(Finding::warning("unknown_word", self.at, reason, fix).of(fields.availability.first()));
        }
        let text = picked(record, &fields.column);
        let told = fields.only.iter().all(|(field, values)| says(record, field, values));
        if text.is_empty() || !told {
            return None;
        }
        // `5.0` is how spreadsheets write five; below zero is sold more than there was.
        let whole = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0'));
        match whole.map_or(text.as_str(), |(whole, _)| whole).parse::<i64>() {
            Ok(count) if count <= i64::from(u32::MAX) => Some(line(u32::try_from(count).unwrap_or(0))),
            _ => {
                let reason = format!("`{text}` is not a count; no stock is known");
                let field = fields.column.first().to_string();
                report.add(Finding::error("bad_stock", self.at, reason, "write a whole number").of(field));
                None
            }
        }
    }
}

/// The one value of the first field that has any; a fault when a field says two things.
fn one(record: &Record, names: &Names) -> Result<Option<(String, String)>, Fault> {
    for name in &names.0 {
        let mut values: Vec<&str> = record.all(name).map(str::trim).filter(|value| !value.is_empty()).collect();
        values.dedup();
        match values.as_slice() {
            [] => {}
            [value] => return Ok(Some((name.clone(), (*value).to_string()))),
            [first, second, ..] => {
                let reason =
                    format!("`{first}` and `{second}`: which one holds is not said; the variant is not quotable");
                return Err(("several_prices", name.clone(), reason, "give one price per variant"));
            }
        }
    }
    Ok(None)
}

/// An amount and the currency written beside it.
fn apart(text: &str) -> (String, String) {
    let letter = |c: char| c.is_alphabetic() || !c.is_ascii();
    let code: String = text.chars().filter(|c| letter(*c) && !c.is_whitespace()).collect();
    let amount: String = text.chars().filter(|c| !letter(*c)).collect();
    (amount.trim().to_string(), code)
}

fn amount(text: &str, fields: &PriceFields, currency: Currency) -> Result<Money, String> {
    if fields.unit == Unit::Minor {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("`{text}` is not a whole number of minor units"));
        }
        return text.parse().map(|minor| Money::new(minor, currency)).map_err(|error| error.to_string());
    }
    let mut marks = text.char_indices().filter(|(_, c)| fields.decimal.contains(*c));
    let mark = marks.next();
    if let (Some((at, mark)), true) = (mark, fields.decimal.chars().count() > 1)
        && text.len() - at - mark.len_utf8() == 3
    {
        return Err(format!("`{text}` can be read in two ways"));
    }
    if mark.is_none() && text.contains('.') {
        return Err(format!("`{text}` has a point where the profile says otherwise"));
    }
    let plain: String = text.chars().map(|c| if fields.decimal.contains(c) { '.' } else { c }).collect();
    Money::parse(&plain, currency).map_err(|error| error.to_string())
}

/// A day, or a moment.
enum Bound {
    Day(Date),
    Moment(Timestamp),
}

impl Bound {
    fn begins(&self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Bound::Day(day) => day.to_zoned(zone.clone()).ok().map(|start| start.timestamp()),
            Bound::Moment(moment) => Some(*moment),
        }
    }
}

fn bound(text: &str, zone: &TimeZone) -> Option<Bound> {
    if let Some(moment) = moment(text, zone) {
        return Some(Bound::Moment(moment));
    }
    if text.len() == 5
        && let Ok(days) = text.parse::<i32>()
    {
        // Spreadsheets count days, with a leap day in 1900 that never was.
        return jiff::civil::date(1899, 12, 30).checked_add(jiff::Span::new().days(days)).ok().map(Bound::Day);
    }
    let plain = text.len() == 10;
    text.parse().ok().filter(|_| plain).map(Bound::Day)
}

/// A moment as feeds write it: with an offset, or on the shop's clock; never a day alone.
pub fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() < 14 {
        return None;
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(decimal: &str) -> PriceFields {
        toml::from_str(&format!("column = \"p\"\ndecimal = \"{decimal}\"\ncurrency_in_value = true")).unwrap()
    }

    fn check(text: &str, decimal: &str, expected: Option<&str>) {
        let (text_amount, code) = apart(text);
        let money = code.parse().ok().and_then(|currency| amount(&text_amount, &fields(decimal), currency).ok());
        assert_eq!(money.map(|money| money.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        check("15.00 USD", ".", Some("15.00 USD"));
        check("USD 15.00", ".", Some("15.00 USD"));
        check("15,00 EUR", ".,", Some("15.00 EUR"));
        check("15,00 EUR", ".", None);
        check("15.00 EUR", ",", None);
        check("1,290 EUR", ".,", None);
        check("1.290,00 EUR", ".,", None);
        check("1 290 RUB", ".,", None);
        check("1290 RUR", ".,", Some("1290.00 RUB"));
        check("€15", ".", None);
        check("15.00", ".", None);
        check("-15.00 USD", ".", None);
        check("15.005 USD", ".", None);
        check("1e3 USD", ".", None);
        check("", ".", None);
    }

    #[test]
    fn moments_are_read_on_the_shops_clock() {
        let zone = TimeZone::get("Europe/Bratislava").unwrap();
        let at = |text: &str| moment(text, &zone).map(|moment| moment.to_string());
        assert_eq!(at("2026-11-20 10:00").as_deref(), Some("2026-11-20T09:00:00Z"));
        assert_eq!(at("2026-11-20T10:00+0300").as_deref(), Some("2026-11-20T07:00:00Z"));
        assert_eq!(at("2026-11-20T10:00:00Z").as_deref(), Some("2026-11-20T10:00:00Z"));
        assert_eq!(at("2026-11-20"), None);
        assert_eq!(at("yesterday at ten"), None);
        assert!(matches!(bound("2026-11-20", &zone), Some(Bound::Day(day)) if day == jiff::civil::date(2026, 11, 20)));
        assert!(matches!(bound("46346", &zone), Some(Bound::Day(day)) if day == jiff::civil::date(2026, 11, 20)));
        assert!(bound("20.11.2026", &zone).is_none());
    }
}
