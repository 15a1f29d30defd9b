//! A process that is killed on purpose: the dying half is this test binary, started again by the living half with what it must know.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use truetill::store::StateStore;

use crate::cluster;

/// Counts a step; at one of them the process is no more, as if by kill -9.
pub fn step(counter: &AtomicUsize, at: usize) {
    if counter.fetch_add(1, Ordering::SeqCst) + 1 == at {
        let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        loop {
            std::thread::park();
        }
    }
}

/// A store that kills its process at one of its commits, before or after it.
pub fn dying(store: StateStore, at: usize) -> StateStore {
    let count = AtomicUsize::new(0);
    store.watched(Arc::new(move || step(&count, at)))
}

/// How many steps on a process is killed next: at each with SQLite, at every fifth with PostgreSQL, where a step takes seconds and
/// the statements are the same.
pub fn stride() -> usize {
    if std::env::var_os(cluster::SERVER).is_some() { 5 } else { 1 }
}

/// This binary once more, with what the dying half must know: a folder, which flow, at which step. True when it died.
pub fn died(test: &str, folder: &Path, (flow, at): (usize, usize)) -> bool {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact"])
        .env("KILLED_FOLDER", folder)
        .envs([("KILLED_FLOW", flow.to_string()), ("KILLED_AT", at.to_string())])
        .output()
        .unwrap();
    !child.status.success()
}

/// Gives back the conversation a dead process had taken, as if its lease had run out; `client` is what its shopper was told.
pub async fn lease_over(store: &StateStore, client: &str) {
    let Some(session) = client.lines().next().and_then(|line| line.parse().ok()) else { return };
    if let Some(left) = store.conversation(session).await.unwrap() {
        store.release_conversation(session, left.session.version).await.unwrap();
    }
}

/// What the dying half must know; nothing in the living one.
pub fn told_to_die() -> Option<(PathBuf, usize, usize)> {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    Some((std::env::var_os("KILLED_FOLDER")?.into(), number("KILLED_FLOW")?, number("KILLED_AT")?))
}
