//! What an [`Engine`] can say of its queue, and closing it.

use super::engine::Engine;
use super::layout::End;
use super::platform::Platform;
use super::storage::Storage;
use queue_core::sync::atomic::Ordering;

impl<S: Storage, P: Platform> Engine<S, P> {
    /// How many items are inside.
    pub(crate) fn len(&self) -> u32 {
        // Relaxed: a number, no more. The head first, so that it is not ahead.
        let head = self.control().head.mark(Ordering::Relaxed);
        let tail = self.control().tail.mark(Ordering::Relaxed);
        head.items_until(tail).min(self.capacity())
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: says nothing about the items.
        self.control().closed.load(Ordering::Relaxed) != 0
    }

    /// Closes the queue and wakes everybody; whether it was open.
    pub(crate) fn close(&self) -> bool {
        let Ok((tail, head)) = self.lock_both() else {
            return false;
        };
        if self.is_closed() {
            return false;
        }
        self.prepare_wake(End::Tail, tail.line, true);
        self.prepare_wake(End::Head, head.line, true);
        // Relaxed: read under either lock.
        self.control().closed.store(1, Ordering::Relaxed);
        let lines = [tail.line, head.line];
        drop((tail, head));
        for line in lines {
            self.platform().wake(&line.moved, u32::MAX);
        }
        true
    }
}
