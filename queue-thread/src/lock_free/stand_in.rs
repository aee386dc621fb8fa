//! What stands in for `crossbeam-queue` in a model: queues of which we believe no more than
//! we must.
//!
//! Items come out once and in order, and whoever gets one sees what its pusher did. But
//! "empty" and "full" are as of the past: who knows of a push or a pop from elsewhere sees
//! it, who does not may be told what was before. So the waiting around the storage
//! has to order all that it relies on by itself.

use queue_core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

pub(super) struct ArrayQueue<T> {
    capacity: usize,
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

impl<T> ArrayQueue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ends: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            items: Mutex::new(VecDeque::new()),
        }
    }

    /// Moves an end by `step`, if there are not as many inside as `limit`, as far as we
    /// know; right after that does `then`.
    fn advance<R>(
        &self,
        step: u64,
        limit: usize,
        then: impl FnOnce(&mut VecDeque<T>) -> R,
    ) -> Option<R> {
        self.turn.fetch_add(1, Ordering::Relaxed);
        // Acquire, both: pairs with the Release of those who moved an end before.
        let mut ends = self.ends.load(Ordering::Acquire);
        while inside(ends) != limit {
            let exchanged = (self.ends).compare_exchange(
                ends,
                ends + step,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match exchanged {
                Ok(_) => {
                    let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
                    return Some(then(&mut items));
                }
                Err(now) => ends = now,
            }
        }
        None
    }

    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let mut item = Some(item);
        self.advance(PUSHED, self.capacity, |items| items.extend(item.take()));
        item.map_or(Ok(()), Err)
    }

    pub(super) fn pop(&self) -> Option<T> {
        self.advance(POPPED, 0, VecDeque::pop_front).flatten()
    }

    pub(super) fn len(&self) -> usize {
        inside(self.ends.load(Ordering::Acquire))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }
}

fn inside(ends: u64) -> usize {
    (ends as u32).wrapping_sub((ends >> 32) as u32) as usize
}

pub(super) struct SegQueue<T>(ArrayQueue<T>);

impl<T> SegQueue<T> {
    pub(super) fn new() -> Self {
        Self(ArrayQueue::new(usize::MAX))
    }

    pub(super) fn push(&self, item: T) {
        let _ = self.0.push(item);
    }

    pub(super) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
