//! Who waits in this process until the queue is idle: their count, and how they are woken.

use super::shared::Shared;
use crate::linux::engine::Storage;
use crate::linux::engine::control::joining;
use crate::unwind::ignore_panic;
use std::sync::atomic::Ordering;

impl<S: Storage> Shared<S> {
    /// How many items are lent.
    pub(super) fn in_flight(&self) -> usize {
        self.check_holders_if_due();
        self.engine.held() as usize
    }

    /// Wakes the futures of this process that join, if the queue was idle since the last time, or
    /// is; or if nobody would tell them, because they could not look.
    pub(super) fn wake_joining(&self) {
        let Some(event) = self.joining.get() else {
            return;
        };
        if !event.has_waiting() {
            return;
        }
        let control = self.engine.control();
        let seq = control.leases.idle_seq.load(Ordering::Relaxed);
        // Relaxed: at worst they look once more, or at the next check.
        let told = control.head.published.joining.load(Ordering::Relaxed) & joining::FUTURES != 0;
        // Relaxed: of the waker thread alone.
        if self.joined.swap(seq, Ordering::Relaxed) != seq || !told || self.engine.is_idle() {
            ignore_panic(|| event.notify_all());
        }
    }
}
