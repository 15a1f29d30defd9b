//! Filling a template: text grows, spans are noted where a fact's value was written.

use crate::domain::{DraftSegment, FactId, Role, SegmentKind, Span};

use super::phrasebook::{Piece, Template};

/// A value with the fact and role it renders; none of them for plain text such as the shop's name.
#[derive(Clone, Debug)]
pub struct Value {
    text: String,
    source: Option<(FactId, Role)>,
}

/// The values of a template's slots. One slot may take several values with plain text between.
#[derive(Default)]
pub struct Values {
    slots: Vec<(&'static str, Vec<Value>)>,
}

impl Values {
    /// A slot filled with one value of a fact.
    pub fn fact(self, slot: &'static str, (text, fact, role): (String, &FactId, Role)) -> Self {
        self.with(slot, vec![Value::of(text, fact, role)])
    }

    /// A slot filled with plain text.
    pub fn text(self, slot: &'static str, text: &str) -> Self {
        self.with(slot, vec![Value::plain(text)])
    }

    /// A slot filled with several values.
    pub fn with(mut self, slot: &'static str, values: Vec<Value>) -> Self {
        self.slots.push((slot, values));
        self
    }

    /// The values of a slot; none when there are none or one says nothing.
    pub fn known(&self, slot: &str) -> Option<&[Value]> {
        let values = self.get(slot);
        (!values.is_empty() && values.iter().all(|value| !value.text.is_empty())).then_some(values)
    }

    /// The same with plain text before and after the values of a slot.
    pub fn around(mut self, slot: &str, (before, after): (&str, &str)) -> Self {
        if let Some((_, values)) = self.slots.iter_mut().find(|(name, values)| *name == slot && !values.is_empty()) {
            values.insert(0, Value::plain(before));
            values.push(Value::plain(after));
        }
        self
    }

    fn get(&self, slot: &str) -> &[Value] {
        self.slots.iter().find(|(name, _)| *name == slot).map_or(&[], |(_, values)| values)
    }
}

impl Value {
    /// A value of a fact.
    pub fn of(text: String, fact: &FactId, role: Role) -> Value {
        Value { text, source: Some((fact.clone(), role)) }
    }

    /// Text between values.
    pub fn plain(text: &str) -> Value {
        Value { text: text.to_string(), source: None }
    }

    /// `values` with `between` before each but the first.
    pub fn joined(values: Vec<Value>, between: &str) -> Vec<Value> {
        let mut all = Vec::with_capacity(values.len() * 2);
        for value in values {
            if !all.is_empty() {
                all.push(Value::plain(between));
            }
            all.push(value);
        }
        all
    }
}

impl Template {
    /// The template with its slots filled.
    pub fn fill(&self, kind: SegmentKind, values: &Values) -> DraftSegment {
        self.fill_with(kind, |slot| values.get(slot))
    }

    /// The template with each slot filled with what `values` knows of it.
    pub fn fill_with<'v>(&self, kind: SegmentKind, values: impl Fn(&str) -> &'v [Value]) -> DraftSegment {
        let mut segment = DraftSegment { kind, text: String::new(), spans: Vec::new() };
        for piece in &self.pieces {
            match piece {
                // A name that ends with its own point, "3 шт.", ends the sentence too.
                Piece::Text(text) if segment.text.ends_with('.') => {
                    segment.text.push_str(text.strip_prefix('.').unwrap_or(text));
                }
                Piece::Text(text) => segment.text.push_str(text),
                Piece::Slot(slot) => values(slot).iter().for_each(|value| segment.push(value)),
            }
        }
        let said = segment.spans.last().map_or(0, |span| span.range.end);
        segment.text.truncate(segment.text.trim_end().len().max(said));
        segment
    }
}

impl DraftSegment {
    fn push(&mut self, value: &Value) {
        let start = self.text.len();
        self.text.push_str(&value.text);
        // A fact without this value, such as a product without a short description, renders nothing.
        if let Some((fact, role)) = value.source.as_ref().filter(|_| !value.text.is_empty()) {
            self.spans.push(Span { range: start..self.text.len(), fact: fact.clone(), role: *role });
        }
    }

    /// Appends another segment's text and spans after `between`.
    pub(super) fn append(&mut self, between: &str, other: DraftSegment) {
        self.text.push_str(between);
        let shift = self.text.len();
        self.text.push_str(&other.text);
        self.spans.extend(
            other
                .spans
                .into_iter()
                .map(|span| Span { range: span.range.start + shift..span.range.end + shift, ..span }),
        );
    }
}
