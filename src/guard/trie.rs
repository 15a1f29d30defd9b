//! The trie behind the word lists: built from entries with stars, frozen into small nodes, walked for the longest
//! match. In: folded text and a byte. Out: the longest entry there and what it means. It knows no file and no rule.

use super::lexicon::Term;

/// One node while the trie is built.
#[derive(Debug, Default)]
pub(super) struct Node {
    children: Vec<(u8, u32)>,
    star: u32,
    term: Option<Term>,
    stem: Option<Term>,
}

/// Adds an entry; `*` stands for the rest of a word.
pub(super) fn insert(nodes: &mut Vec<Node>, entry: &str, term: Term) {
    let mut node = 0;
    let last = entry.len().saturating_sub(1);
    for (index, byte) in entry.bytes().enumerate() {
        if byte == b'*' {
            if index == last {
                nodes[node].stem.get_or_insert_default().merge(&term);
                return;
            }
            if nodes[node].star == 0 {
                nodes.push(Node::default());
                nodes[node].star = nodes.len() as u32 - 1;
            }
            node = nodes[node].star as usize;
            continue;
        }
        node = match child(nodes, node, byte) {
            Some(next) => next,
            None => {
                nodes.push(Node::default());
                let next = nodes.len() as u32 - 1;
                nodes[node].children.push((byte, next));
                next as usize
            }
        };
    }
    nodes[node].term.get_or_insert_default().merge(&term);
}

/// The trie as it is read: nodes of a few bytes, so that the hot ones stay in the cache.
#[derive(Debug, Default)]
pub(super) struct Trie {
    slots: Vec<Slot>,
    edges: Vec<(u8, u32)>,
    wide: Vec<[u32; 256]>,
    ends: Vec<Ends>,
    terms: Vec<Term>,
}

/// One node; indices are one too high, so that 0 is none.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    ways: Ways,
    ends: u32,
}

/// What ends at a node, or goes on behind a star. Most nodes are inside of words: nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ends {
    star: u32,
    term: u32,
    stem: u32,
}

/// The nodes behind a node. Most words have but one letter that may follow.
#[derive(Clone, Copy, Debug, Default)]
enum Ways {
    #[default]
    None,
    One(u8, u32),
    Few(u8, u32),
    Many(u32),
}

impl Trie {
    /// Freezes nodes that were built.
    pub(super) fn freeze(nodes: &[Node]) -> Trie {
        let mut trie = Trie::default();
        for node in nodes {
            let ways = trie.ways(&node.children);
            let mut keep = |term: Option<Term>| match term {
                Some(term) => {
                    trie.terms.push(term);
                    trie.terms.len() as u32
                }
                None => 0,
            };
            let (term, stem) = (keep(node.term), keep(node.stem));
            let here = Ends { star: node.star, term, stem };
            trie.ends.extend((here != Ends::default()).then_some(here));
            let ends = if here == Ends::default() { 0 } else { trie.ends.len() as u32 };
            trie.slots.push(Slot { ways, ends });
        }
        trie
    }

    fn ways(&mut self, children: &[(u8, u32)]) -> Ways {
        match children {
            [] => Ways::None,
            [(byte, next)] => Ways::One(*byte, *next),
            few if few.len() <= 6 => {
                self.edges.extend(few);
                Ways::Few(few.len() as u8, (self.edges.len() - few.len()) as u32)
            }
            many => {
                let mut wide = [0; 256];
                many.iter().for_each(|&(byte, next)| wide[usize::from(byte)] = next);
                self.wide.push(wide);
                Ways::Many(self.wide.len() as u32 - 1)
            }
        }
    }

    /// The node behind a byte.
    pub(super) fn child(&self, node: usize, byte: u8) -> Option<usize> {
        self.step(self.slots[node].ways, byte)
    }

    fn step(&self, ways: Ways, byte: u8) -> Option<usize> {
        let next = match ways {
            Ways::None => 0,
            Ways::One(known, next) => return (known == byte).then_some(next as usize),
            Ways::Few(count, first) => {
                let edges = &self.edges[first as usize..first as usize + usize::from(count)];
                edges.iter().find(|(known, _)| *known == byte).map_or(0, |(_, next)| *next)
            }
            Ways::Many(wide) => self.wide[wide as usize][usize::from(byte)],
        };
        (next != 0).then_some(next as usize)
    }

    /// The term of the entry that ends at a node.
    pub(super) fn ending(&self, node: usize) -> Option<&Term> {
        self.term(self.ends(self.slots[node].ends)?.term)
    }

    fn ends(&self, index: u32) -> Option<&Ends> {
        self.ends.get((index as usize).wrapping_sub(1))
    }

    /// The longest entry at `at`, with its end; `None` when no entry begins there.
    pub(super) fn longest(&self, text: &str, at: usize) -> Option<(usize, Term)> {
        let mut best: Option<(usize, Term)> = None;
        walk(self, 0, (text, at), &mut best);
        best
    }

    fn term(&self, index: u32) -> Option<&Term> {
        self.terms.get((index as usize).wrapping_sub(1))
    }
}

fn child(nodes: &[Node], node: usize, byte: u8) -> Option<usize> {
    nodes[node].children.iter().find(|(known, _)| *known == byte).map(|(_, next)| *next as usize)
}

fn walk(trie: &Trie, mut node: usize, (text, mut at): (&str, usize), best: &mut Option<(usize, Term)>) {
    let bytes = text.as_bytes();
    loop {
        let here = trie.slots[node];
        if let Some(ends) = trie.ends(here.ends) {
            if let Some(term) = trie.term(ends.stem).filter(|_| node != 0) {
                offer(best, word_end(text, at), term);
            }
            if ends.star != 0 {
                walk(trie, ends.star as usize, (text, word_end(text, at)), best);
            }
            if let Some(term) = trie.term(ends.term).filter(|_| at_boundary(text, at)) {
                offer(best, at, term);
            }
        }
        let Some(&byte) = bytes.get(at) else { return };
        let Some(next) = trie.step(here.ways, byte) else { return };
        node = next;
        at += 1;
    }
}

fn offer(best: &mut Option<(usize, Term)>, end: usize, term: &Term) {
    match best {
        Some((known, _)) if *known > end => {}
        Some((known, merged)) if *known == end => merged.merge(term),
        _ => *best = Some((end, *term)),
    }
}

/// True for letters of scripts that put spaces between words.
pub(super) fn spaced_letter(sign: char) -> bool {
    if sign.is_ascii() {
        return sign.is_ascii_alphabetic();
    }
    match sign {
        'а'..='я' => true,
        _ => !punctuation(sign) && !is_han(sign) && sign.is_alphabetic(),
    }
}

/// Punctuation and currency signs, the most frequent signs beside letters: no need to look them up.
fn punctuation(sign: char) -> bool {
    matches!(
        sign,
        '«' | '»'
            | '\u{2010}'..='\u{205E}'
            | '\u{20A0}'..='\u{20CF}'
            | '\u{3001}'..='\u{3004}'
            | '\u{3008}'..='\u{3020}'
    )
}

/// True for signs that are no letter and no numeral of any writing.
pub(super) fn mark(sign: char) -> bool {
    punctuation(sign) || !(is_han(sign) || sign.is_alphanumeric())
}

/// True for signs of Chinese writing (and kana, which is written without spaces too).
pub(super) fn is_han(sign: char) -> bool {
    matches!(sign as u32, 0x3005..=0x3007 | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// How many bytes the letter takes that begins with a byte; 0 where no letter does, [`ASK`] where the whole sign says.
const LETTERS: [u8; 256] = {
    let mut letters = [ASK; 256];
    let mut byte = 0;
    while byte < 0x80 {
        letters[byte] = (byte as u8).is_ascii_alphabetic() as u8;
        byte += 1;
    }
    // U+0400 to U+047F are letters, all of them.
    (letters[0xD0], letters[0xD1]) = (2, 2);
    letters
};
const ASK: u8 = u8::MAX;

/// Where the word at `at` ends.
#[inline]
pub(super) fn word_end(text: &str, at: usize) -> usize {
    let mut end = at;
    while let Some(&byte) = text.as_bytes().get(end) {
        end += match LETTERS[usize::from(byte)] {
            0 => return end,
            ASK => match text.get(end..).and_then(|rest| rest.chars().next()) {
                Some(sign) if spaced_letter(sign) => sign.len_utf8(),
                _ => return end,
            },
            length => usize::from(length),
        }
    }
    end
}

/// True where no word goes on. What stands behind is looked at first: mostly it is a space or a sign.
fn at_boundary(text: &str, at: usize) -> bool {
    let after = match text.as_bytes().get(at) {
        None => return true,
        Some(byte) if byte.is_ascii() => byte.is_ascii_alphabetic(),
        Some(0xD0 | 0xD1) => true,
        Some(_) if !text.is_char_boundary(at) => return false,
        Some(_) => text[at..].chars().next().is_some_and(spaced_letter),
    };
    !after || !text[..at].chars().next_back().is_some_and(spaced_letter)
}
