//! [`Turn`]: a place in line, and waiting for it to come up.

use crate::line::Key;
use crate::shared::Shared;
use crate::state::{State, Want};
use crate::wake::Wake;
use queue_core::event::Listen;
use queue_core::sync::{Deadline, LockGuard, spin, thread};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A place in the line of those who wait for an item, or for a place, of an
/// [`AsyncQueue`](crate::AsyncQueue): its [`Listener`](queue_core::Queue::Listener).
///
/// As a future it is ready when its turn has come. Dropping it gives the turn, or the
/// place in line, to the next.
#[must_use = "a place in line that is dropped is lost"]
pub struct Turn<'a, T> {
    shared: &'a Shared<T>,
    want: Want,
    key: Key,
}

impl<'a, T> Turn<'a, T> {
    /// For one who has joined a line.
    pub(crate) fn new(shared: &'a Shared<T>, want: Want, key: Key) -> Self {
        Self { shared, want, key }
    }

    /// Leaves under a lock that is held already: an item that was to be pushed and is
    /// not. Only for one whose turn has come, or who sleeps on a thread: there is no
    /// task's waker, whose dropping would run foreign code here.
    #[inline]
    pub(crate) fn leave(self, state: &mut State<T>) -> Option<T> {
        let (item, _) = state.leave(self.want, self.key);
        mem::forget(self);
        item
    }

    /// The lock once the turn has come; until then the task sleeps.
    pub(crate) fn poll_lock(&self, cx: &mut Context<'_>) -> Poll<LockGuard<'a, State<T>>> {
        let mut state = self.shared.lock();
        if state.is_turn(self.want, self.key) {
            return Poll::Ready(state);
        }
        let wake = state.wake_mut(self.want, self.key);
        if wake.as_ref().is_some_and(|wake| wake.is(cx.waker())) {
            return Poll::Pending;
        }
        let old = wake.replace(Wake::task(cx));
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// The lock once the turn has come or the deadline passed; until then the thread
    /// sleeps.
    pub(crate) fn wait_lock(&self, deadline: Deadline) -> LockGuard<'a, State<T>> {
        let is_turn = |state: &LockGuard<'_, State<T>>| state.is_turn(self.want, self.key);
        spin::until(deadline, || is_turn(&self.shared.lock()));
        loop {
            let mut state = self.shared.lock();
            let left = deadline.remaining();
            if is_turn(&state) || left.is_some_and(|left| left.is_zero()) {
                return state;
            }
            let wake = state.wake_mut(self.want, self.key);
            if wake.is_none() {
                *wake = Some(Wake::Thread(thread::current()));
            }
            drop(state);
            match left {
                None => thread::park(),
                Some(left) => park_timeout(left),
            }
        }
    }
}

#[cfg(not(loom))]
use thread::park_timeout;

/// Not reached: under loom every deadline has passed.
#[cfg(loom)]
fn park_timeout(_: std::time::Duration) {
    thread::park();
}

impl<T: Send> Listen for Turn<'_, T> {
    fn wait(self, deadline: Deadline) -> bool {
        self.wait_lock(deadline).is_turn(self.want, self.key)
    }
}

impl<T> Future for Turn<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_lock(cx).map(drop)
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let left = (self.shared).change(|state| state.leave(self.want, self.key));
        // An item and a waker: foreign code, without the lock.
        drop(left);
    }
}

impl<T> fmt::Debug for Turn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("want", &self.want)
            .finish_non_exhaustive()
    }
}
