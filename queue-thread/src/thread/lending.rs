//! What is lent: the part of the storage that `receive`, settling and `join` go through.
//!
//! An item that is lent, or came back, keeps its slot: `lent - done` slots are taken so. `lent`
//! moves under the lock of the deque that the item came from, before that deque's count does: so a
//! producer that sees the item gone sees it lent. An ack is one atomic addition to `done`.

use super::ThreadQueue;
use super::store::Store;
use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::{Lock, seq_cst};
use queue_core::work::{Idle, IdleListener, Lease, Lend, Loan, Returned, Settlement};
use queue_core::{Failure, TryPopError};

pub(super) struct Lending<T> {
    /// How many items were ever lent for the first time. Only those who pop from one and the same
    /// deque change it, one after the other, so it needs no read-modify-write.
    lent: AtomicUsize,
    /// How many of them are done.
    done: AtomicUsize,
    /// How many are in `returned`: stored under its lock, loaded anywhere.
    count: AtomicUsize,
    /// What came back. Its lock is taken under none of the others, nor they under it.
    returned: Lock<Returned<T>>,
    pub(super) idle: Idle,
}

impl<T> Lending<T> {
    pub(super) fn new() -> Self {
        Self {
            lent: AtomicUsize::new(0),
            done: seq_cst(0),
            count: AtomicUsize::new(0),
            returned: Lock::new(Returned::new()),
            idle: Idle::new(),
        }
    }

    /// How many items wait that came back.
    #[inline(always)]
    pub(super) fn returned(&self) -> usize {
        // Relaxed: who sleeps has a fence between registering and this; see `Event::listen`.
        self.count.load(Ordering::Relaxed)
    }

    /// How many slots are taken by what is lent and what came back.
    #[inline]
    pub(super) fn slots(&self) -> usize {
        let lent = self.lent.load(Ordering::Relaxed);
        // SeqCst: who sleeps next has missed no ack. See `Store::done`.
        lent.saturating_sub(self.done.load(Ordering::SeqCst))
    }

    /// The lease of an item that is lent for the first time, under the lock of its deque.
    #[inline]
    fn first(&self) -> Lease {
        let number = self.lent.load(Ordering::Relaxed);
        // Relaxed: published by the deque's count, or its lock.
        self.lent.store(number + 1, Ordering::Relaxed);
        Lease::first(number as u64)
    }

    /// Takes something out of what came back.
    fn take<R>(&self, take: impl FnOnce(&mut Returned<T>) -> Option<R>) -> Option<R> {
        let mut returned = self.returned.lock();
        let taken = take(&mut returned);
        self.count.store(returned.len(), Ordering::Relaxed);
        taken
    }
}

impl<T> Store<T> {
    /// Pops what came back, if anything did. It is kept before anybody is woken, whose waker may panic.
    #[cold]
    pub(super) fn pop_returned<R>(&self, keep: impl FnOnce(T) -> R) -> Option<R> {
        let kept = keep(self.lending.take(Returned::pop)?);
        self.done();
        self.pass_on();
        Some(kept)
    }

    /// Was this one woken for an item, and is there one more?
    fn pass_on(&self) {
        if self.items.has_waiting() && self.len() != 0 {
            self.items.notify_unless_pending();
        }
    }

    /// An item that was lent, or came back, is gone for good.
    #[inline]
    fn done(&self) {
        // SeqCst: this, the loads below, and those by which producers and joiners look again stand
        // in one order. Either this sees who waits, or that one sees this.
        self.lending.done.fetch_add(1, Ordering::SeqCst);
        self.slots.notify_after_rmw_unless_pending();
        if self.closed.load(Ordering::SeqCst) != 0 || self.lending.idle.has_waiting() {
            self.perhaps_last();
        }
    }

    /// [`done`](Self::done) where it may have been the last, for those who wait for that.
    #[cold]
    fn perhaps_last(&self) {
        if self.closed.load(Ordering::SeqCst) != 0 && self.lending.slots() == 0 {
            self.items.notify_all();
        }
        self.tell_if_idle();
    }

    #[cold]
    pub(super) fn tell_if_idle(&self) {
        if self.is_idle() {
            self.lending.idle.notify();
        }
    }
}

impl<T: Send> Lend for ThreadQueue<T> {
    type Lease = Lease;
    type IdleListener<'a>
        = IdleListener<'a>
    where
        Self: 'a;

    #[inline]
    fn try_lend(&self) -> Result<(T, Lease), TryPopError> {
        let store = &*self.0;
        if store.lending.returned() != 0 {
            if let Some(lent) = store.lending.take(Returned::lend) {
                let loan = Loan::new(self, lent);
                store.pass_on();
                return Ok(loan.finish());
            }
        }
        let loan = store.take::<true, _>(1, |deque, _| {
            let item = deque.pop_front().expect("one was promised");
            Loan::new(self, (item, store.lending.first()))
        });
        loan.map(Loan::finish)
    }

    fn attempt(lease: &Lease) -> u32 {
        lease.attempt()
    }

    #[inline]
    fn settle(&self, lease: Lease, how: Settlement<T>) -> Result<(), Failure> {
        let store = &*self.0;
        match how {
            Settlement::Done => store.done(),
            Settlement::Back { item, counted } => {
                let mut returned = store.lending.returned.lock();
                returned.insert(lease, item, counted);
                (store.lending.count).store(returned.len(), Ordering::Relaxed);
                drop(returned);
                store.items.notify_unless_pending();
            }
        }
        Ok(())
    }

    fn leases(&self) -> usize {
        let slots = self.0.lending.slots();
        slots.saturating_sub(self.0.lending.returned())
    }

    fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    fn listen_idle(&self) -> IdleListener<'_> {
        self.0.lending.idle.listen()
    }
}
