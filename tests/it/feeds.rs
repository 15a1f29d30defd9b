//! Feeds over the wire: asked for only when they have changed, whole or not at all, indexed and counted by the schedule.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use truetill::config::Config;
use truetill::domain::source::{FeedSource, Holds};
use truetill::ingest::{self, NoShelves};
use truetill::sources::{self, Build, Built, Fetched, Kept, Memory, Schedule, Tries, fetch, status};

use crate::catalog::{MUG, Place, told};
use crate::common::{clock, config};
use crate::wire::{Heard, Says, Wire, head};

const ONCE: Tries = Tries { times: 1, pause: Duration::ZERO };
const THRICE: Tries = Tries { times: 3, pause: Duration::ZERO };

/// A folder, and a feed whose server answers as told.
struct Feed {
    _folder: tempfile::TempDir,
    kept: Kept,
    source: FeedSource,
}

impl Feed {
    fn at(url: &str) -> Feed {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::of(folder.path());
        let source = FeedSource { timeout_s: 5, ..FeedSource::at("shop", url) };
        Feed { _folder: folder, kept, source }
    }

    fn fetch(&self, tries: Tries) -> Result<Fetched, String> {
        fetch(&self.kept, &self.source, (clock(), tries)).map_err(|error| format!("{error:#}"))
    }

    fn memory(&self) -> Memory {
        self.kept.memory(&self.source.name, &self.source.url)
    }

    fn text(&self) -> Option<String> {
        self.kept.file(&self.source.name, &self.memory()).map(|path| std::fs::read_to_string(path).unwrap())
    }
}

/// A good feed first, then what `says`: the good one must stay.
fn check(says: impl Fn(&Heard) -> Says + Send + Sync + 'static, expected: &str) -> Memory {
    let asked = AtomicUsize::new(0);
    let wire = Wire::start(move |heard| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Says::whole(200, &[], "good"),
        _ => says(heard),
    });
    let feed = Feed::at(&format!("{}/feed.jsonl", wire.url));
    let feed = Feed { source: FeedSource { timeout_s: 1, max_bytes: 5000, ..feed.source }, ..feed };
    assert_eq!(feed.fetch(ONCE), Ok(Fetched::New));
    let error = feed.fetch(ONCE).unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert_eq!(feed.text().as_deref(), Some("good"), "{expected}");
    let memory = feed.memory();
    assert!(memory.failures == 1 && memory.failed.as_ref().unwrap().contains(expected), "{memory:?}");
    assert!(memory.next_at.unwrap() > clock());
    memory
}

fn with(mut head: Vec<u8>, rest: &[u8]) -> Says {
    head.extend_from_slice(rest);
    Says::Raw(head)
}

#[test]
fn what_is_not_whole_replaces_nothing() {
    check(|_| with(head(200, &[]), b"content-length: 400\r\n\r\nhalf"), "broke off");
    check(|_| with(head(200, &[]), b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"), "broke off");
    // A gzip stream that ends before its check sum.
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0x4c, 0x4a, 6, 0];
    let coded = head(200, &[("content-encoding", "gzip"), ("transfer-encoding", "chunked")]);
    check(move |_| with(coded.clone(), &[b"\r\nf\r\n", &gzip[..], b"\r\n0\r\n\r\n"].concat()), "broke off");
    check(|_| with(head(200, &[]), b"\r\nwho knows whether this is all"), "does not say where it ends");
    check(|_| Says::whole(200, &[], ""), "is empty");
    check(|_| Says::whole(206, &[], "part"), "206");
    check(|_| Says::whole(304, &[], ""), "304");
    check(|_| Says::Raw(b"not http at all\r\n\r\n".to_vec()), "http parse");
}

#[test]
fn what_is_too_long_or_too_slow_replaces_nothing() {
    check(|_| Says::whole(200, &[], "x".repeat(5001)), "longer than max_bytes");
    let chunk = format!("transfer-encoding: chunked\r\n\r\n1389\r\n{}\r\n0\r\n\r\n", "x".repeat(0x1389));
    check(move |_| with(head(200, &[]), chunk.as_bytes()), "longer than max_bytes");
    check(|_| Says::Silence(Vec::new()), "no answer in time");
    check(|_| Says::Silence([head(200, &[]), b"content-length: 9\r\n\r\nhalf".to_vec()].concat()), "broke off");
    let drip = || [head(200, &[]), b"content-length: 400\r\n\r\n".to_vec(), vec![b'x'; 400]].concat();
    check(move |_| Says::Drip(drip()), "");
}

#[test]
fn refusals_are_told_with_what_to_do() {
    check(|_| Says::whole(401, &[], "no"), "check header_env");
    check(|_| Says::whole(404, &[], "no"), "check the url");
    check(|_| Says::whole(500, &[], "no"), "answered 500");
    let memory = check(|_| Says::whole(429, &[("retry-after", "7200")], "no"), "answered 429");
    assert_eq!(memory.next_at.unwrap().duration_since(clock()).as_secs(), 7200);
    check(|_| Says::whole(302, &[("location", "file:///etc/passwd")], ""), "no address that may be followed");
    check(|heard| Says::whole(302, &[("location", &heard.path)], ""), "more than 5 redirects");
    let feed = Feed::at(&format!("{}/feed.xml", Wire::nobody()));
    assert!(feed.fetch(THRICE).is_err() && feed.text().is_none());
    let feed = Feed::at("http://127.0.0.1:1/f");
    let feed = Feed { source: FeedSource { header_env: "TRUETILL_TEST_UNSET".into(), ..feed.source }, ..feed };
    assert!(feed.fetch(ONCE).unwrap_err().contains("TRUETILL_TEST_UNSET"));
}

#[test]
fn an_unchanged_feed_is_not_sent_again() {
    let wire = Wire::start(|heard| match heard.header("if-none-match") {
        "\"v1\"" => Says::whole(304, &[("etag", "\"v1\"")], ""),
        _ => Says::whole(200, &[("etag", "\"v1\""), ("last-modified", "Mon, 23 Nov 2026 08:00:00 GMT")], "text"),
    });
    let feed = Feed::at(&format!("{}/out/feed.csv?key=1", wire.url));
    assert_eq!(feed.fetch(ONCE), Ok(Fetched::New));
    assert_eq!(feed.fetch(ONCE), Ok(Fetched::Same));
    let heard = wire.heard();
    assert_eq!(heard[0].header("if-none-match"), "");
    assert_eq!(heard[1].header("if-modified-since"), "Mon, 23 Nov 2026 08:00:00 GMT");
    let memory = feed.memory();
    assert_eq!((memory.file.as_deref(), memory.bytes, memory.failures), (Some("feed.csv"), 4, 0));
    let file = feed.kept.file("shop", &memory).unwrap();
    let modified: Timestamp = std::fs::metadata(file).unwrap().modified().unwrap().try_into().unwrap();
    assert_eq!(modified, "2026-11-23T08:00:00Z".parse().unwrap(), "its words are as of when it was written");
    // Of another address nothing is known.
    assert!(feed.kept.memory("shop", "http://127.0.0.1:1/other").etag.is_none());
}

#[test]
fn a_hiccup_is_tried_again_and_an_open_end_is_taken_where_allowed() {
    let asked = AtomicUsize::new(0);
    let wire = Wire::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Says::whole(503, &[], ""),
        _ => with(head(200, &[]), b"\r\nall"),
    });
    let feed = Feed::at(&wire.url);
    let feed = Feed { source: FeedSource { open_end: true, ..feed.source }, ..feed };
    assert_eq!(feed.fetch(THRICE), Ok(Fetched::New));
    assert_eq!((feed.text().as_deref(), wire.heard().len()), (Some("all"), 3));
}

#[test]
fn an_answer_whose_length_is_lost_in_packing_is_asked_for_plainly() {
    let gzip = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 75, 76, 74, 6, 0, 194, 65, 36, 53, 3, 0, 0, 0];
    let wire = Wire::start(move |heard| match heard.header("accept-encoding") {
        "gzip" => Says::whole(200, &[("content-encoding", "gzip")], gzip),
        _ => Says::whole(200, &[], "abc"),
    });
    let feed = Feed::at(&wire.url);
    assert_eq!(feed.fetch(ONCE), Ok(Fetched::New));
    assert_eq!((feed.text().as_deref(), wire.heard().len()), (Some("abc"), 2));
}

#[test]
fn credentials_never_reach_another_host() {
    let other = Wire::start(|_| Says::whole(200, &[], "moved"));
    let location = format!("{}/feed", other.url);
    let wire = Wire::start(move |heard| match heard.path.as_str() {
        "/old" => Says::whole(301, &[("location", "/new")], ""),
        _ => Says::whole(302, &[("location", &location)], ""),
    });
    let feed = Feed::at(&format!("{}/old", wire.url));
    // A variable that every environment has.
    let source = FeedSource { header_env: "PATH".into(), header: "X-Key".into(), ..feed.source };
    let feed = Feed { source, ..feed };
    assert_eq!(feed.fetch(ONCE), Ok(Fetched::New));
    assert_eq!(feed.text().as_deref(), Some("moved"));
    let heard = wire.heard();
    assert!(heard.len() == 2 && heard.iter().all(|one| !one.header("x-key").is_empty()), "{heard:?}");
    assert_eq!(other.heard()[0].header("x-key"), "");
}

/// A server whose feed can be exchanged.
fn exchangeable(text: &str) -> (Arc<Mutex<String>>, Wire) {
    let text = Arc::new(Mutex::new(text.to_string()));
    let served = Arc::clone(&text);
    let wire = Wire::start(move |heard| {
        let text = served.lock().unwrap().clone();
        let tag = format!("\"{}\"", text.len() as u64 * 1000 + text.bytes().map(u64::from).sum::<u64>());
        match heard.header("if-none-match") == tag {
            true => Says::whole(304, &[], ""),
            false => Says::whole(200, &[("etag", &tag)], text),
        }
    });
    (text, wire)
}

struct Builder(Config);

#[async_trait]
impl Build for Builder {
    async fn build(&self) -> anyhow::Result<Built> {
        let request = sources::request(&self.0, TimeZone::UTC, clock())?;
        let handle = tokio::runtime::Handle::current();
        let run = move || handle.block_on(ingest::run(&request, &NoShelves, &|_| false));
        let report = tokio::task::spawn_blocking(run).await??;
        Ok(Built::told(&serde_json::to_value(&report)?))
    }
}

/// A shop whose feeds come over the wire.
async fn scheduled(place: &Place, feeds: Vec<FeedSource>) -> Schedule {
    let mut config = config();
    config.paths.state = place.path("state");
    config.paths.index = place.path("index");
    config.sources.feed = feeds;
    let catalog: Arc<dyn truetill::engine::Catalog> = match place.path("index").exists() {
        true => place.live().await,
        false => Arc::clone(&place.front) as Arc<dyn truetill::engine::Catalog>,
    };
    Schedule {
        build: Box::new(Builder(config.clone())),
        config,
        zone: TimeZone::UTC,
        state: place.state.clone(),
        catalog,
        tries: ONCE,
        clock,
        rest: Mutex::default(),
    }
}

/// Lets the time until the next fetch pass.
fn later(schedule: &Schedule) {
    let kept = Kept::of(&schedule.config.paths.state);
    for source in &schedule.config.sources.feed {
        let memory = Memory { next_at: None, ..kept.memory(&source.name, &source.url) };
        kept.note(&source.name, &memory).unwrap();
    }
}

#[tokio::test]
async fn the_schedule_fetches_indexes_and_switches_by_itself() {
    let place = Place::new().await;
    let (text, wire) = exchangeable(&MUG.replace("PRICE", "7.50"));
    let shop = FeedSource::at("shop", &format!("{}/products.jsonl", wire.url));
    let schedule = scheduled(&place, vec![shop]).await;
    let round = schedule.round().await.unwrap();
    let first = round.built.unwrap().generation.unwrap();
    let live = place.live().await;
    let app = place.app(Arc::clone(&live), config()).await;
    assert!(told(&app).await.contains("7.50"));

    // Not due, then due but unchanged: nothing is built.
    assert!(schedule.round().await.unwrap().fetched.is_empty());
    later(&schedule);
    let round = schedule.round().await.unwrap();
    assert!(matches!(round.fetched[0].1, Ok(Fetched::Same)) && round.built.is_none());

    *text.lock().unwrap() = MUG.replace("PRICE", "9.90");
    later(&schedule);
    let second = schedule.round().await.unwrap().built.unwrap().generation.unwrap();
    assert!(second > first && live.follow().await.unwrap());
    assert!(told(&app).await.contains("9.90"));

    // A feed that is no feed is refused once, told, and the generation before goes on.
    *text.lock().unwrap() = "<html>We are closed for maintenance".to_string();
    later(&schedule);
    let refused = schedule.round().await.unwrap().built.unwrap();
    assert!(refused.generation.is_none() && refused.refused.is_some());
    later(&schedule);
    assert!(schedule.round().await.unwrap().built.is_none());
    let status = status::feeds(&schedule.config).remove(0);
    assert!(!status.well() && status.refused.is_some(), "{status:?}");
    assert!(!live.follow().await.unwrap());
    assert!(told(&app).await.contains("9.90"));
}

#[tokio::test]
async fn changes_count_without_a_new_generation() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let (text, wire) = exchangeable("{\"sku\":\"ZM-1\",\"prices\":[{\"currency\":\"EUR\",\"amount\":\"8.80\"}]}\n");
    let url = format!("{}/changes.jsonl", wire.url);
    let stock = FeedSource { holds: Holds::Changes, max_age_s: Some(3600), ..FeedSource::at("till", &url) };
    let schedule = scheduled(&place, vec![stock]).await;
    let app = place.app(place.live().await, config()).await;
    let round = schedule.round().await.unwrap();
    assert_eq!((round.changed[0].1.applied, round.built.is_none()), (1, true));
    assert!(told(&app).await.contains("8.80"));
    *text.lock().unwrap() = "{\"sku\":\"ZM-1\",\"prices\":[]}\n{\"sku\":\"NONE\",\"prices\":[]}\n".to_string();
    later(&schedule);
    let round = schedule.round().await.unwrap();
    assert_eq!((round.changed[0].1.applied, round.changed[0].1.report.errors), (1, 1));
    assert!(!told(&app).await.contains("8.80"));
    assert_eq!(status::feeds(&schedule.config)[0].into.as_deref(), Some("patches"));
}

#[tokio::test]
async fn half_a_catalog_is_never_built() {
    let place = Place::new().await;
    let (_, wire) = exchangeable(&MUG.replace("PRICE", "7.50"));
    let gone = Wire::nobody();
    let feeds = vec![
        FeedSource::at("one", &format!("{}/products.jsonl", wire.url)),
        FeedSource::at("two", &format!("{gone}/products.jsonl")),
    ];
    let schedule = scheduled(&place, feeds).await;
    let round = schedule.round().await.unwrap();
    assert!(round.fetched[0].1.is_ok() && round.fetched[1].1.is_err() && round.built.is_none());
    assert!(!place.path("index").join("current").exists());
    // And not again at once, nor by two at the same moment.
    let again = schedule.round().await.unwrap();
    assert!(again.fetched.is_empty() && again.built.is_none());
    later(&schedule);
    let _lock = Kept::of(&schedule.config.paths.state).lock().unwrap();
    assert!(schedule.round().await.unwrap_err().to_string().contains("another run"));
}

#[test]
fn what_a_source_confirms_stays_fresh() {
    let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
    let mut memory = Memory { sha256: Some("a".into()), confirmed_at: Some(clock()), ..Memory::default() };
    assert!(memory.pending(None));
    memory.take((Some("patches".into()), None), clock());
    assert!(!memory.pending(Some(3600)));
    memory.confirmed_at = Some(moment("2026-11-23T09:31:00Z"));
    assert!(memory.pending(Some(3600)) && !memory.pending(Some(7200)) && !memory.pending(None));
    memory.last_modified = Some("Mon, 23 Nov 2026 08:00:00 GMT".into());
    assert!(!memory.pending(Some(3600)), "it says itself when it was written");
}
