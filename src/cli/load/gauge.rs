//! What the server and this load maker use while it runs: memory and processor time as Linux tells them, and the server's own
//! counts. Both sit on the same cores, so the load maker's share is told too.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;
use serde::Serialize;

use super::server::Server;

/// `utime` and `stime` of `/proc` are counted in hundredths of a second on every Linux.
const TICKS: f64 = 100.0;

/// The memory of the server at a moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sample {
    /// Seconds since everybody could come.
    pub second: f64,
    /// Resident megabytes.
    pub mb: f64,
}

/// Totals at a moment; two of them tell what happened between.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    server_s: f64,
    own_s: f64,
    counts: BTreeMap<String, f64>,
}

/// What happened between two moments, per request or as a share of all cores.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Use {
    /// Share of all cores that the server used.
    pub server_share: f64,
    /// Share of all cores that this load maker used beside it.
    pub load_maker_share: f64,
    /// Milliseconds of processor time of the server for a request.
    pub server_ms_a_request: f64,
    /// Times a request went to the state's database: a statement by itself, or a transaction.
    pub database_visits_a_request: f64,
    /// Transactions of several statements that were committed for a request.
    pub transactions_a_request: f64,
    /// Mean milliseconds until a transaction that writes could begin: the wait for others who write.
    pub writer_wait_ms: f64,
    /// Mean milliseconds of a commit.
    pub commit_ms: f64,
    /// Mean milliseconds that a message waited for its turn.
    pub turn_wait_ms: f64,
    /// Mean milliseconds of each stage of a turn.
    pub stage_ms: BTreeMap<String, f64>,
}

impl Totals {
    /// Now.
    pub async fn read(server: &Server) -> anyhow::Result<Totals> {
        let counts = counts(&server.metrics().await?);
        Ok(Totals { server_s: processor_s(&server.process())?, own_s: processor_s("self")?, counts })
    }

    /// What happened since `before`.
    pub fn since(&self, before: &Totals, (seconds, cores, requests): (f64, usize, usize)) -> Use {
        let (all, requests) = (seconds * cores as f64, requests.max(1) as f64);
        let server_s = self.server_s - before.server_s;
        let more = |name: &str| self.sum(name) - before.sum(name);
        let mean_ms = |name: &str| {
            let count = more(&format!("{name}_count"));
            rounded(if count > 0.0 { more(&format!("{name}_sum")) * 1000.0 / count } else { 0.0 })
        };
        let stages = ["screening", "understanding", "searching", "drafting", "checking"];
        let stage = |stage: &str| {
            let of = |what: &str| format!("truetill_stage_seconds_{what}{{stage=\"{stage}\"}}");
            let (sum, count) = (more(&of("sum")), more(&of("count")));
            (stage.to_string(), rounded(if count > 0.0 { sum * 1000.0 / count } else { 0.0 }))
        };
        Use {
            server_share: rounded(server_s / all),
            load_maker_share: rounded((self.own_s - before.own_s) / all),
            server_ms_a_request: rounded(server_s * 1000.0 / requests),
            database_visits_a_request: rounded(more("truetill_store_visits_total") / requests),
            transactions_a_request: rounded(more("truetill_store_commit_seconds_count") / requests),
            writer_wait_ms: mean_ms("truetill_store_wait_seconds"),
            commit_ms: mean_ms("truetill_store_commit_seconds"),
            turn_wait_ms: mean_ms("truetill_turn_wait_seconds"),
            stage_ms: stages.into_iter().map(stage).collect(),
        }
    }

    fn sum(&self, name: &str) -> f64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

/// Lines of Prometheus' text: name, labels and all, and the number.
fn counts(text: &str) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_string(), value.parse().ok()?))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

fn processor_s(process: &str) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}; this system has no /proc?"))?;
    read_stat(&text).with_context(|| format!("{path} is in another form"))
}

/// User and system time; the name before them may hold anything, also brackets.
fn read_stat(text: &str) -> Option<f64> {
    let rest = &text[text.rfind(')')? + 1..];
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 100 0 0";
        assert_eq!(read_stat(stat), Some(3.0));
        assert_eq!(read_stat("nonsense"), None);
    }

    #[test]
    fn what_happened_between_two_moments_is_told_per_request() {
        let at = |server_s, visits: f64, waits: f64| {
            let text = format!(
                "# TYPE truetill_store_visits_total counter\ntruetill_store_visits_total {visits}\n\
                 truetill_store_wait_seconds_sum {}\ntruetill_store_wait_seconds_count {waits}\n\
                 truetill_stage_seconds_sum{{stage=\"searching\"}} {}\n\
                 truetill_stage_seconds_count{{stage=\"searching\"}} {waits}\n",
                waits * 0.002,
                waits * 0.01
            );
            Totals { server_s, own_s: 0.0, counts: counts(&text) }
        };
        let used = at(30.0, 500.0, 60.0).since(&at(10.0, 100.0, 10.0), (20.0, 2, 100));
        assert_eq!((used.server_share, used.server_ms_a_request), (0.5, 200.0));
        assert_eq!((used.database_visits_a_request, used.writer_wait_ms), (4.0, 2.0));
        assert_eq!((used.stage_ms["searching"], used.stage_ms["checking"]), (10.0, 0.0));
    }
}
