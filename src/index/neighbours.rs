//! Who finds the rows whose vectors are nearest to a question: this program's own memory, or a server. Rows come back the same way
//! from both: the row's number and its cosine, best first, ties by number.

use crate::engine::Only;

use super::vectors::Vectors;

/// Rows and their scores, best first.
pub type Hits = Vec<(usize, f32)>;

/// How near the cosine must be to the true one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// For a pass that another follows: off by about a hundredth.
    Rough,
    /// For the answer.
    Exact,
}

/// Which rows are wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The vector they are near to, of length 1.
    pub question: &'a [f32],
    /// So many.
    pub limit: usize,
    /// How near the cosine must be to the true one.
    pub closeness: Closeness,
    /// What their products must be to be had in, and which rows these are.
    pub only: Option<(&'a Only, &'a [bool])>,
}

/// Finds rows by their vectors.
pub trait Neighbours: Send + Sync {
    /// The nearest of the rows that are wanted; none at all when nobody can be asked now.
    ///
    /// # Errors
    /// When the question has another length than the rows, or a file cannot be read.
    fn nearest(&self, wanted: &Wanted<'_>) -> anyhow::Result<Option<Hits>>;

    /// Why questions are answered by their words alone, when they are.
    fn trouble(&self) -> Option<String> {
        None
    }
}

impl Neighbours for Vectors {
    fn nearest(&self, wanted: &Wanted<'_>) -> anyhow::Result<Option<Hits>> {
        let question = (wanted.question, wanted.only.map(|(_, rows)| rows));
        match wanted.closeness {
            Closeness::Rough => self.roughly_nearest(question, wanted.limit),
            Closeness::Exact => self.exactly_nearest(question, wanted.limit),
        }
        .map(Some)
    }
}
