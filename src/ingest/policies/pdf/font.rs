//! What the codes of a font mean: by its own table, by the names of its glyphs, by its encoding; else unknown. And how wide they are.

use std::collections::HashMap;
use std::rc::Rc;

use encoding_rs::{MACINTOSH, WINDOWS_1252};
use hayro_syntax::object::{Array, Dict, Name, Number, Object, Stream};

use super::cmap::{CMap, number};
use super::glyphs;

/// A letter that is shown.
pub(super) struct Shown {
    /// What it says; none when nobody can tell.
    pub text: Option<String>,
    /// Its width in thousandths of the size.
    pub width: f64,
    /// True for the one-byte code 32, which word spacing widens.
    pub space: bool,
}

/// A font.
pub(super) struct Font {
    told: CMap,
    /// Codes of more than one byte.
    wide: bool,
    /// Codes are UTF-16 themselves.
    utf16: bool,
    /// Bullets and signs, no letters.
    ornaments: bool,
    pub bold: bool,
    names: HashMap<u8, String>,
    base: Base,
    widths: HashMap<u32, f64>,
    usual: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Standard,
    Windows,
    Mac,
    /// The font's own: only its table tells.
    Own,
}

/// Fonts that were read, by where in the document they stand.
#[derive(Default)]
pub(super) struct Fonts {
    read: HashMap<(usize, usize), Rc<Font>>,
}

impl Fonts {
    pub(super) fn get(&mut self, dict: &Dict<'_>) -> Rc<Font> {
        let place = (dict.data().as_ptr().addr(), dict.data().len());
        Rc::clone(self.read.entry(place).or_insert_with(|| Rc::new(Font::of(dict))))
    }
}

fn name_of(dict: &Dict<'_>, key: &str) -> String {
    dict.get::<Name<'_>>(key).map(|name| name.as_str().to_string()).unwrap_or_default()
}

impl Font {
    fn of(dict: &Dict<'_>) -> Font {
        let table =
            dict.get::<Stream<'_>>("ToUnicode").and_then(|stream| Some(CMap::parse(&stream.decoded_data().ok()?)));
        let name = name_of(dict, "BaseFont");
        let wide = name_of(dict, "Subtype") == "Type0";
        let below = dict.get::<Array<'_>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'_>>().next());
        let encoding = name_of(dict, "Encoding");
        let descriptor = below.as_ref().unwrap_or(dict).get::<Dict<'_>>("FontDescriptor");
        let flags = descriptor
            .as_ref()
            .and_then(|descriptor| descriptor.get::<Number>("Flags"))
            .map_or(0, |flags| flags.as_i64());
        let embedded = descriptor
            .is_some_and(|one| ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| one.contains_key(key)));
        let (base, names) = encoded(dict, &encoding, embedded && flags & 4 != 0);
        let (widths, usual) = match &below {
            Some(below) => wide_widths(below),
            None => (plain_widths(dict), 500.0),
        };
        let plain = name.to_ascii_lowercase();
        Font {
            told: table.unwrap_or_default(),
            wide,
            utf16: encoding.contains("UCS2") || encoding.contains("UTF16"),
            ornaments: ["symbol", "dingbat", "wingding", "webding"].iter().any(|one| plain.contains(one)),
            bold: plain.contains("bold") || plain.contains("black") || plain.contains("heavy"),
            names,
            base,
            widths,
            usual,
        }
    }

    /// The letters of a string.
    pub(super) fn read(&self, mut bytes: &[u8]) -> Vec<Shown> {
        let mut shown = Vec::new();
        while !bytes.is_empty() {
            let usual = if self.wide { 2 } else { 1 };
            let length = if self.wide { self.told.length(bytes, usual) } else { 1 };
            let (code, rest) = bytes.split_at(length);
            bytes = rest;
            let width = self.widths.get(&number(code)).copied().unwrap_or(self.usual);
            shown.push(Shown { text: self.text(code), width, space: code == [b' '] });
        }
        shown
    }

    fn text(&self, code: &[u8]) -> Option<String> {
        let told = self.told.letters(number(code)).or_else(|| self.without_table(code));
        let lettered = |text: &String| {
            !text.chars().any(|c| c == '\u{fffd}' || c == '\0' || ('\u{e000}'..='\u{f8ff}').contains(&c))
        };
        match told.filter(lettered) {
            Some(text) => Some(text),
            None => self.ornaments.then(|| "•".to_string()),
        }
    }

    fn without_table(&self, code: &[u8]) -> Option<String> {
        if self.wide {
            let units: Vec<u16> = code.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            return self.utf16.then(|| String::from_utf16(&units).ok()).flatten();
        }
        let byte = *code.first()?;
        if let Some(name) = self.names.get(&byte) {
            return glyphs::letters(name);
        }
        let page = match self.base {
            Base::Own => return None,
            Base::Standard => return standard(byte),
            Base::Windows => WINDOWS_1252,
            Base::Mac => MACINTOSH,
        };
        let (text, _) = page.decode_without_bom_handling(std::slice::from_ref(&byte));
        (byte >= b' ').then(|| text.into_owned())
    }
}

/// The encoding and the names that differ from it.
fn encoded(dict: &Dict<'_>, named: &str, own: bool) -> (Base, HashMap<u8, String>) {
    let base = |name: &str| match name {
        "WinAnsiEncoding" => Some(Base::Windows),
        "MacRomanEncoding" => Some(Base::Mac),
        "StandardEncoding" => Some(Base::Standard),
        _ => None,
    };
    let usual = if own { Base::Own } else { Base::Standard };
    let mut names = HashMap::new();
    let Some(encoding) = dict.get::<Dict<'_>>("Encoding") else { return (base(named).unwrap_or(usual), names) };
    let mut code = 0_u8;
    for entry in encoding.get::<Array<'_>>("Differences").iter().flat_map(|all| all.iter::<Object<'_>>()) {
        match entry {
            Object::Number(number) => code = u8::try_from(number.as_i64()).unwrap_or(0),
            Object::Name(name) => {
                names.insert(code, name.as_str().to_string());
                code = code.wrapping_add(1);
            }
            _ => {}
        }
    }
    (base(&name_of(&encoding, "BaseEncoding")).unwrap_or(usual), names)
}

/// Adobe's own encoding, as far as it is not ASCII.
fn standard(byte: u8) -> Option<String> {
    let letter = match byte {
        b'\'' => '’',
        b'`' => '‘',
        b' '..=b'~' => char::from(byte),
        0xa1 => '¡',
        0xa3 => '£',
        0xa7 => '§',
        0xaa => '“',
        0xab => '«',
        0xae => return Some("fi".to_string()),
        0xaf => return Some("fl".to_string()),
        0xb1 => '–',
        0xb7 => '•',
        0xb9 => '„',
        0xba => '”',
        0xbb => '»',
        0xbc => '…',
        0xd0 => '—',
        _ => return None,
    };
    Some(letter.to_string())
}

fn plain_widths(dict: &Dict<'_>) -> HashMap<u32, f64> {
    let first = dict.get::<Number>("FirstChar").map_or(0, |first| u32::try_from(first.as_i64()).unwrap_or(0));
    let widths = dict.get::<Array<'_>>("Widths");
    let widths = widths.iter().flat_map(|all| all.iter::<Number>()).take(256);
    (first..).zip(widths.map(|width| width.as_f64())).collect()
}

/// `[first [w w w] first last w ...]`
fn wide_widths(below: &Dict<'_>) -> (HashMap<u32, f64>, f64) {
    let usual = below.get::<Number>("DW").map_or(1000.0, |width| width.as_f64());
    let (mut widths, mut told): (HashMap<u32, f64>, Vec<f64>) = (HashMap::new(), Vec::new());
    for entry in below.get::<Array<'_>>("W").iter().flat_map(|all| all.iter::<Object<'_>>()).take(1 << 17) {
        match (entry, told.as_slice()) {
            (Object::Array(list), [first]) => {
                let first = *first as u32;
                widths.extend((first..).zip(list.iter::<Number>().map(|width| width.as_f64()).take(1 << 16)));
                told.clear();
            }
            (Object::Number(width), [first, last]) => {
                let (first, last) = (*first as u32, (*last as u32).min(0xffff));
                widths.extend((first..=last).map(|code| (code, width.as_f64())));
                told.clear();
            }
            (Object::Number(number), _) => told.push(number.as_f64()),
            _ => told.clear(),
        }
    }
    (widths, usual)
}
