//! [`Waiting`]: waiting for several queues at once, for threads and futures alike.
//!
//! It is the protocol of [`crate::event`], over several queues: try all; listen to all; try all
//! again; sleep until a listener is notified. The queue of that listener is tried before any
//! other, since its wake is used up. All other listeners are dropped before anything is returned,
//! and one that was notified meanwhile passes its wake on. So nobody who waits for one of these
//! queues sleeps because of a wake that went to this waiter.

use super::sides::{AnyListener, WaitFor};
use super::start;
use crate::sync::{Deadline, TimeLimit, spin};
#[cfg(not(loom))]
use crate::waiters::{park, thread_waker};
use crate::{Side, coop};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a try of one arm came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// The arm keeps what there was.
    Ready,
    /// It is worth waiting for.
    NotYet,
    /// It will never be ready.
    Over,
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The arm of this index is ready.
    Ready(usize),
    /// Not one is ready, and the time is up.
    NotYet,
    /// Not one will ever be ready.
    Over,
}

/// The arms of a select: what is tried, and waited for, each by its index.
pub(super) trait Arms<'q> {
    fn count(&self) -> usize;
    /// Tries one arm. Who `waits` waits for a failure that may pass too; for others it is what there was.
    fn attempt(&mut self, arm: usize, waits: bool) -> Tried;
    fn side(&self, arm: usize) -> (&'q dyn WaitFor, Side);
}

/// Tries each arm once, beginning with `first`, for somebody who `waits` if none is ready.
pub(super) fn try_all<'q>(
    arms: &mut (impl Arms<'q> + ?Sized),
    first: usize,
    waits: bool,
) -> Outcome {
    let mut outcome = Outcome::Over;
    for arm in in_turn(first, arms.count()) {
        match arms.attempt(arm, waits) {
            Tried::Ready => return Outcome::Ready(arm),
            Tried::NotYet => outcome = Outcome::NotYet,
            Tried::Over => {}
        }
    }
    outcome
}

/// The indices below `count`, in a circle from `first`.
fn in_turn(first: usize, count: usize) -> impl Iterator<Item = usize> {
    (first..count).chain(0..first.min(count))
}

/// The listeners of one wait.
struct Waiting<'q> {
    first: usize,
    /// By arm: none for one that is over.
    listeners: Vec<Option<AnyListener<'q>>>,
}

impl<'q> Waiting<'q> {
    fn new(first: usize) -> Self {
        Self {
            first,
            listeners: Vec::new(),
        }
    }

    /// Ready once an arm is, or all are over.
    fn poll(&mut self, arms: &mut dyn Arms<'q>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = if self.listeners.is_empty() {
            self.begin(arms)
        } else {
            Outcome::NotYet
        };
        let outcome = match outcome {
            Outcome::NotYet => self.poll_listeners(arms, cx),
            outcome => Poll::Ready(outcome),
        };
        if outcome.is_ready() {
            // Each that was notified passes its wake on, before the caller does anything else.
            self.listeners.clear();
        }
        outcome
    }

    /// Listens to all, and tries all again: whatever happens from now on notifies a listener.
    fn begin(&mut self, arms: &mut dyn Arms<'q>) -> Outcome {
        let listeners = (0..arms.count()).map(|arm| Some(listen(arms, arm)));
        self.listeners = listeners.collect();
        let mut outcome = Outcome::Over;
        for arm in in_turn(self.first, arms.count()) {
            match arms.attempt(arm, true) {
                Tried::Ready => return Outcome::Ready(arm),
                Tried::NotYet => outcome = Outcome::NotYet,
                // Nobody will notify this one: it must not count as waiting.
                Tried::Over => self.listeners[arm] = None,
            }
        }
        outcome
    }

    fn poll_listeners(&mut self, arms: &mut dyn Arms<'q>, cx: &mut Context<'_>) -> Poll<Outcome> {
        'again: loop {
            let mut outcome = Poll::Ready(Outcome::Over);
            for arm in in_turn(self.first, self.listeners.len()) {
                let Some(listener) = &mut self.listeners[arm] else {
                    continue;
                };
                if Pin::new(listener).poll(cx).is_pending() {
                    outcome = Poll::Pending;
                    continue;
                }
                // This arm's wake is used up, so it is tried before all others.
                if self.attempt_and_listen(arms, arm) == Tried::Ready {
                    return Poll::Ready(Outcome::Ready(arm));
                }
                continue 'again;
            }
            return outcome;
        }
    }

    /// Tries one arm whose listener was notified, and listens anew if there was nothing.
    fn attempt_and_listen(&mut self, arms: &mut dyn Arms<'q>, arm: usize) -> Tried {
        self.listeners[arm] = None;
        let tried = arms.attempt(arm, true);
        if tried != Tried::NotYet {
            return tried;
        }
        self.listeners[arm] = Some(listen(arms, arm));
        // Again: see `begin`.
        let tried = arms.attempt(arm, true);
        if tried == Tried::Over {
            self.listeners[arm] = None;
        }
        tried
    }
}

fn listen<'q>(arms: &mut dyn Arms<'q>, arm: usize) -> AnyListener<'q> {
    let (queue, side) = arms.side(arm);
    queue.listen(side)
}

/// Waits as a thread, until `deadline`.
pub(super) fn wait_until<'q>(arms: &mut dyn Arms<'q>, biased: bool, deadline: Deadline) -> Outcome {
    let _limit = TimeLimit::until(deadline);
    let first = start::first(arms.count(), biased);
    let waits = deadline != Deadline::AT_ONCE;
    let tried = try_all(arms, first, waits);
    if tried != Outcome::NotYet || !waits {
        return tried;
    }
    let is_ready = |arm| {
        let (queue, side) = arms.side(arm);
        queue.ready_hint(side) != 0
    };
    if spin::until(deadline, || (0..arms.count()).any(is_ready)) {
        let tried = try_all(arms, first, true);
        if tried != Outcome::NotYet {
            return tried;
        }
    }
    let mut waiting = Waiting::new(first);
    if let Some(outcome) = sleep_until(deadline, |cx| waiting.poll(arms, cx)) {
        return outcome;
    }
    drop(waiting);
    // One last try, for what came with the deadline.
    try_all(arms, first, false)
}

/// Polls, and sleeps in between, until that is ready (what it gave) or the deadline has passed.
#[cfg(not(loom))]
fn sleep_until<R>(
    deadline: Deadline,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Option<R> {
    let waker = thread_waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut cx) {
            return Some(result);
        }
        let left = deadline.remaining();
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        park(left);
    }
}

/// In loom a thread that waits for a lock must not be unparked, and this one may be, by one queue
/// while it polls the listener of another.
#[cfg(loom)]
fn sleep_until<R>(
    deadline: Deadline,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Option<R> {
    if deadline == Deadline::NEVER {
        return Some(loom::future::block_on(poll_fn(poll)));
    }
    match poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Waits as a future.
pub(super) async fn wait_async<'q>(arms: &mut (impl Arms<'q> + Send), biased: bool) -> Outcome {
    coop::proceed().await;
    let first = start::first(arms.count(), biased);
    let tried = try_all(arms, first, true);
    if tried != Outcome::NotYet {
        return tried;
    }
    let mut waiting = Waiting::new(first);
    poll_fn(|cx| waiting.poll(arms, cx)).await
}
