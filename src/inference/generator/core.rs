//! One job from prompt to text: encode, read, then mask, sample and read again until the end.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use candle_core::{Device, Tensor};
use candle_transformers::generation::LogitsProcessor;

use super::super::weights::Weights;
use super::chat::Chat;
use super::constraint::{Constraint, Grammars};
use super::decoder::Decoder;
use super::shape::check_architecture;
use super::vocabulary::Vocabulary;
use super::{DeviceChoice, GeneratorSettings};
use crate::engine::{GenerateError, Generated, Job};
use crate::pull::VerifiedModel;

/// With so few allowed tokens only their scores are computed: the whole table is a sixth of a step.
const FEW: usize = 64;

/// Everything of one loaded model.
pub struct Core {
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) chat: Chat,
    pub(in crate::inference) decoder: Decoder,
    grammars: Grammars,
    limit: usize,
}

/// The answer so far.
struct Answer {
    tokens: Vec<u32>,
    prompt_tokens: usize,
    started: Instant,
    first_token_ms: f64,
}

impl Core {
    /// Loads a checked model file.
    pub fn load(model: &VerifiedModel, settings: &GeneratorSettings) -> anyhow::Result<Core> {
        let path = model.path.display();
        let load = || Self::load_file(model, settings);
        // candle asserts on some shapes; a bad file must be an error, not the end of the process.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(load))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("its tensors do not fit together")))
            .with_context(|| format!("the language model {path} is refused"))
    }

    fn load_file(model: &VerifiedModel, settings: &GeneratorSettings) -> anyhow::Result<Core> {
        let device = device(settings.device)?;
        let mut weights = Weights::open(model)?;
        let template = weights.text("tokenizer.chat_template");
        let template = template.context("it has no chat template; an instruction-tuned model is needed")?.to_owned();
        let architecture = weights.text("general.architecture")?.to_owned();
        if let Some(entry) = model.entry.as_ref().filter(|e| e.architecture != architecture) {
            anyhow::bail!("its architecture is `{architecture}`, the manifest says `{}`", entry.architecture);
        }
        check_architecture(&architecture)?;
        let vocabulary = Arc::new(Vocabulary::load(&mut weights)?);
        let chat = Chat::new(template, &vocabulary)?;
        let grammars = Grammars::new(vocabulary.clone())?;
        let decoder = match settings.stock {
            true => Decoder::load_stock(weights, &device)?,
            false => Decoder::load(weights, &device, settings.context)?,
        };
        let limit = settings.context.min(decoder.context());
        Ok(Core { vocabulary, chat, decoder, grammars, limit })
    }

    /// Reads a few tokens, so that what the kernels prepare at first use is ready.
    pub fn warm_up(&mut self) -> anyhow::Result<()> {
        let tokens = [self.vocabulary.end(); 4];
        self.decoder.reset();
        self.decoder.read(&tokens, None, &|| true)?;
        self.decoder.reset();
        Ok(())
    }

    /// Runs one job; `go_on` turning false ends it at the next token.
    pub fn generate(&mut self, job: &Job, go_on: &dyn Fn() -> bool) -> Result<Generated, GenerateError> {
        let started = Instant::now();
        let (mut prompt, fixed) = self.chat.prompt(job, &self.vocabulary).map_err(failed)?;
        let tokens = prompt.len();
        if tokens + job.max_tokens > self.limit {
            return Err(GenerateError::TooLong { tokens, limit: self.limit });
        }
        let constraint = job.grammar.as_deref().map(|g| self.grammars.start(g));
        let constraint = constraint.transpose().map_err(GenerateError::Grammar)?;
        let read = self.decoder.begin(&prompt);
        prompt.drain(..read);
        let mut answer = Answer { tokens: Vec::new(), prompt_tokens: tokens, started, first_token_ms: 0.0 };
        let finished = self.write(job, (prompt, constraint), (&mut answer, go_on));
        // The keys and values of one shopper's words do not stay for the next; those of the system text do.
        self.decoder.keep(fixed);
        let finished = finished?;
        Ok(answer.done(&self.vocabulary, finished))
    }

    /// Writes until the end or `max_tokens`; says whether the model ended by itself.
    fn write(
        &mut self,
        job: &Job,
        (mut unread, mut constraint): (Vec<u32>, Option<Constraint>),
        (answer, go_on): (&mut Answer, &dyn Fn() -> bool),
    ) -> Result<bool, GenerateError> {
        let temperature = (job.temperature > 0.0).then_some(job.temperature);
        let mut sampler = LogitsProcessor::new(job.seed, temperature, None);
        loop {
            if let Some(constraint) = &mut constraint {
                let mut forced = constraint.forced();
                forced.truncate(job.max_tokens - answer.tokens.len());
                answer.add(&forced);
                unread.extend(forced);
                if constraint.is_over() {
                    answer.tokens.retain(|t| !self.vocabulary.is_control(*t));
                    return Ok(true);
                }
            }
            if answer.tokens.len() >= job.max_tokens {
                return Ok(false);
            }
            let allowed = constraint.as_mut().map(|c| c.allowed()).transpose().map_err(GenerateError::Grammar)?;
            let few = allowed.as_ref().and_then(|allowed| allowed.few(FEW));
            let read = self.decoder.read(&unread, few.as_deref(), go_on).map_err(failed)?;
            let mut scores = read.ok_or_else(|| GenerateError::Failed("cancelled".into()))?;
            let token = match (&few, &allowed) {
                (Some(few), _) => few[sample(&mut sampler, scores).map_err(failed)? as usize],
                (None, Some(allowed)) => {
                    allowed.apply(&mut scores).map_err(GenerateError::Grammar)?;
                    sample(&mut sampler, scores).map_err(failed)?
                }
                (None, None) => sample(&mut sampler, scores).map_err(failed)?,
            };
            if self.vocabulary.is_control(token) {
                return Ok(true);
            }
            answer.add(&[token]);
            unread = vec![token];
            if let Some(constraint) = &mut constraint {
                constraint.accept(token).map_err(GenerateError::Grammar)?;
            }
        }
    }
}

impl Answer {
    fn add(&mut self, tokens: &[u32]) {
        if self.tokens.is_empty() && !tokens.is_empty() {
            self.first_token_ms = self.started.elapsed().as_secs_f64() * 1e3;
        }
        self.tokens.extend(tokens);
    }

    fn done(self, vocabulary: &Vocabulary, finished: bool) -> Generated {
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
    anyhow::ensure!(scores.iter().all(|s| !s.is_nan()), "the model's scores are not numbers");
    let count = scores.len();
    Ok(sampler.sample(&Tensor::from_vec(scores, count, &Device::Cpu)?)?)
}

fn failed(error: anyhow::Error) -> GenerateError {
    GenerateError::Failed(format!("{error:#}"))
}

fn device(choice: DeviceChoice) -> anyhow::Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(_) if !cfg!(feature = "cuda") => {
            anyhow::bail!("this build has no GPU support; build with `--features cuda` or choose the device cpu")
        }
        DeviceChoice::Cuda(n) => Device::new_cuda(n)
            .with_context(|| format!("GPU {n} cannot be used; check nvidia-smi or choose the device cpu")),
    }
}
