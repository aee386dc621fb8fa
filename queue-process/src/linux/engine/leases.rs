//! Lending items, settling that, giving back what the dead had, and whether all is done: see
//! [`lease`](crate::linux::lease).
//!
//! All of it is done under the head lock, which those who pop have as well. Of those who push it
//! asks nothing but to look at [`freed`](super::control::Published::freed) where they would look at
//! the head's count: an item that is lent, or came back, keeps its slot.
//!
//! An item that comes back is no move of the tail, for which those sleep who wait for items. So
//! whoever puts it back visits the tail lock afterwards, and wakes them as a push does. If it dies
//! before that they look again by themselves.

use super::batch::Batch;
use super::control::{Cursor, End, EndState, joining, needs_trim};
use super::end_lock::Tries;
use super::{EndGuard, Engine, Platform, Storage};
use crate::linux::lease::bytes::Lease;
use crate::linux::lease::slot::{LeaseKey, State};
use crate::linux::lease::table::Table;
use crate::try_error::TryError;
use queue_core::sync::atomic::Ordering;
use queue_core::{Failure, FailureKind};

/// What came of getting ready to sleep until the queue is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreparedJoin {
    /// It is.
    Idle,
    /// Sleep while [`idle_seq`](crate::linux::lease::table::LeaseState::idle_seq) is this.
    Asleep(u32),
}

impl<S: Storage, P: Platform> Engine<S, P> {
    #[inline]
    fn table(&self) -> Table<'_> {
        Table {
            state: &self.control().leases,
            memory: self.platform.leases(),
        }
    }

    /// How many items are lent.
    pub(crate) fn held(&self) -> u32 {
        // Relaxed: a number, no more.
        let held = self.control().head.published.held.load(Ordering::Relaxed);
        held.min(self.capacity)
    }

    /// How many slots are free.
    pub(crate) fn free(&self) -> u32 {
        // Relaxed, both: as in `len`.
        let freed = self.control().head.published.freed.load(Ordering::Relaxed);
        self.free_slots(self.control().tail.cursor(Ordering::Relaxed), freed)
    }

    /// Whether nothing waits and nothing is lent.
    pub(crate) fn is_idle(&self) -> bool {
        // Acquire: who then looks at the tail finds it where it was, or further on. So if they are
        // the same all was done when this was read.
        let freed = self.control().head.published.freed.load(Ordering::Acquire);
        self.control().tail.cursor(Ordering::Acquire).count == freed
    }

    /// Whether nothing will ever come at `end` beside what is there: who waits for items waits for
    /// those that are lent too.
    pub(crate) fn is_over(&self, end: End) -> bool {
        self.is_closed() && (end == End::Head || self.held() == 0)
    }

    /// How many have come of what those want who wait for `end`, ever, under its lock: modulo 2^32.
    /// Look at this before looking what there is.
    pub(crate) fn arrivals(&self, end: End, state: &EndState) -> u32 {
        match end {
            // Acquire: pairs with the Release in `put_back`. Who counts it sees it.
            End::Tail => (state.cursor(Ordering::Relaxed).count)
                .wrapping_add(self.control().leases.returns.load(Ordering::Acquire)),
            End::Head => state.published.freed.load(Ordering::Relaxed),
        }
    }

    /// Whether something came back: under the head lock.
    #[inline]
    pub(super) fn has_returned(&self, guard: &EndGuard<'_, P>) -> bool {
        guard.state.published.returned.load(Ordering::Relaxed) != 0
    }

    // Receiving.

    /// Appends the bytes of the oldest item to `into`, and lends it to this member.
    ///
    /// # Errors
    /// [`TryError`].
    #[inline(never)] // As `push`.
    pub(crate) fn receive(&self, into: &mut Vec<u8>) -> Result<LeaseKey, TryError> {
        let guard = self.lock(End::Head)?;
        if self.has_returned(&guard) {
            return self.receive_returned(&guard, into);
        }
        let (head, tail) = self.before_pop(&guard, 1)?;
        let is_last = tail.fresh && head.items_until(tail.cursor) == 1;
        let (tail, table) = (tail.cursor, self.table());
        let lease = table.take(head.count);
        let lease = lease.inspect_err(|failure| self.poison_if_damaged(&guard, failure))?;
        let lent = (self.storage).lend(self.control(), (head, tail, is_last), &lease, into);
        let position = match lent {
            Ok(position) => position,
            Err(failure) => {
                // If the item is out of the queue all the same, a repair finds it in the lease.
                if guard.state.poisoned.load(Ordering::Relaxed) == 0 {
                    table.free(lease);
                }
                return Err(failure.into());
            }
        };
        self.plan_trim(&lease);
        let published = &guard.state.published;
        // Relaxed: under this lock. Before the cursor, so that whoever counts counts no item twice.
        let count = published.held.load(Ordering::Relaxed).wrapping_add(1);
        published.held.store(count, Ordering::Relaxed);
        let head = head.advanced(1, position);
        // Release: as in `move_end`. No slot is free now, so nobody is woken.
        (published.cursor).store(head.word(), Ordering::Release);
        let key = table.lend(lease, self.platform.owner(), 1);
        drop(guard);
        self.after_pop(head, tail);
        Ok(key)
    }

    /// [`receive`](Self::receive) of what came back.
    #[cold]
    fn receive_returned(
        &self,
        guard: &EndGuard<'_, P>,
        into: &mut Vec<u8>,
    ) -> Result<LeaseKey, TryError> {
        let table = self.table();
        let (lease, attempt) = self.oldest(&table, guard)?;
        self.read_returned(guard, lease, into)?;
        table.unlist(lease);
        let key = table.lend(lease, self.platform.owner(), attempt);
        self.count_returned(guard, 1, -1);
        Ok(key)
    }

    /// Gives what a large item had outside back some time after the queue is empty.
    #[inline]
    fn plan_trim(&self, lease: &Lease<'_>) {
        // Relaxed, both: hints.
        let needs_trim = &self.control().needs_trim;
        if lease.is_outside() && needs_trim.load(Ordering::Relaxed) == 0 {
            needs_trim.store(needs_trim::LATER, Ordering::Relaxed);
        }
    }

    /// What came back first; asks for a repair if that cannot be.
    fn oldest<'a>(
        &self,
        table: &Table<'a>,
        guard: &EndGuard<'_, P>,
    ) -> Result<(Lease<'a>, u32), Failure> {
        (table.oldest()).inspect_err(|failure| self.poison_if_damaged(guard, failure))
    }

    /// Asks for a repair, which makes the lists anew, if they cannot be what was written.
    #[cold]
    fn poison_if_damaged(&self, guard: &EndGuard<'_, P>, failure: &Failure) {
        if failure.kind() == FailureKind::Corrupt {
            // Relaxed: under this lock.
            guard.state.poisoned.store(1, Ordering::Relaxed);
        }
    }

    /// Appends the bytes of the oldest that came back. If they are damaged it is gone.
    fn read_returned(
        &self,
        guard: &EndGuard<'_, P>,
        lease: Lease<'_>,
        into: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        lease.read(into).inspect_err(|failure| {
            if failure.kind() == FailureKind::Corrupt {
                lease.slot.set_state(State::Free);
                // Its place is counted anew.
                guard.state.poisoned.store(1, Ordering::Relaxed);
            }
        })
    }

    /// So many more are lent, and so many more came back: under the head lock.
    fn count_returned(&self, guard: &EndGuard<'_, P>, lent: i32, returned: i32) {
        let published = &guard.state.published;
        for (word, more) in [(&published.held, lent), (&published.returned, returned)] {
            if more != 0 {
                // Relaxed: under this lock.
                let now = word.load(Ordering::Relaxed).wrapping_add_signed(more);
                word.store(now, Ordering::Relaxed);
            }
        }
    }

    // Popping what came back.

    /// Appends the bytes of the oldest that came back to `into`, and pops it.
    #[cold]
    pub(super) fn pop_returned(
        &self,
        guard: EndGuard<'_, P>,
        into: &mut Vec<u8>,
    ) -> Result<(), TryError> {
        self.take_returned(&guard, into)?;
        self.end_pop_of_returned(guard, 1);
        Ok(())
    }

    /// Takes up to `max` that came back out for good: how many, at least one.
    #[cold]
    pub(super) fn take_many_returned(
        &self,
        guard: &EndGuard<'_, P>,
        max: u32,
        into: &mut Batch,
    ) -> Result<u32, Failure> {
        let mut taken = 0;
        while taken < max.min(super::MAX_BATCH_ITEMS) && self.has_returned(guard) {
            match into.add(|bytes| self.take_returned(guard, bytes)) {
                Ok(()) => taken += 1,
                Err(failure) if taken == 0 => return Err(failure),
                Err(_) => break,
            }
            if into.bytes.len() >= super::MAX_BATCH_BYTES {
                break;
            }
        }
        Ok(taken)
    }

    /// Takes the oldest that came back out for good; its slot is yet to be freed.
    fn take_returned(&self, guard: &EndGuard<'_, P>, into: &mut Vec<u8>) -> Result<(), Failure> {
        let table = self.table();
        let (lease, _) = self.oldest(&table, guard)?;
        self.read_returned(guard, lease, into)?;
        table.unlist(lease);
        table.free(lease);
        self.count_returned(guard, 0, -1);
        Ok(())
    }

    /// So many that came back have gone for good.
    pub(super) fn end_pop_of_returned(&self, guard: EndGuard<'_, P>, popped: u32) {
        // Relaxed, both: one is under this lock; and of the tail it is a hint.
        let head = guard.state.cursor(Ordering::Relaxed);
        let tail = self.control().tail.cursor(Ordering::Relaxed);
        self.move_end(End::Head, guard, head, popped);
        self.after_pop(head, tail);
    }

    // Settling.

    /// Ends a lease: the item is done, or it comes back, and the delivery counts as an attempt or
    /// not.
    ///
    /// # Errors
    /// `Denied` if the lease is not this member's (any more), or that of a repair.
    pub(crate) fn settle(&self, key: &LeaseKey, back: Option<bool>) -> Result<(), Failure> {
        // A forked child has a copy of what is its parent's.
        if key.owner() != self.platform.owner() {
            return Err(not_ours());
        }
        let guard = self.lock(End::Head)?;
        let lease = self.table().lease(key.slot);
        let lease = lease.filter(|lease| key.is_of(lease.slot));
        let lease = lease.ok_or_else(not_ours)?;
        match back {
            None => self.done(guard, lease),
            Some(counted) => self.put_back(guard, lease, key.attempt(), counted),
        }
        Ok(())
    }

    /// The item is done.
    #[inline]
    fn done(&self, guard: EndGuard<'_, P>, lease: Lease<'_>) {
        let state = guard.state;
        let wake = self.prepare_wake(End::Head, state, false);
        self.table().free(lease);
        self.count_returned(&guard, -1, 0);
        let joined = self.move_freed(state, 1);
        drop(guard);
        if joined {
            self.wake_joining();
        }
        if wake {
            self.platform.wake(&state.wake_seq, 1);
        }
        if self.is_closed() {
            self.wake_at_the_end();
        }
    }

    /// The item is in the queue again.
    #[cold]
    fn put_back(&self, guard: EndGuard<'_, P>, lease: Lease<'_>, attempt: u32, counted: bool) {
        self.table().put_back(lease, attempt, counted);
        self.count_returned(&guard, -1, 1);
        self.count_returns(1);
        drop(guard);
        self.wake_for_returned(Tries::Endless, false);
    }

    /// So many came back: under the head lock, after they are counted as such.
    fn count_returns(&self, count: u32) {
        let returns = &self.control().leases.returns;
        let now = returns.load(Ordering::Relaxed).wrapping_add(count);
        // Release: pairs with the Acquire in `arrivals`.
        returns.store(now, Ordering::Release);
    }

    /// Has all come back that is lent to members that have died. With so many tries for the locks.
    pub(crate) fn put_back_of_dead(&self, tries: Tries) {
        if self.held() == 0 {
            return;
        }
        let me = self.platform.owner();
        let mut known = Vec::new();
        let mut is_dead = |owner| {
            if owner == me {
                return false;
            }
            match known.iter().find(|(known, _)| *known == owner) {
                Some((_, dead)) => *dead,
                None => {
                    let dead = !self.platform.is_alive(owner);
                    known.push((owner, dead));
                    dead
                }
            }
        };
        // A failure: whoever tries meets it.
        let Ok(Some(guard)) = self.lock_within(End::Head, tries) else {
            return;
        };
        // A name that was written under this lock belongs to a member that we see.
        let count = self.table().put_back_of(&mut is_dead);
        if count == 0 {
            return;
        }
        self.count_returned(&guard, -(count as i32), count as i32);
        self.count_returns(count);
        drop(guard);
        self.wake_for_returned(tries, true);
    }

    /// Wakes one who waits for items, or all, though the tail has not moved: something came back. If it
    /// dies before this, or the tries are too few, those look again by themselves.
    pub(crate) fn wake_for_returned(&self, tries: Tries, all: bool) {
        let Ok(Some(guard)) = self.lock_within(End::Tail, tries) else {
            return;
        };
        let state = guard.state;
        let wake = self.prepare_wake(End::Tail, state, all);
        drop(guard);
        if wake {
            self.platform
                .wake(&state.wake_seq, if all { u32::MAX } else { 1 });
        }
    }

    // The end of all.

    /// So many more have gone for good, under the head lock, with which nobody else could have seen
    /// the queue idle; whether those who join it are to be woken.
    #[inline]
    pub(super) fn move_freed(&self, state: &EndState, gone: u32) -> bool {
        let published = &state.published;
        // Relaxed: under this lock.
        let freed = published.freed.load(Ordering::Relaxed).wrapping_add(gone);
        // Release: pairs with the Acquire in `PeerCursor::refresh`.
        published.freed.store(freed, Ordering::Release);
        // Relaxed: set under this lock.
        published.joining.load(Ordering::Relaxed) != 0 && self.tell_joining(state, freed)
    }

    /// If the queue is idle, tells those who join it; whether they are to be woken.
    #[cold]
    fn tell_joining(&self, state: &EndState, freed: u32) -> bool {
        // Relaxed: who joins took this lock, so all is seen that it knew of.
        if self.control().tail.cursor(Ordering::Relaxed).count != freed {
            return false;
        }
        let idle_seq = &self.control().leases.idle_seq;
        let seq = idle_seq.load(Ordering::Relaxed).wrapping_add(1);
        idle_seq.store(seq, Ordering::Relaxed);
        if state.published.joining.load(Ordering::Relaxed) & joining::FUTURES != 0 {
            self.platform.notify_futures(End::Head);
        }
        state.published.joining.store(0, Ordering::Relaxed);
        true
    }

    #[cold]
    pub(super) fn wake_joining(&self) {
        self.platform
            .wake(&self.control().leases.idle_seq, u32::MAX);
    }

    /// Gets ready to sleep until the queue is idle, as a thread or a future.
    ///
    /// # Errors
    /// If the queue is in need of repair, and that failed, or this process cannot take part. It is
    /// not idle then, but nobody will tell when it is.
    pub(crate) fn prepare_join(&self, how: u32) -> Result<PreparedJoin, Failure> {
        let guard = match self.lock(End::Head) {
            Err(_) if self.is_idle() => return Ok(PreparedJoin::Idle),
            guard => guard?,
        };
        if self.is_idle() {
            return Ok(PreparedJoin::Idle);
        }
        // Relaxed, all: under this lock.
        let joining = &guard.state.published.joining;
        joining.store(joining.load(Ordering::Relaxed) | how, Ordering::Relaxed);
        let seq = self.control().leases.idle_seq.load(Ordering::Relaxed);
        Ok(PreparedJoin::Asleep(seq))
    }

    /// The queue is closed: if nothing is left in it, and nothing is lent, wakes all who wait for
    /// items.
    #[cold]
    pub(super) fn wake_at_the_end(&self) {
        if self.is_idle() {
            self.wake_for_returned(Tries::Endless, true);
        }
    }

    // After a death.

    /// Sets right what somebody left of the leases who died with the head lock: under both locks,
    /// after the storage is repaired.
    ///
    /// # Errors
    /// That of the storage.
    pub(super) fn repair_leases(&self) -> Result<(), Failure> {
        let control = self.control();
        let was_lent = |lease: Lease<'_>| self.storage.was_lent(control, &lease);
        let count = self.table().rebuild(was_lent)?;
        let (state, published) = (&control.head, &control.head.published);
        let head: Cursor = state.cursor(Ordering::Relaxed);
        let taken = count.held.wrapping_add(count.returned);
        published.held.store(count.held, Ordering::Relaxed);
        published.returned.store(count.returned, Ordering::Relaxed);
        // Who waits for items looks anew at each of them.
        self.count_returns(count.returned);
        let freed = head.count.wrapping_sub(taken);
        // Relaxed: whoever works at the tail takes its lock after us.
        published.freed.store(freed, Ordering::Relaxed);
        if published.joining.load(Ordering::Relaxed) != 0 && self.tell_joining(state, freed) {
            self.wake_joining();
        }
        Ok(())
    }

    /// Gives back what large items had outside, if none is lent: under both locks. Whether it could.
    pub(super) fn trim_leases(&self) -> bool {
        let published = &self.control().head.published;
        let count = |word: &crate::sys::Word32| word.load(Ordering::Relaxed);
        let unused = count(&published.held) == 0 && count(&published.returned) == 0;
        if unused {
            self.table().trim();
        }
        unused
    }
}

#[cold]
pub(crate) fn not_ours() -> Failure {
    let message = "this delivery belongs to another process, or was given to another";
    Failure::new(FailureKind::Denied, message)
}
