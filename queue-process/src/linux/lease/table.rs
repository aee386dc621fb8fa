//! [`Table`]: the slots of a queue, and the lists that they are in.
//!
//! Every slot below `high` is in one of these: the list of free slots, the list of returned ones, or
//! none, as long as it is taken or held. Whoever dies while it changes a list died with the head
//! lock in its hands, and [`rebuild`](Table::rebuild) makes both anew.

use super::bytes::{Lease, LeaseMemory};
use super::slot::{LeaseKey, State};
use crate::sys::{Word32, Word64, shared_safe};
use queue_core::sync::CachePadded;
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{Failure, FailureKind};

/// What all processes of a queue share of its leases, beside the slots. Under the head lock.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct LeaseState {
    /// The slots from here on were never used.
    high: Word32,
    /// The slots below have memory.
    committed: Word32,
    /// The first slot that is free, plus one; or zero.
    free: Word32,
    /// The oldest that came back, plus one; or zero.
    returned: Word32,
    /// Where to look first for the place of what comes back: the youngest that came back, and the
    /// one that did so last, plus one. Hints: by now they may be anything.
    youngest: Word32,
    latest: Word32,
    /// How many came back, ever: what those count who wait for items.
    pub(crate) returns: Word32,
    spare: Word32,
    /// The number of the next item that is lent for the first time.
    next_number: Word64,
    /// Changes when the queue is idle while somebody joins it: what those sleep on.
    pub(crate) idle_seq: CachePadded<Word32>,
}

shared_safe!(LeaseState {
    high,
    committed,
    free,
    returned,
    youngest,
    latest,
    returns,
    spare,
    next_number,
    idle_seq
});

#[cfg(all(test, not(loom)))]
impl LeaseState {
    /// All words of 32 bits, for tests that lie.
    pub(crate) fn words(&self) -> [&Word32; 8] {
        [
            &self.high,
            &self.committed,
            &self.free,
            &self.returned,
            &self.youngest,
            &self.latest,
            &self.returns,
            &self.idle_seq,
        ]
    }
}

/// How many slots get memory at least when more are needed: a page of them.
const CHUNK: u32 = if cfg!(loom) { 2 } else { 32 };

/// What a table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) held: u32,
    pub(crate) returned: u32,
}

/// The slots of a queue, for who has the head lock.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) state: &'a LeaseState,
    pub(crate) memory: &'a dyn LeaseMemory,
}

impl<'a> Table<'a> {
    /// Slot `n`.
    pub(crate) fn lease(&self, n: u32) -> Option<Lease<'a>> {
        // Slots beyond have no memory, whatever somebody wrote.
        (n < self.state.committed.load(Relaxed).min(self.memory.slots())).then(|| Lease {
            n,
            slot: self.memory.slot(n),
            memory: self.memory,
        })
    }

    /// The slot that `link` names.
    fn at(&self, link: &Word32) -> Option<Lease<'a>> {
        (link.load(Relaxed).checked_sub(1)).and_then(|n| self.lease(n))
    }

    /// The slots that are or were in use.
    fn all(&self) -> impl Iterator<Item = Lease<'a>> + use<'a> {
        let table = *self;
        (0..self.state.high.load(Relaxed).min(self.memory.slots()))
            .map_while(move |n| table.lease(n))
    }

    /// Takes a free slot, for the item at the head, whose number there is `count`.
    ///
    /// # Errors
    /// `TooLarge` if there is none, or what the system says.
    #[inline]
    pub(crate) fn take(&self, count: u32) -> Result<Lease<'a>, Failure> {
        let state = self.state;
        let lease = match state.free.load(Relaxed).checked_sub(1) {
            Some(n) => {
                let lease = self
                    .lease(n)
                    .filter(|lease| lease.slot.state() == State::Free);
                let lease = lease.ok_or_else(corrupt)?;
                state.free.store(lease.slot.next.load(Relaxed), Relaxed);
                lease
            }
            None => self.take_new()?,
        };
        lease.slot.count.store(count, Relaxed);
        lease.clear_record();
        lease.slot.set_state(State::Taken);
        let number = state.next_number.load(Relaxed);
        lease.slot.number.store(number, Relaxed);
        state.next_number.store(number.wrapping_add(1), Relaxed);
        Ok(lease)
    }

    /// Takes a slot that was never used.
    #[cold]
    fn take_new(&self) -> Result<Lease<'a>, Failure> {
        let state = self.state;
        let (n, slots) = (state.high.load(Relaxed), self.memory.slots());
        if n >= slots {
            return Err(too_many(slots));
        }
        let committed = state.committed.load(Relaxed).min(slots);
        if n >= committed {
            let to = n.saturating_add(CHUNK.max(n / 2)).min(slots);
            self.memory.grow(committed, to)?;
            state.committed.store(to, Relaxed);
        }
        // The slot is found by whoever repairs before it is anything.
        state.high.store(n + 1, Relaxed);
        let lease = self.lease(n).ok_or_else(corrupt)?;
        lease.slot.set_state(State::Free);
        Ok(lease)
    }

    /// The slot is free.
    #[inline]
    pub(crate) fn free(&self, lease: Lease<'a>) {
        lease.slot.set_state(State::Free);
        lease.trim();
        (lease.slot.next).store(self.state.free.load(Relaxed), Relaxed);
        self.state.free.store(lease.n + 1, Relaxed);
    }

    /// It is lent to `owner`, for the `attempt`th time.
    #[inline]
    pub(crate) fn lend(&self, lease: Lease<'a>, owner: u32, attempt: u32) -> LeaseKey {
        let held = State::Held { owner, attempt };
        lease.slot.set_state(held);
        LeaseKey {
            slot: lease.n,
            word: held.word(),
            number: lease.slot.number.load(Relaxed),
        }
    }

    /// What came back first of all that is here, and how often it will have been delivered.
    pub(crate) fn oldest(&self) -> Result<(Lease<'a>, u32), Failure> {
        let lease = self.at(&self.state.returned).ok_or_else(corrupt)?;
        match lease.slot.state() {
            State::Returned { attempt } => Ok((lease, attempt)),
            _ => Err(corrupt()),
        }
    }

    /// The oldest is no longer listed as returned.
    pub(crate) fn unlist(&self, oldest: Lease<'a>) {
        let next = oldest.slot.next.load(Relaxed);
        self.state.returned.store(next, Relaxed);
    }

    /// It comes back.
    pub(crate) fn put_back(&self, lease: Lease<'a>, attempt: u32, counted: bool) {
        lease.slot.set_state(State::returned(attempt, counted));
        let number = lease.slot.number.load(Relaxed);
        let state = self.state;
        let older = |link| {
            self.at(link)
                .filter(|lease| lease.slot.number.load(Relaxed) < number)
        };
        // A worker gives back what it has without a search, be it from the oldest on or from the
        // youngest. All that is returned is listed, but for this one, which is not older: so
        // whatever a hint names, from there the search goes right.
        let hints = [&state.youngest, &state.latest].into_iter();
        let near = (hints.filter_map(older))
            .filter(|lease| matches!(lease.slot.state(), State::Returned { .. }))
            .max_by_key(|lease| lease.slot.number.load(Relaxed));
        let mut link = near.map_or(&state.returned, |near| &near.slot.next);
        // As many as there are: a list of lies may go round.
        for _ in 0..self.memory.slots() {
            let Some(lease) = older(link) else {
                break;
            };
            link = &lease.slot.next;
        }
        let next = link.load(Relaxed);
        lease.slot.next.store(next, Relaxed);
        link.store(lease.n + 1, Relaxed);
        state.latest.store(lease.n + 1, Relaxed);
        if next == 0 {
            state.youngest.store(lease.n + 1, Relaxed);
        }
    }

    /// Gives back what large items had outside: none is in any slot.
    pub(crate) fn trim(&self) {
        if self.state.high.load(Relaxed) != 0 {
            self.memory.all_outside().punch_hole(0, u64::MAX);
        }
    }

    /// Has all come back that is held by those of whom `is_dead` says that they are: how many.
    pub(crate) fn put_back_of(&self, mut is_dead: impl FnMut(u32) -> bool) -> u32 {
        let mut count = 0;
        for lease in self.all() {
            if let State::Held { owner, attempt } = lease.slot.state() {
                if is_dead(owner) {
                    lease.slot.set_state(State::returned(attempt, true));
                    count += 1;
                }
            }
        }
        if count != 0 {
            self.list();
        }
        count
    }

    /// Sets right what somebody left who died with the head lock. `was_lent` says whether the item
    /// of a slot that is taken is out of the queue, and is then whole.
    ///
    /// # Errors
    /// That of `was_lent`.
    pub(crate) fn rebuild(
        &self,
        mut was_lent: impl FnMut(Lease<'a>) -> Result<bool, Failure>,
    ) -> Result<Count, Failure> {
        for lease in self.all() {
            if lease.slot.state() == State::Taken {
                let came = was_lent(lease)?;
                // Nobody had it, so this was no attempt.
                let back = State::Returned { attempt: 1 };
                lease.slot.set_state(if came { back } else { State::Free });
            }
        }
        Ok(self.list())
    }

    /// Makes both lists anew.
    fn list(&self) -> Count {
        let (mut free, mut held, mut returned) = (0, 0, Vec::new());
        for lease in self.all() {
            match lease.slot.state() {
                State::Held { .. } => held += 1,
                State::Returned { .. } => {
                    returned.push((lease.slot.number.load(Relaxed), lease.n));
                }
                State::Free | State::Taken => {
                    lease.slot.next.store(free, Relaxed);
                    free = lease.n + 1;
                }
            }
        }
        returned.sort_unstable_by(|one, other| other.cmp(one));
        let mut first = 0;
        for &(_, n) in &returned {
            if let Some(lease) = self.lease(n) {
                lease.slot.next.store(first, Relaxed);
                first = n + 1;
            }
        }
        self.state.free.store(free, Relaxed);
        self.state.returned.store(first, Relaxed);
        Count {
            held,
            returned: returned.len() as u32,
        }
    }
}

#[cold]
fn corrupt() -> Failure {
    Failure::new(FailureKind::Corrupt, "the leases of the queue are damaged")
}

#[cold]
fn too_many(slots: u32) -> Failure {
    let message = format!("{slots} items are lent, and that is the most at a time");
    Failure::new(FailureKind::TooLarge, message)
}
