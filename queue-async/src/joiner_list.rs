//! [`JoinerList`]: those who wait until the queue is idle.
//!
//! Whoever leaves it idle takes all of them out of the list, under the lock, so each of them knows
//! that there was such a moment after it came; one that is cancelled has nothing to give back.

use queue_core::waiters::{WaitList, WaiterId as Key};
use std::task::Waker;

#[derive(Default)]
struct Joiner {
    served: bool,
    /// Set while it sleeps.
    waker: Option<Waker>,
}

/// See the module's page.
pub(crate) struct JoinerList {
    list: WaitList<Joiner>,
}

impl JoinerList {
    pub(crate) fn new() -> Self {
        Self {
            list: WaitList::new(),
        }
    }

    /// How many wait. Those who were served do not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.list.waiting()
    }

    pub(crate) fn enqueue(&mut self) -> Key {
        self.list.enqueue(Joiner::default())
    }

    pub(crate) fn is_served(&self, key: Key) -> bool {
        self.list[key].served
    }

    /// How `key`, which waits, is woken.
    pub(crate) fn waker_mut(&mut self, key: Key) -> &mut Option<Waker> {
        &mut self.list[key].waker
    }

    /// Serves those who wait, up to the first who sleeps: its waker.
    pub(crate) fn serve(&mut self) -> Option<Waker> {
        while self.waiting() != 0 {
            let key = self.list.first();
            self.list.unlink(key);
            self.list[key].served = true;
            let waker = self.list[key].waker.take();
            if waker.is_some() {
                return waker;
            }
        }
        None
    }

    /// Takes `key` out: its waker.
    pub(crate) fn leave(&mut self, key: Key) -> Option<Waker> {
        if !self.is_served(key) {
            self.list.unlink(key);
        }
        self.list.remove(key).waker
    }
}
