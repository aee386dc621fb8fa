//! [`Sleepers`]: the threads of one process that sleep until an end of a queue moves.
//!
//! One of them is the leader: every [`RECHECK_INTERVAL`](super::RECHECK_INTERVAL) it checks for all
//! of them whether a peer has died, or a wake was lost with it. The others are its
//! followers: they sleep until they are woken, or until nobody leads. A leader that leaves, because
//! it has got what it waited for, wakes one follower, which leads from then on. A follower that
//! leaves while nobody leads does the same, because it may have been woken to lead.
//!
//! Each process has a leader of its own, so the death of another process does not touch it.

use crate::linux::engine::Platform;
use crate::sys::Word32;
use queue_core::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

/// Those who sleep for one end.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// One while somebody leads: what followers sleep on, beside the end's `wake_seq`.
    led: AtomicU32,
    /// How many are about to sleep as followers, or asleep.
    pub(super) followers: AtomicU32,
}

/// A thread that waits until an end moves; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Sleeper<'a, P: Platform> {
    all: &'a Sleepers,
    platform: &'a P,
    leads: bool,
}

impl<'a, P: Platform> Sleeper<'a, P> {
    pub(super) fn new(all: &'a Sleepers, platform: &'a P) -> Self {
        Self {
            all,
            platform,
            leads: false,
        }
    }

    /// Sleeps while `wake_seq` is `expected`, until woken, or for about `at_most`, or until it is time
    /// to look for the dead: whether it is.
    pub(super) fn sleep(&mut self, wake_seq: &Word32, expected: u32, at_most: Duration) -> bool {
        let led = &self.all.led;
        // Relaxed, both: there is nothing to see but that somebody leads.
        self.leads = self.leads
            || (led.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)).is_ok();
        if self.leads {
            let at_most = at_most.min(super::RECHECK_INTERVAL);
            return self.platform.sleep(wake_seq, expected, at_most);
        }
        self.all.followers.fetch_add(1, Ordering::Relaxed);
        // Between counting this one and looking whether somebody leads, which the kernel does:
        // pairs with the fence of who leaves.
        fence(Ordering::SeqCst);
        let at_most = at_most.min(super::FOLLOWER_RECHECK_INTERVAL);
        let slept = (self.platform).sleep_as_follower(wake_seq, expected, led, at_most);
        self.all.followers.fetch_sub(1, Ordering::Relaxed);
        slept
    }
}

impl<P: Platform> Drop for Sleeper<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if self.leads {
            self.all.led.store(0, Ordering::Relaxed);
        }
        // Between saying that nobody leads and looking for followers: pairs with the fence of
        // who follows.
        fence(Ordering::SeqCst);
        // Relaxed, both: as above.
        let is_led = self.all.led.load(Ordering::Relaxed) != 0;
        if !is_led && self.all.followers.load(Ordering::Relaxed) != 0 {
            self.platform.wake_follower(&self.all.led);
        }
    }
}
