//! [`Word32`] and [`Word64`]: the integers that processes share.
//!
//! Every access of the shared state goes through these. In a program they are atomics
//! and nothing more; in a model they count the accesses of each modelled process, so
//! that it can be made to die before any of them.

use super::steps::step;
use queue_core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $atomic:ident, $value:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name($atomic);

        impl $name {
            /// Reads it.
            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                if step() { self.0.load(order) } else { 0 }
            }

            /// Writes it.
            #[inline]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if step() {
                    self.0.store(value, order);
                }
            }
        }
    };
}

word! {
    /// A shared `u32`.
    Word32, AtomicU32, u32
}
word! {
    /// A shared `u64`.
    Word64, AtomicU64, u64
}

impl Word32 {
    /// Puts `new` in the place of `old`; whether `old` was there.
    #[inline]
    pub(crate) fn replace(&self, old: u32, new: u32, order: Ordering) -> bool {
        step()
            && self
                .0
                .compare_exchange(old, new, order, Ordering::Relaxed)
                .is_ok()
    }

    /// Adds `n`, and goes round at the end.
    pub(crate) fn add(&self, n: u32, order: Ordering) {
        if step() {
            self.0.fetch_add(n, order);
        }
    }

    /// The atomic itself, for the kernel to wait on.
    pub(crate) fn atomic(&self) -> &AtomicU32 {
        &self.0
    }
}
