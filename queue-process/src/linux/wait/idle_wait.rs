//! Waiting until a queue is idle, as a thread: nothing waits in it, and nothing is lent.
//!
//! Whoever joins says so under the head lock, after having looked once more under it; and whoever
//! leaves the queue idle looks for those under the same lock: no idle moment is missed by who
//! sleeps. What it missed before, or with somebody who died, it finds when it looks again by
//! itself, within the recheck interval.

use super::RECHECK_INTERVAL;
use crate::linux::engine::control::joining;
use crate::linux::engine::leases::PreparedJoin;
use crate::linux::engine::{Engine, Platform, Storage};
use queue_core::sync::atomic::Ordering;
use std::time::Duration;

impl<S: Storage, P: Platform> Engine<S, P> {
    /// Sleeps until there was a moment in which the queue was idle: true; false if before that no
    /// time is left, by `left` (`None` is for ever). Whenever it has been awake, `awake` is told
    /// whether it is time to look for the dead.
    pub(crate) fn join(&self, left: impl Fn() -> Option<Duration>, awake: impl Fn(bool)) -> bool {
        let idle_seq = &self.control().leases.idle_seq;
        let mut first = None;
        loop {
            let seen = match self.prepare_join(joining::ASLEEP) {
                Ok(PreparedJoin::Idle) => return true,
                // It was idle, and is not any more.
                Ok(PreparedJoin::Asleep(seen)) if *first.get_or_insert(seen) != seen => {
                    return true;
                }
                Ok(PreparedJoin::Asleep(seen)) => seen,
                // It cannot be repaired now; perhaps it can later. Relaxed: what it was last does
                // not count without the lock, and the kernel looks again.
                Err(_) => idle_seq.load(Ordering::Relaxed),
            };
            let at_most = left().unwrap_or(Duration::MAX).min(RECHECK_INTERVAL);
            if at_most.is_zero() {
                return false;
            }
            awake(self.platform().sleep(idle_seq, seen, at_most));
        }
    }
}
