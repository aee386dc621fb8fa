//! Files in memory.

use super::{above_stdio, refused};
use queue_core::{Failure, FailureKind};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
};
use rustix::process::{Resource, getrlimit};
use std::io;

/// A file with these can never change its size again, so that nobody who maps it misses
/// its end (`SIGBUS`).
pub(crate) const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// Of such a file: nobody inherits it, and it can be sealed.
const FLAGS: MemfdFlags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);

/// Memory is given back, and the file keeps its length.
const HOLE: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);

/// A sealed file of `len` bytes in memory, which takes room only where it is written.
pub(crate) fn file(name: &str, len: u64) -> Result<OwnedFd, Failure> {
    check_file_size_limit(len)?;
    let file = memfd_create(name, FLAGS)
        .map_err(io::Error::from)
        .and_then(above_stdio)
        .map_err(|e| refused("cannot create a file in memory", e))?;
    ftruncate(&file, len).map_err(|e| refused("cannot size a file in memory", e))?;
    fcntl_add_seals(&file, SEALS).map_err(|e| refused("cannot seal a file in memory", e))?;
    Ok(file)
}

/// Gives the memory for the `len` bytes of `file` from `at` on back; they read as zeros then.
/// Pages that are only partly inside stay. A refusal costs memory, and nothing else.
pub(crate) fn punch_hole(file: BorrowedFd<'_>, at: u64, len: u64) {
    let _ = fallocate(file, HOLE, at, len);
}

/// Whether this process may size or write a file up to there: whoever does so beyond the
/// limit is killed (`SIGXFSZ`).
pub(crate) fn check_file_size_limit(len: u64) -> Result<(), Failure> {
    within(getrlimit(Resource::Fsize).current, len)
}

fn within(limit: Option<u64>, len: u64) -> Result<(), Failure> {
    match limit {
        Some(most) if most < len => {
            let message = format!(
                "the queue needs a file of {len} bytes in memory, most of which take no \
                 room; this process may write files of up to {most} bytes only (ulimit -f)"
            );
            Err(Failure::new(FailureKind::Io, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_the_last_length_that_is_allowed() {
        assert!(within(None, u64::MAX).is_ok());
        assert!(within(Some(5), 5).is_ok());
        assert_eq!(within(Some(5), 6).unwrap_err().kind(), FailureKind::Io);
    }
}
