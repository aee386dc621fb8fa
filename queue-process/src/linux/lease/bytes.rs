//! [`Lease`]: one slot, and the bytes of its item: in the slot if they are few, else in the part of
//! the queue's file that is the slot's own.

use super::slot::{OUTSIDE, RECORD_WORDS, Slot};
use crate::sys::corrupt;
#[cfg(loom)]
use crate::sys::modelled::{OwnedFd, read_words};
use crate::sys::{FileRange, Word64};
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;
use rustix::io::Errno;
#[cfg(not(loom))]
use {crate::sys::read_words, rustix::fd::OwnedFd};

/// The most bytes that lie in the slot itself.
const MAX_INLINE: usize = (RECORD_WORDS - 1) * 8;

/// The bytes of a pipe's record.
pub(crate) const RECORD: usize = 64;

/// So much of what lies outside stays there when the lease has ended. In a model nothing does.
const RETAINED: u64 = if cfg!(loom) { 0 } else { 64 << 10 };

/// Where the slots and the bytes of large items are.
pub(crate) trait LeaseMemory: Send + Sync {
    /// How many slots there may be.
    fn slots(&self) -> u32;

    /// The slot of that number, which is below [`slots`](Self::slots), and for which there is
    /// memory.
    fn slot(&self, n: u32) -> &Slot;

    /// Gets memory for the slots `from..to`.
    ///
    /// # Errors
    /// If there is none.
    fn grow(&self, from: u32, to: u32) -> Result<(), Failure>;

    /// The part of a file that belongs to slot `n` alone.
    fn outside(&self, n: u32) -> FileRange<'_>;

    /// All of these parts.
    fn all_outside(&self) -> FileRange<'_>;

    /// Refuses to write there where this process would be killed for it.
    ///
    /// # Errors
    /// If it may not write files of that length.
    fn check_limit(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where nothing is ever lent.
#[cfg(any(test, loom))]
pub(crate) struct NoLeases;

#[cfg(any(test, loom))]
impl LeaseMemory for NoLeases {
    fn slots(&self) -> u32 {
        0
    }
    fn slot(&self, _: u32) -> &Slot {
        unreachable!("there is none")
    }
    fn grow(&self, _: u32, _: u32) -> Result<(), Failure> {
        unreachable!("there is none")
    }
    fn outside(&self, _: u32) -> FileRange<'_> {
        unreachable!("there is none")
    }
    fn all_outside(&self) -> FileRange<'_> {
        unreachable!("there is none")
    }
}

/// One slot.
#[derive(Clone, Copy)]
pub(crate) struct Lease<'a> {
    pub(crate) n: u32,
    pub(crate) slot: &'a Slot,
    pub(super) memory: &'a dyn LeaseMemory,
}

impl Lease<'_> {
    /// Writes the bytes of the item.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > MAX_INLINE {
            return self.keep_outside(bytes);
        }
        for (word, bytes) in self.slot.record[1..].iter().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Relaxed);
        }
        self.say_inline(bytes.len());
        Ok(())
    }

    /// The item has the first `len` bytes behind the first word.
    pub(crate) fn say_inline(&self, len: usize) {
        self.slot.len.store(len as u32, Relaxed);
    }

    /// Writes the bytes of the item to the file.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn keep_outside(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.memory.check_limit()?;
        self.memory.outside(self.n).write(0, bytes)?;
        self.slot.len.store(bytes.len() as u32 | OUTSIDE, Relaxed);
        Ok(())
    }

    /// Whether the bytes of the item are in the file.
    #[inline]
    pub(crate) fn is_outside(&self) -> bool {
        self.slot.len.load(Relaxed) & OUTSIDE != 0
    }

    /// Appends the bytes of the item to `into`.
    ///
    /// # Errors
    /// `Corrupt` if there is none, or what the system says.
    pub(crate) fn read(&self, into: &mut Vec<u8>) -> Result<(), Failure> {
        let len = self.slot.len.load(Relaxed);
        let bytes = (len & !OUTSIDE) as usize;
        if len & OUTSIDE != 0 {
            return self.memory.outside(self.n).read(0, bytes, into);
        }
        if bytes > MAX_INLINE {
            return Err(corrupt("an item that is lent is longer than its place"));
        }
        let end = into.len() + bytes;
        for word in &self.slot.record[1..][..bytes.div_ceil(8)] {
            into.extend_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        into.truncate(end);
        Ok(())
    }

    /// Gives much memory back that the item had outside, once the slot is free.
    pub(super) fn trim(&self) {
        let len = self.slot.len.load(Relaxed);
        if len & OUTSIDE != 0 && u64::from(len & !OUTSIDE) > RETAINED {
            self.memory.outside(self.n).punch_hole(0, u64::MAX);
        }
    }

    // For a pipe.

    fn record(&self) -> &[Word64; RECORD / 8] {
        self.slot.record[..RECORD / 8].try_into().expect("so many")
    }

    /// No record is here.
    pub(crate) fn clear_record(&self) {
        self.slot.record[0].store(0, Relaxed);
    }

    /// Whether a record is here: it begins with what is not zero.
    pub(crate) fn has_record(&self) -> bool {
        self.slot.record[0].load(Relaxed) != 0
    }

    /// Has the next record of `pipe` here, which is then out of the pipe.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn read_record(&self, pipe: &OwnedFd) -> Result<usize, Errno> {
        read_words(pipe, self.record())
    }

    /// Puts a record here.
    pub(crate) fn put_record(&self, bytes: &[u8; RECORD]) {
        for (word, bytes) in self.record().iter().zip(bytes.chunks_exact(8)).rev() {
            word.store(
                u64::from_ne_bytes(bytes.try_into().expect("so many")),
                Relaxed,
            );
        }
    }

    /// The record that is here.
    pub(crate) fn record_bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.record()) {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        bytes
    }
}
