//! The loops of the decoder that are not matrix products: attention, norms, activations. Plain slices in and out.
//! Every loop is compiled several times and the widest the processor has is taken when it runs. The order of sums does
//! not depend on how many rows are worked on together, so a prompt read in parts gives the very same numbers.

use super::super::embedder::{Level, LevelKind, fused};
use super::memory::PAGE;
use super::packed::{Block, quantise};

const LANES: usize = 16;

/// Compiles a body for wider vectors and picks one at run time; the body is told whether multiplying and adding is one
/// instruction.
macro_rules! widened {
    ($(#[$doc:meta])* $name:ident, $body:ident, ($($arg:ident: $type:ty),*)) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        pub fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
                fn in_512($($arg: $type),*) {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn in_256($($arg: $type),*) {
                    $body::<true>($($arg),*)
                }
                match Level::best_once().kind() {
                    // SAFETY: the functions are safe but for the instructions they need, which a level stands for.
                    LevelKind::Avx512 => return unsafe { in_512($($arg),*) },
                    // SAFETY: as above.
                    LevelKind::Avx2 => return unsafe { in_256($($arg),*) },
                    LevelKind::Portable => {}
                }
            }
            $body::<false>($($arg),*)
        }
    };
}

/// Queries that are worked on together: each key and value is fetched once for all of them.
const TOGETHER: usize = 3;

/// One head's keys and values, and the queries of the heads that share them.
pub struct Attend<'a> {
    /// Keys and values of each page of positions, in half precision: keys `[number][position]`, values
    /// `[position][number]`, finite also where nothing has been put yet.
    pub pages: Vec<(&'a [u16], &'a [u16])>,
    /// Numbers in a head; a multiple of 16.
    pub size: usize,
    /// Each query, scaled, with the count of positions it may see; at least one.
    pub queries: Vec<(&'a [f32], usize)>,
}

widened! {
    /// Softmax-weighted values of each query, one after the other in `out`.
    attend, attend_body, (task: &Attend<'_>, out: &mut [f32])
}
widened! {
    /// Each row divided by its root mean square and scaled.
    rms_norm, rms_norm_body, (rows: &mut [f32], scale: &[f32], epsilon: f32)
}
widened! {
    /// `gate = silu(gate) * up`.
    gated, gated_body, (gate: &mut [f32], up: &[f32])
}
widened! {
    /// Rounds a row to 8 bits, block by block.
    to_blocks, quantise_body, (row: &[f32], out: &mut [Block])
}
widened! {
    /// Rounds to half precision, ties to even; what is too large becomes the largest.
    to_halves, to_halves_body, (from: &[f32], to: &mut [u16])
}
widened! {
    /// The products of `x` with each row.
    dots, dots_body, (rows: &[f32], x: &[f32], out: &mut [f32])
}

#[inline(always)]
fn quantise_body<const FUSED: bool>(row: &[f32], out: &mut [Block]) {
    quantise(row, out);
}

#[inline(always)]
fn attend_body<const FUSED: bool>(task: &Attend<'_>, out: &mut [f32]) {
    let (size, queries) = (task.size, &task.queries[..]);
    let pages = queries.iter().map(|(_, seen)| seen.div_ceil(PAGE)).max().unwrap_or(0);
    let width = pages * PAGE;
    let (mut room, mut tile) = (vec![0f32; queries.len() * width], vec![0f32; size * PAGE]);
    for (page, (keys, _)) in task.pages[..pages].iter().enumerate() {
        widen(keys, &mut tile);
        let rooms = room.chunks_mut(TOGETHER * width);
        for (queries, room) in queries.chunks(TOGETHER).zip(rooms) {
            match queries {
                _ if queries.iter().all(|(_, seen)| *seen <= page * PAGE) => {}
                [a, b, c] => page_scores::<FUSED, 3>(&tile, [a.0, b.0, c.0], (&mut room[page * PAGE..], width)),
                [a, b] => page_scores::<FUSED, 2>(&tile, [a.0, b.0], (&mut room[page * PAGE..], width)),
                _ => page_scores::<FUSED, 1>(&tile, [queries[0].0], (&mut room[page * PAGE..], width)),
            }
        }
    }
    for (scores, (_, may)) in room.chunks_exact_mut(width).zip(queries) {
        softmax(&mut scores[..*may]);
        scores[*may..].fill(0.0);
    }
    out.fill(0.0);
    for (page, (_, values)) in task.pages[..pages].iter().enumerate() {
        widen(values, &mut tile);
        let rooms = room.chunks(TOGETHER * width).zip(out.chunks_mut(TOGETHER * size));
        for (queries, (room, out)) in queries.chunks(TOGETHER).zip(rooms) {
            let room = (&room[page * PAGE..], width);
            match queries.len() {
                _ if queries.iter().all(|(_, seen)| *seen <= page * PAGE) => {}
                3 => page_values::<FUSED, 3>(&tile, room, (out, size)),
                2 => page_values::<FUSED, 2>(&tile, room, (out, size)),
                _ => page_values::<FUSED, 1>(&tile, room, (out, size)),
            }
        }
    }
}

/// The products of some queries with the keys of a page; those of the next query stand `width` further on.
#[inline(always)]
fn page_scores<const FUSED: bool, const N: usize>(
    tile: &[f32],
    queries: [&[f32]; N],
    (room, width): (&mut [f32], usize),
) {
    let mut sums = [[[0f32; LANES]; 2]; N];
    for (at, keys) in tile.as_chunks::<LANES>().0.as_chunks::<2>().0.iter().enumerate() {
        for (sums, query) in sums.iter_mut().zip(queries) {
            let q = query[at];
            for (sums, keys) in sums.iter_mut().zip(keys) {
                for lane in 0..LANES {
                    sums[lane] = fused::<FUSED>(q, keys[lane], sums[lane]);
                }
            }
        }
    }
    for (n, sums) in sums.iter().enumerate() {
        room[n * width..][..PAGE].copy_from_slice(sums.as_flattened());
    }
}

/// Adds the values of a page with the weights of some queries; position after position, whoever else is there.
#[inline(always)]
fn page_values<const FUSED: bool, const N: usize>(
    tile: &[f32],
    (room, width): (&[f32], usize),
    (out, size): (&mut [f32], usize),
) {
    let weights: [&[f32]; N] = std::array::from_fn(|n| &room[n * width..][..PAGE]);
    for first in (0..size).step_by(LANES) {
        let mut sums: [[f32; LANES]; N] =
            std::array::from_fn(|n| std::array::from_fn(|lane| out[n * size + first + lane]));
        for at in 0..PAGE {
            let values = &tile[at * size + first..][..LANES];
            for (sums, weights) in sums.iter_mut().zip(weights) {
                let w = weights[at];
                for lane in 0..LANES {
                    sums[lane] = fused::<FUSED>(w, values[lane], sums[lane]);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            out[n * size + first..][..LANES].copy_from_slice(sums);
        }
    }
}

/// Half precision to single; exact.
#[inline(always)]
fn widen(from: &[u16], to: &mut [f32]) {
    // 2^112: what the exponents of the two forms differ by.
    const SHIFT: f32 = f32::from_bits((127 + 112) << 23);
    for (from, to) in from.iter().zip(to) {
        let bits = u32::from(*from);
        let size = f32::from_bits((bits & 0x7fff) << 13) * SHIFT;
        *to = f32::from_bits(size.to_bits() | (bits & 0x8000) << 16);
    }
}

/// As `to_half`, without a branch: compilers vectorise it.
#[inline(always)]
fn to_halves_body<const FUSED: bool>(from: &[f32], to: &mut [u16]) {
    for (from, to) in from.iter().zip(to) {
        let bits = from.abs().min(65504.0).to_bits();
        let normal = bits.wrapping_add(0xfff + (bits >> 13 & 1)).wrapping_sub(112 << 23) >> 13;
        let small = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
        let half = if bits < 0x3880_0000 { small } else { normal };
        *to = (half | from.to_bits() >> 16 & 0x8000) as u16;
    }
}

#[inline(always)]
fn dots_body<const FUSED: bool>(rows: &[f32], x: &[f32], out: &mut [f32]) {
    for (row, out) in rows.chunks_exact(x.len()).zip(out) {
        *out = dot::<FUSED>(row, x);
    }
}

#[inline(always)]
fn dot<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] = fused::<FUSED>(a[lane], b[lane], sums[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    total(sums) + rest
}

#[inline(always)]
fn total(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = exp(*s - most));
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    let scale = 1.0 / (total(sums) + rest.iter().sum::<f32>());
    scores.iter_mut().for_each(|s| *s *= scale);
}

#[inline(always)]
fn rms_norm_body<const FUSED: bool>(rows: &mut [f32], scale: &[f32], epsilon: f32) {
    for row in rows.chunks_exact_mut(scale.len()) {
        let factor = 1.0 / (dot::<FUSED>(row, row) / scale.len() as f32 + epsilon).sqrt();
        row.iter_mut().zip(scale).for_each(|(x, s)| *x *= factor * s);
    }
}

#[inline(always)]
fn gated_body<const FUSED: bool>(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp(-*g)) * u;
    }
}

/// e^x to 2 units in the last place, clamped to the finite range; written so that compilers vectorise it.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let whole = shifted - MAGIC;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127)) << 23);
    let r = (x - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let tail = 0.500_000_06 + r * (0.166_666_55 + r * (0.041_665_796 + r * (0.008_333_452 + r * 0.001_393_17)));
    power * (1.0 + r + r * r * tail)
}

#[cfg(test)]
mod tests {
    use super::super::super::embedder::half;
    use super::super::packed::formats::to_half;
    use super::*;

    #[test]
    fn exp_is_close() {
        for i in -8600..8700 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 1e-6, "{x}: {} {exact}", exp(x));
        }
    }

    #[test]
    fn halves_go_there_and_back() {
        let (mut wide, mut back) = (vec![0.0; 1 << 16], vec![0; 1 << 16]);
        let all: Vec<u16> = (0..=u16::MAX).filter(|bits| bits & 0x7fff < 0x7c00).collect();
        widen(&all, &mut wide);
        to_halves(&wide[..all.len()], &mut back);
        assert_eq!(back[..all.len()], all);
        for bits in (0..0x4780_0000u32).step_by(997) {
            let x = f32::from_bits(bits);
            to_halves(&[x, -x], &mut back[..2]);
            assert_eq!(back[..2], [to_half(x), to_half(-x)], "{x}");
        }
    }

    #[test]
    fn attention_is_a_weighted_mean() {
        let (size, positions) = (16, 2 * PAGE);
        let numbers = |seed: usize| (0..positions * size).map(move |i| to_half((i * seed % 97) as f32 / 97.0));
        let (keys, values): (Vec<u16>, Vec<u16>) = (numbers(31).collect(), numbers(57).collect());
        let pages: Vec<_> = keys.chunks_exact(PAGE * size).zip(values.chunks_exact(PAGE * size)).collect();
        let key = |p: usize, i: usize| f64::from(half(keys[p / PAGE * PAGE * size + i * PAGE + p % PAGE]));
        let value = |p: usize, i: usize| f64::from(half(values[p * size + i]));
        let query: Vec<f32> = (0..size).map(|i| i as f32 / 8.0).collect();
        let score = |p: usize| (0..size).map(|i| key(p, i) * f64::from(query[i])).sum::<f64>().exp();
        let seen = [1usize, 4, 40, 32, 33, 64, 7];
        let mut alone = Vec::new();
        for seen in seen {
            let mut out = vec![0.0; size];
            let pages = pages[..seen.div_ceil(PAGE)].to_vec();
            attend(&Attend { pages, size, queries: vec![(&query[..], seen)] }, &mut out);
            let all: f64 = (0..seen).map(score).sum();
            for (i, out) in out.iter().enumerate() {
                let mean = (0..seen).map(|p| score(p) / all * value(p, i)).sum::<f64>();
                assert!((mean - f64::from(*out)).abs() < 1e-5, "{seen} {i}: {mean} {out}");
            }
            alone.extend(out);
        }
        let mut together = vec![0.0; seen.len() * size];
        let queries = seen.map(|seen| (&query[..], seen)).to_vec();
        attend(&Attend { pages, size, queries }, &mut together);
        assert_eq!(together, alone);
    }
}
