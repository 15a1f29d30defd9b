//! A shopper's message: raw, and screened.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::session::SessionId;

/// What came in, already within the size limits of the door.
#[derive(Clone, Debug)]
pub struct Message {
    /// The conversation it belongs to; none starts a new one.
    pub session: Option<SessionId>,
    /// The shop's id of a customer whose identity the shop has checked.
    pub customer: Option<String>,
    /// The text as typed.
    pub text: String,
    /// The language the channel is set to; the message's own language wins when it is clear.
    pub locale: Option<Language>,
    /// Where it came from: `web`, `cli`, `openai`.
    pub channel: String,
}

impl Message {
    /// A message of nobody known, in a conversation of its own.
    pub fn anonymous(text: &str, channel: &str) -> Message {
        Message { session: None, customer: None, text: text.to_string(), locale: None, channel: channel.to_string() }
    }
}

/// A message that may be logged, stored and shown to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Screened {
    /// Normalised, personal data replaced by `[phone]`, `[card]`, `[email]`, ...
    pub text: String,
    /// Normalised, personal data in place: for tools alone, never logged or stored.
    #[serde(skip)]
    pub private: String,
    /// The language it is written in, or the session's when the text does not tell.
    pub language: Language,
    /// What was masked, as byte ranges of `private`.
    pub pii: Vec<Pii>,
    /// Likelihood of an attempt to bend the assistant, 0 to 1.
    pub injection: f32,
    /// Likelihood of an advertisement, 0 to 1.
    pub spam: f32,
    /// What its words are, as far as somebody has read them.
    #[serde(skip)]
    pub marks: Marks,
}

impl Screened {
    /// From this score of `spam` on, a message advertises.
    pub const ADVERTISING: f32 = 0.6;

    /// The message in parts, each with its own personal data; none where these ranges of `text` cut through a mask, or where the text is
    /// not the private one with masks in it.
    pub fn parts(&self, ranges: &[Range<usize>]) -> Option<Vec<Screened>> {
        // Where each mask begins and ends in the text.
        let mut masks = Vec::with_capacity(self.pii.len());
        let (mut rebuilt, mut from) = (String::new(), 0);
        for found in &self.pii {
            rebuilt.push_str(self.private.get(from..found.range.start)?);
            let start = rebuilt.len();
            rebuilt.push_str(found.kind.mask());
            masks.push((start..rebuilt.len(), found));
            from = found.range.end;
        }
        rebuilt.push_str(self.private.get(from..)?);
        if rebuilt != self.text {
            return None;
        }
        let part = |range: &Range<usize>| {
            let own = masks.iter().filter(|(mask, _)| range.start <= mask.start && mask.end <= range.end);
            let cut = masks.iter().any(|(mask, _)| {
                (mask.start < range.start && range.start < mask.end) || (mask.start < range.end && range.end < mask.end)
            });
            // What stands before a place is as long in both, but for the masks.
            let place = |at: usize| {
                let before = masks.iter().take_while(|(mask, _)| mask.end <= at).last();
                before.map_or(at, |(mask, found)| found.range.end + (at - mask.end))
            };
            let private = place(range.start)..place(range.end);
            let pii = own.map(|(_, found)| Pii {
                kind: found.kind,
                range: found.range.start - private.start..found.range.end - private.start,
            });
            let pii = pii.collect();
            (!cut).then_some(())?;
            Some(Screened {
                text: self.text.get(range.clone())?.to_string(),
                private: self.private.get(private)?.to_string(),
                pii,
                ..self.clone()
            })
        };
        ranges.iter().map(part).collect()
    }

    /// True for a message that offers something to the shop.
    pub fn advertises(&self) -> bool {
        self.spam >= Self::ADVERTISING
    }
}

/// What a stretch of a text is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Byte range of the text that was read.
    pub range: Range<usize>,
    /// The chance that it names goods.
    pub names: f32,
    /// The chance that it says what goods are or should be like.
    pub describes: f32,
}

/// A stretch of a text that is one wish.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Byte range of the text that was read; stretches cover it one after the other.
    pub range: Range<usize>,
    /// What is wanted: the name of a command, or `about` for a question about what something is like.
    pub wish: String,
    /// How sure that is, 0 to 1.
    pub sure: f32,
    /// How likely each label is for it, 0 to 1; they add up to 1.
    pub chances: Vec<(String, f32)>,
}

impl Stretch {
    /// Both as one wish: what both say it is.
    pub fn and(self, next: Stretch) -> Stretch {
        let both = self.chances.iter().zip(&next.chances);
        let both: Vec<(String, f32)> =
            both.map(|((label, one), (_, other))| (label.clone(), (one * other).sqrt())).collect();
        let all: f32 = both.iter().map(|(_, chance)| chance).sum();
        let chances: Vec<(String, f32)> = both.into_iter().map(|(label, chance)| (label, chance / all)).collect();
        let best = chances.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (wish, sure) = best.cloned().unwrap_or((next.wish, next.sure));
        Stretch { range: self.range.start..next.range.end, wish, sure, chances }
    }
}

/// What the words of a message are, as the embedder read them. Words are looked up by how they are typed, so that parts of the message
/// and what was made of it find theirs, too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    text: String,
    /// For each byte of the text; none where nobody has read it.
    bytes: Vec<Option<Chances>>,
}

/// What a character is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Chances {
    names: f32,
    of_goods: f32,
}

impl Marks {
    /// The marks of a text.
    pub fn new(text: String, marks: &[Mark]) -> Marks {
        let mut bytes = vec![None; text.len()];
        for mark in marks {
            let chances = Chances { names: mark.names, of_goods: mark.names + mark.describes };
            bytes.get_mut(mark.range.clone()).into_iter().flatten().for_each(|byte| *byte = Some(chances));
        }
        Marks { text, bytes }
    }

    /// The chance of each character of a word that it says something of goods: the best of all places where the message has the word, and 1
    /// where it has it nowhere.
    pub fn chances(&self, word: &str) -> Vec<f32> {
        let mut best: Option<Vec<f32>> = None;
        for start in self.places(word) {
            let here =
                word.char_indices().map(|(at, _)| self.bytes[start + at].map_or(1.0, |chances| chances.of_goods));
            best = Some(match best {
                None => here.collect(),
                Some(before) => before.into_iter().zip(here).map(|(a, b)| a.max(b)).collect(),
            });
        }
        best.unwrap_or_else(|| vec![1.0; word.chars().count()])
    }

    /// The best chance of any of some words, parted by spaces, that it names goods; none where one of them was not read.
    pub fn naming(&self, words: &str) -> Option<f32> {
        let mut best: Option<f32> = None;
        for word in words.split_whitespace() {
            let places = self.places(word).flat_map(|start| word.char_indices().map(move |(at, _)| start + at));
            let read: Option<Vec<f32>> = places.map(|byte| self.bytes[byte].map(|chances| chances.names)).collect();
            let own = read.filter(|read| !read.is_empty())?.into_iter().fold(0.0, f32::max);
            best = Some(best.map_or(own, |before| before.max(own)));
        }
        best
    }

    fn places(&self, word: &str) -> impl Iterator<Item = usize> {
        self.text.match_indices(word).map(|(start, _)| start).filter(move |_| !word.is_empty())
    }
}

/// A stretch of personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pii {
    /// `phone`, `email`, `card`, `iban`, `id`.
    pub kind: PiiKind,
    /// Byte range in the unmasked, normalised text.
    #[serde(flatten)]
    pub range: Range<usize>,
}

/// Kinds of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiKind {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A payment card number that passes Luhn.
    Card,
    /// A bank account that passes mod-97.
    Iban,
    /// A number of a person: identity card, birth number, passport, tax number.
    Id,
}

impl PiiKind {
    /// What stands in its place.
    pub fn mask(self) -> &'static str {
        match self {
            PiiKind::Phone => "[phone]",
            PiiKind::Email => "[email]",
            PiiKind::Card => "[card]",
            PiiKind::Iban => "[iban]",
            PiiKind::Id => "[id]",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_their_own_personal_data() {
        let private = "call me on 0903 123 456, where is TT-1? a@b.sk";
        let text = "call me on [phone], where is TT-1? [email]";
        let pii = |kind, word: &str| {
            let start = private.find(word).unwrap();
            Pii { kind, range: start..start + word.len() }
        };
        let message = Screened {
            text: text.into(),
            private: private.into(),
            language: Language::En,
            pii: vec![pii(PiiKind::Phone, "0903 123 456"), pii(PiiKind::Email, "a@b.sk")],
            injection: 0.0,
            spam: 0.0,
            marks: Marks::default(),
        };
        let at = text.find("where").unwrap();
        let parts = message.parts(&[0..at, at..text.len()]).unwrap();
        let told: Vec<_> = parts.iter().map(|part| (part.text.as_str(), part.private.as_str())).collect();
        assert_eq!(
            told,
            [
                ("call me on [phone], ", "call me on 0903 123 456, "),
                ("where is TT-1? [email]", "where is TT-1? a@b.sk")
            ]
        );
        assert_eq!(&parts[1].private[parts[1].pii[0].range.clone()], "a@b.sk");
        assert_eq!(message.parts(&[0..13, 13..text.len()]), None);
        assert_eq!(Screened { text: "veiled".into(), ..message }.parts(&[0..3]), None);
    }

    #[test]
    fn a_word_has_the_best_chance_of_all_its_places() {
        let mark = |range: Range<usize>, names: f32, describes: f32| Mark { range, names, describes };
        let text = "hm pan or a wok pan";
        let marks = Marks::new(
            text.into(),
            &[mark(0..2, 0.0, 0.1), mark(3..6, 0.5, 0.0), mark(12..15, 0.9, 0.0), mark(16..19, 0.6, 0.1)],
        );
        let check = |word: &str, expected: f32| {
            let chances = marks.chances(word);
            assert!(chances.iter().all(|chance| (chance - expected).abs() < 1e-6), "{word}: {chances:?}");
        };
        check("hm", 0.1);
        check("pan", 0.7);
        check("wok", 0.9);
        check("or", 1.0);
        check("kettle", 1.0);
        let check = |words: &str, expected: Option<f32>| assert_eq!(marks.naming(words), expected, "{words}");
        check("pan", Some(0.6));
        check("hm pan", Some(0.6));
        check("hm", Some(0.0));
        check("or pan", None);
        check("kettle", None);
        check("", None);
        assert!(Marks::default().chances("").is_empty());
    }
}
