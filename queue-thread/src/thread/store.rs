//! The storage of [`ThreadQueue`](super::ThreadQueue): two deques, each under its own
//! lock. It says whether somebody is to be woken; whom, the [`event`](queue_core::event) says.
//!
//! The *inbox* is where producers append. The *outbox* is older than everything in the
//! inbox: while it holds items consumers take from it and leave producers alone; when
//! it is empty they take from the inbox, and who finds many there makes it the outbox.
//!
//! Rules that everything here rests on:
//!
//! * The inbox changes under the tail lock, the outbox under the head lock; the outbox
//!   *grows* under both. So under the tail lock an outbox seen empty stays empty, and
//!   one seen with n items has at most n.
//! * Every atomic here is a number that somebody decides by, never a door to data: what
//!   data there is lies behind the locks, and those order it. So all are Relaxed, but for the
//!   count of the outbox, which publishes that an item which is not there any more is lent.
//! * The head lock may be taken under the tail lock, never the other way round.
//! * Between registering and sleeping a listener has held the lock of those who will
//!   notify it, so that they need no fence to see it.
//! * Among threads one wake is under way at a time. Who was woken passes it on if there
//!   is more, so both verbs look, before they unlock, for others who wait for the same.
//! * Nobody is woken, no memory freed, and no foreign code runs, under a lock.

use super::lending::Lending;
use queue_core::event::{Event, Listener};
use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::{CachePadded, Lock, seq_cst};
use queue_core::{EndpointCounts, Side, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::mem;

/// So many items in the inbox are worth making it the outbox; one, so that models of
/// a few items go that way too.
const BATCH: usize = if cfg!(loom) { 1 } else { 8 };

/// What an empty deque keeps of a burst, in bytes.
const KEPT: usize = 1 << 20;

/// Where producers append.
struct Tail<T> {
    inbox: VecDeque<T>,
    /// The outbox holds, and what is lent or came back takes, at most so many slots together.
    ahead: usize,
    closed: bool,
}

/// A lock, and how many items are behind it: stored under the lock, loaded anywhere.
struct Locked<S> {
    lock: Lock<S>,
    count: AtomicUsize,
}

impl<S> Locked<S> {
    fn new(state: S) -> CachePadded<Self> {
        CachePadded(Self {
            lock: Lock::new(state),
            count: AtomicUsize::new(0),
        })
    }
}

pub(super) struct Store<T> {
    /// The outbox: the first field, so that the older items are the first to be dropped.
    head: CachePadded<Locked<VecDeque<T>>>,
    tail: CachePadded<Locked<Tail<T>>>,
    pub(super) items: CachePadded<Event>,
    pub(super) slots: CachePadded<Event>,
    pub(super) lending: CachePadded<Lending<T>>,
    /// A copy of `Tail::closed`, 0 or 1, for those without its lock.
    pub(super) closed: AtomicUsize,
    capacity: Option<usize>,
    /// The capacity, or a number that is never reached.
    limit: usize,
    pub(super) ends: EndpointCounts,
}

/// How many to wake once the lock is given back, if there are so many.
struct Wakes {
    consumers: usize,
    producers: usize,
    /// Whether those who join are to be told, if the queue is idle.
    joiners: bool,
}

impl<T> Store<T> {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            head: Locked::new(VecDeque::new()),
            tail: Locked::new(Tail {
                inbox: VecDeque::new(),
                ahead: 0,
                closed: false,
            }),
            items: CachePadded(Event::new()),
            slots: CachePadded(Event::new()),
            lending: CachePadded(Lending::new()),
            closed: seq_cst(0),
            capacity,
            limit: capacity.unwrap_or(usize::MAX),
            ends: EndpointCounts::new(),
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
        let wakes = self.pushed(&mut tail, 1);
        drop(tail);
        self.wake(wakes);
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
        let wakes = self.pushed(&mut tail, count);
        drop(tail);
        self.wake(wakes);
        Ok(count)
    }

    #[inline]
    pub(super) fn try_pop(&self) -> Result<T, TryPopError> {
        if self.lending.returned() != 0 {
            if let Some(item) = self.pop_returned(|item| item) {
                return Ok(item);
            }
        }
        self.take::<false, _>(1, |deque, _| deque.pop_front().expect("one was promised"))
    }

    pub(super) fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        // No more than are inside now, whatever comes while this takes from two deques.
        let max = max.min(self.len().max(1));
        // Outside the locks, so that an allocation keeps nobody waiting.
        into.reserve(max);
        let before = into.len();
        while self.lending.returned() != 0 && into.len() - before < max {
            if self.pop_returned(|item| into.push(item)).is_none() {
                break;
            }
        }
        let returned = into.len() - before;
        if returned == max {
            return Ok(max);
        }
        let mut some = |max| {
            self.take::<false, _>(max, |deque, count| {
                into.extend(deque.drain(..count));
                count
            })
        };
        let max = max - returned;
        let popped = match some(max) {
            Ok(popped) => popped,
            Err(_) if returned != 0 => return Ok(returned),
            Err(error) => return Err(error),
        };
        // What the outbox was short of is in the inbox.
        if popped < max && self.tail.count.load(Ordering::Relaxed) != 0 {
            return Ok(returned + popped + some(max - popped).unwrap_or(0));
        }
        Ok(returned + popped)
    }

    /// Takes the oldest items, up to `max` of them, from the deque where they are:
    /// `grab` gets that deque and how many it can give. If it only lends them (`LEND`) they keep
    /// their slots.
    #[inline]
    pub(super) fn take<const LEND: bool, R>(
        &self,
        max: usize,
        grab: impl FnOnce(&mut VecDeque<T>, usize) -> R,
    ) -> Result<R, TryPopError> {
        loop {
            if self.head.count.load(Ordering::Relaxed) != 0 {
                let mut outbox = self.head.lock.lock();
                if !outbox.is_empty() {
                    let count = outbox.len().min(max);
                    let got = grab(&mut outbox, count);
                    let left = outbox.len();
                    // Release: whoever sees them gone sees them lent; pairs with the Acquire
                    // loads in `room` and below.
                    self.head.count.store(left, Ordering::Release);
                    // No swap while this lock is held: what is not here is in the inbox.
                    let more = left != 0 || self.tail.count.load(Ordering::Relaxed) != 0;
                    let wakes = self.popped::<LEND>(count, more);
                    let spare = spare(&mut outbox);
                    drop(outbox);
                    self.wake(wakes);
                    drop(spare);
                    return Ok(got);
                }
            }
            let mut tail = self.tail.lock.lock();
            // Acquire: what was lent from the outbox is seen.
            if self.head.count.load(Ordering::Acquire) != 0 {
                continue; // Somebody made the inbox the outbox meanwhile.
            }
            let count = tail.inbox.len().min(max);
            if count == 0 {
                // Under the lock, and with an empty outbox, nothing more is lent.
                return Err(if tail.closed && self.lending.slots() == 0 {
                    TryPopError::Closed
                } else {
                    TryPopError::Empty
                });
            }
            let got = grab(&mut tail.inbox, count);
            if LEND {
                tail.ahead += count;
            }
            let wakes = self.popped::<LEND>(count, !tail.inbox.is_empty());
            if tail.inbox.len() >= BATCH {
                self.swap(&mut tail);
            }
            self.tail.count.store(tail.inbox.len(), Ordering::Relaxed);
            let spare = spare(&mut tail.inbox);
            drop(tail);
            self.wake(wakes);
            drop(spare);
            return Ok(got);
        }
    }

    /// Makes the inbox the outbox, which is empty, unless somebody is at work there.
    #[inline]
    fn swap(&self, tail: &mut Tail<T>) {
        if let Some(mut outbox) = self.head.lock.try_lock() {
            mem::swap(&mut *outbox, &mut tail.inbox);
            tail.ahead = outbox.len() + self.lending.slots();
            self.head.count.store(outbox.len(), Ordering::Relaxed);
        }
    }

    /// How many more items the queue takes, looked up anew if less than `wanted`.
    #[inline]
    fn room(&self, tail: &mut Tail<T>, wanted: usize) -> usize {
        let room = self.limit - tail.inbox.len();
        if room < tail.ahead.saturating_add(wanted) {
            // Acquire: an item that is lent is not missed; it may be counted twice.
            tail.ahead = self.head.count.load(Ordering::Acquire);
            if self.lending.slots() != 0 {
                self.look_ahead(tail);
            }
        }
        room.saturating_sub(tail.ahead)
    }

    /// How many slots are taken outside the inbox, exactly: under both locks nothing is lent.
    #[cold]
    fn look_ahead(&self, tail: &mut Tail<T>) {
        let outbox = self.head.lock.lock();
        tail.ahead = outbox.len() + self.lending.slots();
    }

    /// Announces `count` pushed items, and says whom to wake.
    #[inline]
    fn pushed(&self, tail: &mut Tail<T>, count: usize) -> Wakes {
        self.tail.count.store(tail.inbox.len(), Ordering::Relaxed);
        // Was this one woken for a slot, and is there one more?
        let more = self.slots.has_waiting() && self.room(tail, 1) != 0;
        Wakes {
            consumers: if self.items.has_waiting() { count } else { 0 },
            producers: usize::from(more),
            joiners: false,
        }
    }

    /// Says whom to wake after `count` items were popped and there are `more`, or not.
    #[inline]
    fn popped<const LEND: bool>(&self, count: usize, more: bool) -> Wakes {
        Wakes {
            // Was this one woken for an item, and is there one more?
            consumers: usize::from(more && self.items.has_waiting()),
            producers: if !LEND && self.slots.has_waiting() {
                count
            } else {
                0
            },
            joiners: !LEND && !more && self.lending.idle.has_waiting(),
        }
    }

    #[inline]
    fn wake(&self, wakes: Wakes) {
        if wakes.consumers != 0 {
            self.items.notify_under_lock_unless_pending(wakes.consumers);
        }
        if wakes.producers != 0 {
            (self.slots).notify_under_lock_unless_pending(wakes.producers);
        }
        if wakes.joiners {
            self.tell_if_idle();
        }
    }

    pub(super) fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            // Who tries again finds nothing only under the tail lock, where producers look
            // for listeners: they see this one, or it sees their item.
            Side::Consumers => self.items.listen(),
            // As above for consumers at the inbox. Those at the outbox look under this lock.
            Side::Producers => {
                let _head = self.head.lock.lock();
                self.slots.listen()
            }
        }
    }

    pub(super) fn close(&self) -> bool {
        let mut tail = self.tail.lock.lock();
        let was_closed = mem::replace(&mut tail.closed, true);
        // SeqCst: pairs with the load in `done`.
        self.closed.store(1, Ordering::SeqCst);
        drop(tail);
        self.items.notify_all();
        self.slots.notify_all();
        !was_closed
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != 0
    }

    /// What a waiter looks at, without a lock.
    #[inline]
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        // While something is lent the end has not come.
        if self.closed.load(Ordering::Relaxed) != 0
            && (side == Side::Producers || self.lending.slots() == 0)
        {
            return usize::MAX;
        }
        let inbox = self.tail.count.load(Ordering::Relaxed);
        let outbox = self.head.count.load(Ordering::Relaxed);
        match side {
            Side::Producers => (self.limit).saturating_sub(inbox + outbox + self.lending.slots()),
            Side::Consumers => inbox + outbox + self.lending.returned(),
        }
    }

    /// Under the lock, for a swap in between would hide or double what it moves.
    pub(super) fn len(&self) -> usize {
        let tail = self.tail.lock.lock();
        let returned = self.lending.returned();
        returned + tail.inbox.len() + self.head.count.load(Ordering::Relaxed)
    }

    /// Whether no slot is free.
    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some() && self.room(&mut self.tail.lock.lock(), 1) == 0
    }

    /// Whether nothing waits and nothing is lent. Those who join have registered before they take
    /// the locks under which others leave the queue empty and look for them.
    pub(super) fn is_idle(&self) -> bool {
        let tail = self.tail.lock.lock();
        let outbox = self.head.lock.lock();
        tail.inbox.is_empty() && outbox.is_empty() && self.lending.slots() == 0
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}

/// The memory of a deque that is empty after a burst, to be freed without the lock.
#[inline]
fn spare<T>(deque: &mut VecDeque<T>) -> Option<VecDeque<T>> {
    (deque.is_empty() && deque.capacity() * size_of::<T>() > KEPT).then(|| mem::take(deque))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn counts(store: &Store<u32>) -> [usize; 2] {
        [&store.head.count, &store.tail.count].map(|count| count.load(Ordering::Relaxed))
    }

    #[test]
    fn many_items_become_the_outbox_and_few_stay() {
        let store = Store::new(None);
        (0..BATCH as u32).for_each(|n| store.try_push(n).unwrap());
        store.try_pop().unwrap();
        assert_eq!(counts(&store), [0, BATCH - 1], "not worth it");
        (0..2).for_each(|n| store.try_push(n).unwrap());
        store.try_pop().unwrap();
        assert_eq!(counts(&store), [BATCH, 0]);
        store.try_push(7).unwrap();
        store.try_pop().unwrap();
        assert_eq!(counts(&store), [BATCH - 1, 1]);
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back_and_a_little_is_kept() {
        let kept = KEPT / size_of::<u32>();
        for few in [1000, kept] {
            assert!(spare(&mut VecDeque::<u32>::with_capacity(few)).is_none());
        }
        let mut burst = VecDeque::<u32>::with_capacity(kept + 1);
        burst.push_back(1);
        assert!(spare(&mut burst).is_none(), "in use");
        burst.clear();
        assert!(spare(&mut burst).is_some());
        assert_eq!(burst.capacity(), 0);

        // By whatever it goes out.
        let memory = |store: &Store<u32>| {
            store.head.lock.lock().capacity() + store.tail.lock.lock().inbox.capacity()
        };
        let by_pops = |store: &Store<u32>| while store.try_pop().is_ok() {};
        let by_batches =
            |store: &Store<u32>| while store.try_pop_many(&mut Vec::new(), 999).is_ok() {};
        let at_once = |store: &Store<u32>| drop(store.try_pop_many(&mut Vec::new(), usize::MAX));
        for drain in [by_pops, by_batches, at_once] {
            let store = Store::new(None);
            (0..4 * kept as u32).for_each(|n| store.try_push(n).unwrap());
            drain(&store);
            // One deque may stay as long as it is not asked again.
            assert!(memory(&store) <= 2 * kept, "{}", memory(&store));
        }
    }
}
