//! The kernels of `x86` with AVX2: one panel of packed weights times rows of 8-bit numbers.
//! In: sizes that `x86` checked, on a processor that has the instructions. Arrays are filled by loops: see there.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::formats::Kind;
use super::{Block, Line};

/// `R` rows; sums of products stay in whole numbers until a tile's scales are known.
///
/// # Safety
/// The processor has AVX2, FMA and F16C. `lines` holds `blocks` tiles, `rows` `R * blocks` blocks, `out` `R * 16` numbers.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn panel256<const R: usize>(kind: Kind, lines: &[Line], rows: (&[Block], usize), out: &mut [f32]) {
    // SAFETY: as the caller promises.
    unsafe {
        match kind {
            Kind::Four => four256::<R>(lines, rows, out),
            Kind::Six => six256::<R>(lines, rows, out),
            Kind::Eight => eight256::<R>(lines, rows, out),
        }
    }
}

/// The two sides of a panel: vectors of eight of its rows.
type Sides<T> = [T; 2];

/// So many bytes ahead of the tile at work the memory is asked for what comes then: a few rows are done with a tile sooner
/// than the processor fetches by itself.
const AHEAD: usize = 2048;

/// Asks for a tile of so many lines.
#[inline]
#[target_feature(enable = "avx2")]
fn ahead<const LINES: usize>(tile: *const __m256i) {
    for line in 0..LINES {
        _mm_prefetch::<_MM_HINT_T0>(tile.cast::<i8>().wrapping_add(AHEAD + line * size_of::<Line>()));
    }
}

/// Four neighbouring numbers of a block, eight times.
///
/// # Safety
/// `at` is below 8.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn numbers256(block: *const Block, at: usize) -> __m256i {
    // SAFETY: numbers stand first in a block of alignment 16, and are eight fours.
    unsafe { _mm256_set1_epi32(block.cast::<i32>().add(at).read()) }
}

/// # Safety
/// As `panel256`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn four256<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let (mask, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    let (mut tile, mut first) = (lines.as_ptr().cast::<__m256i>(), rows.as_ptr());
    for _ in 0..blocks {
        ahead::<5>(tile);
        // SAFETY: a tile is 5 lines of two sides with 32 bytes each; row `r` begins `r * blocks` blocks after the first.
        unsafe {
            // Eight times two products of 0..=15 and -127..=127 fit 16 bits.
            let mut pairs = [[_mm256_setzero_si256(); 2]; R];
            for line in 0..4 {
                let (mut low, mut high) = ([mask; 2], [mask; 2]);
                for side in 0..2 {
                    let both = _mm256_load_si256(tile.add(line * 2 + side));
                    low[side] = _mm256_and_si256(both, mask);
                    high[side] = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
                }
                for (r, pairs) in pairs.iter_mut().enumerate() {
                    let block = first.add(r * blocks);
                    let (even, odd) = (numbers256(block, line * 2), numbers256(block, line * 2 + 1));
                    for side in 0..2 {
                        pairs[side] = _mm256_add_epi16(pairs[side], _mm256_maddubs_epi16(low[side], even));
                        pairs[side] = _mm256_add_epi16(pairs[side], _mm256_maddubs_epi16(high[side], odd));
                    }
                }
            }
            for pairs in pairs.as_flattened_mut() {
                *pairs = _mm256_madd_epi16(*pairs, ones);
            }
            scaled256::<R>(&mut sums, &pairs, tile.add(8), (first, blocks));
            tile = tile.add(10);
            first = first.add(1);
        }
    }
    store256::<R>(&sums, out);
}

/// # Safety
/// As `panel256`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn six256<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let (fours, twos, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30), _mm256_set1_epi16(1));
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    let (mut tile, mut first) = (lines.as_ptr().cast::<__m256i>(), rows.as_ptr());
    for _ in 0..blocks {
        ahead::<7>(tile);
        // SAFETY: as in `four256`, a tile being 7 lines.
        unsafe {
            for half in 0..2 {
                let mut dots = [[_mm256_setzero_si256(); 2]; R];
                for (r, dots) in dots.iter_mut().enumerate() {
                    *dots = [_mm256_set1_epi32(-32 * (*first.add(r * blocks)).halves[half]); 2];
                }
                for pair in 0..2 {
                    let (mut even, mut odd) = ([fours; 2], [fours; 2]);
                    for side in 0..2 {
                        let both = _mm256_load_si256(tile.add((half * 2 + pair) * 2 + side));
                        let high = _mm256_load_si256(tile.add((4 + half) * 2 + side));
                        let (first, second) = match pair {
                            0 => (_mm256_slli_epi16(high, 4), _mm256_slli_epi16(high, 2)),
                            _ => (high, _mm256_srli_epi16(high, 2)),
                        };
                        let low = _mm256_and_si256(both, fours);
                        even[side] = _mm256_or_si256(low, _mm256_and_si256(first, twos));
                        let low = _mm256_and_si256(_mm256_srli_epi16(both, 4), fours);
                        odd[side] = _mm256_or_si256(low, _mm256_and_si256(second, twos));
                    }
                    for (r, dots) in dots.iter_mut().enumerate() {
                        let (block, at) = (first.add(r * blocks), half * 4 + pair * 2);
                        let numbers = [numbers256(block, at), numbers256(block, at + 1)];
                        for side in 0..2 {
                            // Two times two products of 0..=63 and -127..=127 fit 16 bits.
                            let pairs = _mm256_maddubs_epi16(even[side], numbers[0]);
                            let pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(odd[side], numbers[1]));
                            dots[side] = _mm256_add_epi32(dots[side], _mm256_madd_epi16(pairs, ones));
                        }
                    }
                }
                let scales = tile.add(12).cast::<__m128i>().add(half * 2);
                let scales = [_mm256_cvtph_ps(_mm_load_si128(scales)), _mm256_cvtph_ps(_mm_load_si128(scales.add(1)))];
                for (r, sums) in sums.iter_mut().enumerate() {
                    let scale = _mm256_set1_ps((*first.add(r * blocks)).scale);
                    for side in 0..2 {
                        let dots = _mm256_cvtepi32_ps(dots[r][side]);
                        sums[side] = _mm256_fmadd_ps(dots, _mm256_mul_ps(scales[side], scale), sums[side]);
                    }
                }
            }
            tile = tile.add(14);
            first = first.add(1);
        }
    }
    store256::<R>(&sums, out);
}

/// # Safety
/// As `panel256`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn eight256<const R: usize>(lines: &[Line], (rows, blocks): (&[Block], usize), out: &mut [f32]) {
    let (middle, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    let (mut tile, mut first) = (lines.as_ptr().cast::<__m256i>(), rows.as_ptr());
    for _ in 0..blocks {
        ahead::<9>(tile);
        // SAFETY: as in `four256`, a tile being 9 lines.
        unsafe {
            let mut dots = [[_mm256_setzero_si256(); 2]; R];
            for (r, dots) in dots.iter_mut().enumerate() {
                let halves = (*first.add(r * blocks)).halves;
                *dots = [_mm256_set1_epi32(128 * (halves[0] + halves[1])); 2];
            }
            for group in 0..8 {
                // Products of bytes of 0..=255 in pairs do not fit 16 bits: 128 is taken off, and the sign goes to the other
                // factor; the 128 times the numbers stand in `dots` already.
                let (mut signed, mut sizes) = ([middle; 2], [middle; 2]);
                for side in 0..2 {
                    signed[side] = _mm256_xor_si256(_mm256_load_si256(tile.add(group * 2 + side)), middle);
                    sizes[side] = _mm256_abs_epi8(signed[side]);
                }
                for (r, dots) in dots.iter_mut().enumerate() {
                    let numbers = numbers256(first.add(r * blocks), group);
                    for side in 0..2 {
                        let pairs = _mm256_maddubs_epi16(sizes[side], _mm256_sign_epi8(numbers, signed[side]));
                        dots[side] = _mm256_add_epi32(dots[side], _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            scaled256::<R>(&mut sums, &dots, tile.add(16), (first, blocks));
            tile = tile.add(18);
            first = first.add(1);
        }
    }
    store256::<R>(&sums, out);
}

/// Adds the products of a tile, scaled, and takes its offsets off.
///
/// # Safety
/// `head` is a tile's last line; row `r` of `rows.0` is `r * rows.1` blocks after the first.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn scaled256<const R: usize>(
    sums: &mut [Sides<__m256>; R],
    dots: &[Sides<__m256i>; R],
    head: *const __m256i,
    (first, blocks): (*const Block, usize),
) {
    // SAFETY: a line is four quarters of 16 bytes, aligned to 64.
    let (scales, offs) = unsafe {
        let quarter = head.cast::<__m128i>();
        (
            [_mm256_cvtph_ps(_mm_load_si128(quarter)), _mm256_cvtph_ps(_mm_load_si128(quarter.add(1)))],
            [_mm256_cvtph_ps(_mm_load_si128(quarter.add(2))), _mm256_cvtph_ps(_mm_load_si128(quarter.add(3)))],
        )
    };
    for (r, (sums, dots)) in sums.iter_mut().zip(dots).enumerate() {
        // SAFETY: as the caller promises.
        let block = unsafe { &*first.add(r * blocks) };
        let (scale, worth) = (_mm256_set1_ps(block.scale), _mm256_set1_ps(block.worth));
        for side in 0..2 {
            let all = _mm256_cvtepi32_ps(dots[side]);
            sums[side] = _mm256_fmadd_ps(all, _mm256_mul_ps(scales[side], scale), sums[side]);
            sums[side] = _mm256_fnmadd_ps(offs[side], worth, sums[side]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx")]
fn store256<const R: usize>(sums: &[Sides<__m256>; R], out: &mut [f32]) {
    for (sum, out) in sums.as_flattened().iter().zip(out.as_chunks_mut::<8>().0) {
        // SAFETY: the chunk holds 8 floats.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
    }
}
