//! Waiting as a thread until an end of an [`Engine`] moves: getting ready, and sleeping. Futures wait by
//! means of [`futures`](super::futures).
//!
//! Whoever waits says so under the lock of those who will wake it: see the
//! [engine](crate::linux::engine)'s page.

use super::sleepers::{Sleeper, Sleepers};
use crate::linux::engine::control::End;
use crate::linux::engine::{EndGuard, Engine, Platform, Storage};
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;
use std::time::Duration;

/// What came of getting ready to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreparedWait {
    /// There is something to take: don't sleep.
    Ready,
    /// Sleep while the end's `wake_seq` is this.
    Asleep(u32),
}

impl<S: Storage, P: Platform> Engine<S, P> {
    /// How many there are of what those want who wait for `end`, under its lock.
    pub(super) fn available(&self, end: End, guard: &EndGuard<'_, P>) -> u32 {
        // Relaxed, both: numbers, no more. Our own end's is exact under its lock; if the
        // other's is old it leaves more to take than there is, so nobody sleeps in vain.
        let own = guard.state.cursor(Ordering::Relaxed);
        let other = self.control().end(end.other()).cursor(Ordering::Relaxed);
        match end {
            End::Tail => {
                let published = &self.control().head.published;
                let returned = published.returned.load(Ordering::Relaxed);
                other.items_until(own).saturating_add(returned)
            }
            End::Head => {
                let freed = guard.state.published.freed.load(Ordering::Relaxed);
                self.free_slots(other, freed)
            }
        }
    }

    /// Gets ready to sleep until `end` moves. `back` says that the caller has slept
    /// already, and so may have been woken instead of others.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed.
    pub(crate) fn prepare_wait(&self, end: End, back: bool) -> Result<PreparedWait, Failure> {
        let guard = self.lock(end)?;
        let state = guard.state;
        let available = self.available(end, &guard);
        if available == 0 && !self.is_over(end) {
            state.waiting.store(1, Ordering::Relaxed);
            return Ok(PreparedWait::Asleep(state.wake_seq.load(Ordering::Relaxed)));
        }
        if back {
            // Others may sleep still: the next gets its wake now, or with the next move.
            state.waiting.store(1, Ordering::Relaxed);
            if available > 1 && self.prepare_wake(end, state, false) {
                drop(guard);
                self.platform().wake(&state.wake_seq, 1);
            }
        }
        Ok(PreparedWait::Ready)
    }

    /// Sleeps until there is something to take at `end`, or the queue closes, or `has_deferred` says
    /// that something is to be had elsewhere; false if before that no time is left, by `left`
    /// (`None` is for ever). Whenever it has been awake, `awake` is told whether it is time to
    /// look for the dead. `sleepers` are those of this process that sleep for `end`.
    pub(crate) fn wait(
        &self,
        end: End,
        sleepers: &Sleepers,
        left: impl Fn() -> Option<Duration>,
        has_deferred: impl Fn() -> bool,
        awake: impl Fn(bool),
    ) -> bool {
        let wake_seq = &self.control().end(end).wake_seq;
        let mut sleeper = Sleeper::new(sleepers, self.platform());
        let mut back = false;
        loop {
            // A failure: whoever tries now will meet it.
            let Ok(PreparedWait::Asleep(expected)) = self.prepare_wait(end, back) else {
                return true;
            };
            // After that: a thread that defers something wakes those who got ready before.
            if has_deferred() {
                return true;
            }
            let at_most = left().unwrap_or(Duration::MAX);
            if at_most.is_zero() {
                return false;
            }
            awake(sleeper.sleep(wake_seq, expected, at_most));
            back = true;
        }
    }
}
