//! What an [`Engine`] can say of its queue, and closing it.

use super::Engine;
use super::layout::End;
use super::lock::Tries;
use super::platform::Platform;
use super::storage::Storage;
use queue_core::sync::atomic::Ordering;

impl<S: Storage, P: Platform> Engine<S, P> {
    /// How many items come out if nobody else acts, also where somebody died in the middle of a
    /// push or a pop, and what that left is not yet repaired: then that is done first.
    pub(crate) fn exact_len(&self) -> u32 {
        self.recover(Tries::Endless);
        self.len()
    }

    /// How many items are inside, or one more or fewer while somebody is in the middle of a
    /// push or a pop.
    pub(crate) fn len(&self) -> u32 {
        // Relaxed: a number, no more. The head first, so that it is not ahead.
        let head = self.control().head.cursor(Ordering::Relaxed);
        let tail = self.control().tail.cursor(Ordering::Relaxed);
        head.items_until(tail).min(self.capacity())
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: says nothing about the items.
        self.control().closed.load(Ordering::Relaxed) != 0
    }

    /// Closes the queue and wakes everybody; whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.close_within(Tries::Endless)
    }

    /// [`close`](Self::close), with so many tries for the locks.
    pub(crate) fn close_within(&self, tries: Tries) -> bool {
        let Ok(Some((tail, head))) = self.lock_both_within(tries) else {
            return false;
        };
        if self.is_closed() {
            return false;
        }
        self.prepare_wake(End::Tail, tail.state, true);
        self.prepare_wake(End::Head, head.state, true);
        // Relaxed: read under either lock.
        self.control().closed.store(1, Ordering::Relaxed);
        let states = [tail.state, head.state];
        drop((tail, head));
        for state in states {
            self.platform().wake(&state.wake_seq, u32::MAX);
        }
        true
    }
}
