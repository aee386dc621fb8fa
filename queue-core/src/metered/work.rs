//! Lending items of a [`Metered`] queue.

use super::Metered;
use crate::sync::Deadline;
use crate::work::{Lend, Settlement};
use crate::{Failure, PopError, PopTimeoutError, Side, TryPopError};

type Lent<Q> = (<Q as crate::Kind>::Item, <Q as Lend>::Lease);

impl<Q: Lend> Metered<Q> {
    /// Counts what becomes of a verb that lends an item.
    fn count_lent<E: super::MayFail>(&self, result: Result<Lent<Q>, E>) -> Result<Lent<Q>, E> {
        if let Ok((_, lease)) = &result {
            self.meter.received(Q::attempt(lease));
        }
        self.count_failure(result)
    }
}

impl<Q: Lend> Lend for Metered<Q> {
    type Lease = Q::Lease;
    type IdleListener<'a>
        = Q::IdleListener<'a>
    where
        Self: 'a;

    fn try_lend(&self) -> Result<Lent<Q>, TryPopError> {
        self.count_lent(self.queue.try_lend())
    }

    fn attempt(lease: &Q::Lease) -> u32 {
        Q::attempt(lease)
    }

    fn settle(&self, lease: Q::Lease, how: Settlement<Q::Item>) -> Result<(), Failure> {
        // Whatever panics in there, the lease has ended.
        self.meter.settled(&how);
        let settled = self.queue.settle(lease, how);
        if let Err(failure) = &settled {
            self.meter.failed(failure);
        }
        settled
    }

    fn tell_later(&self, failure: Failure) {
        // It is counted when it is told.
        self.meter.not_yet_failed(&failure);
        self.queue.tell_later(failure);
    }

    fn leases(&self) -> usize {
        self.queue.leases()
    }

    fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    fn listen_idle(&self) -> Q::IdleListener<'_> {
        self.queue.listen_idle()
    }

    fn lend_until(&self, deadline: Deadline) -> Result<Lent<Q>, PopTimeoutError> {
        let lent = self.popped_within(
            || deadline,
            (),
            |()| self.queue.try_lend(),
            |(), deadline| self.queue.lend_until(deadline),
        );
        self.count_lent(lent)
    }

    async fn lend_async(&self) -> Result<Lent<Q>, PopError> {
        let lending = self.queue.lend_async();
        let lent = self.counting_waits(Side::Consumers, lending).await;
        self.count_lent(lent)
    }
}
