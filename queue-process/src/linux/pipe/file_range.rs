//! [`Stretch`]: a part of the queue's file that is written at the front and given back
//! behind.
//!
//! The file is a sparse one in memory (a `memfd`) and is not mapped here: reading and
//! writing are system calls, so a full memory is an error and never a signal, and no
//! other process can change bytes under a reference.

use crate::linux::engine::storage::corrupt;
use crate::sys::calls::{BorrowedFd, Errno, give_back, pread, pwrite, refused};
use queue_core::Failure;
use std::num::NonZeroU64;

/// What is said when memory is full.
const NO_ROOM: &str = "there is no memory for another item";

/// A part of a file, in offsets of its own.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) file: BorrowedFd<'a>,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Stretch<'_> {
    /// Writes all of `bytes` at `at`.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
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
    pub(super) fn read(&self, at: u64, len: usize, into: &mut Vec<u8>) -> Result<(), Failure> {
        let begin = into.len();
        self.offset(at, len)?;
        into.resize(begin + len, 0);
        self.fill(at, &mut into[begin..])
            .inspect_err(|_| into.truncate(begin))
    }

    /// Fills all of `into` from `at`.
    pub(super) fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), Failure> {
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
    pub(super) fn give_back(&self, from: u64, to: u64) {
        let Some(len) = to.checked_sub(from).and_then(NonZeroU64::new) else {
            return;
        };
        let Ok(offset) = self.offset(from, 0) else {
            return;
        };
        // If it is refused it is asked for again later.
        give_back(self.file, offset, len.get().min(self.len - from));
    }

    fn offset(&self, at: u64, len: usize) -> Result<u64, Failure> {
        match at.checked_add(len as u64) {
            Some(end) if end <= self.len => Ok(self.start + at),
            _ => Err(corrupt("an item lies outside of its file")),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::open::create;
    use super::*;
    use queue_core::FailureKind;
    use rustix::fd::AsFd;
    use rustix::fs::fstat;

    #[test]
    fn what_was_written_is_read_and_given_back() {
        let file = create(1 << 62).unwrap();
        let stretch = Stretch {
            file: file.as_fd(),
            start: 4096,
            len: 1 << 61,
        };
        let bytes: Vec<u8> = (0..3 << 20).map(|n| (n % 251) as u8).collect();
        stretch.write(1 << 40, &bytes).unwrap();
        let mut read = vec![0; bytes.len()];
        stretch.fill(1 << 40, &mut read).unwrap();
        assert!(read == bytes);
        assert!(fstat(&file).unwrap().st_blocks * 512 >= 3 << 20);
        stretch.give_back(1 << 40, (1 << 40) + bytes.len() as u64);
        assert_eq!(fstat(&file).unwrap().st_blocks, 0);
        stretch.fill(1 << 40, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn nothing_leads_outside() {
        let file = create(8192).unwrap();
        let stretch = Stretch {
            file: file.as_fd(),
            start: 4096,
            len: 4096,
        };
        for at in [4093, 4097, u64::MAX - 1, u64::MAX] {
            let failure = stretch.fill(at, &mut [0; 4]).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Corrupt);
            let failure = stretch.write(at, &[0; 4]).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Corrupt);
        }
        stretch.give_back(4000, u64::MAX);
        stretch.give_back(5000, 6000);
        stretch.give_back(100, 50);
    }

    #[test]
    fn what_is_behind_it_stays() {
        let file = create(3 * 4096).unwrap();
        let [stretch, next] = [1, 2].map(|page| Stretch {
            file: file.as_fd(),
            start: page * 4096,
            len: 4096,
        });
        stretch.write(1024, b"given back").unwrap();
        next.write(0, b"stays").unwrap();
        stretch.give_back(1024, u64::MAX);
        let mut bytes = [1; 5];
        stretch.fill(1024, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 5]);
        next.fill(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"stays");
    }

    #[test]
    fn a_file_cut_short_is_damage() {
        let file = create(4096).unwrap();
        let stretch = Stretch {
            file: file.as_fd(),
            start: 4096,
            len: 4096,
        };
        let failure = stretch.fill(0, &mut [0; 4]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Corrupt);
    }
}
