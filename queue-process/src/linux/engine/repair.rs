//! Repairing what a member left that died while it held a lock.

use super::control::{End, EndState};
use super::end_lock::{Acquired, Tries, acquire_lock, release_lock};
use super::{Both, EndGuard, Engine, Platform, Storage};
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;

impl<S: Storage, P: Platform> Engine<S, P> {
    #[cold]
    pub(super) fn lock_poisoned(
        &self,
        state: &EndState,
        end: End,
        taken: Acquired,
        tries: Tries,
    ) -> Result<Option<EndGuard<'_, P>>, Failure> {
        match taken {
            Acquired::Busy => return Ok(None),
            Acquired::NotMember => {
                // Says why; or it can by now.
                self.platform.become_member()?;
                return self.lock_within(end, tries);
            }
            Acquired::Free | Acquired::FromDead => {}
        }
        if taken == Acquired::FromDead {
            state.poisoned.store(1, Ordering::Relaxed);
        }
        release_lock(&state.lock, &self.platform);
        let both = self.lock_both_within(tries)?;
        Ok(both.map(|(tail, head)| match end {
            End::Tail => tail,
            End::Head => head,
        }))
    }

    /// Both locks, and nothing poisoned, with so many tries for each: `None` if they were too few.
    pub(crate) fn lock_both_within(&self, tries: Tries) -> Result<Option<Both<'_, P>>, Failure> {
        self.platform.become_member()?;
        let take = |end| {
            let state = self.control().end(end);
            match acquire_lock(&state.lock, &self.platform, tries) {
                Acquired::Busy => return None,
                Acquired::FromDead => state.poisoned.store(1, Ordering::Relaxed),
                Acquired::Free | Acquired::NotMember => {}
            }
            Some(EndGuard {
                state,
                platform: &self.platform,
            })
        };
        let Some(tail) = take(End::Tail) else {
            return Ok(None);
        };
        let Some(head) = take(End::Head) else {
            // Whether the tail is poisoned is remembered there.
            return Ok(None);
        };
        let poisoned = |guard: &EndGuard<'_, P>| guard.state.poisoned.load(Ordering::Relaxed) != 0;
        if poisoned(&tail) || poisoned(&head) {
            self.storage.repair(self.control())?;
            self.repair_leases()?;
            // The dead may not have woken somebody whom it should have.
            for (end, guard) in [(End::Tail, &tail), (End::Head, &head)] {
                self.prepare_wake(end, guard.state, true);
                self.platform.wake(&guard.state.wake_seq, u32::MAX);
                guard.state.poisoned.store(0, Ordering::Relaxed);
            }
        }
        Ok(Some((tail, head)))
    }

    /// Repairs what a member left that died while it held a lock: for those who wait, who would
    /// not be told if no other member took that lock, and for those who count. With so many `tries`
    /// for the locks.
    pub(crate) fn recover(&self, tries: Tries) {
        let is_left = |end| {
            let state = self.control().end(end);
            // Acquire: pairs with the Release of the exchange that wrote the name. Relaxed: who is
            // about to repair it has the locks, for which the repair waits.
            let holder = state.lock.load(Ordering::Acquire);
            state.poisoned.load(Ordering::Relaxed) != 0
                || holder != 0 && !self.platform.is_alive(holder)
        };
        if is_left(End::Tail) || is_left(End::Head) {
            // A failure: whoever tries meets it.
            let _ = self.lock_both_within(tries);
        }
    }
}
