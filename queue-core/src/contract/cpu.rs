//! The processor time that a thread has really used.
//!
//! Wall time cannot tell a waiter that sleeps from one that spins. Asking the system
//! for a thread's time needs either a foreign function, so `unsafe` or a dependency, or
//! a file: Linux offers `/proc/<pid>/task/<tid>/schedstat`, in nanoseconds, readable by
//! any thread of the process for any other. Elsewhere there is no clock, and C14 checks
//! only what it can without: how often a waiting future is woken.

use std::path::PathBuf;
use std::time::Duration;

/// The processor clock of one thread.
#[derive(Debug)]
pub(super) struct ThreadClock(PathBuf);

/// What a thread has used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Time on a processor.
    pub(super) time: Duration,
    /// How often it was put on one.
    pub(super) runs: u64,
}

impl ThreadClock {
    /// The clock of the calling thread, if the system has one.
    pub(super) fn current() -> Option<Self> {
        let this = std::fs::read_link("/proc/thread-self").ok()?;
        let clock = Self(PathBuf::from("/proc").join(this).join("schedstat"));
        clock.read().map(|_| clock)
    }

    /// `None` once the thread has ended.
    pub(super) fn read(&self) -> Option<Used> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let mut fields = text.split_whitespace().map(|field| field.parse().ok());
        let time = Duration::from_nanos(fields.next()??);
        let runs = fields.nth(1)??;
        Some(Used { time, runs })
    }
}
