//! The loops of the decoder over single rows: norms, activations, rounding. Plain slices in and out.
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

widened! {
    /// Each row divided by its root mean square and scaled.
    rms_norm, rms_norm_body, (rows: &mut [f32], scale: &[f32], epsilon: f32)
}
widened! {
    /// e^x of each, divided by the sum of them all.
    softmax, softmax_body, (scores: &mut [f32])
}
widened! {
    /// `gate = silu(gate) * up`.
    gated, gated_body, (gate: &mut [f32], up: &[f32])
}
widened! {
    /// `gate = gelu(gate) * up`, by the approximation with a hyperbolic tangent.
    gated_by_gelu, gated_by_gelu_body, (gate: &mut [f32], up: &[f32])
}
widened! {
    /// Rounds a row to 8 bits, block by block.
    to_blocks, quantise_body, (row: &[f32], out: &mut [Block])
}
widened! {
    /// Rounds to half precision, ties to even; what is too large becomes the largest.
    to_halves, to_halves_body, (from: &[f32], to: &mut [u16])
}

#[inline(always)]
fn quantise_body<const FUSED: bool>(row: &[f32], out: &mut [Block]) {
    quantise(row, out);
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
fn softmax_body<const FUSED: bool>(scores: &mut [f32]) {
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

/// x (1 + tanh y) / 2 is x / (1 + e^-2y).
#[inline(always)]
fn gated_by_gelu_body<const FUSED: bool>(gate: &mut [f32], up: &[f32]) {
    const TWICE: f32 = 1.595_769_1; // 2 * sqrt(2 / pi)
    for (g, u) in gate.iter_mut().zip(up) {
        let y = TWICE * (*g + 0.044_715 * *g * *g * *g);
        *g = *g / (1.0 + exp(-y)) * u;
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
        let all: Vec<u16> = (0..=u16::MAX).filter(|bits| bits & 0x7fff < 0x7c00).collect();
        let wide: Vec<f32> = all.iter().map(|bits| half(*bits)).collect();
        let mut back = vec![0; all.len()];
        to_halves(&wide, &mut back);
        assert_eq!(back, all);
        for bits in (0..0x4780_0000u32).step_by(997) {
            let x = f32::from_bits(bits);
            to_halves(&[x, -x], &mut back[..2]);
            assert_eq!(back[..2], [to_half(x), to_half(-x)], "{x}");
        }
    }
}
