//! [`Delivery`]: an item that is lent to a worker.

use super::lend::{Lend, Settlement};
use crate::Failure;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An item on loan, from [`WorkQueue::receive`](super::WorkQueue::receive) and its like.
///
/// It is settled once, by [`ack`](Self::ack), [`take`](Self::take), [`nack`](Self::nack) or
/// [`release`](Self::release). One that is dropped, by a panic that unwinds too, goes back as by
/// `nack`. It counts against the capacity until then, and keeps the queue alive.
///
/// ```
/// use queue_core::work::{Delivery, WorkQueue};
/// use queue_core::Failure;
/// fn work<Q: WorkQueue<Item = String>>(job: Delivery<Q>) -> Result<(), Failure> {
///     match job.parse::<u32>() {
///         Ok(number) => println!("{number}"),
///         Err(_) if job.attempt() < 3 => return job.nack(),
///         Err(why) => eprintln!("{why}: {}", *job),
///     }
///     job.ack()
/// }
/// ```
///
/// A second settling does not compile:
///
/// ```compile_fail,E0382
/// use queue_core::work::{Delivery, WorkQueue};
/// fn twice<Q: WorkQueue<Item = String>>(job: Delivery<Q>) {
///     job.ack().unwrap();
///     job.nack().unwrap();
/// }
/// ```
#[must_use = "a delivery that is dropped goes back into the queue"]
#[doc(alias("message", "lease", "job"))]
pub struct Delivery<Q: Lend> {
    /// Until it is settled.
    lent: Option<(Q::Item, Q::Lease)>,
    queue: Q,
}

const SETTLED: &str = "a delivery is settled once";

impl<Q: Lend> Delivery<Q> {
    #[inline]
    pub(super) fn new(queue: &Q, lent: (Q::Item, Q::Lease)) -> Self {
        Self {
            lent: Some(lent),
            queue: queue.clone(),
        }
    }

    /// How often the item was delivered, this time included: 1 at first. A delivery that was
    /// [released](Self::release) does not count.
    #[doc(alias("redelivered", "retries"))]
    #[allow(clippy::missing_panics_doc)] // It is settled by value.
    pub fn attempt(&self) -> u32 {
        Q::attempt(&self.lent.as_ref().expect(SETTLED).1)
    }

    /// The item is done: it leaves the queue for good, and its slot is free.
    ///
    /// # Errors
    /// Between processes or machines, if the queue cannot be reached any more, or if the item was given to
    /// another meanwhile.
    ///
    /// # Panics
    /// If the item's `Drop` does, or a waker; the item is done then.
    #[doc(alias("task_done", "done", "commit"))]
    #[inline]
    pub fn ack(mut self) -> Result<(), Failure> {
        let (item, lease) = self.lent.take().expect(SETTLED);
        let settled = self.queue.settle(lease, Settlement::Done);
        // The item's own code comes last: whatever it does, the item is done.
        drop(item);
        settled
    }

    /// As [`ack`](Self::ack), and gives the item.
    ///
    /// # Errors
    /// Between processes or machines, if the queue cannot be reached any more.
    ///
    /// # Panics
    /// If a waker does; the item is done, and gone, then.
    #[inline]
    pub fn take(mut self) -> Result<Q::Item, Failure> {
        let (item, lease) = self.lent.take().expect(SETTLED);
        self.queue.settle(lease, Settlement::Done)?;
        Ok(item)
    }

    /// The item was not done: it goes back to the front of the queue, to be delivered once more
    /// with an [`attempt`](Self::attempt) one higher. So does a delivery that is dropped.
    ///
    /// # Errors
    /// Between processes or machines, if the queue cannot be reached any more.
    ///
    /// # Panics
    /// If a waker does; the item is back in the queue then.
    #[doc(alias("reject", "retry", "requeue"))]
    pub fn nack(self) -> Result<(), Failure> {
        self.give_back(true)
    }

    /// The item was not begun: it goes back to the front of the queue, and this delivery does not
    /// count as an attempt. For a worker that is told to stop.
    ///
    /// # Errors
    /// Between processes or machines, if the queue cannot be reached any more.
    ///
    /// # Panics
    /// If a waker does; the item is back in the queue then.
    pub fn release(self) -> Result<(), Failure> {
        self.give_back(false)
    }

    fn give_back(mut self, counted: bool) -> Result<(), Failure> {
        let (item, lease) = self.lent.take().expect(SETTLED);
        (self.queue).settle(lease, Settlement::Back { item, counted })
    }

    /// The queue that the item is lent from.
    pub fn queue(&self) -> &Q {
        &self.queue
    }
}

impl<Q: Lend> Deref for Delivery<Q> {
    type Target = Q::Item;

    #[inline]
    fn deref(&self) -> &Q::Item {
        &self.lent.as_ref().expect(SETTLED).0
    }
}

/// As [`nack`](Delivery::nack). A waker that panics does so here too, unless the thread panics
/// already.
impl<Q: Lend> Drop for Delivery<Q> {
    #[inline]
    fn drop(&mut self) {
        if let Some((item, lease)) = self.lent.take() {
            settle_quietly(&self.queue, lease, item, true);
        }
    }
}

/// Gives an item back where nobody can be told of a failure.
#[cold]
pub(super) fn settle_quietly<Q: Lend>(queue: &Q, lease: Q::Lease, item: Q::Item, counted: bool) {
    let settle = || drop(queue.settle(lease, Settlement::Back { item, counted }));
    if std::thread::panicking() {
        // A second panic, of a waker, would end the process. The item is back before it.
        drop(catch_unwind(AssertUnwindSafe(settle)));
    } else {
        settle();
    }
}

impl<Q: Lend<Item: fmt::Debug>> fmt::Debug for Delivery<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("item", &**self)
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
