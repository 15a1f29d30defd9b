//! Reciprocal-rank fusion of two ranked lists: no score of one half is ever compared with one of the other.

use std::collections::HashMap;

/// Damps the difference between the first ranks.
const K: f32 = 60.0;

/// The union of ranked rows with their fused score, best first; ties by row, so that the order is stable.
pub fn fuse(lists: &[(&[(usize, f32)], f32)]) -> Vec<(usize, f32)> {
    let mut fused: HashMap<usize, f32> = HashMap::new();
    for (list, weight) in lists {
        for (rank, (row, _)) in list.iter().enumerate() {
            *fused.entry(*row).or_default() += weight / (K + rank as f32 + 1.0);
        }
    }
    let mut fused: Vec<(usize, f32)> = fused.into_iter().collect();
    sort(&mut fused);
    fused
}

/// Best first; ties by row.
pub fn sort(hits: &mut [(usize, f32)]) {
    hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

#[cfg(test)]
mod tests {
    use super::fuse;

    fn check(first: &[usize], second: &[usize], expected: &[usize]) {
        let list = |rows: &[usize]| rows.iter().map(|row| (*row, 0.0)).collect::<Vec<_>>();
        let (first, second) = (list(first), list(second));
        let fused = fuse(&[(first.as_slice(), 1.0), (second.as_slice(), 1.0)]);
        assert_eq!(fused.iter().map(|(row, _)| *row).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rows_in_both_lists_come_first() {
        check(&[1, 2, 3], &[3, 4], &[3, 1, 2, 4]);
        check(&[], &[7, 8], &[7, 8]);
        check(&[5], &[5], &[5]);
    }
}
