//! Moving an end of the queue, and waking who waits for that.
//!
//! `waiting` is a flag, not a count, because a count would be wrong after a death. A member that moves
//! the end and sees the flag clears it and wakes *one* sleeper. Until that one is back, others
//! that move the end see no flag and save the wake. The woken one wakes the next at once if
//! there is more than one thing to take, or else sets the flag again. So all sleepers are woken, one
//! after the other. If a wake is lost by the death of its sender or of its receiver,
//! one sleeper of each process looks again by itself within the recheck interval:
//! see [`sleepers`](crate::linux::wait::sleepers).
//!
//! Futures wait in a list of their process, whose waker thread listens to an eventfd: see
//! [`futures`](crate::linux::wait::futures). It is notified *before* the end moves, so that no death
//! can lose the notification.

use super::control::{Cursor, End, EndState};
use super::{EndGuard, Engine, Platform, Storage};
use queue_core::sync::atomic::Ordering;

impl<S: Storage, P: Platform> Engine<S, P> {
    /// Publishes where `end` now is, gives its lock back, and wakes who waits for it. At the head so
    /// many items have gone for good.
    #[inline]
    pub(super) fn move_end(&self, end: End, guard: EndGuard<'_, P>, cursor: Cursor, gone: u32) {
        let state = guard.state;
        let wake = self.prepare_wake(end, state, false);
        // Release: pairs with the Acquire in `PeerCursor::refresh`.
        state
            .published
            .cursor
            .store(cursor.word(), Ordering::Release);
        let joined = end == End::Head && self.move_freed(state, gone);
        drop(guard);
        if joined {
            self.wake_joining();
        }
        if wake {
            // After the lock is given back, so that the woken finds it free. If we die
            // just before, they look again by themselves after a while.
            self.platform.wake(&state.wake_seq, 1);
        }
    }

    /// Under the lock of `end`: notifies the processes of futures that wait, and says whether a
    /// sleeper is to be woken. All is in place for that before the end moves.
    #[inline]
    pub(crate) fn prepare_wake(&self, end: End, state: &EndState, always: bool) -> bool {
        // Relaxed, all four words: under this lock only. The kernel orders `wake_seq` for
        // those who go to sleep.
        if state.async_waiting.load(Ordering::Relaxed) != 0 {
            self.platform.notify_futures(end);
            state.async_waiting.store(0, Ordering::Relaxed);
        }
        let wake = always || state.waiting.load(Ordering::Relaxed) != 0;
        if wake {
            state.waiting.store(0, Ordering::Relaxed);
            let wake_seq = state.wake_seq.load(Ordering::Relaxed);
            state
                .wake_seq
                .store(wake_seq.wrapping_add(1), Ordering::Relaxed);
        }
        wake
    }
}
