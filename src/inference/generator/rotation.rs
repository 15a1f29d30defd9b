//! The rotation of queries and keys by their positions: how fast each pair of a head turns, and turning a row.
//! In: a model's sizes and tables. Out: speeds, and rows turned in place.

use super::super::weights::Weights;
use super::shape::Shape;

/// How far each pair of a head turns from one position to the next.
///
/// Models made for longer texts afterwards bring divisors; phi3 two tables of them, for short and for long contexts.
pub(super) fn speeds(weights: &mut Weights, shape: &Shape, context: usize) -> anyhow::Result<[Vec<f32>; 2]> {
    let pairs = shape.turning / 2;
    let of = |base: f32, stretch: f32| {
        (0..pairs).map(move |i| 1.0 / (base.powf(2.0 * i as f32 / shape.turning as f32) * stretch))
    };
    let mut speeds: Vec<f32> = of(shape.base, shape.stretch).collect();
    let near = shape.window.map_or_else(Vec::new, |window| of(window.base, 1.0).collect());
    let made_for = weights.number("phi3.rope.scaling.original_context_length").unwrap_or(shape.context);
    let scaled = if context > made_for { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
    if let Some(name) = ["rope_freqs.weight", scaled].into_iter().find(|name| weights.has(name)) {
        let factors = weights.floats(name, &[pairs])?;
        speeds.iter_mut().zip(&factors).for_each(|(s, f)| *s /= f);
    }
    Ok([speeds, near])
}

/// Turns each head of a row.
pub(super) fn turn(shape: &Shape, row: &mut [f32], turns: &[(f32, f32)]) {
    let pairs = turns.len();
    for head in row.chunks_exact_mut(shape.head) {
        for (i, (sin, cos)) in turns.iter().enumerate() {
            let (a, b) = if shape.neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
        }
    }
}
