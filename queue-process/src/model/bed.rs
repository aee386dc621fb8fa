//! Where modelled processes sleep.

use crate::shared::word::Word32;
use loom::sync::atomic::Ordering;
use loom::sync::{Condvar, Mutex};
use std::sync::atomic::AtomicUsize;

/// Where processes sleep: the queue of a futex, or of an epoll set.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) rung: Mutex<bool>,
    pub(super) bell: Condvar,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self {
            rung: Mutex::new(false),
            bell: Condvar::new(),
        }
    }

    /// The nets of all who sleep here catch them.
    pub(super) fn bury(&self) {
        let _sleepers = self.rung.lock().expect("nobody panics in bed");
        self.bell.notify_all();
    }
}

/// Where a model's processes wait for a lock, so that loom need not explore every turn of
/// their pausing.
#[derive(Debug)]
pub(super) struct Queue {
    bed: Bed,
    /// How many; not loom's, for it is not part of the model: without it each time that a
    /// lock is given back would be two more steps to explore.
    waiting: AtomicUsize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            bed: Bed::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Sleeps while `holder` has the lock whose word is `word`, and is alive.
    pub(super) fn pause(&self, word: &Word32, holder: u32, is_alive: impl Fn(u32) -> bool) {
        let one = std::sync::atomic::Ordering::Relaxed;
        self.waiting.fetch_add(1, one);
        let mut bed = self.bed.rung.lock().expect("nobody panics in bed");
        // Whoever gives the lock back after this look finds `waiting` set.
        while holder != 0 && newest(word) == holder && is_alive(holder) {
            bed = self.bed.bell.wait(bed).expect("nobody panics in bed");
        }
        drop(bed);
        self.waiting.fetch_sub(1, one);
    }

    /// The lock was given back.
    pub(super) fn given_back(&self) {
        if self.waiting.load(std::sync::atomic::Ordering::Relaxed) != 0 {
            self.bed.bury();
        }
    }

    /// Somebody died.
    pub(super) fn bury(&self) {
        self.bed.bury();
    }
}

/// What is in `word` now: an exchange, also one that fails, does not see old values.
pub(super) fn newest(word: &Word32) -> u32 {
    let exchanged =
        (word.atomic()).compare_exchange(u32::MAX, 0, Ordering::Relaxed, Ordering::Relaxed);
    exchanged.expect_err("no word is all ones")
}
