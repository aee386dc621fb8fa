//! The memory of a [`Simulation`], which is loom's.

use super::Simulation;
use crate::linux::shm::arena::Arena;
use crate::sys::steps::step;
use loom::sync::atomic::Ordering;
use queue_core::Failure;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Up to which word of an arena there is memory. Not loom's: whoever asks for memory, gives it
/// back or writes to it does so under the locks that are on trial.
#[derive(Debug, Default)]
pub(super) struct Committed(AtomicUsize);

impl Committed {
    const ORDER: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;
}

/// The memory of a simulation, as an arena.
#[derive(Debug)]
pub(super) struct Memory(pub(super) Arc<Simulation>);

// Relaxed, all: what orders them is on trial.
impl Arena for Memory {
    fn words(&self) -> usize {
        self.0.cells.len()
    }

    fn set(&self, at: usize, word: u64) {
        let taken = self.0.taken.0.load(Committed::ORDER);
        assert!(at < taken, "a write to memory that there is not: SIGBUS");
        self.0.cells[at].store(word, Ordering::Relaxed);
    }

    fn get(&self, at: usize) -> u64 {
        self.0.cells[at].load(Ordering::Relaxed)
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        for (n, word) in bytes.chunks(8).enumerate() {
            let word = word.try_into().expect("the items are numbers");
            self.set(at + n, u64::from_ne_bytes(word));
        }
    }

    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
        assert_eq!(len % 8, 0, "the items are numbers");
        for n in 0..len / 8 {
            into.extend(self.get(at + n).to_ne_bytes());
        }
    }

    fn grow(&self, _: usize, to: usize) -> Result<(), Failure> {
        if step() {
            self.0.taken.0.fetch_max(to, Committed::ORDER);
        }
        Ok(())
    }

    /// Memory that was given back reads as zero.
    fn shrink(&self, from: usize, to: usize) {
        if step() {
            self.0.taken.0.store(from, Committed::ORDER);
        }
        for cell in &self.0.cells[from..to] {
            cell.store(0, Ordering::Relaxed);
        }
    }
}
