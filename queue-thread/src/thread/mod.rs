//! [`ThreadQueue`]: the handle, and the verbs of the trait on the storage in `store`.

mod lending;
mod store;

use queue_core::event::Listener;
use queue_core::sync::Arc;
use queue_core::waiters::ignore_panic;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, Queue, Side, TryPopError, TryPushError, WithCapacity,
};
use std::collections::VecDeque;
use std::fmt;
use store::Store;

/// The default queue between threads: two locks, two deques, no `unsafe` of its own.
///
/// Producers append to one deque under one lock. A consumer that finds many items there
/// moves them all, by one swap, to a second deque under a second lock, where consumers
/// go on. So when there is much to do the two sides meet once per batch, and an
/// operation costs one atomic read-modify-write. Order, capacity, `Full` and `Empty`
/// are exact.
///
/// Handles are clones of one `Arc`. Threads and futures wait together; waiters are
/// not served in turn: whoever comes first takes. Of the threads that sleep a burst wakes
/// one, which wakes the next as it takes an item: while one that was woken does not get to
/// run, the others sleep on.
///
/// # Cost
///
/// A push or a pop that finds what it needs takes some 10 ns. Waiting looks around for
/// some microseconds before it sleeps. Memory: two deques that grow to what was really
/// inside, and give it back after a burst.
///
/// ```
/// use queue_thread::{Queue, ThreadQueue, TryPushError};
/// let queue = ThreadQueue::bounded(1);
/// queue.push("a").unwrap();
/// assert_eq!(queue.try_push("b"), Err(TryPushError::Full("b")));
/// assert_eq!(queue.pop(), Ok("a"));
/// ```
#[doc(alias("channel", "mpmc", "mpsc", "sync_channel"))]
pub struct ThreadQueue<T>(Arc<Store<T>>);

impl<T> ThreadQueue<T> {
    queue_core::constructors!();

    fn new(bound: Capacity) -> Self {
        Self(Arc::new(Store::new(bound.capacity())))
    }
}

impl<T> WithCapacity for ThreadQueue<T> {
    /// Never fails.
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Ok(Self::new(bound))
    }
}

impl<T> Clone for ThreadQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for ThreadQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadQueue")
            .field("len", &self.0.len())
            .field("capacity", &self.0.capacity())
            .field("closed", &self.0.is_closed())
            .finish()
    }
}

impl<T: Send> Kind for ThreadQueue<T> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    #[inline]
    fn ready_hint(&self, side: Side) -> usize {
        self.0.ready_hint(side)
    }

    fn endpoints(&self) -> &EndpointCounts {
        &self.0.ends
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        self.0.listen(side)
    }
}

impl<T: Send> Queue for ThreadQueue<T> {
    #[inline]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        self.0.try_push(item)
    }

    #[inline]
    fn try_pop(&self) -> Result<T, TryPopError> {
        self.0.try_pop()
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        self.0.try_push_many(items)
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        self.0.try_pop_many(into, max)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn capacity(&self) -> Option<usize> {
        self.0.capacity()
    }

    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// As the trait's default, but pushes are never under way here, and what is lent is left alone.
    fn close_now(&self) -> Vec<T> {
        self.0.close();
        let mut left = Vec::new();
        let mut is_over = false;
        while !is_over {
            ignore_panic(|| is_over = self.0.try_pop_many(&mut left, usize::MAX).is_err());
        }
        left
    }

    fn close(&self) -> bool {
        self.0.close()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
