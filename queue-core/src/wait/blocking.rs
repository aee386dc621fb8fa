//! Waiting by blocking the thread: look a moment, then sleep until notified.

use crate::event::Listen;
use crate::sync::{Deadline, spin};
use crate::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, Side, TryPopError, TryPushError,
};
use std::collections::VecDeque;

/// What one try came to: an end of the waiting, or the thing to try again with.
type Attempt<R, E, Again> = Result<Result<R, E>, Again>;

/// Tries until a try ends it or the deadline passes; every try comes before a look at
/// the clock. `look` says cheaply what there seems to be.
#[cold]
fn retry<L: Listen, R, E, Again>(
    mut again: Again,
    deadline: Deadline,
    look: impl Fn() -> usize,
    mut listen: impl FnMut() -> L,
    mut attempt: impl FnMut(Again) -> Attempt<R, E, Again>,
) -> Attempt<R, E, Again> {
    loop {
        while spin::until_some(deadline, &look) {
            again = match attempt(again) {
                Err(again) => again,
                done => return done,
            };
            if deadline.has_passed() {
                return Err(again);
            }
        }
        let listener = listen();
        again = match attempt(again) {
            Err(again) => again,
            done => return done,
        };
        let notified = listener.wait(deadline);
        again = match attempt(again) {
            Err(again) => again,
            done => return done,
        };
        if !notified {
            return Err(again);
        }
    }
}

fn try_push<T: Send, Q: Queue<T> + ?Sized>(queue: &Q, item: T) -> Attempt<(), PushError<T>, T> {
    match queue.try_push(item) {
        Ok(()) => Ok(Ok(())),
        Err(TryPushError::Full(item)) => Err(item),
        Err(TryPushError::Closed(item)) => Ok(Err(PushError::Closed(item))),
        Err(TryPushError::Failed(item, failure)) => Ok(Err(PushError::Failed(item, failure))),
    }
}

/// The answer of a try that ends the waiting.
fn ended<R>(tried: Result<R, TryPopError>) -> Attempt<R, PopError, ()> {
    match tried {
        Ok(got) => Ok(Ok(got)),
        Err(TryPopError::Empty) => Err(()),
        Err(TryPopError::Closed) => Ok(Err(PopError::Closed)),
        Err(TryPopError::Failed(failure)) => Ok(Err(PopError::Failed(failure))),
    }
}

/// `item`, that was just refused for want of a place, once there is one.
#[cold]
pub(crate) fn push_until<T: Send, Q: Queue<T> + ?Sized>(
    queue: &Q,
    item: T,
    deadline: Deadline,
) -> Result<(), PushTimeoutError<T>> {
    let look = || queue.glance(Side::Producers);
    let listen = || queue.listen_places();
    match retry(item, deadline, look, listen, |item| try_push(queue, item)) {
        Ok(done) => Ok(done?),
        Err(item) => Err(PushTimeoutError::Timeout(item)),
    }
}

/// An item for who was just told that there is none.
#[cold]
pub(crate) fn pop_until<T: Send, Q: Queue<T> + ?Sized>(
    queue: &Q,
    deadline: Deadline,
) -> Result<T, PopTimeoutError> {
    let look = || queue.glance(Side::Consumers);
    let listen = || queue.listen_items();
    match retry((), deadline, look, listen, |()| ended(queue.try_pop())) {
        Ok(done) => Ok(done?),
        Err(()) => Err(PopTimeoutError::Timeout),
    }
}

/// Pushes all of `items`, waiting for places.
pub(crate) fn push_many<T: Send, Q: Queue<T> + ?Sized>(
    queue: &Q,
    items: &mut VecDeque<T>,
) -> Result<(), PushError<()>> {
    let look = || queue.glance(Side::Producers);
    let listen = || queue.listen_places();
    while !items.is_empty() {
        let attempt = |()| match queue.try_push_many(items) {
            Ok(_) => Ok(Ok(())),
            Err(TryPushError::Full(())) => Err(()),
            Err(TryPushError::Closed(())) => Ok(Err(PushError::Closed(()))),
            Err(TryPushError::Failed((), failure)) => Ok(Err(PushError::Failed((), failure))),
        };
        if let Ok(done) = first_then_retry(attempt, Deadline::NEVER, look, listen) {
            done?;
        }
    }
    Ok(())
}

/// Waits for one item, takes up to `max`.
pub(crate) fn pop_many_until<T: Send, Q: Queue<T> + ?Sized>(
    queue: &Q,
    into: &mut Vec<T>,
    max: usize,
    deadline: Deadline,
) -> Result<usize, PopTimeoutError> {
    if max == 0 {
        return Ok(0);
    }
    let look = || queue.glance(Side::Consumers);
    let listen = || queue.listen_items();
    let attempt = |()| ended(queue.try_pop_many(into, max));
    match first_then_retry(attempt, deadline, look, listen) {
        Ok(done) => Ok(done?),
        Err(()) => Err(PopTimeoutError::Timeout),
    }
}

/// [`retry`] after a first try on the spot.
fn first_then_retry<L: Listen, R, E>(
    mut attempt: impl FnMut(()) -> Attempt<R, E, ()>,
    deadline: Deadline,
    look: impl Fn() -> usize,
    listen: impl FnMut() -> L,
) -> Attempt<R, E, ()> {
    match attempt(()) {
        Err(()) => retry((), deadline, look, listen, attempt),
        done => done,
    }
}
