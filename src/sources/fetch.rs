//! Fetches one feed: asked for only when it has changed, written aside while it comes, kept when it is whole. In: its settings and what is
//! known of it. Out: whether there is something new. A half answer, one that is too long, or an error page replaces nothing.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Response};

use crate::domain::source::FeedSource;

use super::address::Address;
use super::kept::{Kept, Memory};
use super::web::{self, Question, Trouble};

/// A feed that moved is followed so often.
const REDIRECTS: u8 = 5;
/// The least pause after a failure; it doubles until the feed's own interval.
const PAUSE_S: u64 = 30;

/// What a fetch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Another file than before is here.
    New,
    /// It is as it was.
    Same,
}

/// How often one fetch is tried, and how long it waits between.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// At most so often.
    pub times: u32,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Tries {
    fn default() -> Self {
        Tries { times: 3, pause: Duration::from_secs(1) }
    }
}

/// Fetches a feed and notes what came of it. It blocks: never on a thread that serves.
///
/// # Errors
/// There is no answer, or none that is whole: the file of before is still there.
pub fn fetch(kept: &Kept, source: &FeedSource, (now, tries): (Timestamp, Tries)) -> anyhow::Result<Fetched> {
    let mut memory = kept.memory(&source.name, &source.url);
    memory.asked_at = Some(now);
    let came = repeatedly(kept, source, (&mut memory, now), tries);
    let interval = Duration::from_secs(source.interval_s);
    let pause = match &came {
        Ok(_) => {
            (memory.failures, memory.failed) = (0, None);
            interval
        }
        Err(failure) => {
            memory.failures = memory.failures.saturating_add(1);
            memory.failed = Some(failure.trouble.to_string());
            let doubled = PAUSE_S.saturating_mul(1 << (memory.failures - 1).min(16));
            Duration::from_secs(doubled).min(interval).max(failure.asked.unwrap_or_default())
        }
    };
    memory.next_at = SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok());
    kept.note(&source.name, &memory)?;
    came.map_err(|failure| failure.trouble).with_context(|| format!("fetching the feed `{}`", source.name))
}

struct Failure {
    trouble: Trouble,
    /// The pause the source asked for.
    asked: Option<Duration>,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Failure { trouble, asked: None }
    }
}

fn passing(error: impl std::fmt::Display) -> Failure {
    Trouble::Passing(error.to_string()).into()
}

fn lasting(reason: impl Into<String>) -> Failure {
    Trouble::Lasting(reason.into()).into()
}

fn repeatedly(
    kept: &Kept,
    source: &FeedSource,
    (memory, now): (&mut Memory, Timestamp),
    tries: Tries,
) -> Result<Fetched, Failure> {
    let mut pause = tries.pause;
    for left in (0..tries.times.max(1)).rev() {
        match attempt(kept, source, memory, now) {
            Err(Failure { trouble: Trouble::Passing(reason), asked: None }) if left > 0 => {
                tracing::debug!(source = source.name, reason, "the feed is tried again");
                std::thread::sleep(pause);
                pause *= 2;
            }
            came => return came,
        }
    }
    unreachable!("invariant: the last try returns")
}

fn attempt(kept: &Kept, source: &FeedSource, memory: &mut Memory, now: Timestamp) -> Result<Fetched, Failure> {
    let address = Address::parse(&source.url).ok_or_else(|| lasting(format!("`{}` is no address", source.url)))?;
    let secret = match source.header_env.as_str() {
        "" => None,
        name => Some(std::env::var(name).map_err(|_| lasting(format!("the environment has no {name}: set it")))?),
    };
    let known = kept.file(&source.name, memory);
    let mut headers = vec![("Accept".to_string(), "*/*".to_string())];
    if known.is_some() {
        headers.extend(memory.etag.clone().map(|tag| ("If-None-Match".to_string(), tag)));
        headers.extend(memory.last_modified.clone().map(|date| ("If-Modified-Since".to_string(), date)));
    }
    let conditional = headers.len() > 1;
    headers.push(("Accept-Encoding".to_string(), "gzip".to_string()));
    let ask = |headers: &[(String, String)]| {
        let credentials = secret.as_deref().map(|secret| (source.header.as_str(), secret));
        let patience = Duration::from_secs(source.timeout_s);
        let question = Question { address: &address, headers, credentials, body: None, patience, redirects: REDIRECTS };
        web::ask(&web::agent(), &question)
    };
    let mut response = ask(&headers)?;
    if response.status().as_u16() == 200 && !source.open_end && !ends(&response) {
        // Of an answer that is unpacked on the way its length is not known: unpacked, it may be.
        headers.pop();
        headers.push(("Accept-Encoding".to_string(), "identity".to_string()));
        response = ask(&headers)?;
    }
    match response.status().as_u16() {
        200 => whole(kept, source, (memory, now), (response, &address)),
        304 if conditional => {
            confirm(kept, source, memory, now).map_err(passing)?;
            Ok(Fetched::Same)
        }
        status => Err(refused(status, response.headers(), now)),
    }
}

fn refused(status: u16, headers: &HeaderMap, now: Timestamp) -> Failure {
    let asked = web::retry_after(headers, now);
    let trouble = match status {
        401 | 403 => Trouble::Lasting(format!("the source refuses the credentials ({status}): check header_env")),
        404 | 410 => Trouble::Lasting(format!("the source has nothing there ({status}): check the url")),
        206 => Trouble::Lasting("the source sent a part nobody asked for (206)".to_string()),
        408 | 425 | 429 | 500..=599 => Trouble::Passing(format!("the source answered {status}")),
        _ => Trouble::Lasting(format!("the source answered {status}")),
    };
    Failure { trouble, asked }
}

/// True when half of an answer can be told from all of it.
fn ends(response: &Response<ureq::Body>) -> bool {
    ["content-length", "transfer-encoding"].iter().any(|name| response.headers().contains_key(*name))
}

/// The source says that the kept file is what it would send: where it tells no date of its own, that is as of now.
fn confirm(kept: &Kept, source: &FeedSource, memory: &mut Memory, now: Timestamp) -> anyhow::Result<()> {
    memory.confirmed_at = Some(now);
    if let (Some(path), None) = (kept.file(&source.name, memory), &memory.last_modified) {
        date(&path, now)?;
    }
    Ok(())
}

fn date(path: &Path, moment: Timestamp) -> anyhow::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_modified(moment.into()).with_context(|| format!("dating {}", path.display()))
}

/// Takes in an answer to its end.
fn whole(
    kept: &Kept,
    source: &FeedSource,
    (memory, now): (&mut Memory, Timestamp),
    (response, address): (Response<ureq::Body>, &Address),
) -> Result<Fetched, Failure> {
    let headers = response.headers().clone();
    if !ends(&response) && !source.open_end {
        return Err(lasting(
            "the answer does not say where it ends, so half of it would look like all of it: \
             let the source send Content-Length, or set open_end = true",
        ));
    }
    if response.body().content_length().is_some_and(|bytes| bytes > source.max_bytes) {
        return Err(too_long(source));
    }
    let aside = kept.aside(&source.name).map_err(passing)?;
    let written = write(response, &aside, source.max_bytes);
    let (sha256, bytes) = written.inspect_err(|_| {
        let _ = std::fs::remove_file(&aside);
    })?;
    let unchanged = memory.sha256.as_ref() == Some(&sha256) && kept.file(&source.name, memory).is_some();
    memory.etag = web::header(&headers, "etag");
    memory.last_modified = web::header(&headers, "last-modified").filter(|text| web::moment(text).is_some());
    if unchanged {
        let _ = std::fs::remove_file(&aside);
        confirm(kept, source, memory, now).map_err(passing)?;
        return Ok(Fetched::Same);
    }
    let written_at = memory.last_modified.as_deref().and_then(web::moment).unwrap_or(now).min(now);
    date(&aside, written_at).map_err(passing)?;
    let name = named(address, &headers);
    kept.keep(&source.name, &aside, &name).map_err(passing)?;
    (memory.file, memory.sha256, memory.bytes) = (Some(name), Some(sha256), bytes);
    (memory.fetched_at, memory.confirmed_at) = (Some(now), Some(now));
    Ok(Fetched::New)
}

fn too_long(source: &FeedSource) -> Failure {
    lasting(format!("the answer is longer than max_bytes = {}", source.max_bytes))
}

/// The answer on disk, synced: its digest and length.
fn write(response: Response<ureq::Body>, aside: &Path, most: u64) -> Result<(String, u64), Failure> {
    let mut file = File::create(aside).map_err(passing)?;
    // One byte more than allowed tells a long answer from one that is just as long.
    let mut reader = response.into_body().into_with_config().limit(most.saturating_add(2)).reader();
    let (mut digest, mut bytes, mut piece) = (Sha256::new(), 0_u64, vec![0; 64 << 10]);
    loop {
        let read = reader.read(&mut piece).map_err(|error| passing(format!("the answer broke off: {error}")))?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if bytes > most {
            return Err(lasting(format!("the answer is longer than max_bytes = {most}")));
        }
        digest.update(&piece[..read]);
        file.write_all(&piece[..read]).map_err(|error| passing(format!("writing {}: {error}", aside.display())))?;
    }
    if bytes == 0 {
        return Err(lasting("the answer is empty"));
    }
    file.sync_all().map_err(passing)?;
    Ok((hex::encode(digest.finalize()), bytes))
}

/// The name under which it is kept: our own lines are known by theirs.
fn named(address: &Address, headers: &HeaderMap) -> String {
    let name = address.file();
    let kind = web::header(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    let lines = ["application/x-ndjson", "application/jsonl", "application/x-jsonlines"];
    let ours = lines.iter().any(|one| kind.starts_with(one));
    if ours && !name.ends_with(".jsonl") && !name.ends_with(".ndjson") { format!("{name}.jsonl") } else { name }
}
