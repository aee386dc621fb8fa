//! Waiting by blocking the thread: spin for a moment, then sleep until notified (the sleep itself is
//! in [`Listener`](crate::event::Listener)).
//!
//! Each verb tries in a loop of its own, and calls [`Wait::again`] in between. So an item stays
//! where the caller has it until the try that succeeds.

use crate::event::Listen;
use crate::sync::{Deadline, spin};
use crate::{PopTimeoutError, PushError, PushTimeoutError, Queue, Side, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::mem;

/// The state of a thread that waits until another try is worth it.
enum Wait<L> {
    /// It has tried, or is about to.
    Tried,
    /// It has looked for a moment in vain, and is about to try.
    Spun,
    /// It has tried because the hint promised something.
    Hinted,
    /// It has tried while it listened: whatever comes from now on notifies it.
    Listening(L),
    /// Its time is up, and it has one last try.
    Late,
}

impl<L: Listen> Wait<L> {
    /// A thread that had to wait just now looks before it tries, and waits if there is nothing: a try
    /// that fails takes more from the other side than a look.
    #[inline(always)]
    fn before<'a, Q>(queue: &'a Q, side: Side, deadline: Deadline) -> Self
    where
        Q: Queue<Listener<'a> = L> + ?Sized,
    {
        match spin::has_waited(side) && !look_first(queue, side, deadline) {
            true => Self::Spun,
            false => Self::Tried,
        }
    }

    /// Waits until `side` should try again. Returns false if the deadline has passed. Every try
    /// comes before a look at the clock.
    #[cold]
    #[inline(never)]
    fn again<'a, Q>(&mut self, queue: &'a Q, side: Side, deadline: Deadline) -> bool
    where
        Q: Queue<Listener<'a> = L> + ?Sized,
    {
        if deadline == Deadline::AT_ONCE {
            return false;
        }
        // `Late` stands there only until the match ends.
        *self = match mem::replace(self, Self::Late) {
            Self::Hinted if deadline.has_passed() => return false,
            Self::Tried | Self::Hinted => {
                if look(queue, side, deadline) {
                    Self::Hinted
                } else {
                    Self::Listening(queue.listen(side))
                }
            }
            Self::Spun => Self::Listening(queue.listen(side)),
            Self::Listening(listener) => {
                if listener.wait(deadline) {
                    Self::Tried
                } else {
                    Self::Late
                }
            }
            Self::Late => return false,
        };
        true
    }
}

/// Looks for a moment: whether a try is worth it.
fn look<Q: Queue + ?Sized>(queue: &Q, side: Side, deadline: Deadline) -> bool {
    let target = spin::batch_target(queue.capacity());
    let found = spin::until_some(deadline, target, || queue.ready_hint(side));
    // Where a batch is worth waiting for, to look first would take a cache line from the other side.
    spin::set_waited(side, found && target == 1);
    found
}

#[cold]
#[inline(never)]
fn look_first<Q: Queue + ?Sized>(queue: &Q, side: Side, deadline: Deadline) -> bool {
    if queue.ready_hint(side) != 0 {
        spin::set_waited(side, false);
        return true;
    }
    look(queue, side, deadline)
}

/// Pushes `item` once there is a slot.
#[inline]
pub(crate) fn push_until<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    mut item: T,
    deadline: Deadline,
) -> Result<(), PushTimeoutError<T>> {
    let mut wait = Wait::before(queue, Side::Producers, deadline);
    loop {
        match queue.try_push(item) {
            Ok(()) => return Ok(()),
            Err(TryPushError::Full(back)) => {
                if !wait.again(queue, Side::Producers, deadline) {
                    return Err(PushTimeoutError::Timeout(back));
                }
                item = back;
            }
            Err(TryPushError::Closed(item)) => return Err(PushTimeoutError::Closed(item)),
            Err(TryPushError::Failed(item, failure)) => {
                return Err(PushTimeoutError::Failed(item, failure));
            }
        }
    }
}

/// Pops an item once there is one.
#[inline]
pub(crate) fn pop_until<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    deadline: Deadline,
) -> Result<T, PopTimeoutError> {
    until_popped(queue, deadline, || queue.try_pop())
}

/// Pushes all of `items`, waiting for slots.
pub(crate) fn push_many<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    items: &mut VecDeque<T>,
) -> Result<(), PushError<()>> {
    let mut wait = Wait::Tried;
    while !items.is_empty() {
        match queue.try_push_many(items) {
            Ok(_) => wait = Wait::Tried,
            Err(TryPushError::Full(())) => {
                wait.again(queue, Side::Producers, Deadline::NEVER);
            }
            Err(TryPushError::Closed(())) => return Err(PushError::Closed(())),
            Err(TryPushError::Failed((), failure)) => return Err(PushError::Failed((), failure)),
        }
    }
    Ok(())
}

/// Waits for one item, takes up to `max`.
pub(crate) fn pop_many_until<T: Send, Q: Queue<Item = T> + ?Sized>(
    queue: &Q,
    into: &mut Vec<T>,
    max: usize,
    deadline: Deadline,
) -> Result<usize, PopTimeoutError> {
    if max == 0 {
        return Ok(0);
    }
    until_popped(queue, deadline, || queue.try_pop_many(into, max))
}

#[inline]
pub(crate) fn until_popped<T: Send, Q: Queue<Item = T> + ?Sized, R>(
    queue: &Q,
    deadline: Deadline,
    mut attempt: impl FnMut() -> Result<R, TryPopError>,
) -> Result<R, PopTimeoutError> {
    let mut wait = Wait::before(queue, Side::Consumers, deadline);
    loop {
        match attempt() {
            Ok(popped) => return Ok(popped),
            Err(TryPopError::Empty) => {}
            Err(TryPopError::Closed) => return Err(PopTimeoutError::Closed),
            Err(TryPopError::Failed(failure)) => return Err(PopTimeoutError::Failed(failure)),
        }
        if !wait.again(queue, Side::Consumers, deadline) {
            return Err(PopTimeoutError::Timeout);
        }
    }
}
