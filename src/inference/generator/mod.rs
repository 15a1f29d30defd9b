//! Text from the language model: several jobs at a time, on a thread of its own behind a bounded queue.
//! In: a `Job`. Out: what the model wrote, under the job's grammar. A full queue refuses at once, a dropped future ends the
//! job before the next step.

mod attention;
mod batch;
#[cfg(test)]
mod batch_tests;
mod chat;
mod constraint;
mod core;
mod decoder;
#[cfg(test)]
mod decoder_tests;
mod drafts;
mod kernels;
mod layers;
#[cfg(test)]
mod made;
#[cfg(test)]
mod mask_tests;
mod matrix;
mod memory;
mod packed;
mod rotation;
mod sentencepiece;
mod session;
mod shape;
mod stock;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Instant;

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::engine::{Generate, GenerateError, Generated, Job, ModelId};
use crate::pull::VerifiedModel;

use self::batch::Batch;
pub(in crate::inference) use self::constraint::{Constraint, Grammars};
pub(in crate::inference) use self::core::Core;
pub(in crate::inference) use self::decoder::{Decoder, Room, Run, Wanted};
pub(in crate::inference) use self::drafts::Tally;
use self::session::Prepared;
pub(in crate::inference) use self::vocabulary::Vocabulary;

/// How the generator works.
#[derive(Clone, Debug)]
pub struct GeneratorSettings {
    /// Jobs that may wait; one more is refused.
    pub queue: usize,
    /// Jobs worked on at once.
    pub sessions: usize,
    /// The most bytes of keys and values.
    pub memory: usize,
    /// The most tokens of prompt and answer together; the model's own limit also holds.
    pub context: usize,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// Whether drafts are made of what stands in the prompt.
    pub drafts: bool,
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
        GeneratorSettings {
            queue: 8,
            sessions: 8,
            memory: 512 << 20,
            context: 4096,
            device: DeviceChoice::Cpu,
            drafts: false,
            stock: false,
        }
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
        let sessions = if core.decoder.batches() { settings.sessions.max(1) } else { 1 };
        let (queue, requests) = sync_channel(settings.queue.max(1));
        let load = Arc::new(Load::default());
        let shared = load.clone();
        std::thread::Builder::new()
            .name("generator".into())
            .spawn(move || Service::new(core, requests, shared, sessions).serve())
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

/// The thread's own: the model, the jobs it works on and who waits for them.
struct Service {
    core: Core,
    batch: Batch,
    requests: Receiver<Request>,
    owners: Vec<(u64, Request)>,
    load: Arc<Load>,
    sessions: usize,
    tickets: u64,
}

impl Service {
    fn new(core: Core, requests: Receiver<Request>, load: Arc<Load>, sessions: usize) -> Service {
        Service { core, batch: Batch::default(), requests, owners: Vec::new(), load, sessions, tickets: 0 }
    }

    /// Works until nobody can ask any more.
    fn serve(mut self) {
        // The kernels prepare some things at first use: before the first request, not during it.
        if let Err(error) = self.core.warm_up() {
            tracing::warn!("the model's first pass failed: {error:#}");
        }
        while self.take() {
            self.let_go();
            let step = || self.batch.step(&mut self.core);
            // A fault in a step must not end the thread that serves all others.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(step));
            match done {
                Ok(done) => done.into_iter().for_each(|(ticket, result)| self.answer(ticket, result)),
                Err(_) => self.start_over(),
            }
            self.tell();
        }
    }

    /// Takes in what has been asked while there is room, and waits when there is nothing to do. False at the end.
    fn take(&mut self) -> bool {
        while self.batch.len() < self.sessions {
            let request = match self.batch.is_empty() {
                true => self.requests.recv().map_err(|_| TryRecvError::Disconnected),
                false => self.requests.try_recv(),
            };
            match request {
                Ok(request) => self.begin(request),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return !self.batch.is_empty(),
            }
        }
        true
    }

    fn begin(&mut self, request: Request) {
        self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        if request.answer.is_closed() {
            return;
        }
        let prepare = || Prepared::new(&request.job, &self.core);
        let job = std::panic::catch_unwind(std::panic::AssertUnwindSafe(prepare));
        match job.unwrap_or_else(|_| Err(GenerateError::Failed("the job could not be prepared".into()))) {
            Ok(job) => {
                self.tickets += 1;
                self.batch.add(self.tickets, job);
                self.owners.push((self.tickets, request));
            }
            Err(error) => {
                let _ = request.answer.send(Err(error));
            }
        }
    }

    /// Ends the jobs that nobody waits for any more.
    fn let_go(&mut self) {
        for (ticket, _) in self.owners.extract_if(.., |(_, request)| request.answer.is_closed()) {
            self.batch.cancel(ticket, &mut self.core);
        }
    }

    fn answer(&mut self, ticket: u64, result: Result<Generated, GenerateError>) {
        let Some(at) = self.owners.iter().position(|(t, _)| *t == ticket) else { return };
        let Request { answer, asked, .. } = self.owners.swap_remove(at).1;
        let whole_ms = asked.elapsed().as_secs_f64() * 1e3;
        self.load.last_ms.store(whole_ms as u64, Ordering::Relaxed);
        let _ = answer.send(result.map(|done| Generated { queue_ms: (whole_ms - done.total_ms).max(0.0), ..done }));
    }

    fn start_over(&mut self) {
        self.batch = Batch::default();
        self.core.decoder.clear();
        for (_, request) in self.owners.drain(..) {
            let _ = request.answer.send(Err(GenerateError::Failed("the model failed".into())));
        }
    }

    /// What an operator sees of it.
    fn tell(&self) {
        let (held, most) = self.core.decoder.memory();
        metrics::gauge!("truetill_model_sessions").set(self.batch.running() as f64);
        metrics::gauge!("truetill_model_memory_bytes").set(held as f64);
        metrics::gauge!("truetill_model_memory_limit_bytes").set(most as f64);
    }
}
