//! Lending items: [`Lend`] for [`AsyncQueue`]. What is lent is kept in the [`State`].

use crate::queue::AsyncQueue;
use crate::state::{Closed, State, WaitFor};
use crate::turn::Turn;
use queue_core::sync::Deadline;
use queue_core::work::{Lease, Lend, Loan, Settlement};
use queue_core::{Failure, PopError, PopTimeoutError, TryPopError};
use std::future::poll_fn;

impl<T> AsyncQueue<T> {
    /// Lends an item under the lock. If a waker panics once that is released the item goes back.
    fn lend<'a>(&'a self) -> impl FnOnce(&mut State<T>) -> Result<Loan<'a, Self>, Closed>
    where
        T: Send,
    {
        |state| state.lend().map(|lent| Loan::new(self, lent))
    }
}

impl<T: Send> Lend for AsyncQueue<T> {
    type Lease = Lease;
    type IdleListener<'a>
        = Turn<'a, T>
    where
        Self: 'a;

    #[inline]
    fn try_lend(&self) -> Result<(T, Lease), TryPopError> {
        match self.shared.try_with_item(self.lend()) {
            Some(Ok(loan)) => Ok(loan.finish()),
            Some(Err(Closed)) => Err(TryPopError::Closed),
            None => Err(TryPopError::Empty),
        }
    }

    fn attempt(lease: &Lease) -> u32 {
        lease.attempt()
    }

    #[inline]
    fn settle(&self, lease: Lease, how: Settlement<T>) -> Result<(), Failure> {
        self.shared.change(|state| match how {
            Settlement::Done => state.done(),
            Settlement::Back { item, counted } => state.give_back(lease, item, counted),
        });
        Ok(())
    }

    fn leases(&self) -> usize {
        self.shared.lock().in_flight()
    }

    fn is_idle(&self) -> bool {
        self.shared.lock().is_idle()
    }

    fn listen_idle(&self) -> Turn<'_, T> {
        let key = self.shared.change(State::enqueue_joiner);
        Turn::new(&self.shared, WaitFor::Idle, key)
    }

    #[inline]
    fn lend_until(&self, deadline: Deadline) -> Result<(T, Lease), PopTimeoutError> {
        match self.shared.wait_with_item(|| deadline, self.lend()) {
            Some(Ok(loan)) => Ok(loan.finish()),
            Some(Err(Closed)) => Err(PopTimeoutError::Closed),
            None => Err(PopTimeoutError::Timeout),
        }
    }

    /// In line with those who pop.
    async fn lend_async(&self) -> Result<(T, Lease), PopError> {
        let mut turn = None;
        let lent = poll_fn(|cx| self.shared.poll_with_item(&mut turn, cx, self.lend()));
        match lent.await {
            Ok(loan) => Ok(loan.finish()),
            Err(Closed) => Err(PopError::Closed),
        }
    }
}
