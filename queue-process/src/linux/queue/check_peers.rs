//! Noticing that other processes have died, or left: a queue closes when nobody is left on a side.
//!
//! Nobody tells a process of a death: it asks the [registry](crate::linux::membership::registry).
//! It does so whenever it has waited for [`RECHECK_INTERVAL`], at some of its pushes and failed tries,
//! at some of its pops while anything is lent, and when it leaves a side itself.

use super::shared::Shared;
use crate::linux::engine::end_lock::Tries;
use crate::linux::engine::{Platform, Storage};
use crate::linux::wait::{RECHECK_INTERVAL, waker_thread};
use queue_core::Side;
use std::sync::atomic::Ordering;

impl<S: Storage> Shared<S> {
    /// If this process is a member: closes the queue if nobody is left on a side, repairs what a dead
    /// holder of a lock left, puts back what was lent to the dead, and gives memory back that is no
    /// longer needed. With so many `tries` for the locks.
    pub(crate) fn check_peers(&self, tries: Tries) {
        if !self.engine.platform().is_member() {
            return;
        }
        self.engine.recover(tries);
        self.engine.put_back_of_dead(tries);
        if self.engine.len() == 0 {
            self.engine.trim_if_due(tries);
        }
        let linux = self.engine.platform();
        let held = |side| linux.is_held(side);
        if self.engine.is_closed() || held(Side::Producers) && held(Side::Consumers) {
            return;
        }
        self.engine.close_within(tries);
    }

    /// [`check_peers`](Self::check_peers), at most twice per [`RECHECK_INTERVAL`]: for those who push
    /// or try again and again instead of waiting.
    #[inline]
    pub(crate) fn check_peers_if_due(&self) {
        let now = self.engine.platform().now();
        // Relaxed: if two threads look, no harm is done.
        let last = self.last_check.load(Ordering::Relaxed);
        if now.wrapping_sub(last) > RECHECK_INTERVAL.as_millis() as u32 / 2 {
            self.check_peers_now(now);
        }
    }

    /// The same, if anything is lent: for those who take the oldest, or count, for what the dead had
    /// is inside again.
    #[inline]
    pub(crate) fn check_holders_if_due(&self) {
        if self.engine.held() != 0 {
            self.check_peers_if_due();
        }
    }

    #[cold]
    fn check_peers_now(&self, now: u32) {
        self.last_check.store(now, Ordering::Relaxed);
        self.check_peers(Tries::Endless);
    }

    /// Whether it is closed, or should be.
    pub(crate) fn is_closed(&self) -> bool {
        self.check_peers_if_due();
        self.engine.is_closed()
    }

    /// The last end of `side` in this process is gone: so is the process, on that side.
    pub(crate) fn on_last_endpoint(&self, side: Side) {
        let counting = self.engine.platform().counting();
        if self.ends.count(side) == 0 {
            self.engine.platform().leave(side);
        }
        drop(counting);
        self.check_who_is_left();
    }

    /// This process has left a side, or both. Its waker thread is not to wait: if its tries are too
    /// few, others that look see who has left, and close the queue.
    fn check_who_is_left(&self) {
        let waits = !waker_thread::is_this_thread();
        self.check_peers(if waits { Tries::Endless } else { Tries::Few });
    }

    /// There is an end of `side` in this process.
    pub(crate) fn on_first_endpoint(&self, side: Side) {
        let _counting = self.engine.platform().counting();
        if self.half.is_none_or(|half| half == side) {
            self.engine.platform().join(side);
        }
    }
}

impl<S: Storage> Drop for Shared<S> {
    fn drop(&mut self) {
        if !self.engine.platform().is_member() {
            // A forked child's copy: nothing here is its own.
            return;
        }
        // In this order: while it closes the queue it still has a name in the locks, for
        // the byte is locked until the membership is dropped.
        for side in [Side::Producers, Side::Consumers] {
            self.engine.platform().leave(side);
        }
        self.check_who_is_left();
        self.engine.platform().unregister();
        waker_thread::unregister(self.engine.platform().eventfds());
    }
}
