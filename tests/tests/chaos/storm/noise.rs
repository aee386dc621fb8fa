//! [`Noise`]: what the machine itself costs.

use super::log::now;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Notices how long this machine keeps a thread that wants to run from running.
pub(super) struct Noise {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
    worst: Arc<AtomicU64>,
}

impl Noise {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let worst = Arc::new(AtomicU64::new(0));
        let (stopped, longest) = (stop.clone(), worst.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let start = now();
                thread::sleep(Duration::from_millis(1));
                let late = (now() - start).saturating_sub(1_000_000);
                longest.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self {
            stop,
            thread,
            worst,
        }
    }

    pub(super) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only sleeps");
        self.worst.load(Ordering::Relaxed)
    }
}
