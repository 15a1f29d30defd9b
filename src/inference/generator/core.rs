//! Everything of one loaded model: its words, its template, its grammars and its decoder.
//! In: a checked file. Out: a `Core` that jobs are run on, one alone or many in a `Batch`.

use std::sync::Arc;

use anyhow::Context;
use candle_core::Device;

use super::super::weights::Weights;
use super::batch::Batch;
use super::chat::Chat;
use super::constraint::Grammars;
use super::decoder::{Decoder, Room};
use super::drafts::Tally;
use super::session::Prepared;
use super::shape::check_architecture;
use super::vocabulary::{Listed, Vocabulary};
use super::{DeviceChoice, GeneratorSettings};
use crate::engine::{GenerateError, Generated, Job};
use crate::pull::VerifiedModel;

/// A loaded model.
pub struct Core {
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) chat: Chat,
    pub(in crate::inference) decoder: Decoder,
    pub(super) grammars: Grammars,
    /// Whether drafts are made.
    pub(in crate::inference) drafts: bool,
    /// How good drafts were in all answers.
    pub(in crate::inference) tally: Tally,
    /// The most tokens of prompt and answer together.
    pub(super) limit: usize,
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
        let mut weights = Weights::open(&model.path)?;
        let template = weights.text("tokenizer.chat_template");
        let template = template.context("it has no chat template; an instruction-tuned model is needed")?.to_owned();
        let architecture = weights.text("general.architecture")?.to_owned();
        if let Some(entry) = model.entry.as_ref().filter(|e| e.architecture != architecture) {
            anyhow::bail!("its architecture is `{architecture}`, the manifest says `{}`", entry.architecture);
        }
        check_architecture(&architecture)?;
        let listed = Listed::take(&mut weights)?;
        // The words and the matrices are independent, and each takes a while.
        let (words, decoder) = std::thread::scope(|scope| {
            let words = scope.spawn(|| words(listed, template));
            let decoder = match settings.stock {
                true => Decoder::load_stock(weights, &device),
                false => Decoder::load(weights, &device, Room { context: settings.context, bytes: settings.memory }),
            };
            (words.join(), decoder)
        });
        let words = words.unwrap_or_else(|_| Err(anyhow::anyhow!("its words do not fit together")));
        let ((vocabulary, chat, grammars), decoder) = (words?, decoder?);
        let limit = settings.context.min(decoder.context());
        let (drafts, tally) = (settings.drafts, Tally::default());
        Ok(Core { vocabulary, chat, decoder, grammars, drafts, tally, limit })
    }

    /// Takes note of how good the drafts of an answer were.
    pub fn count(&mut self, Tally { drafted, right }: Tally) {
        metrics::counter!("truetill_model_drafted_total").increment(drafted as u64);
        metrics::counter!("truetill_model_drafts_right_total").increment(right as u64);
        self.tally = Tally { drafted: self.tally.drafted + drafted, right: self.tally.right + right };
    }

    /// Reads a few tokens, so that what the kernels prepare at first use is ready.
    pub fn warm_up(&mut self) -> anyhow::Result<()> {
        let tokens = [self.vocabulary.end(); 4];
        let mut sequence = self.decoder.open(&tokens, 0).context("no room for a sequence")?;
        self.decoder.read(&mut sequence, &tokens)?;
        self.decoder.close(sequence);
        Ok(())
    }

    /// Runs one job alone; `go_on` is asked before each step, and false ends it.
    pub fn generate(&mut self, job: &Job, go_on: &dyn Fn() -> bool) -> Result<Generated, GenerateError> {
        let mut batch = Batch::default();
        batch.add(0, Prepared::new(job, self)?);
        loop {
            if !go_on() {
                batch.cancel(0, self);
                return Err(GenerateError::Failed("cancelled".into()));
            }
            if let Some((_, done)) = batch.step(self).pop() {
                return done;
            }
            if batch.running() == 0 {
                return Err(GenerateError::Failed("there is no room for it".into()));
            }
        }
    }

    /// Runs jobs at once; their answers in the order of the jobs.
    pub fn generate_all(&mut self, jobs: &[Job]) -> Vec<Result<Generated, GenerateError>> {
        let mut batch = Batch::default();
        let lost = || Err(GenerateError::Failed("there is no room for it".into()));
        let mut answers: Vec<_> = jobs.iter().map(|_| lost()).collect();
        for (n, job) in jobs.iter().enumerate() {
            match Prepared::new(job, self) {
                Ok(prepared) => batch.add(n as u64, prepared),
                Err(error) => answers[n] = Err(error),
            }
        }
        while !batch.is_empty() {
            let done = batch.step(self);
            if done.is_empty() && batch.running() == 0 {
                break;
            }
            done.into_iter().for_each(|(n, answer)| answers[n as usize] = answer);
        }
        answers
    }
}

/// What a model needs to understand and to say words.
fn words(listed: Listed, template: String) -> anyhow::Result<(Arc<Vocabulary>, Chat, Grammars)> {
    let vocabulary = Arc::new(Vocabulary::new(listed)?);
    let chat = Chat::new(template, &vocabulary)?;
    let grammars = Grammars::new(vocabulary.clone())?;
    Ok((vocabulary, chat, grammars))
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
