//! A user's own code around a queue of the family, and the model that checks it.
//!
//! ```sh
//! cargo test                                              # as shipped
//! RUSTFLAGS="--cfg loom" cargo test --release             # every interleaving in bounds
//! ```
//!
//! With `--cfg loom` the queue itself runs on loom's primitives, so the model goes through
//! its interleavings together with those of the code around it, as far as the model's
//! bound on preemptions goes. Nothing has to be replaced by a stand-in, and the queue needs
//! no feature for it.

#![forbid(unsafe_code)]

use queue_thread::{Queue, ThreadQueue};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// Adds numbers up in whichever threads call [`work`](Self::work).
pub struct Sum {
    numbers: ThreadQueue<u32>,
    total: AtomicU32,
    /// One message from each worker that has ended.
    ended: ThreadQueue<()>,
}

impl Sum {
    /// Takes up to `capacity` numbers in advance.
    pub fn new(capacity: usize) -> Self {
        Self {
            numbers: ThreadQueue::bounded(capacity),
            total: AtomicU32::new(0),
            ended: ThreadQueue::unbounded(),
        }
    }

    /// Gives one more number to the workers; false once the sum was asked for.
    pub fn add(&self, number: u32) -> bool {
        self.numbers.push(number).is_ok()
    }

    /// Works until there are no more numbers to come.
    pub fn work(&self) {
        for number in self.numbers.iter() {
            // Relaxed: what the message below carries to `finish` includes this.
            self.total.fetch_add(number, Ordering::Relaxed);
        }
        let _ = self.ended.push(());
    }

    /// Waits for so many workers to end, and gives the sum.
    pub fn finish(&self, workers: usize) -> u32 {
        self.numbers.close();
        for _ in 0..workers {
            // A pop sees all that its push's thread did before: that is what makes the
            // Relaxed additions visible.
            let _ = self.ended.pop();
        }
        self.total.load(Ordering::Relaxed)
    }

    /// What `finish` would be if it did not wait: wrong, and the model shows it.
    pub fn finish_too_early(&self) -> u32 {
        self.numbers.close();
        self.numbers.try_iter().for_each(drop);
        self.total.load(Ordering::Relaxed)
    }
}
