//! What came of it: how long each kind of request took, what failed, memory over time.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::cli::bench::percentile;

use super::flows::Pace;
use super::gauge::{Sample, Use};

/// What shoppers saw.
#[derive(Default)]
pub(super) struct Log {
    times: BTreeMap<&'static str, Vec<f64>>,
    errors: BTreeMap<String, usize>,
    conversations: usize,
    orders: usize,
}

impl Log {
    /// A request was answered as it should be.
    pub fn answered(&mut self, what: &'static str, ms: f64) {
        self.times.entry(what).or_default().push(ms);
    }

    /// A request was not.
    pub fn failed(&mut self, what: &'static str, why: &str) {
        *self.errors.entry(format!("{what}: {why}")).or_default() += 1;
    }

    /// A conversation is over; `whole`: before the end of the measurement.
    pub fn ended(&mut self, whole: bool) {
        self.conversations += usize::from(whole);
    }

    /// An order was placed.
    pub fn placed(&mut self) {
        self.orders += 1;
    }

    /// Adds another shopper's.
    pub fn take(&mut self, other: Log) {
        for (what, times) in other.times {
            self.times.entry(what).or_default().extend(times);
        }
        for (why, count) in other.errors {
            *self.errors.entry(why).or_default() += count;
        }
        self.conversations += other.conversations;
        self.orders += other.orders;
    }
}

/// Times of one kind of request, in milliseconds, from when it was due (a rush: sent) to the last byte read.
#[derive(Clone, Debug, Default, Serialize)]
struct Spread {
    requests: usize,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Spread {
    fn of(times: &mut [f64]) -> Spread {
        let mut at = |share| (percentile(times, share) * 100.0).round() / 100.0;
        let (p50, p95, p99, max) = (at(0.5), at(0.95), at(0.99), at(1.0));
        Spread { requests: times.len(), p50, p95, p99, max }
    }
}

/// The whole measurement.
#[derive(Serialize)]
pub(super) struct Report {
    store: String,
    sessions: usize,
    /// `people`, with how often each sends a request, or `rush`.
    pace: &'static str,
    every_ms: Option<u128>,
    seconds: f64,
    cores: usize,
    requests_per_second: f64,
    conversations: usize,
    orders_placed: usize,
    errors: usize,
    error_kinds: BTreeMap<String, usize>,
    all: Spread,
    by_request: BTreeMap<&'static str, Spread>,
    #[serde(rename = "use")]
    used: Use,
    /// The server's resident memory before anybody came, and at the end.
    memory_start_mb: f64,
    memory_end_mb: f64,
    memory: Vec<Sample>,
}

impl Report {
    /// Before anybody asks.
    pub fn begin(sessions: usize, pace: Pace, store: &str) -> Report {
        let (pace, every_ms) = match pace {
            Pace::People(every) => ("people", Some(every.as_millis())),
            Pace::Rush => ("rush", None),
        };
        Report {
            store: store.to_string(),
            sessions,
            pace,
            every_ms,
            seconds: 0.0,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            requests_per_second: 0.0,
            conversations: 0,
            orders_placed: 0,
            errors: 0,
            error_kinds: BTreeMap::new(),
            all: Spread::default(),
            by_request: BTreeMap::new(),
            used: Use::default(),
            memory_start_mb: 0.0,
            memory_end_mb: 0.0,
            memory: Vec::new(),
        }
    }

    /// The server's memory now.
    pub fn memory(&mut self, sample: Sample) {
        self.memory.push(sample);
    }

    /// After the last answer.
    pub fn end(&mut self, log: Log, seconds: f64) {
        self.seconds = (seconds * 10.0).round() / 10.0;
        self.memory_start_mb = self.memory.first().map_or(0.0, |sample| sample.mb);
        self.memory_end_mb = self.memory.last().map_or(0.0, |sample| sample.mb);
        let mut all: Vec<f64> = log.times.values().flatten().copied().collect();
        self.requests_per_second = (all.len() as f64 / self.seconds * 10.0).round() / 10.0;
        self.all = Spread::of(&mut all);
        self.by_request = log.times.into_iter().map(|(what, mut times)| (what, Spread::of(&mut times))).collect();
        (self.conversations, self.orders_placed) = (log.conversations, log.orders);
        self.errors = log.errors.values().sum();
        self.error_kinds = log.errors;
    }

    /// What was used meanwhile, by the number of requests and cores.
    pub fn used(&mut self, told: impl FnOnce(usize, usize) -> Use) {
        self.used = told(self.all.requests + self.errors, self.cores);
    }

    /// True when a request failed.
    pub fn failed(&self) -> bool {
        self.errors > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = match self.every_ms {
            Some(every) => format!("people, a request every {every} ms each"),
            None => "a rush, each request right after the answer".to_string(),
        };
        writeln!(f, "{} sessions ({pace}), {:.0} s, {} cores", self.sessions, self.seconds, self.cores)?;
        writeln!(f, "state in {}", self.store)?;
        writeln!(
            f,
            "{} conversations, {} orders, {:.1} requests a second, {} errors",
            self.conversations, self.orders_placed, self.requests_per_second, self.errors
        )?;
        for (why, count) in &self.error_kinds {
            writeln!(f, "  {count} x {why}")?;
        }
        writeln!(f, "{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  ms", "", "requests", "p50", "p95", "p99", "max")?;
        for (what, spread) in self.by_request.iter().chain([(&"all", &self.all)]) {
            let Spread { requests, p50, p95, p99, max } = spread;
            writeln!(f, "{what:<12}{requests:>9}{p50:>9.1}{p95:>9.1}{p99:>9.1}{max:>9.1}")?;
        }
        self.write_use(f)
    }
}

impl Report {
    fn write_use(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = &self.used;
        let percent = |share: f64| share * 100.0;
        writeln!(
            f,
            "processor: server {:.0} % of all cores, {:.1} ms a request; this load maker, on the same cores, {:.0} %",
            percent(used.server_share),
            used.server_ms_a_request,
            percent(used.load_maker_share)
        )?;
        writeln!(
            f,
            "database: {:.1} visits and {:.2} transactions a request; {:.2} ms until one may write, {:.2} ms a commit",
            used.database_visits_a_request, used.transactions_a_request, used.writer_wait_ms, used.commit_ms
        )?;
        let stages: Vec<String> = used.stage_ms.iter().map(|(stage, ms)| format!("{stage} {ms:.1}")).collect();
        writeln!(f, "a turn, mean ms: {}; waited for its turn {:.2}", stages.join(", "), used.turn_wait_ms)?;
        let mut minute = 1.0;
        let mut told = vec![format!("start {}", self.memory_start_mb)];
        for sample in &self.memory {
            if sample.second >= minute * 60.0 {
                told.push(format!("{minute:.0} min {}", sample.mb));
                minute = (sample.second / 60.0).floor() + 1.0;
            }
        }
        writeln!(f, "memory, MB: {}, end {}", told.join(", "), self.memory_end_mb)
    }
}
