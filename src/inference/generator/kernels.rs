//! The loops of the decoder that are not matrix products: attention, norms, activations. Plain slices in and out.
//! Every loop is compiled several times and the widest the processor has is taken when it runs; the order of
//! the sums is the same in all of them, so results do not depend on the machine.

use super::packed::{Block, quantise as quantise_body};

const LANES: usize = 16;

/// Compiles a body for wider vectors and picks one at run time.
macro_rules! widened {
    ($(#[$doc:meta])* $name:ident, $body:ident, ($($arg:ident: $type:ty),*)) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        pub fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn in_512($($arg: $type),*) {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn in_256($($arg: $type),*) {
                    $body($($arg),*)
                }
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the function is safe but for the instructions it needs, found the line before.
                    return unsafe { in_512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { in_256($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

/// One head's keys and values, and the queries of the heads that share them.
pub struct Attend<'a> {
    /// Keys of all positions, each of `size` numbers.
    pub keys: &'a [f32],
    /// Values, the same way.
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
    quantise, quantise_body, (row: &[f32], out: &mut [Block])
}
widened! {
    /// The products of `x` with each row.
    dots, dots_body, (rows: &[f32], x: &[f32], out: &mut [f32])
}

#[inline(always)]
fn attend_body(task: &Attend<'_>, out: &mut [f32]) {
    let size = task.size;
    let longest = task.queries.iter().map(|(_, seen)| *seen).max().unwrap_or(0);
    let mut scores = vec![0f32; longest];
    for ((query, seen), out) in task.queries.iter().zip(out.chunks_exact_mut(size)) {
        let scores = &mut scores[..*seen];
        dots_body(&task.keys[..seen * size], query, scores);
        softmax(scores);
        out.fill(0.0);
        weigh(&task.values[..seen * size], scores, out);
    }
}

#[inline(always)]
fn weigh(values: &[f32], weights: &[f32], out: &mut [f32]) {
    let size = out.len();
    let mut fours = values.chunks_exact(4 * size);
    let mut by_four = weights.chunks_exact(4);
    for (v, w) in (&mut fours).zip(&mut by_four) {
        let (a, rest) = v.split_at(size);
        let (b, rest) = rest.split_at(size);
        let (c, d) = rest.split_at(size);
        for ((((o, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *o += (w[0] * a + w[1] * b) + (w[2] * c + w[3] * d);
        }
    }
    for (v, w) in fours.remainder().chunks_exact(size).zip(by_four.remainder()) {
        out.iter_mut().zip(v).for_each(|(o, v)| *o += w * v);
    }
}

#[inline(always)]
fn dots_body(rows: &[f32], x: &[f32], out: &mut [f32]) {
    for (row, out) in rows.chunks_exact(x.len()).zip(out) {
        *out = dot(row, x);
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
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
fn rms_norm_body(rows: &mut [f32], scale: &[f32], epsilon: f32) {
    for row in rows.chunks_exact_mut(scale.len()) {
        let factor = 1.0 / (dot(row, row) / scale.len() as f32 + epsilon).sqrt();
        row.iter_mut().zip(scale).for_each(|(x, s)| *x *= factor * s);
    }
}

#[inline(always)]
fn gated_body(gate: &mut [f32], up: &[f32]) {
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
        let keys: Vec<f32> = (0..7 * size).map(|i| (i % 11) as f32 / 11.0).collect();
        let values: Vec<f32> = (0..7 * size).map(|i| (i % 5) as f32).collect();
        let query: Vec<f32> = (0..size).map(|i| i as f32 / 8.0).collect();
        for seen in [1, 4, 7] {
            let mut out = vec![0.0; size];
            let queries = vec![(&query[..], seen)];
            attend(&Attend { keys: &keys, values: &values, size, queries }, &mut out);
            let score = |p: usize| (0..size).map(|i| f64::from(keys[p * size + i] * query[i])).sum::<f64>().exp();
            let all: f64 = (0..seen).map(score).sum();
            for (i, out) in out.iter().enumerate() {
                let mean = (0..seen).map(|p| score(p) / all * f64::from(values[p * size + i])).sum::<f64>();
                assert!((mean - f64::from(*out)).abs() < 1e-5, "{seen} {i}: {mean} {out}");
            }
        }
    }
}
