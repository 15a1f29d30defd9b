//! Matrices in panels of 16 rows whose numbers lie side by side, as the kernels read them; no other copy is kept.
//! In: rows of a model file, and rows of activations rounded to 8 bits in blocks of 32. Out: float products.
//! The numbers are those of the file; scales are rounded to half precision. The portable path here is what the
//! faster ones are tested against.

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod formats;
mod room;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::super::embedder::{Level, LevelKind, half};
use formats::{BLOCK, Kind, Piece, to_half};
use room::Room;

/// Rows computed side by side.
pub const PANEL: usize = 16;

/// 64 bytes, what one vector holds. A tile of 16 rows and 32 columns is some lines of numbers, four neighbouring
/// ones of a row together, and one line of 16 scales and 16 offsets (or scales of the second half) in half precision.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

/// A packed matrix.
pub struct Packed {
    kind: Kind,
    lines: Room,
    blocks: usize,
}

/// Some neighbouring panels of a matrix that is being packed.
pub struct Part<'a> {
    /// The rows of the matrix that belong here.
    pub rows: Range<usize>,
    kind: Kind,
    lines: &'a mut [Line],
    blocks: usize,
}

/// 32 activations in 8 bits.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Block {
    /// The numbers.
    pub numbers: [i8; BLOCK],
    /// What one of them is worth.
    pub scale: f32,
    /// What all of them are worth together.
    pub worth: f32,
    /// The sums of the two halves.
    pub halves: [i32; 2],
}

/// Rows of a matrix as they are stored or as floats.
pub enum Source<'a> {
    /// Rows of a type that has a kind.
    Stored(GgmlDType, &'a [u8]),
    /// Rows of floats.
    Floats(&'a [f32]),
}

/// One panel and the rows it is multiplied with.
pub struct Product<'a> {
    /// What the lines hold.
    pub kind: Kind,
    /// The tiles of the panel.
    pub lines: &'a [Line],
    /// Blocks in a row.
    pub blocks: usize,
    /// The rows, one after the other.
    pub rows: &'a [Block],
}

impl Kind {
    /// Lines in a tile.
    pub const fn lines(self) -> usize {
        match self {
            Kind::Four => 5,
            Kind::Six => 7,
            Kind::Eight => 9,
        }
    }

    /// What stands for zero.
    fn zero(self) -> i32 {
        if self == Kind::Six { 32 } else { 0 }
    }
}

impl Block {
    /// All zero.
    pub const EMPTY: Block = Block { numbers: [0; BLOCK], scale: 0.0, worth: 0.0, halves: [0; 2] };
}

impl Packed {
    /// An empty matrix; the columns are whole blocks.
    pub fn new(kind: Kind, (rows, columns): (usize, usize)) -> std::io::Result<Packed> {
        let blocks = columns / BLOCK;
        let lines = Room::new(rows.div_ceil(PANEL) * blocks * kind.lines())?;
        Ok(Packed { kind, lines, blocks })
    }

    /// The whole of it, `panels` at once and the last perhaps fewer, to be filled with the `rows` it was made for.
    pub fn parts(&mut self, panels: usize, rows: usize) -> impl Iterator<Item = Part<'_>> {
        let (kind, blocks, step) = (self.kind, self.blocks, panels * PANEL);
        let parts = self.lines.chunks_mut(panels * blocks * kind.lines()).enumerate();
        parts.map(move |(at, lines)| Part { rows: at * step..rows.min((at + 1) * step), kind, lines, blocks })
    }

    /// Panels of 16 rows, the last perhaps with empty ones.
    #[cfg(test)]
    pub fn panels(&self) -> usize {
        self.lines.len() / (self.blocks * self.kind.lines())
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.lines[..])
    }

    /// One row as floats.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let tiles = &self.lines[row / PANEL * self.blocks * self.kind.lines()..];
        for (tile, out) in tiles.chunks_exact(self.kind.lines()).zip(out.chunks_exact_mut(BLOCK)) {
            let piece = get(self.kind, tile, row % PANEL);
            for (k, out) in out.iter_mut().enumerate() {
                let number = f32::from(piece.numbers[k]) - self.kind.zero() as f32;
                *out = number * piece.scales[k / 16] - piece.off;
            }
        }
    }

    /// The products of panel `at` with each row of activations: 16 for the first row, then those of the next.
    pub fn multiply(&self, level: Level, at: usize, rows: &[Block], out: &mut [f32]) {
        let length = self.blocks * self.kind.lines();
        let lines = &self.lines[at * length..(at + 1) * length];
        let product = Product { kind: self.kind, lines, blocks: self.blocks, rows };
        assert!(rows.len().is_multiple_of(self.blocks) && out.len() == rows.len() / self.blocks * PANEL);
        match level.kind() {
            #[cfg(target_arch = "x86_64")]
            LevelKind::Avx512 | LevelKind::Avx2 => x86::multiply(level, &product, out),
            LevelKind::Portable => portable(&product, out),
        }
    }
}

impl Part<'_> {
    /// Puts its rows in, the first of the source being the first of its own.
    pub fn fill(&mut self, source: &Source<'_>) {
        let (kind, blocks) = (self.kind, self.blocks);
        for row in 0..self.rows.len() {
            let panel = &mut self.lines[row / PANEL * blocks * kind.lines()..][..blocks * kind.lines()];
            for (at, tile) in panel.chunks_exact_mut(kind.lines()).enumerate() {
                put(kind, tile, row % PANEL, &source.piece(row, at, blocks));
            }
        }
    }
}

impl Source<'_> {
    fn piece(&self, row: usize, at: usize, blocks: usize) -> Piece {
        match self {
            Source::Stored(dtype, bytes) => {
                let length = blocks * BLOCK / dtype.block_size() * dtype.type_size();
                formats::piece(*dtype, &bytes[row * length..][..length], at)
            }
            Source::Floats(floats) => formats::rounded(&floats[(row * blocks + at) * BLOCK..][..BLOCK]),
        }
    }
}

/// Puts a piece into a tile that was empty there.
#[inline(always)]
fn put(kind: Kind, tile: &mut [Line], row: usize, piece: &Piece) {
    let numbers = &piece.numbers;
    let at = row * 4;
    match kind {
        Kind::Eight => {
            for (line, four) in tile.iter_mut().zip(numbers.as_chunks::<4>().0) {
                line.0[at..at + 4].copy_from_slice(four);
            }
        }
        Kind::Four | Kind::Six => {
            for (n, line) in tile[..4].iter_mut().enumerate() {
                let low = formats::eight(numbers, n) & 0x0f0f_0f0f_0f0f_0f0f;
                let packed = low as u32 | (low >> 32 << 4) as u32;
                line.0[at..at + 4].copy_from_slice(&packed.to_le_bytes());
            }
        }
    }
    if kind == Kind::Six {
        for (n, line) in tile[4..6].iter_mut().enumerate() {
            let high = |at| formats::eight(numbers, at) >> 4 & 0x0303_0303_0303_0303;
            let (first, second) = (high(2 * n), high(2 * n + 1));
            let packed = (first | first >> 32 << 2) as u32 | (second << 4 | second >> 32 << 6) as u32;
            line.0[at..at + 4].copy_from_slice(&packed.to_le_bytes());
        }
    }
    let second = if kind == Kind::Six { piece.scales[1] } else { piece.off };
    let head = &mut tile[kind.lines() - 1].0;
    head[row * 2..row * 2 + 2].copy_from_slice(&to_half(piece.scales[0]).to_le_bytes());
    head[32 + row * 2..34 + row * 2].copy_from_slice(&to_half(second).to_le_bytes());
}

/// What `put` has put.
fn get(kind: Kind, tile: &[Line], row: usize) -> Piece {
    let at = row * 4;
    let number = |k: usize| match kind {
        Kind::Eight => tile[k / 4].0[at + k % 4],
        _ => {
            let low = tile[k / 8].0[at + k % 4] >> (k / 4 % 2 * 4) & 15;
            let high = if kind == Kind::Six { tile[4 + k / 16].0[at + k % 4] >> (k / 4 % 4 * 2) & 3 } else { 0 };
            low | high << 4
        }
    };
    let head = &tile[kind.lines() - 1].0;
    let float = |at: usize| half(u16::from_le_bytes([head[at], head[at + 1]]));
    let (first, second) = (float(row * 2), float(32 + row * 2));
    let (scales, off) = if kind == Kind::Six { ([first, second], 0.0) } else { ([first; 2], second) };
    Piece { numbers: std::array::from_fn(number), scales, off }
}

fn portable(product: &Product<'_>, out: &mut [f32]) {
    let Product { kind, lines, blocks, rows } = *product;
    out.fill(0.0);
    for (at, tile) in lines.chunks_exact(kind.lines()).enumerate() {
        for panel_row in 0..PANEL {
            let piece = get(kind, tile, panel_row);
            for (row, out) in rows.chunks_exact(blocks).zip(out.chunks_exact_mut(PANEL)) {
                let block = &row[at];
                let products = block.numbers.iter().zip(&piece.numbers).map(|(x, w)| i32::from(*x) * i32::from(*w));
                let (mut first, mut second) = (0, 0);
                products.enumerate().for_each(|(k, p)| *(if k < 16 { &mut first } else { &mut second }) += p);
                first -= kind.zero() * block.halves[0];
                second -= kind.zero() * block.halves[1];
                let sum = first as f32 * piece.scales[0] + second as f32 * piece.scales[1];
                out[panel_row] += sum * block.scale - piece.off * block.worth;
            }
        }
    }
}

/// Rounds a row to 8 bits, block by block.
#[inline(always)]
pub fn quantise(row: &[f32], out: &mut [Block]) {
    // 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    for (x, block) in row.as_chunks::<BLOCK>().0.iter().zip(out) {
        let highest = x.iter().fold(0.0f32, |h, x| if x.abs() > h { x.abs() } else { h });
        let inverse = if highest > 1e-30 { 127.0 / highest } else { 0.0 };
        let mut halves = [0i32; 2];
        for (k, (n, x)) in block.numbers.iter_mut().zip(x).enumerate() {
            let whole = ((x * inverse + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
            *n = whole as i8;
            halves[k / 16] += whole;
        }
        block.scale = highest / 127.0;
        block.worth = block.scale * (halves[0] + halves[1]) as f32;
        block.halves = halves;
    }
}
