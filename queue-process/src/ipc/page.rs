//! [`Page`]: memory that a host and its guests share.

use super::shared_rings::{Pushes, Shelf};
use crate::unwind::catch_panic;
use ipc_channel::ipc::IpcSharedMemory;
use queue_core::{Failure, FailureKind};
use std::ops::Deref;
use std::ptr::NonNull;

/// A mapping that begins with a `T`.
#[derive(Debug)]
pub(super) struct Page<T> {
    /// Keeps the mapping, and is not read as a slice of bytes again.
    memory: IpcSharedMemory,
    content: NonNull<T>,
}

/// What consists of atomics alone, so that all bytes are one, and every process may change them.
///
/// # Safety
/// That is so.
pub(super) unsafe trait Atomics: Sync {}

// SAFETY: each field is one, or an array.
unsafe impl Atomics for Pushes {}
// SAFETY: as above.
unsafe impl Atomics for Shelf {}

// SAFETY: what it leads to are atomics, and the mapping goes with the page.
unsafe impl<T: Atomics> Send for Page<T> {}
// SAFETY: as above.
unsafe impl<T: Atomics> Sync for Page<T> {}

impl<T: Atomics> Page<T> {
    /// One of zeros.
    ///
    /// # Errors
    /// `Io` if the system has no memory, or no descriptor for it.
    pub(super) fn new() -> Result<Self, Failure> {
        let len = size_of::<T>();
        #[cfg(target_os = "linux")]
        crate::sys::check_file_size_limit(len as u64)?;
        let memory = catch_panic(|| IpcSharedMemory::from_byte(0, len));
        memory.and_then(Self::of).ok_or_else(|| {
            let message = "the system gives no memory that processes share, or no descriptor for it \
                           (ulimit -n)";
            Failure::new(FailureKind::Io, message)
        })
    }

    /// One that begins with a `T` if `memory` is as long.
    pub(super) fn of(mut memory: IpcSharedMemory) -> Option<Self> {
        // SAFETY: the slice lives for this statement alone, and nobody else in this process has
        // one. From then on there are atomic accesses alone, here and in the other process.
        let bytes = NonNull::from(unsafe { memory.deref_mut() });
        let content = bytes.cast::<T>();
        (bytes.len() >= size_of::<T>() && content.is_aligned()).then_some(Self { memory, content })
    }

    /// What can be sent to a guest.
    pub(super) fn memory(&self) -> IpcSharedMemory {
        self.memory.clone()
    }
}

impl<T: Atomics> Deref for Page<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it is aligned and as long (see `of`), mapped for reading and writing until
        // `memory` is dropped, and of whatever bytes there are atomics can be made.
        unsafe { self.content.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_see_the_same_words() {
        let page = Page::<Pushes>::new().unwrap();
        let same = Page::<Pushes>::of(page.memory()).unwrap();
        same.greet();
        assert!(page.is_shared());
    }

    #[test]
    fn memory_that_is_too_short_is_refused() {
        assert!(Page::<Pushes>::of(IpcSharedMemory::from_byte(0, 64)).is_none());
        assert!(Page::<Shelf>::of(IpcSharedMemory::from_bytes(&[])).is_none());
    }
}
