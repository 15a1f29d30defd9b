//! kill -9 before and after every commit on the way to a one-time code and past it: an order is told after the right code alone, a code
//! opens once, and whoever got no answer asks again and gets there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use truetill::engine::{CodeLetter, CodeSender};
use truetill::identity::Codes;
use truetill::store::StateStore;

use crate::cluster::state_in;
use crate::common::{TestApp, app_keeping, clock, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, dying, lease_over, told_to_die};

/// Of TT-10443 in `data/orders`.
pub const PHONE: &str = "+421 900 000 102";
const ORDER: &str = "TT-10443";

/// Writes letters down, a line each.
pub struct Letters(pub PathBuf);

#[async_trait]
impl CodeSender for Letters {
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0)?;
        Ok(writeln!(file, "{}", letter.code)?)
    }
}

/// Two minutes on: another code may be asked for.
fn later() -> Timestamp {
    clock() + SignedDuration::from_mins(2)
}

/// The codes that were sent, oldest first.
pub fn letters(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("letters")).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

async fn door(store: StateStore, folder: &Path, now: fn() -> Timestamp) -> TestApp {
    let mut settings = quick_config(folder);
    // Without a key of its own a program that starts again ends the codes of the one before.
    settings.identity.code.key.0 = "a key that outlives the process".to_string();
    let front = ShopFront::load(&settings.paths.data);
    let mut app = app_keeping(settings, None, (front, store)).await;
    let inner = Arc::get_mut(&mut app).unwrap();
    inner.codes = Codes::over(&inner.config.identity.code, Some(Arc::new(Letters(folder.join("letters"))))).unwrap();
    inner.clock = now;
    TestApp::over(app)
}

/// One message; the conversation is in `client`, the reply's text comes back.
async fn say(door: &TestApp, folder: &Path, text: &str) -> String {
    let mut body = json!({"message": text, "locale": "en"});
    if let Ok(session) = std::fs::read_to_string(folder.join("client")) {
        body["session_id"] = session.into();
    }
    let reply = door.post("/api/v1/chat", body.to_string(), &[]).await;
    assert!(reply.status.is_success(), "{text}: {}", reply.body);
    let reply = reply.json();
    std::fs::write(folder.join("client"), reply["session_id"].as_str().unwrap()).unwrap();
    reply["reply"]["text"].as_str().unwrap().to_string()
}

/// The letter leaves by itself, a moment after the reply.
pub async fn newest(folder: &Path, before: usize) -> Option<String> {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    letters(folder).split_off(before).pop()
}

/// Asks by the phone alone and types what is sent.
async fn ask(door: &TestApp, folder: &Path) -> String {
    let before = letters(folder).len();
    let told = say(door, folder, "where is my order?").await;
    if told.contains(ORDER) {
        assert!(before > 0, "told before a code was sent: {told}");
        return told;
    }
    let told = say(door, folder, PHONE).await;
    assert!(!told.contains(ORDER), "told before the code: {told}");
    match newest(folder, before).await {
        Some(code) => say(door, folder, &code).await,
        None => String::new(),
    }
}

#[tokio::test]
async fn child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    let door = door(dying(state_in(&folder).await, at), &folder, clock).await;
    assert!(ask(&door, &folder).await.contains(ORDER));
}

async fn proved_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("codes_crash::child", folder.path(), (0, at));
    let sent = letters(folder.path());
    assert!(sent.len() <= 1, "step {at}: {sent:?}");
    let store = state_in(folder.path()).await;
    lease_over(&store, &std::fs::read_to_string(folder.path().join("client")).unwrap_or_default()).await;
    let door = door(store, folder.path(), later).await;
    if died {
        // The shopper types what came, which may have been used by the process that died; then asks anew.
        let told = match sent.first() {
            Some(code) => say(&door, folder.path(), code).await,
            None => String::new(),
        };
        if !told.contains(ORDER) {
            let told = ask(&door, folder.path()).await;
            assert!(told.contains(ORDER), "step {at}: {told}");
        }
        assert!(letters(folder.path()).len() <= 2, "step {at}");
    }
    // Each code is worth something once: a stranger who read them gets nowhere.
    std::fs::remove_file(folder.path().join("client")).unwrap();
    for code in letters(folder.path()) {
        let told = say(&door, folder.path(), &code).await;
        assert!(!told.contains(ORDER), "step {at}: {told}");
    }
    died
}

#[tokio::test]
async fn a_process_killed_at_any_commit_of_a_code_tells_nobody_and_keeps_nobody_out() {
    let mut deaths = 0;
    while proved_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 6, "only {deaths} commits were seen");
    eprintln!("crash: killed at {deaths} places on the way to a code, the order was told after it alone");
}
