//! The verbs of a [`Handle`]: items into bytes, refusals into errors.
//!
//! An item becomes bytes in the thread that pushes it, before any lock; bytes become an
//! item in the thread that pops them, after. Both in a buffer that the thread keeps.

use super::buffer::{recycle, take_buffer};
use super::handle::{Handle, Shared};
use crate::codec::Codec;
use crate::linux::engine::Refusal;
use crate::linux::engine::layout::End;
use crate::linux::engine::storage::Storage;
use crate::linux::wait::listener::Listener;
use crate::owed::decode_from;
use queue_core::coop;
use queue_core::event::Listen;
use queue_core::sync::{Deadline, spin};
use queue_core::{
    Failure, FailureKind, PushError, PushTimeoutError, Side, TryPopError, TryPushError,
};
use std::cell::Cell;
use std::future::poll_fn;

thread_local! {
    /// How many more pushes of this thread come before it checks the peers, of whatever queue.
    static PUSHES: Cell<u8> = const { Cell::new(0) };
    /// How many it let pass last.
    static PASSED: Cell<u8> = const { Cell::new(0) };
}

/// Where the party waits that wants to get on `side`.
fn awaited(side: Side) -> End {
    match side {
        Side::Producers => End::Head,
        Side::Consumers => End::Tail,
    }
}

impl<T, C: Codec<T>, S: Storage + 'static> Handle<T, C, S> {
    pub(super) fn may(&self, side: Side) -> Result<(), Failure> {
        if self.shared.rights.contain(side) {
            return Ok(());
        }
        Err(denied(side))
    }

    /// Who pushes always finds a slot in a queue that is large enough, and so would never
    /// learn that all consumers were killed: it looks at some of its pushes.
    #[inline]
    pub(super) fn check_peers_at_times(&self) {
        match PUSHES.get() {
            0 => self.look(),
            left => PUSHES.set(left - 1),
        }
    }

    /// As long as it is time for that, at the next push too: who pushes seldom looks every
    /// time, and who pushes to several queues in turn does not look at the same one always.
    #[cold]
    fn look(&self) {
        let next = match self.shared.check_peers_if_due() {
            true => 0,
            false => (2 * PASSED.get() + 1).min(15),
        };
        PASSED.set(next);
        PUSHES.set(next);
    }

    /// Calls `push` with the bytes of `item`.
    #[inline]
    fn with_bytes<R>(
        &self,
        item: &T,
        push: impl FnOnce(&[u8]) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.may(Side::Producers)?;
        self.check_peers_at_times();
        let mut buffer = take_buffer();
        let pushed = C::with_bytes(item, &mut buffer, |bytes| {
            self.shared.check_size(bytes.len())?;
            push(bytes)
        });
        recycle(buffer);
        pushed?
    }

    /// As [`Shared::ready_hint`], for those who want to get on `side`.
    pub(crate) fn ready_hint(&self, side: Side) -> usize {
        self.shared.ready_hint(awaited(side))
    }

    pub(crate) fn listen(&self, side: Side) -> Listener<'_> {
        Listener::new(&self.shared, awaited(side))
    }

    #[inline]
    pub(crate) fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match self.with_bytes(&item, |bytes| self.shared.engine.push(bytes)) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.push_refused(item, refusal)),
        }
    }

    #[cold]
    pub(super) fn push_refused<U>(&self, item: U, refusal: Refusal) -> TryPushError<U> {
        match refusal {
            Refusal::NotNow => match self.shared.is_closed() {
                true => TryPushError::Closed(item),
                false => TryPushError::Full(item),
            },
            Refusal::Closed => TryPushError::Closed(item),
            Refusal::Failed(failure) => TryPushError::Failed(item, failure),
        }
    }

    /// As the trait's default, but the item becomes bytes only once.
    #[inline]
    pub(crate) fn push_until(
        &self,
        item: T,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<T>> {
        let pushed = self.with_bytes(&item, |bytes| match self.shared.engine.push(bytes) {
            Err(Refusal::NotNow) => self.push_bytes(bytes, deadline),
            done => done,
        });
        match pushed {
            Ok(()) => Ok(()),
            Err(Refusal::NotNow) => Err(PushTimeoutError::Timeout(item)),
            Err(Refusal::Closed) => Err(PushTimeoutError::Closed(item)),
            Err(Refusal::Failed(failure)) => Err(PushTimeoutError::Failed(item, failure)),
        }
    }

    /// Pushes `bytes`, which were just refused for want of a slot.
    #[cold]
    fn push_bytes(&self, bytes: &[u8], deadline: Deadline) -> Result<(), Refusal> {
        let shared = &self.shared;
        let enough = spin::batch_target(shared.limits.bound.capacity());
        loop {
            if !spin::until_some(deadline, enough, || shared.ready_hint(End::Head)) {
                // Until the deadline at most: then this try is the last.
                self.listen(Side::Producers).wait(deadline);
            }
            match shared.engine.push(bytes) {
                Err(Refusal::NotNow) if !deadline.has_passed() => {}
                done => return done,
            }
        }
    }

    /// As the trait's default, but the item becomes bytes only once.
    pub(crate) async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        poll_fn(coop::poll_proceed).await;
        let mut waiting = Vec::new();
        let mut pushed = self.with_bytes(&item, |bytes| {
            let pushed = self.shared.engine.push(bytes);
            if let Err(Refusal::NotNow) = pushed {
                waiting.extend_from_slice(bytes);
            }
            pushed
        });
        loop {
            match pushed {
                Ok(()) => return Ok(()),
                Err(Refusal::NotNow) => {}
                Err(Refusal::Closed) => return Err(PushError::Closed(item)),
                Err(Refusal::Failed(failure)) => return Err(PushError::Failed(item, failure)),
            }
            self.listen(Side::Producers).await;
            pushed = self.shared.engine.push(&waiting);
        }
    }

    #[inline]
    pub(crate) fn try_pop(&self) -> Result<T, TryPopError> {
        self.may(Side::Consumers).map_err(TryPopError::Failed)?;
        if let Some(popped) = self.shared.owed.pop::<T, C>() {
            return popped;
        }
        let mut buffer = take_buffer();
        let popped = match self.shared.engine.pop(&mut buffer) {
            Ok(()) => decode_from::<T, C>(&mut buffer).map_err(TryPopError::Failed),
            Err(refusal) => Err(self.pop_refused(refusal)),
        };
        recycle(buffer);
        popped
    }

    #[cold]
    pub(super) fn pop_refused(&self, refusal: Refusal) -> TryPopError {
        match refusal {
            Refusal::NotNow => {
                self.shared.check_peers_if_due();
                TryPopError::Empty
            }
            Refusal::Closed => TryPopError::Closed,
            Refusal::Failed(failure) => TryPopError::Failed(failure),
        }
    }
}

#[cold]
fn denied(side: Side) -> Failure {
    let message = match side {
        Side::Producers => "this process was given the consuming half alone",
        Side::Consumers => "this process was given the producing half alone",
    };
    Failure::new(FailureKind::Denied, message)
}

impl<S: Storage> Shared<S> {
    #[inline(always)]
    pub(super) fn check_size(&self, len: usize) -> Result<(), Failure> {
        if len <= self.limits.item as usize {
            return Ok(());
        }
        Err(too_large(len, self.limits.item))
    }
}

#[cold]
fn too_large(len: usize, limit: u32) -> Failure {
    let message = format!("an item of {len} bytes, the limit of this queue is {limit}");
    Failure::new(FailureKind::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShmQueue;
    use queue_core::Queue;

    #[test]
    fn who_looks_in_vain_looks_half_as_often() {
        let queue = ShmQueue::<u8>::bounded(1 << 20);
        let pushed = (0..1 << 20).map(|_| queue.try_push(0).map(|()| PASSED.get()));
        // It begins anew when it is time.
        let passed = pushed.map(|passed| passed.unwrap());
        let mut steps = passed.inspect(|passed| assert!([0, 1, 3, 7, 15].contains(passed)));
        assert!(steps.any(|passed| passed == 15));
    }
}
