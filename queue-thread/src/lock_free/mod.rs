//! [`LockFreeQueue`]: the handle, and the verbs of the trait on `crossbeam-queue`.

mod gate;
#[cfg(loom)]
mod stand_in;
mod storage;

use gate::Gate;
use queue_core::event::{Event, Listener};
use queue_core::sync::{Arc, CachePadded};
use queue_core::{Bound, Create, Ends, Failure, Queue, TryPopError, TryPushError};
use std::fmt;
use storage::Storage;

/// A queue between threads whose operations hold no lock: `crossbeam-queue`'s
/// `ArrayQueue` or `SegQueue` under the family's waiting.
///
/// A thread that is preempted in the middle of a push or pop keeps no lock from the
/// others of its side: they go on at the next place. Take it where that matters; else
/// [`ThreadQueue`](crate::ThreadQueue) is the faster one.
///
/// It is not free of all waiting: who comes to the very place that a preempted thread is
/// at work on (all consumers, if it holds the oldest item) spins until that goes on, which
/// takes it a time slice. So it is not for threads of different real-time priorities: for
/// them take `ThreadQueue`, whose waiters sleep.
///
/// Handles are clones of one `Arc`. Threads and futures wait together; waiters are
/// not served in turn: whoever comes first takes.
///
/// # Cost
///
/// A push or pop takes some 20 to 30 ns: what `crossbeam-queue` takes, a fence that
/// waiting without a lock needs, and for a push two more atomic operations that make
/// closing exact. Memory: bounded, all places at once; unbounded, blocks of 31 items.
///
/// ```
/// use queue_thread::{LockFreeQueue, Queue, TryPushError};
/// let queue = LockFreeQueue::bounded(1);
/// queue.push("a").unwrap();
/// assert_eq!(queue.try_push("b"), Err(TryPushError::Full("b")));
/// assert_eq!(queue.pop(), Ok("a"));
/// ```
pub struct LockFreeQueue<T>(Arc<Shared<T>>);

struct Shared<T> {
    storage: Storage<T>,
    gate: CachePadded<Gate>,
    items: CachePadded<Event>,
    places: CachePadded<Event>,
    ends: Ends,
}

impl<T> LockFreeQueue<T> {
    /// An empty queue for exactly `n` items.
    ///
    /// # Panics
    /// If `n` is zero.
    #[track_caller]
    pub fn bounded(n: usize) -> Self {
        Self::new(Bound::items(n))
    }

    /// An empty queue without a bound.
    pub fn unbounded() -> Self {
        Self::new(Bound::Unbounded)
    }

    fn new(bound: Bound) -> Self {
        Self(Arc::new(Shared {
            storage: Storage::new(bound),
            gate: CachePadded(Gate::new()),
            items: CachePadded(Event::new()),
            places: CachePadded(Event::new()),
            ends: Ends::new(),
        }))
    }
}

impl<T> Create for LockFreeQueue<T> {
    /// Never fails.
    fn create(bound: Bound) -> Result<Self, Failure> {
        Ok(Self::new(bound))
    }
}

impl<T> Clone for LockFreeQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for LockFreeQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockFreeQueue")
            .field("len", &self.0.storage.len())
            .field("capacity", &self.0.storage.capacity())
            .field("closed", &self.0.gate.is_closed())
            .finish()
    }
}

impl<T: Send> Queue<T> for LockFreeQueue<T> {
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    #[inline]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let shared = &*self.0;
        let pass = match shared.gate.enter() {
            Ok(pass) => pass,
            Err(refused) => {
                if refused.late {
                    shared.items.notify_all();
                }
                return Err(TryPushError::Closed(item));
            }
        };
        let pushed = shared.storage.push(item);
        if pass.leave() {
            // Closed meanwhile: consumers wait for whether this push came to something.
            shared.items.notify_all();
        }
        match pushed {
            Ok(()) => {
                shared.items.notify_unless_pending();
                // Was this one woken for a place, and is there one more?
                if shared.places.has_waiting() && !shared.storage.is_full() {
                    shared.places.notify_unless_pending();
                }
                Ok(())
            }
            Err(item) => Err(TryPushError::Full(item)),
        }
    }

    #[inline]
    fn try_pop(&self) -> Result<T, TryPopError> {
        let shared = &*self.0;
        let item = match shared.storage.pop() {
            Some(item) => item,
            None if !shared.gate.is_over() => return Err(TryPopError::Empty),
            // Asked again: whatever was pushed before all was over is there to see now.
            None => shared.storage.pop().ok_or(TryPopError::Closed)?,
        };
        if shared.storage.capacity().is_some() {
            shared.places.notify_unless_pending();
        }
        // Was this one woken for an item, and is there one more?
        if shared.items.has_waiting() && !shared.storage.is_empty() {
            shared.items.notify_unless_pending();
        }
        Ok(item)
    }

    fn listen_items(&self) -> Listener<'_> {
        self.0.items.listen()
    }

    fn listen_places(&self) -> Listener<'_> {
        self.0.places.listen()
    }

    fn ends(&self) -> &Ends {
        &self.0.ends
    }

    fn len(&self) -> usize {
        self.0.storage.len()
    }

    fn is_empty(&self) -> bool {
        self.0.storage.is_empty()
    }

    fn is_full(&self) -> bool {
        self.0.storage.is_full()
    }

    fn capacity(&self) -> Option<usize> {
        self.0.storage.capacity()
    }

    fn close(&self) -> bool {
        let closed = self.0.gate.close();
        self.0.items.notify_all();
        self.0.places.notify_all();
        closed
    }

    fn is_closed(&self) -> bool {
        self.0.gate.is_closed()
    }
}
