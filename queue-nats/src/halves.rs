//! Halves in several processes: who holds one answers whoever asks.

use crate::connection::{Answer, before};
use crate::shared::{Shared, half, lock};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::Side;
use queue_core::sync::Deadline;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::watch;

impl Shared {
    fn half_subject(&self, side: Side) -> String {
        let side = ["producer", "consumer"][half(side)];
        format!("{}.{side}", self.names.half)
    }

    /// This process has a half of `side` from now on.
    pub(crate) async fn hold_half(self: &Arc<Self>, side: Side) {
        let client = self.link.client.clone();
        let Ok(mut asks) = client.subscribe(self.half_subject(side)).await else {
            return;
        };
        let (stop, mut stopped) = watch::channel(());
        let answering = self.link.spawn(async move {
            let mut gone = pin!(stopped.changed());
            let mut drains = false;
            loop {
                let ask = poll_fn(|cx| {
                    if !drains && gone.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Err(()));
                    }
                    Pin::new(&mut asks).poll_next(cx).map(Ok)
                });
                match ask.await {
                    // Who asked before the server knew that this one leaves waits for an answer, too.
                    Err(()) if asks.drain().await.is_ok() => drains = true,
                    Ok(Some(ask)) => {
                        if let Some(reply) = ask.reply {
                            let _ = client.publish(reply, Bytes::new()).await;
                        }
                    }
                    Err(()) | Ok(None) => break,
                }
            }
        });
        *lock(&self.halves[half(side)]) = Some((stop, answering));
    }

    /// This process has none any more: whether nobody has.
    ///
    /// Whoever of two that leave at once is the later one for the server hears that nobody has one.
    pub(crate) async fn drop_half(&self, side: Side) -> bool {
        let Some((stop, answering)) = lock(&self.halves[half(side)]).take() else {
            return true;
        };
        drop(stop);
        // Without a connection nobody can ask.
        let _ = before(Deadline::after(self.timeout), answering).await;
        let subject = self.half_subject(side);
        let asked = (self.link).request(&subject, None, Bytes::new(), self.timeout);
        matches!(asked.await, Answer::NoResponders)
    }
}
