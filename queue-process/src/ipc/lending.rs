//! Deliveries: [`Lend`] for [`IpcQueue`]. The host does it in [`hosted`](super::hosted), for a guest by
//! [`answer_guest`](super::answer_guest).
//!
//! The host keeps the bytes of what is in flight, and for each guest which deliveries it has not
//! settled: with the guest's line, however that ended, they go back.

use super::joining::Joining;
use super::state::Who;
use super::wire::{Ending, Item};
use super::{IpcQueue, Place};
use crate::codec::Codec;
use crate::deferred::{self, Outcome};
use crate::try_error::TryError;
use crate::unwind::ignore_panic;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::work::{self, IdleListener, Lend, Settlement};
use queue_core::{Failure, FailureKind, Side, TryPopError};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a process knows of an item that it was lent.
#[derive(Debug)]
pub struct Lease(From);

#[derive(Debug)]
enum From {
    /// From the deque of this process.
    Here(Item, work::Lease),
    /// From the host, by this number.
    Elsewhere { delivery: u64, attempt: u32 },
    /// From what this process has in its hands.
    Deferred(deferred::Item),
}

/// Who waits until the queue is idle.
#[must_use = "a listener that is not waited on does nothing"]
#[derive(Debug)]
pub struct Idle<'a>(Listens<'a>);

#[derive(Debug)]
enum Listens<'a> {
    Here(IdleListener<'a>),
    Elsewhere(Joining<'a>),
    /// There is no queue to wait for.
    Never,
}

impl Listen for Idle<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        match self.0 {
            Listens::Here(listener) => listener.wait(deadline),
            Listens::Elsewhere(listener) => listener.wait(deadline),
            Listens::Never => true,
        }
    }
}

impl Future for Idle<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Listens::Here(listener) => Pin::new(listener).poll(cx),
            Listens::Elsewhere(listener) => Pin::new(listener).poll(cx),
            Listens::Never => Poll::Ready(()),
        }
    }
}

/// Ends a lease unless the item came out of its bytes: by its own code's panic too it is gone.
struct Undecoded<'a, T: Send, C: Codec<T>>(&'a IpcQueue<T, C>, Option<Lease>);

impl<T: Send, C: Codec<T>> Drop for Undecoded<'_, T, C> {
    fn drop(&mut self) {
        if let Some(lease) = self.1.take() {
            let _ = self.0.end(lease, Ending::Done);
        }
    }
}

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// The item of a lease, whose bytes these are unless the lease has them.
    fn decode(&self, bytes: &[u8], lease: Lease) -> Result<(T, Lease), TryPopError> {
        let mut undecoded = Undecoded(self, Some(lease));
        let bytes: &[u8] = match &undecoded.1 {
            Some(Lease(From::Here(bytes, _))) => bytes,
            Some(Lease(From::Deferred(item))) => &item.bytes,
            _ => bytes,
        };
        match C::decode(bytes) {
            Ok(item) => Ok((item, undecoded.1.take().expect("it was put there"))),
            Err(failure) => Err(TryPopError::Failed(failure.with_item_consumed())),
        }
    }

    /// Ends a lease.
    fn end(&self, lease: Lease, how: Ending) -> Result<(), Failure> {
        let ended = match (lease.0, self.reach()?) {
            (From::Here(bytes, lease), Place::Here(host)) => {
                match how {
                    Ending::Done => host.hosted.settle(),
                    Ending::Back { counted } => host.hosted.give_back([(bytes, lease)], counted),
                }
                Ok(())
            }
            (From::Elsewhere { delivery, .. }, Place::Elsewhere(guest)) => {
                guest.settle(delivery, how)
            }
            (From::Deferred(item), _) => {
                if let Ending::Back { counted } = how {
                    self.owed().give_back(item, counted);
                    ignore_panic(|| self.event(Side::Consumers).notify());
                }
                Ok(())
            }
            _ => unreachable!("a lease is of one queue, which is in one place"),
        };
        ended.map_err(|refusal| match refusal {
            TryError::Failed(failure) => failure,
            _ => {
                let message = "the queue is gone with its host, and all its items";
                Failure::new(FailureKind::PeerGone, message)
            }
        })
    }
}

impl<T: Send, C: Codec<T>> Lend for IpcQueue<T, C> {
    type Lease = Lease;
    type IdleListener<'a>
        = Idle<'a>
    where
        Self: 'a;

    fn try_lend(&self) -> Result<(T, Lease), TryPopError> {
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        match self.owed().next() {
            Some(Outcome::Item(item)) => return self.decode(&[], Lease(From::Deferred(item))),
            Some(Outcome::Failure(failure)) => return Err(TryPopError::Failed(failure)),
            None => {}
        }
        match &self.place {
            Place::Here(host) => {
                let (bytes, lease) = host.hosted.deliver(Who::Host)?;
                self.decode(&[], Lease(From::Here(bytes, lease)))
            }
            Place::Elsewhere(guest) => guest.receive(|bytes, delivery, attempt| {
                self.decode(bytes, Lease(From::Elsewhere { delivery, attempt }))
            })?,
        }
    }

    fn attempt(lease: &Lease) -> u32 {
        match &lease.0 {
            From::Here(_, lease) => lease.attempt(),
            From::Elsewhere { attempt, .. } => *attempt,
            From::Deferred(item) => item.attempt,
        }
    }

    fn settle(&self, lease: Lease, how: Settlement<T>) -> Result<(), Failure> {
        let how = match how {
            Settlement::Done => Ending::Done,
            Settlement::Back { counted, .. } => Ending::Back { counted },
        };
        self.end(lease, how)
    }

    fn tell_later(&self, failure: Failure) {
        self.owed().tell_later(failure);
        ignore_panic(|| self.event(Side::Consumers).notify());
    }

    fn leases(&self) -> usize {
        self.state().in_flight
    }

    /// What this process has in its hands was popped.
    fn is_idle(&self) -> bool {
        let state = self.state();
        state.len == 0 && state.in_flight == 0
    }

    fn listen_idle(&self) -> Idle<'_> {
        Idle(match self.reach() {
            Ok(Place::Here(host)) => Listens::Here(host.hosted.idle.listen()),
            Ok(Place::Elsewhere(guest)) => Listens::Elsewhere(Joining::new(guest)),
            Err(_) => Listens::Never,
        })
    }
}
