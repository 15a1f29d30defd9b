//! Matrices of 4-bit weights times rows of 8-bit numbers, the bulk of the encoder's work.
//! In: Q4_0 blocks of a model file, float rows. Out: float rows. The weights keep exactly the values of the file;
//! a row is rounded to 8 bits in blocks of 32. The portable path here is what every faster path is tested against.

use anyhow::ensure;

use super::level::{Kind, Level};
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Numbers that share a scale.
pub const BLOCK: usize = 32;
/// Outputs computed side by side.
pub const PANEL: usize = 16;
/// Neighbouring numbers of a row that one instruction multiplies.
pub const GROUP: usize = 4;
const Q4_0_BYTES: usize = 18;

/// One block of each of the 16 outputs of a panel: `weights[(group * 16 + output) * 4 + i]`, each 0..=15 and meaning
/// 8 less, and the outputs' scales.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Tile {
    /// The weights.
    pub weights: [u8; PANEL * BLOCK],
    /// The scales.
    pub scales: [f32; PANEL],
}

/// One block of a row: its numbers divided by `scale`, and 8 times their sum, negative, which turns products with
/// weights that are 8 too high into true ones.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub struct Block {
    /// The numbers.
    pub numbers: [i8; BLOCK],
    /// What one of them is worth.
    pub scale: f32,
    /// -8 times their sum.
    pub start: i32,
}

/// A matrix with its bias, packed for the kernels.
pub struct Matrix {
    /// Panel after panel, `blocks` tiles each.
    tiles: Vec<Tile>,
    bias: Vec<f32>,
    blocks: usize,
}

/// What a kernel needs: `tiles` of whole panels, and where the rows go.
pub struct Product<'a> {
    /// The panels' tiles.
    pub tiles: &'a [Tile],
    /// The panels' biases.
    pub bias: &'a [f32],
    /// Tiles in a panel, blocks in a row.
    pub blocks: usize,
    /// The rows.
    pub rows: &'a [Block],
}

impl Matrix {
    /// Packs Q4_0 rows of `columns` weights, one row for each bias.
    pub fn pack(q4: &[u8], columns: usize, bias: Vec<f32>) -> anyhow::Result<Matrix> {
        let outputs = bias.len();
        ensure!(
            outputs.is_multiple_of(PANEL) && columns.is_multiple_of(BLOCK) && outputs * columns > 0,
            "a matrix of {outputs} x {columns}, not multiples of {PANEL} and {BLOCK}"
        );
        let blocks = columns / BLOCK;
        ensure!(q4.len() == outputs * blocks * Q4_0_BYTES, "{} bytes of {outputs} x {columns}", q4.len());
        let empty = Tile { weights: [0; PANEL * BLOCK], scales: [0.0; PANEL] };
        let mut tiles = vec![empty; outputs / PANEL * blocks];
        for (at, block) in q4.chunks_exact(Q4_0_BYTES).enumerate() {
            let (output, block_at) = (at / blocks, at % blocks);
            tiles[output / PANEL * blocks + block_at].set(output % PANEL, block);
        }
        Ok(Matrix { tiles, bias, blocks })
    }

    /// Numbers in a result row.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Every row times the matrix, plus the bias, into `out`, row after row.
    pub fn multiply(&self, level: Level, rows: &[Block], out: &mut [f32]) {
        let count = rows.len() / self.blocks;
        assert!(rows.len() == count * self.blocks && out.len() == count * self.outputs(), "rows of another length");
        if count == 0 {
            return;
        }
        let product = Product { tiles: &self.tiles, bias: &self.bias, blocks: self.blocks, rows };
        match level.kind() {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx2 => x86::multiply(level, &product, out),
            Kind::Portable => portable(&product, out),
        }
    }
}

impl Tile {
    fn set(&mut self, output: usize, q4: &[u8]) {
        let (scale, nibbles) = q4.split_at(2);
        self.scales[output] = half(u16::from_le_bytes([scale[0], scale[1]]));
        for k in 0..BLOCK {
            let nibble = if k < 16 { nibbles[k] & 15 } else { nibbles[k - 16] >> 4 };
            self.weights[(k / GROUP * PANEL + output) * GROUP + k % GROUP] = nibble;
        }
    }
}

/// A half-precision number as a float.
pub fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, bits >> 10 & 31, bits & 1023);
    match exponent {
        0 => f32::from_bits(sign | (f32::from(fraction) / 16_777_216.0).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | u32::from(fraction) << 13),
        _ => f32::from_bits(sign | (u32::from(exponent) + 112) << 23 | u32::from(fraction) << 13),
    }
}

fn portable(product: &Product<'_>, out: &mut [f32]) {
    let outputs = product.bias.len();
    for (panel, tiles) in product.tiles.chunks_exact(product.blocks).enumerate() {
        for (row, out) in product.rows.chunks_exact(product.blocks).zip(out.chunks_exact_mut(outputs)) {
            let to = &mut out[panel * PANEL..][..PANEL];
            to.copy_from_slice(&product.bias[panel * PANEL..][..PANEL]);
            for (tile, block) in tiles.iter().zip(row) {
                let dots = dots(tile, block);
                for ((to, dot), scale) in to.iter_mut().zip(dots).zip(&tile.scales) {
                    *to += dot as f32 * (scale * block.scale);
                }
            }
        }
    }
}

/// The products of a block with all outputs of a tile, in a shape that any compiler turns into vector code. Half of the
/// sum of a block stays below 16 * 15 * 127 = 30480 and fits 16 bits.
fn dots(tile: &Tile, block: &Block) -> [i32; PANEL] {
    let mut halves = [[0i16; PANEL]; 2];
    let groups = tile.weights.as_chunks::<{ PANEL * GROUP }>().0.iter().zip(block.numbers.as_chunks::<GROUP>().0);
    for (weights, numbers) in groups {
        let [a, b, c, d] = numbers.map(i16::from);
        let [first, second] = &mut halves;
        for ((first, second), [w, x, y, z]) in first.iter_mut().zip(second).zip(weights.as_chunks::<GROUP>().0) {
            *first += i16::from(*w) * a + i16::from(*x) * b;
            *second += i16::from(*y) * c + i16::from(*z) * d;
        }
    }
    std::array::from_fn(|at| block.start + i32::from(halves[0][at]) + i32::from(halves[1][at]))
}

/// Rounds a row to 8 bits, block by block.
#[inline(always)]
pub fn quantise(row: &[f32], out: &mut [Block]) {
    const ROUND: f32 = 12_582_912.0;
    for (x, block) in row.as_chunks::<BLOCK>().0.iter().zip(out) {
        let highest = x.iter().fold(0.0f32, |h, x| if x.abs() > h { x.abs() } else { h });
        let inverse = if highest > 1e-30 { 127.0 / highest } else { 0.0 };
        let mut sum = 0i32;
        for (n, x) in block.numbers.iter_mut().zip(x) {
            // The low bits of the shifted number are the rounded one.
            let whole = ((x * inverse + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
            *n = whole as i8;
            sum += whole;
        }
        block.scale = highest / 127.0;
        block.start = -8 * sum;
    }
}

impl Block {
    /// All zero.
    pub const EMPTY: Block = Block { numbers: [0; BLOCK], scale: 0.0, start: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(seed: u64, count: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    /// Random weights with scales between 2^-14 and 2^-7, and the same as floats.
    fn matrix(seed: u64, (outputs, columns): (usize, usize)) -> (Matrix, Vec<f32>) {
        let mut q4 = bytes(seed, outputs * columns / BLOCK * Q4_0_BYTES);
        let mut plain = Vec::new();
        for block in q4.chunks_exact_mut(Q4_0_BYTES) {
            block[1] = block[1] & 0x9f | 4;
            let scale = half(u16::from_le_bytes([block[0], block[1]]));
            plain.extend(block[2..].iter().map(|b| (f32::from(b & 15) - 8.0) * scale));
            plain.extend(block[2..].iter().map(|b| (f32::from(b >> 4) - 8.0) * scale));
        }
        let bias = bytes(seed + 1, outputs).iter().map(|b| f32::from(*b) / 256.0).collect();
        (Matrix::pack(&q4, columns, bias).unwrap(), plain)
    }

    fn rows(seed: u64, count: usize, columns: usize) -> (Vec<f32>, Vec<Block>) {
        let floats: Vec<f32> = bytes(seed, count * columns).iter().map(|b| f32::from(*b) / 64.0 - 2.0).collect();
        let mut blocks = vec![Block::EMPTY; count * columns / BLOCK];
        quantise(&floats, &mut blocks);
        (floats, blocks)
    }

    proptest! {
        #[test]
        fn every_path_gives_what_the_portable_one_gives(
            seed in any::<u64>(), count in 0usize..20, panels in 1usize..6, blocks in 1usize..5,
        ) {
            let (outputs, columns) = (panels * PANEL, blocks * BLOCK);
            let (matrix, plain) = matrix(seed >> 1, (outputs, columns));
            let (floats, blocks) = rows(seed / 3, count, columns);
            let mut want = vec![0.0; count * outputs];
            matrix.multiply(Level::PORTABLE, &blocks, &mut want);
            for level in Level::all() {
                let mut got = vec![f32::NAN; count * outputs];
                matrix.multiply(level, &blocks, &mut got);
                for (got, want) in got.iter().zip(&want) {
                    prop_assert!((got - want).abs() <= 1e-5 * want.abs().max(1.0), "{level:?}: {got}, not {want}");
                }
            }
            for (at, got) in want.iter().enumerate() {
                let (row, output) = (at / outputs, at % outputs);
                let true_sum: f32 = floats[row * columns..][..columns]
                    .iter().zip(&plain[output * columns..][..columns]).map(|(x, w)| x * w).sum();
                let size: f32 = plain[output * columns..][..columns].iter().map(|w| w.abs()).sum();
                prop_assert!((got - matrix.bias[output] - true_sum).abs() <= 2.0 / 127.0 * size + 1e-5);
            }
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut q4 = vec![0u8; PANEL * Q4_0_BYTES];
        for (at, block) in q4.chunks_exact_mut(Q4_0_BYTES).enumerate() {
            block[1] = 0x3c;
            block[2..].fill(if at % 2 == 0 { 0xff } else { 0 });
        }
        let matrix = Matrix::pack(&q4, BLOCK, vec![0.0; PANEL]).unwrap();
        for sign in [1.0, -1.0] {
            let mut blocks = vec![Block::EMPTY];
            quantise(&[127.0 * sign; BLOCK], &mut blocks);
            for level in Level::all() {
                let mut out = vec![0.0; PANEL];
                matrix.multiply(level, &blocks, &mut out);
                let want = [7.0, -8.0].map(|w| w * 127.0 * 32.0 * sign);
                assert_eq!(out[..2], want, "{level:?}");
            }
        }
    }

    #[test]
    fn halves_are_read() {
        for (bits, want) in [(0u16, 0.0f32), (0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits), want);
        }
    }

    #[test]
    fn odd_sizes_are_refused() {
        assert!(Matrix::pack(&[], 32, vec![0.0; 15]).is_err());
        assert!(Matrix::pack(&[0; 18], 32, vec![0.0; 16]).is_err());
    }
}
