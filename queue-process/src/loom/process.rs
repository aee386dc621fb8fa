//! A modelled process, and its verbs.

use super::Simulation;
use super::store::{LARGE, Store};
use super::system::System;
use super::wait_list::Done;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::End;
use crate::linux::engine::end_lock::Tries;
use crate::linux::engine::leases::PreparedJoin;
use crate::linux::engine::{Engine, Platform};
use crate::linux::lease::slot::LeaseKey;
use crate::linux::wait::futures::WaitList;
use crate::linux::wait::sleepers::Sleepers;
use crate::try_error::TryError;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::sync::atomic::{AtomicU32, Ordering};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

/// Why a modelled process did not get what it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryFailure {
    /// There is no free slot, or no item.
    WouldBlock,
    /// Closed.
    Closed,
}

fn try_failure(error: TryError) -> TryFailure {
    match error {
        TryError::WouldBlock => TryFailure::WouldBlock,
        TryError::Closed => TryFailure::Closed,
        TryError::Failed(failure) => panic!("{failure}"),
    }
}

/// A number on loan.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// Which.
    pub number: u64,
    key: LeaseKey,
}

impl Lent {
    /// How often it was delivered.
    pub fn attempt(&self) -> u32 {
        self.key.attempt()
    }
}

/// A modelled process's queue of numbers.
#[derive(Debug)]
pub struct Process {
    pub(super) engine: Engine<Store, System>,
    /// Its futures that wait for each end.
    pub(super) waiting: [WaitList; 2],
    /// Its threads that sleep for each end.
    pub(super) sleepers: [Sleepers; 2],
    pub(super) done: Done,
}

impl Process {
    /// The item that `number` is: in a pipe a large one repeats it.
    fn item(&self, number: u64) -> Vec<u8> {
        let is_large =
            matches!(self.engine.storage(), Store::Pipe(_)) && number >= Simulation::LARGE;
        let times = if is_large { LARGE / 8 } else { 1 };
        number.to_ne_bytes().repeat(times)
    }

    /// The number that an item is.
    fn number(&self, item: &[u8]) -> u64 {
        let first = item.first_chunk().expect("a number");
        let number = u64::from_ne_bytes(*first);
        assert_eq!(item, self.item(number), "poisoned");
        number
    }

    /// Pushes if there is a free slot.
    ///
    /// # Errors
    /// [`TryFailure`].
    pub fn try_push(&self, number: u64) -> Result<(), TryFailure> {
        self.engine.push(&self.item(number)).map_err(try_failure)
    }

    /// Pops if there is an item.
    ///
    /// # Errors
    /// [`TryFailure`].
    pub fn try_pop(&self) -> Result<u64, TryFailure> {
        let mut bytes = Vec::new();
        self.engine.pop(&mut bytes).map_err(try_failure)?;
        Ok(self.number(&bytes))
    }

    /// Receives if there is an item.
    ///
    /// # Errors
    /// [`TryFailure`].
    pub fn try_receive(&self) -> Result<Lent, TryFailure> {
        let mut bytes = Vec::new();
        let key = self.engine.receive(&mut bytes).map_err(try_failure)?;
        Ok(Lent {
            number: self.number(&bytes),
            key,
        })
    }

    /// Receives, waiting as a thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn receive(&self) -> Result<Lent, TryFailure> {
        loop {
            match self.try_receive() {
                Err(TryFailure::WouldBlock) => {}
                done => return done,
            }
            let sleepers = &self.sleepers[End::Tail as usize];
            let check_peers = |is_time| {
                if is_time {
                    self.recover();
                    self.put_back_of_dead();
                }
            };
            (self.engine).wait(End::Tail, sleepers, || None, || false, check_peers);
        }
    }

    /// Receives as the only future of a process, which listens to the eventfd itself.
    ///
    /// # Errors
    /// `Closed`.
    pub fn receive_by_eventfd(&self) -> Result<Lent, TryFailure> {
        self.wait_for_eventfd(End::Tail, || self.try_receive())
    }

    /// It is done: whether it was still ours.
    pub fn ack(&self, lent: &Lent) -> bool {
        self.engine.settle(&lent.key, None).is_ok()
    }

    /// It goes back: whether it was still ours.
    pub fn nack(&self, lent: &Lent) -> bool {
        self.engine.settle(&lent.key, Some(true)).is_ok()
    }

    /// It goes back, and was no attempt: whether it was still ours.
    pub fn release(&self, lent: &Lent) -> bool {
        self.engine.settle(&lent.key, Some(false)).is_ok()
    }

    /// What a check of the peers does for the leases.
    pub fn put_back_of_dead(&self) {
        self.engine.put_back_of_dead(Tries::Endless);
    }

    /// How often an item came back.
    pub fn returns(&self) -> u32 {
        self.engine.control().leases.returns.load(Ordering::Relaxed)
    }

    /// Waits, as a thread, until the queue is idle.
    pub fn join(&self) {
        let put_back = |_| self.put_back_of_dead();
        assert!(self.engine.join(|| None, put_back));
    }

    /// Whether nothing waits and nothing is lent, whoever died.
    ///
    /// # Panics
    /// If the queue cannot be repaired.
    pub fn is_idle(&self) -> bool {
        let look = self.engine.prepare_join(0);
        look.expect("can repair") == PreparedJoin::Idle
    }

    /// How many are lent.
    pub fn in_flight(&self) -> u32 {
        self.engine.held()
    }

    /// Pushes as many of `numbers` as there are slots for: how many.
    ///
    /// # Errors
    /// [`TryFailure`], if there is no slot for the first.
    pub fn try_push_many(&self, numbers: &[u64]) -> Result<usize, TryFailure> {
        let mut batch = Batch::default();
        for &number in numbers {
            let add = |bytes: &mut Vec<u8>| {
                bytes.extend(self.item(number));
                Ok::<_, TryFailure>(())
            };
            batch.add(add).expect("no reason not to");
        }
        self.engine.push_many(&batch).map_err(try_failure)
    }

    /// Pops up to `max` items.
    ///
    /// # Errors
    /// [`TryFailure`], if there is none.
    pub fn try_pop_many(&self, max: u32) -> Result<Vec<u64>, TryFailure> {
        let mut batch = Batch::default();
        self.engine.pop_many(max, &mut batch).map_err(try_failure)?;
        Ok((0..batch.len())
            .map(|n| self.number(batch.get(n)))
            .collect())
    }

    /// Pushes, waiting as a thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn push(&self, number: u64) -> Result<(), TryFailure> {
        self.wait(End::Head, || self.try_push(number))
    }

    /// Pops, waiting as a thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pop(&self) -> Result<u64, TryFailure> {
        self.wait(End::Tail, || self.try_pop())
    }

    /// As the listener of the crate waits.
    fn wait<R>(
        &self,
        end: End,
        mut attempt: impl FnMut() -> Result<R, TryFailure>,
    ) -> Result<R, TryFailure> {
        loop {
            match attempt() {
                Err(TryFailure::WouldBlock) => {}
                done => return done,
            }
            let sleepers = &self.sleepers[end as usize];
            self.engine.wait(end, sleepers, || None, || false, |_| ());
        }
    }

    /// Pops, waiting as a future of a process in which another thread
    /// [listens](Self::run_waker) to the eventfd.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pop_async(&self) -> Result<u64, TryFailure> {
        let popped = loop {
            match self.try_pop() {
                Err(TryFailure::WouldBlock) => {}
                done => break done,
            }
            let listener = self.waiting(End::Tail).event().listen();
            if self.prepare_async_wait(End::Tail) {
                listener.wait(Deadline::NEVER);
            }
        };
        self.finish();
        popped
    }

    /// Waits as [`pop_async`](Self::pop_async) does, but is cancelled, woken or not.
    pub fn cancelled(&self) {
        let listener = self.waiting(End::Tail).event().listen();
        self.prepare_async_wait(End::Tail);
        drop(listener);
        self.finish();
    }

    /// Listens to the eventfd, until so many futures are done.
    pub fn run_waker(&self, futures: usize) {
        let eventfd = self.engine.platform().eventfd(End::Tail);
        let mut heard = 0;
        while eventfd.hear(&mut heard, &self.done, futures) {
            self.wake_futures(End::Tail);
        }
    }

    /// Pushes as the only future of a process, which listens to the eventfd itself.
    ///
    /// # Errors
    /// `Closed`.
    pub fn push_by_eventfd(&self, number: u64) -> Result<(), TryFailure> {
        self.wait_for_eventfd(End::Head, || self.try_push(number))
    }

    /// Pops as the only future of a process, which listens to the eventfd itself.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pop_by_eventfd(&self) -> Result<u64, TryFailure> {
        self.wait_for_eventfd(End::Tail, || self.try_pop())
    }

    /// Has those look who listen for futures that wait for items, as they do now and then by
    /// themselves.
    pub fn have_futures_look(&self) {
        self.engine.platform().notify_futures(End::Tail);
    }

    fn wait_for_eventfd<R>(
        &self,
        end: End,
        mut attempt: impl FnMut() -> Result<R, TryFailure>,
    ) -> Result<R, TryFailure> {
        let eventfd = self.engine.platform().eventfd(end);
        let mut heard = 0;
        loop {
            match attempt() {
                Err(TryFailure::WouldBlock) => {}
                done => return done,
            }
            let mut listener = self.waiting(end).event().listen();
            let mut cx = Context::from_waker(Waker::noop());
            let waits = self.prepare_async_wait(end);
            while waits && Pin::new(&mut listener).poll(&mut cx).is_pending() {
                eventfd.hear(&mut heard, &self.done, usize::MAX);
                self.wake_futures(end);
            }
        }
    }

    /// Defers one for whoever of this process waits for items: `deferred` counts those.
    pub fn defer_one(&self, deferred: &AtomicU32) {
        deferred.fetch_add(1, Ordering::Relaxed);
        self.engine.wake_for_returned(Tries::Endless, true);
        self.waiting(End::Tail).event().notify_all();
    }

    /// Waits as a thread, or as a future, until one is deferred, and takes it.
    pub fn wait_for_deferred(&self, deferred: &AtomicU32, as_future: bool) {
        let take = |deferred: u32| deferred.checked_sub(1);
        // As the listener of the crate: it looks after it got ready to sleep.
        let is_some = || deferred.load(Ordering::Relaxed) != 0;
        while deferred
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            if as_future {
                let listener = self.waiting(End::Tail).event().listen();
                if self.prepare_async_wait(End::Tail) && !is_some() {
                    listener.wait(Deadline::NEVER);
                }
            } else {
                let sleepers = &self.sleepers[End::Tail as usize];
                (self.engine).wait(End::Tail, sleepers, || None, is_some, |_| ());
            }
        }
    }

    /// How many were pushed, ever, whoever died.
    pub fn pushed(&self) -> u32 {
        let tail = &self.engine.control().tail;
        tail.cursor(queue_core::sync::atomic::Ordering::Acquire)
            .count
    }

    fn waiting(&self, end: End) -> &WaitList {
        &self.waiting[usize::from(end == End::Head)]
    }

    fn prepare_async_wait(&self, end: End) -> bool {
        let async_waiting = self.engine.prepare_async_wait(end, self.waiting(end));
        async_waiting.expect("can repair")
    }

    fn wake_futures(&self, end: End) {
        let wake_futures = |tries| self.engine.wake_futures(end, self.waiting(end), tries);
        if !wake_futures(Tries::Few).expect("can repair") {
            // It comes again: here as soon as the holder has given the lock back.
            wake_futures(Tries::Endless).expect("can repair");
        }
    }

    /// A future is done.
    fn finish(&self) {
        self.engine.platform().eventfd(End::Tail).done(&self.done);
    }

    /// Closes; whether it was open.
    pub fn close(&self) -> bool {
        self.engine.close()
    }

    /// What a check of the peers does for the locks.
    pub fn recover(&self) {
        self.engine.recover(Tries::Endless);
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.engine.is_closed()
    }

    /// How many are inside.
    pub fn len(&self) -> u32 {
        self.engine.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
