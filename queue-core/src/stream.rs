//! Popping as a stream: [`ItemStream`] and [`ResultStream`] borrow the queue, [`IntoItemStream`] and
//! [`IntoResultStream`] keep a [`Consumer`].

use crate::iter::{End, item_or_panic};
use crate::{Consumer, Failure, PopError, Queue, Side, TryPopError, coop};
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Pops until the queue is closed and drained, from [`Queue::stream`]. It is fused.
/// Dropping it between two items loses neither an item nor a wake.
///
/// # Panics
/// Polling panics if an item cannot be brought out, which happens between processes alone;
/// [`ResultStream`] yields the failure instead.
///
/// ```
/// use futures_core::Stream as _;
/// use queue_core::Queue;
/// use std::{future::poll_fn, pin::pin};
/// async fn sum<Q: Queue<Item = u64>>(numbers: &Q) -> u64 {
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
pub struct ItemStream<'a, Q: Queue + 'a>(ResultStream<'a, Q>);

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
/// async fn sum<Q: Queue<Item = u64>>(numbers: &Q) -> Result<u64, Failure> {
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
pub struct ResultStream<'a, Q: Queue + 'a> {
    queue: &'a Q,
    listener: Option<Q::Listener<'a>>,
    end: End,
}

impl<'a, Q: Queue> ItemStream<'a, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self(ResultStream::new(queue))
    }
}

impl<'a, Q: Queue> ResultStream<'a, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            listener: None,
            end: End::default(),
        }
    }
}

impl<Q: Queue> fmt::Debug for ItemStream<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemStream")
            .field("ended", &self.0.end.is_reached())
            .finish_non_exhaustive()
    }
}

impl<Q: Queue> fmt::Debug for ResultStream<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultStream")
            .field("ended", &self.end.is_reached())
            .finish_non_exhaustive()
    }
}

impl<Q: Queue> Stream for ItemStream<'_, Q> {
    type Item = Q::Item;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Q::Item>> {
        let next = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(next.map(|result| item_or_panic(result, "results_stream")))
    }
}

impl<Q: Queue> Stream for ResultStream<'_, Q> {
    type Item = Result<Q::Item, Failure>;

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

impl<Q: Queue> FusedStream for ItemStream<'_, Q> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<Q: Queue> FusedStream for ResultStream<'_, Q> {
    fn is_terminated(&self) -> bool {
        self.end.is_reached()
    }
}

type Popping<T> = Pin<Box<dyn Future<Output = Result<T, PopError>> + Send>>;

/// Pops until the queue is closed and drained, from a [`Consumer`] that it keeps:
/// [`Consumer::into_stream`]. It borrows nothing, so a task can be given it. It is fused.
/// Dropping it between two items loses neither an item nor a wake.
///
/// # Panics
/// Polling panics if an item cannot be brought out, which happens between processes alone;
/// [`IntoResultStream`] yields the failure instead.
///
/// # Cost
/// An allocation whenever it has to wait.
#[must_use = "streams do nothing unless polled"]
pub struct IntoItemStream<Q: Queue>(IntoResultStream<Q>);

/// As [`IntoItemStream`], but yields the failure where an item cannot be brought out, and goes on
/// behind it, as [`ResultStream`] does: [`Consumer::into_results_stream`].
#[must_use = "streams do nothing unless polled"]
pub struct IntoResultStream<Q: Queue> {
    // Before the half, which it waits for.
    popping: Option<Popping<Q::Item>>,
    consumer: Consumer<Q>,
    end: End,
}

impl<Q: Queue> IntoItemStream<Q> {
    pub(crate) fn new(consumer: Consumer<Q>) -> Self {
        Self(IntoResultStream::new(consumer))
    }
}

impl<Q: Queue> IntoResultStream<Q> {
    pub(crate) fn new(consumer: Consumer<Q>) -> Self {
        Self {
            popping: None,
            consumer,
            end: End::default(),
        }
    }
}

impl<Q: Queue> fmt::Debug for IntoItemStream<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoItemStream")
            .field("ended", &self.0.end.is_reached())
            .finish_non_exhaustive()
    }
}

impl<Q: Queue> fmt::Debug for IntoResultStream<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoResultStream")
            .field("ended", &self.end.is_reached())
            .finish_non_exhaustive()
    }
}

/// The queue is never pinned, and its future is boxed.
impl<Q: Queue> Unpin for IntoItemStream<Q> {}
impl<Q: Queue> Unpin for IntoResultStream<Q> {}

/// As every kind: a panic in an item's own code leaves the queue usable.
impl<Q: Queue + UnwindSafe> UnwindSafe for IntoResultStream<Q> {}
impl<Q: Queue + RefUnwindSafe> RefUnwindSafe for IntoResultStream<Q> {}

impl<Q: Queue + Clone + 'static> Stream for IntoItemStream<Q> {
    type Item = Q::Item;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Q::Item>> {
        let next = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(next.map(|result| item_or_panic(result, "into_results_stream")))
    }
}

impl<Q: Queue + Clone + 'static> Stream for IntoResultStream<Q> {
    type Item = Result<Q::Item, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.is_reached() {
            return Poll::Ready(None);
        }
        let Self {
            popping,
            consumer,
            end,
        } = &mut *self;
        let popped = if let Some(popping) = popping {
            ready!(popping.as_mut().poll(cx))
        } else {
            ready!(coop::poll_proceed(cx));
            match try_first(consumer.queue()) {
                Some(popped) => popped,
                None => {
                    let queue = consumer.queue().clone();
                    let waiting = Box::pin(async move { queue.pop_async().await });
                    ready!(popping.insert(waiting).as_mut().poll(cx))
                }
            }
        };
        *popping = None;
        Poll::Ready(end.next(popped))
    }
}

/// What a pop that waits comes to at once: none if it has to wait, for its turn or for an item, or if
/// to look costs as much as to try, which may block.
fn try_first<Q: Queue>(queue: &Q) -> Option<Result<Q::Item, PopError>> {
    if queue.ready_hint(Side::Consumers) == 0 || queue.is_spoken_for() {
        return None;
    }
    match queue.try_pop() {
        Ok(item) => Some(Ok(item)),
        Err(TryPopError::Closed) => Some(Err(PopError::Closed)),
        Err(TryPopError::Failed(failure)) if !failure.may_pass() => {
            Some(Err(PopError::Failed(failure)))
        }
        Err(TryPopError::Empty | TryPopError::Failed(_)) => None,
    }
}

impl<Q: Queue + Clone + 'static> FusedStream for IntoItemStream<Q> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<Q: Queue + Clone + 'static> FusedStream for IntoResultStream<Q> {
    fn is_terminated(&self) -> bool {
        self.end.is_reached()
    }
}
