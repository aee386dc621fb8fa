//! Code of others, whose panics must go no further than the call.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What comes of `attempt`, or `None` if it panics, which was reported then.
pub(crate) fn guarded<R>(attempt: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(attempt)).ok()
}

/// Wakes some who wait in this process. The panic of a waker must not keep anything from others,
/// nor end a thread that serves them.
pub(crate) fn calmly(wake: impl FnOnce()) {
    if cfg!(loom) {
        return wake(); // A model fails by panicking.
    }
    let _ = guarded(wake);
}
