//! Times the stages of a turn and tells the watcher which one runs.

use std::time::{Duration, Instant};

use super::answer::{Event, Stage, Timings, Watcher};

/// A stopwatch over stages.
pub(super) struct StageClock<'a> {
    watcher: &'a Watcher,
    begun: Instant,
    current: Option<(Stage, Instant)>,
    stages: Vec<(Stage, Duration)>,
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
        let stages = self.stages.into_iter().map(|(stage, spent)| (stage, millis(spent))).collect();
        Timings { stages, total_ms: millis(self.begun.elapsed()), generated: generations > 0 }
    }

    fn close(&mut self) {
        let Some((stage, since)) = self.current.take() else { return };
        match self.stages.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, spent)) => *spent += since.elapsed(),
            None => self.stages.push((stage, since.elapsed())),
        }
    }
}

/// To the microsecond, once all is added up: such a number is the same when it was written as text and read again.
fn millis(spent: Duration) -> f64 {
    spent.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let check = |nanos: &[u64], text: &str| {
            let spent = nanos.iter().map(|nanos| Duration::from_nanos(*nanos)).sum();
            let written = serde_json::to_string(&millis(spent)).unwrap();
            assert_eq!((written.as_str(), serde_json::from_str::<f64>(&written).unwrap()), (text, millis(spent)));
        };
        check(&[0], "0.0");
        check(&[28_000, 1_000], "0.029");
        check(&[17_400, 11_700], "0.029");
        check(&[86_399_999_999_999], "86399999.999");
    }
}
