//! Halves in several processes: who holds one answers whoever asks. So the death of a process shows when
//! somebody else's half is dropped, and asks; what it had on loan comes back after `ack_wait`, by the server.

use crate::connection::{Answer, before};
use crate::shared::{Half, Shared, half, lock};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::Side;
use queue_core::sync::Deadline;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;

/// How long an answer is waited for before another question; each time twice as long.
const FIRST_PATIENCE: Duration = Duration::from_millis(50);

impl Shared {
    fn half_subject(&self, side: Side) -> String {
        let side = ["producer", "consumer"][half(side)];
        format!("{}.{side}", self.names.half)
    }

    /// This process has a half of `side` from now on.
    pub(crate) async fn hold_half(&self, side: Side) {
        *lock(&self.halves[half(side)]) = self.answer_at(self.half_subject(side)).await;
    }

    /// Answers whoever asks there, until what it returns is dropped.
    pub(crate) async fn answer_at(&self, subject: String) -> Option<Half> {
        let client = self.link.client.clone();
        let mut asks = client.subscribe(subject).await.ok()?;
        let (stop, mut stopped) = watch::channel(());
        let answering = self.link.spawn(async move {
            let mut gone = pin!(stopped.changed());
            while let Some(ask) = poll_fn(|cx| match gone.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Pin::new(&mut asks).poll_next(cx),
            })
            .await
            {
                if let Some(reply) = ask.reply {
                    let _ = client.publish(reply, Bytes::new()).await;
                }
            }
            let _ = asks.unsubscribe().await;
        });
        Some((stop, answering))
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
        let deadline = Deadline::after(self.timeout);
        let _ = before(deadline, answering).await;
        let (subject, mut patience) = (self.half_subject(side), FIRST_PATIENCE);
        loop {
            let asked = (self.link).request(&subject, None, Bytes::new(), patience);
            match asked.await {
                Answer::NoResponders => return true,
                // It may have gone to one who leaves just now and did not hear it any more.
                Answer::Silence if self.link.is_connected() && !deadline.has_passed() => {
                    patience *= 2;
                }
                _ => return false,
            }
        }
    }
}
