//! What is lent: the part of a [`LockFreeQueue`] that `receive`, settling and `join` go through.
//!
//! It has a lock, which a plain push or pop takes only while anything is lent or came back.
//!
//! In a ring such an item keeps a slot, though not always its own: a producer goes from slot to
//! slot in order, so the slots that are held must be those that were popped from last. Hence an
//! item that is done frees the *oldest* of the held slots, and a plain pop exchanges its own for
//! that. Whoever lends counts itself first and takes the item after, so a pop that took a younger
//! item sees the count.

use super::Storage::{Bounded, Unbounded};
use super::ring::HeldSlot;
use super::{LockFreeQueue, Shared, Storage};
use queue_core::sync::atomic::{AtomicUsize, Ordering, fence};
use queue_core::sync::{Lock, seq_cst};
use queue_core::work::{Idle, IdleListener, Lease, Lend, Loan, Returned, Settlement};
use queue_core::{Failure, TryPopError};
use std::collections::VecDeque;

pub(super) struct Lending<T> {
    /// How many items are lent or came back, and those who are about to lend one.
    held: AtomicUsize,
    state: Lock<State<T>>,
    pub(super) idle: Idle,
}

struct State<T> {
    /// What came back.
    returned: Returned<T>,
    /// How many items are lent.
    leases: usize,
    /// The slots of a ring that they keep, the oldest first.
    slots: VecDeque<HeldSlot>,
    /// That of the next item that is lent for the first time.
    number: u64,
}

impl<T> State<T> {
    fn held(&self) -> usize {
        self.leases + self.returned.len()
    }

    /// Keeps `slot`, in order.
    #[inline]
    fn keep(&mut self, slot: HeldSlot) {
        match self.slots.back() {
            Some(last) if !last.is_older_than(&slot) => self.keep_between(slot),
            _ => self.slots.push_back(slot),
        }
    }

    #[cold]
    fn keep_between(&mut self, slot: HeldSlot) {
        let older = self
            .slots
            .iter()
            .rev()
            .position(|other| other.is_older_than(&slot));
        let at = older.map_or(0, |younger| self.slots.len() - younger);
        self.slots.insert(at, slot);
    }
}

impl<T> Lending<T> {
    pub(super) fn new() -> Self {
        Self {
            held: seq_cst(0),
            state: Lock::new(State {
                returned: Returned::new(),
                leases: 0,
                slots: VecDeque::new(),
                number: 0,
            }),
            idle: Idle::new(),
        }
    }

    /// Whether anything is lent or came back, or is about to.
    #[inline(always)]
    pub(super) fn is_used(&self) -> bool {
        // SeqCst: pairs with the additions, which come before a lender takes its item.
        self.held.load(Ordering::SeqCst) != 0
    }

    /// How many are lent, exactly.
    pub(super) fn in_flight(&self) -> usize {
        match self.is_used() {
            false => 0,
            true => self.state.lock().leases,
        }
    }

    /// Looks, while nobody lends or settles, with how many slots are held, and how many items came back.
    #[cold]
    pub(super) fn exactly<R>(&self, look: impl FnOnce(usize, usize) -> R) -> R {
        let state = self.state.lock();
        look(state.held(), state.returned.len())
    }
}

impl<T> Shared<T> {
    /// Frees the slot of an item that was popped, or in its place the oldest that is held.
    #[inline(always)]
    pub(super) fn free(&self, slot: HeldSlot) {
        match &self.storage {
            Bounded(ring) if !self.lending.is_used() => ring.free(slot),
            _ => self.exchange(slot),
        }
    }

    #[cold]
    fn exchange(&self, slot: HeldSlot) {
        let Bounded(ring) = &self.storage else { return };
        let mut state = self.lending.state.lock();
        state.keep(slot);
        let oldest = state.slots.pop_front().expect("one was put in");
        ring.free(oldest);
    }

    /// Pops what came back, if anything did. It is kept before anybody is woken, whose waker may panic.
    #[cold]
    pub(super) fn pop_returned<R>(&self, keep: impl FnOnce(T) -> R) -> Option<R> {
        let mut state = self.lending.state.lock();
        let item = state.returned.pop()?;
        let kept = keep(item);
        self.one_less(state);
        self.pass_on();
        Some(kept)
    }

    /// What finding nothing comes to: while something is lent the end has not come.
    #[cold]
    pub(super) fn found_none(&self, error: TryPopError) -> TryPopError {
        match error {
            TryPopError::Closed if self.lending.is_used() => {
                match self.lending.exactly(|held, _| held) {
                    0 => TryPopError::Closed,
                    _ => TryPopError::Empty,
                }
            }
            error => error,
        }
    }

    /// An item that was lent, or came back, is gone: frees a slot, and tells who waits for that.
    #[inline]
    fn one_less(&self, mut state: queue_core::sync::LockGuard<'_, State<T>>) {
        if let Bounded(ring) = &self.storage {
            let oldest = state.slots.pop_front().expect("each has one");
            ring.free(oldest);
        }
        self.lending.held.fetch_sub(1, Ordering::SeqCst);
        let last = state.held() == 0;
        drop(state);
        if let Bounded(_) = self.storage {
            self.slots.notify_after_rmw_unless_pending();
        }
        if last {
            if self.storage.is_closed() {
                self.items.notify_all();
            }
            self.tell_if_idle();
        }
    }

    /// Tells those who join, if the queue is idle: after each item that is gone.
    #[inline(always)]
    pub(super) fn tell_if_idle(&self) {
        if let Unbounded(chain) = &self.storage {
            if chain.len() != 0 {
                return;
            }
            // Pairs with the fence in `Event::listen`: either this sees who joins, or that one
            // sees that the item is gone. (A ring's head moves by `SeqCst` operations.)
            fence(Ordering::SeqCst);
        }
        if self.lending.idle.has_waiting() {
            self.notify_if_idle();
        }
    }

    #[cold]
    fn notify_if_idle(&self) {
        if self.is_idle() {
            self.lending.idle.notify();
        }
    }

    fn is_idle(&self) -> bool {
        let state = self.lending.state.lock();
        let empty = match &self.storage {
            Bounded(ring) => ring.is_empty(),
            Unbounded(chain) => chain.len() == 0,
        };
        empty && state.held() == 0
    }
}

impl<T> Storage<T> {
    /// The oldest item, and its slot, which stays held.
    #[inline]
    fn pop_held(&self) -> Result<(T, Option<HeldSlot>), TryPopError> {
        match self {
            Bounded(ring) => {
                let mut slot = None;
                let item = ring.pop(|held| slot = Some(held))?;
                Ok((item, slot))
            }
            Unbounded(chain) => Ok((chain.pop()?, None)),
        }
    }
}

impl<T: Send> Lend for LockFreeQueue<T> {
    type Lease = Lease;
    type IdleListener<'a>
        = IdleListener<'a>
    where
        Self: 'a;

    #[inline]
    fn try_lend(&self) -> Result<(T, Lease), TryPopError> {
        let shared: &Shared<T> = &self.0;
        let mut state = shared.lending.state.lock();
        let lent = if let Some(lent) = state.returned.lend() {
            lent
        } else {
            // First: a pop that takes a younger item sees it. See the module's page.
            shared.lending.held.fetch_add(1, Ordering::SeqCst);
            match shared.storage.pop_held() {
                Ok((item, slot)) => {
                    slot.into_iter().for_each(|slot| state.keep(slot));
                    state.number += 1;
                    (item, Lease::first(state.number))
                }
                Err(error) => {
                    shared.lending.held.fetch_sub(1, Ordering::SeqCst);
                    return Err(match error {
                        TryPopError::Closed if state.held() != 0 => TryPopError::Empty,
                        error => error,
                    });
                }
            }
        };
        state.leases += 1;
        drop(state);
        let loan = Loan::new(self, lent);
        shared.pass_on();
        Ok(loan.finish())
    }

    fn attempt(lease: &Lease) -> u32 {
        lease.attempt()
    }

    #[inline]
    fn settle(&self, lease: Lease, how: Settlement<T>) -> Result<(), Failure> {
        let shared: &Shared<T> = &self.0;
        let mut state = shared.lending.state.lock();
        state.leases -= 1;
        match how {
            Settlement::Done => shared.one_less(state),
            Settlement::Back { item, counted } => {
                state.returned.insert(lease, item, counted);
                drop(state);
                shared.items.notify_unless_pending();
            }
        }
        Ok(())
    }

    fn leases(&self) -> usize {
        self.0.lending.in_flight()
    }

    fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    fn listen_idle(&self) -> IdleListener<'_> {
        self.0.lending.idle.listen()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::ring::Ring;
    use super::*;

    /// In whichever order those who took them come.
    #[test]
    fn slots_are_kept_from_the_oldest_on() {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let ring = Ring::new(4).unwrap();
            let mut slots = [0, 1, 2].map(|n| {
                assert!(ring.push(n, |full| full(0)).is_ok());
                let mut slot = None;
                assert!(ring.pop(|held| slot = Some(held)).is_ok());
                slot
            });
            let lending = Lending::<u32>::new();
            let mut state = lending.state.lock();
            for n in order {
                state.keep(slots[n].take().unwrap());
            }
            let kept: Vec<_> = state.slots.drain(..).collect();
            assert!(kept[0].is_older_than(&kept[1]) && kept[1].is_older_than(&kept[2]));
            kept.into_iter().for_each(|slot| ring.free(slot));
        }
    }
}
