//! [`Turn`]: a position in line, and waiting for it to come up.

use crate::shared::Shared;
use crate::state::{State, WaitFor};
use queue_core::event::Listen;
use queue_core::sync::{Deadline, LockGuard, spin};
use queue_core::waiters::{WaiterId as Key, park, thread_waker};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A position in line of those who wait for an item, or for a slot, of an
/// [`AsyncQueue`](crate::AsyncQueue): its [`Listener`](queue_core::Kind::Listener).
///
/// As a future it is ready when its turn has come. Dropping it gives the turn, or the
/// position in line, to the next.
#[must_use = "a position in line that is dropped is lost"]
pub struct Turn<'a, T> {
    shared: &'a Shared<T>,
    wait_for: WaitFor,
    key: Key,
}

impl<'a, T> Turn<'a, T> {
    /// For one who has joined a line.
    pub(crate) fn new(shared: &'a Shared<T>, wait_for: WaitFor, key: Key) -> Self {
        Self {
            shared,
            wait_for,
            key,
        }
    }

    /// Leaves under a lock that is held already: an item that was to be pushed and is
    /// not. Only for one whose turn has come, or who sleeps on a thread: there is no
    /// task's waker, whose dropping would run foreign code here. `wait_for` is a constant at each call,
    /// so that what the others would do is not compiled.
    #[inline(always)]
    pub(crate) fn leave(self, wait_for: WaitFor, state: &mut State<T>) -> Option<T> {
        debug_assert_eq!(wait_for, self.wait_for);
        let (item, _) = state.leave(wait_for, self.key);
        mem::forget(self);
        item
    }

    /// [`leave`](Self::leave) for a consumer whose turn has come.
    #[inline(always)]
    pub(crate) fn leave_granted(self, state: &mut State<T>) {
        state.leave_granted(self.key);
        mem::forget(self);
    }

    /// The lock once the turn has come; until then the task sleeps.
    #[inline(always)]
    pub(crate) fn poll_lock(
        &self,
        wait_for: WaitFor,
        cx: &mut Context<'_>,
    ) -> Poll<LockGuard<'a, State<T>>> {
        debug_assert_eq!(wait_for, self.wait_for);
        let state = self.shared.lock();
        if state.is_turn(wait_for, self.key) {
            return Poll::Ready(state);
        }
        self.sleep(state, cx);
        Poll::Pending
    }

    /// [`poll_lock`](Self::poll_lock) of the turn in `slot`, which is taken out once it has
    /// come, for its owner to leave.
    #[inline(always)]
    pub(crate) fn poll_over(
        slot: &mut Option<Self>,
        wait_for: WaitFor,
        cx: &mut Context<'_>,
    ) -> Poll<(Self, LockGuard<'a, State<T>>)> {
        const IN_LINE: &str = "it stands in line";
        let state = ready!(slot.as_ref().expect(IN_LINE).poll_lock(wait_for, cx));
        Poll::Ready((slot.take().expect(IN_LINE), state))
    }

    /// Leaves word how to wake the task.
    #[inline(never)]
    fn sleep(&self, mut state: LockGuard<'a, State<T>>, cx: &mut Context<'_>) {
        let waker = state.waker_mut(self.wait_for, self.key);
        if waker
            .as_ref()
            .is_some_and(|mine| mine.will_wake(cx.waker()))
        {
            return;
        }
        let old = waker.replace(cx.waker().clone());
        drop(state);
        drop(old);
    }

    /// The lock once the turn has come or the deadline passed; until then the thread
    /// sleeps.
    pub(crate) fn wait_lock(&self, deadline: Deadline) -> LockGuard<'a, State<T>> {
        let is_turn = |state: &LockGuard<'_, State<T>>| state.is_turn(self.wait_for, self.key);
        spin::until(deadline, || is_turn(&self.shared.lock()));
        loop {
            let mut state = self.shared.lock();
            let left = deadline.remaining();
            if is_turn(&state) || left.is_some_and(|left| left.is_zero()) {
                return state;
            }
            // There may be a task's, if this turn was polled before it is waited on.
            let old = state
                .waker_mut(self.wait_for, self.key)
                .replace(thread_waker());
            drop(state);
            // Foreign code, without the lock.
            drop(old);
            park(left);
        }
    }
}

impl<T: Send> Listen for Turn<'_, T> {
    fn wait(self, deadline: Deadline) -> bool {
        self.wait_lock(deadline).is_turn(self.wait_for, self.key)
    }
}

impl<T> Future for Turn<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_lock(self.wait_for, cx).map(drop)
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let left = (self.shared).change(|state| state.leave(self.wait_for, self.key));
        // An item and a waker: foreign code, without the lock.
        drop(left);
    }
}

impl<T> fmt::Debug for Turn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("wait_for", &self.wait_for)
            .finish_non_exhaustive()
    }
}
