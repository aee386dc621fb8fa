//! Getting ready to wait for an end of an [`Engine`] to move, as a thread or as a future.
//!
//! Whoever waits says so under the lock of those who will wake it: see the
//! [engine](super::engine)'s page.

use super::engine::{Engine, Held};
use super::layout::End;
use super::platform::Platform;
use super::storage::Storage;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;

/// What came of getting ready to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is something to take: don't sleep.
    Ready,
    /// Sleep while the end's `moved` is this.
    Asleep(u32),
}

impl<S: Storage, P: Platform> Engine<S, P> {
    /// How many there are of what those want who wait for `end`, under its lock.
    fn available(&self, end: End, held: &Held<'_, P>) -> u32 {
        // Relaxed, both: numbers, no more. Our own end's is exact under its lock; if the
        // other's is old it leaves more to take than there is, so nobody sleeps in vain.
        let own = held.line.mark(Ordering::Relaxed);
        let other = self.control().line(end.other()).mark(Ordering::Relaxed);
        match end {
            End::Tail => other.items_until(own),
            End::Head => self.places(other, own),
        }
    }

    /// Gets ready to sleep until `end` moves. `back` says that the caller has slept
    /// already, and so may have been woken in the place of others.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed.
    pub(crate) fn stand(&self, end: End, back: bool) -> Result<Standing, Failure> {
        let held = self.lock(end)?;
        let line = held.line;
        let available = self.available(end, &held);
        if available == 0 && !self.is_closed() {
            line.waiting.store(1, Ordering::Relaxed);
            return Ok(Standing::Asleep(line.moved.load(Ordering::Relaxed)));
        }
        if back {
            // Others may sleep still: the next gets its wake now, or with the next move.
            line.waiting.store(1, Ordering::Relaxed);
            if available > 1 && self.prepare_wake(end, line, false) {
                drop(held);
                self.platform().wake(&line.moved, 1);
            }
        }
        Ok(Standing::Ready)
    }

    /// Gets ready to wait for the bell of `end`; false if there is no need to.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed.
    pub(crate) fn listen(&self, end: End) -> Result<bool, Failure> {
        let held = self.lock(end)?;
        if self.available(end, &held) != 0 || self.is_closed() {
            return Ok(false);
        }
        // First the flag: who dies between the two leaves a bell that rings in vain,
        // not one that nobody will ring.
        held.line.armed.store(1, Ordering::Relaxed);
        self.platform().silence(end);
        Ok(true)
    }
}
