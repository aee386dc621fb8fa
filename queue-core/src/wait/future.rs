//! Waiting as a future. A future that pops never holds an item across a poll, and one that pushes
//! holds only the item that it was given.
//!
//! Each spends cooperative budget once, before its first try: one that has to wait lets others run
//! anyway.

use crate::coop;
use crate::event::Listen;
use crate::sync::spin;
use crate::{PopError, PushError, Queue, Side, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The state of a task that waits until another try is worth it.
enum Wait<L> {
    /// It has tried, or is about to.
    Tried,
    /// It tries because the hint promised something.
    Hinted,
    /// It listens, and tries once more: whatever comes from now on notifies it.
    Listening(L),
}

impl<L: Listen> Wait<L> {
    /// Ready when `side` should try again.
    ///
    /// It polls the listener where it lies: a future that holds it twice is twice as large.
    fn poll_again<'a, Q>(&mut self, queue: &'a Q, side: Side, cx: &mut Context<'_>) -> Poll<()>
    where
        Q: Queue<Listener<'a> = L> + ?Sized,
    {
        *self = match self {
            Self::Tried if look(queue, side) => Self::Hinted,
            Self::Tried | Self::Hinted => Self::Listening(queue.listen(side)),
            Self::Listening(listener) => {
                ready!(Pin::new(listener).poll(cx));
                Self::Tried
            }
        };
        Poll::Ready(())
    }
}

/// Looks for a moment: whether a try is worth it.
#[cold]
#[inline(never)]
fn look<Q: Queue + ?Sized>(queue: &Q, side: Side) -> bool {
    let target = spin::batch_target(queue.capacity());
    spin::briefly_until_some(target, || queue.ready_hint(side))
}

pub(crate) async fn push_async<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    item: T,
) -> Result<(), PushError<T>> {
    coop::proceed().await;
    let mut wait = Wait::Tried;
    let mut item = item;
    loop {
        item = match queue.try_push(item) {
            Ok(()) => return Ok(()),
            Err(TryPushError::Full(item)) => item,
            Err(TryPushError::Closed(item)) => return Err(PushError::Closed(item)),
            Err(TryPushError::Failed(item, failure)) => {
                return Err(PushError::Failed(item, failure));
            }
        };
        poll_fn(|cx| wait.poll_again(queue, Side::Producers, cx)).await;
    }
}

pub(crate) async fn pop_async<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
) -> Result<T, PopError> {
    until_popped_async(queue, || queue.try_pop()).await
}

/// Calls `attempt`, which takes something from `queue`, until there is something to take.
pub(crate) async fn until_popped_async<Q: Queue + ?Sized, R>(
    queue: &Q,
    mut attempt: impl FnMut() -> Result<R, TryPopError>,
) -> Result<R, PopError> {
    coop::proceed().await;
    let mut wait = Wait::Tried;
    loop {
        match attempt() {
            Ok(popped) => return Ok(popped),
            Err(TryPopError::Empty) => {}
            Err(TryPopError::Closed) => return Err(PopError::Closed),
            Err(TryPopError::Failed(failure)) => return Err(PopError::Failed(failure)),
        }
        poll_fn(|cx| wait.poll_again(queue, Side::Consumers, cx)).await;
    }
}

/// [`pop_async`] for a caller that keeps the listener from poll to poll.
pub(crate) fn poll_pop<'a, T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &'a Q,
    listener: &mut Option<Q::Listener<'a>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, PopError>> {
    ready!(coop::poll_proceed(cx));
    let mut wait = listener.take().map_or(Wait::Tried, Wait::Listening);
    let mut tries = !matches!(wait, Wait::Listening(_));
    loop {
        if tries {
            match queue.try_pop() {
                Ok(item) => return Poll::Ready(Ok(item)),
                Err(TryPopError::Empty) => {}
                Err(TryPopError::Closed) => return Poll::Ready(Err(PopError::Closed)),
                Err(TryPopError::Failed(failure)) => {
                    return Poll::Ready(Err(PopError::Failed(failure)));
                }
            }
        }
        tries = true;
        if wait.poll_again(queue, Side::Consumers, cx).is_pending() {
            if let Wait::Listening(listening) = wait {
                *listener = Some(listening);
            }
            return Poll::Pending;
        }
    }
}

pub(crate) async fn push_many_async<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    items: &mut VecDeque<T>,
) -> Result<(), PushError<()>> {
    let mut wait = Wait::Tried;
    while !items.is_empty() {
        // For each batch: it never has to wait if others pop as fast as it pushes.
        coop::proceed().await;
        match queue.try_push_many(items) {
            Ok(count) => {
                coop::spend(count);
                wait = Wait::Tried;
                continue;
            }
            Err(TryPushError::Full(())) => {}
            Err(TryPushError::Closed(())) => return Err(PushError::Closed(())),
            Err(TryPushError::Failed((), failure)) => return Err(PushError::Failed((), failure)),
        }
        poll_fn(|cx| wait.poll_again(queue, Side::Producers, cx)).await;
    }
    Ok(())
}

pub(crate) async fn pop_many_async<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    into: &mut Vec<T>,
    max: usize,
) -> Result<usize, PopError> {
    if max == 0 {
        return Ok(0);
    }
    let count = until_popped_async(queue, || queue.try_pop_many(into, max)).await?;
    coop::spend(count);
    Ok(count)
}
