//! What a page shows, in the order in which it is written: pieces of text with where they stand and how large they are. Text that is
//! not painted is not read.

use std::rc::Rc;

use hayro_syntax::content::UntypedIter;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::{Page, Resources};

use super::font::{Font, Fonts};

/// Instructions of one page.
const MOST: usize = 2_000_000;
/// Forms within forms.
const DEPTH: usize = 6;
/// Smaller letters nobody reads.
const SMALLEST: f64 = 2.0;

/// A piece of text.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub x: f64,
    pub end: f64,
    pub y: f64,
    pub size: f64,
    pub bold: bool,
    pub text: String,
}

/// What was read of a page.
#[derive(Default)]
pub(super) struct Read {
    pub runs: Vec<Run>,
    /// Letters that nobody can tell.
    pub unknown: usize,
    pub pictures: usize,
}

type Matrix = [f64; 6];
const UNIT: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// First `a`, then `b`.
fn times(a: Matrix, b: Matrix) -> Matrix {
    [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4],
        a[4] * b[1] + a[5] * b[3] + b[5],
    ]
}

#[derive(Clone)]
struct State {
    ctm: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letter: f64,
    word: f64,
    scale: f64,
    leading: f64,
    rise: f64,
    hidden: bool,
}

struct Reader<'f> {
    fonts: &'f mut Fonts,
    read: Read,
    state: State,
    kept: Vec<State>,
    line: Matrix,
    text: Matrix,
    left: usize,
}

/// Reads a page.
pub(super) fn read(page: &Page<'_>, fonts: &mut Fonts) -> Result<Read, String> {
    let state = State {
        ctm: UNIT,
        font: None,
        size: 0.0,
        letter: 0.0,
        word: 0.0,
        scale: 1.0,
        leading: 0.0,
        rise: 0.0,
        hidden: false,
    };
    let mut reader =
        Reader { fonts, read: Read::default(), state, kept: Vec::new(), line: UNIT, text: UNIT, left: MOST };
    let content = page.page_stream().unwrap_or_default();
    reader.follow(content, page.resources(), 0)?;
    Ok(reader.read)
}

impl Reader<'_> {
    fn follow(&mut self, content: &[u8], resources: &Resources<'_>, depth: usize) -> Result<(), String> {
        let mut instructions = UntypedIter::new(content);
        while let Some(instruction) = instructions.next() {
            self.left = self.left.checked_sub(1).ok_or("a page has too many instructions")?;
            let operands: Vec<&Object<'_>> = instruction.operands().collect();
            let numbers: Vec<f64> = operands.iter().filter_map(|one| number(one)).collect();
            match &instruction.operator[..] {
                b"Do" => self.form(name(&operands), resources, depth)?,
                b"Tf" => {
                    let dict = name(&operands).and_then(|name| resources.get_font(name));
                    self.state.font = dict.map(|dict| self.fonts.get(&dict));
                    self.state.size = numbers.last().copied().unwrap_or(0.0);
                }
                b"BI" => self.read.pictures += 1,
                b"Tj" => self.strings(&operands),
                b"'" | b"\"" => {
                    if let [word, letter] = numbers[..] {
                        (self.state.word, self.state.letter) = (word, letter);
                    }
                    self.down(0.0, -self.state.leading);
                    self.strings(&operands);
                }
                b"TJ" => self.spaced(&operands),
                operator => self.set(operator, &numbers),
            }
        }
        Ok(())
    }

    fn set(&mut self, operator: &[u8], numbers: &[f64]) {
        match (operator, numbers) {
            (b"q", _) if self.kept.len() < 200 => self.kept.push(self.state.clone()),
            (b"Q", _) => self.state = self.kept.pop().unwrap_or_else(|| self.state.clone()),
            (b"cm", &[a, b, c, d, e, f]) => self.state.ctm = times([a, b, c, d, e, f], self.state.ctm),
            (b"BT", _) => (self.line, self.text) = (UNIT, UNIT),
            (b"Tm", &[a, b, c, d, e, f]) => (self.line, self.text) = ([a, b, c, d, e, f], [a, b, c, d, e, f]),
            (b"Td", &[x, y]) => self.down(x, y),
            (b"TD", &[x, y]) => {
                self.state.leading = -y;
                self.down(x, y);
            }
            (b"T*", _) => self.down(0.0, -self.state.leading),
            (b"TL", &[leading]) => self.state.leading = leading,
            (b"Tc", &[space]) => self.state.letter = space,
            (b"Tw", &[space]) => self.state.word = space,
            (b"Tz", &[percent]) => self.state.scale = percent / 100.0,
            (b"Ts", &[rise]) => self.state.rise = rise,
            // 3 paints nothing, 7 only clips: programs put what they believe to have recognised there.
            (b"Tr", &[mode]) => self.state.hidden = mode == 3.0 || mode == 7.0,
            _ => {}
        }
    }

    fn down(&mut self, x: f64, y: f64) {
        self.line = times([1.0, 0.0, 0.0, 1.0, x, y], self.line);
        self.text = self.line;
    }

    fn form(&mut self, name: Option<&Name<'_>>, resources: &Resources<'_>, depth: usize) -> Result<(), String> {
        let Some(object) = name.and_then(|name| resources.get_x_object(name)) else { return Ok(()) };
        let dict = object.dict();
        if dict.get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_str() == "Image") {
            self.read.pictures += 1;
            return Ok(());
        }
        if depth >= DEPTH {
            return Err("its forms are nested too deep".to_string());
        }
        let content = decoded(&object)?;
        let own = dict.get::<Dict<'_>>("Resources").map(Resources::new);
        let matrix: Vec<f64> = dict
            .get::<Array<'_>>("Matrix")
            .iter()
            .flat_map(Array::iter::<Object<'_>>)
            .filter_map(|one| number(&one))
            .collect();
        let (state, kept) = (self.state.clone(), std::mem::take(&mut self.kept));
        if let [a, b, c, d, e, f] = matrix[..] {
            self.state.ctm = times([a, b, c, d, e, f], self.state.ctm);
        }
        self.follow(&content, own.as_ref().unwrap_or(resources), depth + 1)?;
        (self.state, self.kept) = (state, kept);
        Ok(())
    }

    fn strings(&mut self, operands: &[&Object<'_>]) {
        for operand in operands {
            if let Object::String(text) = operand {
                self.show(text.as_bytes());
            }
        }
    }

    fn spaced(&mut self, operands: &[&Object<'_>]) {
        let Some(Object::Array(pieces)) = operands.first() else { return };
        for piece in pieces.iter::<Object<'_>>() {
            match &piece {
                Object::String(text) => self.show(text.as_bytes()),
                piece => {
                    let back = number(piece).unwrap_or(0.0);
                    self.forward(-back / 1000.0 * self.state.size * self.state.scale);
                }
            }
        }
    }

    fn forward(&mut self, by: f64) {
        self.text = times([1.0, 0.0, 0.0, 1.0, by, 0.0], self.text);
    }

    fn show(&mut self, bytes: &[u8]) {
        let Some(font) = self.state.font.clone() else {
            self.read.unknown += bytes.len();
            return;
        };
        let start = self.place();
        let (mut text, mut unknown) = (String::new(), 0);
        for shown in font.read(bytes) {
            match shown.text {
                Some(letters) => text.push_str(&letters),
                None => unknown += 1,
            }
            let word = if shown.space { self.state.word } else { 0.0 };
            let by = (shown.width / 1000.0 * self.state.size + self.state.letter + word) * self.state.scale;
            self.forward(by);
        }
        let end = self.place();
        let size = self.state.size * (start[2].powi(2) + start[3].powi(2)).sqrt();
        // Text across the page is a stamp, not a sentence.
        let upright = start[1].abs() <= start[0].abs() * 0.1;
        if self.state.hidden || size.abs() < SMALLEST || !upright {
            return;
        }
        self.read.unknown += unknown;
        if !text.is_empty() && self.read.runs.len() < MOST {
            let (x, y, bold) = (start[4], start[5], font.bold);
            self.read.runs.push(Run { x, end: end[4], y, size: size.abs(), bold, text });
        }
    }

    fn place(&self) -> Matrix {
        times(times([1.0, 0.0, 0.0, 1.0, 0.0, self.state.rise], self.text), self.state.ctm)
    }
}

fn decoded(stream: &Stream<'_>) -> Result<Vec<u8>, String> {
    stream.decoded_data().map(std::borrow::Cow::into_owned).map_err(|_| "a part of it cannot be unpacked".to_string())
}

fn number(object: &Object<'_>) -> Option<f64> {
    match object {
        Object::Number(number) => Some(number.as_f64()).filter(|number| number.is_finite()),
        _ => None,
    }
}

fn name<'o, 'a>(operands: &[&'o Object<'a>]) -> Option<&'o Name<'a>> {
    operands.iter().find_map(|one| match one {
        Object::Name(name) => Some(name),
        _ => None,
    })
}
