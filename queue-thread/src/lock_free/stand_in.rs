//! What stands in for `crossbeam-queue`'s `SegQueue` in a model: a queue of which we believe
//! no more than we must.
//!
//! Items come out once and in order, and whoever gets one sees what its pusher did. But
//! "empty" is as of the past: who knows of a push from elsewhere sees it, who does not may
//! be told what was before. So the waiting around the queue has to order all that it
//! relies on by itself.

use queue_core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct SegQueue<T> {
    /// How many were ever pushed, and in the upper half how many were popped.
    ends: AtomicU64,
    /// Has loom try all orders of the operations: of a load right before an exchange by the
    /// same thread it forgets what others loaded before.
    turn: AtomicU64,
    /// Not loom's lock, so it orders nothing in a model. It is taken right after an
    /// exchange: no other thread of the model comes between.
    items: Mutex<VecDeque<T>>,
}

const PUSHED: u64 = 1;
const POPPED: u64 = 1 << 32;

impl<T> SegQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            ends: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            items: Mutex::new(VecDeque::new()),
        }
    }

    pub(super) fn push(&self, item: T) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        // AcqRel: pairs with itself and the exchange in `pop`.
        self.ends.fetch_add(PUSHED, Ordering::AcqRel);
        self.items().push_back(item);
    }

    pub(super) fn pop(&self) -> Option<T> {
        self.turn.fetch_add(1, Ordering::Relaxed);
        // Acquire, both: pairs with the Release of those who moved an end before.
        let mut ends = self.ends.load(Ordering::Acquire);
        while inside(ends) != 0 {
            let exchanged = (self.ends).compare_exchange(
                ends,
                ends + POPPED,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match exchanged {
                Ok(_) => return self.items().pop_front(),
                Err(now) => ends = now,
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        inside(self.ends.load(Ordering::Acquire))
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inside(ends: u64) -> usize {
    (ends as u32).wrapping_sub((ends >> 32) as u32) as usize
}
