//! How the futures of a process wait for an end of an [`Engine`] to move.
//!
//! They wait in a [`WaitList`], in the order in which they came. The waker thread of their process
//! listens to the eventfd of the end, and wakes one of them for each item (or slot) that came since
//! it last looked: not all of them for each.
//!
//! 1. A future joins the list, and then looks, under the lock of those who would notify it. If
//!    there is nothing, it sets [a flag](Engine::prepare_async_wait) that a future waits.
//! 2. A member that moves the end and sees the flag writes to the eventfd, and clears the flag.
//! 3. The thread is notified, looks under the same lock what has come, and wakes futures once
//!    it has released the lock. If more futures wait it looks again, until nothing has come.
//!    Then it sets the flag again.
//!
//! The count of the end's cursor says what has come. `notified_until` is the count up to which
//! futures were woken: as it was when there was nothing, or when the thread last looked. So as
//! long as a future waits that was not woken, the futures that were woken and have not yet
//! tried, and what they were not told yet, are together as many as there are items. A future
//! that was woken and finds nothing was overtaken, so there is nothing; one that is dropped
//! instead wakes the next.
//!
//! The thread serves all queues of its process, so it does not wait for a lock whose holder was
//! stopped. It comes back to that end later.

use crate::linux::engine::control::End;
use crate::linux::engine::end_lock::Tries;
use crate::linux::engine::{Engine, Platform, Storage};
use crate::unwind::ignore_panic;
use queue_core::Failure;
use queue_core::event::Event;
use queue_core::sync::atomic::{AtomicU32, Ordering};

/// The futures of this process that wait for one end.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    pub(super) event: Event,
    /// Up to which count of the end they were told: written under its lock.
    notified_until: AtomicU32,
}

impl WaitList {
    /// Where they wait.
    pub(crate) fn event(&self) -> &Event {
        &self.event
    }
}

impl<S: Storage, P: Platform> Engine<S, P> {
    /// Has the eventfd of `end` notified when that moves, for a future that waits in `list`; false
    /// if there is something to take already, or nothing will come.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed.
    pub(crate) fn prepare_async_wait(&self, end: End, list: &WaitList) -> Result<bool, Failure> {
        let guard = self.lock(end)?;
        // In this order: see `arrivals`.
        let count = self.arrivals(end, guard.state);
        if self.available(end, &guard) != 0 || self.is_over(end) {
            return Ok(false);
        }
        // Relaxed, all: under this lock only.
        list.notified_until.store(count, Ordering::Relaxed);
        guard.state.async_waiting.store(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Wakes as many of `list` as there is news for at `end`, whose eventfd was notified, and asks
    /// to be notified anew if others wait. False if it has to be called again for that: so many
    /// tries for the lock of `end` were too few.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed.
    pub(crate) fn wake_futures(
        &self,
        end: End,
        list: &WaitList,
        tries: Tries,
    ) -> Result<bool, Failure> {
        loop {
            let Some(guard) = self.lock_within(end, tries)? else {
                return Ok(false);
            };
            // Relaxed, all: under this lock only.
            let count = self.arrivals(end, guard.state);
            let came = count.wrapping_sub(list.notified_until.load(Ordering::Relaxed));
            // What others took meanwhile needs nobody.
            let came = came.min(self.available(end, &guard));
            list.notified_until.store(count, Ordering::Relaxed);
            let closed = self.is_over(end);
            // Whoever waits joined the list before it last looked under this lock.
            let waits = list.event.has_waiting();
            if waits && came == 0 && !closed {
                guard.state.async_waiting.store(1, Ordering::Relaxed);
            }
            if !waits || came == 0 && !closed {
                return Ok(true);
            }
            drop(guard);
            if closed {
                ignore_panic(|| list.event.notify_all());
            }
            for _ in 0..came {
                ignore_panic(|| list.event.notify());
            }
            // A future that comes from now on sets the flag itself.
            if !list.event.has_waiting() {
                return Ok(true);
            }
        }
    }
}
