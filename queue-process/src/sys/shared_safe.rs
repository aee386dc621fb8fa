//! [`Plain`]: what may be referred to in memory that others write to.

use super::word::{Word32, Word64};
use crate::linux::queue::platform::Page;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A type that may be referred to inside a [`Mapping`](super::Mapping).
///
/// # Safety
/// It consists of atomic integers alone (`#[repr(C)]` structs and arrays of them):
/// valid whatever the bits, with zero too, and free to change under a reference. It
/// needs no drop.
pub(crate) unsafe trait Plain {}

// SAFETY: an atomic integer.
unsafe impl Plain for AtomicU32 {}
// SAFETY: an atomic integer.
unsafe impl Plain for AtomicU64 {}
// SAFETY: nothing but what it is an array of.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
// SAFETY: transparent around an atomic integer.
unsafe impl Plain for Word32 {}
// SAFETY: transparent around an atomic integer.
unsafe impl Plain for Word64 {}
// SAFETY: `repr(C)`, and so is all it consists of, down to words and arrays of them.
unsafe impl Plain for Page {}
