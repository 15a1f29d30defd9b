//! The loops of the decoder that are not matrix products: attention, norms, activations. Plain slices in and out.
//! Every loop is compiled several times and the widest the processor has is taken when it runs. The order of sums does
//! not depend on how many rows are worked on together, so a prompt read in parts gives the very same numbers.

use super::super::embedder::{Level, LevelKind, fused};
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

/// One head's keys and values, and the queries of the heads that share them.
pub struct Attend<'a> {
    /// Keys of all positions that there is room for, each of `size` numbers; the room is a multiple of four.
    pub keys: &'a [f32],
    /// Values, the same way; finite also where nothing has been put yet.
    pub values: &'a [f32],
    /// Numbers in a head; a multiple of 16.
    pub size: usize,
    /// Each query, scaled, with the count of positions it may see.
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
    /// The products of `x` with each row.
    dots, dots_body, (rows: &[f32], x: &[f32], out: &mut [f32])
}

#[inline(always)]
fn quantise_body<const FUSED: bool>(row: &[f32], out: &mut [Block]) {
    quantise(row, out);
}

#[inline(always)]
fn attend_body<const FUSED: bool>(task: &Attend<'_>, out: &mut [f32]) {
    let longest = task.queries.iter().map(|(_, seen)| seen.next_multiple_of(4)).max().unwrap_or(0);
    let mut room = vec![0f32; 2 * longest];
    let (mut queries, mut out) = (&task.queries[..], out);
    // Two at a time: each key and value is fetched once for both.
    while let [first, rest @ ..] = queries {
        let (to, others) = std::mem::take(&mut out).split_at_mut(task.size * (1 + rest.len().min(1)));
        match rest {
            [second, rest @ ..] => {
                attend_some::<FUSED, 2>(task, [first, second], (&mut room, to));
                queries = rest;
            }
            [] => {
                attend_some::<FUSED, 1>(task, [first], (&mut room, to));
                queries = rest;
            }
        }
        out = others;
    }
}

#[inline(always)]
fn attend_some<const FUSED: bool, const N: usize>(
    task: &Attend<'_>,
    queries: [&(&[f32], usize); N],
    (room, out): (&mut [f32], &mut [f32]),
) {
    let size = task.size;
    // Positions go by in fours; those that are not to be seen weigh nothing.
    let seen = queries.iter().map(|(_, seen)| seen.next_multiple_of(4)).max().unwrap_or(0);
    let room = &mut room[..N * seen];
    for (at, four) in task.keys[..seen * size].chunks_exact(4 * size).enumerate() {
        let scores = dots_of_four::<FUSED, N>(four, queries.map(|(query, _)| *query));
        for (n, scores) in scores.iter().enumerate() {
            room[n * seen + at * 4..][..4].copy_from_slice(scores);
        }
    }
    for (scores, (_, may)) in room.chunks_exact_mut(seen).zip(queries) {
        softmax(&mut scores[..*may]);
        scores[*may..].fill(0.0);
    }
    out.fill(0.0);
    for (at, four) in task.values[..seen * size].chunks_exact(4 * size).enumerate() {
        let weights: [&[f32]; N] = std::array::from_fn(|n| &room[n * seen + at * 4..][..4]);
        let (a, rest) = four.split_at(size);
        let (b, rest) = rest.split_at(size);
        let (c, d) = rest.split_at(size);
        let parts = a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0);
        let parts = parts.zip(c.as_chunks::<LANES>().0.iter().zip(d.as_chunks::<LANES>().0)).enumerate();
        for (part, ((a, b), (c, d))) in parts {
            for (n, w) in weights.iter().enumerate() {
                let to = &mut out[n * size + part * LANES..][..LANES];
                for lane in 0..LANES {
                    let first = fused::<FUSED>(w[1], b[lane], w[0] * a[lane]);
                    let second = fused::<FUSED>(w[3], d[lane], w[2] * c[lane]);
                    to[lane] += first + second;
                }
            }
        }
    }
}

/// The products of four rows with each query.
#[inline(always)]
fn dots_of_four<const FUSED: bool, const N: usize>(rows: &[f32], queries: [&[f32]; N]) -> [[f32; 4]; N] {
    let size = rows.len() / 4;
    let mut sums = [[[0f32; LANES]; 4]; N];
    for at in (0..size).step_by(LANES) {
        for row in 0..4 {
            let k = &rows[row * size + at..][..LANES];
            for n in 0..N {
                let q = &queries[n][at..][..LANES];
                for lane in 0..LANES {
                    sums[n][row][lane] = fused::<FUSED>(q[lane], k[lane], sums[n][row][lane]);
                }
            }
        }
    }
    sums.map(|rows| rows.map(total))
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
    fn attention_is_a_weighted_mean() {
        let size = 16;
        let keys: Vec<f32> = (0..8 * size).map(|i| (i % 11) as f32 / 11.0).collect();
        let values: Vec<f32> = (0..8 * size).map(|i| (i % 5) as f32).collect();
        let query: Vec<f32> = (0..size).map(|i| i as f32 / 8.0).collect();
        let score = |p: usize| (0..size).map(|i| f64::from(keys[p * size + i] * query[i])).sum::<f64>().exp();
        let seen = [1, 4, 7, 5, 6];
        let mut alone = Vec::new();
        for seen in seen {
            let mut out = vec![0.0; size];
            let queries = vec![(&query[..], seen)];
            attend(&Attend { keys: &keys, values: &values, size, queries }, &mut out);
            let all: f64 = (0..seen).map(score).sum();
            for (i, out) in out.iter().enumerate() {
                let mean = (0..seen).map(|p| score(p) / all * f64::from(values[p * size + i])).sum::<f64>();
                assert!((mean - f64::from(*out)).abs() < 1e-5, "{seen} {i}: {mean} {out}");
            }
            alone.extend(out);
        }
        let mut together = vec![0.0; seen.len() * size];
        let queries = seen.map(|seen| (&query[..], seen)).to_vec();
        attend(&Attend { keys: &keys, values: &values, size, queries }, &mut together);
        assert_eq!(together, alone);
    }
}
