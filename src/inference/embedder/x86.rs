//! The x86-64 kernels: products of packed weights and 8-bit rows, and plain loops compiled for newer processors.
//! In: checked sizes and a level that `Level::all` found on this processor. Nothing else in the embedder is unsafe.
#![allow(unsafe_code)]
// A closure over intrinsics is a function without their instructions: sums are indexed in plain loops.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::level::{Kind, Level, Work};
use super::matrix::{Block, GROUP, PANEL, Product, Tile};

/// Rows computed side by side.
const ROWS: usize = 4;
const GROUPS: usize = 8;

/// Every row times every panel of the product, into `out`.
pub fn multiply(level: Level, product: &Product<'_>, out: &mut [f32]) {
    let (blocks, outputs) = (product.blocks, product.bias.len());
    // What the kernels' reads and writes rest on; `tile` goes through whole panels and whole rows only.
    assert!(level != Level::PORTABLE && blocks > 0);
    assert!(product.rows.len().is_multiple_of(blocks) && outputs.is_multiple_of(PANEL));
    assert!(product.tiles.len() == outputs / PANEL * blocks && out.len() == product.rows.len() / blocks * outputs);
    // SAFETY: a `Level` is made by `Level::all` alone, after it saw every instruction set that the functions are built
    // with; the portable level never comes here. The sizes were checked above.
    match level.kind() {
        Kind::Avx512 => unsafe { avx512(product, out) },
        _ => unsafe { avx2(product, out) },
    }
}

/// Runs loops with the vectors of the level.
pub fn run(level: Level, work: impl Work) {
    assert!(level != Level::PORTABLE);
    // SAFETY: as in `multiply`.
    match level.kind() {
        Kind::Avx512 => unsafe { run_avx512(work) },
        _ => unsafe { run_avx2(work) },
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
fn run_avx512(work: impl Work) {
    work.run::<true>();
}

#[target_feature(enable = "avx2,fma")]
fn run_avx2(work: impl Work) {
    work.run::<true>();
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
fn avx512(product: &Product<'_>, out: &mut [f32]) {
    let (blocks, outputs) = (product.blocks, product.bias.len());
    let panels = outputs / PANEL;
    // A pair of panels stays in the first cache while all rows go by.
    for panel in (0..panels).step_by(2) {
        let wide = panel + 2 <= panels;
        let tiles = &product.tiles[panel * blocks..];
        let bias = &product.bias[panel * PANEL..];
        let mut rows = product.rows;
        let mut to = &mut out[panel * PANEL..];
        while !rows.is_empty() {
            let count = (rows.len() / blocks).min(ROWS);
            let (now, rest) = rows.split_at(count * blocks);
            // SAFETY: `tiles` and `bias` hold `wide` panels from here on, `now` holds `count` rows, and `to` the rest
            // of the result from the first of these rows at this panel.
            unsafe {
                match (count, wide) {
                    (4, true) => tile512::<4, 2>(tiles, bias, (now, blocks), (to, outputs)),
                    (3, true) => tile512::<3, 2>(tiles, bias, (now, blocks), (to, outputs)),
                    (2, true) => tile512::<2, 2>(tiles, bias, (now, blocks), (to, outputs)),
                    (_, true) => tile512::<1, 2>(tiles, bias, (now, blocks), (to, outputs)),
                    (4, false) => tile512::<4, 1>(tiles, bias, (now, blocks), (to, outputs)),
                    (3, false) => tile512::<3, 1>(tiles, bias, (now, blocks), (to, outputs)),
                    (2, false) => tile512::<2, 1>(tiles, bias, (now, blocks), (to, outputs)),
                    (_, false) => tile512::<1, 1>(tiles, bias, (now, blocks), (to, outputs)),
                }
            }
            rows = rest;
            let done = (count * outputs).min(to.len());
            to = &mut to[done..];
        }
    }
}

/// `R` rows times `P` panels.
///
/// # Safety
/// `tiles` holds `P * blocks` tiles, `bias` `P` panels, `rows` `R * blocks` blocks, and `out` the panels of `R` rows
/// that are `outputs` apart.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
unsafe fn tile512<const R: usize, const P: usize>(
    tiles: &[Tile],
    bias: &[f32],
    (rows, blocks): (&[Block], usize),
    (out, outputs): (&mut [f32], usize),
) {
    debug_assert!(tiles.len() >= P * blocks && rows.len() >= R * blocks);
    debug_assert!(bias.len() >= P * PANEL && out.len() >= (R - 1) * outputs + P * PANEL);
    // SAFETY: every index below is under the bounds that the caller keeps; a tile's weights are 8 groups of 64 bytes,
    // a block's numbers 8 groups of 4 bytes, aligned to 4.
    unsafe {
        let mut start = [_mm512_setzero_ps(); P];
        for (p, start) in start.iter_mut().enumerate() {
            *start = _mm512_loadu_ps(bias.as_ptr().add(p * PANEL));
        }
        let mut sums = [start; R];
        for at in 0..blocks {
            let (tile, block) = (tiles.as_ptr().add(at), rows.as_ptr().add(at));
            let mut dots = [[_mm512_setzero_si512(); P]; R];
            for (r, dots) in dots.iter_mut().enumerate() {
                *dots = [_mm512_set1_epi32((*block.add(r * blocks)).start); P];
            }
            for group in 0..GROUPS {
                let mut weights = [_mm512_setzero_si512(); P];
                for (p, weights) in weights.iter_mut().enumerate() {
                    *weights = _mm512_load_si512((*tile.add(p * blocks)).weights.as_ptr().add(group * 64).cast());
                }
                for r in 0..R {
                    let four = (*block.add(r * blocks)).numbers.as_ptr().add(group * GROUP).cast::<i32>().read();
                    let four = _mm512_set1_epi32(four);
                    for p in 0..P {
                        dots[r][p] = _mm512_dpbusd_epi32(dots[r][p], weights[p], four);
                    }
                }
            }
            let mut scales = [_mm512_setzero_ps(); P];
            for (p, scales) in scales.iter_mut().enumerate() {
                *scales = _mm512_load_ps((*tile.add(p * blocks)).scales.as_ptr());
            }
            for r in 0..R {
                let scale = _mm512_set1_ps((*block.add(r * blocks)).scale);
                for p in 0..P {
                    let both = _mm512_mul_ps(scales[p], scale);
                    sums[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r][p]), both, sums[r][p]);
                }
            }
        }
        for r in 0..R {
            for p in 0..P {
                _mm512_storeu_ps(out.as_mut_ptr().add(r * outputs + p * PANEL), sums[r][p]);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn avx2(product: &Product<'_>, out: &mut [f32]) {
    let (blocks, outputs) = (product.blocks, product.bias.len());
    for panel in 0..outputs / PANEL {
        let tiles = &product.tiles[panel * blocks..];
        let bias = &product.bias[panel * PANEL..];
        let mut rows = product.rows;
        let mut to = &mut out[panel * PANEL..];
        while !rows.is_empty() {
            let count = (rows.len() / blocks).min(2);
            let (now, rest) = rows.split_at(count * blocks);
            // SAFETY: as in `avx512`, with one panel.
            unsafe {
                match count {
                    2 => tile256::<2>(tiles, bias, (now, blocks), (to, outputs)),
                    _ => tile256::<1>(tiles, bias, (now, blocks), (to, outputs)),
                }
            }
            rows = rest;
            let done = (count * outputs).min(to.len());
            to = &mut to[done..];
        }
    }
}

/// `R` rows times one panel. Weights are at most 15 and numbers at most 127 apart from 0, so the eight pair sums of a
/// block stay below 8 * 2 * 15 * 127 = 30480 and fit 16 bits.
///
/// # Safety
/// As `tile512` with one panel.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile256<const R: usize>(
    tiles: &[Tile],
    bias: &[f32],
    (rows, blocks): (&[Block], usize),
    (out, outputs): (&mut [f32], usize),
) {
    debug_assert!(tiles.len() >= blocks && rows.len() >= R * blocks);
    debug_assert!(bias.len() >= PANEL && out.len() >= (R - 1) * outputs + PANEL);
    // SAFETY: as in `tile512`; each half of a panel is 8 outputs, 32 bytes of a group.
    unsafe {
        let start = [_mm256_loadu_ps(bias.as_ptr()), _mm256_loadu_ps(bias.as_ptr().add(8))];
        let mut sums = [start; R];
        for at in 0..blocks {
            let tile = tiles.get_unchecked(at);
            let block = rows.as_ptr().add(at);
            let mut dots = [[_mm256_setzero_si256(); 2]; R];
            for group in 0..GROUPS {
                let at = tile.weights.as_ptr().add(group * 64);
                let weights = [_mm256_load_si256(at.cast()), _mm256_load_si256(at.add(32).cast())];
                for r in 0..R {
                    let four = (*block.add(r * blocks)).numbers.as_ptr().add(group * GROUP).cast::<i32>().read();
                    let four = _mm256_set1_epi32(four);
                    for h in 0..2 {
                        dots[r][h] = _mm256_add_epi16(dots[r][h], _mm256_maddubs_epi16(weights[h], four));
                    }
                }
            }
            for r in 0..R {
                let block = &*block.add(r * blocks);
                let (scale, start) = (_mm256_set1_ps(block.scale), _mm256_set1_epi32(block.start));
                for h in 0..2 {
                    let whole = _mm256_madd_epi16(dots[r][h], _mm256_set1_epi16(1));
                    let whole = _mm256_cvtepi32_ps(_mm256_add_epi32(whole, start));
                    let both = _mm256_mul_ps(_mm256_load_ps(tile.scales.as_ptr().add(h * 8)), scale);
                    sums[r][h] = _mm256_fmadd_ps(whole, both, sums[r][h]);
                }
            }
        }
        for r in 0..R {
            for h in 0..2 {
                _mm256_storeu_ps(out.as_mut_ptr().add(r * outputs + h * 8), sums[r][h]);
            }
        }
    }
}
