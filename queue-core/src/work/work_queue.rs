//! [`WorkQueue`]: receiving items on loan, and waiting until all are done.

use super::{Deliveries, Delivery, Lend, join};
use crate::sync::{Deadline, TimeLimit};
use crate::{PopError, PopTimeoutError, TryPopError};
use std::future::Future;
use std::time::{Duration, Instant};

/// A queue that can lend its items: work that outlives its worker.
///
/// `pop` gives an item away: if the worker fails, the item is gone. `receive` lends it, as a
/// [`Delivery`] that is settled once; one that is dropped, also by a panic that unwinds, is in the
/// queue again, in front of all that is younger.
///
/// ```
/// use queue_core::work::WorkQueue;
/// use queue_core::{Consumer, Failure, PopError, Queue};
/// fn worker<Q>(jobs: &Consumer<Q>, dead: &Q) -> Result<(), Failure>
/// where
///     Q: WorkQueue<Item = String>,
/// {
///     loop {
///         let job = match jobs.receive() {
///             Ok(job) => job,
///             Err(PopError::Closed) => return Ok(()),
///             Err(PopError::Failed(why)) => return Err(why),
///         };
///         if job.attempt() > 3 {              // looked at first, for deaths count too
///             dead.push((*job).clone()).ok(); // set aside
///             job.ack()?;
///         } else if job.parse::<u32>().is_ok() {
///             job.ack()?;                     // done: it leaves the queue for good
///         } else {
///             job.nack()?;                    // failed: back to the front, attempt + 1
///         }
///     }
/// }
/// ```
///
/// * A delivery counts against the capacity until it is settled, so what comes back never meets a
///   full queue: `len() + in_flight()` never exceeds the capacity.
/// * `pop` takes what came back too, in front of all else.
/// * Once the queue is closed, `Closed` comes when nothing waits *and nothing is in flight*: until
///   then `receive` and `pop` wait, for an item may still come back. So a thread that holds a
///   delivery settles it before it waits for the end.
pub trait WorkQueue: Lend {
    /// Receives the oldest item if there is one, and never waits for another party to act.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    #[inline]
    fn try_receive(&self) -> Result<Delivery<Self>, TryPopError> {
        self.try_lend().map(|lent| Delivery::new(self, lent))
    }

    /// Receives the oldest item, waiting for one as long as it takes.
    ///
    /// # Errors
    /// `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    #[inline]
    fn receive(&self) -> Result<Delivery<Self>, PopError> {
        match self.lend_until(Deadline::NEVER) {
            Ok(lent) => Ok(Delivery::new(self, lent)),
            Err(error) => Err(error.without_timeout()),
        }
    }

    /// Receives the oldest item, waiting up to `timeout` for one. Tries once before it looks at the
    /// clock.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    fn receive_timeout(&self, timeout: Duration) -> Result<Delivery<Self>, PopTimeoutError> {
        let limit = TimeLimit::within(timeout);
        self.lend_until(limit.deadline())
            .map(|lent| Delivery::new(self, lent))
    }

    /// Receives the oldest item, waiting until `deadline` for one. A deadline that has passed is
    /// one try.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    fn receive_deadline(&self, deadline: Instant) -> Result<Delivery<Self>, PopTimeoutError> {
        let limit = TimeLimit::until(Deadline::at(deadline));
        self.lend_until(limit.deadline())
            .map(|lent| Delivery::new(self, lent))
    }

    /// Receives the oldest item as soon as there is one.
    ///
    /// # Cancel safety
    /// Dropping the future loses no item and counts no attempt, and a wake meant for it goes to
    /// another.
    ///
    /// # Errors
    /// `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    fn receive_async(&self) -> impl Future<Output = Result<Delivery<Self>, PopError>> + Send {
        async {
            self.lend_async()
                .await
                .map(|lent| Delivery::new(self, lent))
        }
    }

    /// Receives up to `max` items into `into`, and never waits: how many it received, no more than
    /// waited when it looked.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed, drained and nothing is in flight; `Failed` if
    /// the first item failed. If a later one cannot be brought out, a pop or receive that follows
    /// says so.
    fn try_receive_many(
        &self,
        into: &mut Vec<Delivery<Self>>,
        max: usize,
    ) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        let most = max.min(self.len().max(1));
        into.push(self.try_receive()?);
        Ok(1 + receive_more(self, into, most - 1, |_| true))
    }

    /// Waits for one item, and receives up to `max` at once: how many, but no more than waited when
    /// it had the first. A `max` of zero is `Ok(0)` at once.
    ///
    /// # Errors
    /// `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    fn receive_many(&self, into: &mut Vec<Delivery<Self>>, max: usize) -> Result<usize, PopError> {
        if max == 0 {
            return Ok(0);
        }
        into.push(self.receive()?);
        Ok(1 + receive_more(self, into, (max - 1).min(self.len()), in_turn))
    }

    /// [`receive_many`](Self::receive_many) as a future.
    ///
    /// # Cancel safety
    /// Dropping the future loses no item: those received are in `into`.
    ///
    /// # Errors
    /// `Closed` once the queue is closed, drained and nothing is in flight; `Failed`.
    fn receive_many_async(
        &self,
        into: &mut Vec<Delivery<Self>>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        async move {
            if max == 0 {
                return Ok(0);
            }
            into.push(self.receive_async().await?);
            let most = (max - 1).min(self.len());
            let received = 1 + receive_more(self, into, most, in_turn);
            crate::coop::spend(received);
            Ok(received)
        }
    }

    /// Receives until the queue is closed, drained and nothing is in flight, and blocks in between.
    /// Yields the failure where an item cannot be brought out, and goes on behind it, as
    /// [`Queue::results`](crate::Queue::results) does. Each delivery is settled before the next one
    /// is asked for, or the end may never come.
    ///
    /// ```
    /// use queue_core::{Failure, WorkQueue};
    /// fn work<Q: WorkQueue<Item = String>>(jobs: &Q) -> Result<(), Failure> {
    ///     for job in jobs.deliveries() {
    ///         let job = job?;
    ///         println!("{}", *job);
    ///         job.ack()?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn deliveries(&self) -> Deliveries<'_, Self> {
        Deliveries::new(self)
    }

    /// Waits until all that was pushed is popped, acked or taken: until nothing waits and nothing
    /// is in flight. New items may come meanwhile and are waited for too. Whoever joins holds no
    /// delivery of this queue: it would wait for itself.
    #[doc(alias("wait", "flush"))]
    fn join(&self) {
        join::join_until(self, Deadline::NEVER);
    }

    /// [`join`](Self::join), up to `timeout`: whether all is done.
    #[must_use = "false says that something is still to be done"]
    fn join_timeout(&self, timeout: Duration) -> bool {
        let limit = TimeLimit::within(timeout);
        join::join_until(self, limit.deadline())
    }

    /// [`join`](Self::join) as a future.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    fn join_async(&self) -> impl Future<Output = ()> + Send {
        join::join_async(self)
    }

    /// How many items are received and not yet settled.
    #[doc(alias("unacked", "pending"))]
    fn in_flight(&self) -> usize {
        self.leases()
    }
}

impl<Q: Lend> WorkQueue for Q {}

/// Whether a verb that waits may take another one: if not, what is inside is for those before it.
fn in_turn<Q: Lend>(queue: &Q) -> bool {
    !queue.is_spoken_for()
}

/// Up to `most` more, as long as there are some that it `may_take`: how many. A failure is told by a
/// pop or receive that follows; one that may pass it meets itself.
fn receive_more<Q: Lend>(
    queue: &Q,
    into: &mut Vec<Delivery<Q>>,
    most: usize,
    may_take: impl Fn(&Q) -> bool,
) -> usize {
    for received in 0..most {
        if !may_take(queue) {
            return received;
        }
        match queue.try_receive() {
            Ok(delivery) => into.push(delivery),
            Err(TryPopError::Failed(failure)) if !failure.may_pass() => {
                queue.tell_later(failure);
                return received;
            }
            Err(_) => return received,
        }
    }
    most
}
