//! [`Stream`]: popping as a stream.

use crate::iter::End;
use crate::{Failure, Queue};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Pops until the queue is closed and drained, from [`Queue::stream`].
///
/// It also ends where popping failed; [`failure`](Self::failure) then says why. Either end is
/// for good: it is fused.
/// Dropping it between two items loses neither an item nor a wake.
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
pub struct Stream<'a, T: Send, Q: Queue<T> + 'a> {
    queue: &'a Q,
    listener: Option<Q::Listener<'a>>,
    end: End,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Send, Q: Queue<T>> Stream<'a, T, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            listener: None,
            end: End::default(),
            items: PhantomData,
        }
    }

    /// What ended the stream, if it was not the queue's own end.
    pub fn failure(&self) -> Option<&Failure> {
        self.end.failure()
    }
}

impl<T: Send, Q: Queue<T>> fmt::Debug for Stream<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl<T: Send, Q: Queue<T>> futures_core::Stream for Stream<'_, T, Q> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
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

impl<T: Send, Q: Queue<T>> futures_core::FusedStream for Stream<'_, T, Q> {
    fn is_terminated(&self) -> bool {
        self.end.is_reached()
    }
}
