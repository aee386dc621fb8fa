//! [`Ring`]: the storage of a bounded [`LockFreeQueue`](super::LockFreeQueue).
//!
//! A ring of slots, as Dmitry Vyukov described it. Each slot has a *stamp* that says whose
//! turn it is:
//!
//! * the position at which it is to be filled: it is empty, and belongs to the producer
//!   that moves `tail` past that position;
//! * that position plus one: it is full, and belongs to the consumer that moves `head` past
//!   the position.
//!
//! A position counts laps in its upper bits and slots in its lower ones, so that a slot's
//! stamps never repeat. Between them `tail` has a bit that says that the queue is closed:
//! a producer that has moved `tail` was before the close, and one that has not finds the
//! bit. So nobody needs to count who is on the way.
//!
//! # Waiting
//!
//! Between moving `tail` and storing the stamp a producer keeps its slot, and those who
//! come to that slot wait for it (some nanoseconds, unless it is preempted just there). All
//! others go on. The same for consumers and `head`.
//!
//! Both indices move by `SeqCst` operations, and who finds the ring full or empty has
//! looked at them by one, for whoever goes to sleep: see
//! [`notify_after_rmw_unless_pending`](queue_core::event::Event::notify_after_rmw_unless_pending).

use super::drop_all;
use queue_core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use queue_core::sync::{CachePadded, UnsafeCell, seq_cst, thread};
use queue_core::{Failure, FailureKind, TryPopError, TryPushError};
use std::mem::{MaybeUninit, needs_drop};
use std::panic::{RefUnwindSafe, UnwindSafe};

struct Slot<T> {
    stamp: AtomicUsize,
    /// Holds an item from the time the stamp says so until a consumer has taken it.
    item: UnsafeCell<MaybeUninit<T>>,
}

/// A slot whose item was taken out, and that nobody fills until it is [freed](Ring::free). There is
/// one of these for each, so its owner alone may do that.
#[must_use = "a slot that is not freed is lost"]
pub(super) struct HeldSlot(
    /// The position of the item.
    usize,
);

impl HeldSlot {
    /// Whether its item was pushed before that of `other`, of the same ring.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        other.0.wrapping_sub(self.0) as isize > 0
    }
}

/// Why there is no slot to push to.
enum Refusal {
    Full,
    Closed,
}

pub(super) struct Ring<T> {
    /// Where the next item is popped from.
    head: CachePadded<AtomicUsize>,
    /// Where the next item is pushed to, and whether the queue is closed.
    tail: CachePadded<AtomicUsize>,
    slots: CachePadded<Box<[Slot<T>]>>,
    /// The bit of `tail` above the slot's number; laps are counted above it.
    closed: usize,
    /// Whether that bit is set, for consumers that wait: they leave the producers' `tail` alone.
    is_closed: AtomicBool,
    /// See [`step`](Self::step).
    #[cfg(loom)]
    steps: AtomicUsize,
}

// SAFETY: a slot's item is touched by the one thread alone that moved `tail` or `head` past
// it, so sharing a ring is no more than sending items from thread to thread.
unsafe impl<T: Send> Sync for Ring<T> {}
// SAFETY: the ring owns its items.
unsafe impl<T: Send> Send for Ring<T> {}

/// A panic may be caught around it, as around a mutex: nothing here calls foreign code.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

impl<T> Ring<T> {
    /// # Errors
    /// `TooLarge` if there is no memory for so many.
    pub(super) fn new(capacity: usize) -> Result<Self, Failure> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity).map_err(|error| {
            let message = format!("there is no memory for a queue of {capacity} slots");
            Failure::caused(FailureKind::TooLarge, message, error)
        })?;
        slots.extend((0..capacity).map(|number| Slot {
            stamp: AtomicUsize::new(number),
            item: UnsafeCell::new(MaybeUninit::uninit()),
        }));
        Ok(Self {
            head: CachePadded(seq_cst(0)),
            tail: CachePadded(seq_cst(0)),
            slots: CachePadded(slots.into_boxed_slice()),
            // More than the highest slot's number, and more than that plus one: the stamp
            // of a full slot must not look like another lap's.
            closed: (capacity + 1).next_power_of_two(),
            is_closed: AtomicBool::new(false),
            #[cfg(loom)]
            steps: AtomicUsize::new(0),
        })
    }

    /// Somebody else may act here, says this to loom. Of the accesses to an atomic it knows
    /// the latest alone, and so misses that a store races with another thread's load if the
    /// storing thread has loaded in between, as all here do.
    #[inline(always)]
    fn step(&self) {
        #[cfg(loom)]
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How far the same slot's positions are apart.
    #[inline(always)]
    fn lap(&self) -> usize {
        self.closed * 2
    }

    /// The slot at `position`.
    #[inline(always)]
    fn slot(&self, position: usize) -> &Slot<T> {
        &self.slots[position & (self.closed - 1)]
    }

    /// The position after `position`.
    #[inline(always)]
    fn after(&self, position: usize) -> usize {
        if (position & (self.closed - 1)) + 1 < self.slots.len() {
            position + 1
        } else {
            (position & !(self.lap() - 1)).wrapping_add(self.lap())
        }
    }

    /// Pushes `item` if there is a slot. Where the slot may be held, `exactly(look)` says what
    /// `look(held)` does, with how many are held, while that does not change; false if none is.
    #[inline(always)]
    pub(super) fn push(
        &self,
        item: T,
        exactly: impl Fn(&dyn Fn(usize) -> bool) -> bool,
    ) -> Result<(), TryPushError<T>> {
        // In two steps, so that the item is moved once, and not at all where it is refused.
        let claimed = match self.claim_at_once() {
            Some(claimed) => Ok(claimed),
            None => self.claim(exactly),
        };
        match claimed {
            Ok((slot, tail)) => {
                // SAFETY: the slot is empty and this thread's own, says `claim`. Nobody
                // touches it until the stamp says that it is full.
                (slot.item).with_mut(|slot| unsafe { (*slot).write(item) });
                self.step();
                // Release: whoever sees the slot full sees the item.
                slot.stamp.store(tail.wrapping_add(1), Ordering::Release);
                Ok(())
            }
            Err(Refusal::Full) => Err(TryPushError::Full(item)),
            Err(Refusal::Closed) => Err(TryPushError::Closed(item)),
        }
    }

    /// As [`claim`](Self::claim), in one try: small enough to be part of whoever pushes.
    #[inline(always)]
    fn claim_at_once(&self) -> Option<(&Slot<T>, usize)> {
        let tail = self.tail.load(Ordering::Relaxed);
        self.step();
        let slot = self.slot(tail);
        // No stamp has the bit of a closed queue. Acquire: as in `claim`.
        let is_empty = slot.stamp.load(Ordering::Acquire) == tail;
        (is_empty && self.advance(&self.tail, tail).is_ok()).then_some((slot, tail))
    }

    /// An empty slot, and its position, that belongs to the caller alone: of all who saw by
    /// its stamp that it is empty only this thread moved `tail` past it.
    #[cold]
    #[inline(never)]
    fn claim(
        &self,
        exactly: impl Fn(&dyn Fn(usize) -> bool) -> bool,
    ) -> Result<(&Slot<T>, usize), Refusal> {
        let mut patience = Patience(0);
        let mut tail = self.tail.load(Ordering::Relaxed);
        loop {
            self.step();
            if tail & self.closed != 0 {
                // Acquire: pairs with the Release in `close`.
                fence(Ordering::Acquire);
                return Err(Refusal::Closed);
            }
            let slot = self.slot(tail);
            // Acquire: pairs with the Release in `pop`; its consumer is done with the slot.
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp == tail {
                if self.advance(&self.tail, tail).is_ok() {
                    return Ok((slot, tail));
                }
                stand_back();
                tail = self.tail.load(Ordering::Relaxed);
            } else if stamp.wrapping_add(self.lap()) == tail.wrapping_add(1)
                // SeqCst: who sleeps next has missed no pop. See the module's page.
                && (self.head.load(Ordering::SeqCst).wrapping_add(self.lap()) == tail
                    || exactly(&|held| self.is_full_at(tail, held)))
            {
                return Err(Refusal::Full);
            } else {
                // The consumer of the item before is at it, or `tail` was an old one.
                patience.pause();
                tail = self.tail.load(Ordering::Relaxed);
            }
        }
    }

    /// Whether `tail` is the tail, and no slot is free beside so many that are `held`.
    fn is_full_at(&self, tail: usize, held: usize) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        // SeqCst, and after `head`: while it is at `tail`, `head` has not passed it.
        self.tail.load(Ordering::SeqCst) == tail
            && self.between(head, tail) + held >= self.slots.len()
    }

    /// Whether nothing is inside, at some moment since this was called.
    pub(super) fn is_empty(&self) -> bool {
        // SeqCst, and in this order: `head` never passes `tail`, so if both are the same they were
        // so when `head` was loaded.
        let head = self.head.load(Ordering::SeqCst);
        self.tail.load(Ordering::SeqCst) & !self.closed == head
    }

    /// Frees `slot`: the producer whose turn it is may fill it.
    #[inline(always)]
    pub(super) fn free(&self, HeldSlot(position): HeldSlot) {
        // Release: whoever sees the slot empty sees that the item is gone.
        self.slot(position)
            .stamp
            .store(position.wrapping_add(self.lap()), Ordering::Release);
    }

    /// Pops the oldest item; `free` is given its slot.
    #[inline(always)]
    pub(super) fn pop(&self, free: impl FnOnce(HeldSlot)) -> Result<T, TryPopError> {
        let (slot, head) = match self.take_at_once() {
            Some(taken) => taken,
            None => self.take()?,
        };
        // SAFETY: the slot is full and this thread's own, says `take`. Nobody touches it
        // until the stamp says that it is empty.
        let item = (slot.item).with_mut(|slot| unsafe { (*slot).assume_init_read() });
        self.step();
        free(HeldSlot(head));
        Ok(item)
    }

    /// As [`take`](Self::take), in one try: small enough to be part of whoever pops.
    #[inline(always)]
    fn take_at_once(&self) -> Option<(&Slot<T>, usize)> {
        let head = self.head.load(Ordering::Relaxed);
        self.step();
        let slot = self.slot(head);
        // Acquire: as in `take`.
        let is_full = slot.stamp.load(Ordering::Acquire) == head.wrapping_add(1);
        (is_full && self.advance(&self.head, head).is_ok()).then_some((slot, head))
    }

    /// A full slot, and its position, that belongs to the caller alone: of all who saw by its
    /// stamp that it is full only this thread moved `head` past it.
    #[cold]
    #[inline(never)]
    fn take(&self) -> Result<(&Slot<T>, usize), TryPopError> {
        let mut patience = Patience(0);
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            self.step();
            let slot = self.slot(head);
            // Acquire: pairs with the Release in `push`; the item is there.
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp == head.wrapping_add(1) {
                if self.advance(&self.head, head).is_ok() {
                    return Ok((slot, head));
                }
                stand_back();
                head = self.head.load(Ordering::Relaxed);
                continue;
            }
            self.step();
            // Whatever the stamp: a slot that is held has that of the lap before.
            // SeqCst: who sleeps next has missed no push; see the module's page. And
            // it pairs with the Release in `close`.
            let tail = self.tail.load(Ordering::SeqCst);
            if tail == head {
                return Err(TryPopError::Empty);
            }
            if tail == head | self.closed {
                return Err(TryPopError::Closed);
            }
            // The producer of the item is at it, or `head` was an old one.
            patience.pause();
            head = self.head.load(Ordering::Relaxed);
        }
    }

    /// Moves `index` past `position`, unless somebody else has.
    #[inline(always)]
    fn advance(&self, index: &AtomicUsize, position: usize) -> Result<(), usize> {
        let next = self.after(position);
        self.step();
        // SeqCst: see the module's page. Relaxed on failure: only where to try next. Not the weak one: who
        // fails here stands back, as after a race.
        index
            .compare_exchange(position, next, Ordering::SeqCst, Ordering::Relaxed)
            .map(drop)
    }

    /// True for the call that closed it.
    pub(super) fn close(&self) -> bool {
        // Release: the closer's past is seen by who finds the queue closed.
        let before = self.tail.fetch_or(self.closed, Ordering::Release);
        // Relaxed: whoever sees it tries, and finds the bit or tries again.
        self.is_closed.store(true, Ordering::Relaxed);
        before & self.closed == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.tail.load(Ordering::Acquire) & self.closed != 0
    }

    /// Exact if nobody acts meanwhile, else true of some moment.
    pub(super) fn len(&self) -> usize {
        loop {
            self.step();
            // Acquire: in this order, so that `head` is none that `tail` has lapped.
            let tail = self.tail.load(Ordering::Acquire);
            self.step();
            let head = self.head.load(Ordering::Acquire);
            self.step();
            // The same `tail` again: both were so at the time between.
            if self.tail.load(Ordering::Relaxed) == tail {
                return self.between(head, tail & !self.closed);
            }
        }
    }

    /// What a waiting consumer looks at: how many items there are, about. As long as there is none
    /// it looks at the slot alone that it is going to take, whose line has to come to it anyway.
    #[inline]
    pub(super) fn items_hint(&self) -> usize {
        let head = self.head.load(Ordering::Relaxed);
        if self.is_closed.load(Ordering::Relaxed) {
            usize::MAX
        } else if self.slot(head).stamp.load(Ordering::Relaxed) == head.wrapping_add(1) {
            self.about().max(1)
        } else {
            0
        }
    }

    /// What a waiting producer looks at: how many slots are free, about.
    #[inline]
    pub(super) fn slots_hint(&self) -> usize {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail & self.closed != 0 {
            usize::MAX
        } else if self.slot(tail).stamp.load(Ordering::Relaxed) == tail {
            (self.capacity() - self.about()).max(1)
        } else {
            0
        }
    }

    /// [`len`](Self::len) but for a moment's error.
    #[inline]
    fn about(&self) -> usize {
        let slots = self.slots.len();
        if slots == 1 {
            return 0;
        }
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed) & !self.closed;
        self.between(head, tail).min(slots)
    }

    fn between(&self, head: usize, tail: usize) -> usize {
        let number = |position| position & (self.closed - 1);
        let laps = (tail & !(self.lap() - 1)).wrapping_sub(head & !(self.lap() - 1)) / self.lap();
        (laps * self.slots.len() + number(tail)).wrapping_sub(number(head))
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            drop_all(|| {
                let Ok((slot, head)) = self.take() else {
                    return false;
                };
                // Before the drop, which may panic: others are to be dropped after it.
                let empty = head.wrapping_add(self.lap());
                slot.stamp.store(empty, Ordering::Relaxed);
                // SAFETY: the slot was full and is this thread's own, says `take`. There is
                // no other thread now that could fill it.
                (slot.item).with_mut(|slot| unsafe { (*slot).assume_init_drop() });
                true
            });
        }
    }
}

/// Another thread was faster. It has the index in its cache, and may go on with it for a while: that
/// is less work for all than to take turns.
#[cold]
fn stand_back() {
    if !cfg!(loom) {
        (0..32).for_each(|_| std::hint::spin_loop());
    }
}

/// Growing pauses of one who needs what another thread has half done.
struct Patience(u32);

impl Patience {
    const PAUSES: u32 = 6;

    #[cold]
    fn pause(&mut self) {
        if self.0 < Self::PAUSES && !cfg!(loom) {
            (0..1 << self.0).for_each(|_| std::hint::spin_loop());
            self.0 += 1;
        } else {
            thread::yield_now();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Patience;

    #[test]
    fn who_waits_long_pauses_no_more() {
        let mut patience = Patience(0);
        (0..10).for_each(|_| patience.pause());
        assert_eq!(patience.0, Patience::PAUSES);
    }
}
