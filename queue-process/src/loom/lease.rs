//! The leases of a [`Simulation`](super::Simulation): slots in the memory of the model, and in its file
//! the bytes of large items.

use super::store::{Kind, LARGE};
use crate::linux::lease::bytes::LeaseMemory;
use crate::linux::lease::slot::Slot;
use crate::sys::modelled::OwnedFd;
use crate::sys::{FileRange, steps::step};
use queue_core::Failure;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many slots there are.
const SLOTS: usize = 4;

/// Where in the file the bytes of large items are, beyond all else.
const OUTSIDE: u64 = 1 << 50;

#[derive(Debug)]
pub(super) struct Leases {
    slots: [Slot; SLOTS],
    file: OwnedFd,
    /// Up to which slot there is memory. Not loom's: under the lock that is on trial.
    committed: AtomicU32,
}

impl Leases {
    pub(super) fn new(kind: &Kind) -> Self {
        Self {
            slots: Default::default(),
            file: match kind {
                Kind::Pipe(kernel) => kernel.clone(),
                Kind::Ring { .. } => OwnedFd::new(0),
            },
            committed: AtomicU32::new(0),
        }
    }
}

impl LeaseMemory for Leases {
    fn slots(&self) -> u32 {
        SLOTS as u32
    }

    fn slot(&self, n: u32) -> &Slot {
        let committed = self.committed.load(Ordering::Relaxed);
        assert!(n < committed, "a slot for which there is no memory: SIGBUS");
        &self.slots[n as usize]
    }

    fn grow(&self, _: u32, to: u32) -> Result<(), Failure> {
        if step() {
            self.committed.store(to, Ordering::Relaxed);
        }
        Ok(())
    }

    fn outside(&self, n: u32) -> FileRange<'_> {
        FileRange {
            file: &self.file,
            start: OUTSIDE + u64::from(n) * LARGE as u64,
            len: LARGE as u64,
        }
    }

    fn all_outside(&self) -> FileRange<'_> {
        FileRange {
            len: (SLOTS * LARGE) as u64,
            ..self.outside(0)
        }
    }
}
