//! The x86-64 kernels of attention. In: sizes that were checked and a processor that has the instructions.
#![allow(unsafe_code)]
// A closure over intrinsics is a function without their instructions: vectors are indexed in plain loops.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::Tile;

/// Numbers in a vector.
const LANES: usize = 8;

/// Adds the first `V` vectors of a tile's rows, each times its factor, to `N` rows.
///
/// # Safety
/// The processor has AVX2 and FMA. All factors are as many; the tile has a row of `V * 8` numbers for each, `to` has `N`.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn fold<const N: usize, const V: usize>(
    factors: [&[f32]; N],
    tile: Tile<'_>,
    (to, apart): (&mut [f32], usize),
) {
    // SAFETY: every read and write lies within what the caller promises.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); V]; N];
        for (n, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = _mm256_loadu_ps(to.as_ptr().add(n * apart + v * LANES));
            }
        }
        for k in 0..factors[0].len() {
            let row = tile.numbers.as_ptr().add(k * tile.apart);
            let mut each = [_mm256_setzero_ps(); N];
            for n in 0..N {
                each[n] = _mm256_broadcast_ss(factors[n].get_unchecked(k));
            }
            for v in 0..V {
                let numbers = _mm256_loadu_ps(row.add(v * LANES));
                for n in 0..N {
                    sums[n][v] = _mm256_fmadd_ps(each[n], numbers, sums[n][v]);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps(to.as_mut_ptr().add(n * apart + v * LANES), *sum);
            }
        }
    }
}

/// Half precision to single.
///
/// # Safety
/// The processor has AVX2 and F16C.
#[target_feature(enable = "avx2,f16c")]
pub unsafe fn widen(from: &[u16], to: &mut [f32]) {
    let (from, rest) = from.as_chunks::<LANES>();
    let (to, other) = to.as_chunks_mut::<LANES>();
    for (from, to) in from.iter().zip(to) {
        // SAFETY: both are eight numbers.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()))) };
    }
    for (from, to) in rest.iter().zip(other) {
        *to = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(*from))));
    }
}
