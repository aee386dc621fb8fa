//! [`Turn`]: a place in line.

use crate::line::{Key, Wake};
use crate::shared::Shared;
use crate::state::{State, Want};
use queue_core::event::Listen;
use queue_core::sync::{Deadline, spin, thread};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A place in the line of those who wait for an item (or for a place) of an
/// [`AsyncQueue`](crate::AsyncQueue).
///
/// As a future it is ready when its turn has come: then there is something to take, and
/// unless a `try_` verb is faster, nobody else takes it. It keeps its place in line until
/// it is dropped; then the next one's turn has come.
#[must_use = "a place in line that is dropped is lost"]
pub struct Turn<'a, T> {
    shared: &'a Shared<T>,
    want: Want,
    key: Key,
}

impl<'a, T> Turn<'a, T> {
    pub(crate) fn new(shared: &'a Shared<T>, want: Want, key: Key) -> Self {
        Self { shared, want, key }
    }

    #[inline]
    pub(crate) fn is_granted(&self, state: &State<T>) -> bool {
        state.line(self.want).is_granted(self.key)
    }

    pub(crate) fn sleeps_on(&self, state: &State<T>, waker: &Waker) -> bool {
        state.line(self.want).sleeps_on(self.key, waker)
    }

    #[must_use]
    pub(crate) fn sleep(&self, state: &mut State<T>, wake: Wake) -> Option<Wake> {
        state.line_mut(self.want).sleep(self.key, wake)
    }

    /// Leaves the line under a lock that is held already, for one who sleeps on nothing
    /// but its own thread: whether its turn had come.
    #[inline]
    pub(crate) fn leave(self, state: &mut State<T>) -> bool {
        let granted = self.is_granted(state);
        // Without a task's waker, so no foreign code runs here.
        drop(state.line_mut(self.want).leave(self.key));
        mem::forget(self);
        granted
    }

    /// Sleeps until its turn has come (true) or the deadline passes (false).
    pub(crate) fn wait_granted(&self, deadline: Deadline) -> bool {
        if spin::until(deadline, || self.is_granted(&self.shared.lock())) {
            return true;
        }
        loop {
            let mut state = self.shared.lock();
            if self.is_granted(&state) {
                return true;
            }
            let old = self.sleep(&mut state, Wake::Thread(thread::current()));
            drop(state);
            drop(old);
            match deadline.remaining() {
                None => thread::park(),
                Some(left) if left.is_zero() => return self.is_granted(&self.shared.lock()),
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
        self.wait_granted(deadline)
    }
}

impl<T> Future for Turn<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = None;
        loop {
            let mut state = self.shared.lock();
            if self.is_granted(&state) {
                return Poll::Ready(());
            }
            if self.sleeps_on(&state, cx.waker()) {
                return Poll::Pending;
            }
            if let Some(waker) = waker.take() {
                let old = self.sleep(&mut state, Wake::Task(waker));
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let wake = (self.shared).change(|state| state.line_mut(self.want).leave(self.key));
        // Foreign code, without the lock.
        drop(wake);
    }
}

impl<T> fmt::Debug for Turn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("want", &self.want)
            .finish_non_exhaustive()
    }
}
