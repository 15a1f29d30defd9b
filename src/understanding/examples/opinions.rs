//! What the embedder's tuned layers think of a message, beside what the examples say. How much it counts and how sure both
//! are together was learnt from examples that neither had seen: the tuning left some out, and its opinions of those are on a
//! shelf. Without that shelf the layers have no say, for nobody could tell how sure they may be.

use std::path::Path;

use super::vectors::{self, Owner, digest};
use crate::domain::CommandName;
use crate::engine::Tuned;

/// What the logarithm of a chance counts beside the machines' scores; `scripts/tune_embedder.py` prints others.
const WEIGHT: f32 = 0.2;
/// The owner of the shelf, beside the digest of the layers.
const SHELF: &str = "opinions";

#[derive(Default)]
pub(super) struct Opinions {
    sha256: String,
    /// For each of [`CommandName::ALL`] its place in an opinion.
    places: Vec<Option<usize>>,
    /// By example, where the layers had not seen it.
    held: Vec<Option<Vec<f32>>>,
}

impl Opinions {
    /// Those of `tuned` layers over the examples they had not seen; none when there are no such.
    pub(super) fn load(tuned: Option<&Tuned>, shelf: Option<&Path>, texts: &[String]) -> Self {
        let Some((tuned, path)) = tuned.zip(shelf) else { return Self::default() };
        let known = vectors::load(path, &Owner::named(SHELF, &tuned.sha256, tuned.labels.len()));
        let held: Vec<Option<Vec<f32>>> =
            texts.iter().map(|text| known.get(&digest(text)).map(vectors::Steps::vector)).collect();
        if held.iter().all(Option::is_none) {
            tracing::warn!(shelf = %path.display(), "the tuned layers have no say: what they think of examples they had not seen is not there");
            return Self::default();
        }
        let place = |name: &CommandName| tuned.labels.iter().position(|label| label == name.as_str());
        Opinions { sha256: tuned.sha256.clone(), places: CommandName::ALL.iter().map(place).collect(), held }
    }

    pub(super) fn any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Of the layers that have a say; empty when none have.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The opinion of an example the layers had not seen.
    pub(super) fn held(&self, at: usize) -> Option<&[f32]> {
        self.held.get(at)?.as_deref()
    }

    /// Adds an opinion to scores in the order of [`CommandName::ALL`].
    pub(super) fn weigh(&self, scores: &mut [f32], opinion: &[f32]) {
        let least = opinion.iter().copied().fold(0.0, f32::min);
        for (score, place) in scores.iter_mut().zip(&self.places) {
            *score += WEIGHT * place.and_then(|at| opinion.get(at)).copied().unwrap_or(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vectors::{Known, Steps};

    #[test]
    fn an_opinion_counts_only_where_its_sureness_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("held.bin");
        let texts = ["seen".to_string(), "held".to_string()];
        let tuned = Tuned { labels: vec!["price".into(), "stock".into()], sha256: "01".into() };
        let all = || Opinions::load(Some(&tuned), Some(&path), &texts);
        assert!(!all().any());
        let known: Known = [(digest("held"), Steps::of(&[-0.1, -2.4]))].into_iter().collect();
        vectors::store(&path, &Owner::named(SHELF, "02", 2), &known).unwrap();
        assert!(!all().any(), "of other layers");
        vectors::store(&path, &Owner::named(SHELF, "01", 2), &known).unwrap();
        let opinions = all();
        assert_eq!((opinions.held(0), opinions.held(1).map(<[f32]>::len)), (None, Some(2)));
        let mut scores = vec![0.0; CommandName::ALL.len()];
        opinions.weigh(&mut scores, &[-0.1, -2.4]);
        let of = |name: CommandName| scores[CommandName::ALL.iter().position(|other| *other == name).unwrap()];
        assert!(of(CommandName::Price) > of(CommandName::Stock));
        assert_eq!(
            of(CommandName::Stock),
            of(CommandName::Human),
            "a command the layers do not know is the least likely"
        );
        let mut scores = vec![1.0; CommandName::ALL.len()];
        Opinions::default().weigh(&mut scores, &[-0.1, -2.4]);
        assert!(scores.iter().all(|score| *score == 1.0));
    }
}
