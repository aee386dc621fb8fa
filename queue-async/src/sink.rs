//! [`Sink`]: pushing as a sink.

use crate::AsyncQueue;
use crate::permit::Permit;
use crate::turn::Turn;
use queue_core::PushError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Pushes what is sent into it, from [`AsyncQueue::sink`].
///
/// Being ready means holding a [`Permit`], so an item that a sink accepts goes into the
/// queue at once and there is nothing to flush. Closing it gives back what it holds, and
/// leaves the queue open for the other producers.
#[must_use = "sinks do nothing unless polled"]
pub struct Sink<'a, T> {
    queue: &'a AsyncQueue<T>,
    turn: Option<Turn<'a, T>>,
    permit: Option<Permit<'a, T>>,
}

impl<T> AsyncQueue<T> {
    /// This queue as a [`futures_sink::Sink`].
    ///
    /// ```
    /// use futures::{SinkExt, StreamExt, stream};
    /// use queue_async::{AsyncQueue, Queue};
    /// # futures::executor::block_on(async {
    /// let queue = AsyncQueue::bounded(2);
    /// let producing = async {
    ///     let mut numbers = stream::iter(1..=10).map(Ok);
    ///     queue.sink().send_all(&mut numbers).await.unwrap();
    ///     queue.close();
    /// };
    /// let (_, got) = futures::join!(producing, queue.stream().collect::<Vec<_>>());
    /// assert_eq!(got, (1..=10).collect::<Vec<_>>());
    /// # });
    /// ```
    pub fn sink(&self) -> Sink<'_, T> {
        Sink {
            queue: self,
            turn: None,
            permit: None,
        }
    }
}

impl<T> fmt::Debug for Sink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("ready", &self.permit.is_some())
            .finish_non_exhaustive()
    }
}

/// # Panics
/// `start_send` panics if `poll_ready` was not ready before it.
impl<T> futures_sink::Sink<T> for Sink<'_, T> {
    /// With the item, if one had been given.
    type Error = PushError<Option<T>>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.permit.is_none() {
            let Self {
                queue,
                turn,
                permit,
            } = &mut *self;
            match ready!(queue.poll_reserve(turn, cx)) {
                Ok(held) => *permit = Some(held),
                Err(error) => return Poll::Ready(Err(error.map(|()| None))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Self::Error> {
        let permit = (self.permit.take()).expect("start_send before poll_ready was ready");
        permit.push(item).map_err(|error| error.map(Some))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.turn = None;
        self.permit = None;
        Poll::Ready(Ok(()))
    }
}
