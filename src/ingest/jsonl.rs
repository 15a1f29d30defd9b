//! Reads `products.jsonl` and `stock.jsonl`: one object per line in the shape of `domain::product`.
//! A price that cannot be read is taken out and named; the product stays, not quotable.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::product::StockLine;
use crate::domain::{Currency, Money, Product};

use super::report::{Finding, Place, Report};
use super::upright;

/// What a JSONL file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Products with their variants.
    Products,
    /// Stock per SKU and place.
    Stock,
}

/// Tells products from stock lines by the first object of the file.
pub fn kind_of(line: &str) -> Kind {
    let fields: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
    let stock = fields.contains_key("sku") && fields.contains_key("count") && !fields.contains_key("variants");
    if stock { Kind::Stock } else { Kind::Products }
}

/// Reads a product; `None` when the row had to be left out.
pub fn product(line: &str, at: &Place, currency: Option<Currency>, report: &mut Report) -> Option<Product> {
    let mut value = object(line, at, report)?;
    if let Some(variants) = value.get_mut("variants").and_then(Value::as_array_mut) {
        for variant in variants {
            clean_prices(variant, at, currency, report);
        }
    }
    typed(value, at, report)
}

/// Reads a stock line; `None` when the row had to be left out.
pub fn stock_line(line: &str, at: &Place, report: &mut Report) -> Option<StockLine> {
    let value = object(line, at, report)?;
    typed(value, at, report)
}

fn object(line: &str, at: &Place, report: &mut Report) -> Option<Value> {
    let read = serde_json::from_str(line).map_err(|error| error.to_string());
    match read.and_then(|value: Value| if value.is_object() { Ok(value) } else { Err("no object".into()) }) {
        Ok(value) => Some(upright::row(value)),
        Err(error) => {
            let reason = format!("not a JSON object: {error}; the row was left out");
            report.skip(Finding::error("broken_row", at, reason, "write one JSON object per line"));
            None
        }
    }
}

fn typed<T: DeserializeOwned>(value: Value, at: &Place, report: &mut Report) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(row) => Some(row),
        Err(error) => {
            let text = error.to_string();
            let code = if text.starts_with("unknown field") { "unknown_field" } else { "broken_row" };
            let mut finding =
                Finding::error(code, at, format!("{text}; the row was left out"), "mend or remove the field");
            if ["unknown field", "missing field", "unknown variant"].iter().any(|start| text.starts_with(start)) {
                finding.field = text.split('`').nth(1).map(str::to_string);
            }
            report.skip(finding);
            None
        }
    }
}

/// Takes out each price that cannot be told, so that the rest of the product can still be found.
fn clean_prices(variant: &mut Value, at: &Place, currency: Option<Currency>, report: &mut Report) {
    let Some(prices) = variant.get_mut("prices").and_then(Value::as_array_mut) else { return };
    prices.retain_mut(|price| match clean_price(price, currency) {
        Ok(()) => true,
        Err((field, reason, fix)) => {
            let reason = format!("{reason}; the variant is not quotable in this price");
            report.add(Finding::error("bad_price", at, reason, fix).of(field));
            false
        }
    });
}

type BadPrice = (&'static str, String, &'static str);

fn clean_price(price: &mut Value, currency: Option<Currency>) -> Result<(), BadPrice> {
    let Some(fields) = price.as_object_mut() else {
        return Err(("prices", "a price is an object".into(), "write {\"currency\":\"EUR\",\"amount\":\"24.90\"}"));
    };
    if fields.get("currency").is_none_or(|value| value.is_null() || value == "") {
        let Some(currency) = currency else {
            return Err(("currency", "a price without currency".into(), "add the currency, or pass --currency"));
        };
        fields.insert("currency".into(), currency.code().into());
    }
    let code = fields.get("currency").and_then(Value::as_str).unwrap_or_default();
    let currency: Currency =
        code.parse().map_err(|error| ("currency", format!("{error}"), "use the ISO 4217 code of the price"))?;
    for field in ["amount", "old"] {
        let Some(amount) = fields.get(field).filter(|value| !value.is_null()) else { continue };
        let Some(text) = amount.as_str() else {
            return Err((field, format!("{amount} is not in quotes"), "write the amount as text: \"24.90\""));
        };
        Money::parse(text, currency).map_err(|error| (field, error.to_string(), "write it as 24.90"))?;
    }
    if fields.get("amount").is_none_or(Value::is_null) {
        return Err(("amount", "a price without amount".into(), "write \"amount\":\"24.90\""));
    }
    for field in ["starts", "ends"] {
        let moment = fields.get(field).and_then(Value::as_str);
        if moment.is_some_and(|moment| moment.parse::<jiff::Timestamp>().is_err()) {
            return Err((field, "not a moment".into(), "write it as 2026-12-31T18:00:00+01:00"));
        }
    }
    let until = fields.get("until").and_then(Value::as_str);
    if until.is_some_and(|day| day.parse::<jiff::civil::Date>().is_err()) {
        return Err(("until", "not a day".into(), "write the last day of the reduction as 2026-12-31"));
    }
    Ok(())
}
