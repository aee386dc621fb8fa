//! [`FileRange`]: a part of the queue's file that is written at the front and given back
//! behind.
//!
//! The file is a sparse one in memory (a `memfd`) and is not mapped here: reading and
//! writing are system calls, so a full memory is an error and never a signal, and no
//! other process can change bytes under a reference.

#[cfg(loom)]
use crate::sys::modelled::{BorrowedFd, pread, punch_hole, pwrite};
use crate::sys::{corrupt, refused};
use queue_core::Failure;
use rustix::io::Errno;
use std::num::NonZeroU64;
#[cfg(not(loom))]
use {
    crate::sys::punch_hole,
    rustix::fd::BorrowedFd,
    rustix::io::{pread, pwrite},
};

/// What is said when memory is full.
const NO_ROOM: &str = "there is no memory for another item";

/// A part of a file, in offsets of its own.
#[derive(Clone, Copy)]
pub(crate) struct FileRange<'a> {
    pub(crate) file: BorrowedFd<'a>,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl FileRange<'_> {
    /// Writes all of `bytes` at `at`.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        let end = self.offset(at, bytes.len())? + bytes.len() as u64;
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let offset = end - bytes.len() as u64;
            match pwrite(self.file, bytes, offset) {
                Ok(0) => return Err(refused(NO_ROOM, Errno::NOSPC)),
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(refused(NO_ROOM, error)),
            }
        }
        Ok(())
    }

    /// Appends the `len` bytes at `at` to `into`, or nothing.
    pub(crate) fn read(&self, at: u64, len: usize, into: &mut Vec<u8>) -> Result<(), Failure> {
        let begin = into.len();
        self.offset(at, len)?;
        into.resize(begin + len, 0);
        self.fill(at, &mut into[begin..])
            .inspect_err(|_| into.truncate(begin))
    }

    /// Fills all of `into` from `at`.
    pub(crate) fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), Failure> {
        let end = self.offset(at, into.len())? + into.len() as u64;
        let mut into = into;
        while !into.is_empty() {
            let offset = end - into.len() as u64;
            match pread(self.file, &mut *into, offset) {
                Ok(0) => return Err(corrupt("its file is shorter than it says")),
                Ok(read) => into = &mut into[read..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(refused("cannot read an item", error)),
            }
        }
        Ok(())
    }

    /// Gives the memory of `from..to` back; it reads as zeros then. Pages that are only
    /// partly inside stay.
    pub(crate) fn punch_hole(&self, from: u64, to: u64) {
        let Some(len) = to.checked_sub(from).and_then(NonZeroU64::new) else {
            return;
        };
        let Ok(offset) = self.offset(from, 0) else {
            return;
        };
        // If it is refused it is asked for again later.
        punch_hole(self.file, offset, len.get().min(self.len - from));
    }

    fn offset(&self, at: u64, len: usize) -> Result<u64, Failure> {
        match at.checked_add(len as u64) {
            Some(end) if end <= self.len => Ok(self.start + at),
            _ => Err(corrupt("an item lies outside of its file")),
        }
    }
}
