//! An answer becomes confirmed prices and counts: read exactly or not at all. Nothing is rounded, and no currency is guessed.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::domain::{Currency, Money, Sku};

use super::mapping::{AnswerAt, LimitAt, Unit};

/// What a source says of a variant now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// The price, and the one before a reduction; none: it has none.
    pub price: Option<(Money, Option<Money>)>,
    /// Pieces; none: not told.
    pub stock: Option<u32>,
}

/// How much may still be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    pub available: f64,
    pub restored: f64,
    pub cost: f64,
}

/// What an answer holds about the SKUs that were asked for.
///
/// # Errors
/// The whole answer cannot be believed.
pub(super) fn read(
    answer: &Value,
    at: &AnswerAt,
    (asked, currency): (&[Sku], Option<Currency>),
) -> Result<HashMap<Sku, Told>, String> {
    let errors = at.errors.as_ref().and_then(|errors| answer.pointer(errors));
    if let Some(errors) =
        errors.filter(|errors| !errors.is_null() && errors.as_array().is_none_or(|all| !all.is_empty()))
    {
        return Err(format!("it answers with errors: {}", short(errors)));
    }
    let Some(Value::Array(items)) = answer.pointer(&at.items) else {
        return Err(format!("its answer has no list at `{}`", at.items));
    };
    let of_all = match at.currency_of_all.as_ref().map(|of_all| scalar(answer, of_all)) {
        Some(Some(code)) => Some(code.parse::<Currency>().map_err(|error| error.to_string())?),
        Some(None) => return Err("its answer names no currency".to_string()),
        None => None,
    };
    let currency = one_currency(of_all, currency)?;
    let mut told: HashMap<Sku, Option<Told>> = HashMap::new();
    for item in items {
        let Some(sku) = scalar(item, &at.sku).map(Sku).filter(|sku| asked.contains(sku)) else { continue };
        let read = match item_told(item, at, currency) {
            Ok(read) => Some(read),
            Err(reason) => {
                tracing::warn!(%sku, reason, "a price of a live source cannot be told");
                None
            }
        };
        // Two things under one SKU: which one is meant nobody can tell.
        let twice = told.get(&sku).is_some_and(|before| *before != read);
        told.insert(sku, read.filter(|_| !twice));
    }
    Ok(told.into_iter().filter_map(|(sku, told)| Some((sku, told?))).collect())
}

fn one_currency(told: Option<Currency>, set: Option<Currency>) -> Result<Option<Currency>, String> {
    match (told, set) {
        (Some(told), Some(set)) if told != set => Err(format!("its prices are in {told}, the settings say {set}")),
        (told, set) => Ok(told.or(set)),
    }
}

fn item_told(item: &Value, at: &AnswerAt, currency: Option<Currency>) -> Result<Told, String> {
    if !says(item, &at.sold_when) {
        return Err("it is not for sale".to_string());
    }
    let own = at.currency.as_ref().and_then(|own| scalar(item, own)).filter(|code| !code.is_empty());
    let own = own.map(|code| code.parse::<Currency>().map_err(|error| error.to_string())).transpose()?;
    let currency = one_currency(own, currency)?;
    let amount = |pointer: &str| match scalar(item, pointer).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => money(&text, at.unit, currency.ok_or("a price without currency")?).map(Some),
    };
    let price = amount(&at.price)?;
    if price.is_some_and(|price| price.minor <= 0) {
        return Err("its price is not above zero".to_string());
    }
    // What stands there is the price without a reduction also when there is none: only a higher one says something.
    let old = at.old.as_ref().and_then(|old| amount(old).ok().flatten());
    let old = old.filter(|old| price.is_some_and(|price| old.minor > price.minor));
    Ok(Told { price: price.map(|price| (price, old)), stock: stock(item, at)? })
}

fn stock(item: &Value, at: &AnswerAt) -> Result<Option<u32>, String> {
    if !at.sold_out_when.is_empty() && says(item, &at.sold_out_when) {
        return Ok(Some(0));
    }
    let text = at.stock.as_ref().filter(|_| says(item, &at.stock_when)).and_then(|stock| scalar(item, stock));
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let whole = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0'));
    match whole.map_or(text.as_str(), |(whole, _)| whole).parse::<i64>() {
        // Below zero is sold more than there was.
        Ok(count) if count <= i64::from(u32::MAX) => Ok(Some(u32::try_from(count).unwrap_or(0))),
        _ => Err(format!("`{}` is no count", text.chars().take(40).collect::<String>())),
    }
}

fn money(text: &str, unit: Unit, currency: Currency) -> Result<Money, String> {
    match unit {
        Unit::Major => Money::parse(text, currency).map_err(|error| error.to_string()),
        Unit::Minor if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map(|minor| Money::new(minor, currency)).map_err(|error| error.to_string())
        }
        Unit::Minor => Err(format!("`{text}` is not a whole number of minor units")),
    }
}

fn says(item: &Value, when: &BTreeMap<String, Vec<String>>) -> bool {
    when.iter().all(|(pointer, values)| scalar(item, pointer).is_some_and(|value| values.contains(&value)))
}

/// A text, number or truth value as text. A number comes out as it was written, as long as it has no more than 15 digits: the
/// shortest number that reads the same is what was written.
fn scalar(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.trim().to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What an answer says of its limit, and whether it was refused for it.
pub(super) fn limit(answer: &Value, at: Option<&LimitAt>) -> (Option<Limit>, bool) {
    let Some(at) = at else { return (None, false) };
    let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_f64).filter(|number| *number >= 0.0);
    let told = match (number(&at.available), number(&at.restored), number(&at.cost)) {
        (Some(available), Some(restored), Some(cost)) => Some(Limit { available, restored, cost }),
        _ => None,
    };
    (told, scalar(answer, &at.refused).is_some_and(|code| code == at.refused_as))
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "items = \"/items\"\nsku = \"/sku\"\nprice = \"/price\"\nold = \"/old\"\ncurrency = \"/currency\"\n\
                      stock = \"/stock\"\nerrors = \"/errors\"";

    fn told(item: &str, set: Option<&str>) -> Result<Option<Told>, String> {
        let answer: Value = serde_json::from_str(&format!("{{\"items\": [{item}]}}")).unwrap();
        let currency = set.map(|code| code.parse().unwrap());
        let asked = ["A".into()];
        read(&answer, &toml::from_str(AT).unwrap(), (&asked, currency)).map(|told| told.get(&asked[0]).cloned())
    }

    fn check(item: &str, expected: Option<&str>) {
        let told = told(&format!("{{\"sku\": \"A\", {item}}}"), None).unwrap();
        let written = |told: Told| match told.price {
            Some((now, Some(old))) => format!("{now} < {old} {:?}", told.stock),
            Some((now, None)) => format!("{now} {:?}", told.stock),
            None => format!("none {:?}", told.stock),
        };
        assert_eq!(told.map(written).as_deref(), expected, "{item}");
    }

    #[test]
    fn prices_are_exact_or_nothing() {
        check(r#""price": "24.90", "currency": "EUR""#, Some("24.90 EUR None"));
        check(r#""price": 24.9, "currency": "EUR", "stock": 3"#, Some("24.90 EUR Some(3)"));
        check(r#""price": 19.99, "old": "25", "currency": "EUR", "stock": -2"#, Some("19.99 EUR < 25.00 EUR Some(0)"));
        check(r#""price": 19.99, "old": "19.99", "currency": "EUR", "stock": "5.0""#, Some("19.99 EUR Some(5)"));
        check(r#""price": null, "currency": "EUR""#, Some("none None"));
        check(r#""price": "", "stock": 0"#, Some("none Some(0)"));
        for bad in ["-1", "0", "\"1,290\"", "1e30", "\"abc\"", "19.999", "\"NaN\"", "99999999999999999999"] {
            check(&format!("\"price\": {bad}, \"currency\": \"EUR\""), None);
        }
        check(r#""price": "24.90""#, None);
        check(r#""price": "24.90", "currency": "EURO""#, None);
        check(r#""price": "24.90", "currency": "EUR", "stock": 1.5"#, None);
    }

    #[test]
    fn what_contradicts_itself_confirms_nothing() {
        let item =
            |price: &str, currency: &str| format!(r#"{{"sku": "A", "price": "{price}", "currency": "{currency}"}}"#);
        let twice =
            |one: &str, other: &str| told(&format!("{}, {}", item(one, "EUR"), item(other, "EUR")), None).unwrap();
        assert!(twice("5", "5").is_some() && twice("5", "6").is_none());
        assert!(told(&item("5", "USD"), Some("EUR")).unwrap().is_none());
        assert!(told(&item("5", "EUR"), Some("EUR")).unwrap().is_some());
        assert!(told(r#"{"sku": "B", "price": "5", "currency": "EUR"}"#, None).unwrap().is_none());
        assert!(told(r#"null, 5, "x", [], {"sku": []}"#, None).unwrap().is_none());
        let read = |text: &str| {
            let answer: Value = serde_json::from_str(text).unwrap();
            read(&answer, &toml::from_str(AT).unwrap(), (&["A".into()], None))
        };
        assert!(read(r#"{"items": {}}"#).unwrap_err().contains("no list"));
        assert!(read(r#"{"items": [], "errors": [{"message": "no"}]}"#).unwrap_err().contains("errors"));
        assert!(read(r#"{"items": [], "errors": []}"#).unwrap().is_empty());
    }
}
