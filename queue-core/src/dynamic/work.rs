//! Lending items of a [`DynQueue`].

use super::{BoxFuture, DynQueue};
use crate::event::Listen;
use crate::sync::Deadline;
use crate::work::{Lend, Settlement};
use crate::{Failure, FailureKind, PopError, PopTimeoutError, Queue, TryPopError};
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The [`Lend::Lease`] of a [`DynQueue`].
pub struct DynLease {
    lease: Box<dyn Any + Send>,
    attempt: u32,
}

impl fmt::Debug for DynLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynLease")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

type Lent<T> = (T, DynLease);

fn boxed<Q: Lend<Lease: 'static>>((item, lease): (Q::Item, Q::Lease)) -> Lent<Q::Item> {
    let attempt = Q::attempt(&lease);
    let lease = Box::new(lease);
    (item, DynLease { lease, attempt })
}

/// The part of [`Lend`] that a trait object can have.
pub(super) trait DynLend<T>: Send + Sync {
    fn try_lend(&self) -> Result<Lent<T>, TryPopError>;
    fn settle(&self, lease: DynLease, how: Settlement<T>) -> Result<(), Failure>;
    fn tell_later(&self, failure: Failure);
    fn leases(&self) -> usize;
    fn is_idle(&self) -> bool;
    fn listen_idle(&self) -> DynIdleListener<'_>;
    fn lend_until(&self, deadline: Deadline) -> Result<Lent<T>, PopTimeoutError>;
    fn lend_async(&self) -> BoxFuture<'_, Result<Lent<T>, PopError>>;
}

impl<Q: Lend<Lease: 'static>> DynLend<Q::Item> for Q {
    fn try_lend(&self) -> Result<Lent<Q::Item>, TryPopError> {
        Lend::try_lend(self).map(boxed::<Q>)
    }

    fn settle(&self, lease: DynLease, how: Settlement<Q::Item>) -> Result<(), Failure> {
        let lease = lease.lease.downcast();
        Lend::settle(self, *lease.expect("a lease of this queue"), how)
    }

    fn tell_later(&self, failure: Failure) {
        Lend::tell_later(self, failure);
    }

    fn leases(&self) -> usize {
        Lend::leases(self)
    }

    fn is_idle(&self) -> bool {
        Lend::is_idle(self)
    }

    fn listen_idle(&self) -> DynIdleListener<'_> {
        DynIdleListener(Box::new(Lend::listen_idle(self)))
    }

    fn lend_until(&self, deadline: Deadline) -> Result<Lent<Q::Item>, PopTimeoutError> {
        Lend::lend_until(self, deadline).map(boxed::<Q>)
    }

    fn lend_async(&self) -> BoxFuture<'_, Result<Lent<Q::Item>, PopError>> {
        Box::pin(async { Lend::lend_async(self).await.map(boxed::<Q>) })
    }
}

/// The [`Lend::IdleListener`] of a [`DynQueue`].
pub struct DynIdleListener<'a>(Box<dyn DynListen + 'a>);

/// As every kind's.
impl UnwindSafe for DynIdleListener<'_> {}
impl RefUnwindSafe for DynIdleListener<'_> {}

impl fmt::Debug for DynIdleListener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynIdleListener(..)")
    }
}

/// [`Listen`] without its kind.
trait DynListen: Send {
    fn wait(self: Box<Self>, deadline: Deadline) -> bool;
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<L: Listen> DynListen for L {
    fn wait(self: Box<Self>, deadline: Deadline) -> bool {
        Listen::wait(*self, deadline)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self).poll(cx)
    }
}

impl Future for DynIdleListener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

impl Listen for DynIdleListener<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        self.0.wait(deadline)
    }
}

impl<T: Send + 'static> DynQueue<T> {
    fn lender(&self) -> Result<&dyn DynLend<T>, Failure> {
        self.0.lender().ok_or_else(|| {
            let message = "this DynQueue is of a kind that does not lend its items";
            Failure::new(FailureKind::Unsupported, message)
        })
    }
}

impl<T: Send + 'static> Lend for DynQueue<T> {
    type Lease = DynLease;
    type IdleListener<'a>
        = DynIdleListener<'a>
    where
        Self: 'a;

    fn try_lend(&self) -> Result<Lent<T>, TryPopError> {
        self.lender().map_err(TryPopError::Failed)?.try_lend()
    }

    fn attempt(lease: &DynLease) -> u32 {
        lease.attempt
    }

    fn settle(&self, lease: DynLease, how: Settlement<T>) -> Result<(), Failure> {
        self.lender()?.settle(lease, how)
    }

    fn tell_later(&self, failure: Failure) {
        if let Ok(lender) = self.lender() {
            lender.tell_later(failure);
        }
    }

    fn leases(&self) -> usize {
        self.lender().map_or(0, |lender| lender.leases())
    }

    fn is_idle(&self) -> bool {
        match self.lender() {
            Ok(lender) => lender.is_idle(),
            Err(_) => self.is_empty(),
        }
    }

    fn listen_idle(&self) -> DynIdleListener<'_> {
        match self.lender() {
            Ok(lender) => lender.listen_idle(),
            Err(failure) => panic!("{failure:#}, so nobody can join it"),
        }
    }

    fn lend_until(&self, deadline: Deadline) -> Result<Lent<T>, PopTimeoutError> {
        (self.lender().map_err(PopTimeoutError::Failed)?).lend_until(deadline)
    }

    async fn lend_async(&self) -> Result<Lent<T>, PopError> {
        let lender = self.lender().map_err(PopError::Failed)?;
        lender.lend_async().await
    }
}
