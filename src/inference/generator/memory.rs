//! Where keys and values lie: one arena of half-precision numbers, its size fixed at the start, in pages of 32 positions.
//! Sequences hold pages; what begins the same is held by several and stored once. No sequence sees what lies behind
//! the last position that it has read.

use anyhow::{Context, ensure};

use super::kernels;
use super::shape::Shape;

/// Positions in a page.
pub const PAGE: usize = 32;

/// All keys and values: `[page][layer][kv head]`, and there the keys as `[number][position]`, the values as
/// `[position][number]`.
pub struct Arena {
    numbers: Vec<u16>,
    holders: Vec<u32>,
    free: Vec<u32>,
    layers: usize,
    heads: usize,
    size: usize,
}

/// Tokens that have been read, and the pages with room for them and for what may follow.
#[derive(Debug, Default)]
pub struct Sequence {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Their pages.
    pub pages: Vec<u32>,
}

/// One key/value head of a layer in one page.
#[derive(Clone, Copy)]
pub struct Place {
    /// The page.
    pub page: u32,
    /// The layer.
    pub layer: usize,
    /// The head.
    pub head: usize,
}

impl Arena {
    /// Room of at most so many bytes; the system gives memory as it is first written.
    pub fn new(shape: &Shape, bytes: usize) -> anyhow::Result<Arena> {
        let (layers, heads, size) = (shape.layers, shape.kv_heads, shape.head);
        let page = layers * heads * size * PAGE * 2;
        let pages = bytes / (page * 2);
        ensure!(pages > 0, "{bytes} bytes for keys and values are less than a page of {} bytes", page * 2);
        let length = pages.checked_mul(page).context("too many keys and values")?;
        let pages = u32::try_from(pages)?;
        let free = (0..pages).rev().collect();
        Ok(Arena { numbers: vec![0; length], holders: vec![0; pages as usize], free, layers, heads, size })
    }

    /// Positions there is room for.
    pub fn positions(&self) -> usize {
        self.holders.len() * PAGE
    }

    /// Bytes of the pages that are held, and of all.
    pub fn bytes(&self) -> (usize, usize) {
        let page = self.page() * 2;
        ((self.holders.len() - self.free.len()) * page, self.holders.len() * page)
    }

    /// Pages for somebody; none when there are not enough.
    pub fn take(&mut self, pages: usize) -> Option<Vec<u32>> {
        let rest = self.free.len().checked_sub(pages)?;
        let taken = self.free.split_off(rest);
        taken.iter().for_each(|page| self.holders[*page as usize] = 1);
        Some(taken)
    }

    /// Lets somebody else hold pages too.
    pub fn share(&mut self, pages: &[u32]) {
        pages.iter().for_each(|page| self.holders[*page as usize] += 1);
    }

    /// Takes pages back from one of their holders.
    pub fn give_back(&mut self, pages: &[u32]) {
        for page in pages {
            let holders = &mut self.holders[*page as usize];
            *holders -= 1;
            if *holders == 0 {
                self.free.push(*page);
            }
        }
    }

    /// Takes all pages back from everybody.
    pub fn clear(&mut self) {
        self.holders.fill(0);
        self.free = (0..self.holders.len() as u32).rev().collect();
    }

    /// Copies the first positions of a page; the others become zero, so that nothing else travels with them.
    pub fn copy(&mut self, from: u32, to: u32, positions: usize) {
        let page = self.page();
        self.numbers.copy_within(from as usize * page..(from as usize + 1) * page, to as usize * page);
        for head in self.numbers[to as usize * page..][..page].chunks_exact_mut(self.size * PAGE * 2) {
            let (keys, values) = head.split_at_mut(self.size * PAGE);
            keys.chunks_exact_mut(PAGE).for_each(|keys| keys[positions..].fill(0));
            values[positions * self.size..].fill(0);
        }
    }

    /// Puts one position's key and value.
    pub fn put(&mut self, place: Place, at: usize, (key, value): (&[f32], &[f32])) {
        let size = self.size;
        let start = self.start(place);
        let (keys, values) = self.numbers[start..start + 2 * size * PAGE].split_at_mut(size * PAGE);
        let values = &mut values[at * size..(at + 1) * size];
        // The key goes through the value's place, which is written next.
        kernels::to_halves(key, values);
        keys.iter_mut().skip(at).step_by(PAGE).zip(&*values).for_each(|(to, key)| *to = *key);
        kernels::to_halves(value, values);
    }

    /// Keys and values of a place.
    pub fn get(&self, place: Place) -> (&[u16], &[u16]) {
        let start = self.start(place);
        self.numbers[start..start + 2 * self.size * PAGE].split_at(self.size * PAGE)
    }

    fn start(&self, place: Place) -> usize {
        ((place.page as usize * self.layers + place.layer) * self.heads + place.head) * 2 * self.size * PAGE
    }

    /// Numbers in a page.
    fn page(&self) -> usize {
        self.layers * self.heads * 2 * self.size * PAGE
    }
}
