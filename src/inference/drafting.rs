//! `bench drafts`: what drafts of the prompt's own words are worth. In: a checked model and jobs. Out: how many drafted tokens were right,
//! and the time of writing with drafts and without, job by job in turns. The answers must be the same to the letter.

use anyhow::ensure;
use serde::Serialize;

use super::generator::{Core, GeneratorSettings, Tally};
use crate::engine::Job;
use crate::pull::VerifiedModel;

/// What came of some jobs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Drafting {
    /// Which jobs.
    pub jobs: String,
    /// How many.
    pub count: usize,
    /// Tokens written.
    pub tokens: usize,
    /// Tokens drafted.
    pub drafted: usize,
    /// The share of these that was right.
    pub right: f64,
    /// Written tokens that were drafts.
    pub of_written: f64,
    /// Times as fast as without, from the first token to the last.
    pub speed: f64,
}

/// A loaded model.
pub struct Drafter(Core);

impl Drafter {
    /// Loads a model.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub fn load(model: &VerifiedModel, settings: &GeneratorSettings) -> anyhow::Result<Drafter> {
        let mut core = Core::load(model, settings)?;
        core.warm_up()?;
        Ok(Drafter(core))
    }

    /// Runs each job both ways, one way first and then the other.
    ///
    /// # Errors
    /// A job fails, or its answers differ.
    pub fn measure(&mut self, name: &str, jobs: &[Job]) -> anyhow::Result<Drafting> {
        let core = &mut self.0;
        core.tally = Tally::default();
        let (mut tokens, mut seconds) = (0, [0.0; 2]);
        for (at, job) in jobs.iter().enumerate() {
            let mut texts: [String; 2] = Default::default();
            for way in [at % 2, 1 - at % 2] {
                core.drafts = way == 1;
                let done = core.generate(job, &|| true)?;
                seconds[way] += (done.total_ms - done.first_token_ms) / 1e3;
                tokens += if way == 1 { done.generated_tokens } else { 0 };
                texts[way] = done.text;
            }
            ensure!(texts[0] == texts[1], "with drafts `{}`, without `{}`", texts[1], texts[0]);
        }
        let Tally { drafted, right } = core.tally;
        Ok(Drafting {
            jobs: name.to_string(),
            count: jobs.len(),
            tokens,
            drafted,
            right: right as f64 / drafted.max(1) as f64,
            of_written: right as f64 / tokens.max(1) as f64,
            speed: seconds[0] / seconds[1],
        })
    }
}
