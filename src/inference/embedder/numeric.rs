//! The element-wise steps of the encoder, written so that any compiler turns them into vector code.
//! No library calls inside the loops: exp is a polynomial, rounding is an addition.

use super::attention::LANES;
use super::level::Work;
use super::matrix::{BLOCK, Block, quantise};

/// e^x for x <= 0, relative error below 2e-7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let p = 1.987_569_1e-4 * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // The low bits of the shifted sum are the whole exponent.
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(power)
}

/// x times the normal distribution function of x, absolute error below 1e-6.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = 1.061_405_4 * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = (p * t + 0.254_829_6) * t;
    let tail = 0.5 * p * exp(-z * z);
    x.max(0.0) - x.abs() * tail
}

/// Turns the first `length` scores into shares that sum to one and the rest into 0. The row is a whole number of
/// lanes long.
#[inline(always)]
pub fn softmax(scores: &mut [f32], length: usize, scale: f32) {
    scores[length..].fill(f32::MIN / 2.0);
    let mut highest = [f32::MIN; LANES];
    for part in scores.as_chunks::<LANES>().0 {
        highest.iter_mut().zip(part).for_each(|(h, s)| *h = if *s > *h { *s } else { *h });
    }
    let highest = highest.iter().fold(f32::MIN, |h, s| if *s > h { *s } else { h });
    let mut sums = [0.0f32; LANES];
    for part in scores.as_chunks_mut::<LANES>().0 {
        for (sum, s) in sums.iter_mut().zip(part) {
            *s = exp((*s - highest) * scale);
            *sum += *s;
        }
    }
    let share = 1.0 / sums.iter().sum::<f32>();
    scores.iter_mut().for_each(|s| *s *= share);
    scores[length..].fill(0.0);
}

/// Rows to which others are added before a normalisation; the result also in 8 bits, for the next matrix.
pub struct AddNorm<'a> {
    /// The rows, changed in place.
    pub rows: &'a mut [f32],
    /// What is added to them.
    pub added: &'a [f32],
    /// The normalisation.
    pub norm: &'a Norm,
    /// The result in 8 bits.
    pub blocks: &'a mut [Block],
}

impl Work for AddNorm<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let width = self.norm.weight.len();
        let rows = self.rows.chunks_exact_mut(width).zip(self.added.chunks_exact(width));
        for ((row, added), blocks) in rows.zip(self.blocks.chunks_exact_mut(width / BLOCK)) {
            row.iter_mut().zip(added).for_each(|(x, a)| *x += a);
            self.norm.apply(row);
            quantise(row, blocks);
        }
    }
}

/// Rows through `gelu`, the result in 8 bits.
pub struct Gelu<'a> {
    /// The rows, changed in place.
    pub rows: &'a mut [f32],
    /// The result in 8 bits.
    pub blocks: &'a mut [Block],
}

impl Work for Gelu<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (part, block) in self.rows.as_chunks_mut::<BLOCK>().0.iter_mut().zip(self.blocks) {
            part.iter_mut().for_each(|x| *x = gelu(*x));
            quantise(part, std::slice::from_mut(block));
        }
    }
}

/// Rows in 8 bits.
pub struct Quantise<'a> {
    /// The rows.
    pub rows: &'a [f32],
    /// The result.
    pub blocks: &'a mut [Block],
}

impl Work for Quantise<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        quantise(self.rows, self.blocks);
    }
}

/// A layer normalisation.
pub struct Norm {
    /// The scale.
    pub weight: Vec<f32>,
    /// The shift.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Normalises one row in place.
    #[inline(always)]
    pub fn apply(&self, row: &mut [f32]) {
        let n = self.weight.len() as f32;
        let mean = sum(row) / n;
        let mut squares = [0.0f32; LANES];
        for part in row.as_chunks_mut::<LANES>().0 {
            for (s, x) in squares.iter_mut().zip(part) {
                *x -= mean;
                *s += *x * *x;
            }
        }
        let scale = 1.0 / (squares.iter().sum::<f32>() / n + self.epsilon).sqrt();
        for ((x, w), b) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = *x * scale * w + b;
        }
    }
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for part in row.as_chunks::<LANES>().0 {
        sums.iter_mut().zip(part).for_each(|(s, x)| *s += x);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_gelu_agree_with_the_library() {
        for i in -8000..=0 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() <= want * 3e-7 + 1e-37, "exp({x})");
        }
        for (x, want) in
            [(-3.0, -0.004_049_7), (-1.0, -0.158_655_3), (0.0, 0.0), (0.5, 0.345_731_2), (2.0, 1.954_499_7)]
        {
            assert!((gelu(x) - want).abs() < 2e-6, "gelu({x}) = {}", gelu(x));
        }
    }

    #[test]
    fn norm_has_mean_zero() {
        let norm = Norm { weight: vec![1.0; 16], bias: vec![0.0; 16], epsilon: 1e-12 };
        let mut row: Vec<f32> = (0..16).map(|i| i as f32).collect();
        norm.apply(&mut row);
        assert!(row.iter().sum::<f32>().abs() < 1e-5);
        assert!((row.iter().map(|x| x * x).sum::<f32>() - 16.0).abs() < 1e-4);
    }
}
