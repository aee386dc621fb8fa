//! Putting a thread to sleep, a thread as a [`Waker`], and calling many wakers at once.

use crate::sync::spin;
use crate::sync::thread::{self, Thread};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker_of_this_thread() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// A waker that wakes this thread out of `park`, so that threads and futures can wait in one list. It
/// is made once for each thread.
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

/// Sleeps until [`thread_waker`] wakes this thread, or `left` is over. It may also wake for no reason.
///
/// ```
/// use std::time::Duration;
/// queue_core::waiters::park(Some(Duration::from_millis(1)));
/// ```
pub fn park(left: Option<Duration>) {
    match left {
        // Under loom there is no time: every deadline has passed, and nobody sleeps so.
        #[cfg(not(loom))]
        Some(left) => thread::park_timeout(left),
        _ => thread::park(),
    }
}

/// Wakes, on behalf of a queue.
///
/// A task that has just woken another does not spin before it waits: the other may need this thread to run.
///
/// ```
/// queue_core::waiters::wake(std::task::Waker::noop().clone());
/// ```
#[inline]
pub fn wake(waker: Waker) {
    spin::note_wake();
    waker.wake();
}

/// Calls `wake`, which wakes waiters of this process. A waker that panics must neither keep a wake
/// from other waiters, nor take along what its caller holds, nor end the thread that wakes them.
///
/// ```
/// queue_core::waiters::ignore_panic(|| queue_core::waiters::wake(std::task::Waker::noop().clone()));
/// ```
pub fn ignore_panic(wake: impl FnOnce()) {
    if cfg!(loom) {
        return wake(); // A model fails by panicking.
    }
    let _ = catch_unwind(AssertUnwindSafe(wake));
}

/// [`wake`]s all of `wakers` in order, even if some of them panic. Then the first panic continues.
///
/// ```
/// queue_core::waiters::wake_all([std::task::Waker::noop().clone()]);
/// ```
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut panic = None;
    for waker in wakers {
        // Nothing of ours is touched meanwhile, and the waker is gone after.
        let woken = catch_unwind(AssertUnwindSafe(|| wake(waker)));
        panic = panic.or(woken.err());
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}
