//! The embedder's tokenizer: SentencePiece Unigram, the likeliest split of a text into known pieces.
//! In: any text. Out: piece ids, never a control id, and where in the text each piece stands. A flat table instead of a tree of maps: 8 MB, not 200.

use std::ops::Range;

use anyhow::ensure;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const SPACE: char = '\u{2581}';
const TILDE: char = '\u{ff5e}';
const UNKNOWN_PENALTY: f32 = 10.0;

/// Pieces with their scores.
pub struct Unigram {
    blob: Vec<u8>,
    ends: Vec<u32>,
    scores: Vec<f32>,
    table: Vec<u32>,
    longest: usize,
    unknown: u32,
    unknown_score: f32,
}

/// A piece and where in the normal form it stands, in bytes.
#[derive(Clone, Copy)]
struct Piece {
    id: u32,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Step {
    score: f32,
    from: usize,
    id: u32,
}

impl Unigram {
    /// Builds the table; `control` ids are left out, so that no text can produce them.
    pub fn new(pieces: &[String], scores: Vec<f32>, control: [u32; 4]) -> anyhow::Result<Unigram> {
        ensure!(pieces.len() == scores.len(), "{} pieces, {} scores", pieces.len(), scores.len());
        ensure!(scores.iter().all(|s| s.is_finite()), "a score is not a number");
        let lowest = scores.iter().copied().fold(0.0, f32::min);
        let size = (pieces.len() * 2).next_power_of_two();
        let mut unigram = Unigram {
            blob: Vec::new(),
            ends: vec![0],
            scores,
            table: vec![0; size],
            longest: pieces.iter().map(String::len).max().unwrap_or(0),
            unknown: control[3],
            unknown_score: lowest - UNKNOWN_PENALTY,
        };
        for (id, piece) in (0..).zip(pieces) {
            unigram.blob.extend(piece.as_bytes());
            unigram.ends.push(u32::try_from(unigram.blob.len())?);
            if !piece.is_empty() && !control.contains(&id) && piece != "<mask>" {
                unigram.insert(id, piece.as_bytes());
            }
        }
        Ok(unigram)
    }

    fn insert(&mut self, id: u32, piece: &[u8]) {
        let mask = self.table.len() - 1;
        let mut slot = hash(HASH_START, piece) as usize & mask;
        while self.table[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.table[slot] = id + 1;
    }

    fn find(&self, hash: u64, piece: &[u8]) -> Option<u32> {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let id = self.table[slot].checked_sub(1)?;
            let span = self.ends[id as usize] as usize..self.ends[id as usize + 1] as usize;
            if &self.blob[span] == piece {
                return Some(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The ids of a text, at most `limit`.
    pub fn encode(&self, text: &str, limit: usize) -> Vec<u32> {
        self.pieces(&normalised(text), limit).into_iter().map(|piece| piece.id).collect()
    }

    /// Where in a text each of its pieces stands, in bytes; a piece that holds no more than a space stands nowhere. None for a text that
    /// cannot be followed through its normal form.
    pub fn places(&self, text: &str, limit: usize) -> Option<Vec<Range<usize>>> {
        let (normal, origins) = followed(text);
        if normal != normalised(text) {
            return None;
        }
        let starts: Vec<usize> = normal.char_indices().map(|(at, _)| at).collect();
        let place = |piece: Piece| {
            let (from, to) =
                (starts.partition_point(|at| *at < piece.start), starts.partition_point(|at| *at < piece.end));
            let mut of = origins[from..to].iter().flatten();
            let first = of.next().cloned().unwrap_or_default();
            first.start..of.next_back().map_or(first.end, |last| last.end)
        };
        Some(self.pieces(&normal, limit).into_iter().map(place).collect())
    }

    /// The pieces of a normal form.
    fn pieces(&self, normal: &str, limit: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut from = 0;
        // No piece has a space mark inside, so the words can be split one by one.
        while from < normal.len() && pieces.len() < limit {
            let rest = &normal[from..];
            let next = rest.char_indices().skip(1).find(|(_, c)| *c == SPACE);
            let length = next.map_or(rest.len(), |(at, _)| at);
            self.pieces_of_word(&rest[..length], from, &mut pieces);
            from += length;
        }
        pieces.truncate(limit);
        pieces
    }

    fn pieces_of_word(&self, word: &str, offset: usize, pieces: &mut Vec<Piece>) {
        let mut starts: Vec<usize> = word.char_indices().map(|(at, _)| at).collect();
        starts.push(word.len());
        let steps = self.best_steps(word.as_bytes(), &starts);
        let first = pieces.len();
        let mut at = starts.len() - 1;
        while at > 0 {
            let Step { from, id, .. } = steps[at];
            let (start, end) = (offset + starts[from], offset + starts[at]);
            match pieces[first..].last_mut() {
                // Neighbouring unknown characters are one unknown token.
                Some(piece) if id == self.unknown && piece.id == id => piece.start = start,
                _ => pieces.push(Piece { id, start, end }),
            }
            at = from;
        }
        pieces[first..].reverse();
    }

    fn best_steps(&self, word: &[u8], starts: &[usize]) -> Vec<Step> {
        let unreached = Step { score: f32::NEG_INFINITY, from: 0, id: self.unknown };
        let mut steps = vec![unreached; starts.len()];
        steps[0].score = 0.0;
        for at in 0..starts.len() - 1 {
            let mut state = HASH_START;
            for end in at + 1..starts.len() {
                let piece = &word[starts[at]..starts[end]];
                if piece.len() > self.longest {
                    break;
                }
                state = hash(state, &word[starts[end - 1]..starts[end]]);
                if let Some(id) = self.find(state, piece) {
                    let score = steps[at].score + self.scores[id as usize];
                    improve(&mut steps[end], Step { score, from: at, id });
                }
            }
            let score = steps[at].score + self.unknown_score;
            improve(&mut steps[at + 1], Step { score, from: at, id: self.unknown });
        }
        steps
    }
}

fn improve(step: &mut Step, candidate: Step) {
    if candidate.score > step.score {
        *step = candidate;
    }
}

const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: it can be continued, so a longer piece costs one more character.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// NFKC without control characters, runs of spaces made one, spaces as marks, one mark in front.
fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut after_space = false;
    // The model's own table leaves the full-width tilde alone, unlike NFKC.
    let parts = text.split_inclusive(TILDE).flat_map(|part| {
        let (plain, tilde) = part.strip_suffix(TILDE).map_or((part, None), |p| (p, Some(TILDE)));
        plain.nfkc().chain(tilde)
    });
    for c in parts.filter_map(kept) {
        if c == ' ' && after_space {
            continue;
        }
        after_space = c == ' ';
        if out.is_empty() && c != ' ' {
            out.push(SPACE);
        }
        out.push(if c == ' ' { SPACE } else { c });
    }
    if out.is_empty() {
        out.push(SPACE);
    }
    out
}

/// The same character by character, and where in the source each stands; the marks for spaces stand nowhere. Letters that only make one
/// together with their neighbours come out otherwise.
fn followed(text: &str) -> (String, Vec<Option<Range<usize>>>) {
    let (mut out, mut origins) = (String::with_capacity(text.len() + 8), Vec::with_capacity(text.len() + 8));
    let mut put = |c: char, origin: Option<Range<usize>>| {
        out.push(c);
        origins.push(origin);
    };
    let (mut after_space, mut empty) = (false, true);
    let mut clusters = text.char_indices().peekable();
    while let Some((start, c)) = clusters.next() {
        let mut end = start + c.len_utf8();
        while let Some((at, mark)) = clusters.next_if(|(_, c)| is_combining_mark(*c)) {
            end = at + mark.len_utf8();
        }
        let normal: String = if c == TILDE { c.to_string() } else { text[start..end].nfkc().collect() };
        for c in normal.chars().filter_map(kept) {
            if c == ' ' && after_space {
                continue;
            }
            after_space = c == ' ';
            if empty && c != ' ' {
                put(SPACE, None);
            }
            empty = false;
            let (c, origin) = if c == ' ' { (SPACE, None) } else { (c, Some(start..end)) };
            put(c, origin);
        }
    }
    if empty {
        put(SPACE, None);
    }
    (out, origins)
}

fn kept(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\u{c}' | '\r' | '\u{1680}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{2581}' | '\u{feff}' | '\u{fffd}' => Some(' '),
        '\u{1}'..='\u{1f}' | '\0' | '\u{7f}' | '\u{8f}' | '\u{9f}' => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁ab", "c", "bc", "<", "s", ">"];
        let scores = vec![0.0, 0.0, 0.0, 0.0, -3.0, -2.0, -2.0, -5.0, -2.0, -2.5, -6.0, -6.0, -6.0];
        let pieces: Vec<String> = pieces.map(str::to_owned).to_vec();
        let unigram = Unigram::new(&pieces, scores, [0, 2, 1, 3]).unwrap();
        let got: Vec<_> = unigram.encode(text, 99).iter().map(|i| pieces[*i as usize].as_str()).collect();
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn the_likeliest_split_wins() {
        check("ab", &["▁a", "b"]);
        check("abc", &["▁a", "bc"]);
        check("abc  c", &["▁a", "bc", "▁", "c"]);
        check("ab\tc\u{1}", &["▁a", "b", "▁", "c"]);
        check("", &["▁"]);
        check("ＡＢ", &["▁", "<unk>"]);
        check("aжжb", &["▁a", "<unk>", "b"]);
    }

    #[test]
    fn every_piece_knows_where_it_stands() {
        let pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁ab", "c", "bc"].map(str::to_owned).to_vec();
        let scores = vec![0.0, 0.0, 0.0, 0.0, -3.0, -2.0, -2.0, -5.0, -2.0, -2.5];
        let unigram = Unigram::new(&pieces, scores, [0, 2, 1, 3]).unwrap();
        let check = |text: &str, expected: &[&str]| {
            let places = unigram.places(text, 99).unwrap();
            assert_eq!(places.len(), unigram.encode(text, 99).len(), "{text:?}");
            let got: Vec<&str> = places.into_iter().map(|place| &text[place]).collect();
            assert_eq!(got, expected, "{text:?}");
        };
        check("abc", &["a", "bc"]);
        check(" abc  c ", &["a", "bc", "", "c", ""]);
        check("aжжb", &["a", "жж", "b"]);
        check("ａｂ c", &["ａ", "ｂ", "", "c"]);
        check("ae\u{301}b", &["a", "e\u{301}", "b"]);
        check("", &[""]);
    }

    #[test]
    fn text_never_becomes_a_control_token() {
        check("<s>", &["▁", "<", "s", ">"]);
    }

    #[test]
    fn the_limit_holds() {
        let pieces: Vec<String> = ["", "", "", "", "▁", "a"].map(str::to_owned).to_vec();
        let unigram = Unigram::new(&pieces, vec![-1.0; 6], [0, 1, 2, 3]).unwrap();
        assert_eq!(unigram.encode(&"a".repeat(50), 7).len(), 7);
    }
}
