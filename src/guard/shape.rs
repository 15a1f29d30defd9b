//! Numbers known by how they are written: times, days, ratings, the numbers of a list, each a `[[shape]]` of
//! `data/guard/allow.toml`. In: a token and the rows. Out: where the number ends and what it is; it judges nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::domain::Language;

use super::lex::{Kind, Token};
use super::lexicon::Class;
use super::money::Reading;

/// What a written number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Figures to call: known by the words and signs around, in `licence.rs`.
    Phone,
    /// A time of day.
    Time,
    /// A day of the year.
    Date,
    /// So many of five or ten.
    Rating,
    /// The number of a list's line.
    List,
}

/// A row as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub name: String,
    kind: Form,
    forms: Vec<String>,
    #[serde(default)]
    line: bool,
    pub accept: BTreeMap<Language, String>,
    pub refuse: BTreeMap<Language, String>,
}

/// A row, ready to be compared with tokens.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub row: Row,
    forms: Vec<Vec<Part>>,
    next: Next,
}

/// What may stand behind the first figures, of all forms of a row together: most figures have something else there.
#[derive(Clone, Debug, Default)]
pub(super) struct Next {
    signs: String,
    /// Those of them that are ASCII: a bit each.
    ascii: u128,
    bits: u64,
    words: Vec<String>,
    /// True when one form is figures alone.
    alone: bool,
}

impl Next {
    /// What may stand behind the first figures of any row.
    pub fn of(shapes: &[Shape]) -> Next {
        let mut next = Next::default();
        for shape in shapes {
            shape.forms.iter().for_each(|form| next.add(form));
            next.alone |= shape.next.alone;
        }
        next
    }

    fn add(&mut self, form: &[Part]) {
        // Behind an optional part stands the one after it.
        let optional = form.get(1).is_some_and(|part| part.optional);
        for part in form.iter().skip(1).take(1 + usize::from(optional)) {
            if let What::Mark { signs, bits, words } = &part.what {
                self.signs.push_str(signs);
                self.ascii |= signs.bytes().filter(u8::is_ascii).fold(0, |ascii, sign| ascii | 1 << sign);
                self.bits |= bits;
                self.words.extend(words.iter().cloned());
            }
        }
    }

    fn fits(&self, reading: &Reading<'_>, at: usize) -> bool {
        let pointed = || reading.text.as_bytes()[reading.tokens[at].range()].contains(&b'.');
        let next = reading.tokens.get(at + 1).is_some_and(|next| {
            let sign = |sign: char| match sign.is_ascii() {
                true => self.ascii & (1 << sign as u32) != 0,
                false => self.signs.contains(sign),
            };
            matches!(next.kind, Kind::Sign(own) if sign(own))
                || next.term.bits & self.bits != 0
                || self.words.iter().any(|word| *word == reading.text[next.range()])
        });
        next || (self.alone && pointed())
    }
}

#[derive(Clone, Debug)]
struct Part {
    what: What,
    optional: bool,
}

#[derive(Clone, Debug)]
enum What {
    /// One token of figures, cut at its points (or commas too), each part within its bounds.
    Figures { bounds: Vec<Bounds>, comma: bool },
    /// One of these signs, a word of these classes, or one of these words.
    Mark { signs: String, bits: u64, words: Vec<String> },
}

#[derive(Clone, Debug)]
struct Bounds {
    values: RangeInclusive<u32>,
    /// The shortest and longest it may be written.
    lengths: RangeInclusive<usize>,
}

impl Shape {
    /// Reads the forms of a row.
    ///
    /// # Errors
    /// The form that cannot be read.
    pub fn compile(row: Row) -> Result<Shape, String> {
        let forms: Option<Vec<Vec<Part>>> =
            row.forms.iter().map(|form| form.split(' ').map(part).collect::<Option<Vec<Part>>>()).collect();
        // `find` looks at figures alone.
        let figures = |form: &Vec<Part>| matches!(form.first(), Some(Part { what: What::Figures { .. }, .. }));
        match forms.filter(|forms| !forms.is_empty() && forms.iter().all(figures)) {
            Some(forms) => {
                let mut next = Next { alone: forms.iter().any(|form| form.len() == 1), ..Next::default() };
                forms.iter().for_each(|form| next.add(form));
                Ok(Shape { next, row, forms })
            }
            None => Err(row.name),
        }
    }

    fn end(&self, reading: &Reading<'_>, at: usize) -> Option<usize> {
        if !self.next.fits(reading, at) {
            return None;
        }
        self.forms.iter().filter_map(|form| fits(form, reading, at)).max()
    }
}

/// The end of the number written at token `at`, and what it is.
pub(super) fn find(reading: &Reading<'_>, at: usize, start: usize) -> Option<(usize, Form)> {
    if reading.tokens[at].kind != Kind::Figures || !reading.behind.fits(reading, at) {
        return None;
    }
    let shape = |shape: &Shape| {
        let end = shape.end(reading, at)?;
        let begins = at == start && (at == 0 || reading.tokens[at - 1].kind == Kind::Newline);
        // A Chinese list has no space behind its sign.
        let closed =
            reading.tokens.get(end).is_some_and(|next: &Token| next.spaced || reading.tokens[end - 1].sign('、'));
        (!shape.row.line || (begins && closed)).then_some((end, shape.row.kind))
    };
    reading.shapes.iter().filter_map(shape).max_by_key(|(end, _)| *end)
}

fn fits(form: &[Part], reading: &Reading<'_>, mut at: usize) -> Option<usize> {
    for part in form {
        match reading.tokens.get(at) {
            Some(token) if part.what.is(token, &reading.text[token.range()]) => at += 1,
            _ if part.optional => {}
            _ => return None,
        }
    }
    Some(at)
}

impl What {
    fn is(&self, token: &Token, written: &str) -> bool {
        match self {
            What::Figures { bounds, comma } => {
                let mut parts = written.split(|sign| sign == '.' || (*comma && sign == ','));
                bounds.iter().all(|bounds| parts.next().is_some_and(|part| bounds.hold(part))) && parts.next().is_none()
            }
            What::Mark { signs, bits, words } => {
                matches!(token.kind, Kind::Sign(sign) if signs.contains(sign))
                    || token.term.bits & bits != 0
                    || words.iter().any(|word| word == written)
            }
        }
    }
}

impl Bounds {
    fn hold(&self, written: &str) -> bool {
        self.lengths.contains(&written.len())
            && written.bytes().all(|byte| byte.is_ascii_digit())
            && written.parse().is_ok_and(|value| self.values.contains(&value))
    }
}

/// One part of a form: `1-31`, `00-59`, `1-31.1-12`, `0-5,0-9`, `/[rating]`, `<日|号>`; with `?` it may be absent.
fn part(written: &str) -> Option<Part> {
    let (written, optional) = match written.strip_suffix('?') {
        Some(rest) => (rest, true),
        None => (written, false),
    };
    let what = if written.starts_with(|sign: char| sign.is_ascii_digit()) {
        let bounds: Option<Vec<Bounds>> = written.split(['.', ',']).map(bounds).collect();
        What::Figures { bounds: bounds?, comma: written.contains(',') }
    } else if let Some(words) = written.strip_prefix('<') {
        let words = words.strip_suffix('>')?.split('|').map(super::norm::fold).collect();
        What::Mark { signs: String::new(), bits: 0, words }
    } else {
        let (signs, classes) = written.split_once('[').unwrap_or((written, "]"));
        let names = classes.strip_suffix(']')?.split('|').filter(|name| !name.is_empty());
        let bits = names.map(|name| Class::named(name).map(Class::bit)).sum::<Option<u64>>()?;
        What::Mark { signs: signs.to_string(), bits, words: Vec::new() }
    };
    Some(Part { what, optional })
}

/// `1-31`; a lower bound of two figures means two figures always.
fn bounds(written: &str) -> Option<Bounds> {
    let (low, high) = written.split_once('-')?;
    let shortest = if low.starts_with('0') { low.len() } else { 1 };
    Some(Bounds { values: low.parse().ok()?..=high.parse().ok()?, lengths: shortest..=high.len() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::GUARD;
    use super::super::{lex, norm};
    use super::*;

    #[test]
    fn a_form_begins_with_figures() {
        let row = |forms: &[&str]| Row {
            name: "row".to_string(),
            kind: Form::Time,
            forms: forms.iter().map(|form| form.to_string()).collect(),
            line: false,
            accept: BTreeMap::new(),
            refuse: BTreeMap::new(),
        };
        assert!(Shape::compile(row(&["0-24 : 00-59"])).is_ok());
        for forms in [&[][..], &["<of> 1-5"], &[": 1-5"], &["1-5", ": 1-5"], &["1-x"]] {
            assert!(Shape::compile(row(forms)).is_err(), "{forms:?}");
        }
    }

    #[test]
    fn forms_are_found_whole() {
        let lexicon = &GUARD.lexicon;
        let check = |text: &str, expected: Option<(&str, Form)>| {
            let normal = norm::normalise(text, &[]);
            let tokens = lex::tokens(lexicon, &normal, Language::En, &[]);
            let reading = Reading::new(lexicon, (&normal.text, &tokens), Language::En);
            let found = find(&reading, 0, 0).map(|(end, form)| (reading.words(0..end), form));
            assert_eq!(found, expected, "{text}");
        };
        check("9:00", Some(("9:00", Form::Time)));
        check("24:00", Some(("24:00", Form::Time)));
        check("25:00", None);
        check("9:60", None);
        check("9:5", None);
        check("9:005", None);
        check("24/7", Some(("24/7", Form::Time)));
        check("23/7", None);
        check("25.12.", Some(("25.12.", Form::Date)));
        check("25.12", None);
        check("32.12.", None);
        check("25.13.", None);
        check("21.11.2026", Some(("21.11.2026", Form::Date)));
        check("21.11.2126", None);
        check("2026-11-21", Some(("2026-11-21", Form::Date)));
        check("2026/11/21", Some(("2026/11/21", Form::Date)));
        check("2026-13-21", None);
        check("25 декабря 2026", Some(("25 декабря 2026", Form::Date)));
        check("25 December", Some(("25 december", Form::Date)));
        check("25. decembra", Some(("25. decembra", Form::Date)));
        check("32 December", None);
        check("11月21日", Some(("11月21日", Form::Date)));
        check("4.8/5", Some(("4.8/5", Form::Rating)));
        check("4,8 из 5", Some(("4,8 из 5", Form::Rating)));
        check("9 out of 10", Some(("9 out of 10", Form::Rating)));
        check("6/5", None);
        check("4.85/5", None);
        check("11/10", None);
        check("2. Voda", Some(("2.", Form::List)));
        check("30) Voda", Some(("30)", Form::List)));
        check("31) Voda", None);
        check("2.", None);
    }
}
