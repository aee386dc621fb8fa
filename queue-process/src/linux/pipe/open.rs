//! What a [`Pipe`] consists of: making it, handing it on, and refusing what is none.

use super::storage::{FILE_LEN, Pipe, SIZE};
use crate::linux::queue::format::Limits;
use crate::linux::queue::open::Shareable;
use crate::sys::{self, Mapping, SEALS, above_stdio, corrupt, refused};
use queue_core::{Capacity, Failure};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fcntl_get_seals, fcntl_getfl, fstat};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// The most memory that a queue can be allowed.
const MAX_MEMORY: u64 = 64 << 30;

/// The largest pipe that needs no privilege.
const MAX_PIPE_BYTES: usize = 1 << 20;

impl Pipe {
    /// A pipe for up to `capacity` items, as far as one holds so many.
    fn make_pipe(capacity: u32) -> Result<OwnedFd, Failure> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (one_way, _) = pipe_with(flags).map_err(|e| refused("cannot create a pipe", e))?;
        // Both ways by one descriptor: no pipe without a reader, hence never `SIGPIPE`.
        let path = format!("/proc/self/fd/{}", one_way.as_raw_fd());
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(path, flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(above_stdio)
            .map_err(|e| refused("cannot open a pipe both ways", e))?;
        // One page more, for the front one may be read in part. Refused to a user who has
        // very many pipes: then more goes to the log.
        let bytes = (capacity as usize)
            .saturating_mul(SIZE)
            .saturating_add(4096);
        let _ = fcntl_setpipe_size(&pipe, bytes.clamp(8192, MAX_PIPE_BYTES));
        Ok(pipe)
    }

    /// Refuses what is no pipe that can be read and written without waiting.
    fn check_pipe(pipe: &OwnedFd) -> Result<(), Failure> {
        let wanted = OFlags::RDWR | OFlags::NONBLOCK;
        let is_pipe = fstat(pipe).is_ok_and(|it| FileType::from_raw_mode(it.st_mode).is_fifo());
        let flags = fcntl_getfl(pipe).unwrap_or(OFlags::empty());
        if is_pipe && flags & (OFlags::ACCMODE | OFlags::NONBLOCK) == wanted {
            return Ok(());
        }
        Err(corrupt("a descriptor of the queue is not its pipe"))
    }
}

impl Shareable for Pipe {
    const KIND: u32 = 2;
    const NAME: &'static str = "PipeQueue";
    const MAX_ITEM_BYTES: u32 = 16 << 20;
    const DESCRIPTORS: usize = 2;

    fn limits(bound: Capacity, item: u32, memory: u64) -> Limits {
        let memory = match bound.capacity() {
            // Room for each item's record and for what rounding up takes.
            Some(items) => (u64::from(item) + 128).saturating_mul(items as u64),
            None => memory,
        };
        Limits {
            bound,
            item,
            memory: memory.min(MAX_MEMORY),
        }
    }

    fn mapped(_: &Limits) -> Result<usize, Failure> {
        Ok(0)
    }

    fn create(_: &Arc<Mapping>, limits: &Limits) -> Result<Self, Failure> {
        let pipe = Self::make_pipe(limits.capacity())?;
        let file = sys::file("queue items", FILE_LEN)?;
        let limits = *limits;
        Ok(Self { pipe, file, limits })
    }

    fn open(_: &Arc<Mapping>, limits: &Limits, own: Vec<OwnedFd>) -> Result<Self, Failure> {
        let Ok([pipe, file]) = <[OwnedFd; 2]>::try_from(own) else {
            return Err(corrupt("not as many descriptors as a pipe queue has"));
        };
        Self::check_pipe(&pipe)?;
        check(&file, FILE_LEN)?;
        let limits = *limits;
        Ok(Self { pipe, file, limits })
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.pipe.as_fd(), self.file.as_fd()]
    }
}

/// Refuses what is not such a file, or one that this process may not write to.
pub(super) fn check(file: &OwnedFd, len: u64) -> Result<(), Failure> {
    sys::check_file_size_limit(len)?;
    let sealed = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS));
    let sized = fstat(file).is_ok_and(|status| u64::try_from(status.st_size) == Ok(len));
    if sealed && sized {
        return Ok(());
    }
    Err(corrupt(
        "a descriptor of the queue is not the file of its items",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_core::FailureKind;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    #[test]
    fn another_file_is_refused() {
        assert!(check(&sys::file("items", 8192).unwrap(), 8192).is_ok());
        let corrupt = |file: OwnedFd| check(&file, 8192).unwrap_err().kind();
        assert_eq!(
            corrupt(sys::file("items", 4096).unwrap()),
            FailureKind::Corrupt
        );
        assert_eq!(
            corrupt(std::fs::File::open("/proc/self/exe").unwrap().into()),
            FailureKind::Corrupt
        );
        let open = memfd_create("open", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&open, 8192).unwrap();
        assert_eq!(corrupt(open), FailureKind::Corrupt, "not sealed");
    }
}
