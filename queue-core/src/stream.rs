//! [`Stream`] and [`ResultsStream`]: popping as a stream.

use crate::iter::{End, item_or_panic};
use crate::{Failure, Queue};
use futures_core::{FusedStream, Stream as Polled};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Pops until the queue is closed and drained, from [`Queue::stream`]. It is fused.
/// Dropping it between two items loses neither an item nor a wake.
///
/// # Panics
/// Polling panics if an item cannot be brought out, which happens between processes alone;
/// [`ResultsStream`] yields the failure instead.
///
/// ```
/// use futures_core::Stream as _;
/// use queue_core::Queue;
/// use std::{future::poll_fn, pin::pin};
/// async fn sum<Q: Queue<u64>>(numbers: &Q) -> u64 {
///     let mut numbers = pin!(numbers.stream());
///     let mut sum = 0;
///     // With the extensions of the crate `futures`: `numbers.next().await`.
///     while let Some(n) = poll_fn(|cx| numbers.as_mut().poll_next(cx)).await {
///         sum += n;
///     }
///     sum
/// }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Stream<'a, T: Send, Q: Queue<T> + 'a>(ResultsStream<'a, T, Q>);

/// Pops until the queue is closed and drained, from [`Queue::results_stream`]: each item, or why
/// it could not be brought out. Dropping it between two items loses neither an item nor a wake.
///
/// It goes on behind an item that failed, and ends behind a failure that is not about one item
/// ([`Failure::consumed_item`]), for popping again would yield the same. It is fused.
///
/// ```
/// use futures_core::Stream as _;
/// use queue_core::{Failure, Queue};
/// use std::{future::poll_fn, pin::pin};
/// async fn sum<Q: Queue<u64>>(numbers: &Q) -> Result<u64, Failure> {
///     let mut numbers = pin!(numbers.results_stream());
///     let mut sum = 0;
///     // With the extensions of the crate `futures`: `numbers.try_next().await?`.
///     while let Some(n) = poll_fn(|cx| numbers.as_mut().poll_next(cx)).await {
///         sum += n?;
///     }
///     Ok(sum)
/// }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct ResultsStream<'a, T: Send, Q: Queue<T> + 'a> {
    queue: &'a Q,
    listener: Option<Q::Listener<'a>>,
    end: End,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Send, Q: Queue<T>> Stream<'a, T, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self(ResultsStream::new(queue))
    }
}

impl<'a, T: Send, Q: Queue<T>> ResultsStream<'a, T, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            listener: None,
            end: End::default(),
            items: PhantomData,
        }
    }
}

impl<T: Send, Q: Queue<T>> fmt::Debug for Stream<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("ended", &self.0.end.is_reached())
            .finish_non_exhaustive()
    }
}

impl<T: Send, Q: Queue<T>> fmt::Debug for ResultsStream<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultsStream")
            .field("ended", &self.end.is_reached())
            .finish_non_exhaustive()
    }
}

impl<T: Send, Q: Queue<T>> Polled for Stream<'_, T, Q> {
    type Item = T;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let next = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(next.map(|result| item_or_panic(result, "results_stream")))
    }
}

impl<T: Send, Q: Queue<T>> Polled for ResultsStream<'_, T, Q> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self {
            queue,
            listener,
            end,
            ..
        } = &mut *self;
        if end.is_reached() {
            return Poll::Ready(None);
        }
        let popped = ready!(queue.poll_pop(listener, cx));
        Poll::Ready(end.next(popped))
    }
}

impl<T: Send, Q: Queue<T>> FusedStream for Stream<'_, T, Q> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<T: Send, Q: Queue<T>> FusedStream for ResultsStream<'_, T, Q> {
    fn is_terminated(&self) -> bool {
        self.end.is_reached()
    }
}
