//! The threads that share the model's arithmetic, kept between pieces of work that last some microseconds.
//! In: a closure that takes items until none is left, run by the caller and by whoever else is free. The caller never
//! waits for a thread that has not begun: beside busy neighbours it goes on alone.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::Thread;

/// Looks at the state before a thread with nothing to do goes to sleep; some tens of microseconds.
const LOOKS: u32 = 4000;
/// Looks before a caller lets others have the processor.
const PATIENCE: u32 = 400;
/// In the state: the work may be joined. Above it stands the number of the work, below it who has joined.
const OPEN: u64 = 1 << 31;
const JOINED: u64 = OPEN - 1;

/// Threads that wait for work.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Thread>,
    /// Held by the caller whose work it is, with the number of the work.
    turn: Mutex<u64>,
}

struct Shared {
    state: AtomicU64,
    job: AtomicPtr<Job<'static>>,
    failed: AtomicBool,
    asleep: Vec<AtomicBool>,
}

struct Job<'a> {
    run: &'a (dyn Fn() + Sync),
}

/// Ends the joining and waits for who has joined, also when the caller's own part panics.
struct Closing<'a>(&'a Shared);

impl Pool {
    /// A pool in which so many work beside the caller; fewer where the system gives fewer.
    pub fn new(others: usize) -> Pool {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: AtomicPtr::default(),
            failed: AtomicBool::new(false),
            asleep: (0..others).map(|_| AtomicBool::new(false)).collect(),
        });
        let start = |n: usize| {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("model-{n}"));
            thread.spawn(move || shared.serve(n)).ok().map(|handle| handle.thread().clone())
        };
        let workers = (0..others).map_while(start).collect();
        Pool { shared, workers, turn: Mutex::new(0) }
    }

    /// Runs the closure on every thread that comes in time, and returns when all of them are done.
    ///
    /// # Panics
    /// When the closure does, on any thread.
    pub fn run(&self, work: &(dyn Fn() + Sync)) {
        let mut turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            // Another caller has the threads: this one does not wait for them.
            Err(TryLockError::WouldBlock) => return work(),
        };
        *turn = turn.wrapping_add(1);
        let job = Job { run: work };
        let shared = &*self.shared;
        shared.job.store((&raw const job).cast_mut().cast(), Ordering::Relaxed);
        shared.failed.store(false, Ordering::Relaxed);
        {
            let _closing = Closing(shared);
            shared.state.store(*turn << 32 | OPEN, Ordering::SeqCst);
            for (worker, asleep) in self.workers.iter().zip(&shared.asleep) {
                if asleep.load(Ordering::SeqCst) {
                    worker.unpark();
                }
            }
            work();
        }
        assert!(!shared.failed.load(Ordering::Relaxed), "a piece of the model's work failed on another thread");
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0u32;
        while state & JOINED != 0 {
            looks += 1;
            if looks < PATIENCE {
                std::hint::spin_loop()
            } else {
                std::thread::yield_now()
            }
            state = self.0.state.load(Ordering::Acquire);
        }
    }
}

impl Shared {
    /// A worker's life: it lasts as long as the process, as the pool does.
    fn serve(&self, n: usize) {
        let mut seen = 0;
        loop {
            let state = self.next(n, seen);
            seen = state >> 32;
            if self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let job = self.job.load(Ordering::Relaxed);
                // SAFETY: the state was still open for this very work when it was raised, so its caller had stored this
                // job before and cannot leave `run`, where the job lives, until the state is lowered again below.
                let run = || unsafe { ((*job).run)() };
                if catch_unwind(AssertUnwindSafe(run)).is_err() {
                    self.failed.store(true, Ordering::Relaxed);
                }
                self.state.fetch_sub(1, Ordering::Release);
            } else {
                // Another worker has joined at the same moment, or the work is over: look again.
                seen = u64::MAX;
            }
        }
    }

    /// Waits for work that is open and not the one `seen` last.
    fn next(&self, n: usize, seen: u64) -> u64 {
        let mut looks = 0;
        loop {
            let state = self.state.load(Ordering::SeqCst);
            if state & OPEN != 0 && state >> 32 != seen {
                return state;
            }
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
                continue;
            }
            self.asleep[n].store(true, Ordering::SeqCst);
            // Work that was opened before the flag was raised has to be seen here; for later work the caller sees it.
            let state = self.state.load(Ordering::SeqCst);
            if state & OPEN == 0 || state >> 32 == seen {
                std::thread::park();
            }
            self.asleep[n].store(false, Ordering::SeqCst);
            looks = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_item_is_done_once() {
        let pool = Pool::new(3);
        for round in 0..2000usize {
            let items = round % 7;
            let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            pool.run(&|| {
                while next.fetch_add(1, Ordering::Relaxed) < items {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(done.load(Ordering::Relaxed), items);
        }
    }

    #[test]
    fn callers_do_not_wait_for_each_other() {
        let pool = Pool::new(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
                        pool.run(&|| {
                            while next.fetch_add(1, Ordering::Relaxed) < 10 {
                                done.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                        assert_eq!(done.load(Ordering::Relaxed), 10);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| pool.run(&|| panic!("meant"))));
        assert!(caught.is_err());
        let done = AtomicUsize::new(0);
        pool.run(&|| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.load(Ordering::Relaxed) >= 1);
    }
}
