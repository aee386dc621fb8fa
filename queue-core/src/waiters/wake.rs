//! Waking: a thread as a [`Waker`], and all of many.

use crate::sync::thread::{self, Thread};
use std::sync::Arc;
use std::task::{Wake, Waker};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker_of_this_thread() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Wakes this thread out of `park`: threads and futures can wait in one line. It is made
/// once for each thread.
///
/// ```
/// queue_core::waiters::thread_waker().wake();
/// std::thread::park(); // does not sleep
/// ```
#[cfg(not(loom))]
pub fn thread_waker() -> Waker {
    thread_local! {
        static WAKER: Waker = waker_of_this_thread();
    }
    // A thread that is ending may have dropped its own already.
    (WAKER.try_with(Waker::clone)).unwrap_or_else(|_| waker_of_this_thread())
}

/// Wakes this thread out of `park`. (loom's threads share the thread-locals of one.)
#[cfg(loom)]
pub fn thread_waker() -> Waker {
    waker_of_this_thread()
}

/// Wakes all of them in order, though a waker panics.
///
/// ```
/// queue_core::waiters::wake_all([std::task::Waker::noop().clone()]);
/// ```
#[inline]
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    struct Rest<I: Iterator<Item = Waker>>(I);

    impl<I: Iterator<Item = Waker>> Drop for Rest<I> {
        fn drop(&mut self) {
            self.0.by_ref().for_each(Waker::wake);
        }
    }

    // Its drop goes on where a panic stops this.
    let mut rest = Rest(wakers.into_iter());
    rest.0.by_ref().for_each(Waker::wake);
}
