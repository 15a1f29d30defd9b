//! `bench inference`: how fast a model reads and writes, beside the memory bandwidth of the same minute.
//! In: a checked model and sizes. Out: medians of several runs. The number of threads is the process's own.

use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;

use super::generator::{Core, GeneratorSettings};
use super::threads;
use crate::pull::VerifiedModel;

const BANDWIDTH_BYTES: usize = 512 << 20;

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens written after it.
    pub gen_tokens: usize,
    /// Runs, of which the median counts.
    pub runs: usize,
    /// How the model is loaded.
    pub generator: GeneratorSettings,
}

impl Default for BenchSettings {
    fn default() -> Self {
        let generator = GeneratorSettings::default();
        BenchSettings { prompt_tokens: 360, gen_tokens: 48, runs: 3, generator }
    }
}

/// The figures, in the order of the contract.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The model file.
    pub model_path: String,
    /// Kernel threads.
    pub threads: usize,
    /// Prompt tokens a second.
    pub prefill_tok_s: f64,
    /// Written tokens a second.
    pub decode_tok_s: f64,
    /// Milliseconds from the prompt to the first token.
    pub ttft_ms: f64,
    /// Resident memory after the runs.
    pub rss_mb: f64,
    /// What all threads together read from memory.
    pub read_gb_s: f64,
}

/// Loads the model and measures it.
pub fn bench(model: &VerifiedModel, settings: &BenchSettings) -> anyhow::Result<BenchReport> {
    let BenchSettings { prompt_tokens, gen_tokens, runs, .. } = *settings;
    ensure!(prompt_tokens > 0 && gen_tokens > 0 && runs > 0, "prompt, answer and runs must not be 0");
    let mut core = Core::load(model, &settings.generator)?;
    let context = core.decoder.context();
    ensure!(prompt_tokens + gen_tokens <= context, "{prompt_tokens} + {gen_tokens} tokens, the model takes {context}");
    // The first pass packs the weights for the kernels.
    run(&mut core, 32.min(prompt_tokens), 2)?;
    let mut timings = Vec::new();
    for _ in 0..runs {
        timings.push(run(&mut core, prompt_tokens, gen_tokens)?);
    }
    let prefill = median(timings.iter().map(|t| t.0));
    let decode = median(timings.iter().map(|t| t.1));
    Ok(BenchReport {
        model_path: model.path.display().to_string(),
        threads: threads::in_use(),
        prefill_tok_s: prompt_tokens as f64 / prefill,
        decode_tok_s: gen_tokens as f64 / decode,
        ttft_ms: prefill * 1e3,
        rss_mb: resident_mb(),
        read_gb_s: read_gb_s(threads::in_use()),
    })
}

/// Seconds to read the prompt and to write the answer.
fn run(core: &mut Core, prompt: usize, answer: usize) -> anyhow::Result<(f64, f64)> {
    let tokens: Vec<u32> = (0..prompt as u32).map(|i| 300 + i * 7 % 1000).collect();
    core.decoder.reset();
    let started = Instant::now();
    let mut token = likeliest(core.decoder.read(&tokens, None, &|| true)?);
    let prefill = started.elapsed().as_secs_f64();
    let started = Instant::now();
    for _ in 0..answer {
        token = likeliest(core.decoder.read(&[token], None, &|| true)?);
    }
    Ok((prefill, started.elapsed().as_secs_f64()))
}

fn likeliest(scores: Option<Vec<f32>>) -> u32 {
    let scores = scores.unwrap_or_default();
    let best = scores.iter().zip(0u32..).max_by(|a, b| a.0.total_cmp(b.0));
    best.map_or(0, |(_, id)| id)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The best of five readings of a block that no cache holds.
fn read_gb_s(threads: usize) -> f64 {
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
