//! [`SharedSafe`]: what may be referred to in memory that others write to.

#[cfg(not(loom))]
use {
    super::{Word32, Word64},
    queue_core::sync::CachePadded,
    std::sync::atomic::{AtomicU32, AtomicU64},
};

/// A type that may be referred to inside a [`Mapping`](super::Mapping).
///
/// # Safety
/// It consists of atomic integers alone (structs and arrays of them, and padding): valid
/// whatever the bits, with zero too, and free to change under a reference. It needs no drop.
#[cfg(not(loom))]
pub(crate) unsafe trait SharedSafe {}

// SAFETY: an atomic integer.
#[cfg(not(loom))]
unsafe impl SharedSafe for AtomicU32 {}
// SAFETY: an atomic integer.
#[cfg(not(loom))]
unsafe impl SharedSafe for AtomicU64 {}
// SAFETY: transparent around an atomic integer.
#[cfg(not(loom))]
unsafe impl SharedSafe for Word32 {}
// SAFETY: transparent around an atomic integer.
#[cfg(not(loom))]
unsafe impl SharedSafe for Word64 {}
// SAFETY: nothing but what it is an array of.
#[cfg(not(loom))]
unsafe impl<T: SharedSafe, const N: usize> SharedSafe for [T; N] {}
// SAFETY: what it pads, and padding.
#[cfg(not(loom))]
unsafe impl<T: SharedSafe> SharedSafe for CachePadded<T> {}

/// Declares that a struct, all of whose fields are named, is [`SharedSafe`]. It does not compile
/// if a field is missing, or is not so itself; nor in a model, where it says nothing.
macro_rules! shared_safe {
    ($name:ident { $($field:ident),* $(,)? }) => {
        #[cfg(not(loom))]
        const _: () = {
            fn is_shared_safe<T: $crate::sys::SharedSafe>(_: &T) {}
            #[allow(dead_code)] // It is compiled, and that is all.
            fn all_fields_are(it: &$name) {
                let $name { $($field),* } = it;
                $(is_shared_safe($field);)*
            }
            // SAFETY: it consists of its fields and padding, and every field is, as the function
            // above shows.
            #[allow(unsafe_code)]
            unsafe impl $crate::sys::SharedSafe for $name {}
        };
    };
}
pub(crate) use shared_safe;
