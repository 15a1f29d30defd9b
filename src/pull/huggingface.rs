//! Fetches one file over HTTP and goes on where an earlier try stopped.
//! In: an address and the path of the unfinished file. Out: that file, whole. Never judges its content.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::progress::Progress;

/// The server to ask: `$HF_ENDPOINT` names a mirror.
pub fn server() -> String {
    let set = std::env::var("HF_ENDPOINT").ok().filter(|v| !v.is_empty());
    set.unwrap_or_else(|| "https://huggingface.co".to_owned())
}

/// The address of a file in a repository.
pub fn address(server: &str, repo: &str, revision: &str, file: &str) -> String {
    format!("{}/{repo}/resolve/{revision}/{file}", server.trim_end_matches('/'))
}

/// Downloads `url` into `partial`, asking only for what is missing; `bytes` is the whole length when known.
pub fn fetch(url: &str, bytes: Option<u64>, partial: &Path, progress: &dyn Progress) -> anyhow::Result<()> {
    let have = usable(partial, bytes)?;
    if bytes == Some(have) {
        return Ok(());
    }
    let response = ask(url, have)?;
    let resumed = have > 0 && response.status() == 206 && starts_at(&response, have);
    let have = if resumed { have } else { 0 };
    let rest = response.body().content_length();
    let total = bytes.or(rest.map(|r| have + r));
    let mut file = File::options()
        .create(true)
        .append(resumed)
        .write(true)
        .truncate(!resumed)
        .open(partial)
        .with_context(|| format!("writing {}", partial.display()))?;
    progress.start(url.rsplit('/').next().unwrap_or(url), total.unwrap_or(0), have);
    let written = copy(response.into_body(), &mut file, total.map(|t| t.saturating_sub(have)), progress);
    progress.finish();
    let got = have + written?;
    if let Some(total) = total {
        ensure!(got == total, "{url} ended after {got} of {total} bytes; run it again to go on from there");
    }
    Ok(())
}

fn usable(partial: &Path, bytes: Option<u64>) -> anyhow::Result<u64> {
    let have = fs::metadata(partial).map_or(0, |m| m.len());
    if bytes.is_some_and(|b| have > b) {
        fs::remove_file(partial).with_context(|| format!("removing {}", partial.display()))?;
        return Ok(0);
    }
    Ok(have)
}

fn ask(url: &str, from: u64) -> anyhow::Result<Response<Body>> {
    // No limit on the whole: a gigabyte on a slow line takes its time; silence does not.
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into();
    let request = agent.get(url);
    let request = match from {
        0 => request,
        n => request.header("Range", format!("bytes={n}-")),
    };
    match request.call() {
        Err(ureq::Error::StatusCode(416)) if from > 0 => ask(url, 0),
        Err(ureq::Error::StatusCode(code)) => bail!("{url} answered {code}"),
        other => other.with_context(|| format!("{url} cannot be reached")),
    }
}

fn starts_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|v| v.to_str().ok());
    range.is_some_and(|r| r.starts_with(&format!("bytes {from}-")))
}

fn copy(body: Body, file: &mut File, limit: Option<u64>, progress: &dyn Progress) -> anyhow::Result<u64> {
    // One byte more than promised is enough to see that it is another file.
    let mut reader = body.into_reader().take(limit.map_or(u64::MAX, |l| l.saturating_add(1)));
    let mut buffer = vec![0; 1 << 16];
    let mut written = 0;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            // What arrived stays on disk, so a broken line only ends this try.
            Err(error) => {
                return Err(error).context("the line broke; run it again to go on from there");
            }
        };
        file.write_all(&buffer[..n]).context("writing the download; is the disk full?")?;
        progress.advance(n as u64);
        written += n as u64;
    }
    file.sync_all().context("writing the download")?;
    Ok(written)
}
