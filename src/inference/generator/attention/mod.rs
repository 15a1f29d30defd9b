//! Attention over pages of keys and values: plain slices in and out.
//! The order of sums does not depend on how many queries are worked on together, so a prompt read in parts gives the very
//! same numbers.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use super::super::embedder::{Level, LevelKind, half};
use super::kernels;
use super::memory::PAGE;

/// Queries that are worked on together: each key and value is fetched once for all of them.
const TOGETHER: usize = 3;
/// Sums of a query that are kept at once, and a part of them where no more are left.
const WIDE: usize = 32;
const NARROW: usize = 16;

const _: () = assert!(PAGE == WIDE);

/// One head's keys and values, and the queries of the heads that share them.
pub struct Attend<'a> {
    /// Keys and values of each page of positions, in half precision: keys `[number][position]`, values
    /// `[position][number]`, finite also where nothing has been put yet.
    pub pages: Vec<(&'a [u16], &'a [u16])>,
    /// Numbers in a head; a multiple of 16.
    pub size: usize,
    /// Each query, scaled, with the positions it may see; at least one.
    pub queries: Vec<(&'a [f32], Range<usize>)>,
}

/// Rows of numbers and how far they lie apart.
#[derive(Clone, Copy)]
struct Tile<'a> {
    numbers: &'a [f32],
    apart: usize,
}

/// Softmax-weighted values of each query, one after the other in `out`.
pub fn attend(task: &Attend<'_>, out: &mut [f32]) {
    let (level, size, queries) = (Level::best_once(), task.size, &task.queries[..]);
    let pages = queries.iter().map(|(_, seen)| seen.end.div_ceil(PAGE)).max().unwrap_or(0);
    let width = pages * PAGE;
    let (mut room, mut tile) = (vec![0f32; queries.len() * width], vec![0f32; size * PAGE]);
    let unseen = |queries: &[(&[f32], Range<usize>)], page| {
        queries.iter().all(|(_, seen)| seen.end <= page * PAGE || seen.start >= (page + 1) * PAGE)
    };
    for (page, (keys, _)) in task.pages[..pages].iter().enumerate() {
        widen(level, keys, &mut tile);
        let tile = Tile { numbers: &tile, apart: PAGE };
        for (queries, room) in queries.chunks(TOGETHER).zip(room.chunks_mut(TOGETHER * width)) {
            if unseen(queries, page) {
                continue;
            }
            let scores = (&mut room[page * PAGE..], width);
            match queries {
                [a, b, c] => fold::<3, WIDE>(level, [a.0, b.0, c.0], tile, scores),
                [a, b] => fold::<2, WIDE>(level, [a.0, b.0], tile, scores),
                _ => fold::<1, WIDE>(level, [queries[0].0], tile, scores),
            }
        }
    }
    for (scores, (_, may)) in room.chunks_exact_mut(width).zip(queries) {
        kernels::softmax(&mut scores[may.clone()]);
        scores[..may.start].fill(0.0);
        scores[may.end..].fill(0.0);
    }
    out.fill(0.0);
    for (page, (_, values)) in task.pages[..pages].iter().enumerate() {
        widen(level, values, &mut tile);
        let rooms = room.chunks(TOGETHER * width).zip(out.chunks_mut(TOGETHER * size));
        for (queries, (room, out)) in queries.chunks(TOGETHER).zip(rooms) {
            if unseen(queries, page) {
                continue;
            }
            let weights = |n: usize| &room[n * width + page * PAGE..][..PAGE];
            match queries.len() {
                3 => values_of::<3>(level, [weights(0), weights(1), weights(2)], &tile, out),
                2 => values_of::<2>(level, [weights(0), weights(1)], &tile, out),
                _ => values_of::<1>(level, [weights(0)], &tile, out),
            }
        }
    }
}

/// Adds a page's values with the weights of some queries.
fn values_of<const N: usize>(level: Level, weights: [&[f32]; N], tile: &[f32], out: &mut [f32]) {
    let size = tile.len() / PAGE;
    for first in (0..size).step_by(WIDE) {
        let (tile, to) = (Tile { numbers: &tile[first..], apart: size }, (&mut out[first..], size));
        match size - first {
            WIDE.. => fold::<N, WIDE>(level, weights, tile, to),
            _ => fold::<N, NARROW>(level, weights, tile, to),
        }
    }
}

/// Adds the first `W` numbers of a tile's rows, each times its factor, to `N` rows: one after the other, whoever else is there.
#[allow(unsafe_code)]
fn fold<const N: usize, const W: usize>(
    level: Level,
    factors: [&[f32]; N],
    tile: Tile<'_>,
    (to, apart): (&mut [f32], usize),
) {
    let count = factors[0].len();
    let last = |rows: usize, apart: usize| rows.checked_sub(1).map_or(0, |rows| rows * apart + W);
    assert!(factors.iter().all(|factors| factors.len() == count));
    assert!(tile.numbers.len() >= last(count, tile.apart) && to.len() >= last(N, apart));
    match level.kind() {
        #[cfg(target_arch = "x86_64")]
        LevelKind::Avx512 | LevelKind::Avx2 if W == WIDE => {
            // SAFETY: a level stands for the instructions; the sizes were checked above.
            unsafe { x86::fold::<N, { WIDE / 8 }>(factors, tile, (to, apart)) }
        }
        #[cfg(target_arch = "x86_64")]
        LevelKind::Avx512 | LevelKind::Avx2 => {
            // SAFETY: as above.
            unsafe { x86::fold::<N, { NARROW / 8 }>(factors, tile, (to, apart)) }
        }
        LevelKind::Portable => {
            for at in 0..count {
                let row = &tile.numbers[at * tile.apart..][..W];
                for (n, factors) in factors.iter().enumerate() {
                    to[n * apart..][..W].iter_mut().zip(row).for_each(|(to, number)| *to += factors[at] * number);
                }
            }
        }
    }
}

/// Half precision to single; exact.
#[allow(unsafe_code)]
fn widen(level: Level, from: &[u16], to: &mut [f32]) {
    match level.kind() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level stands for the instructions.
        LevelKind::Avx512 | LevelKind::Avx2 => unsafe { x86::widen(from, to) },
        LevelKind::Portable => from.iter().zip(to).for_each(|(from, to)| *to = half(*from)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::formats::to_half;
    use super::*;

    #[test]
    fn halves_become_what_they_stand_for() {
        let all: Vec<u16> = (0..=u16::MAX).filter(|bits| bits & 0x7fff < 0x7c00).collect();
        for level in Level::all() {
            let mut wide = vec![0.0; all.len() - 3];
            widen(level, &all[3..], &mut wide);
            for (bits, wide) in all[3..].iter().zip(&wide) {
                assert_eq!(wide.to_bits(), half(*bits).to_bits(), "{bits:04x} {level:?}");
            }
        }
    }

    #[test]
    fn attention_is_a_weighted_mean() {
        for size in [16, 32, 48, 64] {
            check(size);
        }
    }

    fn check(size: usize) {
        let positions = 2 * PAGE;
        let numbers = |seed: usize| (0..positions * size).map(move |i| to_half((i * seed % 97) as f32 / 97.0));
        let (keys, values): (Vec<u16>, Vec<u16>) = (numbers(31).collect(), numbers(57).collect());
        let pages: Vec<_> = keys.chunks_exact(PAGE * size).zip(values.chunks_exact(PAGE * size)).collect();
        let key = |p: usize, i: usize| f64::from(half(keys[p / PAGE * PAGE * size + i * PAGE + p % PAGE]));
        let value = |p: usize, i: usize| f64::from(half(values[p * size + i]));
        let query: Vec<f32> = (0..size).map(|i| (i % 16) as f32 / 8.0).collect();
        let score = |p: usize| (0..size).map(|i| key(p, i) * f64::from(query[i])).sum::<f64>().exp();
        let seen = [0..1usize, 0..4, 0..40, 0..32, 0..33, 0..64, 0..7, 3..7, 31..33, 40..64, 32..40];
        let mut alone = Vec::new();
        for seen in seen.clone() {
            let mut out = vec![0.0; size];
            let pages = pages[..seen.end.div_ceil(PAGE)].to_vec();
            attend(&Attend { pages, size, queries: vec![(&query[..], seen.clone())] }, &mut out);
            let all: f64 = seen.clone().map(score).sum();
            for (i, out) in out.iter().enumerate() {
                let mean = seen.clone().map(|p| score(p) / all * value(p, i)).sum::<f64>();
                assert!((mean - f64::from(*out)).abs() < 1e-5, "{seen:?} {i}: {mean} {out}");
            }
            alone.extend(out);
        }
        let mut together = vec![0.0; seen.len() * size];
        let queries = seen.map(|seen| (&query[..], seen)).to_vec();
        attend(&Attend { pages, size, queries }, &mut together);
        assert_eq!(together, alone);
    }
}
