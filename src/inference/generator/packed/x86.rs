//! The x86-64 kernels: one panel of packed weights times rows of 8-bit numbers. Here with AVX-512, in `avx2` with AVX2.
//! In: checked sizes and a level that `Level::all` found on this processor. Nothing else of the generator's products
//! is unsafe. Arrays are filled by loops: a closure is a function without these instructions, and one that the compiler does not
//! dissolve costs half the speed.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::embedder::{Level, LevelKind};
use super::avx2::panel256;
use super::formats::Kind;
use super::{Block, Line, PANEL, Product};

/// Every row of the product times its panel, 16 results a row.
pub fn multiply(level: Level, product: &Product<'_>, out: &mut [f32]) {
    let Product { kind, lines, blocks, rows } = *product;
    // What the kernels' reads and writes rest on; they go through whole tiles and whole rows only.
    assert!(blocks > 0 && lines.len() == blocks * kind.lines() && rows.len().is_multiple_of(blocks));
    assert!(level != Level::PORTABLE && out.len() == rows.len() / blocks * PANEL);
    let (mut rows, mut out) = (rows, out);
    while !rows.is_empty() {
        let count = match (rows.len() / blocks, level.kind()) {
            (8.., LevelKind::Avx512) => 8,
            (4.., _) => 4,
            (2.., _) => 2,
            _ => 1,
        };
        let (now, later) = rows.split_at(count * blocks);
        let (to, rest) = std::mem::take(&mut out).split_at_mut(count * PANEL);
        // SAFETY: a `Level` is made by `Level::all` alone, after it saw every instruction set that the functions are
        // built with. The sizes were checked above, `now` holds `count` rows and `to` their results.
        unsafe {
            match (level.kind(), count) {
                (LevelKind::Avx512, 8) => panel512::<8>(kind, lines, (now, blocks), to),
                (LevelKind::Avx512, 4) => panel512::<4>(kind, lines, (now, blocks), to),
                (LevelKind::Avx512, 2) => panel512::<2>(kind, lines, (now, blocks), to),
                (LevelKind::Avx512, _) => panel512::<1>(kind, lines, (now, blocks), to),
                (_, 4) => panel256::<4>(kind, lines, (now, blocks), to),
                (_, 2) => panel256::<2>(kind, lines, (now, blocks), to),
                _ => panel256::<1>(kind, lines, (now, blocks), to),
            }
        }
        (rows, out) = (later, rest);
    }
}

/// # Safety
/// `lines` holds `blocks` tiles, `rows` `R * blocks` blocks, `out` `R * 16` numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn panel512<const R: usize>(kind: Kind, lines: &[Line], rows: (&[Block], usize), out: &mut [f32]) {
    // SAFETY: as the caller promises.
    unsafe {
        match kind {
            Kind::Four => four512::<R>(lines, rows, out),
            Kind::Six => six512::<R>(lines, rows, out),
            Kind::Eight => eight512::<R>(lines, rows, out),
        }
    }
}

/// Four neighbouring numbers of a block, sixteen times.
///
/// # Safety
/// `at` is at most 28.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four_numbers(block: *const Block, at: usize) -> __m512i {
    // SAFETY: numbers stand first in a block of alignment 16, `at` is a multiple of 4 within them.
    unsafe { _mm512_set1_epi32(block.cast::<i32>().add(at / 4).read()) }
}

/// # Safety
/// As `panel512`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn four512<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let mask = _mm512_set1_epi8(15);
    let mut sums = [_mm512_setzero_ps(); R];
    let (mut tile, mut first) = (lines.as_ptr(), rows.as_ptr());
    for _ in 0..blocks {
        // SAFETY: a tile is 5 lines of 64 bytes; row `r` begins `r * blocks` blocks after the first.
        unsafe {
            let mut dots = [_mm512_setzero_si512(); R];
            for pair in 0..4 {
                let both = _mm512_load_si512(tile.add(pair).cast());
                let low = _mm512_and_si512(both, mask);
                let high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
                for (r, dots) in dots.iter_mut().enumerate() {
                    let block = first.add(r * blocks);
                    *dots = _mm512_dpbusd_epi32(*dots, low, four_numbers(block, pair * 8));
                    *dots = _mm512_dpbusd_epi32(*dots, high, four_numbers(block, pair * 8 + 4));
                }
            }
            scaled::<R>(&mut sums, &dots, tile.add(4), (first, blocks));
            tile = tile.add(5);
            first = first.add(1);
        }
    }
    store::<R>(&sums, out);
}

/// # Safety
/// As `panel512`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn eight512<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let mut sums = [_mm512_setzero_ps(); R];
    let (mut tile, mut first) = (lines.as_ptr(), rows.as_ptr());
    for _ in 0..blocks {
        // SAFETY: as in `four512`, a tile being 9 lines.
        unsafe {
            let mut dots = [_mm512_setzero_si512(); R];
            for group in 0..8 {
                let weights = _mm512_load_si512(tile.add(group).cast());
                for (r, dots) in dots.iter_mut().enumerate() {
                    let numbers = four_numbers(first.add(r * blocks), group * 4);
                    *dots = _mm512_dpbusd_epi32(*dots, weights, numbers);
                }
            }
            scaled::<R>(&mut sums, &dots, tile.add(8), (first, blocks));
            tile = tile.add(9);
            first = first.add(1);
        }
    }
    store::<R>(&sums, out);
}

/// # Safety
/// As `panel512`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn six512<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let (fours, twos) = (_mm512_set1_epi8(15), _mm512_set1_epi8(0x30));
    let mut sums = [_mm512_setzero_ps(); R];
    let (mut tile, mut first) = (lines.as_ptr(), rows.as_ptr());
    for _ in 0..blocks {
        // SAFETY: as in `four512`, a tile being 7 lines.
        unsafe {
            for half in 0..2 {
                let mut dots = [_mm512_setzero_si512(); R];
                for (r, dots) in dots.iter_mut().enumerate() {
                    *dots = _mm512_set1_epi32(-32 * (*first.add(r * blocks)).halves[half]);
                }
                let high = _mm512_load_si512(tile.add(4 + half).cast());
                let highs = [_mm512_slli_epi16(high, 4), _mm512_slli_epi16(high, 2), high, _mm512_srli_epi16(high, 2)];
                for pair in 0..2 {
                    let both = _mm512_load_si512(tile.add(half * 2 + pair).cast());
                    let low = _mm512_and_si512(both, fours);
                    let low = _mm512_or_si512(low, _mm512_and_si512(highs[pair * 2], twos));
                    let other = _mm512_and_si512(_mm512_srli_epi16(both, 4), fours);
                    let other = _mm512_or_si512(other, _mm512_and_si512(highs[pair * 2 + 1], twos));
                    for (r, dots) in dots.iter_mut().enumerate() {
                        let block = first.add(r * blocks);
                        *dots = _mm512_dpbusd_epi32(*dots, low, four_numbers(block, half * 16 + pair * 8));
                        *dots = _mm512_dpbusd_epi32(*dots, other, four_numbers(block, half * 16 + pair * 8 + 4));
                    }
                }
                let scales = _mm512_cvtph_ps(_mm256_load_si256(tile.add(6).cast::<__m256i>().add(half)));
                for (r, sum) in sums.iter_mut().enumerate() {
                    let scale = _mm512_mul_ps(scales, _mm512_set1_ps((*first.add(r * blocks)).scale));
                    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r]), scale, *sum);
                }
            }
            tile = tile.add(7);
            first = first.add(1);
        }
    }
    store::<R>(&sums, out);
}

/// Adds the products of a tile, scaled, and takes its offsets off.
///
/// # Safety
/// `head` is a tile's last line; row `r` of `rows.0` is `r * rows.1` blocks after the first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn scaled<const R: usize>(
    sums: &mut [__m512; R],
    dots: &[__m512i; R],
    head: *const Line,
    (first, blocks): (*const Block, usize),
) {
    // SAFETY: a line is two halves of 32 bytes, aligned to 64.
    let (scales, offs) = unsafe {
        let halves = head.cast::<__m256i>();
        (_mm512_cvtph_ps(_mm256_load_si256(halves)), _mm512_cvtph_ps(_mm256_load_si256(halves.add(1))))
    };
    for (r, (sum, dots)) in sums.iter_mut().zip(dots).enumerate() {
        // SAFETY: as the caller promises.
        let block = unsafe { &*first.add(r * blocks) };
        let scale = _mm512_mul_ps(scales, _mm512_set1_ps(block.scale));
        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(*dots), scale, *sum);
        *sum = _mm512_fnmadd_ps(offs, _mm512_set1_ps(block.worth), *sum);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store<const R: usize>(sums: &[__m512; R], out: &mut [f32]) {
    for (sum, out) in sums.iter().zip(out.as_chunks_mut::<PANEL>().0) {
        // SAFETY: the chunk holds 16 floats.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *sum) };
    }
}
