//! [`Storage`]: the one place that knows `crossbeam-queue`.
//!
//! loom does not see into it; under loom a [stand-in](super::stand_in) takes its place.

use queue_core::Bound;

#[cfg(loom)]
use super::stand_in::{ArrayQueue, SegQueue};
#[cfg(not(loom))]
use crossbeam_queue::{ArrayQueue, SegQueue};

pub(super) enum Storage<T> {
    Bounded(ArrayQueue<T>),
    Unbounded(SegQueue<T>),
}

impl<T> Storage<T> {
    pub(super) fn new(bound: Bound) -> Self {
        match bound {
            Bound::Items(n) => Self::Bounded(ArrayQueue::new(n.get())),
            Bound::Unbounded => Self::Unbounded(SegQueue::new()),
        }
    }

    #[inline]
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        match self {
            Self::Bounded(queue) => queue.push(item),
            Self::Unbounded(queue) => {
                queue.push(item);
                Ok(())
            }
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        match self {
            Self::Bounded(queue) => queue.pop(),
            Self::Unbounded(queue) => queue.pop(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bounded(queue) => queue.len(),
            Self::Unbounded(queue) => queue.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Bounded(queue) => queue.is_empty(),
            Self::Unbounded(queue) => queue.is_empty(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Bounded(queue) => queue.is_full(),
            Self::Unbounded(_) => false,
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        match self {
            Self::Bounded(queue) => Some(queue.capacity()),
            Self::Unbounded(_) => None,
        }
    }
}
