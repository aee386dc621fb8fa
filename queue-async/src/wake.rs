//! [`Wake`] and [`Wakes`]: whom to wake, once the lock is released.

use queue_core::sync::thread::Thread;
use std::task::{Context, Waker};

/// How to wake one who sleeps.
pub(crate) enum Wake {
    Thread(Thread),
    Task(Waker),
}

impl Wake {
    /// The task that is being polled.
    ///
    /// This is called under the lock: cloning a waker counts a reference, in every
    /// executor, and tokio's own channels clone it under their locks as well. Waking and
    /// dropping one run foreign code, and are done without the lock.
    pub(crate) fn task(cx: &Context<'_>) -> Self {
        Self::Task(cx.waker().clone())
    }

    /// Whether this wakes what `waker` does.
    pub(crate) fn is(&self, waker: &Waker) -> bool {
        matches!(self, Self::Task(mine) if mine.will_wake(waker))
    }

    fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

/// Those who are to be woken when this is dropped: after the lock, for waking runs
/// foreign code. Seldom more than one, so the first needs no allocation.
#[derive(Default)]
pub(crate) struct Wakes {
    first: Option<Wake>,
    more: Vec<Wake>,
}

impl Wakes {
    pub(crate) fn add(&mut self, wake: Option<Wake>) {
        match wake {
            Some(wake) if self.first.is_none() => self.first = Some(wake),
            Some(wake) => self.more.push(wake),
            None => {}
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            let mut others = Others(self.more.drain(..));
            first.wake();
            others.0.by_ref().for_each(Wake::wake);
        }
    }
}

/// Those after the first: woken, though a waker before them panics.
struct Others<'a>(std::vec::Drain<'a, Wake>);

impl Drop for Others<'_> {
    fn drop(&mut self) {
        self.0.by_ref().for_each(Wake::wake);
    }
}
