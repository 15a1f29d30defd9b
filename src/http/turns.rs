//! Runs a turn for a channel: its place in the line or a refusal, a time limit, the counts, its answer kept under the request's key, and
//! events for whoever streams. Dropping the future or the stream cancels the turn; its slot is free at that moment, its key in the next.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_stream::Stream;

use crate::domain::Message;
use crate::domain::identity::Visitor;
use crate::http::Gate;
use crate::http::chat::types::ChatReply;
use crate::http::door::once::Reservation;
use crate::http::door::queue::Place;
use crate::http::error::{Code, Problem};
use crate::http::measure;
use crate::turn::{self, Answer, Event, Watcher};

/// What a turn may take outside its limits: reading and writing the state.
const AROUND: Duration = Duration::from_secs(30);

/// The right to run one turn.
pub struct Slot {
    gate: Arc<Gate>,
    _place: Place,
    reservation: Reservation,
}

/// A turn of this server is over by then, its wait and the write of its answer included.
pub fn longest(gate: &Gate) -> Duration {
    let server = &gate.app.config.server;
    Duration::from_secs(server.wait_s + server.turn_timeout_s) + AROUND
}

/// What a stream tells, in order; `Done` or `Failed` is the last.
#[derive(Debug)]
pub enum Told {
    /// A stage or a verified segment.
    Event(Event),
    /// The whole answer.
    Done(Box<Answer>),
    /// No answer.
    Failed(Problem),
}

impl Slot {
    /// A slot, as soon as it is this message's turn.
    ///
    /// # Errors
    /// Too many wait already, or it took too long.
    pub async fn take(gate: &Arc<Gate>, message: &Message, reservation: Reservation) -> Result<Slot, Problem> {
        match gate.queue.enter(message.session).await {
            Ok(_place) => Ok(Slot { gate: Arc::clone(gate), _place, reservation }),
            Err(problem) => {
                measure::refused(&problem);
                reservation.free().await;
                Err(problem)
            }
        }
    }

    /// Answers one message. The answer is kept before anybody has it.
    pub async fn run(self, (message, visitor): (Message, Visitor), watcher: &Watcher) -> Result<Answer, Problem> {
        let limit = Duration::from_secs(self.gate.app.config.server.turn_timeout_s);
        let turn = turn::answer_visitor(&self.gate.app, (message, &visitor), watcher);
        let outcome = match tokio::time::timeout(limit, turn).await {
            Ok(outcome) => outcome.map_err(Problem::from),
            Err(_) => Err(Problem::new(Code::TurnTimeout, format!("The turn took longer than {} s.", limit.as_secs()))),
        };
        match &outcome {
            Ok(answer) => {
                measure::answered(answer);
                self.reservation.answered(StatusCode::OK, || ChatReply::from(answer).written()).await;
            }
            Err(problem) => {
                measure::refused(problem);
                self.reservation.free().await;
            }
        }
        outcome
    }

    /// Answers one message, telling each step.
    pub fn stream(self, message: (Message, Visitor)) -> Running {
        let (sender, told) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(narrate(self, message, sender));
        Running { told, _task: task, first: None }
    }
}

/// A turn that tells its steps. Dropping it cancels the turn.
pub struct Running {
    told: UnboundedReceiver<Told>,
    _task: JoinSet<()>,
    first: Option<Told>,
}

impl Running {
    /// Waits for the first step, so that a refusal can still be an HTTP status.
    ///
    /// # Errors
    /// The refusal, when nothing was told before it.
    pub async fn begun(mut self) -> Result<Running, Problem> {
        match self.told.recv().await {
            Some(Told::Failed(problem)) => Err(problem),
            first => Ok(Running { first, ..self }),
        }
    }

    /// The steps in a channel's own words.
    pub fn tell<T: Unpin>(self, words: impl FnMut(Told) -> Vec<T> + Unpin) -> impl Stream<Item = T> {
        Retold { running: self, words, ready: VecDeque::new() }
    }
}

/// A running turn in a channel's own words: each step may become several.
struct Retold<T, F> {
    running: Running,
    words: F,
    ready: VecDeque<T>,
}

impl<T: Unpin, F: FnMut(Told) -> Vec<T> + Unpin> Stream for Retold<T, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        loop {
            if let Some(ready) = this.ready.pop_front() {
                return Poll::Ready(Some(ready));
            }
            let told = match this.running.first.take() {
                Some(first) => Some(first),
                None => ready!(this.running.told.poll_recv(context)),
            };
            let Some(told) = told else { return Poll::Ready(None) };
            this.ready = (this.words)(told).into();
        }
    }
}

async fn narrate(slot: Slot, message: (Message, Visitor), sender: UnboundedSender<Told>) {
    let mut finale = Finale { sender, told: false };
    let (watcher, mut events) = mpsc::unbounded_channel();
    let watcher = Watcher::to(watcher);
    let turn = slot.run(message, &watcher);
    tokio::pin!(turn);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => finale.tell(Told::Event(event)),
            outcome = &mut turn => break outcome,
        }
    };
    while let Ok(event) = events.try_recv() {
        finale.tell(Told::Event(event));
    }
    finale.end(outcome);
}

/// Sees to it that a stream has a last word even when the turn panics.
struct Finale {
    sender: UnboundedSender<Told>,
    told: bool,
}

impl Finale {
    fn tell(&self, told: Told) {
        // A closed receiver is a client that has gone; the task is cancelled next.
        let _ = self.sender.send(told);
    }

    fn end(&mut self, outcome: Result<Answer, Problem>) {
        self.told = true;
        self.tell(outcome.map_or_else(Told::Failed, |answer| Told::Done(Box::new(answer))));
    }
}

impl Drop for Finale {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Told::Failed(Problem::new(Code::Internal, "The message could not be answered.")));
        }
    }
}
