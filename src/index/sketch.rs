//! One bit of each number of a row: a twelfth of what the int8 rows take, read in their place where there are so many that reading
//! memory is all the time a search takes. In: rows of int8. Out: the rows worth comparing properly. It decides no order.
//!
//! A row is kept as the signs of its distance from the rows' mean, and one number: how long that distance is, as its signs tell it.
//! The question is read with four bits a number, so a row costs four ANDs and four counts for each 64 of its numbers.

use super::neighbours::Hits;
use super::vectors::keep_best;

/// Rows that lie beside one another, so that one instruction reads the same 64 numbers of all of them.
const BESIDE: usize = 8;
/// Bits of a question's numbers.
const BITS: usize = 4;
/// The most rows the mean is taken of: it moves no more with further ones.
const SAMPLE: usize = 65_536;

/// The same 64 numbers of rows beside one another.
type Word = [u64; BESIDE];

/// What is kept beside the bits of a group's rows.
#[derive(Clone, Copy, Default)]
struct Beside {
    /// How many bits of a row are set.
    set: [f32; BESIDE],
    /// What the sum over a row's signs is multiplied by.
    lengths: [f32; BESIDE],
}

/// The sketches of all rows.
pub struct Sketches {
    mean: Vec<f32>,
    /// Group by group, each as many words as a row has.
    words: Vec<Word>,
    beside: Vec<Beside>,
    per_row: usize,
    rows: usize,
}

/// A question as its planes of bits.
struct Planes {
    bits: Vec<[u64; BITS]>,
    step: f32,
    least: f32,
    sum: f32,
    /// Its product with the mean.
    base: f32,
}

impl Sketches {
    /// Sketches rows of so many numbers, each with its scale.
    pub fn new(rows: &[i8], scales: &[f32], dimensions: usize) -> Self {
        let mean = mean(rows, scales, dimensions);
        let (per_row, groups) = (dimensions.div_ceil(64), scales.len().div_ceil(BESIDE));
        let mut words = vec![[0; BESIDE]; groups * per_row];
        let mut beside = vec![Beside::default(); groups];
        for (row, (values, scale)) in rows.chunks_exact(dimensions).zip(scales).enumerate() {
            let (group, lane) = (row / BESIDE, row % BESIDE);
            let (mut absolute, mut squares) = (0.0, 0.0);
            for (at, (values, mean)) in values.chunks(64).zip(mean.chunks(64)).enumerate() {
                let part = part(values, mean, *scale);
                words[group * per_row + at][lane] = part.bits;
                absolute += part.absolute;
                squares += part.squares;
                beside[group].set[lane] += part.bits.count_ones() as f32;
            }
            beside[group].lengths[lane] = if absolute > 0.0 { squares / absolute } else { 0.0 };
        }
        Sketches { mean, words, beside, per_row, rows: scales.len() }
    }

    /// About the nearest `limit` rows of those that will do, in no meaningful order.
    pub fn nearest(&self, question: &[f32], only: Option<&[bool]>, limit: usize) -> Vec<usize> {
        let base = self.mean.iter().zip(question).map(|(mean, value)| mean * value).sum();
        let planes = Planes::of(question, base);
        let mut best = Best { rows: Vec::with_capacity(2 * limit), limit, least: f32::NEG_INFINITY };
        self.scan(&planes, only, &mut best);
        best.cut();
        best.rows.into_iter().map(|(row, _)| row).collect()
    }

    fn scan(&self, planes: &Planes, only: Option<&[bool]>, best: &mut Best) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512vpopcntdq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor was just seen to have what the function is compiled for; it is safe code otherwise.
            #[allow(unsafe_code)]
            return unsafe { self.scan_avx512(planes, only, best) };
        }
        self.scan_with(planes, only, best);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt,fma")]
    fn scan_avx512(&self, planes: &Planes, only: Option<&[bool]>, best: &mut Best) {
        self.scan_with(planes, only, best);
    }

    #[inline(always)]
    fn scan_with(&self, planes: &Planes, only: Option<&[bool]>, best: &mut Best) {
        for (group, (words, beside)) in self.words.chunks_exact(self.per_row).zip(&self.beside).enumerate() {
            let scores = scores(words, beside, planes);
            if !scores.iter().fold(false, |any, score| any | (*score > best.least)) {
                continue;
            }
            let first = group * BESIDE;
            for (row, score) in (first..self.rows.min(first + BESIDE)).zip(scores) {
                if score > best.least && only.is_none_or(|only| only[row]) {
                    best.add(row, score);
                }
            }
        }
    }
}

/// Up to 64 numbers of a row, seen from the mean.
struct Part {
    bits: u64,
    absolute: f32,
    squares: f32,
}

fn part(values: &[i8], mean: &[f32], scale: f32) -> Part {
    let mut off = [0.0_f32; 64];
    for (off, (value, mean)) in off.iter_mut().zip(values.iter().zip(mean)) {
        *off = f32::from(*value) * scale - mean;
    }
    let (mut absolute, mut squares) = ([0.0_f32; 16], [0.0_f32; 16]);
    for lanes in off.as_chunks::<16>().0 {
        for (lane, off) in lanes.iter().enumerate() {
            absolute[lane] += off.abs();
            squares[lane] += off * off;
        }
    }
    let bits = off.iter().enumerate().fold(0, |bits, (at, off)| bits | u64::from(*off > 0.0) << at);
    Part { bits, absolute: absolute.iter().sum(), squares: squares.iter().sum() }
}

/// The best of many that come by.
struct Best {
    rows: Hits,
    limit: usize,
    /// Nothing below it is among them.
    least: f32,
}

impl Best {
    fn add(&mut self, row: usize, score: f32) {
        self.rows.push((row, score));
        if self.rows.len() >= 2 * self.limit.max(1) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        keep_best(&mut self.rows, self.limit);
        if self.rows.len() >= self.limit {
            self.least = self.rows.last().map_or(self.least, |last| last.1);
        }
    }
}

impl Planes {
    fn of(question: &[f32], base: f32) -> Planes {
        let least = question.iter().copied().fold(f32::INFINITY, f32::min);
        let most = question.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let levels = ((1_u32 << BITS) - 1) as f32;
        let step = ((most - least) / levels).max(f32::MIN_POSITIVE);
        let mut bits = vec![[0; BITS]; question.len().div_ceil(64)];
        for (at, value) in question.iter().enumerate() {
            let level = ((value - least) / step).round() as u64;
            for (plane, word) in bits[at / 64].iter_mut().enumerate() {
                *word |= (level >> plane & 1) << (at % 64);
            }
        }
        Planes { bits, step, least, sum: question.iter().sum(), base }
    }
}

fn mean(rows: &[i8], scales: &[f32], dimensions: usize) -> Vec<f32> {
    let every = scales.len().div_ceil(SAMPLE).max(1);
    let mut mean = vec![0.0; dimensions];
    let mut count = 0.0;
    for (values, scale) in rows.chunks_exact(dimensions).zip(scales).step_by(every) {
        mean.iter_mut().zip(values).for_each(|(sum, value)| *sum += f32::from(*value) * scale);
        count += 1.0;
    }
    mean.iter_mut().for_each(|sum| *sum /= f32::max(count, 1.0));
    mean
}

/// About the products of a group's rows with the question.
#[inline(always)]
fn scores(words: &[Word], beside: &Beside, planes: &Planes) -> [f32; BESIDE] {
    let sums = sums(words, &planes.bits);
    let mut scores = [0.0; BESIDE];
    for (lane, score) in scores.iter_mut().enumerate() {
        let positive = planes.least * beside.set[lane] + planes.step * sums[lane] as f32;
        *score = planes.base + beside.lengths[lane] * (2.0 * positive - planes.sum);
    }
    scores
}

/// For each row of a group the sum of the question's levels where the row's bit is set.
#[inline(always)]
fn sums(words: &[Word], planes: &[[u64; BITS]]) -> [u32; BESIDE] {
    let mut counts = [[0_u64; BESIDE]; BITS];
    for (word, planes) in words.iter().zip(planes) {
        for (counts, bits) in counts.iter_mut().zip(planes) {
            for (count, row) in counts.iter_mut().zip(word) {
                *count += u64::from((row & bits).count_ones());
            }
        }
    }
    let mut sums = [0; BESIDE];
    for (plane, counts) in counts.iter().enumerate() {
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += (*count as u32) << plane;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_summed_where_bits_are_set() {
        let question: Vec<f32> = (0..130).map(|at| (at % 16) as f32).collect();
        let planes = Planes::of(&question, 0.0);
        assert_eq!((planes.step, planes.least), (1.0, 0.0));
        let mut words = vec![[0; BESIDE]; 3];
        words[0][2] = 0b1010;
        words[2][2] = 0b10;
        words[1][7] = u64::MAX;
        let expected = [0, 0, 1 + 3 + 129 % 16, 0, 0, 0, 0, 4 * 120];
        assert_eq!(sums(&words, &planes.bits), expected);
    }

    #[test]
    fn the_nearest_rows_are_among_those_worth_reading() {
        let noise = |at: usize| (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) ^ at as u64;
        let number =
            |row: usize, at: usize| (noise(row * 70 + at).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 57) as f32 / 127.0;
        let rows: Vec<i8> = (0..3001 * 70).map(|at| (number(at / 70, at % 70) * 127.0) as i8).collect();
        let scales = vec![1.0 / 127.0; 3001];
        let sketches = Sketches::new(&rows, &scales, 70);
        for row in [0, 77, 3000] {
            let question: Vec<f32> = (0..70).map(|at| number(row, at)).collect();
            assert!(sketches.nearest(&question, None, 40).contains(&row));
            let others: Vec<bool> = (0..3001).map(|other| other != row).collect();
            assert!(!sketches.nearest(&question, Some(&others), 40).contains(&row));
            // Every processor's own way gives the same.
            let (planes, mut best) =
                (Planes::of(&question, 0.0), Best { rows: Vec::new(), limit: 40, least: f32::MIN });
            sketches.scan_with(&planes, None, &mut best);
            best.cut();
            let plain: Vec<usize> = best.rows.iter().map(|(row, _)| *row).collect();
            let shared = sketches.nearest(&question, None, 40).iter().filter(|row| plain.contains(row)).count();
            assert!(shared >= 39, "{shared}");
        }
        assert_eq!(sketches.nearest(&[0.1; 70], None, 5000).len(), 3001);
    }

    #[test]
    fn the_best_stay_however_many_come_by() {
        let mut best = Best { rows: Vec::new(), limit: 3, least: f32::NEG_INFINITY };
        for (row, score) in [5.0, 1.0, 9.0, 2.0, 7.0, 3.0, 8.0].into_iter().enumerate() {
            if score > best.least {
                best.add(row, score);
            }
        }
        best.cut();
        assert_eq!(best.rows, [(2, 9.0), (6, 8.0), (4, 7.0)]);
    }
}
