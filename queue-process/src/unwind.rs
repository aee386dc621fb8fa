//! Panics of code that is not ours, such as an item's or a waker's: they must not unwind further than
//! the call.

pub(crate) use queue_core::waiters::ignore_panic;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of `attempt`, or `None` if it panics; the panic hook has reported that.
pub(crate) fn catch_panic<R>(attempt: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(attempt)).ok()
}
