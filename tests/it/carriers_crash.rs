//! kill -9 before and after every write of a carrier's words, then the carrier sends them again: each moves the parcel once, with one
//! event, and a parcel that was being asked about is asked about again.

use std::path::Path;

use jiff::SignedDuration;
use serde_json::Value;
use truetill::domain::shipment::ParcelState;
use truetill::store::StateStore;
use truetill::tracking;

use crate::carriers::{parcel, post, settings};
use crate::cluster::state_in;
use crate::common::{TestApp, app_keeping, clock, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, dying, told_to_die};

const WORDS: [(&str, &str, &str); 3] = [
    ("1", "accepted", "2026-11-21T08:00:00Z"),
    ("2", "in transit", "2026-11-22T08:00:00Z"),
    ("3", "ready for pickup", "2026-11-22T18:00:00Z"),
];

/// The carrier sends its words one by one, each until it is answered; the answered ones are counted in `answered`.
async fn send(store: StateStore, folder: &Path) {
    let mut settings = settings("");
    settings.paths.data = quick_config(folder).paths.data;
    let front = ShopFront::load(&settings.paths.data);
    let app = app_keeping(settings, None, (front, store)).await;
    let door = TestApp::over(app);
    let answered = || std::fs::read_to_string(folder.join("answered")).map_or(0, |text| text.len());
    for (id, word, at) in &WORDS[answered()..] {
        let results: Value = post(&door, &[parcel(id, word, at)]).await;
        assert!(results["moved"] == 1 || results["before"] == 1, "{results}");
        std::fs::write(folder.join("answered"), "x".repeat(answered() + 1)).unwrap();
    }
}

#[tokio::test]
async fn child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    send(dying(state_in(&folder).await, at), &folder).await;
}

/// Lets the child die at a step, looks at what it left, sends again as the carrier would; false when it lived.
async fn kept_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("carriers_crash::child", folder.path(), (0, at));
    let store = state_in(folder.path()).await;
    let moved = async || -> i64 {
        let counts = store.parcel_counts().await.unwrap();
        counts.iter().filter(|(_, result, _)| result == "moved").map(|(.., count)| count).sum()
    };
    let answered = std::fs::read_to_string(folder.path().join("answered")).map_or(0, |text| text.len());
    let left = moved().await;
    assert!(left >= i64::try_from(answered).unwrap(), "step {at}: answered before it was kept");
    assert_eq!(store.events().await.unwrap(), left, "step {at}: a word without its event, or the reverse");
    send(state_in(folder.path()).await, folder.path()).await;
    assert_eq!((moved().await, store.events().await.unwrap()), (3, 3), "step {at}");
    let order = truetill::engine::Orders::find(&store, "TT-10431").await.unwrap().unwrap();
    assert_eq!(order.parcel.unwrap().state, ParcelState::AtPickup, "step {at}");
    died
}

#[tokio::test]
async fn a_process_killed_at_any_write_keeps_every_word_once() {
    let mut deaths = 0;
    while kept_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 6, "only {deaths} steps were seen");
    eprintln!("crash: killed at each of {deaths} steps of a carrier's words, each kept once");
}

#[tokio::test]
async fn a_question_that_died_on_its_way_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = state_in(folder.path()).await;
    let mut settings = settings("http://127.0.0.1:1");
    settings.paths.data = quick_config(folder.path()).paths.data;
    let front = ShopFront::load(&settings.paths.data);
    let app = app_keeping(settings, None, (front, store.clone())).await;
    let asked = async |after: i64| {
        let now = clock() + SignedDuration::from_mins(after);
        let due = store.parcels_due(now, 1_000).await.unwrap();
        due.into_iter().find(|due| due.tracking == "1540115518")
    };
    // Taken as if by a process that died before the answer.
    let due = asked(0).await.unwrap();
    assert!(store.take_parcel(&due, Some(clock() + SignedDuration::from_mins(60))).await.unwrap());
    assert!(!store.take_parcel(&due, Some(clock())).await.unwrap(), "one process has it");
    assert!(asked(59).await.is_none());
    assert!(asked(60).await.is_some());
    assert!(tracking::tick(&app, clock() + SignedDuration::from_mins(60)).await.unwrap().failed > 0);
}
