//! A policy written as a web page, as Markdown: `<meta>` becomes front matter, headings become sections.

use crate::ingest::feed::html;
use crate::ingest::upright;

/// The fields a page may tell about itself.
const FIELDS: [&str; 6] = ["document", "title", "language", "version", "valid_from", "valid_to"];

/// Where a heading begins: letters of the private use area, which no text has.
const HEADING: &str = "\u{e001}";
/// Where a list item begins.
const ITEM: &str = "\u{e002}";

/// The page as Markdown with front matter.
pub fn markdown(page: &str) -> String {
    let mut front = String::new();
    for tag in tags(page, "meta") {
        let (name, value) = (attribute(tag, "name"), attribute(tag, "content"));
        if let (Some(name), Some(value)) = (name, value)
            && FIELDS.contains(&name.as_str())
        {
            front.push_str(&format!("{name}: {}\n", upright::line(&value)));
        }
    }
    let lower = page.to_ascii_lowercase();
    let body = lower.find("<body").map_or(page, |at| &page[at..]);
    let fence = if front.is_empty() { String::new() } else { format!("---\n{front}---\n") };
    let text = upright::lines(&html::text(&marked(body)));
    let mut out = fence;
    for line in text.lines() {
        // Each block is a paragraph of its own.
        out.push_str(&match (line.strip_prefix(HEADING), line.strip_prefix(ITEM)) {
            (Some(heading), _) => format!("\n## {}\n", heading.trim()),
            (_, Some(item)) => format!("- {}\n", item.trim()),
            _ => format!("\n{line}\n"),
        });
    }
    out
}

/// The page with signs where headings and list items begin, which survive the reading of its text.
fn marked(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find('>').map_or(tag.len(), |end| end + 1);
        let name: String = tag[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        out.push_str(&tag[..end]);
        match name.to_ascii_lowercase().as_str() {
            "h2" | "h3" | "h4" => out.push_str(HEADING),
            "li" => out.push_str(ITEM),
            _ => {}
        }
        rest = &tag[end..];
    }
    out.push_str(rest);
    out
}

fn tags<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let lower = page.to_ascii_lowercase();
    let open = format!("<{name}");
    let starts = lower.match_indices(&open).map(|(at, _)| at);
    starts.map(|at| &page[at..at + lower[at..].find('>').unwrap_or(lower.len() - at)]).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.find(&format!(" {name}="))? + name.len() + 2;
    let quote = tag[at..].chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(html::unescaped(tag[at + 1..].split(quote).next()?))
}
