//! Waiting until an end of a queue moves: of threads, in the kernel; of futures, in a list of
//! their process. Who moves the end decides whom to wake: see [`engine`](crate::linux::engine).

#[cfg(not(loom))]
pub(crate) mod eventfd;
pub(crate) mod futures;
#[cfg(not(loom))]
pub(crate) mod idle_listener;
pub(crate) mod idle_wait;
#[cfg(not(loom))]
pub(crate) mod listener;
#[cfg(not(loom))]
mod own_wait;
pub(crate) mod sleepers;
#[cfg(not(loom))]
pub(crate) mod target;
pub(crate) mod thread_wait;
#[cfg(not(loom))]
pub(crate) mod waker_thread;

#[cfg(all(test, not(loom)))]
mod tests;

use std::time::Duration;

/// How long a sleeper sleeps at most before it looks again: so that a survivor notices a
/// death within a tenth of a second.
pub(crate) const RECHECK_INTERVAL: Duration = Duration::from_millis(65);

/// After how long a thread looks again that sleeps while another of its process does so every
/// [`RECHECK_INTERVAL`]: for where that one is no more, as in a process forked from this one.
const FOLLOWER_RECHECK_INTERVAL: Duration = Duration::from_secs(5);
