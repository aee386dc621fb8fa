//! [`Engine`]: pushing, popping and closing, over any [`Storage`]. Who waits is woken in [`wake`] and
//! sleeps in [`wait`](crate::linux::wait); what the dead leave is repaired in [`repair`], and lending is in
//! [`leases`].
//!
//! # Who does what under which lock
//!
//! | lock | its holder |
//! |---|---|
//! | tail | writes items; wakes those who wait for items; goes to sleep to wait for items |
//! | head | reads items; wakes those who wait for free slots; goes to sleep to wait for slots |
//! | both, tail first | closes; repairs; gives memory back |
//!
//! So a waiter sets its flag under the lock of those who will wake it, after it has looked once
//! more under that lock. No wake can be missed, and looking for waiters costs a plain
//! load, without a fence.

pub(crate) mod batch;
pub(crate) mod control;
pub(crate) mod end_lock;
pub(crate) mod leases;
mod platform;
mod repair;
pub(crate) mod storage;
mod wake;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use platform::Platform;
pub(crate) use storage::{PeerCursor, Storage};

use crate::try_error::TryError;
use batch::Batch;
use control::{Control, Cursor, End, EndState, Item, needs_trim};
use end_lock::{Acquired, Tries, acquire_lock, release_lock};
use queue_core::sync::atomic::Ordering;
use queue_core::{Failure, FailureKind};

/// One process's working half of a queue.
#[derive(Debug)]
pub(crate) struct Engine<S, P> {
    storage: S,
    platform: P,
    /// How many items it takes, no more than [`MAX_ITEMS`].
    capacity: u32,
}

/// The most items a queue can hold: counts are modulo 2^32.
pub(crate) const MAX_ITEMS: u32 = 1 << 31;

/// The most items popped in one go, under one lock.
const MAX_BATCH_ITEMS: u32 = 1 << 16;

/// Why [endless tries](Tries::Endless) have the lock: they never give up.
const TRIED_UNTIL_TAKEN: &str = "tried until it was taken";

/// Holds the locks of the tail and of the head.
pub(crate) type Both<'a, P> = (EndGuard<'a, P>, EndGuard<'a, P>);

/// Holds the lock of one end.
pub(crate) struct EndGuard<'a, P: Platform> {
    pub(crate) state: &'a EndState,
    platform: &'a P,
}

impl<P: Platform> Drop for EndGuard<'_, P> {
    #[inline]
    fn drop(&mut self) {
        release_lock(&self.state.lock, self.platform);
    }
}

impl<S: Storage, P: Platform> Engine<S, P> {
    /// The queue of `capacity` items whose words `platform` shares.
    pub(crate) fn new(storage: S, platform: P, capacity: u32) -> Self {
        Self {
            storage,
            platform,
            capacity,
        }
    }

    /// What it works with.
    pub(crate) fn platform(&self) -> &P {
        &self.platform
    }

    /// Where its bytes lie.
    pub(crate) fn storage(&self) -> &S {
        &self.storage
    }

    /// How many items it takes.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline]
    pub(crate) fn control(&self) -> &Control {
        self.platform.control()
    }

    // Locks.

    #[inline]
    pub(crate) fn lock(&self, end: End) -> Result<EndGuard<'_, P>, Failure> {
        let guard = self.lock_within(end, Tries::Endless)?;
        Ok(guard.expect(TRIED_UNTIL_TAKEN))
    }

    /// [`lock`](Self::lock), with so many tries: `None` if they were too few.
    #[inline]
    pub(crate) fn lock_within(
        &self,
        end: End,
        tries: Tries,
    ) -> Result<Option<EndGuard<'_, P>>, Failure> {
        let state = self.control().end(end);
        let taken = acquire_lock(&state.lock, &self.platform, tries);
        // Relaxed: written under this lock, or the other end's and this one.
        if taken == Acquired::Free && state.poisoned.load(Ordering::Relaxed) == 0 {
            return Ok(Some(EndGuard {
                state,
                platform: &self.platform,
            }));
        }
        self.lock_poisoned(state, end, taken, tries)
    }

    // Moving the ends.

    /// Pushes `bytes`.
    ///
    /// # Errors
    /// [`TryError`].
    // Once for all types of items, and the verbs around it are then small enough to be
    // made one.
    #[inline(never)]
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<(), TryError> {
        let item = Item::new(bytes);
        let guard = self.lock(End::Tail)?;
        let (tail, mut head) = self.before_push(&guard, 1)?;
        match self.storage.write(self.control(), tail, &mut head, item)? {
            Some(position) => self.move_end(End::Tail, guard, tail.advanced(1, position), 0),
            None => return Err(no_room()),
        }
        Ok(())
    }

    /// Pushes as many of `batch`, from the first, as there are free slots: how many.
    ///
    /// # Errors
    /// [`TryError`], if there was no slot for the first.
    pub(crate) fn push_many(&self, batch: &Batch) -> Result<usize, TryError> {
        let guard = self.lock(End::Tail)?;
        let wanted = u32::try_from(batch.len()).unwrap_or(MAX_ITEMS);
        let (tail, mut head) = self.before_push(&guard, wanted)?;
        let most = self.free_slots(tail, head.freed).min(wanted);
        match self
            .storage
            .write_many(self.control(), tail, &mut head, batch, most)?
        {
            (0, _) => Err(no_room()),
            (items, position) => {
                self.move_end(End::Tail, guard, tail.advanced(items, position), 0);
                Ok(items as usize)
            }
        }
    }

    /// About for how many of `wanted` items there are free slots: for one, if for none.
    #[inline]
    pub(crate) fn slots_for(&self, wanted: usize) -> usize {
        // Relaxed, all: a number, no more; who pushes looks again, under the lock. What was
        // seen of the head the last time does if it is enough.
        let state = self.control().end(End::Tail);
        let cached = state.cached_freed.load(Ordering::Relaxed);
        let slots = self.free_slots(state.cursor(Ordering::Relaxed), cached) as usize;
        if slots >= wanted {
            return wanted;
        }
        self.free().max(1) as usize
    }

    /// Where the ends are, if there is a free slot; refreshes the cursor of the head if the cached
    /// one would not do for `wanted`.
    #[inline]
    fn before_push<'a>(
        &'a self,
        guard: &EndGuard<'a, P>,
        wanted: u32,
    ) -> Result<(Cursor, PeerCursor<'a>), TryError> {
        // Relaxed: set under this lock.
        if self.control().closed.load(Ordering::Relaxed) != 0 {
            return Err(TryError::Closed);
        }
        let (tail, mut head) = self.ends(End::Tail, guard);
        if self.free_slots(tail, head.freed) < wanted {
            head.refresh();
            if self.free_slots(tail, head.freed) == 0 {
                return Err(TryError::WouldBlock);
            }
        }
        Ok((tail, head))
    }

    /// How many slots are free with the tail there, and so many items gone for good.
    #[inline]
    pub(crate) fn free_slots(&self, tail: Cursor, freed: u32) -> u32 {
        self.capacity.saturating_sub(tail.count.wrapping_sub(freed))
    }

    /// The end whose lock is held, and the other one as of the last look.
    #[inline]
    fn ends<'a>(&'a self, end: End, guard: &EndGuard<'a, P>) -> (Cursor, PeerCursor<'a>) {
        // Relaxed, both: written under this lock.
        let cached = Cursor::from_word(guard.state.cached.load(Ordering::Relaxed));
        let other = self.control().end(end.other());
        let peer = PeerCursor {
            cursor: cached,
            freed: guard.state.cached_freed.load(Ordering::Relaxed),
            fresh: false,
            state: guard.state,
            other,
        };
        (guard.state.cursor(Ordering::Relaxed), peer)
    }

    /// Appends the bytes of the oldest item to `into`, and pops it.
    ///
    /// # Errors
    /// [`TryError`].
    #[inline(never)] // As `push`.
    pub(crate) fn pop(&self, into: &mut Vec<u8>) -> Result<(), TryError> {
        let guard = self.lock(End::Head)?;
        if self.has_returned(&guard) {
            return self.pop_returned(guard, into);
        }
        let (head, tail) = self.before_pop(&guard, 1)?;
        let is_last = tail.fresh && head.items_until(tail.cursor) == 1;
        let tail = tail.cursor;
        let position = if is_last && self.storage.read_inline(self.control(), tail, into) {
            tail.position
        } else {
            self.storage.read(self.control(), head, into)?
        };
        let head = head.advanced(1, position);
        self.move_end(End::Head, guard, head, 1);
        self.after_pop(head, tail);
        Ok(())
    }

    /// Pops up to `max` of the oldest items, at least one, or as many as are popped in one go: how
    /// many there were beside these, up to `max` in all.
    ///
    /// # Errors
    /// [`TryError`], if there was none.
    pub(crate) fn pop_many(&self, max: u32, into: &mut Batch) -> Result<u32, TryError> {
        let guard = self.lock(End::Head)?;
        let mut back = 0;
        if self.has_returned(&guard) {
            back = self.take_many_returned(&guard, max, into)?;
            into.pad();
            // If some are left, one is damaged: what is younger is not to overtake the others.
            if back == max || self.has_returned(&guard) || into.bytes.len() >= MAX_BATCH_BYTES {
                let left = self.len().min(max - back);
                self.end_pop_of_returned(guard, back);
                return Ok(left);
            }
        }
        let max = max - back;
        let read = self.before_pop(&guard, max).and_then(|(head, tail)| {
            let tail = tail.cursor;
            // Counts in shared memory may lie.
            let there = max.min(head.items_until(tail)).min(self.capacity);
            let most = there.min(MAX_BATCH_ITEMS);
            let read = (self.storage).read_many(self.control(), head, most, into)?;
            Ok((head, tail, there, read))
        });
        let (head, tail, there, (items, position)) = match read {
            Ok(read) => read,
            Err(error) if back == 0 => return Err(error),
            // Whoever pops next meets it.
            Err(_) => {
                self.end_pop_of_returned(guard, back);
                return Ok(0);
            }
        };
        let head = head.advanced(items, position);
        self.move_end(End::Head, guard, head, items + back);
        self.after_pop(head, tail);
        Ok(there - items)
    }

    /// Where the ends are, if there is an item; looks at the tail itself if the
    /// last look would not do for `wanted`.
    #[inline]
    fn before_pop<'a>(
        &'a self,
        guard: &EndGuard<'a, P>,
        wanted: u32,
    ) -> Result<(Cursor, PeerCursor<'a>), TryError> {
        let (head, mut tail) = self.ends(End::Head, guard);
        if head.items_until(tail.cursor) < wanted {
            tail.refresh();
            if head.count == tail.cursor.count {
                // Relaxed: set under both locks. If it is seen under this one, then all
                // pushes had ended, and the look at the tail was the last one needed.
                return Err(match self.control().closed.load(Ordering::Relaxed) {
                    0 => TryError::WouldBlock,
                    // What is lent may come back. Relaxed: under this lock.
                    _ if guard.state.published.held.load(Ordering::Relaxed) != 0 => {
                        TryError::WouldBlock
                    }
                    _ => TryError::Closed,
                });
            }
        }
        Ok((head, tail))
    }

    #[inline]
    fn after_pop(&self, head: Cursor, tail: Cursor) {
        // Relaxed, both: hints.
        if head.count == tail.count {
            if self.control().needs_trim.load(Ordering::Relaxed) != 0 {
                self.trim_if_due(Tries::Endless);
            }
            if self.is_closed() {
                self.wake_at_the_end();
            }
        }
    }

    /// Gives memory back if that is due. To be called when the queue looks empty, and now
    /// and then while it stays so. With so many tries for the locks.
    #[cold]
    #[allow(clippy::absurd_extreme_comparisons)] // In models it is always due.
    pub(crate) fn trim_if_due(&self, tries: Tries) {
        let (needs_trim, now) = (&self.control().needs_trim, self.platform.now());
        // Relaxed, both: hints. At worst memory is given back earlier or later.
        match needs_trim.load(Ordering::Relaxed) {
            needs_trim::AT_ONCE => self.trim(tries),
            needs_trim::LATER if needs_trim::DELAY_MS > 0 => {
                needs_trim.store(now.max(3), Ordering::Relaxed)
            }
            since if since != 0 && now.wrapping_sub(since) >= needs_trim::DELAY_MS => {
                self.trim(tries)
            }
            _ => {}
        }
    }

    fn trim(&self, tries: Tries) {
        if let Ok(Some((tail, head))) = self.lock_both_within(tries) {
            let count = |guard: &EndGuard<'_, P>| guard.state.cursor(Ordering::Relaxed).count;
            if count(&tail) == count(&head) {
                let all = self.trim_leases();
                self.storage.trim(self.control());
                if !all {
                    // Relaxed: under both locks.
                    let needs_trim = &self.control().needs_trim;
                    needs_trim.store(needs_trim::LATER, Ordering::Relaxed);
                }
            }
        }
    }

    // What it can say of its queue, and closing it.

    /// How many items come out if nobody else acts, also where somebody died in the middle of a
    /// push or a pop, and what that left is not yet repaired: then that is done first.
    pub(crate) fn exact_len(&self) -> u32 {
        self.recover(Tries::Endless);
        self.len()
    }

    /// How many items are inside, or one more or fewer while somebody is in the middle of a
    /// push or a pop.
    pub(crate) fn len(&self) -> u32 {
        // Relaxed, all: numbers, no more. The head first, so that it is not ahead.
        let published = &self.control().head.published;
        let head = self.control().head.cursor(Ordering::Relaxed);
        let tail = self.control().tail.cursor(Ordering::Relaxed);
        let waiting =
            (head.items_until(tail)).saturating_add(published.returned.load(Ordering::Relaxed));
        waiting.min(self.capacity().saturating_sub(self.held()))
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: says nothing about the items.
        self.control().closed.load(Ordering::Relaxed) != 0
    }

    /// Closes the queue and wakes everybody; whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.close_within(Tries::Endless)
    }

    /// [`close`](Self::close), with so many tries for the locks.
    pub(crate) fn close_within(&self, tries: Tries) -> bool {
        let Ok(Some((tail, head))) = self.lock_both_within(tries) else {
            return false;
        };
        if self.is_closed() {
            return false;
        }
        self.prepare_wake(End::Tail, tail.state, true);
        self.prepare_wake(End::Head, head.state, true);
        // Relaxed: read under either lock.
        self.control().closed.store(1, Ordering::Relaxed);
        let states = [tail.state, head.state];
        drop((tail, head));
        for state in states {
            self.platform().wake(&state.wake_seq, u32::MAX);
        }
        true
    }
}

/// There is no room in the storage even though there are free slots.
#[cold]
fn no_room() -> TryError {
    let message = "the items inside take all the memory that this queue may use";
    Failure::new(FailureKind::TooLarge, message).into()
}

/// How many bytes a batch of pops gathers at most, plus what is read in one go: one item, or
/// of a pipe as many as are moved at once.
pub(crate) const MAX_BATCH_BYTES: usize = 4 << 20;
