//! One weight per feature and class: for each class a support vector machine against all others, with squared hinge loss.
//! Fitted by dual coordinate descent (Hsieh et al., "A Dual Coordinate Descent Method for Large-scale Linear SVM", 2008):
//! seconds for some ten thousand messages, and the same weights on every run.

use std::thread;

use super::wording::Wording;

/// What a miss costs beside the size of the weights.
const COST: f32 = 0.5;
/// Rounds at most, and the range of the gradient at which a class is done.
const ROUNDS: usize = 80;
const DONE: f32 = 0.03;

/// One message: what it is about, and how it is worded.
#[derive(Clone, Debug)]
pub struct Features {
    /// The embedding, centred, of length 1.
    pub meaning: Vec<f32>,
    /// Places in the vocabulary.
    pub wording: Wording,
}

/// Weights by feature: meaning first, then the vocabulary, then the constant; `classes` of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// How many classes.
    pub classes: usize,
    /// The length of a meaning.
    pub dimensions: usize,
    /// Row after row.
    pub weights: Vec<f32>,
}

/// What is fitted on.
pub struct Training<'a> {
    /// The texts.
    pub rows: &'a [Features],
    /// The class of each; one that is none of `classes` speaks against all of them.
    pub labels: &'a [usize],
    /// How many classes.
    pub classes: usize,
    /// How many words and runs of letters count.
    pub vocabulary: usize,
}

impl Linear {
    /// Fits all classes over the rows for which `kept` holds.
    pub fn fit(training: &Training<'_>, kept: &(dyn Fn(usize) -> bool + Sync)) -> Self {
        let dimensions = training.rows.first().map_or(0, |row| row.meaning.len());
        let at: Vec<usize> = (0..training.rows.len()).filter(|at| kept(*at)).collect();
        let columns = by_class(training, &at);
        let features = dimensions + training.vocabulary + 1;
        let mut weights = vec![0.0; features * training.classes];
        for (class, column) in columns.iter().enumerate() {
            column.iter().enumerate().for_each(|(at, weight)| weights[at * training.classes + class] = *weight);
        }
        Linear { classes: training.classes, dimensions, weights }
    }

    /// One score per class.
    pub fn scores(&self, row: &Features) -> Vec<f32> {
        let mut scores = self.weights[self.weights.len() - self.classes..].to_vec();
        let meaning = row.meaning.iter().copied().enumerate();
        let wording = row.wording.iter().map(|(at, value)| (self.dimensions + *at as usize, *value));
        for (at, value) in meaning.chain(wording) {
            let weights = &self.weights[at * self.classes..(at + 1) * self.classes];
            scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += weight * value);
        }
        scores
    }
}

/// The classes shared among threads.
fn by_class(training: &Training<'_>, at: &[usize]) -> Vec<Vec<f32>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    thread::scope(|scope| {
        let worker = |first: usize| {
            scope.spawn(move || {
                let own = (first..training.classes).step_by(threads);
                own.map(|class| (class, Machine::fit(training, at, class))).collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = (0..threads).map(worker).collect();
        let mut columns = vec![Vec::new(); training.classes];
        for worker in workers {
            let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done.into_iter().for_each(|(class, column)| columns[class] = column);
        }
        columns
    })
}

/// One class against the others.
struct Machine<'a> {
    training: &'a Training<'a>,
    class: usize,
    weights: Vec<f32>,
    /// What each row pulls, never negative.
    pulls: Vec<f32>,
    /// The curvature along each row.
    curves: Vec<f32>,
}

impl<'a> Machine<'a> {
    fn fit(training: &'a Training<'a>, at: &[usize], class: usize) -> Vec<f32> {
        let dimensions = training.rows.first().map_or(0, |row| row.meaning.len());
        let mut machine = Machine {
            training,
            class,
            weights: vec![0.0; dimensions + training.vocabulary + 1],
            pulls: vec![0.0; training.rows.len()],
            curves: training.rows.iter().map(|row| square(row) + 0.5 / COST).collect(),
        };
        let mut order = Order(0x9e37_79b9_7f4a_7c15);
        let mut active = at.to_vec();
        let mut highest = f32::INFINITY;
        for _ in 0..ROUNDS {
            order.shuffle(&mut active);
            let (low, high) = machine.round(&mut active, highest);
            if high - low <= DONE {
                if active.len() == at.len() {
                    break;
                }
                // What was put aside is looked at once more before it counts as done.
                active = at.to_vec();
                highest = f32::INFINITY;
                continue;
            }
            highest = if high > 0.0 { high } else { f32::INFINITY };
        }
        machine.weights
    }

    /// One step per active row; rows that pull nothing and are far on the right side are put aside.
    fn round(&mut self, active: &mut Vec<usize>, highest: f32) -> (f32, f32) {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        active.retain(|at| {
            let row = &self.training.rows[*at];
            let side = if self.training.labels[*at] == self.class { 1.0 } else { -1.0 };
            let gradient = side * self.score(row) - 1.0 + self.pulls[*at] * 0.5 / COST;
            if self.pulls[*at] == 0.0 && gradient > highest {
                return false;
            }
            let slope = if self.pulls[*at] == 0.0 { gradient.min(0.0) } else { gradient };
            (low, high) = (low.min(slope), high.max(slope));
            if slope.abs() > 1e-9 {
                let pull = (self.pulls[*at] - gradient / self.curves[*at]).max(0.0);
                self.add(row, (pull - self.pulls[*at]) * side);
                self.pulls[*at] = pull;
            }
            true
        });
        (low, high)
    }

    fn score(&self, row: &Features) -> f32 {
        let dimensions = row.meaning.len();
        let mut lanes = [0.0_f32; 8];
        for (weights, values) in self.weights.chunks_exact(8).zip(row.meaning.chunks_exact(8)) {
            for lane in 0..8 {
                lanes[lane] += weights[lane] * values[lane];
            }
        }
        let tail = dimensions - dimensions % 8;
        let rest: f32 = (tail..dimensions).map(|at| self.weights[at] * row.meaning[at]).sum();
        let wording: f32 = row.wording.iter().map(|(at, value)| self.weights[dimensions + *at as usize] * value).sum();
        lanes.iter().sum::<f32>() + rest + wording + self.weights[self.weights.len() - 1]
    }

    fn add(&mut self, row: &Features, times: f32) {
        let dimensions = row.meaning.len();
        self.weights.iter_mut().zip(&row.meaning).for_each(|(weight, value)| *weight += times * value);
        row.wording.iter().for_each(|(at, value)| self.weights[dimensions + *at as usize] += times * value);
        if let Some(constant) = self.weights.last_mut() {
            *constant += times;
        }
    }
}

fn square(row: &Features) -> f32 {
    let wording = row.wording.iter().map(|(_, value)| value * value).sum::<f32>();
    row.meaning.iter().map(|value| value * value).sum::<f32>() + wording + 1.0
}

/// Rows in an order that is mixed and yet the same on every run (xorshift).
struct Order(u64);

impl Order {
    fn shuffle(&mut self, rows: &mut [usize]) {
        for last in (1..rows.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            rows.swap(last, (self.0 % (last as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<Features>, Vec<usize>) {
        let row = |at: usize| {
            let class = at % 3;
            let angle = class as f32 * 2.1 + (at as f32 * 0.37).sin() * 0.3;
            Features { meaning: vec![angle.cos(), angle.sin()], wording: vec![(class as u32, 0.2)] }
        };
        ((0..60).map(row).collect(), (0..60).map(|at| at % 3).collect())
    }

    fn best(scores: &[f32]) -> usize {
        (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap()
    }

    #[test]
    fn classes_that_lie_apart_are_told_apart_also_by_rows_left_out() {
        let (rows, labels) = rows();
        let training = Training { rows: &rows, labels: &labels, classes: 3, vocabulary: 3 };
        let fitted = Linear::fit(&training, &|at| at % 5 != 0);
        for (row, label) in rows.iter().zip(&labels) {
            assert_eq!(best(&fitted.scores(row)), *label);
        }
        assert_eq!(fitted, Linear::fit(&training, &|at| at % 5 != 0), "the same on every run");
    }

    #[test]
    fn the_fit_is_the_optimum_of_what_it_minimises() {
        let (rows, labels) = rows();
        let training = Training { rows: &rows, labels: &labels, classes: 3, vocabulary: 3 };
        let fitted = Linear::fit(&training, &|_| true);
        let loss = |model: &Linear| {
            let sizes = model.weights.iter().map(|weight| weight * weight).sum::<f32>() / 2.0;
            let miss = |(row, label): (&Features, &usize)| {
                let scores = model.scores(row);
                let side = |class: usize| if class == *label { 1.0 } else { -1.0 };
                (0..3).map(|class| (1.0 - side(class) * scores[class]).max(0.0).powi(2)).sum::<f32>()
            };
            sizes + COST * rows.iter().zip(&labels).map(miss).sum::<f32>()
        };
        let least = loss(&fitted);
        for at in 0..fitted.weights.len() {
            for step in [-0.05, 0.05] {
                let mut moved = fitted.clone();
                moved.weights[at] += step;
                assert!(loss(&moved) >= least - 1e-3, "weight {at}");
            }
        }
    }
}
