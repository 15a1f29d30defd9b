//! Takes out of the merchant's text what no reader sees: controls that turn the direction of writing (they could show
//! a customer other digits than are written, and the guard lets no such text out), letters without width, tags and
//! other controls. In: a text or a row. Out: the same without them.

use serde_json::Value;

/// A sign that is read by machines and seen by nobody.
fn unseen(sign: char) -> bool {
    match sign {
        '\n' | '\t' | '\r' => false,
        sign if sign.is_control() => true,
        // Soft hyphen; zero width, marks of direction; invisible operators; the same for Hangul; BOM; annotations.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' => true,
        '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}' => true,
        // Tags and further variation selectors: whole hidden sentences have been written in them.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// The text without such signs.
pub fn text(text: String) -> String {
    if text.contains(unseen) { text.replace(unseen, "") } else { text }
}

/// The text on one line, its runs of blanks one blank.
pub fn line(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for word in text(raw.to_string()).split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The text with one line per paragraph, blank lines gone.
pub fn lines(raw: &str) -> String {
    let lines: Vec<String> = raw.lines().map(line).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A row whose texts hold no such signs, however deep they stand.
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
    fn what_nobody_sees_is_taken_out_at_any_depth() {
        let feed = serde_json::json!({ "name": { "en": "mug\u{202e} 5" }, "tags": ["a\u{2067}b", 7] });
        assert_eq!(row(feed), serde_json::json!({ "name": { "en": "mug 5" }, "tags": ["ab", 7] }));
        assert_eq!(text("кружка".to_string()), "кружка");
        assert_eq!(text("a\u{200b}b\u{e0041}c\u{0}d\u{feff}".to_string()), "abcd");
        assert_eq!(line(" a\u{a0}\n b\u{200d} "), "a b");
        assert_eq!(lines("a\n \n\u{200b}\n b  c"), "a\nb c");
    }
}
