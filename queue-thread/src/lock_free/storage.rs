//! [`Storage`]: the one place that knows `crossbeam-queue`.
//!
//! loom does not see into it; under loom a locked deque stands in, which is
//! linearizable as the real one is.

use queue_core::Bound;

#[cfg(not(loom))]
use crossbeam_queue::{ArrayQueue, SegQueue};
#[cfg(loom)]
use stand_in::{ArrayQueue, SegQueue};

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

#[cfg(loom)]
mod stand_in {
    use queue_core::sync::Lock;
    use std::collections::VecDeque;

    pub(in crate::lock_free) struct ArrayQueue<T>(Lock<VecDeque<T>>, usize);

    impl<T> ArrayQueue<T> {
        pub(super) fn new(capacity: usize) -> Self {
            Self(Lock::new(VecDeque::new()), capacity)
        }

        pub(super) fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.0.lock();
            if items.len() == self.1 {
                return Err(item);
            }
            items.push_back(item);
            Ok(())
        }

        pub(super) fn pop(&self) -> Option<T> {
            self.0.lock().pop_front()
        }

        pub(super) fn len(&self) -> usize {
            self.0.lock().len()
        }

        pub(super) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(super) fn is_full(&self) -> bool {
            self.len() == self.1
        }

        pub(super) fn capacity(&self) -> usize {
            self.1
        }
    }

    pub(in crate::lock_free) struct SegQueue<T>(ArrayQueue<T>);

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
}
