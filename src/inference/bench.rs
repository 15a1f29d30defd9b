//! `bench inference`: how fast a model reads and writes, beside the memory bandwidth of the same minute, and what a
//! turn of a shop takes with and without the memory of the standing instructions.
//! In: a checked model and sizes. Out: medians of several runs. The number of threads is the process's own.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::generator::{Core, GeneratorSettings};
use super::threads;
use crate::engine::{Job, PromptTurn, Speaker};
use crate::pull::VerifiedModel;

const BANDWIDTH_BYTES: usize = 512 << 20;
/// Tokens of the standing instructions and of the new text in a shop's turn.
const TURN: (usize, usize) = (300, 150);

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens written after it.
    pub gen_tokens: usize,
    /// Runs, of which the median counts.
    pub runs: usize,
    /// Jobs at once in the measurement of several; 0 leaves it out.
    pub sessions: usize,
    /// Whether candle's own model is measured beside ours.
    pub compare: bool,
    /// How the model is loaded.
    pub generator: GeneratorSettings,
}

impl Default for BenchSettings {
    fn default() -> Self {
        let generator = GeneratorSettings::default();
        BenchSettings { prompt_tokens: 360, gen_tokens: 48, runs: 3, sessions: 0, compare: false, generator }
    }
}

/// The figures, in the order of the contract.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The model file.
    pub model_path: String,
    /// Kernel threads.
    pub threads: usize,
    /// Ours.
    #[serde(flatten)]
    pub ours: Figures,
    /// candle's own model in the same minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candle: Option<Figures>,
    /// What all threads together read from memory.
    pub read_gb_s: f64,
}

/// What one engine did.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Prompt tokens a second.
    pub prefill_tok_s: f64,
    /// Written tokens a second.
    pub decode_tok_s: f64,
    /// Milliseconds from the prompt to the first token.
    pub ttft_ms: f64,
    /// Bytes of weights read while writing, a second; to be held against `read_gb_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_gb_s: Option<f64>,
    /// Resident memory that it added.
    pub rss_mb: f64,
    /// Seconds until it was ready.
    pub load_s: f64,
    /// Milliseconds of a shop's turn with nothing remembered.
    pub turn_cold_ms: f64,
    /// The same with the standing instructions remembered, as they are in a running shop.
    pub turn_ms: f64,
    /// Tokens a second that jobs of unequal length write one after another, prompts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_by_one_tok_s: Option<f64>,
    /// The same jobs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together_tok_s: Option<f64>,
}

/// One engine under measurement.
struct Measured {
    core: Core,
    load_s: f64,
    rss_mb: f64,
    runs: Vec<[f64; 4]>,
    many: Vec<[f64; 2]>,
}

/// Loads the model and measures it.
pub fn bench(model: &VerifiedModel, settings: &BenchSettings) -> anyhow::Result<BenchReport> {
    let BenchSettings { prompt_tokens, gen_tokens, runs, compare, .. } = *settings;
    ensure!(prompt_tokens > 0 && gen_tokens > 0 && runs > 0, "prompt, answer and runs must not be 0");
    let mut engines = vec![Measured::load(model, &settings.generator, settings)?];
    if compare {
        let generator = GeneratorSettings { stock: true, ..settings.generator.clone() };
        engines.push(Measured::load(model, &generator, settings)?);
    }
    // In turns, so that whatever else the machine does falls on both.
    for n in 0..runs {
        engines.iter_mut().try_for_each(|engine| engine.run(n, settings))?;
    }
    let mut figures: Vec<Figures> = engines.into_iter().map(|engine| engine.figures(settings)).collect();
    let candle = if compare { figures.pop() } else { None };
    let ours = figures.remove(0);
    Ok(BenchReport {
        model_path: model.path.display().to_string(),
        threads: threads::in_use(),
        ours,
        candle,
        read_gb_s: read_gb_s(threads::in_use()),
    })
}

impl Measured {
    fn load(model: &VerifiedModel, generator: &GeneratorSettings, sizes: &BenchSettings) -> anyhow::Result<Measured> {
        let (started, rss_before) = (Instant::now(), resident_mb());
        let mut core = Core::load(model, generator)?;
        core.warm_up()?;
        let load_s = started.elapsed().as_secs_f64();
        let (context, wanted) = (core.decoder.context(), sizes.prompt_tokens + sizes.gen_tokens);
        ensure!(wanted <= context, "{wanted} tokens of prompt and answer, the model takes {context}");
        read_and_write(&mut core, sizes.prompt_tokens, 1)?;
        Ok(Measured { core, load_s, rss_mb: resident_mb() - rss_before, runs: Vec::new(), many: Vec::new() })
    }

    fn run(&mut self, n: usize, sizes: &BenchSettings) -> anyhow::Result<()> {
        let [prefill, decode] = read_and_write(&mut self.core, sizes.prompt_tokens, sizes.gen_tokens)?;
        self.core.decoder.forget();
        let cold = turn(&mut self.core, 2 * n)?;
        let warm = turn(&mut self.core, 2 * n + 1)?;
        self.runs.push([prefill, decode, cold, warm]);
        if sizes.sessions > 0 && self.core.decoder.batches() {
            self.many.push(sessions(&mut self.core, sizes.sessions)?);
        }
        Ok(())
    }

    fn figures(self, sizes: &BenchSettings) -> Figures {
        let [prefill, decode, cold, warm] = std::array::from_fn(|at| median(self.runs.iter().map(|run| run[at])));
        Figures {
            prefill_tok_s: sizes.prompt_tokens as f64 / prefill,
            decode_tok_s: sizes.gen_tokens as f64 / decode,
            ttft_ms: prefill * 1e3,
            decode_gb_s: self.core.decoder.bytes().map(|b| b as f64 / 1e9 * sizes.gen_tokens as f64 / decode),
            rss_mb: self.rss_mb,
            load_s: self.load_s,
            turn_cold_ms: cold * 1e3,
            turn_ms: warm * 1e3,
            one_by_one_tok_s: (!self.many.is_empty()).then(|| median(self.many.iter().map(|run| run[0]))),
            together_tok_s: (!self.many.is_empty()).then(|| median(self.many.iter().map(|run| run[1]))),
        }
    }
}

/// Seconds to read the prompt and to write the answer.
fn read_and_write(core: &mut Core, prompt: usize, answer: usize) -> anyhow::Result<[f64; 2]> {
    let tokens: Vec<u32> = (0..prompt as u32).map(|i| 300 + i * 7 % 1000).collect();
    core.decoder.forget();
    let mut sequence = core.decoder.open(&tokens, answer).context("no room for the prompt")?;
    let started = Instant::now();
    let mut token = likeliest(&core.decoder.read(&mut sequence, &tokens)?);
    let prefill = started.elapsed().as_secs_f64();
    let started = Instant::now();
    for _ in 0..answer {
        token = likeliest(&core.decoder.read(&mut sequence, &[token])?);
    }
    core.decoder.close(sequence);
    Ok([prefill, started.elapsed().as_secs_f64()])
}

/// Tokens written a second by jobs of unequal length, one after another and all at once.
fn sessions(core: &mut Core, count: usize) -> anyhow::Result<[f64; 2]> {
    let job = |n: usize| Job {
        system: "You tell long stories.".to_owned() + &" rule".repeat(100),
        turns: vec![PromptTurn { speaker: Speaker::User, text: format!("{n} ") + &"word ".repeat(10 + n * 23 % 120) }],
        grammar: Some("start: /[a-z ]{400}/".to_owned()),
        max_tokens: 24 + n * 11 % 24,
        temperature: 0.0,
        seed: 0,
    };
    let jobs: Vec<Job> = (0..count).map(job).collect();
    let rate = |core: &mut Core, groups: &[&[Job]]| {
        core.decoder.forget();
        let started = Instant::now();
        let mut written = 0;
        for group in groups {
            for done in core.generate_all(group) {
                written += done?.generated_tokens;
            }
        }
        anyhow::Ok(written as f64 / started.elapsed().as_secs_f64())
    };
    let single: Vec<&[Job]> = jobs.chunks(1).collect();
    Ok([rate(core, &single)?, rate(core, &[&jobs])?])
}

/// Seconds of a turn: standing instructions, a new text, 12 tokens of commands under a grammar.
fn turn(core: &mut Core, n: usize) -> anyhow::Result<f64> {
    let text = |start: String, words: usize| start + &" word".repeat(words);
    let text = PromptTurn { speaker: Speaker::User, text: text(format!("{n} "), TURN.1 - 10) };
    let job = Job {
        system: "Pick numbers.".to_owned() + &" rule".repeat(TURN.0 - 8),
        turns: vec![text],
        grammar: Some("start: n \" \" n \" \" n \" \" n \" \" n \" \" n\nn: /[1-6]/".to_owned()),
        max_tokens: 12,
        temperature: 0.0,
        seed: 0,
    };
    let started = Instant::now();
    core.generate(&job, &|| true)?;
    Ok(started.elapsed().as_secs_f64())
}

fn likeliest(scores: &[f32]) -> u32 {
    let best = scores.iter().zip(0u32..).max_by(|a, b| a.0.total_cmp(b.0));
    best.map_or(0, |(_, id)| id)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The best of five readings of a block that no cache holds.
pub fn read_gb_s(threads: usize) -> f64 {
    let block: Vec<u64> = (0..BANDWIDTH_BYTES as u64 / 8).collect();
    let share = block.len().div_ceil(threads.max(1));
    let once = || {
        let started = Instant::now();
        let sum = std::thread::scope(|scope| {
            let parts: Vec<_> = block.chunks(share).map(|p| scope.spawn(|| sum(p))).collect();
            parts.into_iter().filter_map(|p| p.join().ok()).fold(0, u64::wrapping_add)
        });
        std::hint::black_box(sum);
        BANDWIDTH_BYTES as f64 / started.elapsed().as_secs_f64() / 1e9
    };
    (0..5).map(|_| once()).fold(0.0, f64::max)
}

fn sum(part: &[u64]) -> u64 {
    let mut sums = [0u64; 16];
    for line in part.as_chunks::<16>().0 {
        sums.iter_mut().zip(line).for_each(|(s, x)| *s = s.wrapping_add(*x));
    }
    sums.iter().copied().fold(0, u64::wrapping_add)
}

/// Resident memory of this process; 0 where the system does not say.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).map_or(0.0, |kb| kb / 1024.0)
}
