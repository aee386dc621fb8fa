//! Pushing as a sink: [`ItemSink`] borrows the queue, [`IntoItemSink`] keeps a [`Producer`].

use crate::{Producer, PushError, Queue, TryPushError};
use futures_sink::Sink;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The push of an item that was accepted and found no slot.
type Pushing<'a, T> = Pin<Box<dyn Future<Output = Result<(), PushError<T>>> + Send + 'a>>;

/// Pushes what is sent into it, from [`Queue::sink`].
///
/// An item goes into the queue as it is sent. One that finds no slot, or whose server is away, waits in
/// the sink, which is ready again when that one is in: so flush, or close, before dropping it. Closing it leaves the
/// queue open.
///
/// # Errors
/// The error has the item that did not go in, which may be the one sent before.
///
/// # Cancel safety
/// A future of `futures::SinkExt` that is dropped leaves its item with the sink if it was accepted.
/// Dropping the sink drops that item.
#[must_use = "sinks do nothing unless polled"]
pub struct ItemSink<'a, Q: Queue> {
    pushing: Option<Pushing<'a, Q::Item>>,
    queue: &'a Q,
}

/// As [`ItemSink`], but keeps its half, from [`Producer::into_sink`]: a task can be given it.
/// Closing it drops the half, and so closes the queue if it was the last producer. After that
/// whatever is sent is `Closed`.
///
/// ```
/// use futures_sink::Sink as _;
/// use queue_core::{Producer, PushError, Queue};
/// use std::{future::poll_fn, pin::pin};
/// async fn count<Q>(numbers: Producer<Q>) -> Result<(), PushError<u32>>
/// where
///     Q: Queue<Item = u32> + Clone + 'static,
/// {
///     let mut numbers = pin!(numbers.into_sink());
///     for n in 0..10 {
///         // With the extensions of the crate `futures`: `numbers.send(n).await?`.
///         poll_fn(|cx| numbers.as_mut().poll_ready(cx)).await?;
///         numbers.as_mut().start_send(n)?;
///     }
///     poll_fn(|cx| numbers.as_mut().poll_close(cx)).await
/// }
/// ```
#[must_use = "sinks do nothing unless polled"]
pub struct IntoItemSink<Q: Queue> {
    pushing: Option<Pushing<'static, Q::Item>>,
    producer: Option<Producer<Q>>,
}

impl<'a, Q: Queue> ItemSink<'a, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            pushing: None,
            queue,
        }
    }
}

impl<Q: Queue> IntoItemSink<Q> {
    pub(crate) fn new(producer: Producer<Q>) -> Self {
        Self {
            pushing: None,
            producer: Some(producer),
        }
    }
}

/// Waits until the item is in that was accepted last.
fn poll_pushed<T>(
    pushing: &mut Option<Pushing<'_, T>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), PushError<T>>> {
    let Some(push) = pushing else {
        return Poll::Ready(Ok(()));
    };
    let pushed = ready!(push.as_mut().poll(cx));
    *pushing = None;
    Poll::Ready(pushed)
}

/// Pushes `item`, or has it wait by `push`.
fn start<'a, Q: Queue>(
    pushing: &mut Option<Pushing<'a, Q::Item>>,
    queue: &Q,
    item: Q::Item,
    push: impl FnOnce(Q::Item) -> Pushing<'a, Q::Item>,
) -> Result<(), PushError<Q::Item>> {
    assert!(pushing.is_none(), "start_send before poll_ready was ready");
    match queue.try_push(item) {
        Ok(()) => Ok(()),
        Err(TryPushError::Closed(item)) => Err(PushError::Closed(item)),
        Err(TryPushError::Failed(item, failure)) if !failure.may_pass() => {
            Err(PushError::Failed(item, failure))
        }
        Err(TryPushError::Full(item) | TryPushError::Failed(item, _)) => {
            *pushing = Some(push(item));
            Ok(())
        }
    }
}

impl<Q: Queue> fmt::Debug for ItemSink<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemSink")
            .field("ready", &self.pushing.is_none())
            .finish_non_exhaustive()
    }
}

impl<Q: Queue> fmt::Debug for IntoItemSink<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoItemSink")
            .field("ready", &self.pushing.is_none())
            .field("closed", &self.producer.is_none())
            .finish_non_exhaustive()
    }
}

/// The queue is never pinned, and its future is boxed.
impl<Q: Queue> Unpin for IntoItemSink<Q> {}

/// As every kind: a panic in an item's own code leaves the queue usable.
impl<Q: Queue + RefUnwindSafe> UnwindSafe for ItemSink<'_, Q> {}
impl<Q: Queue + RefUnwindSafe> RefUnwindSafe for ItemSink<'_, Q> {}
impl<Q: Queue + UnwindSafe> UnwindSafe for IntoItemSink<Q> {}
impl<Q: Queue + RefUnwindSafe> RefUnwindSafe for IntoItemSink<Q> {}

/// # Panics
/// `start_send` panics if `poll_ready` was not ready before it.
impl<Q: Queue> Sink<Q::Item> for ItemSink<'_, Q> {
    type Error = PushError<Q::Item>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        poll_pushed(&mut self.pushing, cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Q::Item) -> Result<(), Self::Error> {
        let queue = self.queue;
        start(&mut self.pushing, queue, item, |item| {
            Box::pin(queue.push_async(item))
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        poll_pushed(&mut self.pushing, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        poll_pushed(&mut self.pushing, cx)
    }
}

/// # Panics
/// `start_send` panics if `poll_ready` was not ready before it.
impl<Q: Queue + Clone + 'static> Sink<Q::Item> for IntoItemSink<Q> {
    type Error = PushError<Q::Item>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        poll_pushed(&mut self.pushing, cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Q::Item) -> Result<(), Self::Error> {
        let Self { pushing, producer } = &mut *self;
        let Some(producer) = producer else {
            return Err(PushError::Closed(item));
        };
        let queue = producer.queue();
        start(pushing, queue, item, |item| {
            let queue = queue.clone();
            Box::pin(async move { queue.push_async(item).await })
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        poll_pushed(&mut self.pushing, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let pushed = ready!(poll_pushed(&mut self.pushing, cx));
        self.producer = None;
        Poll::Ready(pushed)
    }
}
