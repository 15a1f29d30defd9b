//! Times the stages of a turn and tells the watcher which one runs.

use std::time::Instant;

use super::answer::{Event, Stage, Timings, Watcher};

/// A stopwatch over stages.
pub(super) struct StageClock<'a> {
    watcher: &'a Watcher,
    begun: Instant,
    current: Option<(Stage, Instant)>,
    stages: Vec<(Stage, f64)>,
}

impl<'a> StageClock<'a> {
    pub(super) fn start(watcher: &'a Watcher) -> Self {
        StageClock { watcher, begun: Instant::now(), current: None, stages: Vec::new() }
    }

    /// Ends the running stage and begins another; entering a stage again adds to it.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.close();
        self.current = Some((stage, Instant::now()));
        self.watcher.tell(Event::Status(stage));
    }

    pub(super) fn stop(mut self, generations: usize) -> Timings {
        self.close();
        Timings { stages: self.stages, total_ms: millis(self.begun), generated: generations > 0 }
    }

    fn close(&mut self) {
        let Some((stage, since)) = self.current.take() else { return };
        match self.stages.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, spent)) => *spent += millis(since),
            None => self.stages.push((stage, millis(since))),
        }
    }
}

fn millis(since: Instant) -> f64 {
    // To the microsecond: written as text and read again it is the same number.
    (since.elapsed().as_secs_f64() * 1e6).round() / 1000.0
}
