//! `bench masks`: what a grammar costs, without a model's weights: its tokenizer is enough.
//! In: a model file and a grammar. Out: times of building it and of each mask on random walks through it, and what the
//! walks wrote. A walk takes any token that the mask allows, so nothing but the mask keeps its text in order.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::generator::{Constraint, Grammars, Vocabulary};
use super::weights::Weights;
use crate::pull::VerifiedModel;

/// Scores a model gives beyond its tokenizer's vocabulary: files pad it.
const PADDING: usize = 271;
/// A token that opens a slot is one of a hundred thousand: every fourth step takes one where it may stand.
const SLOT_EVERY: u64 = 4;

/// A tokenizer with its grammar engine.
pub struct Masks {
    grammars: Grammars,
    vocabulary: Arc<Vocabulary>,
}

/// What random walks through a grammar came to.
#[derive(Clone, Debug, Default)]
pub struct Walks {
    /// What was written; the last one may have been stopped.
    pub texts: Vec<String>,
    /// Milliseconds of building the grammar, once a walk.
    pub build_ms: Vec<f64>,
    /// Milliseconds of each mask, applied to as many scores as a model gives.
    pub mask_ms: Vec<f64>,
}

impl Masks {
    /// Reads the tokenizer of a model file.
    pub fn open(model: &VerifiedModel) -> anyhow::Result<Masks> {
        let vocabulary = Arc::new(Vocabulary::load(&mut Weights::open(&model.path)?)?);
        Ok(Masks { grammars: Grammars::new(vocabulary.clone())?, vocabulary })
    }

    /// Takes `steps` random steps, beginning anew whenever a text has ended.
    pub fn walk(&self, grammar: &str, steps: usize, seed: u64) -> anyhow::Result<Walks> {
        let mut walks = Walks::default();
        let mut dice = Dice(seed);
        while walks.mask_ms.len() < steps {
            let started = Instant::now();
            let constraint = self.grammars.start(grammar).map_err(anyhow::Error::msg)?;
            walks.build_ms.push(started.elapsed().as_secs_f64() * 1e3);
            let text = self.once(constraint, steps, (&mut walks, &mut dice))?;
            walks.texts.push(text);
        }
        Ok(walks)
    }

    fn once(
        &self,
        mut constraint: Constraint,
        steps: usize,
        (walks, dice): (&mut Walks, &mut Dice),
    ) -> anyhow::Result<String> {
        let mut tokens = Vec::new();
        loop {
            tokens.extend(constraint.forced());
            if constraint.is_over() || walks.mask_ms.len() >= steps {
                break;
            }
            let token = self.step(&mut constraint, (&mut *walks, &mut *dice))?;
            if self.vocabulary.is_control(token) {
                break;
            }
            tokens.push(token);
            constraint.accept(token).map_err(anyhow::Error::msg)?;
        }
        Ok(self.vocabulary.decode(&tokens))
    }

    fn step(&self, constraint: &mut Constraint, (walks, dice): (&mut Walks, &mut Dice)) -> anyhow::Result<u32> {
        let words = self.vocabulary.bytes();
        let mut scores = vec![0.0_f32; words.len() + PADDING];
        let started = Instant::now();
        let allowed = constraint.allowed().map_err(anyhow::Error::msg)?;
        allowed.apply(&mut scores).map_err(anyhow::Error::msg)?;
        walks.mask_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let ids: Vec<u32> = scores.iter().zip(0..).filter(|(score, _)| score.is_finite()).map(|(_, id)| id).collect();
        let last = ids.last().context("no token is allowed")?;
        ensure!((*last as usize) < words.len(), "the mask lets the padding through");
        let slots: Vec<u32> = ids.iter().copied().filter(|id| words[*id as usize].contains(&b'{')).collect();
        let from = if !slots.is_empty() && dice.roll() % SLOT_EVERY == 0 { slots } else { ids };
        Ok(from[(dice.roll() % from.len() as u64) as usize])
    }
}

/// A small generator with a fixed seed, so that a walk can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}
