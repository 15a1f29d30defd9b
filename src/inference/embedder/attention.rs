//! Attention inside one text: every token looks at all tokens of the same text, head by head.
//! In: rows of queries, keys and values with their biases. Out: one context row per token. No masks: BERT has none.

use super::level::{Work, fused};
use super::numeric::softmax;

/// Numbers that the inner loops hold side by side; the size of a head is a multiple of it.
pub const LANES: usize = 16;
/// Queries done side by side.
const QUERIES: usize = 4;

/// The attention of one text.
pub struct Attention<'a> {
    /// Rows of queries, keys and values, `3 * hidden` each.
    pub qkv: &'a [f32],
    /// The width of the model.
    pub hidden: usize,
    /// Into how many heads it is split.
    pub heads: usize,
    /// Room to work in.
    pub room: &'a mut Room,
    /// Rows of `hidden`.
    pub out: &'a mut [f32],
}

/// Keys by column and values by row of one head, and the scores of a few queries.
#[derive(Default)]
pub struct Room {
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
}

impl Work for Attention<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        let length = self.out.len() / self.hidden;
        for head in 0..self.heads {
            self.gather(head, length);
            for first in (0..length).step_by(QUERIES) {
                self.score::<FUSED>(head, first, length);
                self.weigh::<FUSED>(head, first, length);
            }
        }
    }
}

impl Attention<'_> {
    fn size(&self) -> usize {
        self.hidden / self.heads
    }

    #[inline(always)]
    fn gather(&mut self, head: usize, length: usize) {
        let (hidden, size, lanes) = (self.hidden, self.size(), length.next_multiple_of(LANES));
        let room = &mut *self.room;
        room.keys.clear();
        room.keys.resize(size * lanes, 0.0);
        room.values.clear();
        room.scores.resize(QUERIES * lanes, 0.0);
        for (at, row) in self.qkv.chunks_exact(3 * hidden).enumerate() {
            let keys = &row[hidden + head * size..][..size];
            keys.iter().enumerate().for_each(|(d, key)| room.keys[d * lanes + at] = *key);
            room.values.extend_from_slice(&row[2 * hidden + head * size..][..size]);
        }
    }

    /// The shares of the queries from `first`; past the end the last query is repeated.
    #[inline(always)]
    fn score<const FUSED: bool>(&mut self, head: usize, first: usize, length: usize) {
        let (size, lanes) = (self.size(), length.next_multiple_of(LANES));
        let queries: [&[f32]; QUERIES] = std::array::from_fn(|r| {
            let row = (first + r).min(length - 1);
            &self.qkv[row * 3 * self.hidden + head * size..][..size]
        });
        for tile in (0..lanes).step_by(LANES) {
            let mut sums = [[0.0f32; LANES]; QUERIES];
            for (d, keys) in self.room.keys.chunks_exact(lanes).enumerate() {
                let keys = keys[tile..].first_chunk::<LANES>().unwrap_or(&[0.0; LANES]);
                for (sum, query) in sums.iter_mut().zip(queries) {
                    let q = query[d];
                    sum.iter_mut().zip(keys).for_each(|(s, k)| *s = fused::<FUSED>(q, *k, *s));
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                self.room.scores[r * lanes + tile..][..LANES].copy_from_slice(sum);
            }
        }
        let scale = 1.0 / (size as f32).sqrt();
        for row in self.room.scores.chunks_exact_mut(lanes) {
            softmax(row, length, scale);
        }
    }

    #[inline(always)]
    fn weigh<const FUSED: bool>(&mut self, head: usize, first: usize, length: usize) {
        let (hidden, size, lanes) = (self.hidden, self.size(), length.next_multiple_of(LANES));
        let shares: [&[f32]; QUERIES] = std::array::from_fn(|r| &self.room.scores[r * lanes..][..length]);
        for tile in (0..size).step_by(LANES) {
            let mut sums = [[0.0f32; LANES]; QUERIES];
            for (at, values) in self.room.values.chunks_exact(size).enumerate() {
                let values = values[tile..].first_chunk::<LANES>().unwrap_or(&[0.0; LANES]);
                for (sum, share) in sums.iter_mut().zip(shares) {
                    let w = share[at];
                    sum.iter_mut().zip(values).for_each(|(s, v)| *s = fused::<FUSED>(w, *v, *s));
                }
            }
            for (r, sum) in sums.iter().enumerate().take(length - first) {
                self.out[(first + r) * hidden + head * size + tile..][..LANES].copy_from_slice(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::Level;
    use super::*;

    fn plain(qkv: &[f32], (hidden, heads): (usize, usize), length: usize) -> Vec<f32> {
        let size = hidden / heads;
        let mut out = vec![0.0f32; length * hidden];
        for (head, i) in (0..heads).flat_map(|h| (0..length).map(move |i| (h, i))) {
            let part = |row: usize, kind: usize| &qkv[row * 3 * hidden + kind * hidden + head * size..][..size];
            let score = |j| part(i, 0).iter().zip(part(j, 1)).map(|(q, k)| q * k).sum::<f32>() / (size as f32).sqrt();
            let weights: Vec<f32> = (0..length).map(|j| score(j).exp()).collect();
            let sum: f32 = weights.iter().sum();
            for (j, d) in (0..length).flat_map(|j| (0..size).map(move |d| (j, d))) {
                out[i * hidden + head * size + d] += weights[j] / sum * part(j, 2)[d];
            }
        }
        out
    }

    #[test]
    fn every_level_attends_as_the_formula_says() {
        let (hidden, heads) = (64, 2);
        for length in [1, 2, 5, 16, 17, 40] {
            let qkv: Vec<f32> = (0..length * 3 * hidden).map(|i| ((i * 37 % 101) as f32 - 50.0) / 40.0).collect();
            let want = plain(&qkv, (hidden, heads), length);
            for level in Level::all() {
                let (mut room, mut out) = (Room::default(), vec![0.0; length * hidden]);
                level.run(Attention { qkv: &qkv, hidden, heads, room: &mut room, out: &mut out });
                let worst = out.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{level:?}, {length} tokens: {worst}");
            }
        }
    }
}
