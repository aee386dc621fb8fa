//! The shim over std's and loom's shared-memory primitives.
//!
//! Everything in the family that waits or shares memory uses this module, so that `--cfg loom` turns
//! all of it into models. The switch is `cfg(loom)` alone, never `all(test, loom)`: a crate of yours
//! that builds its own model with `RUSTFLAGS="--cfg loom"` has our in-process queues in it.
//!
//! loom does not know time, spinning and `crossbeam-queue`. Under loom a [`Deadline`] has always
//! passed, spinning is skipped, and `crossbeam-queue` has a stand-in.

mod cache_prefetch;
mod deadline;
mod lock;
pub mod spin;
mod time_limit;

pub use cache_prefetch::prefetch_for_writing;
pub use deadline::Deadline;
pub use lock::{SpinGuard, SpinLock};
pub use time_limit::TimeLimit;

#[cfg(not(loom))]
pub use lock::{SpinGuard as LockGuard, SpinLock as Lock};
#[cfg(loom)]
pub use modelled::{Lock, LockGuard, seq_cst};
#[cfg(loom)]
mod modelled;

#[cfg(loom)]
pub use loom::{
    cell::UnsafeCell,
    sync::{Arc, atomic},
    thread,
};
#[cfg(not(loom))]
pub use std::{
    sync::{Arc, atomic},
    thread,
};

#[cfg(not(loom))]
pub use cell::UnsafeCell;

/// loom's access-checked cell, as a plain one.
#[cfg(not(loom))]
mod cell {
    /// `std::cell::UnsafeCell` with loom's interface.
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Calls `f` with a pointer for reading.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Calls `f` with a pointer for writing.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }

        /// The value of a cell that nobody shares any more.
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }
}

/// An atomic that holds `value`, for `SeqCst` accesses. Under loom the value counts as stored by one,
/// unlike the first value of other atomics.
///
/// ```
/// use std::sync::atomic::Ordering;
/// assert_eq!(queue_core::sync::seq_cst(3).load(Ordering::SeqCst), 3);
/// ```
#[cfg(not(loom))]
pub fn seq_cst(value: usize) -> atomic::AtomicUsize {
    atomic::AtomicUsize::new(value)
}

/// Keeps its value on cache lines of its own, so that writes to its neighbours do not slow its
/// readers. It is aligned to 128 bytes, because processors fetch lines in pairs.
///
/// ```
/// let counter = queue_core::sync::CachePadded(7);
/// assert_eq!((*counter, align_of_val(&counter)), (7, 128));
/// ```
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct CachePadded<T>(pub T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
