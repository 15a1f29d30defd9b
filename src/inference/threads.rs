//! How many threads the kernels use, and how work is shared among them. candle reads the number from the
//! environment once, at its first matrix, and so does our pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::pool::Pool;

/// Does a piece of work with each item, on all threads at once; a single item is no reason to wake the others.
pub fn share<T: Send>(items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let items: Vec<Mutex<Option<T>>> = items.map(|item| Mutex::new(Some(item))).collect();
    // Each index is handed out once; a poisoned lock still holds its item.
    let take = |item: &Mutex<Option<T>>| item.lock().unwrap_or_else(PoisonError::into_inner).take();
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            take(item).into_iter().for_each(&work);
        }
    };
    match items.len() {
        0 | 1 => run(),
        _ => POOL.get_or_init(|| Pool::new(in_use() - 1)).run(&run),
    }
}

/// The threads that kernels of this process use.
pub fn in_use() -> usize {
    let set = |name| std::env::var(name).ok().and_then(|v| v.parse().ok()).filter(|n| *n > 0);
    set("CANDLE_NUM_THREADS").or_else(|| set("RAYON_NUM_THREADS")).unwrap_or_else(candle_core::utils::get_num_threads)
}

/// Starts this program anew with so many kernel threads, unless it has them; call it first in `main`.
#[cfg(unix)]
pub fn restart_with(threads: usize) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    let wanted = threads.max(1).to_string();
    let names = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];
    if names.iter().all(|n| std::env::var(n).is_ok_and(|v| v == wanted)) {
        return Ok(());
    }
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).envs(names.map(|n| (n, wanted.clone())));
    Err(command.exec())
}

/// Elsewhere the variables have to be set before the start.
#[cfg(not(unix))]
pub fn restart_with(_: usize) -> std::io::Result<()> {
    Ok(())
}
