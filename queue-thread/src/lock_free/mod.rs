//! [`LockFreeQueue`]: the handle, and the verbs of the trait on its two storages.

#[allow(unsafe_code)]
mod chain;
mod lending;
#[allow(unsafe_code)]
mod owner;
mod push_count;
#[allow(unsafe_code)]
mod ring;
#[cfg(loom)]
mod stand_in;

use chain::Chain;
use lending::Lending;
use owner::Owner;
use queue_core::event::{Event, Listener};
use queue_core::sync::{CachePadded, thread};
use queue_core::waiters::ignore_panic;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, Queue, Side, TryPopError, TryPushError, WithCapacity,
};
use ring::Ring;
use std::fmt;

/// A queue between threads whose operations hold no lock: a ring of slots if it is
/// bounded, `crossbeam-queue`'s `SegQueue` if it is not, under the family's waiting. (While anything is
/// lent or came back, a pop, and a push that finds no slot, take a short one.)
///
/// A thread that is preempted in the middle of a push or pop keeps no lock from the
/// others of its side: they go on at the next slot. It is not free of all waiting: who
/// comes to the very slot that a preempted thread is at work on (all consumers, if it
/// holds the oldest item) spins until that goes on, which takes it a time slice. So it is
/// not for threads of different real-time priorities; nor is
/// [`ThreadQueue`](crate::ThreadQueue), where one sleeper relies on another to wake it. For
/// them there is `AsyncQueue` of `queue-async`: each item wakes a thread, and nobody spins for
/// long.
///
/// Handles are clones of one `Arc`. Threads and futures wait together; waiters are
/// not served in turn: whoever comes first takes.
///
/// # Cost
///
/// A push or pop that finds what it needs takes some 10 ns on a ring. Without a bound it
/// takes twice as much: each push has two more atomic operations, which make closing exact, and the
/// list itself has some. Memory: bounded, all slots at once;
/// unbounded, blocks of 31 items.
///
/// ```
/// use queue_thread::{LockFreeQueue, Queue, TryPushError};
/// let queue = LockFreeQueue::bounded(1);
/// queue.push("a").unwrap();
/// assert_eq!(queue.try_push("b"), Err(TryPushError::Full("b")));
/// assert_eq!(queue.pop(), Ok("a"));
/// ```
///
/// Like a `Vec` it may hold references to what is declared after it:
///
/// ```
/// use queue_thread::{LockFreeQueue, Queue};
/// let names = LockFreeQueue::bounded(1);
/// let name = String::from("a");
/// names.push(&name).unwrap();
/// ```
///
/// but no item whose own `Drop` could look at what is gone by then:
///
/// ```compile_fail,E0597
/// use queue_thread::{LockFreeQueue, Queue};
/// struct Says<'a>(&'a str);
/// impl Drop for Says<'_> {
///     fn drop(&mut self) {
///         println!("{}", self.0);
///     }
/// }
/// let names = LockFreeQueue::bounded(1);
/// let name = String::from("a");
/// names.push(Says(&name)).ok().unwrap();
/// ```
///
/// Nor does a queue of items that live long guard for one of items that do not:
///
/// ```compile_fail
/// use queue_thread::LockFreeQueue;
/// fn shorter<'a>(queue: LockFreeQueue<&'static str>) -> LockFreeQueue<&'a str> {
///     queue
/// }
/// ```
#[doc(alias("channel", "mpmc", "ArrayQueue", "SegQueue"))]
pub struct LockFreeQueue<T>(Owner<T>);

struct Shared<T> {
    storage: Storage<T>,
    items: CachePadded<Event>,
    slots: CachePadded<Event>,
    lending: CachePadded<Lending<T>>,
    ends: EndpointCounts,
}

#[allow(clippy::large_enum_variant)] // There is one for each queue, and it is not moved.
enum Storage<T> {
    Bounded(Ring<T>),
    Unbounded(Chain<T>),
}

use Storage::{Bounded, Unbounded};

impl<T> Shared<T> {
    /// Was the one that popped woken for an item, and is there one more?
    #[inline(always)]
    fn pass_on(&self) {
        if self.items.has_waiting() {
            self.pass_on_item();
        }
    }

    #[cold]
    fn pass_on_item(&self) {
        if self.len() != 0 {
            self.items.notify_unless_pending();
        }
    }

    /// Was the one that pushed woken for a slot, and is there one more?
    #[cold]
    fn pass_on_slot(&self, capacity: usize) {
        if self.taken() < capacity {
            self.slots.notify_unless_pending();
        }
    }

    /// How many items wait.
    fn len(&self) -> usize {
        match self.lending.is_used() {
            false => self.storage.len(),
            true => (self.lending).exactly(|_, returned| self.storage.len() + returned),
        }
    }

    /// How many slots are taken.
    fn taken(&self) -> usize {
        match self.lending.is_used() {
            false => self.storage.len(),
            true => self.lending.exactly(|held, _| self.storage.len() + held),
        }
    }

    /// Takes the oldest item out of the storage, and keeps it.
    #[inline(always)]
    fn take<R>(&self, mut keep: impl FnMut(T) -> R) -> Result<R, TryPopError> {
        if self.lending.is_used() {
            if let Some(kept) = self.pop_returned(&mut keep) {
                return Ok(kept);
            }
        }
        let popped = match &self.storage {
            Bounded(ring) => ring.pop(|slot| self.free(slot)),
            Unbounded(chain) => chain.pop(),
        };
        popped.map(keep).map_err(|error| self.found_none(error))
    }

    /// Apart, so that a push to a ring is small enough to be part of its caller.
    #[inline(never)]
    fn push_to_chain(&self, chain: &Chain<T>, item: T) -> Result<(), TryPushError<T>> {
        let pushed = chain.push(item);
        if pushed.at_close {
            self.items.notify_all();
        }
        pushed.result?;
        self.items.notify_after_rmw_unless_pending();
        Ok(())
    }

    /// Tells all whom it concerns that an item was taken.
    #[inline(always)]
    fn taken_one(&self) {
        if let Bounded(_) = self.storage {
            self.slots.notify_after_rmw_unless_pending();
        }
        self.pass_on();
        self.tell_if_idle();
    }
}

impl<T> LockFreeQueue<T> {
    queue_core::constructors!();
}

impl<T> WithCapacity for LockFreeQueue<T> {
    /// The slots of a bounded one are all allocated now: `TooLarge` if there is no memory for them.
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Ok(Self(Owner::new(Shared {
            storage: match bound {
                Capacity::Bounded(n) => Bounded(Ring::new(n.get())?),
                Capacity::Unbounded => Unbounded(Chain::new()),
            },
            items: CachePadded(Event::new()),
            slots: CachePadded(Event::new()),
            lending: CachePadded(Lending::new()),
            ends: EndpointCounts::new(),
        })))
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
            .field("closed", &self.0.storage.is_closed())
            .finish()
    }
}

impl<T: Send> Kind for LockFreeQueue<T> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    fn endpoints(&self) -> &EndpointCounts {
        &self.0.ends
    }

    #[inline]
    fn ready_hint(&self, side: Side) -> usize {
        let storage = &self.0.storage;
        let is_used = self.0.lending.is_used();
        match (storage, side) {
            (Bounded(ring), Side::Consumers) if !is_used => return ring.items_hint(),
            (Bounded(ring), Side::Producers) if !is_used => return ring.slots_hint(),
            _ => {}
        }
        // While something is lent the end has not come.
        if storage.is_closed() && (side == Side::Producers || !is_used) {
            return usize::MAX;
        }
        match (side, storage.capacity()) {
            (Side::Consumers, _) => self.0.len(),
            (Side::Producers, None) => usize::MAX,
            (Side::Producers, Some(n)) => n.saturating_sub(self.0.taken()),
        }
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.0.items.listen(),
            Side::Producers => self.0.slots.listen(),
        }
    }
}

impl<T: Send> Queue for LockFreeQueue<T> {
    #[inline(always)]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let shared: &Shared<T> = &self.0;
        match &shared.storage {
            Bounded(ring) => {
                let lending = &shared.lending;
                ring.push(item, |full| {
                    lending.is_used() && lending.exactly(|held, _| full(held))
                })?;
                shared.items.notify_after_rmw_unless_pending();
                if shared.slots.has_waiting() {
                    shared.pass_on_slot(ring.capacity());
                }
                Ok(())
            }
            Unbounded(chain) => shared.push_to_chain(chain, item),
        }
    }

    #[inline(always)]
    fn try_pop(&self) -> Result<T, TryPopError> {
        let item = self.0.take(|item| item)?;
        self.0.taken_one();
        Ok(item)
    }

    /// As the trait's default, but an item is in `into` before anybody is woken, whose waker may
    /// panic.
    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        let shared: &Shared<T> = &self.0;
        let most = max.min(self.len().max(1));
        // Outside the lock of what came back.
        into.reserve(most);
        for popped in 0..most {
            match shared.take(|item| into.push(item)) {
                Ok(()) => {}
                Err(error) if popped == 0 => return Err(error),
                Err(_) => return Ok(popped),
            }
            shared.taken_one();
        }
        Ok(most)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_full(&self) -> bool {
        self.capacity().is_some_and(|n| self.0.taken() >= n)
    }

    /// As the trait's default, but what is lent is left alone.
    fn close_now(&self) -> Vec<T> {
        self.close();
        let mut left = Vec::new();
        loop {
            let mut popped = Ok(0);
            ignore_panic(|| popped = self.try_pop_many(&mut left, usize::MAX));
            match popped {
                Ok(_) => {}
                // A push that was under way when the queue closed is about to end.
                Err(_) if !self.0.storage.is_over() => thread::yield_now(),
                Err(_) if self.is_empty() => return left,
                Err(_) => {}
            }
        }
    }

    fn capacity(&self) -> Option<usize> {
        self.0.storage.capacity()
    }

    fn close(&self) -> bool {
        let closed = match &self.0.storage {
            Bounded(ring) => ring.close(),
            Unbounded(chain) => chain.close(),
        };
        self.0.items.notify_all();
        self.0.slots.notify_all();
        closed
    }

    fn is_closed(&self) -> bool {
        self.0.storage.is_closed()
    }
}

impl<T> Storage<T> {
    /// Whether it is closed and every push has ended, for what that tells from one that has not.
    fn is_over(&self) -> bool {
        match self {
            Bounded(ring) => ring.is_closed(),
            Unbounded(chain) => chain.is_over(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Bounded(ring) => ring.len(),
            Unbounded(chain) => chain.len(),
        }
    }

    fn capacity(&self) -> Option<usize> {
        match self {
            Bounded(ring) => Some(ring.capacity()),
            Unbounded(_) => None,
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Bounded(ring) => ring.is_closed(),
            Unbounded(chain) => chain.is_closed(),
        }
    }
}

/// Calls `drop_one` until there is none, though dropping one of them panics. It has to drop an
/// item where it lies: what that borrows may be gone, and then it must not be moved.
fn drop_all(drop_one: impl FnMut() -> bool) {
    struct Rest<D: FnMut() -> bool>(D);
    impl<D: FnMut() -> bool> Drop for Rest<D> {
        fn drop(&mut self) {
            while (self.0)() {}
        }
    }
    let mut rest = Rest(drop_one);
    while (rest.0)() {}
}
