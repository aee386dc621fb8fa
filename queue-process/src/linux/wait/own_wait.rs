//! [`OwnWait`]: how a future waits, in the process that it waits in.

use crate::sys::generation;
use std::mem;

/// What a future has while it waits. A copy of it in a forked child has nothing: what the parent's
/// future has is forgotten there, and not dropped, for a thread that is not in the child may have
/// locked its list for ever.
pub(super) struct OwnWait<T> {
    waiting: Option<T>,
    /// The process that last looked.
    generation: u32,
}

impl<T> OwnWait<T> {
    /// It does not wait yet.
    pub(super) fn new() -> Self {
        Self {
            waiting: None,
            generation: 0,
        }
    }

    /// What it has in this process.
    pub(super) fn get(&mut self) -> &mut Option<T> {
        let generation = generation();
        if self.generation != generation {
            mem::forget(self.waiting.take());
            self.generation = generation;
        }
        &mut self.waiting
    }
}

impl<T> Drop for OwnWait<T> {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            self.get();
        }
    }
}
