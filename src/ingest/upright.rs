//! Takes controls that turn the direction of writing out of a feed's text: they could show a customer other digits
//! than are written, and the guard lets no such text out. In: text or a row. Out: the same without them.

use serde_json::Value;

fn turns(sign: char) -> bool {
    matches!(sign, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The text without such controls.
pub fn text(text: String) -> String {
    if text.contains(turns) { text.replace(turns, "") } else { text }
}

/// A row whose texts hold no such controls, however deep they stand.
pub fn row(value: Value) -> Value {
    match value {
        Value::String(words) => Value::String(text(words)),
        Value::Array(items) => items.into_iter().map(row).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, row(value))).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_of_direction_are_taken_out_at_any_depth() {
        let feed = serde_json::json!({ "name": { "en": "mug\u{202e} 5" }, "tags": ["a\u{2067}b", 7] });
        assert_eq!(row(feed), serde_json::json!({ "name": { "en": "mug 5" }, "tags": ["ab", 7] }));
        assert_eq!(text("кружка".to_string()), "кружка");
    }
}
