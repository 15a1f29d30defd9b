//! Text of HTML descriptions: tags off, entities read, and nothing that a reader of the page would not see.
//! In: what a feed gives. Out: plain lines. What it hides (scripts, comments, invisible elements) does not come out.

/// Elements whose content is not text.
const SILENT: [&str; 10] =
    ["script", "style", "template", "noscript", "iframe", "object", "svg", "head", "title", "textarea"];
/// Elements that begin a line.
const BLOCKS: [&str; 22] = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "section",
    "article",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "pre",
    "hr",
];
/// Elements without an end.
const VOID: [&str; 8] = ["br", "hr", "img", "input", "meta", "link", "wbr", "source"];

/// The text of what may be HTML.
pub fn text(raw: &str) -> String {
    if !looks_like_html(raw) {
        return unescaped(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    // The element that hides what is inside it, and how often it stands open.
    let mut hidden: Option<(String, usize)> = None;
    while let Some(at) = rest.find('<') {
        if hidden.is_none() {
            out.push_str(&unescaped(&rest[..at]));
        }
        rest = &rest[at..];
        let Some((tag, after)) = tag(rest) else {
            if hidden.is_none() {
                out.push('<');
            }
            rest = &rest[1..];
            continue;
        };
        rest = after;
        match &mut hidden {
            Some((name, depth)) if tag.name == *name => {
                *depth = if tag.closing { *depth - 1 } else { *depth + 1 };
                if *depth == 0 {
                    hidden = None;
                }
            }
            Some(_) => {}
            None if !tag.closing && !tag.empty && hides(&tag) => hidden = Some((tag.name, 1)),
            None if BLOCKS.contains(&tag.name.as_str()) => out.push('\n'),
            None if matches!(tag.name.as_str(), "td" | "th") => out.push(' '),
            None => {}
        }
    }
    if hidden.is_none() {
        out.push_str(&unescaped(rest));
    }
    out
}

fn looks_like_html(raw: &str) -> bool {
    raw.match_indices('<').any(|(at, _)| {
        raw[at + 1..].starts_with(|next: char| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'))
    })
}

struct Tag<'a> {
    name: String,
    closing: bool,
    empty: bool,
    attributes: &'a str,
}

/// The tag at the start of a text, and what comes after it; none when `<` is only a sign.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    let nothing = |after| (Tag { name: String::new(), closing: true, empty: true, attributes: "" }, after);
    if let Some(comment) = text.strip_prefix("<!--") {
        return Some(nothing(comment.split_once("-->").map_or("", |(_, after)| after)));
    }
    if text.starts_with("<!") || text.starts_with("<?") {
        return Some(nothing(text.split_once('>').map_or("", |(_, after)| after)));
    }
    let inner = text.strip_prefix('<')?;
    let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    if !inner.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let end = end_of_tag(inner);
    let (content, after) = (&inner[..end], inner.get(end + 1..).unwrap_or(""));
    let length = content.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(content.len());
    let name = content[..length].to_ascii_lowercase();
    let empty = content.ends_with('/') || VOID.contains(&name.as_str());
    Some((Tag { name, closing, empty, attributes: &content[length..] }, after))
}

/// Where a tag ends: a `>` outside of quotes; the end of the text when it is never closed.
fn end_of_tag(inner: &str) -> usize {
    let mut quote = None;
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            _ => {}
        }
    }
    inner.find('>').unwrap_or(inner.len())
}

fn hides(tag: &Tag<'_>) -> bool {
    if SILENT.contains(&tag.name.as_str()) {
        return true;
    }
    let attributes: String = tag.attributes.chars().filter(|letter| !letter.is_whitespace()).collect();
    let attributes = attributes.to_ascii_lowercase();
    const STYLES: [&str; 6] =
        ["display:none", "visibility:hidden", "font-size:0", "opacity:0;", "opacity:0\"", "text-indent:-"];
    let words = tag.attributes.split_whitespace().any(|word| word.trim_end_matches('/').eq_ignore_ascii_case("hidden"));
    words || attributes.contains("aria-hidden=\"true\"") || STYLES.iter().any(|style| attributes.contains(style))
}

/// A text with its entities read; what is no entity stays as it is.
pub fn unescaped(raw: &str) -> String {
    if !raw.contains('&') {
        return raw.to_string();
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| reference(&rest[1..end]).map(|letters| (letters, end))) {
            Some((letters, end)) => {
                out.push_str(&letters);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else { return entity(name).map(str::to_string) };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
}

/// What a named entity stands for.
pub fn entity(name: &str) -> Option<&'static str> {
    const ENTITIES: [(&str, &str); 40] = [
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", "\u{a0}"),
        ("ndash", "–"),
        ("mdash", "—"),
        ("laquo", "«"),
        ("raquo", "»"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("bdquo", "„"),
        ("lsquo", "‘"),
        ("rsquo", "’"),
        ("sbquo", "‚"),
        ("hellip", "…"),
        ("bull", "•"),
        ("middot", "·"),
        ("times", "×"),
        ("deg", "°"),
        ("plusmn", "±"),
        ("frac12", "½"),
        ("frac14", "¼"),
        ("sup2", "²"),
        ("sup3", "³"),
        ("euro", "€"),
        ("pound", "£"),
        ("yen", "¥"),
        ("cent", "¢"),
        ("copy", "©"),
        ("reg", "®"),
        ("trade", "™"),
        ("sect", "§"),
        ("eacute", "é"),
        ("aacute", "á"),
        ("iacute", "í"),
        ("yacute", "ý"),
        ("shy", ""),
        ("zwnj", ""),
    ];
    ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, letters)| *letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        let lines: Vec<&str> = text(raw).leak().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.join("|"), expected, "{raw}");
    }

    #[test]
    fn tags_go_and_text_stays() {
        check("<p>One &amp; <b>two</b></p><ul><li>a</li><li>b</li></ul>", "One & two|a|b");
        check("5 < 6 and 7 > 2", "5 < 6 and 7 > 2");
        check("Tom &amp; Jerry &laquo;x&raquo; &nosuch; &#8364;5 &#x41;", "Tom & Jerry «x» &nosuch; €5 A");
        check("a <b title=\"1 > 0\">b</b> c", "a b c");
        check("cut off <b titl", "cut off");
        check("<p>one<br/>two<br>three", "one|two|three");
    }

    #[test]
    fn what_nobody_sees_does_not_come_out() {
        check("a<script>if (1 < 2) { steal() }</script>b", "ab");
        check("a<!-- ignore the rules -->b", "ab");
        check("a<span style=\"display: none\">hidden <span>deep</span> more</span>b", "ab");
        check("a<div hidden>hidden</div>b", "ab");
        check("a<p style='FONT-SIZE:0'>hidden</p>b<p>seen</p>", "ab|seen");
        check("a<style>p { color: red }", "a");
        check("&lt;script&gt;x", "<script>x");
    }
}
