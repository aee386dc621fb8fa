//! The watchdog: a queue that hangs its caller must not hang the test.

use super::log::now;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fs, process, thread};

/// After so long without a sign of life it is over, in nanoseconds.
const LIMIT: u64 = 120_000_000_000;

static LAST: AtomicU64 = AtomicU64::new(0);
static DOING: Mutex<String> = Mutex::new(String::new());

/// A sign of life, with what is being done.
pub(super) fn alive(doing: impl FnOnce() -> String) {
    *DOING.lock().unwrap_or_else(PoisonError::into_inner) = doing();
    LAST.store(now(), Ordering::Release);
}

/// Watches from now on; at the end removes `directory`, too.
pub(super) fn start(directory: PathBuf) {
    alive(|| "beginning".into());
    thread::spawn(move || {
        while now() - LAST.load(Ordering::Acquire) < LIMIT {
            thread::sleep(Duration::from_secs(1));
        }
        let doing = DOING.lock().unwrap_or_else(PoisonError::into_inner);
        println!("chaos: FAILED: the queue hangs its user: {doing}");
        children().into_iter().for_each(kill);
        let _ = fs::remove_dir_all(directory);
        process::exit(1);
    });
}

/// The processes that this one has started.
fn children() -> Vec<libc::pid_t> {
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = lists.flat_map(|list| {
        let words = list.split_whitespace().map(str::to_string);
        words.collect::<Vec<_>>()
    });
    numbers.filter_map(|number| number.parse().ok()).collect()
}

fn kill(child: libc::pid_t) {
    // SAFETY: sends a signal, and touches no memory. A child that was not waited for
    // cannot have given its number away.
    unsafe { libc::kill(child, libc::SIGKILL) };
}
