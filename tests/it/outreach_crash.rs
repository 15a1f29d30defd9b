//! Two servers on one database, an address that does not answer, and kill -9 before and after every write of a round: each message is
//! decided once, none is lost, and whatever comes twice comes under the same id.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use truetill::courier::{Courier, Parcel};
use truetill::domain::handover::Event;
use truetill::domain::outreach::Stage;
use truetill::outreach;
use truetill::store::outreach::Listed;

use crate::cluster::{state, state_in};
use crate::common::{app_keeping, clock, config, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, step, told_to_die};
use crate::outreach::shop;

fn front() -> ShopFront {
    ShopFront::load(&config().paths.data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_say_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, first) = shop(front(), state_in(folder.path()).await).await;
    let (two, second) = shop(front(), state_in(folder.path()).await).await;
    let (a, b) = tokio::join!(outreach::round(&one, clock()), outreach::round(&two, clock()));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.decided + b.decided, 5, "{a:?} {b:?}");
    // What one had decided when the other looked is carried by the next round.
    outreach::round(&one, clock() + SignedDuration::from_mins(5)).await.unwrap();
    let mut ids: Vec<String> = Vec::new();
    for bag in [first, second] {
        ids.extend(bag.parcels.lock().unwrap().iter().map(|parcel| parcel.id.clone()));
    }
    let once: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), once.len()), (5, 5), "{ids:?}");
}

#[tokio::test]
async fn an_event_nobody_takes_is_tried_again_and_given_up_at_last() {
    let (app, bag) = shop(front(), state().await).await;
    let event = Event { id: "x:lead".to_string(), document: r#"{"event":"lead"}"#.to_string() };
    app.state.tell(&event).await.unwrap();
    *bag.closed.lock().unwrap() = true;
    let now = clock();
    assert_eq!(outreach::round(&app, now).await.unwrap().failed, 6);
    assert_eq!(
        outreach::round(&app, now + SignedDuration::from_secs(30)).await.unwrap().failed,
        0,
        "not before a minute"
    );
    assert_eq!(outreach::round(&app, now + SignedDuration::from_secs(61)).await.unwrap().failed, 6);
    *bag.closed.lock().unwrap() = false;
    let last = outreach::round(&app, now + SignedDuration::from_mins(10)).await.unwrap();
    assert_eq!((last.carried, last.failed), (6, 0), "{last:?}");
    let other = Event { id: "y:lead".to_string(), document: r#"{"event":"lead"}"#.to_string() };
    app.state.tell(&other).await.unwrap();
    *bag.closed.lock().unwrap() = true;
    let weeks = Timestamp::now().max(now) + SignedDuration::from_hours(24 * 30);
    outreach::carry(&app, weeks, &mut outreach::Round::default()).await.unwrap();
    assert_eq!(app.state.events_left().await.unwrap(), (0, 1));
}

#[tokio::test]
async fn an_event_is_posted_with_its_id_and_a_signature() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = config();
    settings.outbox.url = format!("http://{}/hook", listener.local_addr().unwrap());
    settings.outbox.secret = truetill::config::Secret("s3cret".to_string());
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        for answer in ["HTTP/1.1 503 Busy", "HTTP/1.1 204 Taken"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let mut length = 0;
            while !String::from_utf8_lossy(&request[..length]).ends_with('}') {
                length += stream.read(&mut request[length..]).await.unwrap();
            }
            heard.push(String::from_utf8_lossy(&request[..length]).to_string());
            stream
                .write_all(format!("{answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
                .await
                .unwrap();
        }
        heard
    });
    let app = app_keeping(settings, None, (front(), state().await)).await;
    let event = Event { id: "x:lead".to_string(), document: r#"{"event":"lead"}"#.to_string() };
    app.state.tell(&event).await.unwrap();
    // At night only what is no message goes.
    let night: Timestamp = "2026-11-23T22:00:00Z".parse().unwrap();
    assert_eq!(outreach::round(&app, night).await.unwrap().failed, 1);
    let later = night + SignedDuration::from_mins(5);
    assert_eq!(outreach::round(&app, later).await.unwrap().carried, 1);
    let heard = heard.await.unwrap();
    let signed = truetill::courier::signature("s3cret", later, r#"{"event":"lead"}"#);
    let second = heard[1].to_lowercase();
    assert!(second.starts_with("post /hook") && second.contains("idempotency-key: x:lead"), "{second}");
    assert!(second.contains(&format!("truetill-signature: {signed}")), "{second}");
    assert!(heard[0].to_lowercase().contains("idempotency-key: x:lead"));
}

/// Writes down each message as the merchant's system would, and dies where it is told to.
struct Ledger {
    folder: std::path::PathBuf,
    counter: Arc<AtomicUsize>,
    at: usize,
}

#[async_trait]
impl Courier for Ledger {
    async fn carry(&self, parcel: &Parcel, _: Timestamp) -> anyhow::Result<()> {
        step(&self.counter, self.at);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("carried"))?;
        writeln!(file, "{}", parcel.id)?;
        step(&self.counter, self.at);
        Ok(())
    }
}

async fn one_round(folder: &Path, at: usize, now: Timestamp) {
    let counter = Arc::new(AtomicUsize::new(0));
    let watch = Arc::clone(&counter);
    let book = state_in(folder).await;
    let mut app = app_keeping(quick_config(folder), None, (front(), book.clone())).await;
    let ledger = Ledger { folder: folder.to_path_buf(), counter, at };
    let inner = Arc::get_mut(&mut app).unwrap();
    inner.courier = Some(Arc::new(ledger));
    inner.state = book.watched(Arc::new(move || step(&watch, at)));
    outreach::round(&app, now).await.unwrap();
}

#[tokio::test]
async fn child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    one_round(&folder, at, clock()).await;
}

/// Lets the child die at a step, then another server goes on; false when it lived.
async fn told_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("outreach_crash::child", folder.path(), (0, at));
    let carried = || -> Vec<String> {
        let text = std::fs::read_to_string(folder.path().join("carried")).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    };
    let all = Listed { limit: 100, ..Listed::default() };
    let book = state_in(folder.path()).await;
    let sent = book.outgoing_listed(&all).await.unwrap().into_iter().filter(|one| one.stage == Stage::Sent);
    assert!(sent.into_iter().all(|one| carried().contains(&one.id)), "step {at}: `sent` before it was carried");
    one_round(folder.path(), 0, clock() + SignedDuration::from_mins(5)).await;
    let left = book.outgoing_listed(&all).await.unwrap();
    assert_eq!(left.len(), 5, "step {at}: decided once each");
    assert!(left.iter().all(|one| one.stage == Stage::Sent), "step {at}: none is lost");
    let ids = carried();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 5, "step {at}: whatever came twice came under the same id: {ids:?}");
    assert!(ids.len() <= 6, "step {at}: only what was on its way may come twice: {ids:?}");
    assert_eq!(book.events_left().await.unwrap(), (0, 0), "step {at}");
    died
}

#[tokio::test]
async fn a_process_killed_at_any_step_of_a_round_loses_no_message_and_decides_none_twice() {
    let mut deaths = 0;
    while told_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 25, "only {deaths} steps were seen");
    eprintln!("crash: killed at each of {deaths} steps of a round, every message once");
}
