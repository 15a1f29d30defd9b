//! The label of a parcel that comes back: a page of A6 as PDF with the return's number as Code 128. In: where it goes, from whom, the
//! number. Out: bytes, the same for the same label. It is written in Latin letters, as carriers read them; what has none is left out.

mod code128;

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};
use unicode_normalization::UnicodeNormalization;

/// A6, upright, in points.
const PAGE: (f32, f32) = (297.6, 419.5);
const MARGIN: f32 = 22.0;
/// Most lines of an address, and letters of a line, that fit.
const LINES: usize = 6;
const LETTERS: usize = 38;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

/// What stands on the label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Where the parcel goes, line by line.
    pub to: &'a [String],
    /// Who sends it, line by line.
    pub from: Vec<String>,
    /// The return's number: the barcode.
    pub rma: &'a str,
    /// The order it comes from.
    pub order: &'a str,
    /// The day, as YYYY-MM-DD.
    pub day: String,
}

/// The label as PDF; none when the number cannot stand in a barcode.
pub fn pdf(label: &Label<'_>) -> Option<Vec<u8>> {
    let content = drawn(label)?;
    let [catalog, pages, page, plain, bold, stream] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut sheet = pdf.page(page);
    sheet.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(pages).contents(stream);
    let mut resources = sheet.resources();
    resources.fonts().pair(PLAIN, plain).pair(BOLD, bold);
    resources.finish();
    sheet.finish();
    // Two of the fonts that every reader has: nothing is embedded, and only ASCII is written.
    pdf.type1_font(plain).base_font(Name(b"Helvetica"));
    pdf.type1_font(bold).base_font(Name(b"Helvetica-Bold"));
    pdf.stream(stream, &content.finish());
    Some(pdf.finish())
}

fn drawn(label: &Label<'_>) -> Option<Content> {
    let bars = code128::widths(label.rma)?;
    let mut content = Content::new();
    let mut y = PAGE.1 - MARGIN - 14.0;
    line(&mut content, (BOLD, 18.0), y, "RETURN");
    y -= 30.0;
    for (title, lines, size) in [("To", label.to, 13.0), ("From", label.from.as_slice(), 10.0)] {
        line(&mut content, (PLAIN, 8.0), y, title);
        for text in lines.iter().map(|text| latin(text)).filter(|text| !text.is_empty()).take(LINES) {
            y -= size + 4.0;
            line(&mut content, (if title == "To" { BOLD } else { PLAIN }, size), y, &text);
        }
        y -= 24.0;
    }
    line(&mut content, (PLAIN, 10.0), 128.0, &format!("Order {}    {}", latin(label.order), label.day));
    barcode(&mut content, &bars);
    line(&mut content, (BOLD, 14.0), MARGIN + 4.0, label.rma);
    Some(content)
}

fn line(content: &mut Content, (font, size): (Name<'static>, f32), y: f32, text: &str) {
    content.begin_text().set_font(font, size).next_line(MARGIN, y).show(Str(text.as_bytes())).end_text();
}

/// The bars over the page's width with ten modules of quiet on both sides.
fn barcode(content: &mut Content, widths: &[u8]) {
    let modules: f32 = widths.iter().map(|width| f32::from(*width)).sum::<f32>() + 20.0;
    // A module of more than half a millimetre is not read any better.
    let module = ((PAGE.0 - 2.0 * MARGIN) / modules).min(1.5);
    let mut x = MARGIN + 10.0 * module;
    for (at, width) in widths.iter().enumerate() {
        let wide = f32::from(*width) * module;
        if at % 2 == 0 {
            content.rect(x, MARGIN + 24.0, wide, 68.0);
        }
        x += wide;
    }
    content.fill_nonzero();
}

/// A text in plain Latin letters: marks are dropped, Cyrillic is written as in passports, anything else is left out.
fn latin(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let capital = c.is_uppercase();
        match cyrillic(c.to_lowercase().next().unwrap_or(c)) {
            Some(letters) if capital => {
                let mut letters = letters.chars();
                out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                out.extend(letters);
            }
            Some(letters) => out.push_str(letters),
            None => out.extend(std::iter::once(c).nfd().filter(|c| (' '..='~').contains(c))),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LETTERS).collect()
}

fn cyrillic(c: char) -> Option<&'static str> {
    const LETTERS: [&str; 32] = [
        "a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh",
        "ts", "ch", "sh", "shch", "ie", "y", "", "e", "iu", "ia",
    ];
    match c {
        'ё' => Some("e"),
        'а'..='я' => LETTERS.get(c as usize - 'а' as usize).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(rma: &str) -> Label<'_> {
        Label { to: &[], from: vec!["Ľubica Šťastná".into()], rma, order: "TT-10436", day: "2026-11-23".into() }
    }

    #[test]
    fn a_label_is_a_whole_pdf_and_the_same_every_time() {
        let to = ["Horizont s.r.o. (returns)".to_string(), "Skladová 12".to_string()];
        let bytes = pdf(&Label { to: &to, ..label("RMA-TT-10436") }).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-1.") && text.trim_end().ends_with("%%EOF"));
        for part in ["Horizont s.r.o. \\(returns\\)", "Skladova 12", "Lubica Stastna", "RMA-TT-10436", "TT-10436"] {
            let plain = part.replace("\\(", "(").replace("\\)", ")");
            assert!(text.contains(part) || text.contains(&plain), "{part} is missing in {text}");
        }
        // Start, twelve letters and the check value have three bars each, the stop has four.
        assert_eq!(text.matches(" re\n").count(), 14 * 3 + 4);
        assert_eq!(pdf(&Label { to: &to, ..label("RMA-TT-10436") }).unwrap(), bytes);
        assert_eq!(pdf(&label("č")), None);
    }

    #[test]
    fn names_are_written_as_carriers_read_them() {
        let check = |text: &str, expected: &str| assert_eq!(latin(text), expected, "{text}");
        check("Ľubica Šťastná", "Lubica Stastna");
        check("Щукина Юлия", "Shchukina Iuliia");
        check("ул. Ленина, 5", "ul. Lenina, 5");
        check("黄强", "");
        check("  a \n b ", "a b");
        check(&"x".repeat(60), &"x".repeat(LETTERS));
    }
}
