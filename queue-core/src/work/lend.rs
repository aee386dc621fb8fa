//! [`Lend`]: what a kind gives so that its items can be lent.

use crate::event::Listen;
use crate::sync::Deadline;
use crate::{Failure, PopError, PopTimeoutError, Queue, TryPopError, wait};
use std::future::Future;

/// How an item that was lent is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement<T> {
    /// It leaves the queue for good.
    Done,
    /// It goes back into the queue.
    Back {
        /// The item.
        item: T,
        /// Whether this delivery counts as an attempt.
        counted: bool,
    },
}

/// What the author of a kind gives so that it is a [`WorkQueue`](super::WorkQueue).
///
/// An item that is lent keeps its slot: `len() + in_flight()` never exceeds the capacity. What
/// comes back is in front of all that is younger, for `try_pop` too. While anything is in flight a
/// closed queue is `Empty` and not `Closed`, and [`ready_hint`](crate::Kind::ready_hint) does not
/// count the close; the last settlement after it wakes all who wait for items.
/// [`Queue::close_now`] ends though items are in flight, so a kind that has the default of that
/// overrides it; and that of [`Queue::is_full`], for what is lent takes slots.
pub trait Lend: Queue + Clone {
    /// What the kind knows of an item that is lent.
    type Lease: Send;

    /// Who waits until the queue is idle.
    type IdleListener<'a>: Listen
    where
        Self: 'a;

    /// Lends the oldest item if there is one, and never waits for another party to act. If a waker
    /// panics in here the item is back in the queue: see [`Loan`].
    ///
    /// # Errors
    /// As [`Queue::try_pop`].
    fn try_lend(&self) -> Result<(Self::Item, Self::Lease), TryPopError>;

    /// How often the item was delivered, this time included: 1 at first.
    fn attempt(lease: &Self::Lease) -> u32;

    /// Ends a lease. Whatever panics in here, the lease has ended.
    ///
    /// # Errors
    /// If the queue cannot be reached any more.
    fn settle(&self, lease: Self::Lease, how: Settlement<Self::Item>) -> Result<(), Failure>;

    /// How many items are lent.
    fn leases(&self) -> usize;

    /// Whether nothing waits and nothing is in flight.
    fn is_idle(&self) -> bool;

    /// A listener that is notified when the queue is idle.
    fn listen_idle(&self) -> Self::IdleListener<'_>;

    /// Keeps a failure for the next pop or receive of this process to return: such as that of an item
    /// that is gone, which came behind others in a batch. A kind whose items always come out need not.
    fn tell_later(&self, failure: Failure) {
        drop(failure);
    }

    /// Lends the oldest item, waiting until `deadline` for one.
    ///
    /// # Errors
    /// As [`Queue::pop_until`].
    #[inline]
    fn lend_until(&self, deadline: Deadline) -> Result<(Self::Item, Self::Lease), PopTimeoutError> {
        wait::until_popped(self, deadline, || self.try_lend())
    }

    /// Lends the oldest item as soon as there is one.
    ///
    /// # Errors
    /// As [`Queue::pop_async`].
    fn lend_async(
        &self,
    ) -> impl Future<Output = Result<(Self::Item, Self::Lease), PopError>> + Send {
        wait::until_popped_async(self, || self.try_lend())
    }
}

/// An item that was just taken out to be lent, until nothing can panic any more: dropped before
/// that it is given back, and the delivery does not count.
///
/// A kind makes one before it wakes others, whose wakers are foreign code.
///
/// ```
/// # use queue_core::work::{Lend, Loan};
/// fn lent<Q: Lend>(queue: &Q, item: Q::Item, lease: Q::Lease) -> (Q::Item, Q::Lease) {
///     let loan = Loan::new(queue, (item, lease));
///     // Here it wakes the next consumer.
///     loan.finish()
/// }
/// ```
#[must_use = "a loan that is dropped is given back"]
pub struct Loan<'a, Q: Lend> {
    queue: &'a Q,
    lent: Option<(Q::Item, Q::Lease)>,
}

impl<'a, Q: Lend> Loan<'a, Q> {
    /// For an item that is out of `queue`, and its lease.
    #[inline]
    pub fn new(queue: &'a Q, lent: (Q::Item, Q::Lease)) -> Self {
        Self {
            queue,
            lent: Some(lent),
        }
    }

    /// The item is lent.
    #[inline]
    #[allow(clippy::missing_panics_doc)] // It is finished by value.
    pub fn finish(mut self) -> (Q::Item, Q::Lease) {
        self.lent.take().expect("a loan is finished once")
    }
}

impl<Q: Lend> std::fmt::Debug for Loan<'_, Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loan(..)")
    }
}

impl<Q: Lend> Drop for Loan<'_, Q> {
    #[inline]
    fn drop(&mut self) {
        if let Some((item, lease)) = self.lent.take() {
            super::delivery::settle_quietly(self.queue, lease, item, false);
        }
    }
}
