//! How much each labelled example says for each command: regularised least squares over a Gaussian kernel of the vectors.
//! Compared with plain nearest neighbours it discounts examples that are alike for another reason (the same product).
//! What examples would have got from the others alone follows exactly, without fitting again. They are left out by group:
//! the same wish in four languages is one group, or every example would be known by its translations.

/// Width of the kernel over centred vectors of unit mean length.
const WIDTH: f32 = 0.5;
/// Say of an example that is like no other.
const BASE: f32 = 0.05;
/// How much the fit is smoothed.
const RIDGE: f64 = 0.1;

/// Vectors moved to their mean and scaled to unit mean length: embedders crowd theirs into a narrow cone.
pub(super) struct Centring {
    mean: Vec<f32>,
    scale: f32,
}

impl Centring {
    pub(super) fn of(vectors: &[Vec<f32>]) -> Self {
        let count = vectors.len().max(1) as f32;
        let mut mean = vec![0.0; vectors.first().map_or(0, Vec::len)];
        for vector in vectors {
            mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value / count);
        }
        let square =
            |vector: &Vec<f32>| vector.iter().zip(&mean).map(|(value, mean)| (value - mean).powi(2)).sum::<f32>();
        let spread = (vectors.iter().map(square).sum::<f32>() / count).sqrt();
        Centring { mean, scale: 1.0 / spread.max(1e-6) }
    }

    pub(super) fn apply(&self, vector: &[f32]) -> Vec<f32> {
        vector.iter().zip(&self.mean).map(|(value, mean)| (value - mean) * self.scale).collect()
    }
}

/// The kernel of two centred vectors.
pub(super) fn kernel(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (heads, tails) = (
        a.chunks_exact(8).zip(b.chunks_exact(8)),
        a.chunks_exact(8).remainder().iter().zip(b.chunks_exact(8).remainder()),
    );
    for (a, b) in heads {
        for lane in 0..8 {
            lanes[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let distance = lanes.iter().sum::<f32>() + tails.map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    (-WIDTH * distance).exp() + BASE
}

/// The fit: per example its say for each class, and what it would score when left out.
pub(super) struct Fit {
    pub(super) says: Vec<Vec<f32>>,
    pub(super) left_out: Vec<Vec<f32>>,
}

/// What is fitted: each example's class and the group it is left out with.
pub(super) struct Targets<'a> {
    pub(super) labels: &'a [usize],
    pub(super) groups: &'a [Vec<usize>],
    pub(super) classes: usize,
}

/// Fits indicator targets over centred vectors.
pub(super) fn fit(vectors: &[Vec<f32>], targets: &Targets<'_>) -> Fit {
    let &Targets { labels, classes, .. } = targets;
    let count = vectors.len();
    let mut lower: Vec<Vec<f64>> = (0..count)
        .map(|row| (0..=row).map(|column| f64::from(kernel(&vectors[row], &vectors[column]))).collect())
        .collect();
    lower.iter_mut().enumerate().for_each(|(at, row)| row[at] += RIDGE);
    factorise(&mut lower);
    let inverse = inverse_columns(&lower);
    let mut says = vec![vec![0.0_f32; classes]; count];
    for class in 0..classes {
        // The inverse of the lower factor is kept by columns, so both products run along memory.
        let forward: Vec<f64> = {
            let mut sums = vec![0.0; count];
            for (column, values) in inverse.iter().enumerate().filter(|(column, _)| labels[*column] == class) {
                values.iter().enumerate().for_each(|(down, value)| sums[column + down] += value);
            }
            sums
        };
        for (at, values) in inverse.iter().enumerate() {
            says[at][class] = dot(values, &forward[at..]) as f32;
        }
    }
    let left_out = left_out(&inverse, &says, targets);
    Fit { says, left_out }
}

/// Solves each group's block of the kernel's inverse for what its members miss by.
fn left_out(inverse: &[Vec<f64>], says: &[Vec<f32>], targets: &Targets<'_>) -> Vec<Vec<f32>> {
    let entry = |a: usize, b: usize| {
        let (early, late) = (a.min(b), a.max(b));
        dot(&inverse[early][late - early..], &inverse[late])
    };
    let mut scores = vec![vec![0.0_f32; targets.classes]; says.len()];
    for group in targets.groups {
        let mut lower: Vec<Vec<f64>> =
            (0..group.len()).map(|row| (0..=row).map(|column| entry(group[row], group[column])).collect()).collect();
        factorise(&mut lower);
        let columns = inverse_columns(&lower);
        for class in 0..targets.classes {
            let wanted: Vec<f64> = group.iter().map(|at| f64::from(says[*at][class])).collect();
            for (row, missed) in solve(&columns, &wanted).into_iter().enumerate() {
                let target = f64::from(u8::from(targets.labels[group[row]] == class));
                scores[group[row]][class] = (target - missed) as f32;
            }
        }
    }
    scores
}

/// The product of a factor's inverse, transposed and plain, with `wanted`: the solution of its system.
fn solve(columns: &[Vec<f64>], wanted: &[f64]) -> Vec<f64> {
    let mut forward = vec![0.0; wanted.len()];
    for (column, values) in columns.iter().enumerate() {
        values.iter().enumerate().for_each(|(down, value)| forward[column + down] += value * wanted[column]);
    }
    columns.iter().enumerate().map(|(at, values)| dot(values, &forward[at..])).collect()
}

/// Cholesky in place: the lower triangle becomes its factor.
fn factorise(lower: &mut [Vec<f64>]) {
    for row in 0..lower.len() {
        let (above, rest) = lower.split_at_mut(row);
        let current = &mut rest[0];
        for column in 0..row {
            let sum = dot(&current[..column], &above[column][..column]);
            current[column] = (current[column] - sum) / above[column][column];
        }
        let sum = dot(&current[..row], &current[..row]);
        current[row] = (current[row] - sum).max(1e-12).sqrt();
    }
}

/// The inverse of a lower triangle, column by column; entry `k` of column `c` stands in row `c + k`.
fn inverse_columns(lower: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let count = lower.len();
    (0..count)
        .map(|column| {
            let mut values = Vec::with_capacity(count - column);
            values.push(1.0 / lower[column][column]);
            for row in column + 1..count {
                let sum = dot(&lower[row][column..row], &values);
                values.push(-sum / lower[row][row]);
            }
            values
        })
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let length = a.len().min(b.len());
    let tail = length - length % 4;
    lanes.iter().sum::<f64>() + a[tail..length].iter().zip(&b[tail..length]).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> (Vec<Vec<f32>>, Vec<usize>) {
        let points =
            (0..12).map(|at| vec![(at % 2) as f32 * 2.0 - 1.0 + at as f32 * 0.05, (at as f32 * 0.7).sin()]).collect();
        (points, (0..12).map(|at| at % 2).collect())
    }

    fn score(vectors: &[Vec<f32>], says: &[Vec<f32>], vector: &[f32], class: usize) -> f32 {
        vectors.iter().zip(says).map(|(other, say)| kernel(vector, other) * say[class]).sum()
    }

    #[test]
    fn leaving_a_group_out_is_what_fitting_without_it_gives() {
        let (vectors, labels) = points();
        let groups: Vec<Vec<usize>> = (0..6).map(|at| vec![at, at + 6]).collect();
        let whole = fit(&vectors, &Targets { labels: &labels, groups: &groups, classes: 2 });
        for group in &groups {
            let kept: Vec<usize> = (0..12).filter(|at| !group.contains(at)).collect();
            let fewer: Vec<Vec<f32>> = kept.iter().map(|at| vectors[*at].clone()).collect();
            let fewer_labels: Vec<usize> = kept.iter().map(|at| labels[*at]).collect();
            let without = fit(&fewer, &Targets { labels: &fewer_labels, groups: &[], classes: 2 });
            for (left, class) in group.iter().flat_map(|left| [(*left, 0), (*left, 1)]) {
                let expected = score(&fewer, &without.says, &vectors[left], class);
                assert!((whole.left_out[left][class] - expected).abs() < 1e-3, "{left} {class}");
            }
        }
    }
}
