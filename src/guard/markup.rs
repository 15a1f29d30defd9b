//! Markup that hides or stands for signs: HTML entities and tags. In: a text that begins with one. Out: what it
//! stands for and how long it is; an entity nobody knows is never dropped.

use super::norm::UNKNOWN;

/// The sign an entity stands for, read through up to three layers of `&amp;`, and its length.
pub(super) fn entity(rest: &str) -> (char, usize) {
    let mut at = 1;
    for _ in 0..3 {
        let body = &rest[at..];
        let end = body
            .bytes()
            .take(12)
            .position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#')
            .unwrap_or(body.len().min(12));
        let name = body.get(..end).unwrap_or("");
        let closed = body[end.min(body.len())..].starts_with(';');
        if name.is_empty() || (!closed && !name.starts_with('#')) {
            return ('&', at);
        }
        at += end + usize::from(closed);
        match named(name) {
            Some('&') => continue,
            Some(sign) => return (sign, at),
            None => return (UNKNOWN, at),
        }
    }
    ('&', at)
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, sign)| *sign)
}

const ENTITIES: [(&str, char); 46] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("ensp", ' '),
    ("emsp", ' '),
    ("thinsp", ' '),
    ("numsp", ' '),
    ("hairsp", ' '),
    ("puncsp", ' '),
    ("dollar", '$'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("cent", '¢'),
    ("curren", '¤'),
    ("percnt", '%'),
    ("period", '.'),
    ("comma", ','),
    ("num", '#'),
    ("excl", '!'),
    ("colon", ':'),
    ("sol", '/'),
    ("plus", '+'),
    ("minus", '-'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("times", '×'),
    ("half", '½'),
    ("frac12", '½'),
    ("frac14", '¼'),
    ("frac34", '¾'),
    ("sup1", '¹'),
    ("sup2", '²'),
    ("sup3", '³'),
    ("zwj", '\u{200D}'),
    ("zwnj", '\u{200C}'),
    ("shy", '\u{AD}'),
    ("deg", '°'),
    ("hellip", '…'),
    ("lpar", '('),
    ("rpar", ')'),
];

/// Tags that change how words look and nothing else. Any other stays in the text: a reader may see what it holds.
const PLAIN_TAGS: [&str; 14] =
    ["b", "i", "u", "p", "br", "em", "strong", "span", "div", "li", "ul", "ol", "small", "big"];

/// The length of a plain markup tag at the start of `rest`.
pub(super) fn tag(rest: &str) -> Option<usize> {
    let end = rest.bytes().take(16).position(|byte| byte == b'>')?;
    let name = rest[1..end].trim_start_matches('/').trim_end_matches('/').trim();
    PLAIN_TAGS.iter().any(|known| known.eq_ignore_ascii_case(name)).then_some(end + 1)
}
