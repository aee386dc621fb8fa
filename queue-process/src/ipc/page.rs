//! [`Page`]: a few words that a host and one client both see.

use super::channel;
use ipc_channel::ipc::IpcSharedMemory;
use queue_core::Failure;
use std::sync::atomic::AtomicU64;

/// Whether memory of `ipc-channel` is shared here. macOS sends a copy.
pub(super) const SHARED: bool = cfg!(not(target_vendor = "apple"));

/// The words, each on cache lines of its own.
#[derive(Debug)]
pub(super) struct Page {
    /// Keeps the mapping, and is not read as a slice of bytes again.
    memory: IpcSharedMemory,
    words: *const AtomicU64,
}

/// Between two words, in bytes.
const APART: usize = 128;

/// How many words there are.
const WORDS: usize = 6;

// SAFETY: what it leads to is atomic, and the mapping goes with the page.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// One of zeros.
    ///
    /// # Errors
    /// `Io` if the system gives no memory.
    pub(super) fn new() -> Result<Self, Failure> {
        channel::memory(APART * WORDS, |len| IpcSharedMemory::from_byte(0, len)).map(Self::from)
    }

    /// One that may be sent.
    pub(super) fn memory(&self) -> IpcSharedMemory {
        self.memory.clone()
    }

    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < WORDS && !self.words.is_null());
        // SAFETY: the mapping is as long (see `from`) and stays until `memory` is dropped; words
        // are aligned in it as it begins with a page; every value of the bytes is a number, and
        // all who know the memory use atomic accesses of this width alone.
        unsafe { &*self.words.byte_add(at * APART) }
    }
}

impl From<IpcSharedMemory> for Page {
    /// A page whose words may be used if the memory is as long as it should be.
    fn from(mut memory: IpcSharedMemory) -> Self {
        let long = memory.len() >= APART * WORDS;
        // SAFETY: the slice lives for this statement alone, and nobody in this process has
        // another one; from then on there are atomic accesses alone.
        let words = unsafe { memory.deref_mut() }.as_mut_ptr();
        Self {
            memory,
            words: if long { words.cast() } else { std::ptr::null() },
        }
    }
}

impl Page {
    /// Whether it is as long as it should be.
    pub(super) fn is_whole(&self) -> bool {
        !self.words.is_null()
    }
}
