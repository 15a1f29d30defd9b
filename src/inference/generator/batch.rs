//! Several jobs at once: each step reads the next token of every job that is writing and, beside them, a part of a
//! prompt, so that the matrices are read once for all and a long prompt holds nobody up for long.
//! In: prepared jobs under tickets. Out: the answers under the same tickets. Knows no queue, no channel and no clock
//! but its own pace.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::super::threads;
use super::core::Core;
use super::session::{Prepared, Session, failed};
use crate::engine::{GenerateError, Generated};

/// So many unread tokens are read at once, beside all others; more wait for their turn to have a part read.
const SHORT: usize = 8;
/// So many make drafts at the same time at most: for more, a step's rows are better used for their own words.
const DRAFTING: usize = 2;
/// The longest part of a prompt in a step.
const LONGEST: usize = 256;
/// Seconds that a step may take while somebody is writing; half as much again is what nobody should wait.
const STALL: f64 = 0.1;
/// Seconds that a step may take while nobody is: who comes or goes meanwhile is noticed after it.
const ALONE: f64 = 0.4;
/// Openings shorter than this are read by everybody for himself.
const OPENING: usize = 32;

/// An answer and whose it is.
pub type Done = (u64, Result<Generated, GenerateError>);

/// A job that is over, and whether the model ended by itself.
type Over = (u64, Result<bool, GenerateError>);

/// Jobs that are being worked on, and those that wait for room.
#[derive(Default)]
pub struct Batch {
    waiting: VecDeque<(u64, Prepared)>,
    running: Vec<(u64, Session)>,
    /// The ticket whose prompt was read last.
    served: u64,
    pace: Pace,
}

/// How fast rows are read, as last seen.
#[derive(Debug, Default)]
struct Pace {
    rows_a_second: Option<f64>,
}

impl Pace {
    /// How many tokens of prompts go into a step beside so many of those who write.
    fn part(&self, writing: usize) -> usize {
        let seconds = if writing > 0 { STALL } else { ALONE };
        // Before anything was seen, a little.
        let rows = self.rows_a_second.map_or(SHORT * 4, |speed| (speed * seconds) as usize);
        // The kernels take rows by eights.
        (rows / 8 * 8).clamp(writing + SHORT, writing + LONGEST) - writing
    }

    fn note(&mut self, rows: usize, seconds: f64) {
        let seen = rows as f64 / seconds.max(1e-6);
        self.rows_a_second = Some(self.rows_a_second.map_or(seen, |before| (before + seen) / 2.0));
    }
}

impl Batch {
    /// Jobs in it.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Jobs that have room.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Tokens that a job has written.
    #[cfg(test)]
    pub fn written(&self, ticket: u64) -> usize {
        self.running.iter().find(|(t, _)| *t == ticket).map_or(0, |(_, s)| s.count())
    }

    /// Tokens that a job still has to read before it can write; all of them while it waits for room.
    #[cfg(test)]
    pub fn unread(&self, ticket: u64) -> usize {
        let waiting = self.waiting.iter().find(|(t, _)| *t == ticket).map_or(0, |(_, job)| job.prompt.len());
        self.running.iter().find(|(t, _)| *t == ticket).map_or(waiting, |(_, s)| s.unread.len())
    }

    /// Adds a job; tickets grow.
    pub fn add(&mut self, ticket: u64, job: Prepared) {
        self.waiting.push_back((ticket, job));
    }

    /// Ends a job without an answer; its room is free at once.
    pub fn cancel(&mut self, ticket: u64, core: &mut Core) {
        self.waiting.retain(|(t, _)| *t != ticket);
        if let Some(at) = self.running.iter().position(|(t, _)| *t == ticket) {
            core.decoder.close(self.running.remove(at).1.sequence);
        }
    }

    /// Does one step for everybody and gives the answers that are ready.
    pub fn step(&mut self, core: &mut Core) -> Vec<Done> {
        let begun = self.open(core);
        let mut done = self.finish(core, begun);
        self.draft(core);
        let parts = self.parts(core.decoder.batches());
        let read: usize = parts.iter().sum();
        if read > 0 {
            let prompts = self.running.iter().any(|(_, s)| s.unread.len() > SHORT);
            let started = Instant::now();
            let scores = self.read(core, &parts);
            if prompts {
                self.pace.note(read, started.elapsed().as_secs_f64());
            }
            let over = self.go_on(core, &parts, scores);
            self.show(core);
            done.extend(self.finish(core, over));
        }
        done
    }

    /// Lets those who write guess how they go on, while they are so few that a step has room for more rows.
    fn draft(&mut self, core: &Core) {
        let writing = self.running.iter().all(|(_, s)| s.unread.len() <= SHORT);
        if core.drafts && writing && self.running.len() <= DRAFTING && core.decoder.batches() {
            self.running.iter_mut().for_each(|(_, session)| session.draft(SHORT));
        }
    }

    /// Gives room to those who wait, in their order.
    fn open(&mut self, core: &mut Core) -> Vec<Over> {
        let mut over = Vec::new();
        let mut later = VecDeque::new();
        while let Some((ticket, job)) = self.waiting.pop_front() {
            if self.opening_is_being_read(&job) {
                later.push_back((ticket, job));
                continue;
            }
            match job.open(&mut core.decoder) {
                Ok(mut session) => {
                    let begun = session.begin(&core.vocabulary);
                    self.running.push((ticket, session));
                    over.extend(begun.transpose().map(|how| (ticket, how)));
                }
                Err(job) => {
                    // Nobody overtakes the one who waits for room.
                    later.push_back((ticket, *job));
                    break;
                }
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        over
    }

    /// Whether somebody is reading the same opening at this moment: it need not be read twice.
    fn opening_is_being_read(&self, job: &Prepared) -> bool {
        let opening = &job.prompt[..job.fixed];
        opening.len() >= OPENING && self.running.iter().any(|(_, s)| !s.shown && s.opens_with(opening))
    }

    /// How many tokens each reads in this step.
    fn parts(&mut self, batches: bool) -> Vec<usize> {
        let unread = |(_, s): &(u64, Session)| s.unread.len();
        if !batches {
            // One at a time, with all it has.
            return self.running.iter().enumerate().map(|(n, s)| if n == 0 { unread(s) } else { 0 }).collect();
        }
        let short = |s: &(u64, Session)| if unread(s) <= SHORT { unread(s) } else { 0 };
        let mut parts: Vec<usize> = self.running.iter().map(short).collect();
        let mut left = self.pace.part(parts.iter().sum());
        let next = self.running.iter().position(|(ticket, _)| *ticket > self.served).unwrap_or(0);
        let (before, after) = (0..next, next..self.running.len());
        for at in after.chain(before).filter(|at| unread(&self.running[*at]) > SHORT) {
            if left == 0 {
                break;
            }
            parts[at] = left.min(unread(&self.running[at]));
            left -= parts[at];
            self.served = self.running[at].0;
        }
        parts
    }

    fn read(&mut self, core: &mut Core, parts: &[usize]) -> anyhow::Result<Vec<Vec<Vec<f32>>>> {
        let reading = self.running.iter_mut().zip(parts).filter(|(_, part)| **part > 0);
        let mut runs: Vec<_> = reading.map(|((_, session), part)| session.run(*part)).collect();
        core.decoder.step(&mut runs)
    }

    /// Everybody makes of his scores what he can, side by side; says who is over, and how.
    fn go_on(&mut self, core: &Core, parts: &[usize], scores: anyhow::Result<Vec<Vec<Vec<f32>>>>) -> Vec<Over> {
        let reading = self.running.iter_mut().zip(parts).filter(|(_, part)| **part > 0);
        let scores = match scores {
            Ok(scores) => scores,
            Err(error) => {
                let why = format!("{error:#}");
                return reading.map(|((t, _), _)| (*t, Err(GenerateError::Failed(why.clone())))).collect();
            }
        };
        let mut ends: Vec<(u64, Result<Option<bool>, GenerateError>)> = Vec::new();
        let places = reading.zip(scores).map(|(((ticket, session), part), scores)| (*ticket, session, *part, scores));
        let mut work: Vec<_> = places.map(|place| (place, Ok(None))).collect();
        threads::share(work.iter_mut(), |((_, session, part, scores), end)| {
            // A fault in one job must not touch the others.
            let went = AssertUnwindSafe(|| session.went(*part, std::mem::take(scores), &core.vocabulary));
            *end = catch_unwind(went).unwrap_or_else(|_| Err(failed(anyhow::anyhow!("the model failed on this job"))));
        });
        ends.extend(work.into_iter().map(|((ticket, ..), end)| (ticket, end)));
        ends.into_iter().filter_map(|(ticket, end)| Some((ticket, end.transpose()?))).collect()
    }

    /// Lets others have the openings that have just been read.
    fn show(&mut self, core: &mut Core) {
        for (_, session) in &mut self.running {
            if !session.shown && session.sequence.tokens.len() >= session.fixed {
                core.decoder.remember(&session.sequence, session.fixed);
                session.shown = true;
            }
        }
    }

    /// Ends jobs that are over; their room is free at once.
    fn finish(&mut self, core: &mut Core, over: Vec<Over>) -> Vec<Done> {
        let mut done = Vec::new();
        for (ticket, how) in over {
            let Some(at) = self.running.iter().position(|(t, _)| *t == ticket) else { continue };
            let (_, session) = self.running.remove(at);
            core.count(session.drafts.tally);
            done.push((ticket, how.map(|finished| session.written(&core.vocabulary, finished))));
            // Keys and values of a shopper's words do not stay for the next.
            core.decoder.close(session.sequence);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_the_pace() {
        let check = |speed: Option<f64>, writing: usize, expected: usize| {
            let pace = Pace { rows_a_second: speed };
            assert_eq!(pace.part(writing), expected, "{speed:?} {writing}");
        };
        check(None, 0, 32);
        check(None, 3, 29);
        check(Some(160.0), 0, 64);
        check(Some(160.0), 4, 12);
        check(Some(160.0), 8, 8);
        check(Some(20.0), 30, 8);
        check(Some(5000.0), 0, 256);
        check(Some(f64::MAX), 8, 256);
    }

    #[test]
    fn the_pace_follows_what_was_seen() {
        let mut pace = Pace::default();
        pace.note(100, 1.0);
        assert_eq!(pace.rows_a_second, Some(100.0));
        pace.note(300, 1.0);
        assert_eq!(pace.rows_a_second, Some(200.0));
    }
}
