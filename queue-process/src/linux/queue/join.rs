//! Waiting until the queue is idle, of the handles of one process.

use super::shared::Shared;
use crate::linux::engine::Storage;
use crate::unwind::ignore_panic;
use std::sync::atomic::Ordering;

impl<S: Storage> Shared<S> {
    /// How many items are lent.
    pub(super) fn in_flight(&self) -> usize {
        if self.engine.held() != 0 {
            // Some of those that have them may be dead.
            self.check_peers_if_due();
        }
        self.engine.held() as usize
    }

    /// Whether nothing waits and nothing is lent. What is deferred in this process was popped: who
    /// waits for the queue to be idle is not told of it either.
    pub(super) fn is_idle(&self) -> bool {
        self.engine.is_idle()
    }

    /// Wakes the futures of this process that join, if the queue was idle since the last time, or
    /// is.
    pub(super) fn wake_joining(&self) {
        let Some(event) = self.joining.get() else {
            return;
        };
        if !event.has_waiting() {
            return;
        }
        let idle_seq = &self.engine.control().leases.idle_seq;
        let seq = idle_seq.load(Ordering::Relaxed);
        // Relaxed: of the waker thread alone.
        if self.joined.swap(seq, Ordering::Relaxed) != seq || self.engine.is_idle() {
            ignore_panic(|| event.notify_all());
        }
    }
}
