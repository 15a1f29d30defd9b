//! Fusion of two ranked lists: each half's scores are brought to 0 .. 1 within one search, then weighed and added.

use std::collections::HashMap;

/// Rows and their scores, best first.
pub type Hits = [(usize, f32)];

/// BM25 has a true zero: each score is a share of the best.
pub fn share_of_best(hits: &Hits) -> Vec<(usize, f32)> {
    let best = hits.first().map_or(1.0, |hit| hit.1).max(f32::MIN_POSITIVE);
    hits.iter().map(|(row, score)| (*row, score / best)).collect()
}

/// Cosines of one model all lie close together: only the distance from `floor` tells anything.
pub fn above(hits: &Hits, floor: f32) -> Vec<(usize, f32)> {
    let best = hits.first().map_or(1.0, |hit| hit.1);
    let span = (best - floor).max(f32::EPSILON);
    hits.iter().map(|(row, score)| (*row, ((score - floor) / span).clamp(0.0, 1.0))).collect()
}

/// The union of the rows with their weighed scores, best first; ties by row, so that the order is stable.
pub fn fuse(lists: &[(&Hits, f32)]) -> Vec<(usize, f32)> {
    let mut fused: HashMap<usize, f32> = HashMap::new();
    for (list, weight) in lists {
        for (row, score) in *list {
            *fused.entry(*row).or_default() += weight * score;
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
    use super::*;

    fn check(lexical: &Hits, vector: &Hits, expected: &[usize]) {
        let (lexical, vector) = (share_of_best(lexical), above(vector, 0.7));
        let fused = fuse(&[(&lexical, 1.0), (&vector, 1.0)]);
        assert_eq!(fused.iter().map(|(row, _)| *row).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rows_good_in_both_lists_come_first() {
        check(&[(1, 8.0), (2, 5.0), (3, 3.0)], &[(3, 0.9), (4, 0.8)], &[3, 1, 2, 4]);
        check(&[], &[(7, 0.9), (8, 0.8)], &[7, 8]);
        check(&[(5, 2.0)], &[(5, 0.9)], &[5]);
        check(&[(1, 2.0)], &[(2, 0.7)], &[1, 2]);
    }

    #[test]
    fn far_ahead_in_one_list_beats_a_rank_in_the_other() {
        check(&[(1, 9.0), (2, 3.0)], &[(2, 0.81), (3, 0.8), (1, 0.79)], &[1, 2, 3]);
    }
}
