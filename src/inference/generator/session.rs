//! One job on its way from prompt to text: which tokens it has to read next, and what it makes of their scores.
//! In: a job, and scores as they come. Out: tokens to read, at last an answer. It knows nothing of other jobs.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::ensure;
use candle_core::{Device, Tensor};
use candle_transformers::generation::LogitsProcessor;

use super::constraint::{Allowed, Constraint};
use super::core::Core;
use super::decoder::{Decoder, Run, Wanted};
use super::drafts::Drafts;
use super::memory::Sequence;
use super::vocabulary::Vocabulary;
use crate::engine::{GenerateError, Generated, Job};

/// With so few allowed tokens only their scores are computed: the whole table is a sixth of a step.
const FEW: usize = 64;

/// A job with its prompt in tokens.
pub struct Prepared {
    /// The whole prompt.
    pub prompt: Vec<u32>,
    /// How many tokens stand before the first turn.
    pub fixed: usize,
    max_tokens: usize,
    temperature: f64,
    seed: u64,
    constraint: Option<Constraint>,
}

/// A job that is being worked on.
pub struct Session {
    /// What it has read.
    pub sequence: Sequence,
    /// What it has to read before it can go on; at its end a draft.
    pub unread: Vec<u32>,
    /// How it guesses what comes next.
    pub drafts: Drafts,
    /// How many of the unread tokens are a guess.
    drafted: usize,
    /// Guesses that have been read and are neither right nor wrong yet.
    ahead: VecDeque<u32>,
    /// Guesses of the last step that were right.
    right: usize,
    /// As in `Prepared`.
    pub fixed: usize,
    /// Whether its opening has been handed to those that begin alike.
    pub shown: bool,
    few: Option<Vec<u32>>,
    /// What may come next, where it is more than a few.
    allowed: Option<Allowed>,
    constraint: Option<Constraint>,
    sampler: LogitsProcessor,
    max_tokens: usize,
    tokens: Vec<u32>,
    prompt_tokens: usize,
    started: Instant,
    first_token_ms: f64,
}

impl Prepared {
    /// Writes a job in tokens and compiles its grammar.
    pub fn new(job: &Job, core: &Core) -> Result<Prepared, GenerateError> {
        let (prompt, fixed) = core.chat.prompt(job, &core.vocabulary).map_err(failed)?;
        if prompt.len() + job.max_tokens > core.limit {
            return Err(GenerateError::TooLong { tokens: prompt.len(), limit: core.limit });
        }
        let constraint = job.grammar.as_deref().map(|g| core.grammars.start(g));
        let constraint = constraint.transpose().map_err(GenerateError::Grammar)?;
        let Job { max_tokens, temperature, seed, .. } = *job;
        Ok(Prepared { prompt, fixed, max_tokens, temperature, seed, constraint })
    }

    /// Gives it room; none, and the job back, when there is none now.
    pub fn open(self, decoder: &mut Decoder) -> Result<Session, Box<Prepared>> {
        let Some(sequence) = decoder.open(&self.prompt, self.max_tokens) else { return Err(Box::new(self)) };
        let unread = self.prompt[sequence.tokens.len()..].to_vec();
        let shown = sequence.tokens.len() >= self.fixed;
        Ok(Session {
            sequence,
            unread,
            drafts: Drafts::default(),
            drafted: 0,
            ahead: VecDeque::new(),
            right: 0,
            fixed: self.fixed,
            shown,
            few: None,
            allowed: None,
            constraint: self.constraint,
            sampler: LogitsProcessor::new(self.seed, (self.temperature > 0.0).then_some(self.temperature), None),
            max_tokens: self.max_tokens,
            tokens: Vec::new(),
            prompt_tokens: self.prompt.len(),
            started: Instant::now(),
            first_token_ms: 0.0,
        })
    }
}

impl Session {
    /// Takes in what the grammar forces at the start. Says whether the model ended by itself, if it is over.
    pub fn begin(&mut self, vocabulary: &Vocabulary) -> Result<Option<bool>, GenerateError> {
        self.advance(vocabulary)
    }

    /// Whether its prompt begins so.
    pub fn opens_with(&self, opening: &[u32]) -> bool {
        let read = &self.sequence.tokens[..];
        let (first, rest) = opening.split_at(opening.len().min(read.len()));
        read.starts_with(first) && self.unread.starts_with(rest)
    }

    /// Guesses how it goes on, so that no more than so many tokens are unread.
    pub fn draft(&mut self, most: usize) {
        let room = (self.max_tokens - self.tokens.len()).min(most.saturating_sub(self.unread.len()));
        if self.tokens.is_empty() || self.drafted > 0 {
            return;
        }
        let mut draft = self.drafts.propose((&self.sequence.tokens, &self.unread), room);
        if let Some(constraint) = &mut self.constraint {
            draft.truncate(constraint.valid(&draft));
        }
        self.drafted = draft.len();
        self.unread.extend(draft);
    }

    /// The next part of what it has to read, at most so many tokens.
    pub fn run(&mut self, tokens: usize) -> Run<'_> {
        let wanted = match (&self.few, tokens < self.unread.len()) {
            (_, true) => Wanted::Nothing,
            _ if self.drafted > 0 => Wanted::Last(self.drafted + 1),
            (Some(few), _) => Wanted::Few(few),
            (None, _) => Wanted::All,
        };
        Run { sequence: &mut self.sequence, tokens: &self.unread[..tokens.min(self.unread.len())], wanted }
    }

    /// Takes note of tokens read and of the scores after them, when those were asked for. Says whether the model ended
    /// by itself, if it is over.
    pub fn went(
        &mut self,
        tokens: usize,
        mut rows: Vec<Vec<f32>>,
        vocabulary: &Vocabulary,
    ) -> Result<Option<bool>, GenerateError> {
        let drafted = std::mem::take(&mut self.drafted);
        self.ahead.extend(&self.unread[tokens - drafted..tokens]);
        self.unread.drain(..tokens);
        if rows.is_empty() {
            return Ok(None);
        }
        // By the scores after the newest word; then after each word of the draft, as long as it is what was chosen.
        let over = loop {
            let at = drafted - self.ahead.len();
            let scores = rows.get_mut(at).map(std::mem::take).unwrap_or_default();
            let over = self.choose(scores, drafted > 0, vocabulary)?;
            if over.is_some() || !self.unread.is_empty() {
                break over;
            }
        };
        if drafted > 0 {
            self.drafts.learn(drafted, std::mem::take(&mut self.right));
        }
        Ok(over)
    }

    /// Chooses the next token by its scores: of all tokens, or of the few that may come. Says whether the model ended by
    /// itself, if it is over.
    fn choose(
        &mut self,
        mut scores: Vec<f32>,
        all: bool,
        vocabulary: &Vocabulary,
    ) -> Result<Option<bool>, GenerateError> {
        let few = self.few.take();
        if let Some(few) = few.as_ref().filter(|_| all) {
            scores = few.iter().map(|id| scores.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY)).collect();
        }
        if let Some(allowed) = self.allowed.take() {
            allowed.apply(&mut scores).map_err(GenerateError::Grammar)?;
        }
        let sampled = sample(&mut self.sampler, scores).map_err(failed)?;
        let token = few.map_or(sampled, |few| few[sampled as usize]);
        if vocabulary.is_control(token) {
            return Ok(Some(true));
        }
        self.add(&[token]);
        if let Some(constraint) = &mut self.constraint {
            constraint.accept(token).map_err(GenerateError::Grammar)?;
        }
        self.advance(vocabulary)
    }

    /// What follows without a choice, and which tokens may come after it.
    fn advance(&mut self, vocabulary: &Vocabulary) -> Result<Option<bool>, GenerateError> {
        if let Some(constraint) = &mut self.constraint {
            let mut forced = constraint.forced();
            forced.truncate(self.max_tokens - self.tokens.len());
            let over = constraint.is_over();
            self.add(&forced);
            if over {
                self.tokens.retain(|t| !vocabulary.is_control(*t));
                return Ok(Some(true));
            }
        }
        if self.tokens.len() >= self.max_tokens {
            return Ok(Some(false));
        }
        if let Some(constraint) = &mut self.constraint {
            let allowed = constraint.allowed().map_err(GenerateError::Grammar)?;
            self.few = allowed.few(FEW);
            self.allowed = self.few.is_none().then_some(allowed);
        }
        Ok(None)
    }

    fn add(&mut self, tokens: &[u32]) {
        if self.tokens.is_empty() && !tokens.is_empty() {
            self.first_token_ms = self.started.elapsed().as_secs_f64() * 1e3;
        }
        self.tokens.extend(tokens);
        for token in tokens {
            if self.ahead.front() == Some(token) {
                self.ahead.pop_front();
                self.right += 1;
                continue;
            }
            // The rest of the draft was read in vain.
            let kept = self.sequence.tokens.len() - self.ahead.len();
            self.sequence.tokens.truncate(kept);
            self.ahead.clear();
            self.unread.push(*token);
        }
    }

    /// How many tokens it has written.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.tokens.len()
    }

    /// What it has written.
    pub fn written(&self, vocabulary: &Vocabulary, finished: bool) -> Generated {
        Generated {
            text: vocabulary.decode(&self.tokens),
            prompt_tokens: self.prompt_tokens,
            generated_tokens: self.tokens.len(),
            finished,
            queue_ms: 0.0,
            first_token_ms: self.first_token_ms,
            total_ms: self.started.elapsed().as_secs_f64() * 1e3,
        }
    }
}

fn sample(sampler: &mut LogitsProcessor, scores: Vec<f32>) -> anyhow::Result<u32> {
    ensure!(scores.iter().all(|s| !s.is_nan()), "the model's scores are not numbers");
    let count = scores.len();
    Ok(sampler.sample(&Tensor::from_vec(scores, count, &Device::Cpu)?)?)
}

pub(super) fn failed(error: anyhow::Error) -> GenerateError {
    GenerateError::Failed(format!("{error:#}"))
}
