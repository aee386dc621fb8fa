//! Waiting until the queue is idle, of the handles of one process.

use super::shared::Shared;
use crate::linux::engine::Storage;
use crate::unwind::ignore_panic;
use std::sync::atomic::Ordering;

impl<S: Storage> Shared<S> {
    /// How many items are lent.
    pub(super) fn in_flight(&self) -> usize {
        self.check_holders_if_due();
        self.engine.held() as usize
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
