//! Panics of code that is not ours, such as an item's or a waker's: they must not unwind further than
//! the call.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of `attempt`, or `None` if it panics; the panic hook has reported that.
pub(crate) fn catch_panic<R>(attempt: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(attempt)).ok()
}

/// Calls `wake`, which wakes waiters of this process. A waker that panics must neither keep a wake
/// from other waiters nor end the thread that wakes them.
pub(crate) fn ignore_panic(wake: impl FnOnce()) {
    if cfg!(loom) {
        return wake(); // A model fails by panicking.
    }
    let _ = catch_panic(wake);
}
