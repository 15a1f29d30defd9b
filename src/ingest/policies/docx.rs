//! A policy written in a word processor, as Markdown: heading styles become sections, list paragraphs become items.
//! Front matter is written as paragraphs, between two of `---`. What was deleted or hidden in the document stays out.

use std::io::Error;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::ingest::feed::container::source;
use crate::ingest::feed::html;
use crate::ingest::upright;

/// The part of the file that holds the text.
const TEXT: &str = "word/document.xml";

#[derive(Default)]
struct Paragraph {
    text: String,
    heading: bool,
    item: bool,
}

/// The document as Markdown.
///
/// # Errors
/// When the file is no document, or is damaged.
pub fn markdown(path: &Path) -> Result<String, Error> {
    let text = source::part(path, TEXT)?.ok_or_else(|| Error::other("it holds no word/document.xml"))?;
    let mut reader = Reader::from_reader(text);
    let (mut buffer, mut out) = (Vec::new(), String::new());
    let (mut paragraph, mut inside, mut hidden, mut fences) = (Paragraph::default(), false, 0_usize, 0);
    loop {
        buffer.clear();
        reader.get_mut().mark();
        match reader.read_event_into(&mut buffer).map_err(Error::other)? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"p" => paragraph = Paragraph::default(),
                b"t" => inside = hidden == 0,
                // Text that was deleted, and what an old version shows instead of a drawing.
                b"del" | b"Fallback" => hidden += 1,
                _ => style(&tag, &mut paragraph),
            },
            Event::Empty(tag) => match tag.local_name().as_ref() {
                b"tab" | b"br" => paragraph.text.push(' '),
                _ => style(&tag, &mut paragraph),
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                b"t" => inside = false,
                b"del" | b"Fallback" => hidden = hidden.saturating_sub(1),
                b"p" => write(&mut out, &std::mem::take(&mut paragraph), &mut fences),
                _ => {}
            },
            Event::Text(text) if inside => paragraph.text.push_str(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) if inside => {
                paragraph.text.push_str(&html::unescaped(&format!("&{};", String::from_utf8_lossy(&name))));
            }
            Event::Eof => return Ok(out),
            _ => {}
        }
    }
}

fn style(tag: &BytesStart<'_>, paragraph: &mut Paragraph) {
    match tag.local_name().as_ref() {
        b"pStyle" => {
            let mut attributes = tag.attributes();
            let value = attributes.with_checks(false).flatten().find(|one| one.key.local_name().as_ref() == b"val");
            let value = value.map(|one| String::from_utf8_lossy(&one.value).to_ascii_lowercase()).unwrap_or_default();
            // Word names styles in the language of the program that made the document: "Heading 2", "Nadpis2", "2".
            let named = ["heading", "nadpis", "zagolovok", "заголовок"].iter().any(|name| value.starts_with(name));
            paragraph.heading |= named || matches!(value.as_str(), "1" | "2" | "3");
        }
        b"outlineLvl" => paragraph.heading = true,
        b"numPr" => paragraph.item = true,
        _ => {}
    }
}

fn write(out: &mut String, paragraph: &Paragraph, fences: &mut usize) {
    let text = upright::line(&paragraph.text);
    if text == "---" && *fences < 2 {
        *fences += 1;
        out.push_str("---\n");
    } else if text.is_empty() {
        out.push('\n');
    } else if *fences == 1 {
        out.push_str(&format!("{text}\n"));
    } else if paragraph.heading {
        out.push_str(&format!("\n## {text}\n"));
    } else if paragraph.item {
        out.push_str(&format!("- {text}\n"));
    } else {
        out.push_str(&format!("\n{text}\n"));
    }
}
