//! [`Lend`] for [`NatsQueue`]; what is settled goes to the server in [`lease`](crate::lease).

use crate::NatsQueue;
use crate::lease::{Delivered, NatsLease};
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

/// A delivery whose item is about to come out of its bytes: by a panic of its own code too it is done.
struct Undecoded(Option<Delivered>);

impl Drop for Undecoded {
    fn drop(&mut self) {
        // Dropped at once, it goes on by itself.
        drop(self.0.take().map(Delivered::done));
    }
}

impl<T: Send, C: Codec<T>> NatsQueue<T, C> {
    /// The item of a delivery. One whose bytes are none is done.
    pub(crate) async fn lent(&self, delivered: Delivered) -> Result<(T, NatsLease), Failure> {
        let bytes = delivered.payload.clone();
        let mut undecoded = Undecoded(Some(delivered));
        let decoded = decode::<T, C>(&bytes);
        let mut delivered = undecoded.0.take().expect("it was put there");
        match decoded {
            Ok(item) => {
                delivered.stays();
                Ok((item, NatsLease(delivered)))
            }
            Err(failure) => delivered.done().await.acked.and(Err(failure)),
        }
    }

    async fn lend_some(&self, deadline: Deadline) -> Result<(T, NatsLease), PopTimeoutError> {
        let delivered = self.next(deadline).await?;
        (self.lent(delivered).await).map_err(PopTimeoutError::Failed)
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
            self.shared.untold().map_err(TryPopError::Failed)?;
            let delivered = self.shared.try_get().await.map_err(not_got)?;
            self.lent(delivered).await.map_err(TryPopError::Failed)
        })
    }

    fn attempt(lease: &NatsLease) -> u32 {
        lease.0.attempt()
    }

    fn settle(&self, lease: NatsLease, how: Settlement<T>) -> Result<(), Failure> {
        let link = &self.shared.link;
        match how {
            Settlement::Done => link.block_on(lease.0.done()).acked,
            Settlement::Back { counted, .. } => link.block_on(lease.0.back(counted)),
        }
    }

    fn tell_later(&self, failure: Failure) {
        self.shared.tell_next(failure);
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
        match info {
            Ok(info) => info.messages() == 0,
            Err(why) => why.kind() == FailureKind::PeerGone,
        }
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
