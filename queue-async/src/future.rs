//! [`Push`] and [`Pop`]: the futures of a single item.
//!
//! Named, rather than closures, so that where nothing has to wait their `poll` becomes a
//! few instructions inside the task that awaits them: an item that goes through memory
//! between the two costs as much as the lock does.

use crate::shared::Shared;
use crate::state::{Closed, State};
use crate::turn::Turn;
use queue_core::{PopError, PushError};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

const REFUSED: &str = "what a closed queue refuses is given back";

/// Pushes `item` once it is its turn.
pub(crate) struct Push<'a, T> {
    shared: &'a Shared<T>,
    /// Until it is pushed.
    item: Option<T>,
    turn: Option<Turn<'a, T>>,
}

impl<'a, T> Push<'a, T> {
    #[inline(always)]
    pub(crate) fn new(shared: &'a Shared<T>, item: T) -> Self {
        Self {
            shared,
            item: Some(item),
            turn: None,
        }
    }
}

/// The item is never pinned: it is moved into the queue.
impl<T> Unpin for Push<'_, T> {}

impl<T> Future for Push<'_, T> {
    type Output = Result<(), PushError<T>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, item, turn } = &mut *self;
        Poll::Ready(match ready!(shared.poll_push(item, turn, cx)) {
            Ok(()) => Ok(()),
            Err(Closed) => Err(PushError::Closed(item.take().expect(REFUSED))),
        })
    }
}

/// Pops an item once it is its turn.
pub(crate) struct Pop<'a, T> {
    shared: &'a Shared<T>,
    turn: Option<Turn<'a, T>>,
}

impl<'a, T> Pop<'a, T> {
    #[inline(always)]
    pub(crate) fn new(shared: &'a Shared<T>) -> Self {
        Self { shared, turn: None }
    }
}

impl<T> Future for Pop<'_, T> {
    type Output = Result<T, PopError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, turn } = &mut *self;
        shared
            .poll_with_item(turn, cx, State::pop)
            .map_err(|Closed| PopError::Closed)
    }
}
