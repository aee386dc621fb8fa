//! Lending the items of a [`LinuxQueue`]: [`Lend`], by the bytes that
//! [`leases`](crate::linux::engine::leases) lends and settles.
//!
//! As with a pop, bytes become an item in the thread that receives them, after the lock. An item
//! that is none then is told once, and is gone: its lease has ended.

use super::linux_queue::{LinuxQueue, recycle, take_buffer};
use super::open::Shareable;
use crate::codec::Codec;
use crate::deferred::{self, Outcome, decode_from};
use crate::linux::engine::leases::not_ours;
use crate::linux::lease::slot::LeaseKey;
use crate::linux::wait::idle_listener::JoinListener;
use crate::sys::generation;
use crate::try_error::TryError;
use crate::unwind::ignore_panic;
use queue_core::work::{Lend, Settlement};
use queue_core::{Failure, Side, TryPopError};

/// What a process knows of an item that is lent to it.
///
/// A copy of it that a forked child has is of no use there: the item stays its parent's.
#[derive(Debug)]
pub struct LinuxLease(Kept);

/// Where the item is, beside the delivery.
#[derive(Debug)]
enum Kept {
    /// In a lease, where others find it.
    Shared(LeaseKey),
    /// Here: it came out of the queue in a batch of the process of this generation, and was deferred.
    Here(deferred::Item, u32),
}

/// Ends the lease of an item that is none, also where its own code panics.
struct Undecoded<'a, T: Send, C: Codec<T>, S: Shareable> {
    queue: &'a LinuxQueue<T, C, S>,
    key: LeaseKey,
    is_item: bool,
}

impl<T: Send, C: Codec<T>, S: Shareable> Drop for Undecoded<'_, T, C, S> {
    fn drop(&mut self) {
        if !self.is_item {
            // A failure: it comes back when this process ends.
            let _ = self.queue.shared.engine.settle(&self.key, None);
        }
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Lend for LinuxQueue<T, C, S> {
    type Lease = LinuxLease;
    type IdleListener<'a>
        = JoinListener<'a>
    where
        Self: 'a;

    #[inline]
    fn try_lend(&self) -> Result<(T, LinuxLease), TryPopError> {
        self.check_half(Side::Consumers)
            .map_err(TryPopError::Failed)?;
        // Those that died may have had what is older.
        self.shared.check_peers_if_due();
        if let Some(lent) = self.lend_deferred() {
            return lent;
        }
        let mut buffer = take_buffer();
        let received = match self.shared.engine.receive(&mut buffer) {
            Ok(key) => {
                let mut undecoded = Undecoded {
                    queue: self,
                    key,
                    is_item: false,
                };
                let item = decode_from::<T, C>(&mut buffer);
                undecoded.is_item = item.is_ok();
                item.map(|item| (item, LinuxLease(Kept::Shared(key))))
                    .map_err(TryPopError::Failed)
            }
            Err(TryError::Closed) => Err(TryPopError::Closed),
            Err(error) => Err(self.pop_error(error)),
        };
        recycle(buffer);
        received
    }

    fn attempt(lease: &LinuxLease) -> u32 {
        match &lease.0 {
            Kept::Shared(key) => key.attempt(),
            Kept::Here(item, _) => item.attempt,
        }
    }

    #[inline]
    fn settle(&self, lease: LinuxLease, how: Settlement<T>) -> Result<(), Failure> {
        let back = match how {
            Settlement::Done => None,
            // The bytes are in the lease.
            Settlement::Back { counted, .. } => Some(counted),
        };
        match (lease.0, back) {
            (Kept::Shared(key), back) => self.shared.engine.settle(&key, back),
            (Kept::Here(_, process), _) if process != generation() => Err(not_ours()),
            (Kept::Here(..), None) => Ok(()),
            (Kept::Here(item, _), Some(counted)) => {
                self.shared.deferred.give_back(item, counted);
                self.shared.wake_consumers();
                Ok(())
            }
        }
    }

    fn tell_later(&self, failure: Failure) {
        self.shared.deferred.tell_later(failure);
        ignore_panic(|| self.shared.wake_consumers());
    }

    fn leases(&self) -> usize {
        self.shared.in_flight()
    }

    /// What is deferred in this process was popped: who waits for the queue to be idle is not told of
    /// it either.
    fn is_idle(&self) -> bool {
        self.shared.engine.is_idle()
    }

    fn listen_idle(&self) -> JoinListener<'_> {
        JoinListener::new(&self.shared)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// Lends the first that was deferred in this process.
    #[inline]
    fn lend_deferred(&self) -> Option<Result<(T, LinuxLease), TryPopError>> {
        let lent = match self.shared.deferred.next()? {
            Outcome::Failure(failure) => Err(failure),
            Outcome::Item(kept) => C::decode(&kept.bytes)
                .map(|item| (item, LinuxLease(Kept::Here(kept, generation()))))
                .map_err(Failure::with_item_consumed),
        };
        Some(lent.map_err(TryPopError::Failed))
    }
}
