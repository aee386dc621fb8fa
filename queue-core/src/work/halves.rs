//! The verbs of [`WorkQueue`] on the halves of a queue.

use super::{Deliveries, Delivery, WorkQueue};
use crate::{Consumer, PopError, PopTimeoutError, Producer, TryPopError};
use std::future::Future;
use std::time::{Duration, Instant};

#[allow(clippy::missing_errors_doc)] // Each says where to look.
impl<Q: WorkQueue> Consumer<Q> {
    /// See [`WorkQueue::try_receive`].
    pub fn try_receive(&self) -> Result<Delivery<Q>, TryPopError> {
        self.queue().try_receive()
    }

    /// See [`WorkQueue::receive`].
    pub fn receive(&self) -> Result<Delivery<Q>, PopError> {
        self.queue().receive()
    }

    /// See [`WorkQueue::receive_timeout`].
    pub fn receive_timeout(&self, timeout: Duration) -> Result<Delivery<Q>, PopTimeoutError> {
        self.queue().receive_timeout(timeout)
    }

    /// See [`WorkQueue::receive_deadline`].
    pub fn receive_deadline(&self, deadline: Instant) -> Result<Delivery<Q>, PopTimeoutError> {
        self.queue().receive_deadline(deadline)
    }

    /// See [`WorkQueue::receive_async`].
    pub fn receive_async(&self) -> impl Future<Output = Result<Delivery<Q>, PopError>> + Send {
        self.queue().receive_async()
    }

    /// See [`WorkQueue::deliveries`].
    pub fn deliveries(&self) -> Deliveries<'_, Q> {
        self.queue().deliveries()
    }

    /// See [`WorkQueue::try_receive_many`].
    pub fn try_receive_many(
        &self,
        into: &mut Vec<Delivery<Q>>,
        max: usize,
    ) -> Result<usize, TryPopError> {
        self.queue().try_receive_many(into, max)
    }

    /// See [`WorkQueue::receive_many`].
    pub fn receive_many(&self, into: &mut Vec<Delivery<Q>>, max: usize) -> Result<usize, PopError> {
        self.queue().receive_many(into, max)
    }

    /// See [`WorkQueue::receive_many_async`].
    pub fn receive_many_async(
        &self,
        into: &mut Vec<Delivery<Q>>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        self.queue().receive_many_async(into, max)
    }
}

/// Writes what both halves have.
macro_rules! joining {
    ($half:ident) => {
        impl<Q: WorkQueue> $half<Q> {
            /// See [`WorkQueue::join`].
            pub fn join(&self) {
                self.queue().join();
            }

            /// See [`WorkQueue::join_timeout`].
            #[must_use = "false says that something is still to be done"]
            pub fn join_timeout(&self, timeout: Duration) -> bool {
                self.queue().join_timeout(timeout)
            }

            /// See [`WorkQueue::join_async`].
            pub fn join_async(&self) -> impl Future<Output = ()> + Send {
                self.queue().join_async()
            }

            /// See [`WorkQueue::in_flight`].
            pub fn in_flight(&self) -> usize {
                self.queue().in_flight()
            }
        }
    };
}

joining!(Producer);
joining!(Consumer);
