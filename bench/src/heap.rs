//! A global allocator that can count: how many bytes are in use.
//!
//! Counting is off except in the memory cells, so that in all others an allocation
//! costs one well-predicted branch more than the system's own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static IN_USE: AtomicIsize = AtomicIsize::new(0);

/// The system's allocator, counted.
pub struct Counted;

impl Counted {
    fn note(&self, bytes: isize) {
        // Relaxed: a tally read after the threads that made it were joined.
        if COUNTING.load(Relaxed) {
            IN_USE.fetch_add(bytes, Relaxed);
        }
    }
}

// SAFETY: every call goes to `System` unchanged; counting touches no memory of the block.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size() as isize);
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.note(-(layout.size() as isize));
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Counts from its making on.
pub struct Growth(isize);

impl Growth {
    /// Begins to count.
    pub fn begin() -> Self {
        COUNTING.store(true, Relaxed);
        Self(IN_USE.load(Relaxed))
    }

    /// How many bytes more are in use now.
    pub fn end(self) -> f64 {
        COUNTING.store(false, Relaxed);
        (IN_USE.load(Relaxed) - self.0) as f64
    }
}

/// How many bytes more are in use after `work` than before.
pub fn growth(work: impl FnOnce()) -> f64 {
    let counted = Growth::begin();
    work();
    counted.end()
}
