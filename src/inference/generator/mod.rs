//! Text from the language model: one job at a time, on a thread of its own behind a bounded queue.
//! In: a `Job`. Out: what the model wrote, under the job's grammar. A full queue refuses at once, a dropped future stops the work.

mod chat;
mod constraint;
mod core;
mod decoder;
#[cfg(test)]
mod decoder_tests;
mod kernels;
mod layers;
#[cfg(test)]
mod mask_tests;
mod matrix;
mod packed;
mod shape;
mod stock;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::engine::{Generate, GenerateError, Generated, Job, ModelId};
use crate::pull::VerifiedModel;

pub(in crate::inference) use self::constraint::{Constraint, Grammars};
pub(in crate::inference) use self::core::Core;
pub(in crate::inference) use self::vocabulary::Vocabulary;

/// How the generator works.
#[derive(Clone, Debug)]
pub struct GeneratorSettings {
    /// Jobs that may wait; one more is refused.
    pub queue: usize,
    /// The most tokens of prompt and answer together; the model's own limit also holds.
    pub context: usize,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// candle's own model of the file instead of ours, for comparison.
    pub stock: bool,
}

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// The graphics card with this number; needs a build with the feature `cuda`.
    Cuda(usize),
}

impl Default for GeneratorSettings {
    fn default() -> Self {
        GeneratorSettings { queue: 8, context: 4096, device: DeviceChoice::Cpu, stock: false }
    }
}

/// A language model behind the `Generate` seam.
pub struct Generator {
    id: ModelId,
    queue: SyncSender<Request>,
    load: Arc<Load>,
}

struct Request {
    job: Job,
    answer: oneshot::Sender<Result<Generated, GenerateError>>,
    asked: Instant,
}

/// What callers are told when there is no room.
#[derive(Default)]
struct Load {
    waiting: AtomicUsize,
    last_ms: AtomicU64,
}

impl Generator {
    /// Loads the model and starts its thread, which ends when the generator is dropped.
    pub fn load(model: &VerifiedModel, settings: GeneratorSettings) -> anyhow::Result<Generator> {
        let core = Core::load(model, &settings)?;
        let (queue, requests) = sync_channel(settings.queue.max(1));
        let load = Arc::new(Load::default());
        let shared = load.clone();
        std::thread::Builder::new()
            .name("generator".into())
            .spawn(move || serve(core, &requests, &shared))
            .context("starting the generator's thread")?;
        Ok(Generator { id: model.id.clone(), queue, load })
    }

    fn busy(&self) -> GenerateError {
        let waiting = self.load.waiting.load(Ordering::Relaxed);
        let each = self.load.last_ms.load(Ordering::Relaxed).max(1000);
        GenerateError::Busy { waiting, retry_after_s: (each * waiting as u64).div_ceil(1000).max(1) }
    }
}

#[async_trait]
impl Generate for Generator {
    async fn generate(&self, job: Job) -> Result<Generated, GenerateError> {
        let (answer, result) = oneshot::channel();
        let request = Request { job, answer, asked: Instant::now() };
        // Counted before it is sent: the other thread may take it at once.
        self.load.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.queue.try_send(request) {
            self.load.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => self.busy(),
                TrySendError::Disconnected(_) => GenerateError::Failed("the model's thread has ended".into()),
            });
        }
        let lost = |_| GenerateError::Failed("the model's thread has ended".into());
        result.await.map_err(lost)?
    }

    fn model(&self) -> ModelId {
        self.id.clone()
    }
}

fn serve(mut core: Core, requests: &Receiver<Request>, load: &Load) {
    // The kernels pack the weights at first use: before the first request, not during it.
    if let Err(error) = core.warm_up() {
        tracing::warn!("the model's first pass failed: {error:#}");
    }
    while let Ok(Request { job, answer, asked }) = requests.recv() {
        load.waiting.fetch_sub(1, Ordering::Relaxed);
        let queue_ms = asked.elapsed().as_secs_f64() * 1e3;
        if answer.is_closed() {
            continue;
        }
        let started = Instant::now();
        let result = {
            let go_on = || !answer.is_closed();
            let work = || core.generate(&job, &go_on);
            // A fault in one job must not end the thread that serves all others.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        };
        let result = result.unwrap_or_else(|_| Err(GenerateError::Failed("the model failed on this job".into())));
        load.last_ms.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
        let _ = answer.send(result.map(|done| Generated { queue_ms, ..done }));
    }
}
