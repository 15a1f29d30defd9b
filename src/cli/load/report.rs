//! What came of it: how long each kind of request took, what failed, memory over time.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::cli::bench::percentile;

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

/// Times of one kind of request, in milliseconds, from the first byte sent to the last one read.
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
    think_ms: u64,
    seconds: f64,
    cores: usize,
    requests_per_second: f64,
    conversations: usize,
    orders_placed: usize,
    errors: usize,
    error_kinds: BTreeMap<String, usize>,
    all: Spread,
    by_request: BTreeMap<&'static str, Spread>,
    /// The server's resident memory once everybody was there, and at the end.
    memory_start_mb: f64,
    memory_end_mb: f64,
    memory_mb: Vec<f64>,
    #[serde(skip)]
    began: Instant,
}

impl Report {
    /// Before anybody asks.
    pub fn begin(sessions: usize, think_ms: u64, store: &str) -> Report {
        Report {
            store: store.to_string(),
            sessions,
            think_ms,
            seconds: 0.0,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            requests_per_second: 0.0,
            conversations: 0,
            orders_placed: 0,
            errors: 0,
            error_kinds: BTreeMap::new(),
            all: Spread::default(),
            by_request: BTreeMap::new(),
            memory_start_mb: 0.0,
            memory_end_mb: 0.0,
            memory_mb: Vec::new(),
            began: Instant::now(),
        }
    }

    /// The server's memory now.
    pub fn memory(&mut self, mb: f64) {
        self.memory_mb.push(mb);
    }

    /// After the last answer.
    pub fn end(&mut self, log: Log, memory_mb: f64) {
        self.seconds = (self.began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        self.memory_start_mb = self.memory_mb.first().copied().unwrap_or(memory_mb);
        self.memory_end_mb = memory_mb;
        let mut all: Vec<f64> = log.times.values().flatten().copied().collect();
        self.requests_per_second = (all.len() as f64 / self.seconds * 10.0).round() / 10.0;
        self.all = Spread::of(&mut all);
        self.by_request = log.times.into_iter().map(|(what, mut times)| (what, Spread::of(&mut times))).collect();
        (self.conversations, self.orders_placed) = (log.conversations, log.orders);
        self.errors = log.errors.values().sum();
        self.error_kinds = log.errors;
    }

    /// True when a request failed.
    pub fn failed(&self) -> bool {
        self.errors > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sessions, {:.0} s, {} cores, state in {}",
            self.sessions, self.seconds, self.cores, self.store
        )?;
        writeln!(
            f,
            "{} conversations, {} orders, {:.1} requests a second, {} errors, memory {} -> {} MB",
            self.conversations,
            self.orders_placed,
            self.requests_per_second,
            self.errors,
            self.memory_start_mb,
            self.memory_end_mb
        )?;
        writeln!(f, "{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  ms", "", "requests", "p50", "p95", "p99", "max")?;
        for (what, spread) in self.by_request.iter().chain([(&"all", &self.all)]) {
            let Spread { requests, p50, p95, p99, max } = spread;
            writeln!(f, "{what:<12}{requests:>9}{p50:>9.1}{p95:>9.1}{p99:>9.1}{max:>9.1}")?;
        }
        for (why, count) in &self.error_kinds {
            writeln!(f, "{count} x {why}")?;
        }
        Ok(())
    }
}
