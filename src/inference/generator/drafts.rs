//! Drafts: what followed the newest words where they stood before is likely to follow them again, names and properties of facts above
//! all. A draft is read in the same step as the newest word and counts only as far as it is what would have been written anyway.
//! In: tokens read and written, and what became of earlier drafts. Out: a few tokens, or none. It decides nothing.

/// So many tokens must stand before as they stand at the end; more are tried first.
const ALIKE: [usize; 2] = [3, 2];
/// A draft's length at first, at least and at most: eight rows in a step cost about what four do twice.
const LENGTHS: (usize, usize, usize) = (4, 2, 7);
/// Steps without drafts after one that was all wrong; twice as many after each further one.
const PAUSES: (usize, usize) = (2, 64);

/// The drafts of one answer.
#[derive(Clone, Debug)]
pub struct Drafts {
    length: usize,
    pause: usize,
    /// Steps that are still to be done without.
    rest: usize,
    /// Tokens drafted, and tokens of those that were right.
    pub tally: Tally,
}

/// How good drafts were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tokens drafted.
    pub drafted: usize,
    /// Of these, tokens that were written.
    pub right: usize,
}

impl Default for Drafts {
    fn default() -> Drafts {
        Drafts { length: LENGTHS.0, pause: PAUSES.0, rest: 0, tally: Tally::default() }
    }
}

impl Drafts {
    /// What may follow, at most so many tokens.
    pub fn propose(&mut self, (read, unread): (&[u32], &[u32]), most: usize) -> Vec<u32> {
        if self.rest > 0 {
            self.rest -= 1;
            return Vec::new();
        }
        let most = most.min(self.length);
        if most == 0 {
            return Vec::new();
        }
        let all: Vec<u32> = read.iter().chain(unread).copied().collect();
        ALIKE.iter().find_map(|alike| follows(&all, *alike, most)).unwrap_or_default()
    }

    /// Takes note of what became of a draft.
    pub fn learn(&mut self, drafted: usize, right: usize) {
        let (_, shortest, longest) = LENGTHS;
        self.tally = Tally { drafted: self.tally.drafted + drafted, right: self.tally.right + right };
        if right == drafted {
            (self.length, self.pause) = ((self.length + 2).min(longest), PAUSES.0);
        } else if right * 2 < drafted {
            self.length = (self.length / 2).max(shortest);
        }
        if right == 0 {
            self.rest = self.pause;
            self.pause = (self.pause * 2).min(PAUSES.1);
        }
    }
}

/// What followed the last `alike` tokens where they stood before, the newest such place first.
fn follows(all: &[u32], alike: usize, most: usize) -> Option<Vec<u32>> {
    let (before, end) = all.split_at(all.len().checked_sub(alike)?);
    let at = (0..before.len()).rev().find(|at| all[*at..].starts_with(end))?;
    let next = &all[at + alike..];
    Some(next[..next.len().min(most)].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_before_is_proposed() {
        let check = |all: &[u32], most: usize, expected: &[u32]| {
            let (read, unread) = all.split_at(all.len() - 1);
            assert_eq!(Drafts::default().propose((read, unread), most), expected, "{all:?}");
        };
        check(&[1, 2, 3, 4, 5, 6, 7, 1, 2, 3], 8, &[4, 5, 6, 7]);
        check(&[1, 2, 3, 4, 5, 6, 7, 1, 2, 3], 2, &[4, 5]);
        check(&[1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3], 8, &[4, 9, 2, 3]);
        check(&[7, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3], 8, &[5, 1, 2, 3]);
        check(&[1, 2, 3, 4], 8, &[]);
        check(&[4, 4, 4, 4], 8, &[4]);
        check(&[1], 8, &[]);
        check(&[1, 2, 1, 2], 0, &[]);
    }

    #[test]
    fn drafts_grow_while_they_are_right_and_pause_when_they_are_not() {
        let all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3];
        let mut drafts = Drafts::default();
        let proposed = |drafts: &mut Drafts| drafts.propose((&all, &[]), 8).len();
        assert_eq!(proposed(&mut drafts), 4);
        drafts.learn(4, 4);
        assert_eq!(proposed(&mut drafts), 6);
        drafts.learn(6, 0);
        let lengths: Vec<usize> = (0..3).map(|_| proposed(&mut drafts)).collect();
        assert_eq!(lengths, [0, 0, 3]);
        drafts.learn(3, 0);
        let lengths: Vec<usize> = (0..5).map(|_| proposed(&mut drafts)).collect();
        assert_eq!(lengths, [0, 0, 0, 0, 2]);
        assert_eq!(drafts.tally, Tally { drafted: 13, right: 4 });
    }
}
