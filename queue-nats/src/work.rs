//! [`Lend`] for [`NatsQueue`].

use crate::NatsQueue;
use crate::get::NotGot;
use crate::lease::{Delivered, Lent, LentTaken, NatsLease};
use crate::queue::{decode, not_got, pop_error};
use crate::watch::{Waiting, Who};
use queue_codec::Codec;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::work::{IdleListener, Lend, Settlement};
use queue_core::{Failure, FailureKind, PopError, PopTimeoutError, TryPopError};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Who waits until all of a [`NatsQueue`] is done.
pub struct NatsIdleListener<'a>(IdleListener<'a>, Waiting);

impl fmt::Debug for NatsIdleListener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsIdleListener(..)")
    }
}

impl Future for NatsIdleListener<'_> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Listen for NatsIdleListener<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        let Self(listener, _waiting) = self;
        listener.wait(deadline)
    }
}

impl<T: Send, C: Codec<T>> NatsQueue<T, C> {
    /// The item of a delivery. One whose bytes are none is done.
    async fn lent(&self, mut delivered: Delivered) -> Result<(T, NatsLease), Failure> {
        match decode::<T, C>(&delivered.payload) {
            Ok(item) => {
                delivered.stays();
                Ok((item, NatsLease(Lent::Delivered(delivered))))
            }
            Err(failure) => {
                let done = delivered.done(|_, _| Box::pin(async {})).await;
                done.acked.and(Err(failure))
            }
        }
    }

    /// What a pop had taken that was dropped: it is lent as any other.
    fn lend_stashed(&self) -> Option<Result<(T, NatsLease), Failure>> {
        let lent = LentTaken::next(&self.shared)?;
        Some(match decode::<T, C>(lent.bytes()) {
            Ok(item) => Ok((item, NatsLease(Lent::Taken(lent)))),
            Err(failure) => {
                lent.done();
                Err(failure)
            }
        })
    }

    async fn lend_some(&self, deadline: Deadline) -> Result<(T, NatsLease), PopTimeoutError> {
        loop {
            if let Some(lent) = self.lend_stashed() {
                return lent.map_err(PopTimeoutError::Failed);
            }
            match self.shared.get(deadline).await {
                Ok(Some(delivered)) => {
                    let lent = self.lent(delivered).await;
                    return lent.map_err(PopTimeoutError::Failed);
                }
                Ok(None) | Err(NotGot::Empty | NotGot::Closed) if self.shared.has_stashed() => {}
                Ok(None) if deadline.has_passed() => return Err(PopTimeoutError::Timeout),
                Ok(None) => {}
                Err(NotGot::Empty) => return Err(PopTimeoutError::Timeout),
                Err(NotGot::Closed) => return Err(PopTimeoutError::Closed),
                Err(NotGot::Failed(failure)) => return Err(PopTimeoutError::Failed(failure)),
            }
        }
    }
}

impl<T: Send, C: Codec<T>> Lend for NatsQueue<T, C> {
    type Lease = NatsLease;
    type IdleListener<'a>
        = NatsIdleListener<'a>
    where
        Self: 'a;

    fn try_lend(&self) -> Result<(T, NatsLease), TryPopError> {
        self.shared.link.block_on(async {
            self.shared.undone().await;
            loop {
                if let Some(lent) = self.lend_stashed() {
                    return lent.map_err(TryPopError::Failed);
                }
                let delivered = match self.shared.try_get().await {
                    Err(NotGot::Empty | NotGot::Closed) if self.shared.has_stashed() => continue,
                    got => got.map_err(not_got)?,
                };
                return self.lent(delivered).await.map_err(TryPopError::Failed);
            }
        })
    }

    fn attempt(lease: &NatsLease) -> u32 {
        lease.attempt()
    }

    fn settle(&self, lease: NatsLease, how: Settlement<T>) -> Result<(), Failure> {
        let link = &self.shared.link;
        match (lease.0, how) {
            (Lent::Delivered(delivered), Settlement::Done) => {
                let done = delivered.done(|_, _| Box::pin(async {}));
                link.block_on(done).acked
            }
            (Lent::Delivered(delivered), Settlement::Back { counted, .. }) => {
                link.block_on(delivered.back(counted))
            }
            (Lent::Taken(taken), Settlement::Done) => {
                taken.done();
                Ok(())
            }
            (Lent::Taken(taken), Settlement::Back { counted, .. }) => {
                taken.back(counted);
                Ok(())
            }
        }
    }

    /// None if the server does not answer.
    fn leases(&self) -> usize {
        let counts = self.shared.link.block_on(self.shared.counts());
        counts.map_or(0, |(_, in_flight)| in_flight)
    }

    /// Not if the server does not answer; also if the queue was deleted.
    fn is_idle(&self) -> bool {
        let shared = &self.shared;
        let info = shared.link.block_on(shared.info_after_all());
        let is_empty = match info {
            Ok(info) => info.messages() == 0,
            Err(why) => why.kind() == FailureKind::PeerGone,
        };
        is_empty && !shared.has_taken()
    }

    fn listen_idle(&self) -> NatsIdleListener<'_> {
        let shared = &self.shared;
        let listener = shared.idle.listen().since(shared.watch.last_look());
        NatsIdleListener(listener, shared.watch_for(Who::Join))
    }

    fn lend_until(&self, deadline: Deadline) -> Result<(T, NatsLease), PopTimeoutError> {
        self.shared.link.block_on(self.lend_some(deadline))
    }

    fn lend_async(&self) -> impl Future<Output = Result<(T, NatsLease), PopError>> + Send {
        let lent = self.lend_some(Deadline::NEVER);
        self.on_any_executor(async { lent.await.map_err(pop_error) })
    }
}
