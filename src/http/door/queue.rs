//! Who is answered when: so many turns at once, the others in the order they came, each conversation's messages one after
//! another. Whoever has waited too long, or finds too many waiting, is refused. A client that leaves is out of the line at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{gauge, histogram};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::config;
use crate::domain::session::SessionId;
use crate::http::error::{Code, Problem};

/// A fair guess, in seconds, of when a place is free again.
const RETRY_AFTER_S: u64 = 2;
/// Messages of one conversation that may wait for the one before them.
const IN_ONE: usize = 8;

/// The line before the turns.
pub struct Queue {
    slots: Arc<Semaphore>,
    running: usize,
    room: usize,
    patience: Duration,
    waiting: Arc<AtomicUsize>,
    talks: Arc<Talks>,
}

/// The right to answer one message now.
pub struct Place {
    _slot: OwnedSemaphorePermit,
    _talk: Option<Seat>,
}

impl Queue {
    /// A line as the settings say.
    pub fn new(server: &config::Server) -> Queue {
        Queue {
            slots: Arc::new(Semaphore::new(server.concurrent_turns)),
            running: server.concurrent_turns,
            room: server.waiting_turns,
            patience: Duration::from_secs(server.wait_s),
            waiting: Arc::default(),
            talks: Arc::default(),
        }
    }

    /// Waits for the conversation's turn and then for a slot: who waits for another message of their own takes up no slot.
    ///
    /// # Errors
    /// Too many wait, or it took too long.
    pub async fn enter(&self, session: Option<SessionId>) -> Result<Place, Problem> {
        let began = Instant::now();
        let until = began + self.patience;
        let talk = match session {
            Some(id) => Some(self.speak(id, until).await?),
            None => None,
        };
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _line = self.line_up()?;
                let slot = tokio::time::timeout_at(until.into(), Arc::clone(&self.slots).acquire_owned()).await;
                slot.ok().and_then(Result::ok).ok_or_else(|| self.busy("no turn was free in time"))?
            }
        };
        histogram!("truetill_turn_wait_seconds").record(began.elapsed().as_secs_f64());
        Ok(Place { _slot: slot, _talk: talk })
    }

    async fn speak(&self, id: SessionId, until: Instant) -> Result<Seat, Problem> {
        let mut seat = Seat::take(&self.talks, id).ok_or_else(Problem::conversation_busy)?;
        if !seat.at_once() {
            let _line = self.line_up()?;
            let turn = tokio::time::timeout_at(until.into(), Arc::clone(&seat.talk).lock_owned()).await;
            seat.turn = Some(turn.map_err(|_| Problem::conversation_busy())?);
        }
        Ok(seat)
    }

    fn line_up(&self) -> Result<InLine, Problem> {
        let line = InLine(Arc::clone(&self.waiting));
        let before = line.0.fetch_add(1, Ordering::Relaxed);
        gauge!("truetill_turns_waiting").set(before as f64 + 1.0);
        if before < self.room { Ok(line) } else { Err(self.busy("as many wait as may (server.waiting_turns)")) }
    }

    fn busy(&self, why: &str) -> Problem {
        let detail = format!("{} turns run already (server.concurrent_turns), {why}.", self.running);
        Problem { retry_after_s: Some(RETRY_AFTER_S), ..Problem::new(Code::Busy, detail) }
    }
}

/// Somebody who waits, counted as long as they do.
struct InLine(Arc<AtomicUsize>);

impl Drop for InLine {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        gauge!("truetill_turns_waiting").set(before as f64 - 1.0);
    }
}

/// Conversations with a message on its way; the others are not in it.
#[derive(Default)]
struct Talks(Mutex<HashMap<SessionId, Talk>>);

struct Talk {
    turn: Arc<Turn<()>>,
    /// Messages that are answered or wait.
    here: usize,
}

/// A message's place in its conversation.
struct Seat {
    talks: Arc<Talks>,
    id: SessionId,
    talk: Arc<Turn<()>>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Talks {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<SessionId, Talk>) -> T) -> T {
        // Each change is one insert, count or remove: a panic elsewhere leaves nothing half done.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Seat {
    /// None when too many of this conversation wait already.
    fn take(talks: &Arc<Talks>, id: SessionId) -> Option<Seat> {
        let talk = talks.with(|open| {
            let talk = open.entry(id).or_insert_with(|| Talk { turn: Arc::default(), here: 0 });
            let room = talk.here <= IN_ONE;
            talk.here += usize::from(room);
            room.then(|| Arc::clone(&talk.turn))
        })?;
        Some(Seat { talks: Arc::clone(talks), id, talk, turn: None })
    }

    fn at_once(&mut self) -> bool {
        self.turn = Arc::clone(&self.talk).try_lock_owned().ok();
        self.turn.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.turn = None;
        self.talks.with(|open| {
            if let Some(talk) = open.get_mut(&self.id) {
                talk.here -= 1;
                if talk.here == 0 {
                    open.remove(&self.id);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(5);

    fn queue(running: usize, waiting: usize, patience: Duration) -> Arc<Queue> {
        let mut server = Config::defaults().server;
        (server.concurrent_turns, server.waiting_turns) = (running, waiting);
        Arc::new(Queue { patience, ..Queue::new(&server) })
    }

    fn code(entered: Result<Place, Problem>) -> Option<Code> {
        entered.err().map(|problem| problem.code)
    }

    /// Lets everybody who can go on do so.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_came_first_is_answered_first_and_a_full_line_is_refused() {
        let queue = queue(1, 2, LONG);
        let first = queue.enter(None).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting = |n: usize| {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            tokio::spawn(async move {
                let place = queue.enter(None).await?;
                order.lock().unwrap().push(n);
                drop(place);
                Ok::<_, Problem>(())
            })
        };
        let (second, third) = (waiting(2), waiting(3));
        settle().await;
        let full = queue.enter(None).await.map(|_| ()).unwrap_err();
        assert_eq!((full.code, full.retry_after_s), (Code::Busy, Some(RETRY_AFTER_S)), "the line is full");
        drop(first);
        assert!(second.await.unwrap().is_ok() && third.await.unwrap().is_ok());
        assert_eq!(*order.lock().unwrap(), [2, 3]);
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let queue = queue(1, 10, SHORT);
        let id = SessionId::fresh();
        let held = queue.enter(Some(id)).await.unwrap();
        assert_eq!(code(queue.enter(None).await), Some(Code::Busy));
        assert_eq!(code(queue.enter(Some(id)).await), Some(Code::ConversationBusy));
        drop(held);
        assert_eq!(code(queue.enter(Some(id)).await), None);
        assert!(queue.talks.0.lock().unwrap().is_empty(), "nothing is kept of conversations that are over");
    }

    #[tokio::test]
    async fn one_conversation_waits_for_itself_and_takes_up_one_slot() {
        let queue = queue(2, 100, LONG);
        let id = SessionId::fresh();
        let held = queue.enter(Some(id)).await.unwrap();
        let waiting: Vec<_> = (0..IN_ONE)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { code(queue.enter(Some(id)).await) })
            })
            .collect();
        settle().await;
        assert_eq!(code(queue.enter(Some(id)).await), Some(Code::ConversationBusy), "too many of one");
        drop(queue.enter(Some(SessionId::fresh())).await.unwrap());
        drop(held);
        for one in waiting {
            assert_eq!(one.await.unwrap(), None);
        }
        assert!(queue.talks.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_leaves_is_out_of_the_line() {
        let queue = queue(1, 1, LONG);
        let id = SessionId::fresh();
        let held = queue.enter(Some(id)).await.unwrap();
        for session in [Some(id), None] {
            let entering = tokio::time::timeout(SHORT, queue.enter(session)).await;
            assert!(entering.is_err(), "it waited until it left");
            assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
        }
        drop(held);
        assert_eq!(code(queue.enter(Some(id)).await), None);
    }
}
