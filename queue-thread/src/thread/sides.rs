//! The storage of [`ThreadQueue`](super::ThreadQueue): a side for producers, one for
//! consumers, each under its own lock.
//!
//! Rules that everything here rests on:
//!
//! * `pushed` is written under the tail lock alone, `popped` under the head lock alone,
//!   and both only grow. So a producer, who knows `pushed`, never finds more room than
//!   there is; a consumer, who knows `popped`, never more items.
//! * The tail lock may be taken under the head lock, never the other way round.
//! * A listener registers under the lock of those who will notify it, so that they need
//!   no fence to see it: consumers under the tail lock, producers under the head lock.
//! * One wake is under way at a time. Who was woken passes it on if there is more, so
//!   both verbs look, after they succeeded, for others who wait for the same.
//! * Nobody is woken, and no foreign code runs, under a lock.

use queue_core::event::{Event, Listener};
use queue_core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use queue_core::sync::{CachePadded, Lock, LockGuard};
use queue_core::{Ends, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::mem;

/// The producers' side.
struct Tail<T> {
    inbox: VecDeque<T>,
    /// `popped` as last seen: the true one is at least that.
    popped_seen: usize,
    closed: bool,
}

/// The consumers' side. `outbox` is older than everything in the inbox.
struct Head<T> {
    outbox: VecDeque<T>,
}

/// One side: what its lock guards, and the count that it publishes to the other side.
struct Side<S> {
    lock: Lock<S>,
    /// Stored with Release under the lock, loaded with Acquire by the other side.
    count: AtomicUsize,
}

pub(super) struct Sides<T> {
    tail: CachePadded<Side<Tail<T>>>,
    head: CachePadded<Side<Head<T>>>,
    items: CachePadded<Event>,
    places: CachePadded<Event>,
    /// Set under the tail lock, after the last push.
    closed: AtomicBool,
    /// `usize::MAX` without a bound.
    capacity: usize,
    pub(super) ends: Ends,
}

impl<T> Sides<T> {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            tail: CachePadded(Side {
                lock: Lock::new(Tail {
                    inbox: VecDeque::new(),
                    popped_seen: 0,
                    closed: false,
                }),
                count: AtomicUsize::new(0),
            }),
            head: CachePadded(Side {
                lock: Lock::new(Head {
                    outbox: VecDeque::new(),
                }),
                count: AtomicUsize::new(0),
            }),
            items: CachePadded(Event::new()),
            places: CachePadded(Event::new()),
            closed: AtomicBool::new(false),
            capacity: capacity.unwrap_or(usize::MAX),
            ends: Ends::new(),
        }
    }

    #[inline]
    pub(super) fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut tail = self.tail.lock.lock();
        if tail.closed {
            return Err(TryPushError::Closed(item));
        }
        if self.room(&mut tail, 1) == 0 {
            return Err(TryPushError::Full(item));
        }
        tail.inbox.push_back(item);
        self.pushed(tail, 1);
        Ok(())
    }

    pub(super) fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        let mut tail = self.tail.lock.lock();
        if tail.closed {
            return Err(TryPushError::Closed(()));
        }
        let count = self.room(&mut tail, items.len()).min(items.len());
        if count == 0 {
            return Err(TryPushError::Full(()));
        }
        tail.inbox.extend(items.drain(..count));
        self.pushed(tail, count);
        Ok(count)
    }

    #[inline]
    pub(super) fn try_pop(&self) -> Result<T, TryPopError> {
        let mut head = self.head.lock.lock();
        if head.outbox.is_empty() {
            self.refill(&mut head)?;
        }
        let item = head.outbox.pop_front().expect("refilled");
        self.popped(head, 1);
        Ok(item)
    }

    pub(super) fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        // Outside the lock, so that an allocation keeps nobody waiting.
        into.reserve(max.min(self.len()));
        let mut head = self.head.lock.lock();
        if head.outbox.is_empty() {
            self.refill(&mut head)?;
        }
        let mut count = 0;
        loop {
            let some = head.outbox.len().min(max - count);
            into.extend(head.outbox.drain(..some));
            count += some;
            let popped = self.head.count.load(Ordering::Relaxed).wrapping_add(count);
            // Acquire: pairs with the Release in `pushed`; the items are there to take.
            if count == max || popped == self.tail.count.load(Ordering::Acquire) {
                break;
            }
            self.swap(&mut head);
        }
        self.popped(head, count);
        Ok(count)
    }

    /// How many more items the queue takes, looked up anew if less than `wanted`.
    #[inline]
    fn room(&self, tail: &mut Tail<T>, wanted: usize) -> usize {
        // Relaxed: only written under this lock.
        let pushed = self.tail.count.load(Ordering::Relaxed);
        let mut room = self.capacity - pushed.wrapping_sub(tail.popped_seen);
        if room < wanted {
            // Acquire: pairs with the Release in `popped`.
            tail.popped_seen = self.head.count.load(Ordering::Acquire);
            room = self.capacity - pushed.wrapping_sub(tail.popped_seen);
        }
        room
    }

    /// Announces `count` pushed items and wakes who waits.
    #[inline]
    fn pushed(&self, tail: LockGuard<'_, Tail<T>>, count: usize) {
        let pushed = self.tail.count.load(Ordering::Relaxed).wrapping_add(count);
        // Release: pairs with the Acquire in `refill`, `try_pop_many` and `len`.
        self.tail.count.store(pushed, Ordering::Release);
        let wake_consumer = self.items.has_waiting();
        drop(tail);
        if wake_consumer {
            self.items.notify_under_lock_unless_pending();
        }
        // Was this one woken for a place, and is there one more? Who sent the wake that
        // is passed on did so before this, so both looks see what it did.
        if self.places.has_waiting()
            && pushed.wrapping_sub(self.head.count.load(Ordering::Acquire)) < self.capacity
        {
            self.places.notify_under_lock_unless_pending();
        }
    }

    /// Announces `count` popped items and wakes who waits.
    #[inline]
    fn popped(&self, head: LockGuard<'_, Head<T>>, count: usize) {
        let popped = self.head.count.load(Ordering::Relaxed).wrapping_add(count);
        // Release: pairs with the Acquire in `room` and `len`.
        self.head.count.store(popped, Ordering::Release);
        let wake_producer = self.places.has_waiting();
        drop(head);
        if wake_producer {
            self.places.notify_under_lock_unless_pending();
        }
        // As in `pushed`, for an item.
        if self.items.has_waiting() && popped != self.tail.count.load(Ordering::Acquire) {
            self.items.notify_under_lock_unless_pending();
        }
    }

    /// Fills the empty outbox, or says why it cannot.
    #[inline]
    fn refill(&self, head: &mut Head<T>) -> Result<(), TryPopError> {
        // `closed` before `pushed`: whoever sees the queue closed sees the last push.
        // Acquire: pairs with the Release in `close`.
        let closed = self.closed.load(Ordering::Acquire);
        // Acquire: pairs with the Release in `pushed`. Relaxed: only written under this lock.
        let pushed = self.tail.count.load(Ordering::Acquire);
        if pushed == self.head.count.load(Ordering::Relaxed) {
            return Err(if closed {
                TryPopError::Closed
            } else {
                TryPopError::Empty
            });
        }
        self.swap(head);
        Ok(())
    }

    /// Takes the whole inbox for the empty outbox.
    fn swap(&self, head: &mut Head<T>) {
        /// What a deque may keep of a burst, in bytes.
        const KEPT: usize = 64 * 1024;
        let mut tail = self.tail.lock.lock();
        mem::swap(&mut head.outbox, &mut tail.inbox);
        let room = tail.inbox.capacity();
        let burst = room > 8 * head.outbox.len() && room * size_of::<T>() > KEPT;
        let spare = burst.then(|| mem::take(&mut tail.inbox));
        drop(tail);
        drop(spare);
    }

    pub(super) fn listen_items(&self) -> Listener<'_> {
        let _those_who_notify = self.tail.lock.lock();
        self.items.listen()
    }

    pub(super) fn listen_places(&self) -> Listener<'_> {
        let _those_who_notify = self.head.lock.lock();
        self.places.listen()
    }

    pub(super) fn close(&self) -> bool {
        let mut tail = self.tail.lock.lock();
        let was_closed = mem::replace(&mut tail.closed, true);
        // Release: pairs with the Acquire in `refill` and `is_closed`.
        self.closed.store(true, Ordering::Release);
        drop(tail);
        self.items.notify_all();
        self.places.notify_all();
        !was_closed
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn len(&self) -> usize {
        // In this order, so that pops in between make it smaller, never above capacity.
        let pushed = self.tail.count.load(Ordering::Acquire);
        let popped = self.head.count.load(Ordering::Acquire);
        let len = pushed.wrapping_sub(popped);
        if len > usize::MAX / 2 { 0 } else { len }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        (self.capacity != usize::MAX).then_some(self.capacity)
    }
}
